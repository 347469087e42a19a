"""The four structures as frozen values, to and from bytes.

Nothing here knows what the `reserved` words and the opaque part mean: to this module, as to a client of
the driver, they are bytes. A record is at least its fixed part; what follows belongs to the opaque part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from vgpu_migrate.errors import RecordError
from vgpu_migrate.nvml.constants import DRIVER_VERSION_BUFFER_SIZE, GuestInfoState, Limits, States
from vgpu_migrate.nvml.layout import COMPATIBILITY, PGPU_METADATA, VGPU_METADATA, VGPU_VERSION, Layout

RECORD_VERSION = 1
RECORD_REVISION = 1
OPAQUE_DATA = b"vgm\0"
"""The opaque part we emit: three printable bytes and a NUL, as every known client can read."""

DRIVER_TAIL_SIZE = 16

U32_MAX = 0xFFFF_FFFF


class VersionRange(NamedTuple):
    """`nvmlVgpuVersion_t`: a range of vGPU versions, inclusive at both ends.

    A vGPU version is a u32, `major << 16 | minor`, compared as a plain integer and shown as hex.
    """

    minimum: int
    maximum: int

    def __contains__(self, vgpu_version: object) -> bool:
        return isinstance(vgpu_version, int) and self.minimum <= vgpu_version <= self.maximum

    def covers(self, other: VersionRange) -> bool:
        """Whether `other` is a subset of this range."""
        return self.minimum <= other.minimum <= other.maximum <= self.maximum

    def intersection(self, other: VersionRange) -> VersionRange | None:
        """The versions in both ranges, or None where they do not overlap."""
        low, high = max(self.minimum, other.minimum), min(self.maximum, other.maximum)
        return VersionRange(low, high) if low <= high else None

    def to_bytes(self) -> bytes:
        """The eight bytes of `nvmlVgpuVersion_t`."""
        return VGPU_VERSION.struct.pack(self.minimum, self.maximum)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> VersionRange:
        """Read the first eight bytes of `data`.

        Raises:
            RecordError: there are fewer than eight.
        """
        return cls(*VGPU_VERSION.struct.unpack(_fixed_part(VGPU_VERSION, data)))

    def __str__(self) -> str:
        return f"{self.minimum:#x}-{self.maximum:#x}"


@dataclass(frozen=True, slots=True)
class VgpuMetadata:
    """`nvmlVgpuMetadata_t`: what the host says of a vGPU and of the VM it belongs to.

    Guest fields count only where `guest_info_state` is INITIALIZED. `reserved` is 24 bytes.
    """

    guest_info_state: GuestInfoState
    guest_driver_version: str
    host_driver_version: str
    guest_vgpu_version: int
    virtualization_caps: int
    reserved: bytes = bytes(24)
    opaque_data: bytes = OPAQUE_DATA
    record_version: int = RECORD_VERSION
    record_revision: int = RECORD_REVISION

    def to_bytes(self) -> bytes:
        """The record, 208 bytes and the opaque part."""
        fixed = VGPU_METADATA.struct.pack(
            self.record_version,
            self.record_revision,
            self.guest_info_state,
            _encode_driver(VGPU_METADATA, "guestDriverVersion", self.guest_driver_version),
            _encode_driver(VGPU_METADATA, "hostDriverVersion", self.host_driver_version),
            self.reserved,
            self.virtualization_caps,
            self.guest_vgpu_version,
            len(self.opaque_data),
            self.opaque_data[:4],
        )
        return fixed + self.opaque_data[4:]

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> VgpuMetadata:
        """Read a whole record: its fixed part and exactly the opaque part that it announces.

        Raises:
            RecordError: truncated or over-long, a string without NUL, guest info neither 0 nor 1.
        """
        opaque_data = _opaque_part(VGPU_METADATA, data)
        return replace(cls.from_fixed_part(data), opaque_data=opaque_data)

    @classmethod
    def from_fixed_part(cls, data: bytes | bytearray | memoryview) -> VgpuMetadata:
        """Read the fixed 212 bytes alone; `opaqueDataSize` and what lies behind are not looked at.

        One real client passes on a pointer to just these, so the compatibility call reads no more.

        Raises:
            RecordError: truncated, a string without NUL, guest info neither 0 nor 1.
        """
        (version, revision, guest_info, guest_driver, host_driver, reserved, caps, vgpu_version, *_) = (
            VGPU_METADATA.struct.unpack(_fixed_part(VGPU_METADATA, data))
        )
        if guest_info not in (0, 1):
            raise RecordError(_place(VGPU_METADATA, "guestInfoState"), str(guest_info), "wanted 0 or 1")
        return cls(
            guest_info_state=GuestInfoState(guest_info),
            guest_driver_version=_decode_driver(VGPU_METADATA, "guestDriverVersion", guest_driver),
            host_driver_version=_decode_driver(VGPU_METADATA, "hostDriverVersion", host_driver),
            guest_vgpu_version=vgpu_version,
            virtualization_caps=caps,
            reserved=reserved,
            record_version=version,
            record_revision=revision,
        )


@dataclass(frozen=True, slots=True)
class PgpuMetadata:
    """`nvmlVgpuPgpuMetadata_t`: what the host says of a physical GPU. `reserved` is 20 bytes."""

    host_driver_version: str
    virtualization_caps: int
    host_supported_vgpu_range: VersionRange
    reserved: bytes = bytes(20)
    host_driver_tail: bytes = bytes(DRIVER_TAIL_SIZE)
    """The last sixteen of the driver string's 80 bytes, behind its NUL; a C reader never sees them."""
    opaque_data: bytes = OPAQUE_DATA
    record_version: int = RECORD_VERSION
    record_revision: int = RECORD_REVISION

    def to_bytes(self) -> bytes:
        """The record, 124 bytes and the opaque part."""
        assert len(self.host_driver_tail) == DRIVER_TAIL_SIZE
        driver = _encode_driver(PGPU_METADATA, "hostDriverVersion", self.host_driver_version)
        if any(self.host_driver_tail):
            room = DRIVER_VERSION_BUFFER_SIZE - DRIVER_TAIL_SIZE
            if len(driver) >= room:
                raise RecordError(
                    _place(PGPU_METADATA, "hostDriverVersion"),
                    f"{len(driver)} bytes",
                    f"wanted at most {room - 1} where the gpu lists its types",
                )
            driver = driver.ljust(room, b"\0") + self.host_driver_tail
        fixed = PGPU_METADATA.struct.pack(
            self.record_version,
            self.record_revision,
            driver,
            self.virtualization_caps,
            self.reserved,
            self.host_supported_vgpu_range.to_bytes(),
            len(self.opaque_data),
            self.opaque_data[:4],
        )
        return fixed + self.opaque_data[4:]

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> PgpuMetadata:
        """Read a whole record: its fixed part and exactly the opaque part that it announces.

        Raises:
            RecordError: truncated or over-long, or its string has no NUL.
        """
        opaque_data = _opaque_part(PGPU_METADATA, data)
        return replace(cls.from_fixed_part(data), opaque_data=opaque_data)

    @classmethod
    def from_fixed_part(cls, data: bytes | bytearray | memoryview) -> PgpuMetadata:
        """Read the fixed 128 bytes alone; `opaqueDataSize` and what lies behind are not looked at.

        Raises:
            RecordError: truncated, or its string has no NUL.
        """
        version, revision, host_driver, caps, reserved, vgpu_range, *_ = PGPU_METADATA.struct.unpack(
            _fixed_part(PGPU_METADATA, data)
        )
        text = _decode_driver(PGPU_METADATA, "hostDriverVersion", host_driver)
        has_tail = len(text) < DRIVER_VERSION_BUFFER_SIZE - DRIVER_TAIL_SIZE
        return cls(
            host_driver_version=text,
            virtualization_caps=caps,
            host_supported_vgpu_range=VersionRange.from_bytes(vgpu_range),
            reserved=reserved,
            host_driver_tail=host_driver[-DRIVER_TAIL_SIZE:] if has_tail else bytes(DRIVER_TAIL_SIZE),
            record_version=version,
            record_revision=revision,
        )


class Compatibility(NamedTuple):
    """`nvmlVgpuPgpuCompatibility_t`: in which states the vGPU runs on the GPU, and what limits it."""

    states: States
    limits: Limits

    def to_bytes(self) -> bytes:
        """The eight bytes of `nvmlVgpuPgpuCompatibility_t`."""
        return COMPATIBILITY.struct.pack(self.states, self.limits)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Compatibility:
        """Read the first eight bytes of `data`.

        Raises:
            RecordError: there are fewer than eight.
        """
        states, limits = COMPATIBILITY.struct.unpack(_fixed_part(COMPATIBILITY, data))
        return cls(States(states), Limits(limits))


def _place(layout: Layout, field_name: str) -> str:
    return f"{layout.name}.{field_name}"


def _fixed_part(layout: Layout, data: bytes | bytearray | memoryview) -> bytes:
    if len(data) < layout.size:
        raise RecordError(layout.name, f"{len(data)} bytes", f"wanted at least {layout.size}")
    return bytes(data[: layout.size])


def _opaque_part(layout: Layout, data: bytes | bytearray | memoryview) -> bytes:
    _fixed_part(layout, data)
    start = layout.offset("opaqueData")
    size = int.from_bytes(data[start - 4 : start], "little")
    wanted = layout.announced(data)
    if len(data) != wanted:
        problem = "truncated" if len(data) < wanted else "over-long"
        raise RecordError(
            layout.name, f"{len(data)} bytes", f"{problem}: opaqueDataSize {size} makes it {wanted}"
        )
    return bytes(data[start : start + size])


def _encode_driver(layout: Layout, field_name: str, text: str) -> bytes:
    try:
        encoded = text.encode("ascii")
    except UnicodeEncodeError:
        raise RecordError(_place(layout, field_name), repr(text), "wanted ASCII") from None
    if len(encoded) >= DRIVER_VERSION_BUFFER_SIZE or b"\0" in encoded:
        raise RecordError(
            _place(layout, field_name),
            f"{len(encoded)} bytes",
            f"wanted at most {DRIVER_VERSION_BUFFER_SIZE - 1}, none of them NUL",
        )
    return encoded


def _decode_driver(layout: Layout, field_name: str, raw: bytes) -> str:
    text, nul, _ = raw.partition(b"\0")
    if not nul:
        raise RecordError(_place(layout, field_name), "no NUL in 80 bytes", "wanted a C string")
    try:
        return text.decode("ascii")
    except UnicodeDecodeError:
        raise RecordError(_place(layout, field_name), repr(text), "wanted ASCII") from None
