"""What the kernel of a simulated host has: gpus, their virtual functions, and devices on them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.manager import Device, HostState, function_count, mdev_uuid
from vgpu_migrate.model import Gpu
from vgpu_migrate.model.placement import NoRoom, Place, Tenant, find_room
from vgpu_migrate.snapshot.cards import PciAddress, pci_addresses, pci_id

FIRST_VIRTUAL_FUNCTION = 4
"""The first virtual function is so many functions behind the physical one, and each next one behind it.

Source: captures of A40 and L40S hosts.
"""

VENDOR_VFIO_SINCE = 550
"""vGPU 17; from then on newer kernels have no mediated devices of SR-IOV gpus. Source: facts note 8."""


class SysfsModel(StrEnum):
    """Which of the kernel's two faces vgpus have."""

    AUTO = "auto"
    """By driver and gpu: vendor VFIO on SR-IOV gpus from driver 550 on, else mediated devices."""
    MDEV = "mdev"
    VENDOR_VFIO = "vendor-vfio"
    """On SR-IOV gpus; a gpu without SR-IOV has mediated devices whatever is asked for."""


def uses_vendor_vfio(state: HostState, gpu: Gpu, model: SysfsModel) -> bool:
    """Whether a gpu's vgpus are types of its virtual functions rather than mediated devices."""
    if not function_count(gpu) or model is SysfsModel.MDEV:
        return False
    major = state.host.driver.partition(".")[0]
    return model is SysfsModel.VENDOR_VFIO or (major.isdecimal() and int(major) >= VENDOR_VFIO_SINCE)


class CardView:
    """One gpu as the kernel sees it."""

    def __init__(
        self, state: HostState, gpu: Gpu, address: PciAddress, *, model: SysfsModel, group: int
    ) -> None:
        self.state = state
        self.gpu = gpu
        self.address = str(address)
        self.vendor_vfio = uses_vendor_vfio(state, gpu, model)
        self.group = group
        """The IOMMU group of the physical function; those of the virtual ones follow it."""
        self._routing_id = address

    @property
    def root(self) -> str:
        """The directory of devices that the gpu is in, below `devices`."""
        return f"pci{self._routing_id.domain:04x}:{self._routing_id.bus:02x}"

    @property
    def has_mdevs(self) -> bool:
        """Whether mediated devices can be made on it."""
        return self.gpu.is_vgpu_host and self.state.host.has_manager and not self.vendor_vfio

    @property
    def device_id(self) -> int:
        """PCI device id; that of the virtual functions too, as captures show."""
        return pci_id(self.gpu.board).device

    @property
    def subsystem_id(self) -> int:
        """PCI subsystem id, 0 where no table knows it."""
        return pci_id(self.gpu.board).subsystem or 0

    @cached_property
    def functions(self) -> tuple[str, ...]:
        """The addresses of its virtual functions, in order; none where there is no vGPU Manager."""
        count = function_count(self.gpu) if self.state.host.has_manager else 0
        return tuple(self._function_address(number) for number in range(count))

    def _function_address(self, number: int) -> str:
        # A routing id is bus, device and function in 8, 5 and 3 bits, and SR-IOV adds to it as a whole.
        at = self._routing_id
        routing_id = (at.bus << 8 | at.device << 3) + FIRST_VIRTUAL_FUNCTION + number
        return f"{at.domain:04x}:{routing_id >> 8 & 0xFF:02x}:{routing_id >> 3 & 0x1F:02x}.{routing_id & 7:x}"

    @cached_property
    def types(self) -> tuple[VgpuType, ...]:
        """The types it offers, by type id: those listed for it, else its board's of the kind it is in."""
        offered = self.gpu.types or facts.types_of_board(self.gpu.board.key)
        fitting = (one for one in offered if one.is_mig_backed == bool(self.gpu.mig))
        return tuple(sorted(fitting, key=lambda one: one.type_id))

    @cached_property
    def devices(self) -> tuple[Device, ...]:
        """The devices on it, in order of function, else of id."""
        there = (device for device, _ in self.state.all_devices() if device.gpu == self.gpu.id)
        return tuple(sorted(there, key=lambda device: (device.function or 0, device.id)))

    @cached_property
    def on_function(self) -> dict[int, Device]:
        """The device on each virtual function that has one."""
        return {device.function: device for device in self.devices if device.function is not None}

    @cached_property
    def room(self) -> dict[VgpuType, int]:
        """How many more vgpus of each type it has room for."""
        tenants = self.state.tenants(self.gpu.id)
        return {one: _room_left(self.gpu, tenants, one) for one in self.types}

    def mdev_group(self, device: Device) -> int:
        """The IOMMU group of a mediated device; it follows from its UUID, so it stays while others go."""
        return 1 << 16 | zlib.crc32(mdev_uuid(device.id).encode()) >> 2

    def function_group(self, number: int) -> int:
        """The IOMMU group of a virtual function."""
        return self.group + 1 + number


def _room_left(gpu: Gpu, tenants: Iterable[Tenant], vgpu_type: VgpuType) -> int:
    there, count = list(tenants), 0
    while isinstance(place := find_room(gpu, there, vgpu_type), Place):
        there.append(Tenant(vgpu_type, place.placement))
        count += 1
    assert isinstance(place, NoRoom)
    return count


def cards(state: HostState, model: SysfsModel) -> tuple[CardView, ...]:
    """The gpus of a host, in its order.

    Raises:
        InputError: two functions would have one address.
    """
    views: list[CardView] = []
    group = 1
    for gpu, address in zip(state.host.gpus, pci_addresses(state.host.gpus), strict=True):
        view = CardView(state, gpu, address, model=model, group=group)
        group += 1 + len(view.functions)
        views.append(view)
    owner: dict[str, str] = {}
    for view in views:
        for at in (view.address, *view.functions):
            if at in owner:
                said = f"gpu {view.gpu.id} and gpu {owner[at]} both have PCI function {at}"
                wanted = "wanted buses of their own, as virtual functions follow the physical one"
                raise InputError(Problem(f"host {state.host.id}", said, wanted))
            owner[at] = view.gpu.id
    return tuple(views)
