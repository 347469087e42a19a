"""When steps start: order, limits, hosts out of service, bounds, and that it always comes to an end."""

from __future__ import annotations

import random
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vgpu_migrate.planning.bounds import machines_bound, makespan_bound
from vgpu_migrate.planning.circles import knots
from vgpu_migrate.planning.precedence import NO_OUTAGE, Item, Limits
from vgpu_migrate.planning.timetable import Timetable, timetable

HOSTS = 6


@st.composite
def webs(draw: st.DrawFn) -> tuple[list[Item], Limits]:
    """Items of all kinds that wait for earlier ones, and limits that they can be done within."""
    items: list[Item] = []
    outages = draw(st.integers(0, 4))
    for number in range(draw(st.integers(0, 25))):
        outage = draw(st.integers(-1, outages - 1)) if outages else NO_OUTAGE
        after = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        seconds = float(draw(st.integers(0, 9)))
        hosts: tuple[int, ...] = ()
        if draw(st.booleans()):
            # A host empties itself in its outage: the source is the outage's.
            source = outage if outage != NO_OUTAGE else draw(st.integers(0, HOSTS - 1))
            hosts = (source, (source + draw(st.integers(1, HOSTS - 1))) % HOSTS)
        items.append(Item(seconds, hosts, tuple(sorted(after)), outage))
    per_host = draw(st.lists(st.integers(1, 3), min_size=HOSTS, max_size=HOSTS))
    return items, Limits(per_host, draw(st.integers(1, 5)), draw(st.none() | st.integers(1, 4)))


def check(items: list[Item], limits: Limits, found: Timetable) -> None:
    """Everything that a timetable promises, looked at from each item's start."""
    spans: dict[int, tuple[float, float]] = {}
    for item, start, end in zip(items, found.starts, found.ends, strict=True):
        assert end == start + item.seconds
        assert all(found.ends[earlier] <= start for earlier in item.after)
        if item.outage != NO_OUTAGE:
            first, last = spans.get(item.outage, (start, end))
            spans[item.outage] = min(first, start), max(last, end)
    for now in set(found.starts):
        running = [
            item
            for item, start, end in zip(items, found.starts, found.ends, strict=True)
            if item.hosts and start <= now < end
        ]
        assert len(running) <= limits.fleet
        for host, busy in Counter(host for item in running for host in item.hosts).items():
            assert busy <= limits.per_host[host]
        if limits.outages is not None:
            assert sum(first <= now < last for first, last in spans.values()) <= limits.outages
    assert found.lower_bound <= found.makespan_s


@given(webs())
@settings(max_examples=300)
def test_order_and_limits_hold_for_any_items(web: tuple[list[Item], Limits]) -> None:
    """Items wait for what they must, limits hold at every moment, and the bound is not above the makespan."""
    items, limits = web
    # Where more outages can only go together than the limit allows, a limit that lets them is taken.
    try:
        found = timetable(items, limits)
    except ValueError:
        limits = limits._replace(outages=max(item.outage for item in items) + 1)
        found = timetable(items, limits)
    check(items, limits, found)
    assert timetable(items, limits) == found


@given(st.lists(st.integers(1, 9).map(float), min_size=1, max_size=5), st.integers(1, 3))
def test_the_bound_is_never_above_the_best_timetable(seconds: list[float], most: int) -> None:
    """The bound holds for the best order of outages there is, one host's migration and work each."""
    items = []
    for host, length in enumerate(seconds):
        items.append(Item(length, (host, len(seconds)), (), host))
        items.append(Item(2.0, (), (2 * host,), host))
    lengths = [length + 2.0 for length in seconds]
    best = float("inf")
    for order in permutations(lengths):
        loads = [0.0] * most
        for length in order:
            loads[loads.index(min(loads))] += length
        best = min(best, max(loads))
    found = timetable(items, Limits([9] * (len(seconds) + 1), 9, most))
    assert found.lower_bound <= best + 1e-9
    assert found.makespan_s >= best - 1e-9


def test_a_host_is_emptied_before_the_next_is_begun() -> None:
    """With one slot in the fleet the first host's work starts as soon as its own VMs are gone."""
    items = [Item(10.0, (host, 2), (), host) for host in (0, 1, 0, 1)]
    items += [Item(100.0, (), (0, 2), 0), Item(100.0, (), (1, 3), 1)]
    found = timetable(items, Limits([2, 2, 2], 1))
    assert found.starts == [0.0, 20.0, 10.0, 30.0, 20.0, 40.0]


def test_the_longest_way_goes_first() -> None:
    """Of two migrations that want one slot, the one with more behind it starts."""
    items = [Item(5.0, (0, 1)), Item(5.0, (0, 1)), Item(50.0, (), (1,))]
    found = timetable(items, Limits([1, 1], 9))
    assert found.starts == [5.0, 0.0, 5.0]
    assert found.lower_bound == found.makespan_s == 55.0


def test_a_slot_goes_to_the_next_where_the_first_in_line_lacks_another() -> None:
    """Host 0 is free at 10 s; the migration with most behind it finds host 1 busy, so another starts."""
    items = [Item(100.0, (4, 1)), Item(10.0, (0, 2)), Item(10.0, (0, 1)), Item(10.0, (0, 3))]
    items += [Item(500.0, (), (1,)), Item(300.0, (), (2,))]
    assert timetable(items, Limits([1] * 5, 9)).starts == [0.0, 0.0, 100.0, 10.0, 10.0, 110.0]


def test_outages_that_wait_for_each_other_go_together_or_not_at_all() -> None:
    """Two hosts that swap VMs in one wave need two places; with one place that is said."""
    items = [
        Item(5.0, (0, 1), (), 0),
        Item(5.0, (1, 0), (0,), 1),
        Item(5.0, (0, 2), (1,), 0),
        Item(9.0, (), (0, 2), 0),
        Item(9.0, (), (1,), 1),
    ]
    found = timetable(items, Limits([1, 1, 1], 9, 2))
    assert found.starts == [0.0, 5.0, 10.0, 15.0, 10.0]
    third = [*items, Item(1.0, (), (), 2)]
    check(third, Limits([1, 1, 1], 9, 2), timetable(third, Limits([1, 1, 1], 9, 2)))
    with pytest.raises(ValueError, match="2 outages can only go together, and the limit is 1"):
        timetable(items, Limits([1, 1, 1], 9, 1))


def test_an_item_waits_for_earlier_ones_only() -> None:
    """Items come in an order in which they could be done."""
    with pytest.raises(ValueError, match="item 0 waits for item 1, which is not before it"):
        timetable([Item(1.0, (), (1,)), Item(1.0, ())], Limits([], 1))


def test_waves_of_hosts_come_through_one_at_a_time() -> None:
    """A rolling upgrade of many hosts, each filled from the next once it is done, ends with any limit."""
    hosts = 40
    items: list[Item] = []
    done: dict[int, int] = {}
    for host in range(1, hosts):
        after = (done[host - 1],) if host > 1 else ()
        moves = [len(items) + number for number in range(3)]
        items += [Item(10.0, (host, host - 1), after, host) for _ in moves]
        done[host] = len(items)
        items.append(Item(60.0, (), tuple(moves), host))
    for most in (1, 2, 5, None):
        limits = Limits([2] * hosts, 4, most)
        found = timetable(items, limits)
        check(items, limits, found)
        assert found.makespan_s == (hosts - 1) * (10.0 + 10.0 + 60.0)


@pytest.mark.parametrize("seed", range(30))
def test_migrations_alone_come_close_to_their_bound(seed: int) -> None:
    """Never more at once than hosts and fleet allow; within a twentieth of the bound."""
    rng = random.Random(seed)
    hosts = 40
    limits = Limits([rng.choice((1, 2, 3)) for _ in range(hosts)], rng.choice((4, 8, 32)))
    items = [
        Item(rng.choice((8.0, 9.6, 13.2, 21.4)), (rng.randrange(5), rng.randrange(5, hosts)))
        for _ in range(rng.randrange(80, 300))
    ]
    found = timetable(items, limits)
    check(items, limits, found)
    assert found.makespan_s <= 1.05 * found.lower_bound
    jobs = [(item.hosts[0], item.hosts[1], item.seconds) for item in items]
    assert found.lower_bound == pytest.approx(makespan_bound(jobs, limits.per_host, limits.fleet))


def test_nothing_to_do_takes_no_time() -> None:
    """An empty plan has an empty timetable."""
    assert timetable([], Limits([2, 2], 32, 1)) == Timetable([], [], 0.0)


def list_schedule_best(seconds: list[float], machines: int) -> float:
    """The least makespan on equal machines: list schedules over all orders contain an optimal one."""
    best = float("inf")
    for order in permutations(seconds):
        loads = [0.0] * machines
        for length in order:
            loads[loads.index(min(loads))] += length
        best = min(best, max(loads))
    return best


@given(st.lists(st.integers(1, 9).map(float), min_size=1, max_size=6), st.integers(1, 3))
def test_the_bound_is_never_above_the_best_schedule(seconds: list[float], machines: int) -> None:
    """The bound for equal machines holds for every set of jobs."""
    assert machines_bound(seconds, machines) <= list_schedule_best(seconds, machines) + 1e-9


def test_bounds_worked_by_hand() -> None:
    """Five equal jobs on two machines need three rounds; no jobs need no time."""
    assert machines_bound([10.0] * 5, 2) == 30.0
    assert machines_bound([9.0, 8.0, 7.0], 2) == 15.0
    assert machines_bound([], 2) == 0.0
    assert makespan_bound([], [], 4) == 0.0
    assert makespan_bound([(0, 1, 5.0), (0, 2, 5.0)], [1, 2, 2], 32) == 10.0


@given(st.lists(st.sets(st.integers(0, 7), max_size=3), min_size=8, max_size=8))
def test_nodes_are_of_one_knot_just_where_each_reaches_the_other(edges: list[set[int]]) -> None:
    """Strongly connected components, against reachability followed to its end."""
    reach = [{node} | edges[node] for node in range(8)]
    for _ in range(8):
        reach = [there.union(*(reach[other] for other in there)) for there in reach]
    found = knots(edges)
    for first in range(8):
        for second in range(8):
            is_one = second in reach[first] and first in reach[second]
            assert (found[first] == found[second]) == is_one
