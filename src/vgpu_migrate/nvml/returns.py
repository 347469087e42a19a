"""NVML's return codes, their texts, and the exceptions that carry them.

Source: nvml.h 13.5 (names and numbers); nvmlErrorString of driver 570.133.20 (texts).
"""

from __future__ import annotations

from enum import IntEnum

from vgpu_migrate.errors import VgpuMigrateError


class Return(IntEnum):
    """`nvmlReturn_t`: the outcome of an NVML call."""

    SUCCESS = 0
    UNINITIALIZED = 1
    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    ALREADY_INITIALIZED = 5
    NOT_FOUND = 6
    INSUFFICIENT_SIZE = 7
    INSUFFICIENT_POWER = 8
    DRIVER_NOT_LOADED = 9
    TIMEOUT = 10
    IRQ_ISSUE = 11
    LIBRARY_NOT_FOUND = 12
    FUNCTION_NOT_FOUND = 13
    CORRUPTED_INFOROM = 14
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    OPERATING_SYSTEM = 17
    LIB_RM_VERSION_MISMATCH = 18
    IN_USE = 19
    MEMORY = 20
    NO_DATA = 21
    VGPU_ECC_NOT_SUPPORTED = 22
    INSUFFICIENT_RESOURCES = 23
    FREQ_NOT_SUPPORTED = 24
    ARGUMENT_VERSION_MISMATCH = 25
    DEPRECATED = 26
    NOT_READY = 27
    GPU_NOT_FOUND = 28
    INVALID_STATE = 29
    UNKNOWN = 999

    @property
    def text(self) -> str:
        """What `nvmlErrorString` answers for this code."""
        return _TEXTS[self]


_TEXTS = {
    Return.SUCCESS: "Success",
    Return.UNINITIALIZED: "Uninitialized",
    Return.INVALID_ARGUMENT: "Invalid Argument",
    Return.NOT_SUPPORTED: "Not Supported",
    Return.NO_PERMISSION: "Insufficient Permissions",
    Return.ALREADY_INITIALIZED: "Already Initialized",
    Return.NOT_FOUND: "Not Found",
    Return.INSUFFICIENT_SIZE: "Insufficient Size",
    Return.INSUFFICIENT_POWER: "Insufficient External Power",
    Return.DRIVER_NOT_LOADED: "Driver Not Loaded",
    Return.TIMEOUT: "Timeout",
    Return.IRQ_ISSUE: "Interrupt Request Issue",
    Return.LIBRARY_NOT_FOUND: "NVML Shared Library Not Found",
    Return.FUNCTION_NOT_FOUND: "Function Not Found",
    Return.CORRUPTED_INFOROM: "Corrupted infoROM",
    Return.GPU_IS_LOST: "GPU is lost",
    Return.RESET_REQUIRED: "GPU requires reset",
    Return.OPERATING_SYSTEM: "GPU access blocked by the operating system",
    Return.LIB_RM_VERSION_MISMATCH: "Driver/library version mismatch",
    Return.IN_USE: "In use by another client",
    Return.MEMORY: "Insufficient Memory",
    Return.NO_DATA: "No data",
    Return.VGPU_ECC_NOT_SUPPORTED: "vGPU ECC not supported",
    Return.INSUFFICIENT_RESOURCES: "Insufficient Resources",
    Return.FREQ_NOT_SUPPORTED: "Invalid Frequency",
    Return.ARGUMENT_VERSION_MISMATCH: "Argument version mismatch",
    Return.DEPRECATED: "Requested functionality has been deprecated",
    Return.NOT_READY: "System is not in ready state",
    Return.GPU_NOT_FOUND: "No supported GPUs were found",
    Return.INVALID_STATE: "Resource not in correct state to perform requested operation",
    Return.UNKNOWN: "Unknown Error",
}


def error_string(code: int) -> str:
    """The text of a return code; "Unknown Error" for one that NVML does not define."""
    try:
        return Return(code).text
    except ValueError:
        return Return.UNKNOWN.text


class NvmlError(VgpuMigrateError):
    """A call answered a code other than SUCCESS.

    Raised only as one of its subclasses, one per code that the five functions document.

    Attributes:
        code: the NVML return code.
        detail: what was wrong with this call, in a sentence.
    """

    code: Return = Return.UNKNOWN

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(f"{self.code.text} ({detail})" if detail else self.code.text)


class UninitializedError(NvmlError):
    """`nvmlInit` has not been called, or every init has been shut down."""

    code = Return.UNINITIALIZED


class InvalidArgumentError(NvmlError):
    """An argument is NULL, out of its range, or not a record of ours."""

    code = Return.INVALID_ARGUMENT


class NotSupportedError(NvmlError):
    """The GPU is not a vGPU host, or the host runs no vGPU Manager."""

    code = Return.NOT_SUPPORTED


class NotFoundError(NvmlError):
    """No active vGPU instance has this handle."""

    code = Return.NOT_FOUND


class InsufficientSizeError(NvmlError):
    """The caller's buffer is smaller than the record.

    Attributes:
        needed: the size that would do, in bytes.
    """

    code = Return.INSUFFICIENT_SIZE

    def __init__(self, needed: int) -> None:
        self.needed = needed
        super().__init__(f"{needed} bytes are needed")


class InUseError(NvmlError):
    """A VM is running on the host, so the range of vGPU versions stays as it is."""

    code = Return.IN_USE


class UnknownError(NvmlError):
    """Any unexpected error."""

    code = Return.UNKNOWN


ERROR_BY_CODE: dict[int, type[NvmlError]] = {
    int(kind.code): kind
    for kind in (UninitializedError, InvalidArgumentError, NotSupportedError, NotFoundError, InUseError)
}
"""The errors that carry no more than a sentence, by return code; UNKNOWN is not among them."""
