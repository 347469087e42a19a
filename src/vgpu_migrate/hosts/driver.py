"""The host of this machine's NVIDIA driver: `libnvidia-ml.so.1`, NVIDIA's own or the drop-in one."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from vgpu_migrate import facts
from vgpu_migrate.errors import OutsideError, UnknownNameError
from vgpu_migrate.hosts.nvml_binding import Binding, DriverError, as_text, opened
from vgpu_migrate.hosts.protocol import ActiveVgpu, PhysicalGpu
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml import (
    INVALID_PLACEMENT_ID,
    Compatibility,
    InUseError,
    InvalidArgumentError,
    NvmlError,
    Return,
    VersionRange,
)
from vgpu_migrate.nvml.layout import COMPATIBILITY, PGPU_METADATA, VGPU_METADATA, VGPU_VERSION, Layout

MIB = 1 << 20

_UUID_BYTES = 80  # NVML_DEVICE_UUID_BUFFER_SIZE: older libraries take no longer buffer for these two
_NO_ANSWER = (Return.NOT_SUPPORTED, Return.NOT_FOUND, Return.FUNCTION_NOT_FOUND, Return.DEPRECATED)

Answer = TypeVar("Answer")
Record = bytes | bytearray | memoryview


class _PciInfo(ctypes.Structure):
    """`nvmlPciInfo_t`, as `nvmlDeviceGetPciInfo_v3` fills it."""

    _fields_ = (
        ("busIdLegacy", ctypes.c_char * 16),
        ("domain", ctypes.c_uint),
        ("bus", ctypes.c_uint),
        ("device", ctypes.c_uint),
        ("pciDeviceId", ctypes.c_uint),
        ("pciSubSystemId", ctypes.c_uint),
        ("busId", ctypes.c_char * 32),
    )


class _Memory(ctypes.Structure):
    """`nvmlMemory_t`, in bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class DriverGpu(NamedTuple):
    """What the driver says of a gpu. None: it does not say."""

    id: GpuId
    number: int
    """Its place in the driver's order."""
    name: str
    pci: str | None
    device_id: int | None
    """PCI device id, the upper half of NVML's word."""
    subsystem_id: int | None
    is_vgpu_host: bool
    ecc: bool | None
    mig_enabled: bool | None
    persistence: bool | None
    memory_mib: int
    used_mib: int
    types: tuple[str, ...]
    """The vgpu types that it supports, as the driver spells them."""
    instances: tuple[int, ...]


class DriverHost:
    """A host over an initialised library; `open_driver` gives one. It implements `hosts.protocol.Host`.

    A gpu's id is its UUID. Every method asks the driver afresh, and raises the `NvmlError` of its answer:
    `DriverError` for a code that the five functions do not document.
    """

    def __init__(self, binding: Binding) -> None:
        self._nvml = binding

    def driver_version(self) -> str:
        """The driver's version, such as `580.126.09`."""
        return self._nvml.text("nvmlSystemGetDriverVersion")

    def gpus(self) -> tuple[PhysicalGpu, ...]:
        """The gpus of the machine, in the driver's order."""
        return tuple(
            PhysicalGpu(self._uuid(handle), self._name(handle), _address(self._pci(handle)))
            for handle in self._handles()
        )

    def describe(self) -> tuple[DriverGpu, ...]:
        """All that the driver says of each gpu, in its order."""
        return tuple(self._describe(number, handle) for number, handle in enumerate(self._handles()))

    def supported_types(self, gpu: GpuId) -> tuple[str, ...]:
        """The vgpu types that a gpu supports, as the driver spells them; empty where it is no vGPU host.

        Raises:
            UnknownNameError: there is no such gpu.
        """
        return self._types(self._handle(gpu))

    def active_vgpus(self, gpu: GpuId) -> tuple[ActiveVgpu, ...]:
        """The active vgpus of a gpu, in the driver's order; one that ends meanwhile is left out.

        `type` is the type's short name where the tables know it, else the driver's own.

        Raises:
            UnknownNameError: there is no such gpu.
            NotSupportedError: it is no vGPU host, or there is no vGPU Manager.
        """
        found: list[ActiveVgpu] = []
        for instance in self._nvml.numbers("nvmlDeviceGetActiveVgpus", self._handle(gpu)):
            vgpu = self._or_none(lambda instance=instance: self._vgpu(instance))  # type: ignore[misc]
            if vgpu is not None:
                found.append(vgpu)
        return tuple(found)

    def placement(self, instance: int) -> int | None:
        """The placement id of a vgpu, in GiB on a mixed-size gpu; None where it has none.

        Raises:
            NotFoundError: no active vgpu has this handle.
        """

        class Placement(ctypes.Structure):
            _fields_ = (("version", ctypes.c_uint), ("placementId", ctypes.c_uint))

        found = Placement(version=ctypes.sizeof(Placement) | 1 << 24, placementId=INVALID_PLACEMENT_ID)
        name = "nvmlVgpuInstanceGetPlacementId"
        if not self._answers(name, ctypes.c_uint(instance), ctypes.byref(found)):
            return None
        return None if found.placementId == INVALID_PLACEMENT_ID else int(found.placementId)

    def instance_metadata(self, instance: int) -> bytes:
        """The whole record of an active vgpu, however long.

        Raises:
            NotFoundError: no active vgpu has this handle.
        """
        return self._nvml.record("nvmlVgpuInstanceGetMetadata", ctypes.c_uint(instance))

    def gpu_metadata(self, gpu: GpuId) -> bytes:
        """The whole record of a gpu, however long.

        Raises:
            UnknownNameError: there is no such gpu.
            NotSupportedError: it is no vGPU host, or there is no vGPU Manager.
        """
        return self._nvml.record("nvmlDeviceGetVgpuMetadata", self._handle(gpu))

    def compatibility(self, vgpu_record: Record, pgpu_record: Record) -> Compatibility:
        """The driver's own verdict on two records.

        A record that is shorter than it says itself never reaches the driver, which would read behind it.

        Raises:
            InvalidArgumentError: a record is truncated, or the driver does not take it.
        """
        vgpu = _whole(VGPU_METADATA, vgpu_record)
        pgpu = _whole(PGPU_METADATA, pgpu_record)
        answer = ctypes.create_string_buffer(COMPATIBILITY.size)
        self._nvml.call("nvmlGetVgpuCompatibility", vgpu, pgpu, answer)
        return Compatibility.from_bytes(answer.raw)

    def vgpu_versions(self) -> tuple[VersionRange, VersionRange]:
        """The preset range and the range in force.

        Raises:
            NotSupportedError: there is no vGPU Manager.
        """
        preset = ctypes.create_string_buffer(VGPU_VERSION.size)
        in_force = ctypes.create_string_buffer(VGPU_VERSION.size)
        self._nvml.call("nvmlGetVgpuVersion", preset, in_force)
        return VersionRange.from_bytes(preset.raw), VersionRange.from_bytes(in_force.raw)

    def set_vgpu_version(self, wanted: VersionRange) -> None:
        """Override the preset range until the driver is loaded again.

        Raises:
            InvalidArgumentError: not a range inside the preset one.
            NotSupportedError: there is no vGPU Manager.
            InUseError: a VM is running on the host.
        """
        buffer = ctypes.create_string_buffer(wanted.to_bytes(), VGPU_VERSION.size)
        try:
            self._nvml.call("nvmlSetVgpuVersion", buffer)
        except InUseError:
            raise InUseError("a VM is running on this host") from None
        except InvalidArgumentError:
            raise InvalidArgumentError(f"{wanted} is no range inside {self.vgpu_versions()[0]}") from None

    def require_vgpu(self) -> None:
        """Return where some gpu is a vGPU host.

        Raises:
            OutsideError: the machine has no gpu, or none of them is a vGPU host.
        """
        handles = self._handles()
        if not handles:
            raise OutsideError(f"NVIDIA driver {self.driver_version()} finds no gpu on this machine")
        if not any(self._is_vgpu_host(handle) for handle in handles):
            raise OutsideError(
                f"no gpu of this machine is a vGPU host: NVIDIA driver {self.driver_version()} runs here "
                "without a vGPU Manager, or the gpus have no vGPU"
            )

    def _describe(self, number: int, handle: ctypes.c_void_p) -> DriverGpu:
        pci = self._pci(handle)
        memory = _Memory()
        self._nvml.call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
        instances = self._or_none(lambda: self._nvml.numbers("nvmlDeviceGetActiveVgpus", handle))
        return DriverGpu(
            id=self._uuid(handle),
            number=number,
            name=self._name(handle),
            pci=_address(pci),
            device_id=None if pci is None else pci.pciDeviceId >> 16,
            subsystem_id=None if pci is None else pci.pciSubSystemId >> 16,
            is_vgpu_host=self._is_vgpu_host(handle),
            ecc=self._current("nvmlDeviceGetEccMode", handle),
            mig_enabled=self._current("nvmlDeviceGetMigMode", handle),
            persistence=self._or_none(
                lambda: bool(self._nvml.number("nvmlDeviceGetPersistenceMode", handle))
            ),
            memory_mib=memory.total // MIB,
            used_mib=memory.used // MIB,
            types=self._types(handle),
            instances=instances or (),
        )

    def _handles(self) -> tuple[ctypes.c_void_p, ...]:
        return tuple(self._at(index) for index in range(self._nvml.number("nvmlDeviceGetCount_v2")))

    def _at(self, index: int) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        try:
            self._nvml.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
        except DriverError as error:
            raise DriverError(int(error.code), f"gpu {index} in the driver's order") from None
        return handle

    def _handle(self, gpu: GpuId) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        try:
            self._nvml.call("nvmlDeviceGetHandleByUUID", gpu.encode(), ctypes.byref(handle))
        except NvmlError as error:
            known = [one.id for one in self.gpus()]
            if gpu in known:
                raise
            raise UnknownNameError("gpu", gpu, known) from error
        return handle

    def _uuid(self, handle: ctypes.c_void_p) -> GpuId:
        return GpuId(self._nvml.text("nvmlDeviceGetUUID", handle))

    def _name(self, handle: ctypes.c_void_p) -> str:
        return self._nvml.text("nvmlDeviceGetName", handle)

    def _pci(self, handle: ctypes.c_void_p) -> _PciInfo | None:
        found = _PciInfo()
        return found if self._answers("nvmlDeviceGetPciInfo_v3", handle, ctypes.byref(found)) else None

    def _is_vgpu_host(self, handle: ctypes.c_void_p) -> bool:
        return self._or_none(lambda: self._nvml.record("nvmlDeviceGetVgpuMetadata", handle)) is not None

    def _current(self, name: str, handle: ctypes.c_void_p) -> bool | None:
        """The mode in force of a function that writes it and the pending one."""
        now, pending = ctypes.c_uint(0), ctypes.c_uint(0)
        has_it = self._answers(name, handle, ctypes.byref(now), ctypes.byref(pending))
        return bool(now.value) if has_it else None

    def _types(self, handle: ctypes.c_void_p) -> tuple[str, ...]:
        found = self._or_none(lambda: self._nvml.numbers("nvmlDeviceGetSupportedVgpus", handle))
        return tuple(self._type_name(number) for number in found or ())

    def _type_name(self, number: int) -> str:
        size = ctypes.c_uint(64)  # NVML_DEVICE_NAME_BUFFER_SIZE
        buffer = ctypes.create_string_buffer(size.value)
        self._nvml.call("nvmlVgpuTypeGetName", ctypes.c_uint(number), buffer, ctypes.byref(size))
        return as_text(buffer.value)

    def _vgpu(self, instance: int) -> ActiveVgpu:
        handle = ctypes.c_uint(instance)
        uuid = ctypes.create_string_buffer(_UUID_BYTES)
        self._nvml.call("nvmlVgpuInstanceGetUUID", handle, uuid, ctypes.c_uint(_UUID_BYTES))
        vm, kind = ctypes.create_string_buffer(_UUID_BYTES), ctypes.c_uint(0)
        self._nvml.call("nvmlVgpuInstanceGetVmID", handle, vm, ctypes.c_uint(_UUID_BYTES), ctypes.byref(kind))
        name = self._type_name(self._nvml.number("nvmlVgpuInstanceGetType", handle))
        return ActiveVgpu(instance, as_text(uuid.value), as_text(vm.value), short_type(name))

    def _or_none(self, ask: Callable[[], Answer]) -> Answer | None:
        """The answer, or None where the driver has none for this gpu, this vgpu or any."""
        try:
            return ask()
        except NvmlError as error:
            if error.code in _NO_ANSWER:
                return None
            raise

    def _answers(self, name: str, *arguments: object) -> bool:
        """Call a function that may have no answer, and say whether it has."""

        def ask() -> bool:
            self._nvml.call(name, *arguments)
            return True

        return self._or_none(ask) is not None


@contextmanager
def open_driver() -> Iterator[DriverHost]:
    """The host of this machine's driver, for as long as the `with` block lasts.

    Raises:
        OutsideError: no driver, not loaded, no vGPU, or nvidia-ml-py is not installed: one clear sentence.
    """
    with opened() as binding:
        host = DriverHost(binding)
        host.require_vgpu()
        yield host


def short_type(name: str) -> str:
    """The short name of a vgpu type that the driver spells so; its own where the tables lack it."""
    try:
        return facts.vgpu_type(name).short
    except UnknownNameError:
        return name


def _address(pci: _PciInfo | None) -> str | None:
    """As sysfs spells it; NVML names no function, so it is 0."""
    return None if pci is None else f"{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}.0"


def _whole(layout: Layout, record: Record) -> ctypes.Array[ctypes.c_char]:
    """A record in a buffer of its own, as long as it announces itself to be."""
    wanted = layout.announced(record)
    if len(record) < wanted:
        raise InvalidArgumentError(f"{layout.name} has {len(record)} bytes and announces {wanted}")
    return ctypes.create_string_buffer(bytes(record), len(record))
