"""Find places for movers on a floor: the seats each may take, in order of preference, and a first filling.

Preference: least interruption, then best fit (the fullest gpu of the type, then the mixed-size gpu that
loses least, then an empty gpu), then the host with least coming in, then the fleet's order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vgpu_migrate import facts
from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.floor import MOST_SCANNED, NO_ID, Floor, Seats, Sharing, capacity
from vgpu_migrate.planning.geometry import best_id

LEVELS = range(4)
Band = tuple[int, int]
"""Levels from the lowest to the highest, both included."""
EACH_LEVEL: tuple[Band, ...] = tuple((level, level) for level in LEVELS)
ANY_LEVEL: tuple[Band, ...] = ((LEVELS[0], LEVELS[-1]),)


class Seater:
    """Seats for single movers, level by level; knows which gpu classes each likeness may use."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self._classes_of_board: dict[int, list[int]] = {}
        for board, gpu_class in sorted(set(zip(floor.boards, floor.gpu_class, strict=True))):
            self._classes_of_board.setdefault(board, []).append(gpu_class)
        self._classes: dict[tuple[int, int], list[int]] = {}

    def classes(self, mover: Mover, level: int) -> list[int]:
        """The gpu classes where a single mover may go at exactly this level."""
        key = (mover.likeness, level)
        found = self._classes.get(key)
        if found is None:
            board = mover.board
            there = self._classes_of_board.get(board, ())
            found = [gpu_class for gpu_class in there if mover.levels[gpu_class] == level]
            self._classes[key] = found
        return found

    def seat(
        self, mover: Mover, *, lowest: int = 0, highest: int = 3, open_empty: bool = True
    ) -> Seats | None:
        """The best free seat for a single mover between two levels, both included."""
        if not mover.is_single:
            return self.seats_together(mover, lowest=lowest, highest=highest)
        for level in range(lowest, highest + 1):
            classes = self.classes(mover, level)
            if classes:
                found = self.seat_among(mover, classes, open_empty=open_empty)
                if found is not None:
                    return (found,)
        return None

    def seat_among(
        self, mover: Mover, classes: Sequence[int], *, open_empty: bool = True
    ) -> tuple[int, int] | None:
        """The best free seat for a single mover on gpus of these classes, where it may go: best fit."""
        found = self._in_used(mover, classes)
        return self._in_empty(mover, classes) if found is None and open_empty else found

    def _in_used(self, mover: Mover, classes: Sequence[int]) -> tuple[int, int] | None:
        floor, type_row = self.floor, mover.types[0]
        tables = [floor.slots[type_row, c] for c in classes if (type_row, c) in floor.slots]
        for left in range(1, capacity(type_row)):
            found = self.lightest(mover, [table[left] for table in tables if table[left]])
            if found is not None:
                return found, NO_ID
        in_mixed = self._in_mixed(mover, classes, is_empty=False)
        if in_mixed is not None:
            return in_mixed
        board = mover.board
        for gpu_class in classes:
            for gpu in floor.migs.get((board, gpu_class), ()):
                if floor.fits_host(floor.host_of[gpu], mover) and floor.room(gpu, type_row) is not None:
                    return gpu, NO_ID
        return None

    def _in_empty(self, mover: Mover, classes: Sequence[int]) -> tuple[int, int] | None:
        in_mixed = self._in_mixed(mover, classes, is_empty=True)
        if in_mixed is not None:
            return in_mixed
        board = mover.board
        empties = [self.floor.empty[board, c] for c in classes if self.floor.empty.get((board, c))]
        found = self.lightest(mover, empties)
        return None if found is None else (found, NO_ID)

    def _in_mixed(self, mover: Mover, classes: Sequence[int], *, is_empty: bool) -> tuple[int, int] | None:
        floor, type_row = self.floor, mover.types[0]
        board = mover.board
        options = []
        for gpu_class in classes:
            for mask, gpus in floor.mixed.get((board, gpu_class), {}).items():
                if (mask == 0) is is_empty:
                    found = best_id(type_row, mask)
                    if found is not None:
                        options.append((found[0], mask, found[1], gpus))
        options.sort(key=lambda option: (option[0], option[1], option[3][0]))
        for _, _, placement, gpus in options:
            gpu = self.lightest(mover, [gpus])
            if gpu is not None:
                return gpu, placement
        return None

    def lightest(self, mover: Mover, lists: Iterable[Sequence[int]]) -> int | None:
        """The gpu whose host has least coming in, among the first that fit; ties by number."""
        floor = self.floor
        best: tuple[float, int] | None = None
        seen = 0
        for gpus in lists:
            for gpu in gpus:
                host = floor.host_of[gpu]
                load = floor.load_s[host]
                if (best is None or (load, gpu) < best) and floor.fits_host(host, mover):
                    best = (load, gpu)
                seen += 1
                if seen > MOST_SCANNED and best is not None:
                    return best[1]
        return None if best is None else best[1]

    def seats_together(self, mover: Mover, *, lowest: int = 0, highest: int = 3) -> Seats | None:
        """Seats for all vgpus of a mover on one host, between two levels."""
        hosts = sorted(
            (host for host in range(len(self.floor.hosts)) if self.floor.fits_host(host, mover)),
            key=lambda host: (self.floor.load_s[host], host),
        )
        for level in range(lowest, highest + 1):
            if not mover.possible & (8 >> level):
                continue
            for host in hosts:
                found = seats_on_host(self.floor, host, mover, level)
                if found is not None:
                    return found
        return None


def seats_on_host(floor: Floor, host: int, mover: Mover, level: int) -> Seats | None:
    """Seats for all vgpus of a mover on one host at one level: a search with backtracking."""
    bit = 8 >> level
    gpus = floor.gpus_of[host]
    order = mover.order
    chosen: dict[int, tuple[int, int]] = {}

    def place(position: int) -> bool:
        if position == len(order):
            return True
        number = order[position]
        type_row, ways = mover.types[number], mover.ways[number]
        options = []
        for gpu in gpus:
            if ways[floor.gpu_class[gpu]] & bit:
                room = floor.room(gpu, type_row)
                if room is not None:
                    options.append((floor.count[gpu] == 0, -floor.count[gpu], gpu, room))
        options.sort()
        alike: set[tuple[int, ...]] = set()
        for _, _, gpu, room in options:
            own = gpu if floor.sharing[gpu] is Sharing.MIG else -1
            key = (floor.gpu_class[gpu], own, floor.lock[gpu], floor.count[gpu], floor.mask[gpu])
            if key in alike:
                continue
            alike.add(key)
            floor.hold(gpu, type_row, room)
            chosen[number] = (gpu, room)
            found = place(position + 1)
            floor.release(gpu, type_row, room)
            if found:
                return True
        return False

    return tuple(chosen[number] for number in range(len(order))) if place(0) else None


def size_of(type_row: int) -> int:
    """Framebuffer of a type in MiB."""
    return facts.vgpu_type_by_row(type_row).framebuffer_mib


def fill(
    seater: Seater,
    movers: Sequence[Mover],
    *,
    small_first: bool = False,
    bands: Sequence[Band] = EACH_LEVEL,
) -> None:
    """Place what a first pass can.

    VMs with several vgpus come first, because only they need a whole host. Then, one band of levels of
    interruption after another: slots of gpus in use, and empty gpus, each given to the type that fills it
    most. A level at a time interrupts least; all at once does not give a gpu to one that could go live where
    several could go cold.
    """
    floor = seater.floor
    together = sorted((mover for mover in movers if not mover.is_single), key=_hardest)
    seatless: set[int] = set()
    for mover in together:
        seats = None if mover.likeness in seatless else seater.seats_together(mover)
        if seats is None:
            seatless.add(mover.likeness)
        else:
            floor.put(mover, seats)
    singles = [mover for mover in movers if mover.is_single]
    sign = 1 if small_first else -1
    room_of = {mover.likeness: _choice(seater, mover) for mover in singles}
    singles.sort(
        key=lambda mover: (sign * mover.size_mib, room_of[mover.likeness], -mover.memory_mib, mover.number)
    )
    for lowest, highest in bands:
        waiting = [mover for mover in singles if mover.number not in floor.placed]
        failed: set[int] = set()
        for mover in waiting:
            if mover.likeness in failed:
                continue
            seats = seater.seat(mover, lowest=lowest, highest=highest, open_empty=False)
            if seats is None:
                failed.add(mover.likeness)
            else:
                floor.put(mover, seats)
        still = [mover for mover in waiting if mover.number not in floor.placed]
        _open_empty(seater, still, (lowest, highest))


def _hardest(mover: Mover) -> tuple[int, int, int]:
    return (-sum(map(size_of, mover.types)), -len(mover.types), mover.number)


def _choice(seater: Seater, mover: Mover) -> int:
    """How many gpu classes a mover may use: those with least choice come first."""
    return sum(len(seater.classes(mover, level)) for level in LEVELS)


class _Waiting:
    """Single movers without a place in a band of levels, by type, and how many could use each gpu class."""

    def __init__(self, movers: Sequence[Mover], classes: Iterable[int], band: Band) -> None:
        self._lowest, self._highest = band
        self.by_type: dict[int, list[Mover]] = {}
        self.demand: dict[tuple[int, int], int] = {}
        self._classes = list(classes)
        for mover in movers:
            self.by_type.setdefault(mover.types[0], []).append(mover)
            self._count(mover, 1)

    def able(self, type_row: int, gpu_class: int) -> list[Mover]:
        """Those of a type that may use a gpu class."""
        return [
            mover
            for mover in self.by_type[type_row]
            if self._lowest <= mover.levels[gpu_class] <= self._highest
        ]

    def remove(self, mover: Mover) -> None:
        """One that has found a place."""
        self.by_type[mover.types[0]].remove(mover)
        self._count(mover, -1)

    def _count(self, mover: Mover, change: int) -> None:
        for gpu_class in self._classes:
            if self._lowest <= mover.levels[gpu_class] <= self._highest:
                key = (mover.types[0], gpu_class)
                self.demand[key] = self.demand.get(key, 0) + change


def _open_empty(seater: Seater, movers: Sequence[Mover], band: Band) -> None:
    """Give empty gpus to the types that fill them most, until nobody waits who could use one.

    Filling an empty gpu with a type gains the lesser of the type's instances and of those who wait for
    it, which only shrinks as more are given: taking the greatest gain each time is best where gpus are
    alike. Between equal gains the gpu class that fewer other types could use comes first.
    """
    floor = seater.floor
    waiting = _Waiting(movers, sorted({gpu_class for _, gpu_class in floor.empty}), band)
    given_up: set[tuple[int, int]] = set()
    while True:
        ranks = []
        for (type_row, gpu_class), count in waiting.demand.items():
            if count and (type_row, gpu_class) not in given_up:
                gain = min(count, capacity(type_row))
                others = sum(
                    1 for (row, c), n in waiting.demand.items() if c == gpu_class and row != type_row and n
                )
                ranks.append((-gain, others, -size_of(type_row), type_row, gpu_class))
        if not ranks:
            break
        *_, type_row, gpu_class = min(ranks)
        if not _open_one(seater, waiting, type_row, gpu_class):
            given_up.add((type_row, gpu_class))
    failed: set[int] = set()
    for mover in movers:
        if mover.number not in floor.placed and mover.likeness not in failed:
            seats = seater.seat(mover, lowest=band[0], highest=band[1])
            if seats is None:
                failed.add(mover.likeness)
            else:
                floor.put(mover, seats)


def _open_one(seater: Seater, waiting: _Waiting, type_row: int, gpu_class: int) -> bool:
    """Fill one empty gpu of a class with movers of a type; False if none fits any."""
    floor = seater.floor
    able = waiting.able(type_row, gpu_class)
    empties = floor.empty.get((able[0].board, gpu_class), ())
    gpu = next((found for mover in able if (found := seater.lightest(mover, [empties])) is not None), None)
    if gpu is None:
        return False
    room, host = capacity(type_row), floor.host_of[gpu]
    for mover in able:
        if room and floor.fits_host(host, mover):
            floor.put(mover, ((gpu, NO_ID),))
            waiting.remove(mover)
            room -= 1
    return True
