"""Where each field of the four structures lies; every other module takes the numbers from here.

Sizes and offsets are the same on every ABI with 4-byte enums, from CUDA 10.1 to 13.5. In 10.1 the word
at 196 of `nvmlVgpuMetadata_t` was the last of seven reserved ones; 13.5 calls it `vgpuVirtualizationCaps`.

    nvmlVgpuMetadata_t       4 + 4 + 4 + 80 + 80 + 6*4 + 4 + 4 + 4 + 4 = 212
    nvmlVgpuPgpuMetadata_t   4 + 4 + 80 + 4 + 5*4 + 8 + 4 + 4          = 128
"""

from __future__ import annotations

import struct
from typing import NamedTuple


class Field(NamedTuple):
    """One member of a structure: its C name, offset and size in bytes."""

    name: str
    offset: int
    size: int


class Layout:
    """A structure: its C name, its fields in order, and their packing. Little endian, no padding."""

    def __init__(self, name: str, members: str) -> None:
        self.name = name
        fields: list[Field] = []
        codes: list[str] = []
        offset = 0
        for member in members.split():
            field_name, code = member.split(":")
            size = struct.calcsize("<" + code)
            fields.append(Field(field_name, offset, size))
            codes.append(code)
            offset += size
        self.fields = tuple(fields)
        self.struct = struct.Struct("<" + "".join(codes))
        self.size = self.struct.size

    def offset(self, field_name: str) -> int:
        """The offset of a field in bytes."""
        return next(field.offset for field in self.fields if field.name == field_name)

    def announced(self, record: bytes | bytearray | memoryview) -> int:
        """How many bytes a metadata record says that it has, by its `opaqueDataSize`."""
        start = self.offset("opaqueData")
        return max(self.size, start + int.from_bytes(record[start - 4 : start], "little"))


VGPU_VERSION = Layout("nvmlVgpuVersion_t", "minVersion:I maxVersion:I")

VGPU_METADATA = Layout(
    "nvmlVgpuMetadata_t",
    "version:I revision:I guestInfoState:I guestDriverVersion:80s hostDriverVersion:80s reserved:24s "
    "vgpuVirtualizationCaps:I guestVgpuVersion:I opaqueDataSize:I opaqueData:4s",
)

PGPU_METADATA = Layout(
    "nvmlVgpuPgpuMetadata_t",
    "version:I revision:I hostDriverVersion:80s pgpuVirtualizationCaps:I reserved:20s "
    "hostSupportedVgpuRange:8s opaqueDataSize:I opaqueData:4s",
)

COMPATIBILITY = Layout("nvmlVgpuPgpuCompatibility_t", "vgpuVmCompatibility:I compatibilityLimitCode:I")
