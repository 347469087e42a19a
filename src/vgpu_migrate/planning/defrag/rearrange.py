"""Places for movers where room must be made: who goes where, in which order, and who waits for whom.

The best of several whole answers counts: that in which nobody else moves, that of the heuristic search and,
where it leaves somebody over, that of the exact model. An answer is what can be put in order, no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vgpu_migrate.model import Fleet
from vgpu_migrate.planning.cast import AWAY, Mover
from vgpu_migrate.planning.defrag.edges import edges
from vgpu_migrate.planning.defrag.judge import judge_of
from vgpu_migrate.planning.defrag.make_room import Rearranger
from vgpu_migrate.planning.defrag.pool import SMALL, Pool, pools
from vgpu_migrate.planning.defrag.sequence import Goal, Shift, sequence
from vgpu_migrate.planning.fill import Seater
from vgpu_migrate.planning.floor import Floor, Seats

MOST_ROUNDS = 4
"""How often what could not be ordered is dropped, and the rest ordered anew."""

WITHOUT_SOLVER = "OR-Tools is not installed: who is stuck is so by the heuristic search, nothing is proved"


class Work(NamedTuple):
    """How much may be tried."""

    attempts: int
    """At making room for one after the other."""
    exact: float = 0.0
    """Deterministic seconds for the exact model, all pools of the floor together; 0: none."""
    seconds: float | None = None
    """Real seconds for the exact model; None: as many as it takes."""
    seed: int = 0
    """Of the exact model's search."""


class Rearranged(NamedTuple):
    """An answer: moves in an order in which each has room."""

    shifts: list[Shift]
    after: list[tuple[int, ...]]
    """For each move the numbers of those before it that it must wait for."""
    left: list[Mover]
    """Those without a place."""
    most_placed: int | None = None
    """Nobody can place more, where that is proved."""
    notes: tuple[str, ...] = ()


def rearrange(
    fleet: Fleet, floor: Floor, leaving: Sequence[Mover], residents: Sequence[Mover], work: Work
) -> Rearranged:
    """Find places for movers by moving residents out of their way.

    Args:
        fleet: where everybody is before the first move.
        floor: with the residents adopted at home, and movers in the places they have if nobody else moves.
            It is left as it is after the last move of the answer.
        leaving: who must find a place.
        residents: who may be moved for that.
        work: how much may be tried.

    Returns:
        Never worse than what was found before: no fewer placed, and with as many no more interruption.
    """
    trial = _Trial(fleet, floor, leaving, residents)
    search = Rearranger(floor, leaving, residents, work.attempts)
    best = trial.order(search.goals())
    trial.see(best)
    search.run()
    best = min(best, trial.order_what_can_be(search), key=_rank)
    notes: tuple[str, ...] = ()
    most = None
    if work.exact > 0:
        best, most, notes = _exactly(trial, search, best, work)
    trial.see(best)
    after = edges(floor, trial.start, best)
    left = [mover for mover in leaving if mover.number not in floor.placed]
    return Rearranged(best, after, left, most, notes)


def _rank(shifts: Sequence[Shift]) -> tuple[int, int, int]:
    """How bad an answer is: fewest placed first, then interruption, then moves."""
    placed = {shift.mover.number for shift in shifts if shift.origin is None}
    return -len(placed), sum(shift.level for shift in shifts), len(shifts)


def _exactly(
    trial: _Trial, search: Rearranger, best: list[Shift], work: Work
) -> tuple[list[Shift], int | None, tuple[str, ...]]:
    """A better answer by the exact model where somebody is left over, and how many can be placed at most."""
    try:
        from vgpu_migrate.planning.defrag.exact import Limit
        from vgpu_migrate.planning.defrag.polish import Polisher
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ortools":
            raise
        return best, None, (WITHOUT_SOLVER,)
    seats = trial.final_seats(best)
    trial.reset()
    homes = trial.start_seats
    there = list(pools(trial.floor, search.leaving, search.residents))
    unsolved = [pool for pool in there if _is_worth_it(pool, seats, homes)]
    most = sum(mover.number in seats for mover in search.leaving)
    polisher = Polisher(trial.floor, homes, trial.see_final)
    left = work.exact
    for number, pool in enumerate(unsolved):
        share = 1 / (len(unsolved) - number)
        seconds = None if work.seconds is None else work.seconds / len(unsolved)
        polished = polisher.polish(pool, seats, Limit(left * share, seconds, work.seed))
        left = max(0.0, left - polished.work)
        most += polished.most - sum(mover.number in seats for mover in pool.leaving)
        if polished.seats is None:
            continue
        trial.see_final(polished.seats)
        better = trial.order_what_can_be(search)
        if _rank(better) < _rank(best):
            best, seats = better, trial.final_seats(better)
    return best, most, ()


def _is_worth_it(pool: Pool, seats: Mapping[int, Seats], homes: Mapping[int, Seats]) -> bool:
    """Whether somebody is left over, or somebody else moves for whom that might not be needed."""
    if any(mover.number not in seats for mover in pool.leaving):
        return True
    moved = any(seats[mover.number] != homes[mover.number] for mover in pool.residents)
    return moved and len(pool.residents) <= SMALL


class _Trial:
    """Answers put in order on one floor."""

    def __init__(
        self, fleet: Fleet, floor: Floor, leaving: Sequence[Mover], residents: Sequence[Mover]
    ) -> None:
        self.floor = floor
        self._leaving = leaving
        self._residents = residents
        self._judge = judge_of(fleet, floor)
        self.start = [(mover, floor.placed[mover.number]) for mover in residents]

    @property
    def start_seats(self) -> dict[int, Seats]:
        """Where residents are before the first move, by number."""
        return {mover.number: at for mover, at in self.start}

    def reset(self) -> None:
        """The floor as it is before the first move."""
        floor = self.floor
        for mover in self._leaving:
            if mover.number in floor.placed:
                floor.take(mover)
        moved = [(mover, seats) for mover, seats in self.start if floor.placed.get(mover.number) != seats]
        for mover, _ in moved:
            if mover.number in floor.placed:
                floor.take(mover)
        for mover, seats in moved:
            floor.put(mover, seats)

    def final_seats(self, shifts: Sequence[Shift]) -> dict[int, Seats]:
        """Where everybody who has a place is after an answer, by number."""
        return self.start_seats | {shift.mover.number: shift.seats for shift in shifts}

    def see(self, shifts: Sequence[Shift]) -> None:
        """The floor as it is after an answer."""
        self.see_final(self.final_seats(shifts))

    def see_final(self, seats: Mapping[int, Seats]) -> None:
        """The floor with everybody on final seats."""
        self.reset()
        moved = [mover for mover, at in self.start if seats[mover.number] != at]
        for mover in moved:
            self.floor.take(mover)
        for mover in (*moved, *self._leaving):
            if mover.number in seats:
                self.floor.put(mover, seats[mover.number])

    def order(self, goals: Sequence[Goal]) -> list[Shift]:
        """As much of what is wanted as can be put in order."""
        self.reset()
        return sequence(self.floor, goals, self._judge)[0]

    def order_what_can_be(self, search: Rearranger) -> list[Shift]:
        """The search's places in order. Who is in nobody's way any more stays; who lost a place seeks one."""
        best: list[Shift] | None = None
        for _ in range(MOST_ROUNDS):
            goals = search.goals()
            self.reset()
            shifts, left = sequence(self.floor, goals, self._judge)
            best = shifts if best is None else min(best, shifts, key=_rank)
            if not left:
                break
            seater = Seater(self.floor)
            for mover in left:
                if mover.home == AWAY:
                    seats = seater.seat(mover)
                    if seats is not None:
                        self.floor.put(mover, seats)
            search.send_home()
        assert best is not None
        return best
