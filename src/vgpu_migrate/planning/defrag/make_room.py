"""Who moves out of whose way: places for movers that find none, by moving residents elsewhere.

An equal-size gpu is emptied for another type, its residents joining their own elsewhere; holes of a
mixed-size gpu are joined; a host gets memory, or rid of a group. Openings that need fewest to give way come
first. A resident that gives way goes to a free place, or makes room for itself in turn, up to `DEEPEST` links
away; all or nothing. First residents move live only; interruption is accepted where nothing else helps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from vgpu_migrate.planning.best import level_at
from vgpu_migrate.planning.cast import AWAY, Mover
from vgpu_migrate.planning.defrag.sequence import Goal, fits
from vgpu_migrate.planning.fill import LEVELS, Seater
from vgpu_migrate.planning.floor import Floor, Seats, Sharing
from vgpu_migrate.planning.journal import Journal
from vgpu_migrate.planning.openings import Openings

DEEPEST = 3
WIDEST = (0, 200, 60, 30)
"""How many openings the outermost link may try, by the chain's greatest length."""
WIDEST_BELOW = 10
"""How many each inner link may try."""


class Rearranger:
    """Changes who sits where on one floor, with residents adopted, within a number of attempts."""

    def __init__(
        self, floor: Floor, leaving: Sequence[Mover], residents: Sequence[Mover], attempts: int
    ) -> None:
        self.floor = floor
        self.leaving = leaving
        self.residents = residents
        self.attempts = attempts
        self.origins = {mover.number: floor.placed[mover.number] for mover in residents}
        self._seater = Seater(floor)
        self._openings = _Clearings(floor)
        self._journal = Journal(floor)
        self._free_places: dict[tuple[int, int], tuple[int, bool]] = {}
        self._highest = LEVELS[0]
        """The greatest interruption for residents."""

    @property
    def left(self) -> list[Mover]:
        """Those without a place, easiest first."""
        without = [mover for mover in self.leaving if mover.number not in self.floor.placed]
        without.sort(key=lambda mover: (len(mover.types), mover.size_mib, mover.memory_mib, mover.number))
        return without

    def goals(self) -> list[Goal]:
        """Everybody who is to move, with the seats they are to have."""
        placed = self.floor.placed
        moved = [(mover, placed[mover.number]) for mover in self.residents if self._has_moved(mover)]
        return moved + [(mover, placed[mover.number]) for mover in self.leaving if mover.number in placed]

    def _has_moved(self, mover: Mover) -> bool:
        return self.floor.placed[mover.number] != self.origins[mover.number]

    def run(self) -> None:
        """Place whom it can, lessen interruption, and send home whoever need not have moved."""
        for highest in (LEVELS[0], LEVELS[-1]):
            self._highest = highest
            failed: dict[int, int] = {}
            for mover in self.left:
                if failed.get(mover.likeness) == self.floor.state:
                    continue
                if not self._place(mover):
                    failed[mover.likeness] = self.floor.state
            self.send_home()
        self._lessen()
        self.send_home()

    def send_home(self) -> None:
        """Let residents stay where they are, if after all they can."""
        found = True
        while found:
            found = False
            for mover in self.residents:
                if self._has_moved(mover):
                    seats = self.floor.take(mover)
                    if self._fits_home(mover):
                        self.floor.put(mover, self.origins[mover.number])
                        found = True
                    else:
                        self.floor.put(mover, seats)

    def drop(self, mover: Mover) -> None:
        """Take a mover's place away again."""
        self.floor.take(mover)

    def _fits_home(self, mover: Mover) -> bool:
        return fits(self.floor, replace(mover, home=AWAY), self.origins[mover.number])

    def _place(self, mover: Mover, highest: int = LEVELS[-1]) -> bool:
        for depth in range(DEEPEST + 1):
            barred = frozenset[int]() if depth == 0 else frozenset({mover.likeness})
            if self._insert(mover, depth, barred, widest=WIDEST[depth], highest=highest):
                return True
        return False

    def _insert(
        self,
        mover: Mover,
        depth: int,
        barred: frozenset[int],
        *,
        widest: int = WIDEST_BELOW,
        highest: int = LEVELS[-1],
    ) -> bool:
        """Place a mover, at a level no higher than `highest`, moving others up to `depth` links away."""
        if mover.home != AWAY:
            highest = min(highest, self._highest)
            if self._fits_home(mover):
                self._journal.put(mover, self.origins[mover.number])
                return True
        seats = self._seater.seat(mover, highest=highest)
        if seats is not None:
            self._journal.put(mover, seats)
            return True
        if depth == 0 or self.attempts <= 0:
            return False
        may_give = self._can_go if depth == 1 else None
        for seats, givers in islice(self._openings.of(mover, barred, may_give), widest):
            if self.attempts <= 0:
                return False
            if level_at(self.floor, mover, seats) > highest:
                continue
            self.attempts -= 1
            if self._displace(mover, seats, givers, depth, barred):
                return True
        return False

    def _can_go(self, mover: Mover) -> bool:
        """Whether one that is to give way has a free place as things stand."""
        key = mover.likeness, mover.home
        known = self._free_places.get(key)
        if known is None or known[0] != self.floor.state:
            highest = LEVELS[-1] if mover.home == AWAY else self._highest
            known = self.floor.state, self._seater.seat(mover, highest=highest) is not None
            self._free_places[key] = known
        return known[1]

    def _displace(
        self, mover: Mover, seats: Seats, givers: Sequence[Mover], depth: int, barred: frozenset[int]
    ) -> bool:
        mark = self._journal.mark()
        for giver in givers:
            self._journal.take(giver)
        self._journal.put(mover, seats)
        # Residents alike may change places: one may go where the other, whose host that is, may not.
        if all(self._insert(giver, depth - 1, barred) for giver in givers):
            return True
        self._journal.roll_back(mark)
        return False

    def _lessen(self) -> None:
        """Give those that are interrupted more than they need be a better place, others moving live."""
        self._highest = LEVELS[0]
        failed: dict[tuple[int, int], int] = {}
        for mover in self.leaving:
            if mover.number not in self.floor.placed:
                continue
            level = level_at(self.floor, mover, self.floor.placed[mover.number])
            key = mover.likeness, level
            if level == 4 - mover.possible.bit_length() or failed.get(key) == self.floor.state:
                continue
            mark = self._journal.mark()
            before = self._interruption()
            self._journal.take(mover)
            if not self._place(mover, highest=level - 1) or self._interruption() >= before:
                self._journal.roll_back(mark)
                failed[key] = self.floor.state

    def _interruption(self) -> int:
        return sum(level_at(self.floor, mover, seats) for mover, seats in self.goals())


class _Clearings(Openings):
    """Openings where residents give way too; for several vgpus together, as few of a host as can be."""

    def _together(self, mover: Mover) -> Iterator[tuple[Seats, list[Mover]]]:
        found = []
        for host in range(len(self.floor.hosts)):
            if host != mover.home:
                option = self._on_host_with_fewest(host, mover)
                if option is not None:
                    seats, givers = option
                    found.append((len(givers), level_at(self.floor, mover, seats), host, seats, givers))
        found.sort(key=lambda option: option[:3])
        for *_, seats, givers in found:
            yield seats, givers

    def _on_host_with_fewest(self, host: int, mover: Mover) -> tuple[Seats, list[Mover]] | None:
        """Seats for all vgpus of a mover on a host, each where fewest must leave for it."""
        floor = self.floor
        mark: list[tuple[Mover, Seats]] = []
        held: list[tuple[int, int, int]] = []
        chosen: dict[int, tuple[int, int]] = {}
        states = 15
        state = floor.state
        for number in mover.order:
            option = self._cheapest(host, mover, number, states, {gpu for gpu, _ in chosen.values()})
            if option is None:
                break
            gpu, placement, givers = option
            mark += [(giver, floor.take(giver)) for giver in givers]
            floor.hold(gpu, mover.types[number], placement)
            held.append((gpu, mover.types[number], placement))
            chosen[number] = gpu, placement
            states &= mover.ways[number][floor.gpu_class[gpu]]
        for gpu, row, placement in reversed(held):
            floor.release(gpu, row, placement)
        result = None
        if len(chosen) == len(mover.types):
            givers = [giver for giver, _ in mark]
            seats = tuple([chosen[number] for number in range(len(mover.types))])
            result = next(((seats, [*givers, *more]) for more in self._givers_of_host(host, mover, [])), None)
        for giver, its_seats in reversed(mark):
            floor.put(giver, its_seats)
        floor.restored(state)
        return result

    def _cheapest(
        self, host: int, mover: Mover, number: int, states: int, taken: Collection[int]
    ) -> tuple[int, int, list[Mover]] | None:
        row, ways = mover.types[number], mover.ways[number]
        alone = replace(mover, types=(row,), ways=(ways,), is_single=True, order=(0,))
        best: tuple[int, int, int, list[Mover]] | None = None
        for gpu in self.floor.gpus_of[host]:
            floor = self.floor
            if not ways[floor.gpu_class[gpu]] & states:
                continue
            if gpu in taken and floor.sharing[gpu] is Sharing.EQUAL and floor.lock[gpu] != row:
                # Its own other vgpu is there.
                continue
            for placement, givers in self._givers(gpu, alone):
                if best is None or (len(givers), gpu) < best[:2]:
                    best = len(givers), gpu, placement, givers
        return None if best is None else best[1:]
