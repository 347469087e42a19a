"""Make room for movers that a first filling left over, by moving other movers of the same plan.

Three ways: *chains* (a mover takes the place of others, each of which finds another), *exchanges* (one or
several give way to more), and *swaps* that lessen interruption. Every attempt that does not pay is rolled
back. Attempts are counted, not timed, so the same fleet gives the same plan on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vgpu_migrate.planning.fill import LEVELS, Seater, seats_on_host, size_of
from vgpu_migrate.planning.floor import NEVER, NO_ID, Floor, Mover, Seats, Sharing, capacity
from vgpu_migrate.planning.geometry import regions

ATTEMPTS = 4000
DEEPEST = 3
WIDEST_BELOW = 24
"""How many attempts each inner link of a chain may take."""


class Repair:
    """Repairs one floor. `left` are the movers without a place."""

    def __init__(self, seater: Seater, cast: Sequence[Mover], attempts: int = ATTEMPTS) -> None:
        self.seater = seater
        self.floor: Floor = seater.floor
        self.cast = cast
        self.attempts = attempts
        self._journal: list[tuple[Mover, Seats | None]] = []
        self._seatable: dict[int, tuple[int, bool]] = {}

    @property
    def left(self) -> list[Mover]:
        """Those without a place, easiest first."""
        without = [mover for mover in self.cast if mover.number not in self.floor.placed]
        without.sort(key=lambda m: (len(m.types), sum(map(size_of, m.types)), m.memory_mib, m.number))
        return without

    def run(self) -> None:
        """Place whom it can, then lessen interruption."""
        while self._round():
            pass
        self._lessen()

    def _round(self) -> bool:
        gained = False
        failed: dict[int, int] = {}
        for mover in self.left:
            if failed.get(mover.likeness) == self.floor.state:
                continue
            if self._insert(mover, depth=0, barred=set()) or any(
                self._insert(mover, depth=depth, barred={mover.likeness}) for depth in range(1, DEEPEST + 1)
            ):
                gained = True
            else:
                failed[mover.likeness] = self.floor.state
        return self._exchange_all() or gained

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

    def _insert(self, mover: Mover, *, depth: int, barred: set[int]) -> bool:
        """Place a mover, moving others up to `depth` links away; all or nothing."""
        seats = self.seater.seat(mover)
        if seats is not None:
            self._put(mover, seats)
            return True
        if depth == 0:
            return False
        tried = 0
        for seats, givers in self._openings(mover, barred):
            if depth == 1 and not all(self._can_seat(giver) for giver in givers):
                continue
            if self.attempts <= 0 or (tried >= WIDEST_BELOW and len(barred) > 1):
                return False
            tried += 1
            self.attempts -= 1
            if self._displace(mover, seats, givers, depth, barred):
                return True
        return False

    def _displace(
        self, mover: Mover, seats: Seats | None, givers: Sequence[Mover], depth: int, barred: set[int]
    ) -> bool:
        mark, state = len(self._journal), self.floor.state
        for giver in givers:
            self._take(giver)
        if seats is None:
            seats = self.seater.seats_together(mover)
        if seats is not None:
            self._put(mover, seats)
            inner = barred | {giver.likeness for giver in givers}
            if all(self._insert(giver, depth=depth - 1, barred=inner) for giver in givers):
                return True
        self._roll_back(mark, state)
        return False

    def _openings(self, mover: Mover, barred: set[int]) -> Iterator[tuple[Seats | None, list[Mover]]]:
        """Seats that a mover could have if others gave way, fewest first; seats None: to be sought then."""
        if not mover.is_single:
            yield from self._openings_together(mover)
            return
        found: dict[tuple[int, ...], list[tuple[Seats, list[Mover]]]] = {}
        floor = self.floor
        for gpu, level in self._gpus(mover):
            for placement, givers in self._givers(gpu, mover):
                if any(giver.likeness in barred or giver.number == mover.number for giver in givers):
                    continue
                if not givers and floor.fits_host(floor.host_of[gpu], mover):
                    continue
                for more in self._givers_of_host(floor.host_of[gpu], mover, givers):
                    everyone = [*givers, *more]
                    if any(giver.likeness in barred for giver in more):
                        continue
                    key = (len(everyone), level, *sorted(giver.likeness for giver in everyone))
                    options = found.setdefault(key, [])
                    if len(options) < 3:
                        options.append((((gpu, placement),), everyone))
        for key in sorted(found):
            yield from found[key]

    def _gpus(self, mover: Mover) -> Iterator[tuple[int, int]]:
        for gpu, gpu_class in enumerate(self.floor.gpu_class):
            level = mover.levels[gpu_class]
            if level != NEVER:
                yield gpu, level

    def _givers(self, gpu: int, mover: Mover) -> Iterator[tuple[int, list[Mover]]]:
        """What must leave a gpu for a mover to sit there: (placement id, movers)."""
        floor, type_row = self.floor, mover.types[0]
        here = list(floor.here[gpu].values())
        room = floor.room(gpu, type_row)
        if room is not None:
            yield room, []
        elif not here:
            return
        elif floor.sharing[gpu] is Sharing.MIXED:
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
        taken: list[tuple[int, Mover]] = []
        movable = 0
        for giver in here:
            for (at, placement), row in zip(self.floor.placed[giver.number], giver.types, strict=True):
                if at == gpu:
                    mask = next(mask for start, mask in regions(row) if start == placement)
                    taken.append((mask, giver))
                    movable |= mask
        for start, mask in regions(type_row):
            if not mask & self.floor.mask[gpu] & ~movable:
                givers = {giver.number: giver for other, giver in taken if other & mask}
                if givers:
                    yield start, list(givers.values())

    def _givers_of_host(
        self, host: int, mover: Mover, leaving: Sequence[Mover]
    ) -> Iterator[list[Mover]]:
        """Who else must leave the host for its memory, vcpus and groups: nobody, or one of several."""
        floor = self.floor
        memory_mib = floor.memory_left[host] + sum(giver.memory_mib for giver in leaving)
        vcpus = floor.vcpus_left[host] + sum(giver.vcpus for giver in leaving)
        groups = set(mover.groups)
        foes = {group for group in groups if floor.groups[host][group]}
        for giver in leaving:
            foes -= set(giver.groups)
        lacks_memory, lacks_vcpus = mover.memory_mib > memory_mib, mover.vcpus > max(vcpus, 0)
        if not (foes or lacks_memory or lacks_vcpus):
            yield []
            return
        there = {number: one for gpu in floor.gpus_of[host] for number, one in floor.here[gpu].items()}
        leaving_numbers = {giver.number for giver in leaving}
        for giver in _one_of_each([there[number] for number in sorted(there)]):
            if (
                giver.number not in leaving_numbers
                and foes <= set(giver.groups)
                and mover.memory_mib <= memory_mib + giver.memory_mib
                and mover.vcpus <= max(vcpus + giver.vcpus, 0)
            ):
                yield [giver]

    def _openings_together(self, mover: Mover) -> Iterator[tuple[Seats | None, list[Mover]]]:
        """Whole hosts cleared of this plan's movers: those that would then hold the VM."""
        floor = self.floor
        for host in range(len(floor.hosts)):
            there = {number: one for gpu in floor.gpus_of[host] for number, one in floor.here[gpu].items()}
            if not there:
                continue
            givers = sorted(there.values(), key=lambda one: (-sum(map(size_of, one.types)), one.number))
            mark, state = len(self._journal), floor.state
            for giver in givers:
                self._take(giver)
            seats = None
            if floor.fits_host(host, mover):
                for level in LEVELS:
                    seats = seats or seats_on_host(floor, host, mover, level)
            self._roll_back(mark, state)
            if seats is not None:
                yield seats, givers

    def _exchange_all(self) -> bool:
        """Whether someone gave way to more than one; first the gpus this plan opened, then single movers."""
        gained = False
        for gpu in range(len(self.floor.gpus)):
            if self.floor.here[gpu] and self.floor.is_opened[gpu]:
                gained |= self._exchange(list(self.floor.here[gpu].values()))
        for mover in self.cast:
            if mover.number in self.floor.placed:
                gained |= self._exchange([mover])
        return gained

    def _exchange(self, givers: Sequence[Mover]) -> bool:
        """Whether movers gave way and more came in, on their host."""
        left = self.left
        host = self.floor.host_of[self.floor.placed[givers[0].number][0][0]]
        able = [mover for mover in left if self._may_be_on(mover, host)]
        if not able or self.attempts <= 0:
            return False
        seatable = sum(self._can_seat(giver) for giver in givers)
        if len(able) <= len(givers) - seatable:
            return False
        row = givers[0].types[0]
        if len(givers) > 1 and all(capacity(mover.types[0]) <= capacity(row) for mover in able) and not seatable:
            return False
        self.attempts -= 1
        mark, state = len(self._journal), self.floor.state
        for giver in givers:
            self._take(giver)
        came = 0
        failed: set[int] = set()
        for mover in able:
            if mover.likeness in failed:
                continue
            seats = self._seat_on(host, mover)
            if seats is None:
                failed.add(mover.likeness)
            else:
                self._put(mover, seats)
                came += 1
        if came:
            for giver in givers:
                seats = self.seater.seat(giver)
                if seats is not None:
                    self._put(giver, seats)
                    came += 1
        if came > len(givers):
            return True
        self._roll_back(mark, state)
        return False

    def _may_be_on(self, mover: Mover, host: int) -> bool:
        return mover.is_single and any(
            mover.levels[self.floor.gpu_class[gpu]] != NEVER for gpu in self.floor.gpus_of[host]
        )

    def _seat_on(self, host: int, mover: Mover) -> Seats | None:
        if not self.floor.fits_host(host, mover):
            return None
        for level in LEVELS:
            seats = seats_on_host(self.floor, host, mover, level)
            if seats is not None:
                return seats
        return None

    def level(self, mover: Mover) -> int:
        """How a placed mover moves: 0 live, 1 sleep, 2 hibernate, 3 cold."""
        states = 15
        for (gpu, _), ways in zip(self.floor.placed[mover.number], mover.ways, strict=True):
            states &= ways[self.floor.gpu_class[gpu]]
        return 4 - states.bit_length()

    def _lessen(self) -> None:
        """Move those that are interrupted more than they need be, alone or in exchange with another."""
        for mover in self.cast:
            if mover.number not in self.floor.placed or self.attempts <= 0:
                continue
            level = self.level(mover)
            if level == min((level for level in mover.levels if level != NEVER), default=0):
                continue
            mark, state = len(self._journal), self.floor.state
            self._take(mover)
            seats = self.seater.seat(mover, highest=level - 1) if level else None
            if seats is not None:
                self._put(mover, seats)
            else:
                self._roll_back(mark, state)
                if mover.is_single:
                    self._swap(mover, level)

    def _swap(self, mover: Mover, level: int) -> None:
        mark, state = len(self._journal), self.floor.state
        for seats, givers in self._openings(mover, set()):
            assert seats is not None
            reached = mover.levels[self.floor.gpu_class[seats[0][0]]]
            if reached >= level or len(givers) != 1 or self.attempts <= 0:
                continue
            self.attempts -= 1
            (giver,) = givers
            before = level + self.level(giver)
            self._take(mover)
            self._take(giver)
            self._put(mover, seats)
            other = self.seater.seat(giver, highest=before - reached - 1) if before > reached else None
            if other is not None:
                self._put(giver, other)
                return
            self._roll_back(mark, state)


def _one_of_each(movers: Sequence[Mover]) -> list[Mover]:
    """The first mover of each likeness."""
    found: dict[int, Mover] = {}
    for mover in movers:
        found.setdefault(mover.likeness, mover)
    return list(found.values())
