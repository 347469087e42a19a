"""Roll one pool of hosts: empty some, work on them, empty others into them, until none is left.

Hosts are emptied whole or not at all. A wave empties hosts into those that earlier waves have upgraded, so
that each VM moves once; only where nothing is upgraded yet, or nothing else goes on, do VMs go to hosts that
are still old, and move again later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.defrag.rearrange import Work
from vgpu_migrate.planning.floor import Seats
from vgpu_migrate.planning.moves import WAYS
from vgpu_migrate.planning.rolling.clearing import clearing
from vgpu_migrate.planning.rolling.guises import Guise, Phase
from vgpu_migrate.planning.rolling.make_room import Evictions
from vgpu_migrate.planning.rolling.seating import FINAL, Classes, Seating
from vgpu_migrate.planning.rolling.yard import SMALL_POOL, Moved, Yard, free_gib

_INTERRUPTION = {how: number for number, how in enumerate(WAYS)}
WIDEST = 8
"""How many hosts are tried where each try costs extra moves."""
CLEARING_ATTEMPTS = 400
"""How many ways are tried to make room for the VMs of one host."""
MOST_AT_ONCE = 4
"""How many VMs of one host may go to old hosts to save a wave."""


class Way(NamedTuple):
    """One way to roll a pool."""

    first: int = 1
    """How many hosts to empty into old ones while nothing is upgraded."""
    skip: int = 0
    """How many of the hosts with fewest VMs to pass over for that."""
    by_count: bool = False
    """Whether hosts with fewest VMs come first later on, too, rather than those with least framebuffer."""
    staying: int = 0
    """Which choice of hosts is left old for stranded movers."""
    clearings: int = 12
    """How many hosts are tried where others must be moved out of the way."""
    extra: int = 0
    """How many VMs may go to old hosts later on, so that a wave empties more hosts."""


class Task(NamedTuple):
    """What is to be done to the hosts of a pool."""

    todo: frozenset[int]
    """Hosts to be emptied and worked on."""
    stranded: frozenset[int]
    """Movers that can be on no upgraded host: where they are, hosts stay old."""
    wave_size: Callable[[int], int | None]
    """By wave: how many hosts at most, 0 for none, None for no limit."""
    start: int = 1
    """The first wave's number."""
    may_wait: int = 1
    """After so many waves in which nothing was allowed or possible the pool is given up."""
    is_lift: bool = False
    """Lift pins instead of upgrading."""


class Leapfrog:
    """One attempt on a yard, which it changes."""

    def __init__(self, yard: Yard, classes: Classes, task: Task, way: Way) -> None:
        self.yard = yard
        self._task = task
        self._way = way
        self._extra = way.extra
        self._todo = set(task.todo)
        self._seating = Seating(yard, classes, is_gentle=task.is_lift)
        self._evictions = Evictions(yard, self._seating, task.stranded)
        self._wave = task.start
        self._emptied: list[int] = []

    def run(self) -> None:
        """Roll until every host is worked on or none can be emptied."""
        idle = 0
        while self._todo and idle < self._task.may_wait:
            size = self._task.wave_size(self._wave)
            if size == 0:
                idle += 1
            elif self._one_wave(size):
                idle = 0
            elif not self._let_one_stay():
                return
            else:
                continue
            self._wave += 1

    def _one_wave(self, size: int | None) -> bool:
        self._emptied = []
        most = len(self._todo) if size is None else size
        self._take_empty(most)
        self._into_final(most)
        if not self._emptied:
            self._into_old(most)
        elif self._extra:
            self._spend(most)
        if not self._emptied:
            return False
        yard = self.yard
        others_are_old = any(
            yard.guise[host] is Guise.BEFORE and yard.is_wanted[host]
            for host in range(len(yard.hosts))
            if host not in self._emptied
        )
        for host in self._emptied:
            yard.work(host, self._wave, pin=others_are_old and not self._task.is_lift)
        return True

    def _commit(self, host: int) -> None:
        self._emptied.append(host)
        self._todo.discard(host)

    def _take_empty(self, most: int) -> None:
        """Hosts without VMs cost nothing."""
        for host in sorted(self._todo):
            if len(self._emptied) >= most:
                return
            if not self.yard.there[host]:
                self.yard.set_phase(host, Phase.CLOSED)
                self._commit(host)

    def _into_final(self, most: int) -> None:
        """Empty hosts into such as VMs may stay on, the lightest first."""
        if self._emptied and not self._has_final():
            return
        free = self._free_gib()
        for host in self._by_volume():
            if len(self._emptied) >= most:
                return
            volume = self._volume(host)
            if volume > free:
                continue
            if self._empty(host, into_old=False):
                free -= volume
                self._commit(host)

    def _has_final(self) -> bool:
        return any(phase in FINAL for phase in self.yard.phase)

    def _into_old(self, most: int) -> None:
        """Nothing fits where it could stay: empty a host with as few VMs as can be that must go on again."""
        if self._has_final():
            for host in self._by_volume()[:WIDEST]:
                if self._empty(host, into_old=False, evict=True):
                    self._commit(host)
                    return
        wanted = min(most, 1 if self._has_upgraded() else self._way.first)
        order = self._by_count()
        skip = 0 if self._has_upgraded() or self._emptied else self._way.skip
        for host in [*order[skip:], *order[:skip]]:
            if len(self._emptied) >= wanted:
                return
            if self._empty(host, into_old=True):
                self._commit(host)
        if not self._emptied:
            self._clear(FINAL)
        if not self._emptied:
            self._clear((*FINAL, Phase.OLD))

    def _clear(self, phases: Sequence[Phase]) -> None:
        """Empty the host that takes fewest moves if others may be moved out of the way."""
        if self._task.is_lift or not any(phase in phases for phase in self.yard.phase):
            return
        best: tuple[int, int, list[tuple[int, Seats]]] | None = None
        skip = 0 if self._has_upgraded() else self._way.skip
        tried = max(2, self._way.clearings * SMALL_POOL // max(SMALL_POOL, len(self.yard.hosts)))
        for host in self._by_count()[skip : skip + tried]:
            moves = clearing(self.yard, host, phases, Work(attempts=CLEARING_ATTEMPTS))
            if moves is not None and (best is None or len(moves) < best[0]):
                best = len(moves), host, moves
        if best is not None:
            _, host, moves = best
            self._follow(host, moves)

    def _follow(self, host: int, moves: Sequence[tuple[int, Seats]]) -> None:
        """Do moves that empty a host."""
        self.yard.set_phase(host, Phase.CLOSED)
        for number, seats in moves:
            self.yard.move(number, seats, self._wave)
        self._commit(host)

    def _has_upgraded(self) -> bool:
        return any(phase is Phase.NEW for phase in self.yard.phase)

    def _spend(self, most: int) -> None:
        """Empty more hosts in this wave at the cost of moves: of others, or of its largest VMs twice."""
        for host in self._by_volume()[:WIDEST]:
            if len(self._emptied) >= most or not self._extra:
                return
            load = len(self.yard.there[host])
            moves = None
            if len(self.yard.hosts) <= SMALL_POOL and self._volume(host) <= self._free_gib():
                moves = clearing(self.yard, host, FINAL, Work(attempts=CLEARING_ATTEMPTS))
            spare = self._extra if moves is None else min(self._extra, len(moves) - load - 1)
            for count in range(1, min(spare, MOST_AT_ONCE) + 1):
                if self._empty(host, into_old=False, first_into_old=count):
                    self._commit(host)
                    self._extra -= count
                    break
            else:
                if moves is not None and len(moves) - load <= self._extra:
                    self._extra -= len(moves) - load
                    self._follow(host, moves)

    def _empty(self, host: int, *, into_old: bool, evict: bool = False, first_into_old: int = 0) -> bool:
        """Find a place for every VM of a host, or change nothing."""
        yard = self.yard
        mark, phase = len(yard.acts), yard.phase[host]
        yard.set_phase(host, Phase.CLOSED)
        for position, mover in enumerate(self._hardest_first(yard.there[host])):
            if not self._place(mover, into_old=into_old, evict=evict, only_old=position < first_into_old):
                yard.undo(mark)
                yard.set_phase(host, phase)
                return False
        return True

    def _place(self, mover: Mover, *, into_old: bool, evict: bool, only_old: bool) -> bool:
        yard, seats = self.yard, None
        is_stranded = mover.number in self._task.stranded
        final = (Phase.STAYING, Phase.KEPT) if is_stranded else FINAL
        if not only_old:
            seats = self._seating.find(mover, final)
            if seats is None and (is_stranded or evict):
                seats = self._evictions.make_room(mover, final, self._wave)
        if seats is None and (into_old or only_old):
            seats = self._seating.find(mover, (Phase.OLD,))
        if seats is None:
            return False
        yard.move(mover.number, seats, self._wave)
        return True

    def _let_one_stay(self) -> bool:
        """Give up a host with stranded VMs: then it may take those of others. False where there is none."""
        stranded = self._task.stranded
        if self._task.is_lift:
            return False
        counts = {host: sum(number in stranded for number in self.yard.there[host]) for host in self._todo}
        best = max(self._todo, key=lambda host: (counts[host], self._volume(host), -host))
        if not counts[best]:
            return False
        self._todo.discard(best)
        self.yard.set_phase(best, Phase.STAYING)
        return True

    # What a host is like.

    def _hardest_first(self, numbers: Iterable[int]) -> list[Mover]:
        movers = [self.yard.movers[number] for number in numbers]
        stranded = self._task.stranded
        movers.sort(
            key=lambda m: (
                m.number not in stranded,
                m.is_single,
                -m.size_mib * len(m.types),
                m.types,
                m.number,
            )
        )
        return movers

    def _volume(self, host: int) -> float:
        volumes = self.yard.volumes
        return sum([volumes[number] for number in self.yard.there[host]])

    def _by_volume(self) -> list[int]:
        is_open = [host.schedulable for host in self.yard.hosts]
        # What receives nobody even when it is upgraded comes last.
        if self._way.by_count:
            there = self.yard.there
            return sorted(self._todo, key=lambda h: (not is_open[h], len(there[h]), self._volume(h), h))
        return sorted(self._todo, key=lambda host: (not is_open[host], self._volume(host), host))

    def _by_count(self) -> list[int]:
        stranded, there = self._task.stranded, self.yard.there
        return sorted(
            self._todo,
            key=lambda host: (
                not self.yard.hosts[host].schedulable,
                sum(number in stranded for number in there[host]),
                len(there[host]),
                self._volume(host),
                host,
            ),
        )

    def _free_gib(self) -> float:
        """Framebuffer that is free where VMs may stay: more cannot come."""
        yard = self.yard
        return sum(
            free_gib(yard, gpu)
            for host, phase in enumerate(yard.phase)
            if phase in FINAL
            for gpu in yard.floor.gpus_of[host]
        )


class Outcome(NamedTuple):
    """How an attempt ended; less is better, in this order."""

    blocked: int
    interruption: int
    moves: int
    waves: int


def outcome(yard: Yard) -> Outcome:
    """How good the acts of a yard are. Interruption: 0 for a live move up to 3 for a cold one."""
    moves: Sequence[Moved] = [act for act in yard.acts if isinstance(act, Moved)]
    return Outcome(
        blocked=sum(
            wanted and guise is Guise.BEFORE for wanted, guise in zip(yard.is_wanted, yard.guise, strict=True)
        ),
        interruption=sum(_INTERRUPTION[act.how] for act in moves),
        moves=len(moves),
        waves=max((act.wave for act in yard.acts), default=0),
    )
