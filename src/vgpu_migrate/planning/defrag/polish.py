"""What the exact model makes of a heuristic answer: proof where that is best, and better answers where not.

For each pool where somebody is left over the model first says how many can be placed at most. Where that is
more, windows of a few hosts each are solved to the end, all else staying as it is: this finds better answers
with few moves. If it is not enough, the model's own answer is taken, which moves more, and windows mend that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.defrag.exact import Best, Limit, cheapen, improve, place_most
from vgpu_migrate.planning.defrag.final_places import Homes
from vgpu_migrate.planning.defrag.pool import SMALL, Pool
from vgpu_migrate.planning.floor import Floor, Seats

SHARE_FOR_MOST = 0.5
"""The part of a pool's work for the question how many can be placed."""
WORK_OF_WINDOW = 0.15
"""Deterministic seconds at most for one window."""
OVERHEAD_OF_WINDOW = 0.05
"""What a window is charged at least, for the time that building its model takes."""
GPUS_OF_WINDOW = 32
FinalSeats = dict[int, Seats]


class Polished(NamedTuple):
    """Better final seats of everybody on the floor, if there are any, and the most that can be placed."""

    seats: FinalSeats | None
    most: int
    work: float


class Polisher:
    """Looks at pools one by one, on a floor that `show` brings to any final seats."""

    def __init__(self, floor: Floor, homes: Homes, show: Callable[[Mapping[int, Seats]], None]) -> None:
        self._floor = floor
        self._homes = homes
        self._show = show

    def polish(self, pool: Pool, seats: FinalSeats, limit: Limit) -> Polished:
        """Better seats for a pool than those given, which hold everybody of the floor."""
        before = _placed(pool, seats)
        if len(pool.residents) <= SMALL:
            best = self._ask(improve, pool, seats, limit)
            found = None if best.seats is None else _merged(pool, seats, best.seats)
            most = self._ask(place_most, pool, found or seats, limit)
            return Polished(found, most.most, best.work + most.work)
        first = self._ask(place_most, pool, seats, limit._replace(work=limit.work * SHARE_FOR_MOST))
        if first.seats is None or _placed(pool, first.seats) <= before:
            return Polished(None, first.most, first.work)
        left = limit.work - first.work
        found, used = self._mend(pool, seats, limit._replace(work=left / 3))
        left -= used
        if _placed(pool, found) < _placed(pool, first.seats):
            found = _merged(pool, seats, first.seats)
            cheap = self._ask(cheapen, pool, found, limit._replace(work=left / 2))
            left -= cheap.work
            if cheap.seats is not None:
                found = _merged(pool, seats, cheap.seats)
            found, used = self._mend(pool, found, limit._replace(work=left))
            left -= used
        return Polished(found, first.most, limit.work - left)

    def _mend(self, pool: Pool, seats: FinalSeats, limit: Limit) -> tuple[FinalSeats, float]:
        """Solve windows one after the other until the work is used up or a round brings nothing."""
        left = limit.work
        size = max(
            2, GPUS_OF_WINDOW * len(pool.hosts) // sum(len(self._floor.gpus_of[h]) for h in pool.hosts)
        )
        for round_ in range(len(pool.hosts)):
            before = seats
            for hosts in _windows(pool.hosts, size, round_):
                if left <= 0:
                    return seats, limit.work - left
                window = self._window(pool, hosts, seats)
                if not window.leaving and not any(
                    seats[m.number] != self._homes[m.number] for m in window.residents
                ):
                    continue
                best = self._ask(improve, window, seats, limit._replace(work=min(left, WORK_OF_WINDOW)))
                left -= max(best.work, OVERHEAD_OF_WINDOW)
                if best.seats is not None:
                    seats = _merged(window, seats, best.seats)
            if seats == before:
                break
        return seats, limit.work - left

    def _window(self, pool: Pool, hosts: Sequence[int], seats: Mapping[int, Seats]) -> Pool:
        """Those of a pool who are on some hosts in the end, and those who have no place."""
        there = set(hosts)

        def is_in(mover: Mover) -> bool:
            at = seats.get(mover.number)
            return at is None or self._floor.host_of[at[0][0]] in there

        return Pool(tuple(hosts), tuple(filter(is_in, pool.leaving)), tuple(filter(is_in, pool.residents)))

    def _ask(self, solve: Callable[..., Best], pool: Pool, seats: FinalSeats, limit: Limit) -> Best:
        floor = self._floor
        self._show(seats)
        for mover in (*pool.leaving, *pool.residents):
            if mover.number in floor.placed:
                floor.take(mover)
        return solve(floor, pool, self._homes, seats, limit)


def _placed(pool: Pool, seats: Mapping[int, Seats]) -> int:
    return sum(mover.number in seats for mover in pool.leaving)


def _merged(pool: Pool, seats: FinalSeats, better: FinalSeats) -> FinalSeats:
    """All seats, those of a pool replaced."""
    its = {mover.number for mover in (*pool.leaving, *pool.residents)}
    return {number: at for number, at in seats.items() if number not in its} | better


def _windows(hosts: Sequence[int], size: int, round_: int) -> Iterator[Sequence[int]]:
    """The hosts in windows of a size: in each round others stand together."""
    stride = 2 * round_ + 1
    order = sorted(hosts, key=lambda host: (hosts.index(host) * stride % len(hosts), host))
    first = (round_ * size // 2) % len(hosts)
    order = order[first:] + order[:first]
    for start in range(0, len(order), size):
        yield order[start : start + size]
