"""Steps as a timetable sees them, who waits for whom, and what no timetable of them can better."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vgpu_migrate.planning.bounds import machines_bound
from vgpu_migrate.planning.circles import knots

NO_OUTAGE = -1


class Item(NamedTuple):
    """A step as a timetable sees it. Hosts, other items and outages are numbers."""

    seconds: float
    hosts: tuple[int, ...]
    """A migration's source and target, on which it takes a slot each; nothing for other steps."""
    after: tuple[int, ...] = ()
    """Earlier items that must have ended."""
    outage: int = NO_OUTAGE


class Limits(NamedTuple):
    """Migrations at once on each host and in the fleet; outages at once, None: as many as there are."""

    per_host: Sequence[int]
    fleet: int
    outages: int | None = None


class Web:
    """What does not change from one attempt to the next."""

    def __init__(self, items: Sequence[Item], limits: Limits) -> None:
        self.items = items
        self.limits = limits
        self.followers: list[list[int]] = [[] for _ in items]
        for number, item in enumerate(items):
            for earlier in item.after:
                if earlier >= number:
                    raise ValueError(f"item {number} waits for item {earlier}, which is not before it")
                self.followers[earlier].append(number)
        self.left = [0.0] * len(limits.per_host)
        """By host: seconds of its migrations. First all sources are added up, then all targets, as ever."""
        for end in (0, 1):
            for item in items:
                if item.hosts:
                    self.left[item.hosts[end]] += item.seconds
        self.members: dict[int, list[int]] = {}
        """By outage, its items."""
        for number, item in enumerate(items):
            if item.outage != NO_OUTAGE:
                self.members.setdefault(item.outage, []).append(number)
        self.emptying = {outage: self._emptying_s(members) for outage, members in self.members.items()}
        self.tails = self._tails()
        self.turn = self._turns()
        self.lower_bound = self._lower_bound()
        self.is_gated = limits.outages is not None and limits.outages < len(self.members)
        self.unit_of = self._units() if self.is_gated else [NO_OUTAGE] * len(items)

    def _emptying_s(self, members: Iterable[int]) -> float:
        """Seconds that the migrations of an outage take at the least, with no other on its host."""
        migrations = [self.items[number] for number in members if self.items[number].hosts]
        if not migrations:
            return 0.0
        limit = self.limits.per_host[migrations[0].hosts[0]]
        return machines_bound([item.seconds for item in migrations], limit)

    def _turns(self) -> list[int]:
        """By item, its turn among those as urgent: one outage after the other, its longest first."""
        firsts = {outage: members[0] for outage, members in self.members.items()}
        keys = [
            (number, 0.0, number)
            if item.outage == NO_OUTAGE
            else (firsts[item.outage], -item.seconds, number)
            for number, item in enumerate(self.items)
        ]
        turns = [0] * len(keys)
        for turn, number in enumerate(sorted(range(len(keys)), key=keys.__getitem__)):
            turns[number] = turn
        return turns

    def _tails(self) -> list[float]:
        """By item: seconds from its end to the end of all, along the longest way.

        A migration of an outage counts as long as emptying the whole host does: what follows needs all.
        """
        tails = [0.0] * len(self.items)
        for number in range(len(self.items) - 1, -1, -1):
            for follower in self.followers[number]:
                item = self.items[follower]
                length = item.seconds
                if item.hosts and item.outage != NO_OUTAGE:
                    length = max(length, self.emptying[item.outage])
                tails[number] = max(tails[number], length + tails[follower])
        return tails

    def _units(self) -> list[int]:
        """By item: the number of what is let in together, NO_OUTAGE for what needs no leave."""
        assert self.limits.outages is not None
        # An outage is one node, every other item too.
        node_of = [
            number if item.outage == NO_OUTAGE else self.members[item.outage][0]
            for number, item in enumerate(self.items)
        ]
        edges: list[set[int]] = [set() for _ in self.items]
        for number, item in enumerate(self.items):
            for earlier in item.after:
                if node_of[earlier] != node_of[number]:
                    edges[node_of[earlier]].add(node_of[number])
        knot_of = knots(edges)
        outages_in: dict[int, int] = {}
        for members in self.members.values():
            knot = knot_of[members[0]]
            outages_in[knot] = outages_in.get(knot, 0) + 1
        most = max(outages_in.values())
        if most > self.limits.outages:
            raise ValueError(f"{most} outages can only go together, and the limit is {self.limits.outages}")
        knots_of_items = [knot_of[node] for node in node_of]
        return [knot if knot in outages_in else NO_OUTAGE for knot in knots_of_items]

    def _lower_bound(self) -> float:
        """The longest way through; what hosts and fleet can do at once; outages one after another."""
        items, limits = self.items, self.limits
        longest = max(self._earliest_ends())
        on_host: dict[int, list[float]] = {}
        for item in items:
            for host in item.hosts:
                on_host.setdefault(host, []).append(item.seconds)
        bounds = [machines_bound(lengths, limits.per_host[host]) for host, lengths in on_host.items()]
        migrations = [item.seconds for item in items if item.hosts]
        bounds.append(machines_bound(migrations, limits.fleet))
        if limits.outages is not None:
            lengths = [self._outage_s(outage) for outage in self.members]
            bounds.append(machines_bound(lengths, limits.outages))
        return max(longest, *bounds)

    def _earliest_ends(self) -> list[float]:
        """By item: it surely ends no sooner. What waits for many migrations of a host waits for them all."""
        items = self.items
        starts, ends = [0.0] * len(items), [0.0] * len(items)
        for number, item in enumerate(items):
            of_host: dict[int, list[int]] = {}
            for earlier in item.after:
                starts[number] = max(starts[number], ends[earlier])
                if items[earlier].hosts:
                    of_host.setdefault(items[earlier].hosts[0], []).append(earlier)
            for host, migrations in of_host.items():
                first = min(starts[earlier] for earlier in migrations)
                lengths = [items[earlier].seconds for earlier in migrations]
                together = machines_bound(lengths, self.limits.per_host[host])
                starts[number] = max(starts[number], first + together)
            ends[number] = starts[number] + item.seconds
        return ends

    def _outage_s(self, outage: int) -> float:
        """Seconds that an outage lasts at the least: its host is emptied, then what waits is done."""
        members = self.members[outage]
        inside = set(members)
        tails: dict[int, float] = {}
        for number in reversed(members):
            ways = [self.items[f].seconds + tails[f] for f in self.followers[number] if f in inside]
            tails[number] = max(ways, default=0.0)
        longest = max(self.items[number].seconds + tails[number] for number in members)
        after_migrations = [tails[number] for number in members if self.items[number].hosts]
        return max(longest, self.emptying[outage] + min(after_migrations, default=0.0))
