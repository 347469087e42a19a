"""How a metadata record of ours names its vgpu type: what can be told of a saved record without judging it.

The reserved words of our records begin with a magic and the type's PCI device and subsystem id. The rest of
them is the concern of `compat.record`, which writes and reads them all.
"""

from __future__ import annotations

import struct

from vgpu_migrate import facts
from vgpu_migrate.errors import RecordError
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.nvml import VgpuMetadata

VGPU_MAGIC = int.from_bytes(b"VGMv", "little")
_MAGIC_AND_TYPE = struct.Struct("<2I")


def type_word(vgpu_type: VgpuType) -> int:
    """The word that stands for a vgpu type."""
    return vgpu_type.device_id << 16 | vgpu_type.subsystem_id


def recorded_type(record: VgpuMetadata) -> VgpuType | None:
    """The vgpu type that a record of ours names; None for a record of another vGPU Manager.

    Raises:
        RecordError: it is ours and names a type that there is not.
    """
    magic, word = _MAGIC_AND_TYPE.unpack_from(record.reserved)
    if magic != VGPU_MAGIC:
        return None
    vgpu_type = facts.vgpu_type_by_pci(word >> 16, word & 0xFFFF)
    if vgpu_type is None:
        raise RecordError("nvmlVgpuMetadata_t.reserved[1]", f"{word:#x}", "no vgpu type has these ids")
    return vgpu_type
