"""A client of the five functions as a C program would be one."""

from __future__ import annotations

from tests.manager.factories import VM, a_host, a_manager, start_vm

from vgpu_migrate.hosts import SimulatedHost, Size, VgpuMigrationCalls
from vgpu_migrate.manager import VgpuManager
from vgpu_migrate.model import GpuId, Host, VmState
from vgpu_migrate.nvml import Compatibility, PgpuMetadata, VersionRange, VgpuMetadata

DEVICE = GpuId("h01/0")


class Client:
    """A process that has initialised the library, on a host whose manager the test can reach."""

    def __init__(self, manager: VgpuManager | None = None) -> None:
        self.manager = manager or a_manager()
        self.calls = VgpuMigrationCalls(SimulatedHost(self.manager))
        self.calls.init()

    @property
    def instance(self) -> int:
        """The handle of the VM's first vgpu."""
        return self.manager.state.vm(VM).vgpus[0].handle

    def vgpu_record(self, instance: int | None = None) -> bytes:
        """The record of a vgpu, read as a careful client does: ask for the size, then read."""
        size, buffer = Size(4096), bytearray(4096)
        self.calls.vgpu_instance_get_metadata(self.instance if instance is None else instance, buffer, size)
        return bytes(buffer[: size.value])

    def vgpu(self) -> VgpuMetadata:
        """The record of the VM's first vgpu, its fields."""
        return VgpuMetadata.from_bytes(self.vgpu_record())

    def pgpu_record(self, device: GpuId = DEVICE) -> bytes:
        """The record of a gpu."""
        size, buffer = Size(4096), bytearray(4096)
        self.calls.device_get_vgpu_metadata(device, buffer, size)
        return bytes(buffer[: size.value])

    def pgpu(self, device: GpuId = DEVICE) -> PgpuMetadata:
        """The record of a gpu, its fields."""
        return PgpuMetadata.from_bytes(self.pgpu_record(device))

    def compatibility(self, vgpu: bytes, pgpu: bytes) -> Compatibility:
        """The answer on two records."""
        buffer = bytearray(8)
        self.calls.get_vgpu_compatibility(vgpu, pgpu, buffer)
        return Compatibility.from_bytes(buffer)

    def versions(self) -> tuple[VersionRange, VersionRange]:
        """The preset range and the range in force."""
        supported, current = bytearray(8), bytearray(8)
        self.calls.get_vgpu_version(supported, current)
        return VersionRange.from_bytes(supported), VersionRange.from_bytes(current)

    def set_version(self, minimum: int, maximum: int) -> None:
        """Override the preset range."""
        self.calls.set_vgpu_version(VersionRange(minimum, maximum).to_bytes())


def a_client(host: Host | None = None, *, power: VmState | None = None) -> Client:
    """A client of a host; with `power`, of one that has a VM in that state."""
    manager = a_manager(host or a_host())
    if power is not None:
        start_vm(manager, power=power)
    return Client(manager)
