"""The vendor's words, byte for byte: constants, return codes, and the four structures to and from bytes.

Needs nothing but the standard library, so that a hook started for a moment can afford it.
"""

from vgpu_migrate.nvml.constants import (
    ALL_STATES,
    INVALID_PLACEMENT_ID,
    LIMIT_BY_WORD,
    STATE_BY_WORD,
    VIRTUALIZATION_CAP_MIGRATION,
    GuestInfoState,
    Limits,
    States,
)
from vgpu_migrate.nvml.records import (
    OPAQUE_DATA,
    U32_MAX,
    Compatibility,
    PgpuMetadata,
    VersionRange,
    VgpuMetadata,
)
from vgpu_migrate.nvml.returns import (
    ERROR_BY_CODE,
    InsufficientSizeError,
    InUseError,
    InvalidArgumentError,
    NotFoundError,
    NotSupportedError,
    NvmlError,
    Return,
    UninitializedError,
    UnknownError,
    error_string,
)

__all__ = [
    "ALL_STATES",
    "ERROR_BY_CODE",
    "INVALID_PLACEMENT_ID",
    "LIMIT_BY_WORD",
    "OPAQUE_DATA",
    "STATE_BY_WORD",
    "U32_MAX",
    "VIRTUALIZATION_CAP_MIGRATION",
    "Compatibility",
    "GuestInfoState",
    "InUseError",
    "InsufficientSizeError",
    "InvalidArgumentError",
    "Limits",
    "NotFoundError",
    "NotSupportedError",
    "NvmlError",
    "PgpuMetadata",
    "Return",
    "States",
    "UninitializedError",
    "UnknownError",
    "VersionRange",
    "VgpuMetadata",
    "error_string",
]
