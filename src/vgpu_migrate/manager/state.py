"""The state of one host as frozen values. Nothing here changes anything: operations build the next state.

Mappings are never written after they are built; an operation that fails has therefore changed nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from enum import StrEnum
from typing import NewType

import msgspec

from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.model import Gpu, GpuId, Host, HostId, Profile, VersionRange, VmId, VmState
from vgpu_migrate.model.placement import Tenant

VgpuHandle = NewType("VgpuHandle", int)
MigrationId = NewType("MigrationId", str)
DeviceId = NewType("DeviceId", str)


class Role(StrEnum):
    """What part a VM's record on this host plays in a migration."""

    RESIDENT = "resident"
    """None: the VM is here."""
    OUTGOING = "outgoing"
    """Offered to another host, and still active here."""
    HANDED_OVER = "handed-over"
    """Given to another host, which has not answered; its vgpus are held here, not active."""
    INCOMING = "incoming"
    """Expected from another host; its vgpus are held here, not active."""


class GuestReport(msgspec.Struct, frozen=True):
    """What the guest driver reported when it loaded; `minimum` and `maximum` None where not known."""

    driver: str
    vgpu_version: int
    minimum: int | None
    maximum: int | None


class VgpuInstance(msgspec.Struct, frozen=True):
    """One vgpu on this host.

    `handle` is NVML's instance id, never 0 and never used twice. `guest` is None while guest info is
    UNINITIALIZED. `uuid` follows from the VM's and the vgpu's position, so it is the same on every host.
    `function` is the virtual function it sits on, as for a `Device`. `device` is the administrator's
    device that it uses; None: the kernel's device came with the vgpu and goes with it.
    """

    handle: VgpuHandle
    uuid: str
    type: VgpuType
    gpu: GpuId
    placement: int | None
    guest: GuestReport | None
    function: int | None = None
    device: DeviceId | None = None

    @property
    def tenant(self) -> Tenant:
        """The instance as placement sees it."""
        return Tenant(self.type, self.placement)

    @property
    def device_id(self) -> DeviceId:
        """The id of the device it is on: the administrator's, else its own UUID. Our choice."""
        return DeviceId(self.uuid) if self.device is None else self.device


class Device(msgspec.Struct, frozen=True):
    """A vgpu as the host's kernel sees it: a mediated device, or a virtual function with a type set.

    It takes up room from when it is made, whether a VM uses it or not. `id` is the mediated device's UUID,
    or whatever name the administrator gave. `function` is the virtual function it sits on, counted from 0;
    None on a gpu without SR-IOV.
    """

    id: DeviceId
    gpu: GpuId
    type: VgpuType
    placement: int | None
    function: int | None

    @property
    def tenant(self) -> Tenant:
        """The device as placement sees it."""
        return Tenant(self.type, self.placement)


class VgpuDefinition(msgspec.Struct, frozen=True):
    """One vgpu that a VM wants; `migration` False while it uses something that forbids migration."""

    type: VgpuType
    migration: bool = True


class VmDefinition(msgspec.Struct, frozen=True):
    """What a VM is, whatever host it is on. `guest_driver` is what the guest has installed, if known."""

    id: VmId
    uuid: str
    vgpus: tuple[VgpuDefinition, ...]
    memory_mib: int = 0
    vcpus: int | None = None
    domid: int | None = None
    guest_driver: str | None = None


class Negotiation(msgspec.Struct, frozen=True):
    """The outcome of a guest driver's attempt to load: both ranges, and the version if there is one.

    `vgpu_version` None: the driver did not load.
    """

    driver: str
    guest_minimum: int | None
    guest_maximum: int | None
    host_range: VersionRange | None
    vgpu_version: int | None

    @property
    def has_loaded(self) -> bool:
        """Whether the guest driver loaded."""
        return self.vgpu_version is not None

    def __str__(self) -> str:
        low = "?" if self.guest_minimum is None else f"{self.guest_minimum:#x}"
        high = "?" if self.guest_maximum is None else f"{self.guest_maximum:#x}"
        ranges = f"guest {low}-{high}, host {self.host_range or 'unknown'}"
        if self.vgpu_version is None:
            return f"guest driver {self.driver} does not load: {ranges}"
        return f"guest driver {self.driver} loaded with {self.vgpu_version:#x}: {ranges}"


class OpenMigration(msgspec.Struct, frozen=True):
    """A migration that a VM's record is part of. `peer` is the other host, None until it is bound."""

    id: MigrationId
    peer: HostId | None


class VmRecord(msgspec.Struct, frozen=True):
    """A VM on this host: its definition, power state, vgpus and part in a migration.

    `power` of an incoming VM is the one it will have. `saved` are the last records of a VM without vgpus.
    `negotiation` is that of the last attempt to load a guest driver since the VM started.
    """

    definition: VmDefinition
    domid: int
    power: VmState = VmState.OFF
    role: Role = Role.RESIDENT
    vgpus: tuple[VgpuInstance, ...] = ()
    migration: OpenMigration | None = None
    saved: tuple[bytes, ...] | None = None
    negotiation: Negotiation | None = None

    @property
    def is_active(self) -> bool:
        """Whether the VM's processors may run here: its vgpus are listed and found."""
        return bool(self.vgpus) and self.role in (Role.RESIDENT, Role.OUTGOING)


class HostState(msgspec.Struct, frozen=True):
    """Everything one host knows. `host` holds its driver, gpus, preset range and range in force.

    `devices` are those that an administrator made, used by a VM or not; `all_devices` has the others too.
    `answers` is the journal of migrations into this host: True committed, False declined. `incarnation`
    is handed in and distinguishes the ids of migrations of a host that began anew under the same name.
    """

    host: Host
    profile: Profile = Profile.DEFAULT
    incarnation: str = ""
    vms: dict[VmId, VmRecord] = {}
    devices: dict[DeviceId, Device] = {}
    answers: dict[MigrationId, bool] = {}
    next_handle: int = 1
    next_migration: int = 1

    @property
    def is_in_use(self) -> bool:
        """Whether a VM is running as IN_USE means it: any VM with an active or held vgpu. Our assumption.

        A device that no VM uses does not count.
        """
        return any(record.vgpus for record in self.vms.values())

    def vm(self, vm_id: VmId) -> VmRecord:
        """The record of a VM.

        Raises:
            UnknownNameError: no VM of this id is on the host.
        """
        record = self.vms.get(vm_id)
        if record is None:
            raise UnknownNameError("VM", vm_id, self.vms)
        return record

    def gpu(self, gpu_id: GpuId) -> Gpu:
        """A gpu of the host.

        Raises:
            UnknownNameError: the host has no gpu of this id.
        """
        found = self.find_gpu(gpu_id)
        if found is None:
            raise UnknownNameError("gpu", gpu_id, (gpu.id for gpu in self.host.gpus))
        return found

    def find_gpu(self, gpu_id: GpuId) -> Gpu | None:
        """A gpu of the host, or None."""
        return next((gpu for gpu in self.host.gpus if gpu.id == gpu_id), None)

    def device(self, device_id: DeviceId) -> Device:
        """A device that an administrator made.

        Raises:
            UnknownNameError: no such device is on the host.
        """
        found = self.devices.get(device_id)
        if found is None:
            raise UnknownNameError("device", device_id, self.devices)
        return found

    def tenants(self, gpu_id: GpuId) -> list[Tenant]:
        """What takes up room on a gpu: active and held vgpus alike, and devices that no VM uses."""
        # Read for every gpu at every publication, so without making a device of each vgpu.
        vgpus = [vgpu for record in self.vms.values() for vgpu in record.vgpus if vgpu.gpu == gpu_id]
        used = {vgpu.device for vgpu in vgpus}
        devices = (device for device in self.devices.values() if device.gpu == gpu_id)
        unused = [device.tenant for device in devices if device.id not in used]
        return [vgpu.tenant for vgpu in vgpus] + unused

    def all_devices(self) -> Iterator[tuple[Device, VmRecord | None]]:
        """Every device and the VM that has a vgpu on it: VM by VM, then those that no VM uses.

        A VM that was started without devices has one of its own for each vgpu.
        """
        used: set[DeviceId] = set()
        for record in self.vms.values():
            for vgpu in record.vgpus:
                used.add(vgpu.device_id)
                yield (
                    Device(vgpu.device_id, vgpu.gpu, vgpu.type, vgpu.placement, vgpu.function),
                    record,
                )
        for device in self.devices.values():
            if device.id not in used:
                yield device, None

    def active(self) -> Iterator[tuple[VmRecord, VgpuInstance]]:
        """The active vgpus and their VMs, in no order that matters."""
        for record in self.vms.values():
            if record.is_active:
                for vgpu in record.vgpus:
                    yield record, vgpu

    def with_vm(self, record: VmRecord) -> HostState:
        """The state with this record in the place of the VM's present one, or added."""
        return msgspec.structs.replace(self, vms={**self.vms, record.definition.id: record})

    def with_device(self, device: Device) -> HostState:
        """The state with an administrator's device added."""
        return msgspec.structs.replace(self, devices={**self.devices, device.id: device})

    def without_vm(self, vm_id: VmId) -> HostState:
        """The state without a VM."""
        return msgspec.structs.replace(
            self, vms={other: record for other, record in self.vms.items() if other != vm_id}
        )


def vgpu_uuid(definition: VmDefinition, position: int) -> str:
    """The UUID of a VM's vgpu: a UUIDv5 of its position in the namespace of the VM's UUID. Our choice."""
    try:
        namespace = uuid.UUID(definition.uuid)
    except ValueError:
        namespace = uuid.uuid5(uuid.NAMESPACE_OID, definition.uuid)
    return str(uuid.uuid5(namespace, str(position)))
