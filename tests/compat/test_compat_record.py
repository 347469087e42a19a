"""Traits to and from the bytes of metadata records: exact sizes, nothing lost, nothing foreign taken."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compat.factories import (
    NO_SOURCE,
    UNKNOWN_RANGE,
    UNREPORTED,
    a_gpu,
    a_vgpu,
    gpu_traits,
    pairs,
    vgpu_traits,
)

from vgpu_migrate import facts
from vgpu_migrate.compat import (
    GpuTraits,
    VgpuTraits,
    check,
    gpu_record,
    read_gpu_record,
    read_vgpu_record,
    vgpu_record,
)
from vgpu_migrate.errors import RecordError
from vgpu_migrate.model import Profile
from vgpu_migrate.nvml import PgpuMetadata, VgpuMetadata

GUEST_DRIVER = "550.54.14"
VGPU_SIZE, PGPU_SIZE = 212, 128
BOUNDS_UNKNOWN: dict[str, Any] = {"guest_min": None, "guest_max": None}


def as_recorded(vgpu: VgpuTraits) -> VgpuTraits:
    """What a record can say of a vgpu: the guest driver's bounds only once it has reported."""
    return vgpu if vgpu.guest_info else msgspec.structs.replace(vgpu, **BOUNDS_UNKNOWN)


def a_record(**changes: Any) -> bytes:
    """A vgpu's record."""
    return vgpu_record(a_vgpu(**changes), guest_driver=GUEST_DRIVER)


def patched(record: bytes, offset: int, new: bytes) -> bytes:
    """The record with some bytes replaced."""
    return record[:offset] + new + record[offset + len(new) :]


@given(vgpu_traits())
def test_a_vgpus_record_gives_back_its_traits(vgpu: VgpuTraits) -> None:
    """Whatever a vgpu is, its record has 212 bytes and reads back as the same; guest fields once reported."""
    record = vgpu_record(vgpu, guest_driver=GUEST_DRIVER)
    assert len(record) == VGPU_SIZE
    assert read_vgpu_record(record) == as_recorded(vgpu)


@given(gpu_traits())
def test_a_gpus_record_gives_back_its_traits(gpu: GpuTraits) -> None:
    """Whatever a gpu is, its record has 128 bytes and reads back as the same, its list of types too."""
    record = gpu_record(gpu)
    assert len(record) == PGPU_SIZE
    assert read_gpu_record(record) == gpu


def test_every_board_has_a_record() -> None:
    """Each board of the tables, with all its types listed and with each one alone, reads back as itself."""
    for board in facts.boards():
        shorts = [item.short for item in facts.types_of_board(board)]
        for listed in [frozenset(shorts), frozenset[str](), None, *(frozenset({short}) for short in shorts)]:
            gpu = a_gpu(board, types=listed)
            assert read_gpu_record(gpu_record(gpu)) == gpu


def test_every_type_has_a_record() -> None:
    """Each vgpu type of the tables reads back as itself, with its board and kind."""
    for short in facts.vgpu_types():
        vgpu = a_vgpu(short)
        assert read_vgpu_record(vgpu_record(vgpu, guest_driver=GUEST_DRIVER)) == vgpu


def test_every_possible_layout_fits() -> None:
    """MIG layouts of one to seven instances of one to seven slices keep their order."""
    for mig in [(7,), (1,) * 7, (1, 2, 4), (4, 2, 1), (3, 3), (7,) * 7]:
        assert read_gpu_record(gpu_record(a_gpu("A100", mig=mig))).mig == mig
        assert read_vgpu_record(a_record(vgpu_type="A100-3-20C", mig=mig)).mig == mig


def test_a_vgpus_record_in_the_vendors_words() -> None:
    """The named fields hold what the header says they hold."""
    metadata = VgpuMetadata.from_bytes(a_record())
    assert (metadata.record_version, metadata.record_revision) == (1, 1)
    assert metadata.guest_info_state == 1
    assert metadata.guest_driver_version == GUEST_DRIVER
    assert metadata.host_driver_version == "550.54.16"
    assert metadata.guest_vgpu_version == 0x140001
    assert metadata.virtualization_caps == 1
    assert VgpuMetadata.from_bytes(a_record(migration=False)).virtualization_caps == 0


def test_before_the_guest_driver_reports() -> None:
    """Guest info is UNINITIALIZED, the driver's version empty, the vgpu version 0, the bounds unknown."""
    metadata = VgpuMetadata.from_bytes(a_record(**UNREPORTED))
    assert (metadata.guest_info_state, metadata.guest_driver_version, metadata.guest_vgpu_version) == (
        0,
        "",
        0,
    )
    assert read_vgpu_record(a_record(**UNREPORTED)) == a_vgpu(**UNREPORTED, **BOUNDS_UNKNOWN)


def test_a_gpus_record_in_the_vendors_words() -> None:
    """The range is the one in force; the driver reads as a C string, listed types or not."""
    listed = frozenset({"L40S-12Q", "L40S-1B"})
    gpu = a_gpu(range_min=0x120001, range_max=0x130001, types=listed, migration=False)
    for traits in (gpu, msgspec.structs.replace(gpu, types=None)):
        metadata = PgpuMetadata.from_bytes(gpu_record(traits))
        assert (metadata.record_version, metadata.record_revision) == (1, 1)
        assert metadata.host_supported_vgpu_range == (0x120001, 0x130001)
        assert metadata.host_driver_version == "550.54.16"
        assert metadata.virtualization_caps == 0
        assert gpu_record(traits)[8:].partition(b"\0")[0] == b"550.54.16"


@pytest.mark.parametrize("record", [a_record(), a_record(**NO_SOURCE, **UNREPORTED), gpu_record(a_gpu())])
def test_the_opaque_part_is_text(record: bytes) -> None:
    """The opaque part is three printable ASCII bytes and a NUL, announced as four, and ends the record."""
    assert record[-8:-4] == (4).to_bytes(4, "little")
    assert record[-1] == 0
    assert record[-4:-1].decode("ascii").isprintable()


READERS: list[tuple[Callable[[bytes], object], bytes, bytes]] = [
    (read_vgpu_record, a_record(), gpu_record(a_gpu())),
    (read_gpu_record, gpu_record(a_gpu()), a_record()),
]
each_reader = pytest.mark.parametrize(("read", "record", "other"), READERS, ids=["vgpu", "gpu"])


@each_reader
def test_only_the_fixed_part_is_read(read: Callable[[bytes], object], record: bytes, other: bytes) -> None:
    """What stands behind the fixed bytes, `opaqueDataSize` and the opaque bytes change nothing."""
    wanted = read(record)
    assert read(record + b"\xff" * 4096) == wanted
    for size in (0, 3, 5, 4096, 2**31, 2**32 - 1):
        assert read(patched(record, len(record) - 8, size.to_bytes(4, "little"))) == wanted
    assert read(patched(record, len(record) - 4, b"\xff\xff\xff\xff")) == wanted
    assert read(memoryview(bytearray(record))) == wanted  # type: ignore[arg-type]


@each_reader
def test_truncated_records_are_refused(read: Callable[[bytes], object], record: bytes, other: bytes) -> None:
    """Any prefix of a record is too short, and the message says how many bytes are wanted."""
    for size in range(len(record)):
        with pytest.raises(RecordError, match=f"{size} bytes; wanted at least {len(record)}"):
            read(record[:size])


@each_reader
def test_swapped_records_are_refused(read: Callable[[bytes], object], record: bytes, other: bytes) -> None:
    """The other structure's record, padded where it is the shorter, is told apart from this one."""
    with pytest.raises(RecordError):
        read(other.ljust(VGPU_SIZE, b"\0"))


def test_a_swapped_magic_is_named() -> None:
    """A record whose magic is the other structure's says that the two are swapped."""
    magic_of_vgpu, magic_of_gpu = a_record()[172:176], gpu_record(a_gpu())[92:96]
    with pytest.raises(RecordError, match="the two are swapped"):
        read_vgpu_record(patched(a_record(), 172, magic_of_gpu))
    with pytest.raises(RecordError, match="the two are swapped"):
        read_gpu_record(patched(gpu_record(a_gpu()), 92, magic_of_vgpu))


@each_reader
@pytest.mark.parametrize("magic", [bytes(4), b"\xff\xff\xff\xff", b"abcd"])
def test_a_foreign_magic_is_refused(
    read: Callable[[bytes], object], record: bytes, other: bytes, magic: bytes
) -> None:
    """A record of another vGPU Manager, the real driver's among them, is not interpreted."""
    with pytest.raises(RecordError, match=r"reserved\[0\].*not a record of this vGPU Manager"):
        read(patched(record, 172 if len(record) == VGPU_SIZE else 92, magic))


@each_reader
@pytest.mark.parametrize("version", [0, 2, 2**32 - 1])
def test_a_wrong_record_version_is_refused(
    read: Callable[[bytes], object], record: bytes, other: bytes, version: int
) -> None:
    """Records of a version other than 1 are refused, and the message tells the version seen."""
    with pytest.raises(RecordError, match=rf"\.version: {version}; wanted 1"):
        read(patched(record, 0, version.to_bytes(4, "little")))


@pytest.mark.parametrize("guest_info", [2, 3, 2**32 - 1])
def test_guest_info_is_0_or_1(guest_info: int) -> None:
    """Any other guest info state makes the record malformed."""
    with pytest.raises(RecordError, match=r"guestInfoState.*wanted 0 or 1"):
        read_vgpu_record(patched(a_record(), 8, guest_info.to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("read", "record", "offset"),
    [
        (read_vgpu_record, a_record(), 12),
        (read_vgpu_record, a_record(), 92),
        (read_gpu_record, gpu_record(a_gpu()), 8),
    ],
)
def test_a_string_has_a_nul(read: Callable[[bytes], object], record: bytes, offset: int) -> None:
    """A driver version that fills all its eighty bytes is malformed."""
    with pytest.raises(RecordError, match="no NUL in 80 bytes"):
        read(patched(record, offset, b"5" * 80))


def test_a_type_or_board_that_is_not_there() -> None:
    """Ids that no type has, and a board row behind the last, are refused."""
    with pytest.raises(RecordError, match="no vgpu type has these ids"):
        read_vgpu_record(patched(a_record(), 176, b"\xff\xff\xff\xff"))
    with pytest.raises(RecordError, match="no such board"):
        read_gpu_record(patched(gpu_record(a_gpu()), 99, b"\xff"))


@given(st.binary(min_size=VGPU_SIZE, max_size=VGPU_SIZE), st.binary(max_size=VGPU_SIZE))
def test_any_bytes_are_read_or_refused(noise: bytes, prefix: bytes) -> None:
    """Bytes that are not a record, or a record in part, raise RecordError and nothing else."""
    for read, record, _ in READERS:
        for data in (noise, prefix, patched(record, 0, prefix[:8]), record[:-60] + noise[:60]):
            with suppress(RecordError):
                read(data)


@given(st.integers(0, VGPU_SIZE - 1), st.integers(0, 255))
def test_one_wrong_byte_in_a_vgpus_record(offset: int, byte: int) -> None:
    """Whatever one byte becomes, the record is refused, or what is read can be written and read again."""
    with suppress(RecordError):
        traits = read_vgpu_record(patched(a_record(), offset, bytes([byte])))
        assert read_vgpu_record(vgpu_record(traits, guest_driver=GUEST_DRIVER)) == traits


@given(st.integers(0, PGPU_SIZE - 1), st.integers(0, 255))
def test_one_wrong_byte_in_a_gpus_record(offset: int, byte: int) -> None:
    """Whatever one byte becomes, the record is refused, or what is read can be written and read again."""
    with suppress(RecordError):
        record = patched(gpu_record(a_gpu(types=frozenset({"L40S-8Q"}))), offset, bytes([byte]))
        assert read_gpu_record(gpu_record(read_gpu_record(record))) == read_gpu_record(record)


@given(pairs(), st.sampled_from(Profile))
def test_a_verdict_from_records_is_the_fleets(pair: tuple[VgpuTraits, GpuTraits], profile: Profile) -> None:
    """Both views of a VM get one verdict, down to the evidence; before the report only bounds are missing."""
    vgpu, gpu = pair
    record = vgpu_record(vgpu, guest_driver=GUEST_DRIVER)
    from_records = check(read_vgpu_record(record), read_gpu_record(gpu_record(gpu)), profile)
    assert from_records == check(as_recorded(vgpu), gpu, profile)


def test_an_unknown_range_stays_unknown() -> None:
    """A gpu whose range nothing tells reads back so, and its record shows zeros."""
    gpu = a_gpu(**UNKNOWN_RANGE)
    assert read_gpu_record(gpu_record(gpu)) == gpu
    assert PgpuMetadata.from_bytes(gpu_record(gpu)).host_supported_vgpu_range == (0, 0)


def test_a_driver_string_too_long_for_the_list() -> None:
    """Where a gpu lists its types, its driver string has sixty-three characters at most."""
    longest = a_gpu(host_driver="5" * 63, types=frozenset({"L40S-8Q"}))
    assert read_gpu_record(gpu_record(longest)) == longest
    with pytest.raises(RecordError, match="hostDriverVersion"):
        gpu_record(msgspec.structs.replace(longest, host_driver="5" * 64))
    unlisted = a_gpu(host_driver="5" * 79)
    assert read_gpu_record(gpu_record(unlisted)) == unlisted
