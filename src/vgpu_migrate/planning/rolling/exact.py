"""Hosts that are never empty, and how many stay old, by exact packing where counting says too little.

The question is always whether some VMs fit on some hosts with nobody else about; a proven no is a bound. Yes
or unknown leaves what counting says.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from vgpu_migrate.planning.cast import AWAY, NEVER, Mover
from vgpu_migrate.planning.defrag.exact import Limit, place_most
from vgpu_migrate.planning.defrag.pool import Pool
from vgpu_migrate.planning.rolling.reach import Kinds
from vgpu_migrate.planning.rolling.yard import Yard, copy_floor

WORK_OF_QUESTION = 0.5
"""Deterministic seconds at most for one question."""
OVERHEAD_OF_QUESTION = 0.01
"""What a question is charged at least, for the time that building its model takes."""
MOST_HOSTS = 6
"""For how many hosts of the same kinds it is asked whether one of them can be empty."""
MOST_SETS = 64
"""How many sets of hosts are looked at for how many stay old."""
MOST_FOUND = 6
"""How many sets that may hold all are given."""


class Packing:
    """Exact answers for one pool, as long as the work lasts."""

    def __init__(self, yard: Yard, kinds: Kinds, limit: Limit) -> None:
        self._yard = yard
        self._kinds = kinds
        self._limit = limit
        self.left = limit.work
        """Deterministic seconds left."""
        self._floor = copy_floor(yard.floor)
        for mover in yard.movers:
            self._floor.take(mover)
        for gpu, kind in enumerate(kinds.of_gpu):
            self._floor.reclass(gpu, kind)

    def never_empty(self, known: frozenset[int]) -> frozenset[int]:
        """Hosts to be upgraded without whose gpus VMs do not fit, beside those known already."""
        found: set[int] = set()
        for reach in self._kinds.reaches:
            hosts = [host for host, gpus in enumerate(self._yard.floor.gpus_of) if self._has(gpus, reach)]
            movers = [mover for mover in self._yard.movers if self._kinds.is_within(mover, reach)]
            if not 2 <= len(hosts) <= MOST_HOSTS:
                continue
            for host in hosts:
                if self._yard.is_wanted[host] and host not in known | found:
                    others = [other for other in hosts if other != host]
                    if self._cannot_be_on(movers, others):
                        found.add(host)
        return frozenset(found)

    def least_old(
        self, homeless: Sequence[Mover], fixed: frozenset[int], least: int
    ) -> tuple[int, list[list[int]]]:
        """No fewer hosts stay old: one more than `least`, and so on, as long as no set so large holds all.

        With it come some sets of that size that were not proved too small, first such as hold many already.
        """
        wanted = [host for host, is_wanted in enumerate(self._yard.is_wanted) if is_wanted]
        there = Counter(self._yard.host_of(mover.number) for mover in homeless)
        free = sorted([host for host in wanted if host not in fixed], key=lambda h: (-there[h], h))
        while homeless and len(fixed) <= least < len(wanted):
            if math.comb(len(free), least - len(fixed)) > MOST_SETS:
                break
            found: list[list[int]] = []
            for chosen in combinations(free, least - len(fixed)):
                hosts = [*sorted(fixed), *chosen]
                if not self._cannot_be_on(homeless, hosts):
                    found.append(hosts)
                if len(found) == MOST_FOUND:
                    break
            if found:
                return least, found
            least += 1
        return least, []

    def _has(self, gpus: Sequence[int], reach: frozenset[int]) -> int:
        return sum(self._kinds.of_gpu[gpu] in reach for gpu in gpus)

    def _cannot_be_on(self, movers: Sequence[Mover], hosts: Sequence[int]) -> bool:
        """Whether it is proved that movers do not fit on hosts."""
        if not hosts or self.left <= 0:
            return not hosts and bool(movers)
        limit = self._limit._replace(work=min(self.left, WORK_OF_QUESTION))
        asked = Pool(tuple(hosts), tuple(self._plain(movers)), ())
        best = place_most(self._floor, asked, {}, {}, limit)
        self.left -= max(best.work, OVERHEAD_OF_QUESTION)
        return best.most < len(movers)

    def _plain(self, movers: Sequence[Mover]) -> Iterator[Mover]:
        """Movers that may be on whatever kinds they may ever be on, each in one way."""
        for mover in movers:
            ways = tuple(
                [[8 if kind in reach else 0 for kind in self._kinds.every] for reach in self._kinds.of(mover)]
            )
            levels = [0 if bits else NEVER for bits in ways[0]]
            # Those alike before may differ in the kind that they are on.
            likeness = self._kinds.likeness(mover)
            yield replace(mover, home=AWAY, ways=ways, levels=levels, possible=8, likeness=likeness)
