"""Frozen domain values: boards, gpus, vgpus, VMs, hosts and fleets, and the plain rules of room and time."""

from vgpu_migrate.facts import Board, Generation, VgpuType
from vgpu_migrate.model.values import (
    Fleet,
    Gpu,
    GpuId,
    Host,
    HostId,
    PlacementMode,
    Profile,
    Settings,
    Vgpu,
    Vm,
    VmId,
    VmState,
)
from vgpu_migrate.nvml import VersionRange

__all__ = [
    "Board",
    "Fleet",
    "Generation",
    "Gpu",
    "GpuId",
    "Host",
    "HostId",
    "PlacementMode",
    "Profile",
    "Settings",
    "VersionRange",
    "Vgpu",
    "VgpuType",
    "Vm",
    "VmId",
    "VmState",
]
