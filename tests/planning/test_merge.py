"""Courses of domains become one plan: numbers, times, waves, bounds, limits of the whole fleet."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_host, a_vm, random_fleet
from tests.replay.plans import move, pin, seconds_of, upgrade

from vgpu_migrate import planning
from vgpu_migrate.model import Fleet, Settings
from vgpu_migrate.model.planfile import Count, Duration, Goal, Reach, Step, Stuck, StuckReason
from vgpu_migrate.planning.course import Course, CourseBounds
from vgpu_migrate.planning.merge import merge
from vgpu_migrate.replay import replay

A = a_vm("a", "north-1/0")
B = a_vm("b", "south-1/0")
C = a_vm("c", "south-1/1")
ONE = seconds_of(A)


def a_fleet_of_two(**settings: Any) -> Fleet:
    """Two domains of two hosts each; one VM in the north, two in the south."""
    hosts = [
        a_host(f"{domain}-{number}", 2, domain=domain) for domain in ("north", "south") for number in (1, 2)
    ]
    return a_fleet(hosts, [A, B, C], settings=Settings(**settings))


def untimed(step: Step) -> Step:
    """A step as a course has it."""
    return replace(step, start_s=0.0, end_s=0.0)


def a_course(domain: str, *steps: Step, **bounds: Any) -> Course:
    """A course of these steps with bounds that they meet, or with what is changed of that."""
    moves = sum(hasattr(step, "vm") for step in steps)
    waves = len({step.wave for step in steps if hasattr(step, "driver")})
    fields = {"moves": moves, "waves": waves, "makespan_s": 0.0} | bounds
    return Course(domain, tuple(map(untimed, steps)), (), CourseBounds(**fields))


NORTH = a_course(
    "north",
    move(1, A, "north-2"),
    upgrade(2, "north-1", after=(1,)),
    pin(3, "north-1", "0x120001", "0x140001", after=(2,)),
    hosts=1,
    out_s=(ONE + 1800.0,),
    migrations_s=(ONE,),
)
SOUTH = a_course(
    "south",
    move(1, B, "south-2"),
    move(2, C, "south-2", "south-2/1"),
    upgrade(3, "south-1", after=(1, 2)),
    hosts=2,
    makespan_s=1900.0,
    out_s=(ONE + 1800.0,),
    migrations_s=(ONE, ONE),
)


def test_steps_are_numbered_by_time_and_wait_for_their_own() -> None:
    """Ids follow the times over all domains, and `after` follows the ids."""
    fleet = a_fleet_of_two()
    plan = merge(fleet, [NORTH, SOUTH], Goal.UPGRADE).plan
    assert replay(fleet, plan) == ()
    end = round(ONE, 3)
    assert [(step.id, step.start_s, step.after) for step in plan.steps] == [
        (1, 0.0, ()),
        (2, 0.0, ()),
        (3, 0.0, ()),
        (4, end, (1,)),
        (5, end, (2, 3)),
        (6, round(ONE + 1800, 3), (4,)),
    ]


def test_bounds_are_put_together() -> None:
    """Moves and hosts add up, waves and times are the greatest of all."""
    plan = merge(a_fleet_of_two(), [NORTH, SOUTH], Goal.UPGRADE).plan
    value = round(ONE + 1800, 3)
    assert plan.bounds.moves == Count(3, 3)
    assert plan.bounds.waves == Count(1, 1)
    assert plan.bounds.hosts == Reach(2, 3)
    # A bound above the makespan would be a mistake of a domain's; it is never shown above it.
    assert plan.bounds.makespan_s == Duration(value, value)


def test_limits_of_the_fleet_bound_its_makespan() -> None:
    """What every domain must do is bounded by what the fleet may do at once."""
    fleet = a_fleet_of_two(migrations_per_fleet=1, upgrade_s=1.0)
    south = a_course("south", *SOUTH.steps, hosts=1, migrations_s=(ONE, ONE), out_s=(2 * ONE + 1.0,))
    north = a_course("north", *NORTH.steps[:2], hosts=1, migrations_s=(ONE,), out_s=(ONE + 1.0,))
    plan = merge(fleet, [north, south], Goal.UPGRADE).plan
    assert replay(fleet, plan) == ()
    assert plan.bounds.makespan_s.lower_bound == pytest.approx(3 * ONE, abs=0.001)
    one_by_one = merge(fleet, [north, south], Goal.UPGRADE, max_unavailable=1).plan
    assert replay(fleet, one_by_one, max_unavailable=1) == ()
    assert one_by_one.bounds.makespan_s.lower_bound == pytest.approx(3 * ONE + 2.0, abs=0.001)


def test_hosts_out_of_service_are_limited_across_domains() -> None:
    """With one host allowed to be out, the second domain waits until the first host's last pin."""
    fleet = a_fleet_of_two()
    plan = merge(fleet, [NORTH, SOUTH], Goal.UPGRADE, max_unavailable=1).plan
    assert replay(fleet, plan, max_unavailable=1) == ()
    assert plan.bounds.makespan_s.value == round(2 * (ONE + 1800), 3)
    free = merge(fleet, [NORTH, SOUTH], Goal.UPGRADE).plan
    assert [item.kind for item in replay(fleet, free, max_unavailable=1)] == ["unavailable"]


def test_stuck_and_notes_of_all_are_kept_in_order() -> None:
    """What is stuck follows the courses' order; the same note is said once."""
    stays = [Stuck(vm.id, vm.host, StuckReason.BUDGET, (), ()) for vm in (A, B) if vm.host]
    courses = [
        replace(a_course(domain), stuck=(item,), notes=("memory was not checked", f"only {domain}"))
        for domain, item in zip(("north", "south"), stays, strict=True)
    ]
    planned = merge(a_fleet_of_two(), courses, Goal.DRAIN)
    assert planned.plan.stuck == tuple(stays)
    assert planned.notes == ("memory was not checked", "only north", "only south")


def test_no_course_gives_an_empty_plan() -> None:
    """Where nothing is to do the plan has no steps and its figures are zero."""
    plan = merge(a_fleet_of_two(), [], Goal.DRAIN).plan
    assert (plan.steps, plan.bounds.makespan_s, plan.bounds.hosts) == ((), Duration(0.0, 0.0), None)


@pytest.mark.parametrize("seed", range(12))
def test_upgrades_of_random_fleets_keep_every_limit(seed: int) -> None:
    """Over several domains and however few hosts may be out of service, the replay finds nothing."""
    fleet = random_fleet(seed, hosts=8, vms=26, domains=1 + seed % 3, mixed=0.3, groups=3, several=0.1)
    for most in (None, 1, 2):
        planned = planning.upgrade(fleet, "580.126.08", max_unavailable=most)
        assert replay(fleet, planned.plan, max_unavailable=most) == ()
