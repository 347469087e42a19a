"""The best places of all for the movers of a small domain: every way is tried that could be better.

Branch and bound, in depth, from the plan that a heuristic search has found. A state of the gpus reached
before with as many placed and no more interruption is not looked at again; gpus that are alike, and movers
that are alike, count as one. Nodes are counted, not timed. What is best when they are used up counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from vgpu_migrate import facts
from vgpu_migrate.model.placement import VGPUS_PER_TIME_SLICED_GPU
from vgpu_migrate.planning.cast import NEVER, Mover
from vgpu_migrate.planning.floor import NO_ID, UNLOCKED, Floor, Seats, Sharing, capacity
from vgpu_migrate.planning.geometry import regions

MOST_MOVERS = 24
MOST_GPUS = 12
"""Domains with more movers, or more gpus where one may go, are left to the heuristic search."""

Score = tuple[int, int]
"""How many are placed, and the sum of their levels with its sign turned: greater is better."""


def improve(floor: Floor, cast: Sequence[Mover], *, nodes: int) -> int:
    """Replace the places of movers on a floor by better ones, where there are such and the domain is small.

    Gives back how many nodes were used, at most `nodes`.
    """
    best = score(floor, cast)
    least = [_least(mover) for mover in cast]
    if len(cast) > MOST_MOVERS or best == (len(cast), -sum(least)):
        return 0
    classes = {c for mover in cast for ways in mover.ways for c, bits in enumerate(ways) if bits}
    if sum(gpu_class in classes for gpu_class in floor.gpu_class) > MOST_GPUS:
        return 0
    before = dict(floor.placed)
    clear(floor, cast)
    search = _Search(floor, cast, best, nodes)
    search.run()
    after = before if search.found is None else search.found
    for mover in cast:
        if mover.number in after:
            floor.put(mover, after[mover.number])
    return nodes - max(0, search.nodes)


def score(floor: Floor, cast: Sequence[Mover]) -> Score:
    """How good the present places are."""
    placed = [mover for mover in cast if mover.number in floor.placed]
    return len(placed), -sum(level_at(floor, mover, floor.placed[mover.number]) for mover in placed)


def level_at(floor: Floor, mover: Mover, seats: Seats) -> int:
    """How a mover moves to these seats: 0 live, 1 sleep, 2 hibernate, 3 cold; 4 where it may not."""
    states = 15
    for (gpu, _), ways in zip(seats, mover.ways, strict=True):
        states &= ways[floor.gpu_class[gpu]]
    return 4 - states.bit_length()


def clear(floor: Floor, cast: Sequence[Mover]) -> None:
    """Take every mover off a floor."""
    for mover in cast:
        if mover.number in floor.placed:
            floor.take(mover)


def _least(mover: Mover) -> int:
    """The least interruption that a mover could ever have."""
    return 4 - mover.possible.bit_length()


class _Search:
    """One search on a floor where nobody is placed yet."""

    def __init__(self, floor: Floor, cast: Sequence[Mover], best: Score, nodes: int) -> None:
        self.floor = floor
        self.best = best
        self.nodes = nodes
        self.found: dict[int, Seats] | None = None
        self._seen: dict[tuple[object, ...], Score] = {}
        groups = {group for mover in cast for group in mover.groups}
        limits = (*floor.memory_left, *floor.vcpus_left)
        self._groups = sorted(groups)
        self._hosts_matter = bool(groups) or any(not mover.is_single for mover in cast)
        self._hosts_matter |= any(math.isfinite(limit) for limit in limits)
        movers = [mover for mover in cast if next(self._options(mover), None) is not None]
        movers.sort(key=lambda m: (-sum(map(_size, m.types)), m.types, m.likeness, m.number))
        self._movers = movers
        self._next_kind = [
            next((n for n in range(at, len(movers)) if movers[n].likeness != mover.likeness), len(movers))
            for at, mover in enumerate(movers)
        ]
        # By position: the least interruption of so many of the movers from there on.
        self._cheapest: list[list[int]] = []
        self._waiting: list[list[tuple[int, int]]] = []
        self._unbounded: list[int] = []
        for at in range(len(movers) + 1):
            rest = movers[at:]
            sums = [0]
            for level in sorted(map(_least, rest)):
                sums.append(sums[-1] + level)
            self._cheapest.append(sums)
            sized = Counter(m.types[0] for m in rest if _is_sized(m))
            self._waiting.append(sorted(sized.items(), key=lambda item: (_size(item[0]), item[0])))
            self._unbounded.append(sum(not _is_sized(mover) for mover in rest))
        boards = dict.fromkeys(mover.board for mover in movers)
        self._whole = {
            board: max(capacity(m.types[0]) * _size(m.types[0]) for m in movers if m.board == board)
            for board in boards
        }
        self._cells = {
            board: max(sum(mask for _, mask in ()) for _ in (0,)) for board in boards
        }

    def run(self) -> None:
        """Search until there is nothing better or the nodes are used up."""
        self._visit(0, 0, 0)
