"""Traits to and from the bytes of our metadata records.

A record of ours is exactly the fixed part, because that is the only size every known client handles. What
the rules need and the named fields do not carry travels in the `reserved` words, which begin with a magic:

    nvmlVgpuMetadata_t      magic | type | configuration | topology | guest minimum | guest maximum
    nvmlVgpuPgpuMetadata_t  magic | board and configuration | topology | preset minimum | preset maximum

`type` is the type's PCI device and subsystem id. A configuration word has ECC in bit 0, SR-IOV in bit 1, and
the MIG layout as three bits a GPU instance, in order. The types that a gpu lists are a bit mask over its
board's types, in table order, in the last sixteen bytes of the driver string's eighty. Zero is "unknown".
All of it is our assumption: the vendor's own words are closed.
"""

from __future__ import annotations

import struct

from vgpu_migrate import facts
from vgpu_migrate.compat.traits import GpuTraits, VgpuTraits
from vgpu_migrate.errors import RecordError
from vgpu_migrate.model.saved_record import VGPU_MAGIC, recorded_type, type_word
from vgpu_migrate.nvml import (
    VIRTUALIZATION_CAP_MIGRATION,
    GuestInfoState,
    PgpuMetadata,
    VersionRange,
    VgpuMetadata,
)
from vgpu_migrate.nvml.records import DRIVER_TAIL_SIZE, RECORD_VERSION

PGPU_MAGIC = int.from_bytes(b"VGMp", "little")

_VGPU_WORDS = struct.Struct("<6I")
_PGPU_WORDS = struct.Struct("<5I")

_ECC = 1 << 0
_SRIOV = 1 << 1
_HAS_SOURCE = 1 << 2  # in a vgpu's word: the three that follow are there
_LISTS_TYPES = 1 << 2  # in a gpu's word
_MIG_SHIFT = 3
_MIG_INSTANCES = 7
_MIG_BITS = 3
_BOARD_SHIFT = 24  # 3 flags + 7 * 3 bits of MIG layout; eight bits are left for the board's row


def vgpu_record(traits: VgpuTraits, *, guest_driver: str) -> bytes:
    """The 212 bytes of `nvmlVgpuMetadata_t` for a vgpu.

    The record carries only what the guest has reported: before that, neither its driver nor its bounds.
    """
    vgpu_type = facts.vgpu_type(traits.type)
    reported = traits.guest_info
    configuration = 0
    if traits.ecc is not None:
        configuration = _HAS_SOURCE | _configuration(bool(traits.ecc), bool(traits.sriov), traits.mig or ())
    return VgpuMetadata(
        guest_info_state=GuestInfoState(reported),
        guest_driver_version=guest_driver if reported else "",
        host_driver_version=traits.host_driver or "",
        guest_vgpu_version=traits.version or 0 if reported else 0,
        virtualization_caps=VIRTUALIZATION_CAP_MIGRATION if traits.migration else 0,
        reserved=_VGPU_WORDS.pack(
            VGPU_MAGIC,
            type_word(vgpu_type),
            configuration,
            traits.topology or 0,
            traits.guest_min or 0 if reported else 0,
            traits.guest_max or 0 if reported else 0,
        ),
    ).to_bytes()


def gpu_record(traits: GpuTraits) -> bytes:
    """The 128 bytes of `nvmlVgpuPgpuMetadata_t` for a gpu; its range is the one in force."""
    configuration = _configuration(traits.ecc, traits.sriov, traits.mig)
    if traits.types is not None:
        configuration |= _LISTS_TYPES
    return PgpuMetadata(
        host_driver_version=traits.host_driver,
        virtualization_caps=VIRTUALIZATION_CAP_MIGRATION if traits.migration else 0,
        host_supported_vgpu_range=VersionRange(traits.range_min or 0, traits.range_max or 0),
        reserved=_PGPU_WORDS.pack(
            PGPU_MAGIC,
            facts.board(traits.board).row << _BOARD_SHIFT | configuration,
            traits.topology,
            traits.preset_min or 0,
            traits.preset_max or 0,
        ),
        host_driver_tail=_types_mask(traits),
    ).to_bytes()


def read_vgpu_record(data: bytes | bytearray | memoryview) -> VgpuTraits:
    """Read a vgpu's traits from the fixed part of a record of ours.

    Raises:
        RecordError: it is truncated, malformed, not ours, or a gpu's.
    """
    record = VgpuMetadata.from_fixed_part(data)
    magic, _, configuration, topology, guest_min, guest_max = _VGPU_WORDS.unpack(record.reserved)
    _require_ours("nvmlVgpuMetadata_t", magic, VGPU_MAGIC, record.record_version)
    vgpu_type = recorded_type(record)
    assert vgpu_type is not None, "a record with our magic names a type"
    has_source = bool(configuration & _HAS_SOURCE)
    reported = record.guest_info_state is GuestInfoState.INITIALIZED
    return VgpuTraits(
        board=vgpu_type.board,
        type=vgpu_type.short,
        mig_backed=vgpu_type.is_mig_backed,
        guest_info=reported,
        version=record.guest_vgpu_version if reported else None,
        guest_min=guest_min or None if reported else None,
        guest_max=guest_max or None if reported else None,
        host_driver=record.host_driver_version if has_source else None,
        ecc=bool(configuration & _ECC) if has_source else None,
        sriov=bool(configuration & _SRIOV) if has_source else None,
        topology=topology if has_source else None,
        mig=_mig_layout(configuration) if has_source else None,
        migration=bool(record.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION),
    )


def read_gpu_record(data: bytes | bytearray | memoryview) -> GpuTraits:
    """Read a gpu's traits from the fixed part of a record of ours.

    Raises:
        RecordError: it is truncated, malformed, not ours, or a vgpu's.
    """
    record = PgpuMetadata.from_fixed_part(data)
    magic, configuration, topology, preset_min, preset_max = _PGPU_WORDS.unpack(record.reserved)
    _require_ours("nvmlVgpuPgpuMetadata_t", magic, PGPU_MAGIC, record.record_version)
    row = configuration >> _BOARD_SHIFT
    if row >= len(facts.boards()):
        raise RecordError("nvmlVgpuPgpuMetadata_t.reserved[1]", f"board row {row}", "no such board")
    board = facts.board_by_row(row)
    mig = _mig_layout(configuration)
    in_force = record.host_supported_vgpu_range
    mask = int.from_bytes(record.host_driver_tail, "little")
    listed = frozenset(
        vgpu_type.short for bit, vgpu_type in enumerate(facts.types_of_board(board.key)) if mask >> bit & 1
    )
    return GpuTraits(
        board=board.key,
        mig_enabled=bool(mig),
        types=listed if configuration & _LISTS_TYPES else None,
        range_min=in_force.minimum if any(in_force) else None,
        range_max=in_force.maximum if any(in_force) else None,
        preset_min=preset_min if preset_min or preset_max else None,
        preset_max=preset_max if preset_min or preset_max else None,
        host_driver=record.host_driver_version,
        ecc=bool(configuration & _ECC),
        sriov=bool(configuration & _SRIOV),
        topology=topology,
        mig=mig,
        migration=bool(record.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION),
    )


def _require_ours(structure: str, magic: int, wanted: int, record_version: int) -> None:
    if magic in (VGPU_MAGIC, PGPU_MAGIC) and magic != wanted:
        raise RecordError(structure, "the other structure's record", "the two are swapped")
    if magic != wanted:
        raise RecordError(f"{structure}.reserved[0]", f"{magic:#010x}", "not a record of this vGPU Manager")
    if record_version != RECORD_VERSION:
        raise RecordError(f"{structure}.version", str(record_version), f"wanted {RECORD_VERSION}")


def _configuration(ecc: bool, sriov: bool, mig: tuple[int, ...]) -> int:
    word = (_ECC if ecc else 0) | (_SRIOV if sriov else 0)
    for index, slices in enumerate(mig):
        word |= slices << (_MIG_SHIFT + index * _MIG_BITS)
    return word


def _mig_layout(configuration: int) -> tuple[int, ...]:
    slots = (configuration >> (_MIG_SHIFT + index * _MIG_BITS) & 7 for index in range(_MIG_INSTANCES))
    return tuple(slices for slices in slots if slices)


def _types_mask(traits: GpuTraits) -> bytes:
    mask = 0
    if traits.types is not None:
        for bit, vgpu_type in enumerate(facts.types_of_board(traits.board)):
            if vgpu_type.short in traits.types:
                mask |= 1 << bit
    return mask.to_bytes(DRIVER_TAIL_SIZE, "little")
