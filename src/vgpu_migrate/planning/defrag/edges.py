"""Which move must wait for which, so that `after` alone makes every order safe.

Moves come in an order in which each has room. A *hold* is a stay on a host; it is ended by the move that
takes it away. A move waits for the moves that ended those holds which it could not share its room with.

Why that is enough: take any holds that meet, and the last of them in the order. The others began earlier
in it, and their ends are not among what this last one waits for. Slots of an equal-size gpu are numbered,
and whoever takes a slot waits for the end of its last hold; placements that overlap are waited for one by
one; where sums count (memory, vcpus, instances), all that began earlier and is not waited for fits together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from vgpu_migrate import facts
from vgpu_migrate.model.placement import VGPUS_PER_TIME_SLICED_GPU, Tenant, overfull
from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.defrag.sequence import Shift
from vgpu_migrate.planning.floor import Floor, Seats, Sharing, capacity
from vgpu_migrate.planning.geometry import region


@dataclass(eq=False, slots=True)
class _Hold:
    """A stay on a host. `begun_by` and `ended_by`: the moves that brought it and take it away, by number."""

    mover: Mover
    seats: Seats
    begun_by: int | None
    ended_by: int | None = None

    def rows_on(self, gpu: int) -> list[tuple[int, int]]:
        """The types, with placement ids, that it has on a gpu."""
        pairs = zip(self.mover.types, self.seats, strict=True)
        return [(row, placement) for row, (at, placement) in pairs if at == gpu]


@dataclass(eq=False, slots=True)
class _Slots:
    """The slots of an equal-size gpu: the last hold of each one used so far by the type it has now."""

    type_row: int
    holds: list[_Hold]
    changed_by: tuple[int, ...] = ()
    """The moves that ended the holds of the type it had before."""


class _Waits:
    """What one move waits for."""

    def __init__(self, ancestors: Sequence[int]) -> None:
        self._ancestors = ancestors
        self._direct: set[int] = set()
        self._mask = 0

    @property
    def mask(self) -> int:
        """All moves waited for, directly or through others, as bits."""
        return self._mask

    def add(self, move: int) -> None:
        """Wait for a move, and so for all that it waits for."""
        if not self._mask >> move & 1:
            self._direct.add(move)
            self._mask |= self._ancestors[move] | 1 << move

    def cover(self, hold: _Hold) -> bool:
        """Whether a hold has surely ended."""
        return hold.ended_by is not None and bool(self._mask >> hold.ended_by & 1)

    def until(self, is_enough: Callable[[list[_Hold]], bool], holds: Sequence[_Hold]) -> None:
        """Wait for the ends of holds, earliest first, until those that may still be there are few enough."""
        company = [hold for hold in holds if not self.cover(hold)]
        ended = sorted((hold.ended_by for hold in company if hold.ended_by is not None), reverse=True)
        while not is_enough(company):
            assert ended, "a move without room: the order is wrong"
            self.add(ended.pop())
            company = [hold for hold in company if not self.cover(hold)]

    def least(self) -> tuple[int, ...]:
        """The moves to name: none that another of them waits for."""
        through = 0
        for move in self._direct:
            through |= self._ancestors[move]
        return tuple(sorted(move for move in self._direct if not through >> move & 1))


def edges(
    floor: Floor, start: Iterable[tuple[Mover, Seats]], shifts: Sequence[Shift]
) -> list[tuple[int, ...]]:
    """For each move, the numbers of the earlier ones that it must wait for, ascending.

    Args:
        floor: as it is before the first move or after the last.
        start: the residents that are movers, with their seats before the first move.
        shifts: in an order in which each has room when those before it have ended.
    """
    book = _Book(floor, start)
    return [book.enter(number, shift) for number, shift in enumerate(shifts)]


class _Book:
    """All holds so far, by host and by gpu."""

    def __init__(self, floor: Floor, start: Iterable[tuple[Mover, Seats]]) -> None:
        self._floor = floor
        self._on_host: list[list[_Hold]] = [[] for _ in floor.hosts]
        self._on_gpu: list[list[_Hold]] = [[] for _ in floor.gpus]
        self._slots: dict[int, _Slots] = {}
        self._present: dict[int, _Hold] = {}
        self._ancestors: list[int] = []
        # What movers may use together: residents that are none are counted off.
        self._memory_mib, self._vcpus = list(floor.memory_left), list(floor.vcpus_left)
        self._fixed_count = list(floor.count)
        self._fixed_types = [Counter(there) for there in floor.mig]
        for host, gpus in enumerate(floor.gpus_of):
            there = {number: mover for gpu in gpus for number, mover in floor.here[gpu].items()}
            for mover in there.values():
                self._memory_mib[host] += mover.memory_mib
                self._vcpus[host] += mover.vcpus
                for row, (gpu, _) in zip(mover.types, floor.placed[mover.number], strict=True):
                    self._fixed_count[gpu] -= 1
                    self._fixed_types[gpu][row] -= 1
        for mover, seats in start:
            hold = _Hold(mover, seats, None)
            for row, (gpu, _) in zip(mover.types, seats, strict=True):
                if floor.sharing[gpu] is Sharing.EQUAL:
                    self._slots.setdefault(gpu, _Slots(row, [])).holds.append(hold)
            self._begin(hold)

    def _begin(self, hold: _Hold) -> None:
        self._present[hold.mover.number] = hold
        self._on_host[self._floor.host_of[hold.seats[0][0]]].append(hold)
        for gpu in dict.fromkeys(gpu for gpu, _ in hold.seats):
            self._on_gpu[gpu].append(hold)

    def enter(self, number: int, shift: Shift) -> tuple[int, ...]:
        """What the next move must wait for; it counts as done from then on."""
        floor, waits = self._floor, _Waits(self._ancestors)
        hold = _Hold(shift.mover, shift.seats, number)
        before = self._present.get(shift.mover.number)
        if before is not None and before.begun_by is not None:
            waits.add(before.begun_by)
        for row, (gpu, _) in zip(shift.mover.types, shift.seats, strict=True):
            if floor.sharing[gpu] is Sharing.EQUAL:
                self._take_slot(waits, gpu, row, hold)
        for gpu in dict.fromkeys(gpu for gpu, _ in shift.seats):
            if floor.sharing[gpu] is Sharing.MIXED:
                self._wait_for_placements(waits, gpu, hold)
            elif floor.sharing[gpu] is Sharing.MIG:
                self._wait_for_instances(waits, gpu, hold)
        self._wait_for_host(waits, floor.host_of[shift.seats[0][0]], shift.mover)
        self._ancestors.append(waits.mask)
        if before is not None:
            before.ended_by = number
        self._begin(hold)
        return waits.least()

    def _take_slot(self, waits: _Waits, gpu: int, row: int, hold: _Hold) -> None:
        slots = self._slots.setdefault(gpu, _Slots(row, []))
        if slots.type_row != row:
            ends = [ended for other in slots.holds if (ended := other.ended_by) is not None]
            assert len(ends) == len(slots.holds), "another type is still there: the order is wrong"
            slots = self._slots[gpu] = _Slots(row, [], tuple(sorted(set(ends))))
        for move in slots.changed_by:
            waits.add(move)
        if len(slots.holds) < capacity(row) - self._fixed_count[gpu]:
            slots.holds.append(hold)
            return
        free = [
            (not waits.cover(other), other.ended_by, slot)
            for slot, other in enumerate(slots.holds)
            if other.ended_by is not None
        ]
        assert free, "a move without a slot: the order is wrong"
        _, ended, slot = min(free)
        waits.add(ended)
        slots.holds[slot] = hold

    def _wait_for_placements(self, waits: _Waits, gpu: int, hold: _Hold) -> None:
        wanted = 0
        for row, placement in hold.rows_on(gpu):
            wanted |= region(row, placement)
        for other in self._on_gpu[gpu]:
            if other.ended_by is not None and any(wanted & region(*vgpu) for vgpu in other.rows_on(gpu)):
                waits.add(other.ended_by)
        most = VGPUS_PER_TIME_SLICED_GPU - self._fixed_count[gpu]
        new = len(hold.rows_on(gpu))
        waits.until(
            lambda company: new + sum(len(other.rows_on(gpu)) for other in company) <= most,
            self._on_gpu[gpu],
        )

    def _wait_for_instances(self, waits: _Waits, gpu: int, hold: _Hold) -> None:
        fixed = self._fixed_types[gpu].elements()
        known = [*fixed, *(row for row, _ in hold.rows_on(gpu))]

        def fit(company: list[_Hold]) -> bool:
            rows = [*known, *(row for other in company for row, _ in other.rows_on(gpu))]
            return not overfull(
                self._floor.gpus[gpu], [Tenant(facts.vgpu_type_by_row(row), None) for row in rows]
            )

        waits.until(fit, self._on_gpu[gpu])

    def _wait_for_host(self, waits: _Waits, host: int, mover: Mover) -> None:
        there = self._on_host[host]
        for other in there:
            if other.ended_by is not None and not set(mover.groups).isdisjoint(other.mover.groups):
                waits.add(other.ended_by)
        memory_mib, vcpus = self._memory_mib[host], self._vcpus[host]
        if mover.memory_mib and not math.isinf(memory_mib):
            waits.until(
                lambda company: (
                    mover.memory_mib + sum(other.mover.memory_mib for other in company) <= memory_mib
                ),
                there,
            )
        if mover.vcpus and not math.isinf(vcpus):
            waits.until(
                lambda company: mover.vcpus + sum(other.mover.vcpus for other in company) <= vcpus, there
            )
