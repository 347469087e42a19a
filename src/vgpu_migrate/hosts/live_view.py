"""What `LiveHost.show` answers: a simulated host at one moment, as frozen values that are also its JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from vgpu_migrate.manager import GuestReport, Negotiation, Role
from vgpu_migrate.model import PlacementMode, Profile, VersionRange, VmState


class VgpuView(msgspec.Struct, frozen=True, kw_only=True):
    """A vgpu, active or held. `instance` is NVML's handle; `guest` None while UNINITIALIZED.

    `device` is the administrator's device that it uses; None: one of its own, which goes with it.
    """

    instance: int
    uuid: str
    type: str
    gpu: str
    placement: int | None
    is_active: bool
    guest: GuestReport | None
    device: str | None


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A device that an administrator made: it takes up room, whether a VM uses it or not.

    `function` is the virtual function it is on, from 0; None on a gpu without SR-IOV. `vm` and `instance`
    are the VM and its vgpu that use it, held ones too; None: no VM does.
    """

    id: str
    type: str
    gpu: str
    placement: int | None
    function: int | None
    vm: str | None
    instance: int | None


class OpenMigrationView(msgspec.Struct, frozen=True, kw_only=True):
    """A migration that is not settled.

    `direction` is seen from this host. `stage`: `offered`, `handed-over`, `held` (incoming), or
    `withdrawn`: the VM has been taken back, and the target has yet to say that it holds nothing.
    `peer` and `socket` are the other host; the socket is known to the source only.
    `asks` counts the times the target was asked in vain, `said` is what came of the last.
    """

    id: str
    vm: str
    direction: Literal["out", "in"]
    stage: Literal["offered", "handed-over", "held", "withdrawn"]
    peer: str | None
    socket: str | None = None
    asks: int = 0
    said: str = ""


class VmView(msgspec.Struct, frozen=True, kw_only=True):
    """A VM of the host. `saved_records` counts those kept of one that is off or hibernated.

    `types` are those of its vgpus in order; `vgpus` is empty where it has none now. `migration`
    is the id of the one it is part of. `negotiation` is its guest driver's last attempt since it started.
    """

    id: str
    uuid: str
    domid: int
    power: VmState
    role: Role
    is_active: bool
    memory_mib: int
    guest_driver: str | None
    types: tuple[str, ...]
    vgpus: tuple[VgpuView, ...]
    saved_records: int
    negotiation: Negotiation | None
    migration: str | None


class GpuView(msgspec.Struct, frozen=True, kw_only=True):
    """A gpu. Memory in MiB: `memory_mib` of its board, `used_mib` by active and held vgpus.

    `instances` are the handles of its vgpus, held ones too.
    """

    id: str
    index: int
    board: str
    name: str
    pci: str | None
    mode: PlacementMode
    ecc: bool
    sriov: bool
    migration: bool
    is_vgpu_host: bool
    mig: tuple[int, ...]
    memory_mib: int
    used_mib: int
    persistence: bool
    instances: tuple[int, ...]


class FaultView(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that is set. `calls` counts the matching calls so far; None means every one.

    `left_s` is the time until it ends by itself, None where it is to be cleared.
    """

    number: int
    function: str | None
    gpu: str | None
    instance: int | None
    code: int
    after: int
    probability: float
    seed: int
    delay_s: float
    left_s: float | None
    calls: int


class HostView(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated host at one moment: the host, its ranges, gpus, VMs, devices, faults and open migrations.

    `notices` are sentences about its start that an operator should know.
    """

    id: str
    domain: str
    profile: Profile
    driver: str
    has_manager: bool
    hypervisor: str
    schedulable: bool
    preset_range: VersionRange | None
    range_in_force: VersionRange | None
    range_is_override: bool
    range_said: str
    incarnation: str
    gpus: tuple[GpuView, ...]
    vms: tuple[VmView, ...]
    devices: tuple[DeviceView, ...]
    faults: tuple[FaultView, ...]
    migrations: tuple[OpenMigrationView, ...]
    notices: tuple[str, ...]
