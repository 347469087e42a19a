"""The part of a snapshot that never changes while the host lives: vgpu types, their words, the rules."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache

from vgpu_migrate import facts
from vgpu_migrate.compat.record import PGPU_MAGIC
from vgpu_migrate.facts import Board, Generation, VgpuType
from vgpu_migrate.model import Host, Profile
from vgpu_migrate.model.placement import instances_per_gpu_instance, supported_placements
from vgpu_migrate.model.saved_record import VGPU_MAGIC, type_word
from vgpu_migrate.nvml.records import RECORD_VERSION
from vgpu_migrate.snapshot.cards import MIB, combined, power_of_two
from vgpu_migrate.snapshot.layout import ANY, COMPARISON, RULE, STATIC, TYPE, WORD
from vgpu_migrate.snapshot.program import encode_program

CLASSES = {"Q": "Quadro", "C": "Compute", "B": "NVS", "A": "NVS"}
"""What `nvmlVgpuTypeGetClass` answers, by series."""

_WORKSTATION = "Quadro-Virtual-DWS,5.0;GRID-Virtual-WS,2.0;GRID-Virtual-WS-Ext,2.0"
LICENSES = {
    "Q": _WORKSTATION,
    "C": "NVIDIA-vComputeServer,9.0;Quadro-Virtual-DWS,5.0",
    "B": f"GRID-Virtual-PC,2.0;{_WORKSTATION}",
    "A": "GRID-Virtual-Apps,3.0",
}
"""What `nvmlVgpuTypeGetLicense` answers, by series: one for all drivers, our assumption."""

VGPUS_PER_VM = 16
"""Most vgpus of one type in a VM, where the series allows several."""

_P2P, _GPUDIRECT, _, _EXCLUSIVE_TYPE, _EXCLUSIVE_SIZE = (1 << bit for bit in range(5))

# nvmlVgpuTypeGetGpuInstanceProfileId, by slices: the NVML_GPU_INSTANCE_PROFILE_* numbers.
_GPU_INSTANCE_PROFILES = {1: 0, 2: 1, 3: 2, 4: 3, 7: 4, 8: 5, 6: 6}
_MEDIA_PROFILE = 7


def encode_static(host: Host, profile: Profile, *, base: int) -> bytes:
    """The static part for a host's boards.

    Args:
        host: whose gpus; their boards do not change while it lives.
        profile: of the host's domain; it chooses the rows of the rule table.
        base: where the part starts in the snapshot, a multiple of eight.
    """
    pool: list[int] = []
    types = b"".join(encode_type(vgpu_type, pool) for vgpu_type in types_of_host(host))
    words, program = word_table(), encode_program(profile)
    offsets, position = [], base + STATIC.size
    parts = (types, words, program.rules, program.comparisons, struct.pack(f"<{len(pool)}I", *pool))
    for part in parts:
        offsets.append(position)
        position += len(part)
    head = STATIC.struct.pack(
        *offsets,
        len(types) // TYPE.size,
        len(words) // WORD.size,
        len(program.rules) // RULE.size,
        len(program.comparisons) // COMPARISON.size,
        len(pool),
        len(facts.boards()),
        VGPU_MAGIC,
        PGPU_MAGIC,
        RECORD_VERSION,
        0,
    )
    return head + b"".join(parts)


def types_of_host(host: Host) -> tuple[VgpuType, ...]:
    """The vgpu types of the boards that a host has, by type id."""
    boards = dict.fromkeys(gpu.board.key for gpu in host.gpus)
    types = (vgpu_type for key in boards for vgpu_type in facts.types_of_board(key))
    return tuple(sorted(types, key=lambda vgpu_type: vgpu_type.type_id))


def encode_type(vgpu_type: VgpuType, pool: list[int]) -> bytes:
    """One type; its supported placement ids are appended to the pool."""
    board = facts.board(vgpu_type.board)
    placements = supported_placements(board, vgpu_type)
    first = len(pool)
    pool += placements
    framebuffer = vgpu_type.framebuffer_mib * MIB
    return TYPE.struct.pack(
        framebuffer,
        combined(vgpu_type.device_id),
        combined(vgpu_type.subsystem_id),
        gsp_heap_bytes(board, vgpu_type),
        framebuffer_reservation_bytes(vgpu_type),
        bar1_bytes(vgpu_type),
        vgpu_type.type_id,
        board.row,
        vgpu_type.max_instances,
        max_instances_per_vm(vgpu_type),
        vgpu_type.heads,
        vgpu_type.max_x,
        vgpu_type.max_y,
        vgpu_type.frame_rate_limit,
        gpu_instance_profile(vgpu_type),
        type_capabilities(board, vgpu_type),
        vgpu_type.framebuffer_gib,
        first,
        len(placements),
        instances_per_gpu_instance(board, vgpu_type) if vgpu_type.is_mig_backed else 0,
        vgpu_type.long.encode("ascii"),
        CLASSES[vgpu_type.series].encode("ascii"),
        LICENSES[vgpu_type.series].encode("ascii"),
    )


def max_instances_per_vm(vgpu_type: VgpuType) -> int:
    """Several vgpus in one VM are for the Q and C series. Our assumption: the manager does not count."""
    return VGPUS_PER_VM if vgpu_type.series in "QC" else 1


def gpu_instance_profile(vgpu_type: VgpuType) -> int:
    """The GPU instance profile of a MIG-backed type, by its slices; all ones of any other."""
    if not vgpu_type.is_mig_backed:
        return ANY
    if "ME" in vgpu_type.short[len(vgpu_type.board) :]:
        return _MEDIA_PROFILE
    return _GPU_INSTANCE_PROFILES.get(vgpu_type.gi_slices, ANY)


def type_capabilities(board: Board, vgpu_type: VgpuType) -> int:
    """`nvmlVgpuCapability_t` as bits. Our assumption.

    Peer to peer and GPUDirect: a Q or C type that is a whole gpu, from Ampere on. Exclusive type and size:
    boards without mixed-size mode.
    """
    bits = 0
    is_whole = vgpu_type.framebuffer_mib >= board.framebuffer_mib and not vgpu_type.is_mig_backed
    if is_whole and vgpu_type.series in "QC" and board.generation >= Generation.AMPERE:
        bits |= _P2P | _GPUDIRECT
    if not board.has_mixed_size:
        bits |= _EXCLUSIVE_TYPE | _EXCLUSIVE_SIZE
    return bits


def gsp_heap_bytes(board: Board, vgpu_type: VgpuType) -> int:
    """Synthetic: from Ada on, where a GSP runs vgpus, 64 MiB and a 256th of the framebuffer; before, none."""
    return 0 if board.generation < Generation.ADA else (64 + vgpu_type.framebuffer_mib // 256) * MIB


def framebuffer_reservation_bytes(vgpu_type: VgpuType) -> int:
    """Synthetic: 64 MiB and a 32nd of the framebuffer."""
    return (64 + vgpu_type.framebuffer_mib // 32) * MIB


def bar1_bytes(vgpu_type: VgpuType) -> int:
    """Synthetic: the framebuffer rounded up to a power of two for C types, else 256 MiB."""
    return power_of_two(vgpu_type.framebuffer_mib * MIB) if vgpu_type.series == "C" else 256 * MIB


@cache
def word_table() -> bytes:
    """Every vgpu type as metadata records name it, by word."""
    rows = (
        (type_word(vgpu_type), board.row, bit, vgpu_type.is_mig_backed)
        for board in facts.boards().values()
        for bit, vgpu_type in enumerate(facts.types_of_board(board.key))
    )
    return b"".join(WORD.struct.pack(*row) for row in sorted(rows))


def supported_types(types: Sequence[VgpuType], *, board: Board) -> tuple[VgpuType, ...]:
    """What a gpu offers, by type id: the types of its board that it lists, or all of them.

    MIG-backed and time-sliced ones alike, whatever mode the gpu is in. Our assumption.
    """
    offered = (
        vgpu_type for vgpu_type in types or facts.types_of_board(board.key) if vgpu_type.board == board.key
    )
    return tuple(sorted(offered, key=lambda vgpu_type: vgpu_type.type_id))
