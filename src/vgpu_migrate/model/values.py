"""The domain's values: hosts, gpus, VMs and vgpus of a fleet. Frozen, no I/O.

They are msgspec structs rather than dataclasses because a fleet holds hundreds of thousands of them:
built in C, a tenth of the time and a third of the memory. None can be part of a reference cycle, so the
garbage collector is told to leave them alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NewType

import msgspec

from vgpu_migrate.facts import Board, VgpuType
from vgpu_migrate.nvml import States, VersionRange

HostId = NewType("HostId", str)
VmId = NewType("VmId", str)
GpuId = NewType("GpuId", str)

VM_UUID_NAMESPACE = uuid.UUID("6f1d3d5e-0a5c-5f43-9c0e-6d1f3a1b7c24")
"""UUIDv5 of a VM's id in this namespace stands for a VM that names no uuid. A choice of ours."""


class VmState(StrEnum):
    """The power state of a VM."""

    RUNNING = "running"
    PAUSED = "paused"
    SLEEPING = "sleeping"
    HIBERNATED = "hibernated"
    OFF = "off"
    BOOTING = "booting"

    @property
    def holds_vgpus(self) -> bool:
        """Whether a VM in this state has vgpus on a host: it counts for capacity and is drained."""
        return self not in (VmState.OFF, VmState.HIBERNATED)

    @property
    def needs(self) -> States:
        """The state of compatibility this VM needs to go on elsewhere as it is. Our assumption."""
        return _NEEDS[self]


_NEEDS = {
    VmState.RUNNING: States.LIVE,
    VmState.PAUSED: States.LIVE,
    VmState.SLEEPING: States.SLEEP,
    VmState.HIBERNATED: States.HIBERNATE,
    VmState.OFF: States.COLD,
    VmState.BOOTING: States.COLD,
}


class PlacementMode(StrEnum):
    """How a time-sliced gpu is shared: vgpus of one type, or of several at placement ids."""

    EQUAL = "equal"
    MIXED = "mixed"


class Profile(StrEnum):
    """The set of compatibility rules that a migration domain applies."""

    DEFAULT = "default"
    IDENTICAL_HOST_DRIVERS = "identical-host-drivers"
    RENEGOTIATING_RESUME = "renegotiating-resume"


class Settings(msgspec.Struct, frozen=True, gc=False):
    """Limits and costs of migrations in one migration domain.

    `migrations_per_fleet` is the fleet's and the same in every domain.
    """

    profile: Profile = Profile.DEFAULT
    migrations_per_host: int = 2
    migrations_per_fleet: int = 32
    bandwidth_gbit_s: float = 25.0
    overhead_s: float = 5.0
    upgrade_s: float = 1800.0


class Gpu(msgspec.Struct, frozen=True, gc=False):
    """One physical GPU. `mig` holds the slices of its GPU instances in order, empty without MIG.

    `types` are the types it is known to offer; empty: not listed, so all of its board's.
    """

    id: GpuId
    host: HostId
    index: int
    board: Board
    pci: str | None
    mode: PlacementMode
    ecc: bool
    sriov: bool
    is_vgpu_host: bool
    migration: bool
    topology: int
    mig: tuple[int, ...]
    types: tuple[VgpuType, ...]


class Vgpu(msgspec.Struct, frozen=True, gc=False):
    """One vgpu of a VM.

    `vgpu_version` is the version held, None where guest info is UNINITIALIZED. `gpu` is None for a VM
    that holds no vgpu. `placement` is NVML's placement id on a mixed-size gpu, else None.
    """

    type: VgpuType
    gpu: GpuId | None
    placement: int | None
    vgpu_version: int | None
    migration: bool
    record: bytes | None


class Vm(msgspec.Struct, frozen=True, gc=False):
    """A virtual machine and its vgpus, in order. `allow` is what its owner accepts, as states."""

    id: VmId
    host: HostId | None
    given_uuid: str | None
    domid: int | None
    state: VmState
    memory_mib: int
    vcpus: int | None
    guest_driver: str | None
    allow: States
    anti_affinity: tuple[str, ...]
    vgpus: tuple[Vgpu, ...]

    @property
    def uuid(self) -> str:
        """Its UUID; a UUIDv5 of its id where the fleet file names none."""
        return self.given_uuid or str(uuid.uuid5(VM_UUID_NAMESPACE, self.id))

    @property
    def framebuffer_mib(self) -> int:
        """Framebuffer of all its vgpus together, in MiB."""
        return sum(vgpu.type.framebuffer_mib for vgpu in self.vgpus)


class Host(msgspec.Struct, frozen=True, gc=False):
    """A machine with a vGPU Manager, or without one (`has_manager` false).

    `preset_range` and `range_in_force` are None where neither the file nor the facts know them;
    `range_said` tells where the preset range came from. `range_is_override`: an administrator's range.
    """

    id: HostId
    domain: str
    driver: str
    has_manager: bool
    hypervisor: str
    preset_range: VersionRange | None
    range_in_force: VersionRange | None
    range_said: str
    schedulable: bool
    memory_mib: int | None
    vcpus: int | None
    gpus: tuple[Gpu, ...]

    @property
    def range_is_override(self) -> bool:
        """Whether an administrator's range is in force rather than the preset one."""
        return self.range_in_force != self.preset_range


@dataclass(frozen=True)
class Fleet:
    """All hosts and VMs of a fleet file, in the file's order, by id.

    `settings` are the fleet's; `domain_settings` those of each domain that overrides any.
    `revision` is None where the file names none.
    """

    revision: int | None
    settings: Settings
    domain_settings: Mapping[str, Settings]
    hosts: Mapping[HostId, Host]
    vms: Mapping[VmId, Vm]

    def settings_of(self, domain: str) -> Settings:
        """The settings in force in a migration domain."""
        return self.domain_settings.get(domain, self.settings)

    def domain_of(self, vm: Vm) -> str | None:
        """The migration domain a VM belongs to, None for one without a host."""
        return None if vm.host is None else self.hosts[vm.host].domain

    @cached_property
    def gpus(self) -> Mapping[GpuId, Gpu]:
        """Every gpu of the fleet by id, host by host."""
        return {gpu.id: gpu for host in self.hosts.values() for gpu in host.gpus}

    @cached_property
    def residents(self) -> Mapping[HostId, tuple[Vm, ...]]:
        """The VMs that hold vgpus on each host, in the file's order."""
        found: dict[HostId, list[Vm]] = {host_id: [] for host_id in self.hosts}
        for vm in self.vms.values():
            if vm.host is not None and vm.state.holds_vgpus:
                found[vm.host].append(vm)
        return {host_id: tuple(vms) for host_id, vms in found.items()}

    @cached_property
    def tenants(self) -> Mapping[GpuId, tuple[Vgpu, ...]]:
        """The vgpus on each gpu, in the file's order."""
        found: dict[GpuId, list[Vgpu]] = {gpu_id: [] for gpu_id in self.gpus}
        for vms in self.residents.values():
            for vm in vms:
                for vgpu in vm.vgpus:
                    if vgpu.gpu is not None:
                        found[vgpu.gpu].append(vgpu)
        return {gpu_id: tuple(vgpus) for gpu_id, vgpus in found.items()}
