"""An order for moves to their final places in which each has room when its turn comes.

Residents go first, each as soon as its place is free. Where they wait for each other in a circle, one hops
to a spare place and goes on from there later. Movers from hosts that receive nobody free nothing, so they
come last, when every place that they were given is free. What cannot be ordered stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from vgpu_migrate.planning.best import level_at
from vgpu_migrate.planning.cast import AWAY, NEVER, Mover
from vgpu_migrate.planning.fill import Seater
from vgpu_migrate.planning.floor import Floor, Seats

KEEPS_ITS_STATE = 1
"""The highest level, sleep, at which a VM arrives as it left, so that it can go on from there as foreseen."""


class Shift(NamedTuple):
    """One migration. `mover` is as it stands before it; `origin` is None for one from another floor."""

    mover: Mover
    origin: Seats | None
    seats: Seats
    level: int


Goal = tuple[Mover, Seats]
"""A mover and the seats it is to have in the end."""
Judge = Callable[[Mover, Seats, Seats], int]
"""The level at which a mover that sits on the first seats could move to the second ones; NEVER if not."""


def fits(floor: Floor, mover: Mover, seats: Seats) -> bool:
    """Whether a mover could take exactly these seats now, on a host that is not its own."""
    if not floor.fits_host(floor.host_of[seats[0][0]], mover):
        return False
    if mover.is_single:
        ((gpu, placement),) = seats
        return floor.has_room(gpu, mover.types[0], placement)
    held: list[tuple[int, int, int]] = []
    for (gpu, placement), row in zip(seats, mover.types, strict=True):
        if not floor.has_room(gpu, row, placement):
            break
        floor.hold(gpu, row, placement)
        held.append((gpu, row, placement))
    for gpu, row, placement in reversed(held):
        floor.release(gpu, row, placement)
    return len(held) == len(seats)


def sequence(floor: Floor, goals: Sequence[Goal], judge: Judge) -> tuple[list[Shift], list[Mover]]:
    """Bring movers to their seats one by one; gives back the moves, and who did not reach its seats.

    The floor is as it is before the first move, and afterwards as it is after the last.
    """
    run = _Run(floor, judge)
    residents = [goal for goal in goals if goal[0].home != AWAY and floor.placed[goal[0].number] != goal[1]]
    left = run.residents(residents)
    for mover, seats in goals:
        if mover.home == AWAY:
            if fits(floor, mover, seats):
                run.go(mover, seats, level_at(floor, mover, seats))
            else:
                left.append(mover)
    return run.shifts, left


class _Run:
    """One run over a floor."""

    def __init__(self, floor: Floor, judge: Judge) -> None:
        self.floor = floor
        self.seater = Seater(floor)
        self.judge = judge
        self.shifts: list[Shift] = []
        self._has_hopped: set[int] = set()

    def go(self, mover: Mover, seats: Seats, level: int) -> Mover:
        """Do a move; gives back the mover as it stands then."""
        origin = self.floor.take(mover) if mover.number in self.floor.placed else None
        moved = replace(mover, home=self.floor.host_of[seats[0][0]])
        self.floor.put(moved, seats)
        self.shifts.append(Shift(mover, origin, seats, level))
        return moved

    def residents(self, goals: Sequence[Goal]) -> list[Mover]:
        """Move residents until nobody can, even after a hop; those left stay where they are."""
        pending = list(goals)
        while pending:
            waiting = []
            for mover, seats in pending:
                level = self._level(mover, seats)
                if level != NEVER and fits(self.floor, mover, seats):
                    self.go(mover, seats, level)
                else:
                    waiting.append((mover, seats))
            if len(waiting) == len(pending) and not self._hop(waiting):
                return [mover for mover, _ in waiting]
            pending = waiting
        return []

    def _level(self, mover: Mover, seats: Seats) -> int:
        if mover.number in self._has_hopped:
            return self.judge(mover, self.floor.placed[mover.number], seats)
        return level_at(self.floor, mover, seats)

    def _hop(self, waiting: list[Goal]) -> bool:
        """Let one that waits hop to a spare place, if that lets another or itself go on."""
        floor = self.floor
        for position, (mover, seats) in enumerate(waiting):
            if mover.number in self._has_hopped:
                continue
            for spare in self._spares(mover, seats):
                level = level_at(floor, mover, spare)
                origin = floor.take(mover)
                hopped = replace(mover, home=floor.host_of[spare[0][0]])
                floor.put(hopped, spare)
                helps = self.judge(hopped, spare, seats) <= max(level_at(floor, mover, seats), level) and (
                    fits(floor, hopped, seats)
                    or any(
                        fits(floor, other, wanted)
                        for other, wanted in waiting
                        if other.number != mover.number
                    )
                )
                floor.take(hopped)
                floor.put(mover, origin)
                if helps:
                    self._has_hopped.add(mover.number)
                    waiting[position] = (self.go(mover, spare, level), seats)
                    return True
        return False

    def _spares(self, mover: Mover, seats: Seats) -> list[Seats]:
        """Free places where a mover can wait, neither on its host nor on that of its seats."""
        # The seater skips the host that a mover calls its home: let it skip both by asking twice.
        floor = self.floor
        target = floor.host_of[seats[0][0]]
        spare = self.seater.seat(mover, highest=KEEPS_ITS_STATE)
        if spare is not None and floor.host_of[spare[0][0]] == target:
            spare = self._elsewhere(mover, target)
        return [] if spare is None else [spare]

    def _elsewhere(self, mover: Mover, target: int) -> Seats | None:
        """A free place on neither of two hosts: memory of one is out of bounds for the time of the look."""
        floor = self.floor
        left = floor.memory_left[target]
        floor.memory_left[target] = -1.0
        spare = self.seater.seat(mover, highest=KEEPS_ITS_STATE)
        floor.memory_left[target] = left
        return spare
