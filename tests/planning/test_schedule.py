"""When migrations start: limits, bounds, and how close they come."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgpu_migrate.planning.bounds import machines_bound, makespan_bound
from vgpu_migrate.planning.schedule import schedule


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


@pytest.mark.parametrize("seed", range(30))
def test_limits_hold_and_the_bound_is_nearly_met(seed: int) -> None:
    """Never more at once than hosts and fleet allow; within a twentieth of the bound."""
    rng = random.Random(seed)
    hosts = 40
    limits = [rng.choice((1, 2, 3)) for _ in range(hosts)]
    jobs = [
        (rng.randrange(5), rng.randrange(5, hosts), rng.choice((8.0, 9.6, 13.2, 21.4)))
        for _ in range(rng.randrange(80, 300))
    ]
    fleet_limit = rng.choice((4, 8, 32))
    found = schedule(jobs, limits, fleet_limit)
    assert found.lower_bound <= found.makespan_s <= 1.05 * found.lower_bound
    assert all(end == start + job[2] for start, end, job in zip(found.starts, found.ends, jobs, strict=True))
    for now in found.starts:
        running = [n for n, start in enumerate(found.starts) if start <= now < found.ends[n]]
        assert len(running) <= fleet_limit
        for host in range(hosts):
            assert sum(host in jobs[n][:2] for n in running) <= limits[host]
    assert schedule(jobs, limits, fleet_limit) == found


def test_nothing_to_do_takes_no_time() -> None:
    """An empty plan has an empty schedule."""
    assert schedule([], [2, 2], 32).makespan_s == 0.0
