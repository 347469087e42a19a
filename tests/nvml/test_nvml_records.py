"""Records and ranges to bytes and back; truncated, over-long and odd bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgpu_migrate.errors import RecordError
from vgpu_migrate.nvml import (
    OPAQUE_DATA,
    Compatibility,
    GuestInfoState,
    Limits,
    PgpuMetadata,
    States,
    VersionRange,
    VgpuMetadata,
)

u32 = st.integers(0, 0xFFFFFFFF)
drivers = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=79)
opaque = st.binary(min_size=4, max_size=64)

vgpu_records = st.builds(
    VgpuMetadata,
    guest_info_state=st.sampled_from(GuestInfoState),
    guest_driver_version=drivers,
    host_driver_version=drivers,
    guest_vgpu_version=u32,
    virtualization_caps=u32,
    reserved=st.binary(min_size=24, max_size=24),
    opaque_data=opaque,
    record_version=u32,
    record_revision=u32,
)
pgpu_records = st.builds(
    PgpuMetadata,
    host_driver_version=st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=63),
    virtualization_caps=u32,
    host_supported_vgpu_range=st.builds(VersionRange, u32, u32),
    reserved=st.binary(min_size=20, max_size=20),
    host_driver_tail=st.binary(min_size=16, max_size=16),
    opaque_data=opaque,
    record_version=u32,
    record_revision=u32,
)

VGPU = VgpuMetadata(GuestInfoState.INITIALIZED, "550.54.14", "550.54.16", 0x140001, 1, bytes(range(24)))
PGPU = PgpuMetadata("550.54.16", 1, VersionRange(0x70001, 0x140001), bytes(range(20)))


def test_a_vgpu_record_byte_for_byte() -> None:
    """Every field at its place, written out by hand."""
    expected = bytearray(212)
    struct.pack_into("<III", expected, 0, 1, 1, 1)
    expected[12:21] = b"550.54.14"
    expected[92:101] = b"550.54.16"
    expected[172:196] = bytes(range(24))
    struct.pack_into("<III", expected, 196, 1, 0x140001, 4)
    expected[208:212] = b"vgm\0"
    assert VGPU.to_bytes() == bytes(expected)


def test_a_gpu_record_byte_for_byte() -> None:
    """Every field at its place, written out by hand."""
    expected = bytearray(128)
    struct.pack_into("<II", expected, 0, 1, 1)
    expected[8:17] = b"550.54.16"
    struct.pack_into("<I", expected, 88, 1)
    expected[92:112] = bytes(range(20))
    struct.pack_into("<III", expected, 112, 0x70001, 0x140001, 4)
    expected[124:128] = b"vgm\0"
    assert PGPU.to_bytes() == bytes(expected)


def test_the_opaque_part_is_text_that_ends() -> None:
    """Three printable bytes and a NUL: binary or unterminated bytes raise in two clients."""
    assert len(OPAQUE_DATA) == 4
    assert OPAQUE_DATA[:3].decode("ascii").isprintable()
    assert OPAQUE_DATA[3:] == b"\0"


@given(vgpu_records)
def test_vgpu_records_round_trip(record: VgpuMetadata) -> None:
    """What is written is read back, whole, whatever the size of the opaque part."""
    data = record.to_bytes()
    assert len(data) == 208 + len(record.opaque_data)
    assert VgpuMetadata.from_bytes(data) == record
    assert VgpuMetadata.from_bytes(data).to_bytes() == data


@given(pgpu_records)
def test_gpu_records_round_trip(record: PgpuMetadata) -> None:
    """What is written is read back, whole, whatever the size of the opaque part."""
    data = record.to_bytes()
    assert len(data) == 124 + len(record.opaque_data)
    assert PgpuMetadata.from_bytes(data) == record
    assert PgpuMetadata.from_bytes(data).to_bytes() == data


@given(vgpu_records, u32)
def test_the_fixed_part_is_read_without_the_opaque_one(record: VgpuMetadata, opaque_size: int) -> None:
    """212 bytes are enough, and `opaqueDataSize` may say what it will."""
    data = bytearray(record.to_bytes()[:212])
    struct.pack_into("<I", data, 204, opaque_size)
    read = VgpuMetadata.from_fixed_part(data)
    assert (read.reserved, read.guest_vgpu_version) == (record.reserved, record.guest_vgpu_version)


@given(pgpu_records, u32)
def test_a_gpus_fixed_part_is_read_without_the_opaque_one(record: PgpuMetadata, opaque_size: int) -> None:
    """128 bytes are enough, and `opaqueDataSize` may say what it will."""
    data = bytearray(record.to_bytes()[:128])
    struct.pack_into("<I", data, 120, opaque_size)
    assert PgpuMetadata.from_fixed_part(data).host_supported_vgpu_range == record.host_supported_vgpu_range


@pytest.mark.parametrize("length", [0, 1, 211])
def test_truncated_vgpu_records(length: int) -> None:
    """Fewer bytes than the fixed part are no record, however they are read."""
    for read in (VgpuMetadata.from_bytes, VgpuMetadata.from_fixed_part):
        with pytest.raises(RecordError, match=f"nvmlVgpuMetadata_t: {length} bytes; wanted at least 212"):
            read(VGPU.to_bytes()[:length])


@pytest.mark.parametrize("length", [0, 1, 127])
def test_truncated_gpu_records(length: int) -> None:
    """Fewer bytes than the fixed part are no record, however they are read."""
    for read in (PgpuMetadata.from_bytes, PgpuMetadata.from_fixed_part):
        with pytest.raises(RecordError, match=f"nvmlVgpuPgpuMetadata_t: {length} bytes; wanted at least 128"):
            read(PGPU.to_bytes()[:length])


@pytest.mark.parametrize(
    ("read", "data"), [(VgpuMetadata.from_bytes, VGPU.to_bytes()), (PgpuMetadata.from_bytes, PGPU.to_bytes())]
)
def test_a_record_is_as_long_as_it_says(read: Callable[[bytes], object], data: bytes) -> None:
    """A whole record with bytes behind it, or with fewer than it announces, is refused."""
    with pytest.raises(RecordError, match="over-long: opaqueDataSize 4 makes it"):
        read(data + b"\0")
    longer = bytearray(data)
    struct.pack_into("<I", longer, len(data) - 8, 5)
    with pytest.raises(RecordError, match="truncated: opaqueDataSize 5 makes it"):
        read(bytes(longer))


def test_a_lying_size_is_not_followed() -> None:
    """An opaque part of four GiB is announced and not there: an error, not an allocation."""
    data = bytearray(VGPU.to_bytes())
    struct.pack_into("<I", data, 204, 0xFFFFFFFF)
    with pytest.raises(RecordError, match="truncated"):
        VgpuMetadata.from_bytes(data)


@pytest.mark.parametrize("guest_info", [2, 0xFFFFFFFF])
def test_guest_info_is_zero_or_one(guest_info: int) -> None:
    """Any other value is malformed."""
    data = bytearray(VGPU.to_bytes())
    struct.pack_into("<I", data, 8, guest_info)
    with pytest.raises(RecordError, match=f"guestInfoState: {guest_info}; wanted 0 or 1"):
        VgpuMetadata.from_fixed_part(data)


@pytest.mark.parametrize(("offset", "field"), [(12, "guestDriverVersion"), (92, "hostDriverVersion")])
def test_strings_end_with_nul(offset: int, field: str) -> None:
    """Eighty bytes without a NUL are no C string, and bytes beyond ASCII no driver version."""
    data = bytearray(VGPU.to_bytes())
    data[offset : offset + 80] = b"5" * 80
    with pytest.raises(RecordError, match=f"{field}: no NUL in 80 bytes"):
        VgpuMetadata.from_fixed_part(data)
    data[offset : offset + 2] = b"\xff\0"
    with pytest.raises(RecordError, match=f"{field}: .*wanted ASCII"):
        VgpuMetadata.from_fixed_part(data)


def test_a_gpus_string_ends_with_nul() -> None:
    """Eighty bytes without a NUL are no C string."""
    data = bytearray(PGPU.to_bytes())
    data[8:88] = b"5" * 80
    with pytest.raises(RecordError, match="hostDriverVersion: no NUL in 80 bytes"):
        PgpuMetadata.from_fixed_part(data)


@pytest.mark.parametrize("driver", ["5" * 80, "550\x00", "550é"])
def test_a_driver_string_that_does_not_fit_is_not_written(driver: str) -> None:
    """At most 79 ASCII bytes, none of them NUL."""
    with pytest.raises(RecordError, match="hostDriverVersion"):
        PgpuMetadata(driver, 0, VersionRange(0, 0)).to_bytes()


def test_the_tail_behind_the_driver_string_is_kept() -> None:
    """Sixteen bytes that a C reader never sees; a string that reaches into them excludes them."""
    record = PgpuMetadata("550.54.16", 0, VersionRange(0, 0), host_driver_tail=b"sixteen bytes !!")
    assert record.to_bytes()[72:88] == b"sixteen bytes !!"
    assert PgpuMetadata.from_bytes(record.to_bytes()) == record
    too_long = PgpuMetadata("5" * 64, 0, VersionRange(0, 0), host_driver_tail=b"sixteen bytes !!")
    with pytest.raises(RecordError, match="64 bytes; wanted at most 63"):
        too_long.to_bytes()
    assert (
        PgpuMetadata.from_bytes(PgpuMetadata("5" * 79, 0, VersionRange(0, 0)).to_bytes()).host_driver_version
        == "5" * 79
    )


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_an_error(data: bytes) -> None:
    """Whatever comes, reading gives a record or a RecordError, and nothing else."""
    for read in (VgpuMetadata.from_bytes, PgpuMetadata.from_bytes, VgpuMetadata.from_fixed_part):
        try:
            record = read(data)
        except RecordError:
            continue
        assert record.to_bytes()[:8] == data[:8]


@given(u32, u32)
def test_ranges_round_trip(minimum: int, maximum: int) -> None:
    """Two little-endian words; a reversed range is carried as it is."""
    wanted = VersionRange(minimum, maximum)
    assert wanted.to_bytes() == struct.pack("<II", minimum, maximum)
    assert VersionRange.from_bytes(wanted.to_bytes()) == wanted


@given(st.builds(States, st.integers(0, 15)), st.sampled_from(Limits), st.sampled_from(Limits))
def test_compatibility_round_trips(states: States, limit: Limits, other: Limits) -> None:
    """Both words are bit masks; several limits may be set."""
    answer = Compatibility(states, limit | other)
    assert Compatibility.from_bytes(answer.to_bytes()) == answer


def test_short_ranges_and_answers() -> None:
    """Seven bytes are neither."""
    for read in (VersionRange.from_bytes, Compatibility.from_bytes):
        with pytest.raises(RecordError, match="7 bytes; wanted at least 8"):
            read(bytes(7))


SMALL = [VersionRange(low, high) for low in range(5) for high in range(5)]


@pytest.mark.parametrize("one", SMALL, ids=str)
def test_ranges_are_sets_of_versions(one: VersionRange) -> None:
    """Membership, subset and intersection over the whole small domain, against sets; both ends are inside."""
    versions = set(range(one.minimum, one.maximum + 1))
    assert {version for version in range(6) if version in one} == versions
    for other in SMALL:
        others = set(range(other.minimum, other.maximum + 1))
        common = one.intersection(other)
        assert (
            set() if common is None else set(range(common.minimum, common.maximum + 1))
        ) == versions & others
        assert one.covers(other) == bool(others and others <= versions)


def test_a_range_is_shown_in_hex() -> None:
    """As versions always are."""
    assert str(VersionRange(0x70001, 0x140001)) == "0x70001-0x140001"
