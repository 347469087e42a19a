"""The best places of all for the movers of a small domain: every way is tried that could be better.

Branch and bound, in depth, from the plan that a heuristic search has found. A state of the gpus reached
before with as many placed and no more interruption is not looked at again; gpus that are alike, and movers
that are alike, count as one. Nodes are counted, not timed. What is best when they are used up counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

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
    least = [least_level(mover) for mover in cast]
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


def least_level(mover: Mover) -> int:
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
        self._groups = sorted({group for mover in cast for group in mover.groups})
        limits = (*floor.memory_left, *floor.vcpus_left)
        has_limits = any(math.isfinite(limit) for limit in limits)
        self._hosts_matter = has_limits or bool(self._groups) or not all(m.is_single for m in cast)
        movers = [mover for mover in cast if next(self._options(mover), None) is not None]
        movers.sort(key=lambda m: (-sum(map(_size, m.types)), m.types, m.likeness, m.number))
        self._movers = movers
        self._rest = [_Rest(movers[at:]) for at in range(len(movers) + 1)]

    def run(self) -> None:
        """Search until nothing can be better or the nodes are used up."""
        self._visit(0, 0, 0)

    def _visit(self, at: int, placed: int, interruption: int) -> None:
        self.nodes -= 1
        floor, rest = self.floor, self._rest[at]
        if (placed, -interruption) > self.best:
            self.best = placed, -interruption
            self.found = dict(floor.placed)
        most, least = self.best[0], -self.best[1]
        could_be = placed + rest.count
        if could_be >= most and could_be > placed:
            could_be = placed + rest.most(floor)
        if could_be < most or could_be == placed:
            return
        if could_be == most and interruption + rest.cheapest[most - placed] >= least:
            return
        key = (at, *self._state())
        so_far = (placed, -interruption)
        if self._seen.get(key, (-1, 0)) >= so_far:
            return
        self._seen[key] = so_far
        mover = self._movers[at]
        for level, seats in sorted(self._options(mover), key=lambda option: option[0]):
            if self.nodes <= 0:
                return
            floor.put(mover, seats)
            self._visit(at + 1, placed + 1, interruption + level)
            floor.take(mover)
        if self.nodes > 0:
            # Of movers that are alike, the later ones stay first.
            self._visit(at + rest.alike, placed, interruption)

    def _state(self) -> tuple[object, ...]:
        """What is to know of the floor: gpus, and hosts where they matter, that are alike in any order."""
        if not self._hosts_matter:
            return tuple(sorted(map(self._gpu_state, range(len(self.floor.gpus)))))
        return tuple(sorted(map(self._host_state, range(len(self.floor.hosts)))))

    def _host_state(self, host: int) -> tuple[object, ...]:
        floor = self.floor
        gpus = tuple(sorted(map(self._gpu_state, floor.gpus_of[host])))
        there = tuple([floor.groups[host][group] > 0 for group in self._groups])
        return floor.memory_left[host], floor.vcpus_left[host], there, gpus

    def _gpu_state(self, gpu: int) -> tuple[object, ...]:
        floor = self.floor
        own = floor.boards[gpu], floor.gpu_class[gpu], int(floor.sharing[gpu])
        if floor.sharing[gpu] is Sharing.MIG:
            instances = tuple(sorted(item for item in floor.mig[gpu].items() if item[1]))
            return *own, floor.gpus[gpu].mig, instances
        return (
            *own,
            floor.lock[gpu] if floor.sharing[gpu] is Sharing.EQUAL else floor.mask[gpu],
            floor.count[gpu],
        )

    def _options(self, mover: Mover) -> Iterator[tuple[int, Seats]]:
        """Every seat that a mover could take now, with its level; of seats that are alike, one."""
        floor = self.floor
        known: set[tuple[object, ...]] = set()
        for host, gpus in enumerate(floor.gpus_of):
            if not floor.fits_host(host, mover):
                continue
            if not mover.is_single:
                state = self._host_state(host)
                if state not in known:
                    known.add(state)
                    yield from self._together(mover, gpus)
                continue
            type_row = mover.types[0]
            own = self._host_state(host) if self._hosts_matter else ()
            for gpu in gpus:
                level = mover.levels[floor.gpu_class[gpu]]
                if level == NEVER:
                    continue
                state = (*own, self._gpu_state(gpu))
                if state not in known:
                    known.add(state)
                    for placement in _places(floor, gpu, type_row):
                        yield level, ((gpu, placement),)

    def _together(self, mover: Mover, gpus: Sequence[int]) -> list[tuple[int, Seats]]:
        """Every way to seat all vgpus of a mover on the gpus of one host."""
        floor = self.floor
        options: list[tuple[int, Seats]] = []
        chosen: list[tuple[int, int]] = []

        def place(number: int, states: int) -> None:
            if number == len(mover.types):
                options.append((4 - states.bit_length(), tuple(chosen)))
                return
            type_row, ways = mover.types[number], mover.ways[number]
            known: set[tuple[object, ...]] = set()
            for gpu in gpus:
                left = states & ways[floor.gpu_class[gpu]]
                state = self._gpu_state(gpu)
                if not left or state in known:
                    continue
                known.add(state)
                for placement in _places(floor, gpu, type_row):
                    floor.hold(gpu, type_row, placement)
                    chosen.append((gpu, placement))
                    place(number + 1, left)
                    chosen.pop()
                    floor.release(gpu, type_row, placement)

        place(0, 15)
        return options


def _places(floor: Floor, gpu: int, type_row: int) -> list[int]:
    """The placement ids, or NO_ID, where a type fits on a gpu."""
    if floor.sharing[gpu] is not Sharing.MIXED:
        return [] if floor.room(gpu, type_row) is None else [NO_ID]
    if floor.count[gpu] >= VGPUS_PER_TIME_SLICED_GPU:
        return []
    return [start for start, mask in regions(type_row) if not mask & floor.mask[gpu]]


def _size(type_row: int) -> int:
    return facts.vgpu_type_by_row(type_row).framebuffer_mib


class _Rest:
    """What is to know of the movers from one position on: the first of them is the next to be placed."""

    def __init__(self, movers: Sequence[Mover]) -> None:
        self.count = len(movers)
        self.alike = sum(mover.likeness == movers[0].likeness for mover in movers)
        """How many are like the first."""
        self.cheapest = list(accumulate(sorted(map(least_level, movers)), initial=0))
        """By number: the least interruption that so many of them could have."""
        sized = [mover for mover in movers if mover.is_single and not _is_mig(mover.types[0])]
        self._others = len(movers) - len(sized)
        waiting = Counter((mover.board, _size(mover.types[0]), mover.types[0]) for mover in sized)
        self._waiting = sorted(waiting.items())
        """By board, smallest first: how many of each type."""

    def most(self, floor: Floor) -> int:
        """More of them can surely not be placed: framebuffer counted as if it were one gpu for each board."""
        slots: Counter[int] = Counter()
        pool: Counter[int] = Counter()
        for gpu, sharing in enumerate(floor.sharing):
            lock = floor.lock[gpu]
            if sharing is Sharing.EQUAL and lock != UNLOCKED:
                slots[lock] += capacity(lock) - floor.count[gpu]
            elif sharing is not Sharing.MIG:
                taken_mib = floor.mask[gpu].bit_count() * 1024
                pool[floor.boards[gpu]] += floor.gpus[gpu].board.framebuffer_mib - taken_mib
        most = self._others
        for (board, size_mib, type_row), count in self._waiting:
            in_slots = min(count, slots[type_row])
            in_pool = min(count - in_slots, pool[board] // size_mib)
            pool[board] -= in_pool * size_mib
            most += in_slots + in_pool
        return most


def _is_mig(type_row: int) -> bool:
    return facts.vgpu_type_by_row(type_row).is_mig_backed
