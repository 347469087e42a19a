"""Make room for movers that a first filling left over, by moving other movers of the same plan.

Three ways: *chains* (a mover takes the place of others, each of which finds another), *exchanges* (one or
several give way to more), and *swaps* that lessen interruption. Every attempt that does not pay is rolled
back. Attempts are counted, not timed, so the same fleet gives the same plan on every machine.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from vgpu_migrate.planning.cast import NEVER, Mover
from vgpu_migrate.planning.fill import LEVELS, Seater, seats_on_host, size_of
from vgpu_migrate.planning.floor import NO_ID, Floor, Seats, Sharing, capacity
from vgpu_migrate.planning.geometry import region, regions

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
        self._journal: list[tuple[Mover, Seats | None]] = []
        self._seatable: dict[int, tuple[int, bool]] = {}
        self._is_tight = any(
            math.isfinite(left) for left in (*self.floor.memory_left, *self.floor.vcpus_left)
        )

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

    # Every change goes through these, so that it can be rolled back.

    def _put(self, mover: Mover, seats: Seats) -> None:
        self.floor.put(mover, seats)
        self._journal.append((mover, None))

    def _take(self, mover: Mover) -> Seats:
        seats = self.floor.take(mover)
        self._journal.append((mover, seats))
        return seats

    def _roll_back(self, mark: int, state: int) -> None:
        while len(self._journal) > mark:
            mover, seats = self._journal.pop()
            if seats is None:
                self.floor.take(mover)
            else:
                self.floor.put(mover, seats)
        self.floor.restored(state)

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
        ends = any(self._can_seat(other) for other in _one_of_each(self._placed()))
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
            self._put(mover, seats)
            return True
        if depth == 0:
            return False
        openings = self._openings(mover, barred, only_seatable=depth == 1)
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
        mark, state = len(self._journal), self.floor.state
        for giver in givers:
            self._take(giver)
        self._put(mover, seats)
        inner = barred | {giver.likeness for giver in givers}
        if all(self._insert(giver, depth=depth - 1, barred=inner) for giver in givers):
            return True
        self._roll_back(mark, state)
        return False

    def _openings(
        self, mover: Mover, barred: frozenset[int], *, only_seatable: bool = False
    ) -> Iterator[tuple[Seats, list[Mover]]]:
        """Seats that a mover could have if others gave way, fewest first."""
        if not mover.is_single:
            yield from self._openings_together(mover)
            return
        found: dict[tuple[int, ...], list[tuple[Seats, list[Mover]]]] = {}
        floor = self.floor
        for gpu, level in self._gpus(mover):
            host = floor.host_of[gpu]
            for placement, givers in self._givers(gpu, mover):
                for more in self._givers_of_host(host, mover, givers):
                    everyone = [*givers, *more]
                    if not everyone or any(giver.likeness in barred for giver in everyone):
                        continue
                    key = (len(everyone), level, *sorted([giver.likeness for giver in everyone]))
                    options = found.setdefault(key, [])
                    if len(options) < 2 and not (
                        only_seatable and not all(self._can_seat(giver) for giver in everyone)
                    ):
                        options.append((((gpu, placement),), everyone))
        for key in sorted(found):
            yield from found[key]

    def _gpus(self, mover: Mover) -> Iterator[tuple[int, int]]:
        """The gpus where someone's leaving could help a mover, with its level there."""
        floor = self.floor
        gpus = floor.arrivals.get(mover.board, [])
        if self._is_tight or mover.groups:
            hosts = dict.fromkeys(floor.host_of[gpu] for there in floor.arrivals.values() for gpu in there)
            gpus = [gpu for host in hosts for gpu in floor.gpus_of[host]]
        for gpu in gpus:
            level = mover.levels[floor.gpu_class[gpu]]
            if level != NEVER:
                yield gpu, level

    def _givers(self, gpu: int, mover: Mover) -> Iterator[tuple[int, list[Mover]]]:
        """What must leave a gpu for a mover to sit there: (placement id, movers)."""
        floor, type_row = self.floor, mover.types[0]
        room = floor.room(gpu, type_row)
        if room is not None:
            yield room, []
            return
        here = list(floor.here[gpu].values())
        if not here:
            return
        if floor.sharing[gpu] is Sharing.MIXED:
            yield from self._givers_of_regions(gpu, type_row, here)
        elif floor.sharing[gpu] is Sharing.EQUAL and floor.lock[gpu] != type_row:
            if floor.is_opened[gpu]:
                yield NO_ID, here
        else:
            for giver in _one_of_each(here):
                yield NO_ID, [giver]

    def _givers_of_regions(
        self, gpu: int, type_row: int, here: Sequence[Mover]
    ) -> Iterator[tuple[int, list[Mover]]]:
        taken = [
            (region(row, placement), giver)
            for giver in here
            for (at, placement), row in zip(self.floor.placed[giver.number], giver.types, strict=True)
            if at == gpu
        ]
        stays = self.floor.mask[gpu]
        for mask, _ in taken:
            stays &= ~mask
        for start, mask in regions(type_row):
            if not mask & stays:
                givers = {giver.number: giver for other, giver in taken if other & mask}
                if givers:
                    yield start, list(givers.values())

    def _givers_of_host(self, host: int, mover: Mover, leaving: Sequence[Mover]) -> Iterator[list[Mover]]:
        """Who else must leave the host for its memory, vcpus and groups: nobody, or one of several."""
        floor = self.floor
        if floor.fits_host(host, mover):
            yield []
            return
        memory_mib = mover.memory_mib - floor.memory_left[host] - sum(giver.memory_mib for giver in leaving)
        vcpus = mover.vcpus and mover.vcpus - floor.vcpus_left[host] - sum(giver.vcpus for giver in leaving)
        foes = {group for group in mover.groups if floor.groups[host][group]}
        for giver in leaving:
            foes.difference_update(giver.groups)
        if not foes and memory_mib <= 0 and vcpus <= 0:
            yield []
            return
        there = {number: one for gpu in floor.gpus_of[host] for number, one in floor.here[gpu].items()}
        for giver in leaving:
            there.pop(giver.number)
        for giver in _one_of_each([there[number] for number in sorted(there)]):
            if foes <= set(giver.groups) and memory_mib <= giver.memory_mib and vcpus <= giver.vcpus:
                yield [giver]

    def _openings_together(self, mover: Mover) -> Iterator[tuple[Seats, list[Mover]]]:
        """Whole hosts cleared of this plan's movers: those that would then hold the VM."""
        floor = self.floor
        for host in sorted({floor.host_of[gpu] for there in floor.arrivals.values() for gpu in there}):
            there = {number: one for gpu in floor.gpus_of[host] for number, one in floor.here[gpu].items()}
            givers = sorted(there.values(), key=lambda one: (-sum(map(size_of, one.types)), one.number))
            mark, state = len(self._journal), floor.state
            for giver in givers:
                self._take(giver)
            seats = self._seat_on(host, mover)
            self._roll_back(mark, state)
            if seats is not None:
                yield seats, givers

    def _seat_on(self, host: int, mover: Mover) -> Seats | None:
        if not self.floor.fits_host(host, mover):
            return None
        for level in LEVELS:
            if not mover.possible & (8 >> level):
                continue
            seats = seats_on_host(self.floor, host, mover, level)
            if seats is not None:
                return seats
        return None

    def _exchanges(self) -> bool:
        """Whether someone gave way to more than one; first the gpus this plan opened, then single movers."""
        gained = False
        floor = self.floor
        left = [mover for mover in self.left if mover.is_single]
        for gpu in [gpu for there in floor.arrivals.values() for gpu in there]:
            givers = list(floor.here[gpu].values())
            if len(givers) > 1 and floor.is_opened[gpu] and floor.sharing[gpu] is Sharing.EQUAL:
                coming = Counter(m.types[0] for m in left if m.levels[floor.gpu_class[gpu]] != NEVER)
                most = max((min(capacity(row), count) for row, count in coming.items()), default=0)
                if (
                    most
                    and most + sum(map(self._can_seat, givers)) > len(givers)
                    and self._exchange(givers, left)
                ):
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

    def _may_free_two(self, giver: Mover, left: Sequence[Mover]) -> bool:
        """Whether two of those left could be where one was: a cheap look before the attempt."""
        if len(left) < 2 or self.attempts <= 0:
            return False
        floor, (gpu, _) = self.floor, self.floor.placed[giver.number][0]
        by_memory = False
        if self._is_tight:
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
        mark, state = len(self._journal), floor.state
        for giver in givers:
            self._take(giver)
        came = 0
        failed: set[int] = set()
        for mover in left:
            if mover.likeness in failed or mover.number in floor.placed:
                continue
            may_be_here = any(mover.levels[gpu_class] != NEVER for gpu_class in classes)
            seats = self._seat_on(host, mover) if may_be_here else None
            if seats is None:
                failed.add(mover.likeness)
            else:
                self._put(mover, seats)
                came += 1
        for giver in givers:
            seats = self.seater.seat(giver) if came else None
            if seats is not None:
                self._put(giver, seats)
                came += 1
        if came > len(givers):
            return True
        self._roll_back(mark, state)
        return False

    def level(self, mover: Mover) -> int:
        """How a placed mover moves: 0 live, 1 sleep, 2 hibernate, 3 cold."""
        states = 15
        for (gpu, _), ways in zip(self.floor.placed[mover.number], mover.ways, strict=True):
            states &= ways[self.floor.gpu_class[gpu]]
        return 4 - states.bit_length()

    def _lessen(self) -> None:
        """Move those that are interrupted more than they need be, alone or in exchange with another."""
        failed: dict[tuple[int, int], int] = {}
        for mover in self._placed():
            level = self.level(mover)
            key = (mover.likeness, level)
            if level == min(mover.levels) or failed.get(key) == self.floor.state:
                continue
            mark, state = len(self._journal), self.floor.state
            self._take(mover)
            seats = self.seater.seat(mover, highest=level - 1)
            if seats is not None:
                self._put(mover, seats)
                continue
            self._roll_back(mark, state)
            if not (mover.is_single and self._swap(mover, level)):
                failed[key] = self.floor.state

    def _swap(self, mover: Mover, level: int) -> bool:
        mark, state = len(self._journal), self.floor.state
        for seats, givers in self._openings(mover, frozenset({mover.likeness})):
            reached = mover.levels[self.floor.gpu_class[seats[0][0]]]
            if reached >= level or len(givers) != 1:
                continue
            if self.attempts <= 0:
                return False
            self.attempts -= 1
            (giver,) = givers
            before = level + self.level(giver)
            self._take(mover)
            self._take(giver)
            self._put(mover, seats)
            other = self.seater.seat(giver, highest=min(3, before - reached - 1))
            if other is not None:
                self._put(giver, other)
                return True
            self._roll_back(mark, state)
        return False


def _one_of_each(movers: Sequence[Mover]) -> list[Mover]:
    """The first mover of each likeness."""
    found: dict[int, Mover] = {}
    for mover in movers:
        found.setdefault(mover.likeness, mover)
    return list(found.values())
