"""List scheduling, event by event: whenever slots are free, the most urgent migration starts.

Urgent is what has the longest way to go behind it. See `timetable` for what is promised.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from vgpu_migrate.planning.precedence import NO_OUTAGE, Web

MOST_EXACT = 20_000
COARSE = 200
"""With more items than that, ranks are kept to a 200th of the bound: exact ones take much longer."""


class Run:
    """One attempt."""

    def __init__(self, web: Web, favour: Sequence[float]) -> None:
        self.web = web
        self.items = web.items
        self.favour = favour
        self.now = 0.0
        self._coarseness_s = web.lower_bound / COARSE if len(web.items) > MOST_EXACT else 0.0
        self.starts = [0.0] * len(web.items)
        self.ends = [0.0] * len(web.items)
        self._missing = [len(item.after) for item in web.items]
        self._events: list[tuple[float, int]] = []
        self._left = list(web.left)
        self._free = list(web.limits.per_host)
        self._fleet_free = web.limits.fleet
        self._open: list[tuple[float, int, int, int]] = []
        """Migrations that may start, highest rank first: (-rank, turn, item, host it was parked at or -1)."""
        self._parked: list[list[tuple[float, int, int]]] = [[] for _ in self._free]
        """By host, migrations that wait for a slot on it. Of a host with free slots, the highest is open."""
        self._gate = _Gate(web) if web.is_gated else None

    def run(self) -> tuple[list[float], list[float]]:
        """Starts and ends of all items."""
        for number, missing in enumerate(self._missing):
            if not missing:
                self._ready(number)
        done = 0
        while True:
            while self._events and self._events[0][0] <= self.now:
                self._end(heapq.heappop(self._events)[1])
                done += 1
            if self._gate is not None:
                for number in self._gate.let_in():
                    self._begin(number)
                if self._events and self._events[0][0] <= self.now:
                    continue
            self._start_migrations()
            if not self._events:
                break
            self.now = self._events[0][0]
        assert done == len(self.items), "items wait for each other"
        return self.starts, self.ends

    def _ready(self, number: int) -> None:
        """An item's predecessors have all ended."""
        if self._gate is None or self._gate.may_begin(number):
            self._begin(number)

    def _begin(self, number: int) -> None:
        if self.items[number].hosts:
            heapq.heappush(self._open, (-self._rank(number), self.web.turn[number], number, -1))
        else:
            self._start(number)

    def _start(self, number: int) -> None:
        end = self.now + self.items[number].seconds
        self.starts[number], self.ends[number] = self.now, end
        heapq.heappush(self._events, (end, number))

    def _rank(self, number: int) -> float:
        """How urgent a migration is. It never grows, so that a rank worked out earlier is no less."""
        item = self.items[number]
        if item.outage != NO_OUTAGE:
            # The same from first to last, so that one host is emptied before the next is begun.
            return self.web.emptying[item.outage] + self.favour[number] + self.web.tails[number]
        source, target = item.hosts
        per_host = self.web.limits.per_host
        from_left, to_left = self._left[source] / per_host[source], self._left[target] / per_host[target]
        rank = max(from_left, to_left) + self.favour[number]
        return rank + (1e-3 * min(from_left, to_left) + 1e-6 * item.seconds) + self.web.tails[number]

    def _start_migrations(self) -> None:
        while self._open and self._fleet_free:
            known, turn, number, home = heapq.heappop(self._open)
            rank = -self._rank(number)
            if rank > known + self._coarseness_s:
                if home < 0:
                    heapq.heappush(self._open, (rank, turn, number, home))
                else:
                    heapq.heappush(self._parked[home], (rank, turn, number))
                    self._open_next(home)
                continue
            item = self.items[number]
            source, target = item.hosts
            for host in (source, target):
                if not self._free[host]:
                    heapq.heappush(self._parked[host], (rank, turn, number))
                    break
            else:
                self._fleet_free -= 1
                for host in (source, target):
                    self._free[host] -= 1
                    self._left[host] -= item.seconds
                self._start(number)
            if home >= 0:
                self._open_next(home)

    def _open_next(self, host: int) -> None:
        if self._free[host] and self._parked[host]:
            heapq.heappush(self._open, (*heapq.heappop(self._parked[host]), host))

    def _end(self, number: int) -> None:
        item = self.items[number]
        if item.hosts:
            self._fleet_free += 1
            for host in item.hosts:
                self._free[host] += 1
                self._open_next(host)
        if self._gate is not None:
            self._gate.ended(number)
        for follower in self.web.followers[number]:
            self._missing[follower] -= 1
            if not self._missing[follower]:
                self._ready(follower)


class _Gate:
    """Lets outages in, at most so many at a time."""

    def __init__(self, web: Web) -> None:
        assert web.limits.outages is not None
        self._web = web
        self._places = web.limits.outages
        self._items_left = {outage: len(members) for outage, members in web.members.items()}
        self._size: dict[int, int] = {}
        self._missing: dict[int, int] = {}
        self._waiting: dict[int, list[int]] = {}
        self._let_in: set[int] = set()
        rank: dict[int, float] = {}
        for outage, members in web.members.items():
            unit = web.unit_of[members[0]]
            self._size[unit] = self._size.get(unit, 0) + 1
            way = max(web.items[number].seconds + web.tails[number] for number in members)
            rank[unit] = max(rank.get(unit, 0.0), way + web.emptying[outage])
        for number, unit in enumerate(web.unit_of):
            if unit != NO_OUTAGE:
                outside = sum(web.unit_of[earlier] != unit for earlier in web.items[number].after)
                self._missing[unit] = self._missing.get(unit, 0) + outside
        self._rank = rank
        self._candidates = [(-rank[unit], unit) for unit, missing in self._missing.items() if not missing]
        heapq.heapify(self._candidates)

    def may_begin(self, number: int) -> bool:
        """Whether an item that is ready may begin at once; else `let_in` gives it later."""
        unit = self._web.unit_of[number]
        if unit == NO_OUTAGE or unit in self._let_in:
            return True
        self._waiting.setdefault(unit, []).append(number)
        return False

    def ended(self, number: int) -> None:
        """Count an item's end."""
        web = self._web
        outage, unit = web.items[number].outage, web.unit_of[number]
        if outage != NO_OUTAGE:
            self._items_left[outage] -= 1
            self._places += not self._items_left[outage]
        for follower in web.followers[number]:
            other = web.unit_of[follower]
            if other not in (NO_OUTAGE, unit):
                self._missing[other] -= 1
                if not self._missing[other]:
                    heapq.heappush(self._candidates, (-self._rank[other], other))

    def let_in(self) -> list[int]:
        """The items that may begin now because their outage is let in; the most urgent outages first."""
        found: list[int] = []
        while self._candidates and self._size[self._candidates[0][1]] <= self._places:
            _, unit = heapq.heappop(self._candidates)
            self._places -= self._size[unit]
            self._let_in.add(unit)
            found += self._waiting.pop(unit, [])
        return found
