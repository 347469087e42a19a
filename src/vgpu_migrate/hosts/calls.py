"""The five functions of NVML's vGPU Migration module, with the page's calling convention, in Python.

A C pointer to a structure is a `bytearray` (or, where it is only read, any bytes), a NULL pointer is None,
and a pointer to `unsigned int` is a `Size`. A return code other than SUCCESS is an `NvmlError`.

Order of checks in every function: not initialised, then arguments, then support, then look-up, then size.

Source: NVML vGPU Migration, CUDA 10.1 (nvml.h 10.1.243). Order and size protocol are measured or ours:
docs/conformance.md says which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vgpu_migrate.errors import RecordError
from vgpu_migrate.hosts.protocol import Host
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml import (
    InsufficientSizeError,
    InvalidArgumentError,
    UninitializedError,
    VersionRange,
)
from vgpu_migrate.nvml.layout import COMPATIBILITY, VGPU_VERSION


@dataclass(slots=True)
class Size:
    """An `unsigned int` that a function reads and writes: the size of a buffer, in bytes."""

    value: int = 0


class VgpuMigrationCalls:
    """The module as a client sees it: initialise, call, shut down. One object is one client process."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._initialisations = 0

    def init(self) -> None:
        """Initialise; counted, so that each call wants a shutdown of its own."""
        self._initialisations += 1

    def shutdown(self) -> None:
        """Undo one init.

        Raises:
            UninitializedError: there is none to undo; as the newest real library answers.
        """
        self._require_initialised()
        self._initialisations -= 1

    def vgpu_instance_get_metadata(
        self, vgpu_instance: int, vgpu_metadata: bytearray | None, buffer_size: Size | None
    ) -> None:
        """Returns vGPU metadata structure for a running vGPU (`nvmlVgpuInstanceGetMetadata`).

        May be called at any time for a vGPU instance. Fields that depend on the guest VM are valid where
        `guestInfoState` says so. A VMM may save the record and give it back when it creates a vGPU for a
        subsequent instance of the VM: see `VgpuManager.start`.

        Args:
            vgpu_instance: vGPU instance handle.
            vgpu_metadata: caller-supplied buffer into which vGPU metadata is written.
            buffer_size: size of the buffer, in bytes; afterwards the size of the record, written or needed.

        Raises:
            UninitializedError: before init.
            InvalidArgumentError: `buffer_size` is NULL or `vgpu_instance` is 0; `vgpu_metadata` is NULL and
                the value of `buffer_size` is not 0.
            NotFoundError: `vgpu_instance` does not match a valid active vGPU instance on the system.
            InsufficientSizeError: the buffer is too small; the required size is in `buffer_size`.
            UnknownError: on any unexpected error.
        """
        self._require_initialised()
        size = _require_size(vgpu_metadata, buffer_size)
        if vgpu_instance == 0:
            raise InvalidArgumentError("vgpuInstance is 0")
        _write_record(lambda: self._host.instance_metadata(vgpu_instance), vgpu_metadata, size)

    def device_get_vgpu_metadata(
        self, device: GpuId, pgpu_metadata: bytearray | None, buffer_size: Size | None
    ) -> None:
        """Returns a vGPU metadata structure for a physical GPU (`nvmlDeviceGetVgpuMetadata`).

        It holds information about the GPU and the host driver version that is controlling it, and the range
        of vGPU versions in force.

        Args:
            device: the identifier of the target device.
            pgpu_metadata: caller-supplied buffer into which the record is written.
            buffer_size: size of the buffer, in bytes; afterwards the size of the record, written or needed.

        Raises:
            UninitializedError: before init.
            InvalidArgumentError: `buffer_size` is NULL or `device` is invalid; `pgpu_metadata` is NULL and
                the value of `buffer_size` is not 0.
            NotSupportedError: vGPU is not supported by the system.
            InsufficientSizeError: the buffer is too small; the required size is in `buffer_size`.
            UnknownError: on any unexpected error.
        """
        self._require_initialised()
        size = _require_size(pgpu_metadata, buffer_size)
        _write_record(lambda: self._host.gpu_metadata(device), pgpu_metadata, size)

    def get_vgpu_compatibility(
        self,
        vgpu_metadata: bytes | bytearray | None,
        pgpu_metadata: bytes | bytearray | None,
        compatibility_info: bytearray | None,
    ) -> None:
        """Returns compatibility information of a vGPU instance and a GPU (`nvmlGetVgpuCompatibility`).

        The eight bytes written are `nvmlVgpuPgpuCompatibility_t`: the states in which the vGPU / VM may be
        booted on the physical GPU, and what limits it, each a bit mask. Dynamic capacity is not taken into
        account. Nothing behind the fixed 212 and 128 bytes is read.

        Args:
            vgpu_metadata: record read from `nvmlVgpuInstanceGetMetadata`.
            pgpu_metadata: record read from `nvmlDeviceGetVgpuMetadata`.
            compatibility_info: caller-supplied buffer of at least eight bytes.

        Raises:
            UninitializedError: before init.
            InvalidArgumentError: an argument is NULL; a record is malformed or not ours (our assumption).
            UnknownError: on any unexpected error.
        """
        self._require_initialised()
        if vgpu_metadata is None or pgpu_metadata is None or compatibility_info is None:
            raise InvalidArgumentError("vgpuMetadata, pgpuMetadata or compatibilityInfo is NULL")
        _require_bytes("compatibilityInfo", compatibility_info, COMPATIBILITY.size)
        answer = self._host.compatibility(vgpu_metadata, pgpu_metadata)
        compatibility_info[: COMPATIBILITY.size] = answer.to_bytes()

    def get_vgpu_version(self, supported: bytearray | None, current: bytearray | None) -> None:
        """Query the ranges of supported vGPU versions (`nvmlGetVgpuVersion`).

        Args:
            supported: buffer of at least eight bytes (`nvmlVgpuVersion_t`) for the preset range.
            current: the same for the range set by an administrator; by default the preset range.

        Raises:
            UninitializedError: before init.
            InvalidArgumentError: `supported` or `current` is NULL.
            NotSupportedError: the API is not supported.
            UnknownError: an error occurred while the data was being fetched; here, the preset range of the
                host driver is not known.
        """
        self._require_initialised()
        if supported is None or current is None:
            raise InvalidArgumentError("supported or current is NULL")
        _require_bytes("supported", supported, VGPU_VERSION.size)
        _require_bytes("current", current, VGPU_VERSION.size)
        preset, in_force = self._host.vgpu_versions()
        supported[: VGPU_VERSION.size] = preset.to_bytes()
        current[: VGPU_VERSION.size] = in_force.to_bytes()

    def set_vgpu_version(self, vgpu_version: bytes | bytearray | None) -> None:
        """Override the preset range of vGPU versions supported by the vGPU Manager (`nvmlSetVgpuVersion`).

        The range takes precedence over the preset range and is what is advertised to guest VMs. It reverts
        to the preset range after a host reboot or driver reload.

        Args:
            vgpu_version: the eight bytes of `nvmlVgpuVersion_t`, a subset of the preset range.

        Raises:
            UninitializedError: before init.
            InvalidArgumentError: NULL, or a range that is outside the range supported by the vGPU Manager.
            NotSupportedError: the API is not supported.
            InUseError: the range was not overridden because a VM is running on the host.
            UnknownError: the preset range of the host driver is not known (our assumption; the page names
                no UNKNOWN here).
        """
        self._require_initialised()
        if vgpu_version is None:
            raise InvalidArgumentError("vgpuVersion is NULL")
        try:
            wanted = VersionRange.from_bytes(vgpu_version)
        except RecordError as error:
            raise InvalidArgumentError(str(error)) from error
        self._host.set_vgpu_version(wanted)

    def _require_initialised(self) -> None:
        if self._initialisations == 0:
            raise UninitializedError("init has not been called")


def _require_size(buffer: bytearray | None, size: Size | None) -> Size:
    if size is None:
        raise InvalidArgumentError("bufferSize is NULL")
    if buffer is None and size.value != 0:
        raise InvalidArgumentError(f"the buffer is NULL and bufferSize is {size.value}; wanted 0")
    return size


def _require_bytes(name: str, buffer: bytearray, wanted: int) -> None:
    if len(buffer) < wanted:
        raise InvalidArgumentError(f"{name} has {len(buffer)} bytes; wanted {wanted}")


def _write_record(read: Callable[[], bytes], buffer: bytearray | None, size: Size) -> None:
    record = read()
    given = size.value
    size.value = len(record)
    # A size that claims more than the buffer has must not make it grow: the smaller of both counts.
    if buffer is None or min(given, len(buffer)) < len(record):
        raise InsufficientSizeError(len(record))
    buffer[: len(record)] = record
