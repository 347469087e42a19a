"""VMs that can be on no upgraded host, and the old hosts on which to gather them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.rolling.guises import Guise, Phase
from vgpu_migrate.planning.rolling.seating import Classes, Seating
from vgpu_migrate.planning.rolling.yard import SMALL_POOL, Yard

Targets = Mapping[frozenset[int], Sequence[int]]
"""Hosts by the classes of gpus that they have."""


class Strandings(NamedTuple):
    """Who keeps hosts old."""

    stranded: frozenset[int]
    """Movers on hosts to be upgraded that no upgraded host could take, were it empty, or that no other host
    takes at all."""
    fixed: frozenset[int]
    """The hosts with one that can go nowhere."""
    homeless: frozenset[int]
    """Stranded movers that only a host which was to be upgraded can take."""


def strandings(yard: Yard) -> Strandings:
    """Find the stranded movers of a pool."""
    upgraded = _targets(yard, Guise.MIDWAY, Phase.NEW)
    others = _targets(yard, Guise.BEFORE, Phase.OLD)
    kept = {
        classes: [host for host in hosts if not yard.is_wanted[host]] for classes, hosts in others.items()
    }
    stranded, fixed, homeless = set(), set(), set()
    known: dict[tuple[int, int], tuple[bool, bool, bool]] = {}
    for mover in yard.movers:
        host = yard.host_of(mover.number)
        if not yard.is_wanted[host]:
            continue
        key = (mover.likeness, host)
        if key not in known:
            elsewhere = _fits_one(mover, upgraded, host) or _fits_one(mover, others, host)
            can_be = elsewhere and _fits_one(mover, upgraded, None)
            known[key] = (can_be, elsewhere, _fits_one(mover, kept, None))
        can_be, can_go, can_be_kept = known[key]
        if not can_be:
            stranded.add(mover.number)
            if not can_be_kept:
                homeless.add(mover.number)
        if not can_go:
            fixed.add(host)
    return Strandings(frozenset(stranded), frozenset(fixed), frozenset(homeless))


def _targets(yard: Yard, guise: Guise, phase: Phase) -> Targets:
    """Schedulable hosts in a guise, those that are not upgraded only as they are."""
    found: dict[frozenset[int], list[int]] = {}
    for host, gpus in enumerate(yard.floor.gpus_of):
        if yard.hosts[host].schedulable and (yard.is_wanted[host] or guise is Guise.BEFORE):
            plain = [yard.guises.classes[yard.floor.gpus[gpu].id][guise] for gpu in gpus]
            found.setdefault(frozenset(yard.guises.phased(one, phase) for one in plain), []).append(host)
    return found


def _fits_one(mover: Mover, targets: Targets, without: int | None) -> bool:
    """Whether on some host, one aside, every vgpu has a gpu in one and the same state."""
    for classes, hosts in targets.items():
        if not hosts or (len(hosts) == 1 and hosts[0] == without):
            continue
        states = 15
        for ways in mover.ways:
            states &= reduce(or_, [ways[c] for c in classes], 0)
        if states:
            return True
    return False


MOST_CHOICES = 6
"""How many choices of hosts are offered for one pool."""
MOST_PACKED = 48
"""How many last hosts are tried for a size of set, in a small pool; in larger ones fewer."""
LEAST_CHOICES = 8


def staying_hosts(
    yard: Yard, classes: Classes, stranded: frozenset[int], fixed: frozenset[int], least: int = 0
) -> list[list[int]]:
    """Choices of hosts to leave old: few, and first such as hold many stranded movers already.

    On each of them all stranded movers fit, were everyone else gone. Whether the others find room elsewhere
    is seen when the pool is rolled. The hosts with most stranded movers are taken, as many as need be, and
    sets that differ from these in their last host. No fewer than `least` are looked at.
    """
    if not stranded:
        return [sorted(fixed)]
    volumes = {host: 0 for host, wanted in enumerate(yard.is_wanted) if wanted}
    for number in stranded:
        volumes[yard.host_of(number)] += yard.movers[number].vm.framebuffer_mib
    order = sorted((host for host in volumes if host not in fixed), key=lambda host: (-volumes[host], host))
    gathering = _Gathering(yard, classes, stranded)
    base = sorted(fixed)
    fewest = min(len(order), max(0, least - len(base)))
    count = _fewest(lambda number: gathering.succeeds([*base, *order[:number]]), fewest, len(order))
    if count == 0:
        return [base]
    tries = max(LEAST_CHOICES, MOST_PACKED * SMALL_POOL // max(SMALL_POOL, len(yard.hosts)))
    # Another last host may do with one fewer than the greedy choice takes.
    for size in (count - 1, count) if count > max(1, fewest) else (count,):
        first = [*base, *order[: size - 1]]
        found: list[list[int]] = []
        for host in order[size - 1 :][:tries]:
            if gathering.succeeds([*first, host]):
                found.append([*first, host])
            if len(found) == MOST_CHOICES:
                break
        if found:
            return found
    return [[*base, *order[:count]]]


def _fewest(succeeds: Callable[[int], bool], low: int, high: int) -> int:
    """The least number from `low` on that succeeds, as if more were never worse; `high` where none does."""
    step, failed, number = 1, low - 1, low
    while number < high and not succeeds(number):
        failed, number, step = number, min(high, number + step), step * 2
    while number - failed > 1:
        middle = (failed + number) // 2
        if succeeds(middle):
            number = middle
        else:
            failed = middle
    return number


class _Gathering:
    """A pool with nobody but stranded movers on hosts to be upgraded, all of which are closed."""

    def __init__(self, yard: Yard, classes: Classes, stranded: frozenset[int]) -> None:
        self._yard = yard.copy()
        for mover in yard.movers:
            host = yard.host_of(mover.number)
            if mover.number not in stranded and yard.is_wanted[host]:
                self._yard.floor.take(mover)
                del self._yard.there[host][mover.number]
        for host, is_wanted in enumerate(yard.is_wanted):
            if is_wanted:
                self._yard.set_phase(host, Phase.CLOSED)
        self._seating = Seating(self._yard, classes)
        movers = [yard.movers[number] for number in stranded]
        self._movers = sorted(movers, key=lambda m: (m.is_single, -m.size_mib, m.types, m.number))

    def succeeds(self, chosen: Collection[int]) -> bool:
        """Whether all stranded movers fit on the chosen hosts and on those kept."""
        yard, mark = self._yard, len(self._yard.acts)
        for host in chosen:
            yard.set_phase(host, Phase.STAYING)
        found = self._gather(frozenset(chosen))
        yard.undo(mark)
        for host in chosen:
            yard.set_phase(host, Phase.CLOSED)
        return found

    def _gather(self, chosen: frozenset[int]) -> bool:
        yard = self._yard
        leaving = [mover.number for mover in self._movers if yard.host_of(mover.number) not in chosen]
        for number in leaving:
            seats = self._seating.find(yard.movers[number], (Phase.STAYING, Phase.KEPT))
            if seats is None:
                return False
            yard.move(number, seats, 1)
        return True
