"""Make room for movers that a first filling left over, by moving other movers of the same plan.

Three ways: *chains* (a mover takes the place of others, each of which finds another), *exchanges* (one or
several give way to more), and *swaps* that lessen interruption. Every attempt that does not pay is rolled
back. Attempts are counted, not timed, so the same fleet gives the same plan on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from vgpu_migrate.planning.best import level_at
from vgpu_migrate.planning.cast import NEVER, Mover
from vgpu_migrate.planning.fill import Seater
from vgpu_migrate.planning.floor import Floor, Seats, Sharing, capacity
from vgpu_migrate.planning.journal import Journal
from vgpu_migrate.planning.openings import Openings, one_of_each

DEEPEST = 3
WIDEST = (0, 60, 40, 20)
"""How many attempts the outermost link of a chain may take, by the chain's greatest length."""
WIDEST_BELOW = 6
"""How many each inner link may take."""


class Repair:
    """Repairs one floor within a number of attempts."""

    def __init__(self, seater: Seater, cast: Sequence[Mover], attempts: int) -> None:
        self.seater = seater
        self.floor: Floor = seater.floor
        self.cast = cast
        self.attempts = attempts
        self._journal = Journal(self.floor)
        self._seatable: dict[int, tuple[int, bool]] = {}
        self._openings = Openings(self.floor)

    @property
    def left(self) -> list[Mover]:
        """Those without a place, easiest first."""
        without = [mover for mover in self.cast if mover.number not in self.floor.placed]
        without.sort(key=lambda mover: (len(mover.types), mover.size_mib, mover.memory_mib, mover.number))
        return without

    def run(self) -> None:
        """Place whom it can, then lessen interruption."""
        while self.attempts > 0 and self._chains():
            pass
        while self.attempts > 0 and self._exchanges() and self._chains():
            pass
        self._lessen()

    def _can_seat(self, mover: Mover) -> bool:
        """Whether a mover like this one has a free seat as things stand."""
        known = self._seatable.get(mover.likeness)
        if known is None or known[0] != self.floor.state:
            known = (self.floor.state, self.seater.seat(mover) is not None)
            self._seatable[mover.likeness] = known
        return known[1]

    def _chains(self) -> bool:
        gained = False
        failed: dict[int, int] = {}
        for mover in self.left:
            if failed.get(mover.likeness) == self.floor.state:
                continue
            if self._insert(mover, depth=0, barred=frozenset()) or self._chain(mover):
                gained = True
            else:
                failed[mover.likeness] = self.floor.state
        return gained

    def _chain(self, mover: Mover) -> bool:
        ends = any(self._can_seat(other) for other in one_of_each(self._placed()))
        barred = frozenset({mover.likeness})
        for depth in range(1, DEEPEST + 1):
            # A chain of movers on equal-size gpus ends in a seat that is free now; others may make one.
            if not ends and (depth == 1 or Sharing.MIXED not in self.floor.sharing):
                return False
            if self._insert(mover, depth=depth, barred=barred, widest=WIDEST[depth]):
                return True
        return False

    def _placed(self) -> list[Mover]:
        return [mover for mover in self.cast if mover.number in self.floor.placed]

    def _insert(
        self, mover: Mover, *, depth: int, barred: frozenset[int], widest: int = WIDEST_BELOW
    ) -> bool:
        """Place a mover, moving others up to `depth` links away; all or nothing."""
        seats = self.seater.seat(mover)
        if seats is not None:
            self._journal.put(mover, seats)
            return True
        if depth == 0 or self.attempts <= 0:
            return False
        self.attempts -= 1
        openings = self._openings.of(mover, barred, self._can_seat if depth == 1 else None)
        for found, givers in islice(openings, widest):
            if self.attempts <= 0:
                return False
            self.attempts -= 1
            if self._displace(mover, found, givers, depth, barred):
                return True
        return False

    def _displace(
        self, mover: Mover, seats: Seats, givers: Sequence[Mover], depth: int, barred: frozenset[int]
    ) -> bool:
        mark = self._journal.mark()
        for giver in givers:
            self._journal.take(giver)
        self._journal.put(mover, seats)
        inner = barred | {giver.likeness for giver in givers}
        if all(self._insert(giver, depth=depth - 1, barred=inner) for giver in givers):
            return True
        self._journal.roll_back(mark)
        return False

    def _exchanges(self) -> bool:
        """Whether someone gave way to more than one; first the gpus this plan opened, then single movers."""
        gained = False
        floor = self.floor
        left = [mover for mover in self.left if mover.is_single]
        for gpu in [gpu for there in floor.arrivals.values() for gpu in there]:
            if floor.is_opened[gpu] and floor.sharing[gpu] is Sharing.EQUAL and self._relock(gpu, left):
                gained = True
                left = [mover for mover in self.left if mover.is_single]
        for giver in self.cast:
            if (
                giver.number in floor.placed
                and self._may_free_two(giver, left)
                and self._exchange([giver], left)
            ):
                gained = True
                left = [mover for mover in self.left if mover.is_single]
        return gained

    def _relock(self, gpu: int, left: Sequence[Mover]) -> bool:
        """Whether a gpu that this plan opened went to another type, of which it holds more."""
        givers = list(self.floor.here[gpu].values())
        coming = Counter(m.types[0] for m in left if m.levels[self.floor.gpu_class[gpu]] != NEVER)
        most = [(min(capacity(row), count), row) for row, count in coming.items()]
        for count, row in sorted(most, key=lambda item: (-item[0], item[1])):
            coming_here = [mover for mover in left if mover.types[0] == row]
            may_gain = count + sum(map(self._can_seat, givers)) > len(givers)
            if givers and may_gain and self._exchange(givers, coming_here):
                return True
        return False

    def _may_free_two(self, giver: Mover, left: Sequence[Mover]) -> bool:
        """Whether two of those left could be where one was: a cheap look before the attempt."""
        if len(left) < 2 or self.attempts <= 0:
            return False
        floor, (gpu, _) = self.floor, self.floor.placed[giver.number][0]
        by_memory = False
        if self._openings.is_tight:
            host = floor.host_of[gpu]
            room = [
                mover.memory_mib
                for mover in left
                if any(mover.levels[floor.gpu_class[at]] != NEVER for at in floor.gpus_of[host])
            ]
            by_memory = sum(sorted(room)[:2]) <= giver.memory_mib + floor.memory_left[host] and len(room) > 1
            if not by_memory:
                return False
        if not giver.is_single:
            return True
        if floor.sharing[gpu] is Sharing.MIXED:
            sizes = [mover.size_mib for mover in left if mover.levels[floor.gpu_class[gpu]] != NEVER][:2]
            if len(sizes) == 2 and sum(sizes) <= giver.size_mib:
                return True
        return by_memory

    def _exchange(self, givers: Sequence[Mover], left: Sequence[Mover]) -> bool:
        """Whether movers gave way and more came in, on their host."""
        if self.attempts <= 0:
            return False
        self.attempts -= 1
        floor = self.floor
        host = floor.host_of[floor.placed[givers[0].number][0][0]]
        classes = {floor.gpu_class[gpu] for gpu in floor.gpus_of[host]}
        mark = self._journal.mark()
        for giver in givers:
            self._journal.take(giver)
        came = 0
        failed: set[int] = set()
        for mover in left:
            if mover.likeness in failed or mover.number in floor.placed:
                continue
            may_be_here = any(mover.levels[gpu_class] != NEVER for gpu_class in classes)
            seats = self._openings.on_host(host, mover) if may_be_here else None
            if seats is None:
                failed.add(mover.likeness)
            else:
                self._journal.put(mover, seats)
                came += 1
        for giver in givers:
            seats = self.seater.seat(giver) if came else None
            if seats is not None:
                self._journal.put(giver, seats)
                came += 1
        if came > len(givers):
            return True
        self._journal.roll_back(mark)
        return False

    def _lessen(self) -> None:
        """Move those that are interrupted more than they need be, alone or in exchange with another."""
        failed: dict[tuple[int, int], int] = {}
        for mover in self._placed():
            level = level_at(self.floor, mover, self.floor.placed[mover.number])
            key = (mover.likeness, level)
            if level == min(mover.levels) or failed.get(key) == self.floor.state:
                continue
            mark = self._journal.mark()
            self._journal.take(mover)
            seats = self.seater.seat(mover, highest=level - 1)
            if seats is not None:
                self._journal.put(mover, seats)
                continue
            self._journal.roll_back(mark)
            if not (mover.is_single and self._swap(mover, level)):
                failed[key] = self.floor.state

    def _swap(self, mover: Mover, level: int) -> bool:
        mark = self._journal.mark()
        for seats, givers in self._openings.of(mover, frozenset({mover.likeness})):
            reached = mover.levels[self.floor.gpu_class[seats[0][0]]]
            if reached >= level or len(givers) != 1:
                continue
            if self.attempts <= 0:
                return False
            self.attempts -= 1
            (giver,) = givers
            before = level + level_at(self.floor, giver, self.floor.placed[giver.number])
            self._journal.take(mover)
            self._journal.take(giver)
            self._journal.put(mover, seats)
            other = self.seater.seat(giver, highest=min(3, before - reached - 1))
            if other is not None:
                self._journal.put(giver, other)
                return True
            self._journal.roll_back(mark)
        return False
