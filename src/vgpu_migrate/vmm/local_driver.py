"""This machine's NVML by `ctypes` alone: the calls that the hook needs, of the real library or the drop-in.

Buffers are as large as the library says; nothing is assumed of a record's size but its fixed part.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from vgpu_migrate.errors import OutsideError
from vgpu_migrate.nvml import Compatibility, Return, error_string
from vgpu_migrate.nvml.layout import COMPATIBILITY, PGPU_METADATA, VGPU_METADATA

HOST_VARIABLE = "VGPU_MIGRATE_HOST"
LARGEST_RECORD = 1 << 20
MOST_VGPUS = 4096
_TEXT = 256
_PCI_INFO = 256
_BUS_ID_AT = 36
"""`nvmlPciInfo_t.busId`: behind busIdLegacy[16] and five words."""


class DriverCallError(OutsideError):
    """The driver answered a code other than SUCCESS, or something that cannot be.

    Attributes:
        code: the NVML return code.
    """

    def __init__(self, function: str, code: int, detail: str = "") -> None:
        self.code = code
        super().__init__(f"{function} {detail or f'answered {code} ({error_string(code)})'}")


class LocalGpu(NamedTuple):
    """A gpu that hosts vgpus: its handle, its PCI address (``0000:3b:00.0``) or its index, its record."""

    handle: ctypes.c_void_p
    name: str
    record: bytes


class LocalVgpu(NamedTuple):
    """An active vgpu: its instance number, gpu, VM (a UUID on KVM, in small letters), mdev UUID, type.

    `gpu` is as `LocalGpu.name`; `mdev` is None where it is no mediated device; `type` is the driver's word.
    """

    instance: int
    gpu: str
    vm: str
    mdev: str | None
    type: str


class GpuFault(NamedTuple):
    """A gpu that did not answer, and the code."""

    name: str
    error: DriverCallError


class LocalDriver:
    """An initialised NVML. Calls raise `DriverCallError` for codes that their descriptions do not name."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def _call(self, function: str, *arguments: object) -> None:
        try:
            code = getattr(self._library, function)(*arguments)
        except AttributeError:
            code = Return.FUNCTION_NOT_FOUND
        if code:
            raise DriverCallError(function, code)

    def gpus(self) -> tuple[tuple[LocalGpu, ...], tuple[GpuFault, ...]]:
        """The gpus that host vgpus, and those that did not answer."""
        count = ctypes.c_uint()
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        gpus, faults = [], []
        for index in range(count.value):
            name = f"gpu {index}"
            try:
                handle = ctypes.c_void_p()
                self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
                name = self._address(handle) or name
                gpus.append(LocalGpu(handle, name, self._record(handle)))
            except DriverCallError as error:
                if error.code != Return.NOT_SUPPORTED:
                    faults.append(GpuFault(name, error))
        return tuple(gpus), tuple(faults)

    def _address(self, handle: ctypes.c_void_p) -> str | None:
        info = ctypes.create_string_buffer(_PCI_INFO)
        self._call("nvmlDeviceGetPciInfo_v3", handle, info)
        text = info.raw[_BUS_ID_AT : _BUS_ID_AT + 32].split(b"\0")[0].decode("ascii", "replace").lower()
        domain, _, rest = text.partition(":")
        return f"{domain[-4:]}:{rest}" if rest else None

    def _record(self, handle: ctypes.c_void_p) -> bytes:
        return self._sized("nvmlDeviceGetVgpuMetadata", handle, PGPU_METADATA.size)

    def vgpu_record(self, instance: int) -> bytes:
        """The record of an active vgpu. NOT_FOUND means that it has ended."""
        return self._sized("nvmlVgpuInstanceGetMetadata", ctypes.c_uint(instance), VGPU_METADATA.size)

    def _sized(self, function: str, subject: object, least: int) -> bytes:
        size = ctypes.c_uint(0)
        try:
            code = getattr(self._library, function)(subject, None, ctypes.byref(size))
        except AttributeError:
            code = Return.FUNCTION_NOT_FOUND
        if code not in (Return.INSUFFICIENT_SIZE, Return.SUCCESS):
            raise DriverCallError(function, code)
        if not least <= size.value <= LARGEST_RECORD:
            raise DriverCallError(function, code, f"wants {size.value} bytes")
        buffer = ctypes.create_string_buffer(size.value)
        self._call(function, subject, buffer, ctypes.byref(size))
        return buffer.raw[: size.value]

    def compatibility(self, vgpu_record: bytes, gpu: LocalGpu) -> Compatibility:
        """The driver's verdict. INVALID_ARGUMENT means that it does not know the record.

        One that has fewer bytes than it announces is not shown to the driver: it might read them all.
        """
        function, has = "nvmlGetVgpuCompatibility", len(vgpu_record)
        if has < VGPU_METADATA.size or has < VGPU_METADATA.announced(vgpu_record):
            raise DriverCallError(function, Return.INVALID_ARGUMENT, "was not asked: the record is truncated")
        vgpu = ctypes.create_string_buffer(vgpu_record, has)
        out = ctypes.create_string_buffer(COMPATIBILITY.size)
        self._call(function, vgpu, gpu.record, out)
        return Compatibility.from_bytes(out.raw)

    def mdevs_in_use(self) -> frozenset[str]:
        """The mediated devices of active vgpus, by UUID in small letters; a host without any has none."""
        found = (self._mdev(instance) for gpu in self.gpus()[0] for instance in self._active(gpu.handle))
        return frozenset(uuid for uuid in found if uuid is not None)

    def _mdev(self, instance: ctypes.c_uint) -> str | None:
        text = ctypes.create_string_buffer(_TEXT)
        try:
            self._call("nvmlVgpuInstanceGetMdevUUID", instance, text, ctypes.c_uint(_TEXT))
        except DriverCallError as error:
            if error.code not in (Return.NOT_SUPPORTED, Return.NOT_FOUND, Return.FUNCTION_NOT_FOUND):
                raise
            return None
        return text.value.decode("ascii", "replace").lower()

    def vgpus(self) -> tuple[LocalVgpu, ...]:
        """The active vgpus, by gpu and the driver's order; one that ends meanwhile is left out."""
        found = []
        for gpu in self.gpus()[0]:
            for instance in self._active(gpu.handle):
                try:
                    found.append(self._vgpu(instance, gpu.name))
                except DriverCallError as error:
                    if error.code != Return.NOT_FOUND:
                        raise
        return tuple(found)

    def _vgpu(self, instance: ctypes.c_uint, gpu: str) -> LocalVgpu:
        vm, kind = ctypes.create_string_buffer(_TEXT), ctypes.c_uint(0)
        self._call("nvmlVgpuInstanceGetVmID", instance, vm, ctypes.c_uint(_TEXT), ctypes.byref(kind))
        number = ctypes.c_uint(0)
        self._call("nvmlVgpuInstanceGetType", instance, ctypes.byref(number))
        name = vm.value.decode("ascii", "replace").lower()
        return LocalVgpu(instance.value, gpu, name, self._mdev(instance), self.type_name(number.value) or "")

    def _active(self, handle: ctypes.c_void_p) -> list[ctypes.c_uint]:
        count = ctypes.c_uint(0)
        code = self._library.nvmlDeviceGetActiveVgpus(handle, ctypes.byref(count), None)
        if code == Return.SUCCESS or code == Return.NOT_SUPPORTED:
            return []
        if code != Return.INSUFFICIENT_SIZE or count.value > MOST_VGPUS:
            raise DriverCallError("nvmlDeviceGetActiveVgpus", code)
        count.value += 16  # room for those that start meanwhile
        found = (ctypes.c_uint * count.value)()
        self._call("nvmlDeviceGetActiveVgpus", handle, ctypes.byref(count), found)
        return [ctypes.c_uint(instance) for instance in found[: count.value]]

    def type_name(self, type_id: int) -> str | None:
        """A vgpu type's name by its id; None for an id that the driver does not know."""
        text, size = ctypes.create_string_buffer(_TEXT), ctypes.c_uint(_TEXT)
        try:
            self._call("nvmlVgpuTypeGetName", ctypes.c_uint(type_id), text, ctypes.byref(size))
        except DriverCallError:
            return None
        return text.value.decode("ascii", "replace")


@contextmanager
def local_driver(library: str, *, socket: str | None = None) -> Iterator[LocalDriver]:
    """NVML of this machine, initialised meanwhile.

    Args:
        library: what to open: a name that the loader finds, or a path.
        socket: the simulated host of a drop-in library; the environment names none.

    Raises:
        OutsideError: there is no such library, it is no NVML, or it does not initialise.
    """
    before = os.environ.get(HOST_VARIABLE)
    # Not touched where it is right already: a long run has other threads, which read the environment.
    if before != socket:
        _set_host(socket)
    try:
        try:
            nvml = ctypes.CDLL(library)
            code = nvml.nvmlInit_v2()
        except (OSError, AttributeError) as error:
            raise OutsideError(f"{library} cannot be used: {error}") from None
        if code:
            raise DriverCallError("nvmlInit_v2", code)
        try:
            yield LocalDriver(nvml)
        finally:
            nvml.nvmlShutdown()
    finally:
        if before != socket:
            _set_host(before)


def _set_host(socket: str | None) -> None:
    if socket is None:
        os.environ.pop(HOST_VARIABLE, None)
    else:
        os.environ[HOST_VARIABLE] = socket
