"""Placement ids of mixed-size gpus as bit masks, one bit for each GiB; cached, because fleets repeat them."""

from __future__ import annotations

from functools import cache

from vgpu_migrate import facts
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.model.placement import supported_placements


@cache
def regions(type_row: int) -> tuple[tuple[int, int], ...]:
    """The placement ids of a type on its board, ascending, each with the mask of its region."""
    vgpu_type = facts.vgpu_type_by_row(type_row)
    span = (1 << vgpu_type.framebuffer_gib) - 1
    board = facts.board(vgpu_type.board)
    return tuple((start, span << start) for start in supported_placements(board, vgpu_type))


@cache
def region(type_row: int, placement: int) -> int:
    """The mask of a type's region at a placement id."""
    return ((1 << facts.vgpu_type_by_row(type_row).framebuffer_gib) - 1) << placement


@cache
def best_id(type_row: int, taken: int) -> tuple[int, int] | None:
    """The placement id of a type beside `taken` that spoils least, as (what it spoils, id).

    What is spoilt: the GiB that each size of the board's types can no longer use, summed over sizes. None
    where no id is free.
    """
    free = [(start, mask) for start, mask in regions(type_row) if not mask & taken]
    if not free:
        return None
    board = facts.vgpu_type_by_row(type_row).board
    before = _usable(board, taken)
    return min((before - _usable(board, taken | mask), start) for start, mask in free)


@cache
def _usable(board: str, taken: int) -> int:
    return sum(size * sum(1 for _, mask in regions(row) if not mask & taken) for size, row in _sizes(board))


@cache
def _sizes(board: str) -> tuple[tuple[int, int], ...]:
    by_size: dict[int, VgpuType] = {}
    for vgpu_type in facts.types_of_board(board):
        if not vgpu_type.is_mig_backed:
            by_size.setdefault(vgpu_type.framebuffer_gib, vgpu_type)
    return tuple((size, vgpu_type.row) for size, vgpu_type in sorted(by_size.items()))
