"""Where a vgpu finds room on a gpu: equal-size, mixed-size and MIG. The one statement of capacity.

Compatibility is not its subject, with one exception that geometry forces: a type has no place at all on
another board, nor a MIG-backed type on a gpu without MIG, nor a time-sliced one on a gpu in MIG mode.

Source: open-gpu-kernel-modules 595.44.03, kernel_vgpu_mgr.c, in words (facts note 4); limits as documented.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from vgpu_migrate.facts import Board, Generation, VgpuType
from vgpu_migrate.model.values import Gpu, PlacementMode

VGPUS_PER_TIME_SLICED_GPU = 32
VGPUS_PER_GPU_INSTANCE = 12
VGPUS_PER_GPU = 48
MOST_PARTITIONS = 16

# Ids that 1 GiB types with 32 instances do not have on a 48 GiB board.
_LOST_IDS_AMPERE = frozenset({8, 32})
_LOST_IDS_LATER = frozenset({2, 3, 8, 9, 14, 15, 20, 21, 26, 27, 32, 33, 38, 39, 44, 45})


class Tenant(NamedTuple):
    """A vgpu as placement sees it: its type, and its placement id on a mixed-size gpu."""

    type: VgpuType
    placement: int | None


class NoRoom(StrEnum):
    """Why a gpu has no room for a vgpu."""

    NOT_A_VGPU_HOST = "not-a-vgpu-host"
    OTHER_BOARD = "other-board"
    MIG_MODE = "mig-mode"
    TYPE_LOCKED = "type-locked"
    FULL = "full"
    NO_PLACEMENT = "no-placement"
    NO_GPU_INSTANCE = "no-gpu-instance"


class Place(NamedTuple):
    """Room on a gpu; `placement` is the id to use on a mixed-size gpu, else None."""

    placement: int | None


@cache
def supported_placements(board: Board, vgpu_type: VgpuType) -> tuple[int, ...]:
    """The placement ids that a mixed-size gpu of `board` has for a type, ascending, in GiB.

    Empty for a type of another board, a MIG-backed type, and boards without mixed-size mode.
    """
    if vgpu_type.board != board.key or vgpu_type.is_mig_backed or not board.has_mixed_size:
        return ()
    size, instances = vgpu_type.framebuffer_gib, vgpu_type.max_instances
    partitions = 1
    while partitions < MOST_PARTITIONS and 2 * partitions < instances:
        partitions *= 2
    ids: set[int] = set()
    if 2 * partitions == instances:
        for low, high, _ in _split(board.framebuffer_gib, partitions):
            ids |= {low, high - size}
    else:
        partitions = _largest_power_of_two(instances)
        for low, high, is_left in _split(board.framebuffer_gib, partitions):
            ids.add(low if is_left else high - size)
    if size == 1 and instances == VGPUS_PER_TIME_SLICED_GPU and board.framebuffer_gib == 48:
        ids -= _LOST_IDS_AMPERE if board.generation is Generation.AMPERE else _LOST_IDS_LATER
    return tuple(sorted(ids))


def _largest_power_of_two(number: int) -> int:
    return 1 << (number.bit_length() - 1)


def _split(size: int, partitions: int) -> list[tuple[int, int, bool]]:
    """Halve [0, size) until there are `partitions` parts: low, high, whether it is a left half."""
    parts = [(0, size, True)]
    while len(parts) < partitions:
        parts = [
            half
            for low, high, _ in parts
            for half in ((low, (low + high) // 2, True), ((low + high) // 2, high, False))
        ]
    return parts


def creatable_placements(gpu: Gpu, tenants: Iterable[Tenant], vgpu_type: VgpuType) -> tuple[int, ...]:
    """The supported placement ids of a type whose region overlaps no tenant's, ascending."""
    size = vgpu_type.framebuffer_gib
    taken = [
        (tenant.placement, tenant.placement + tenant.type.framebuffer_gib)
        for tenant in tenants
        if tenant.placement is not None
    ]
    return tuple(
        start
        for start in supported_placements(gpu.board, vgpu_type)
        if all(start + size <= low or high <= start for low, high in taken)
    )


@cache
def instances_per_gpu_instance(board: Board, vgpu_type: VgpuType) -> int:
    """How many vgpus of a MIG-backed type one GPU instance holds: one, or on Blackwell the quotient."""
    whole_gpu = max(1, board.mig_slices // vgpu_type.gi_slices)
    return min(VGPUS_PER_GPU_INSTANCE, max(1, vgpu_type.max_instances // whole_gpu))


def find_room(gpu: Gpu, tenants: Sequence[Tenant], vgpu_type: VgpuType) -> Place | NoRoom:
    """Room for one more vgpu of a type beside those on a gpu, or why there is none.

    On a mixed-size gpu the place is the lowest creatable id; planners that choose another take it from
    `creatable_placements`.
    """
    if not gpu.is_vgpu_host:
        return NoRoom.NOT_A_VGPU_HOST
    if vgpu_type.board != gpu.board.key:
        return NoRoom.OTHER_BOARD
    if vgpu_type.is_mig_backed != bool(gpu.mig):
        return NoRoom.MIG_MODE
    if gpu.mig:
        return _find_gpu_instance(gpu, tenants, vgpu_type)
    if len(tenants) >= VGPUS_PER_TIME_SLICED_GPU:
        return NoRoom.FULL
    if gpu.mode is PlacementMode.MIXED:
        free = creatable_placements(gpu, tenants, vgpu_type)
        return Place(free[0]) if free else NoRoom.NO_PLACEMENT
    if tenants and tenants[0].type is not vgpu_type:
        return NoRoom.TYPE_LOCKED
    return Place(None) if len(tenants) < vgpu_type.max_instances else NoRoom.FULL


def _find_gpu_instance(gpu: Gpu, tenants: Sequence[Tenant], vgpu_type: VgpuType) -> Place | NoRoom:
    counts = Counter(tenant.type.short for tenant in tenants)
    if len(tenants) >= VGPUS_PER_GPU or counts[vgpu_type.short] >= vgpu_type.max_instances:
        return NoRoom.FULL
    with_it = [*tenants, Tenant(vgpu_type, None)]
    used, there = gpu_instances_used(gpu, with_it), Counter(gpu.mig)
    return Place(None) if used[vgpu_type.gi_slices] <= there[vgpu_type.gi_slices] else NoRoom.NO_GPU_INSTANCE


def gpu_instances_used(gpu: Gpu, tenants: Iterable[Tenant]) -> Counter[int]:
    """GPU instances that the tenants of a MIG gpu need, by number of slices: one type at a time each."""
    used: Counter[int] = Counter()
    for vgpu_type, count in Counter(tenant.type for tenant in tenants).items():
        used[vgpu_type.gi_slices] += -(-count // instances_per_gpu_instance(gpu.board, vgpu_type))
    return used


def find_rooms(
    gpus: Sequence[Gpu], tenants: Sequence[Sequence[Tenant]], vgpu_types: Sequence[VgpuType]
) -> tuple[tuple[int, Place], ...] | None:
    """Room on one host for all vgpus of a VM together: for each, the index of its gpu and its place.

    A search with backtracking over gpus in order; on a mixed-size gpu it tries every creatable id, so
    it finds room wherever there is any. None where there is none.
    """
    on_gpu = [list(there) for there in tenants]
    # What a gpu is to this search: gpus alike in it need be tried only once.
    kinds = [(gpu.board.key, gpu.mode, gpu.mig, gpu.is_vgpu_host) for gpu in gpus]
    taken = [sorted((tenant.type.row, tenant.placement or 0) for tenant in there) for there in tenants]
    dead_ends: set[tuple[object, ...]] = set()

    def place_from(position: int) -> tuple[tuple[int, Place], ...] | None:
        if position == len(vgpu_types):
            return ()
        vgpu_type = vgpu_types[position]
        looks = [(kind, tuple(there)) for kind, there in zip(kinds, taken, strict=True)]
        situation = (position, frozenset(Counter(looks).items()))
        if situation in dead_ends:
            return None
        for index, look in enumerate(looks):
            if look in looks[:index]:
                continue
            for place in _places(gpus[index], on_gpu[index], vgpu_type):
                before = taken[index]
                on_gpu[index].append(Tenant(vgpu_type, place.placement))
                taken[index] = sorted([*before, (vgpu_type.row, place.placement or 0)])
                rest = place_from(position + 1)
                on_gpu[index].pop()
                taken[index] = before
                if rest is not None:
                    return ((index, place), *rest)
        dead_ends.add(situation)
        return None

    return place_from(0)


def _places(gpu: Gpu, tenants: Sequence[Tenant], vgpu_type: VgpuType) -> list[Place]:
    first = find_room(gpu, tenants, vgpu_type)
    if isinstance(first, NoRoom):
        return []
    if first.placement is None:
        return [first]
    return [Place(start) for start in creatable_placements(gpu, tenants, vgpu_type)]


def overfull(gpu: Gpu, tenants: Sequence[Tenant]) -> list[str]:
    """What is wrong with the vgpus that are said to share a gpu, each a clause for people; usually none."""
    if not tenants:
        return []
    problems: list[str] = []
    types = sorted({tenant.type.short for tenant in tenants})
    if not gpu.is_vgpu_host:
        problems.append(f"it holds {len(tenants)} vgpus but is no vGPU host")
    counts = Counter(tenant.type for tenant in tenants)
    if gpu.mig:
        there, used = Counter(gpu.mig), gpu_instances_used(gpu, tenants)
        problems += [
            f"{', '.join(types)} need {count} GPU instances of {slices} slices, it has {there[slices]}"
            for slices, count in sorted(used.items())
            if count > there[slices]
        ]
        if len(tenants) > VGPUS_PER_GPU:
            problems.append(f"it holds {len(tenants)} vgpus, at most {VGPUS_PER_GPU} fit")
    elif gpu.mode is PlacementMode.MIXED:
        problems += _misplaced(gpu, tenants)
    elif len(types) > 1:
        problems.append(f"it holds {', '.join(types)}, but an equal-size gpu has vgpus of one type")
    if not gpu.mig and len(tenants) > VGPUS_PER_TIME_SLICED_GPU:
        problems.append(f"it holds {len(tenants)} vgpus, at most {VGPUS_PER_TIME_SLICED_GPU} fit")
    problems += [
        f"it holds {count} of {vgpu_type.short}, at most {vgpu_type.max_instances} fit"
        for vgpu_type, count in counts.items()
        if count > vgpu_type.max_instances
    ]
    return problems


def _misplaced(gpu: Gpu, tenants: Sequence[Tenant]) -> list[str]:
    problems: list[str] = []
    regions: list[tuple[int, int, str]] = []
    for tenant in tenants:
        if tenant.placement is None:
            problems.append(f"a {tenant.type.short} on a mixed-size gpu has no placement id")
            continue
        legal = supported_placements(gpu.board, tenant.type)
        if tenant.placement not in legal:
            ids = ", ".join(map(str, legal))
            problems.append(f"placement {tenant.placement} of a {tenant.type.short}; its ids are {ids}")
        end = tenant.placement + tenant.type.framebuffer_gib
        problems += [
            f"a {tenant.type.short} at {tenant.placement} overlaps a {other} at {low}"
            for low, high, other in regions
            if tenant.placement < high and low < end
        ]
        regions.append((tenant.placement, end, tenant.type.short))
    return problems
