"""A plan left half done, a fleet that is not as foreseen, and the plan that goes on from there."""

from __future__ import annotations

import random
from collections.abc import Collection

import pytest
from tests.planning.executor import after_step, disturbed, done_in_part
from tests.planning.fleets import a_fleet, a_host, a_vm
from tests.planning.random_plans import Case, case_of

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError
from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.planfile import Goal, MigrateStep, PinStep, Plan, UpgradeStep, write_plan
from vgpu_migrate.planning import Planned, drain, upgrade
from vgpu_migrate.planning.resume import resume_drain, resume_pin, resume_upgrade, standing_of, waves_left
from vgpu_migrate.planning.standing import done_steps
from vgpu_migrate.replay import replay

NEWER = "580.65.05"


def resumed(case: Case, fleet: Fleet) -> Planned:
    """The case's plan gone on with on a fleet."""
    if case.plan.goal is Goal.PIN:
        return resume_pin(fleet, case.ranges, old=case.plan)
    if case.driver is None:
        return resume_drain(fleet, sorted(case.hosts), old=case.plan, defrag="defrag" in case.asked)
    return resume_upgrade(fleet, case.driver, old=case.plan, max_unavailable=case.max_unavailable)


def executed(fleet: Fleet, plan: Plan) -> Fleet:
    """The fleet after a whole plan."""
    for step in sorted(plan.steps, key=lambda step: (step.end_s, step.id)):
        fleet = after_step(fleet, step)
    return fleet


def check_end(case: Case, fleet: Fleet, plan: Plan) -> None:
    """What the goal asks for is so in the end, but for what the plan says is stuck."""
    end = executed(fleet, plan)
    stuck_vms = {item.vm for item in plan.stuck}
    stuck_hosts = {item.host for item in plan.stuck}
    if case.plan.goal is Goal.PIN:
        for host_id, known in case.ranges.items():
            assert end.hosts[host_id].range_in_force == known or host_id in stuck_hosts
        return
    if case.driver is None:
        for host_id in case.hosts:
            assert {vm.id for vm in end.residents[host_id]} <= stuck_vms
        return
    wanted = {step.host for step in case.plan.steps if isinstance(step, UpgradeStep)}
    for host_id in wanted:
        assert end.hosts[host_id].driver == case.driver or host_id in stuck_hosts


@pytest.mark.parametrize("first", range(0, 240, 12))
def test_what_goes_on_from_anywhere_is_sound_and_comes_to_the_goal(first: int) -> None:
    """After any part of a plan, in any order, and any disturbance, the plan resumed passes the replay."""
    for seed in range(first, first + 12):
        case, rng = case_of(seed), random.Random(seed)
        part, _ = done_in_part(case.fleet, case.plan, rng.randint(0, len(case.plan.steps)), rng)
        fleet, what = disturbed(part, rng)
        plan = resumed(case, fleet).plan
        assert replay(fleet, plan, max_unavailable=case.max_unavailable) == (), (seed, what)
        check_end(case, fleet, plan)


@pytest.mark.parametrize("first", range(0, 240, 12))
def test_what_is_done_is_told_from_the_fleet_alone(first: int) -> None:
    """Without disturbance what was done counts as done, and else only what would change nothing."""
    for seed in range(first, first + 12):
        case, rng = case_of(seed), random.Random(seed)
        fleet, done = done_in_part(case.fleet, case.plan, rng.randint(0, len(case.plan.steps)), rng)
        told = done_steps(fleet, case.plan)
        assert done <= told, seed
        after = fleet
        for step in sorted(case.plan.steps, key=lambda step: (step.end_s, step.id)):
            if step.id in told - done:
                after = after_step(after, step)
        assert after == fleet, (seed, told - done)


def rolling() -> tuple[Fleet, Plan]:
    """Three full hosts and two empty ones, and the plan to upgrade them with pins lifted at the end."""
    vms = [a_vm(f"v{n}", f"h{n}/0", "A40-48Q", guest_driver="570.86.15") for n in (1, 2, 3)]
    fleet = a_fleet([a_host(f"h{n}") for n in range(1, 6)], vms)
    return fleet, upgrade(fleet, NEWER).plan


def until(fleet: Fleet, plan: Plan, seconds: float, *, without: Collection[int] = ()) -> Fleet:
    """The fleet after what the plan has ended by then, but for some steps."""
    for step in sorted(plan.steps, key=lambda step: (step.end_s, step.id)):
        if step.end_s <= seconds and step.id not in without:
            fleet = after_step(fleet, step)
    return fleet


def said(plan: Plan) -> list[str]:
    """Steps as text."""
    found = []
    for step in plan.steps:
        if isinstance(step, MigrateStep):
            found.append(f"{step.vm} to {step.target}")
        elif isinstance(step, UpgradeStep):
            found.append(f"upgrade {step.host}")
        else:
            found.append(f"{'lift' if step.range is None else 'pin'} {step.host}")
    return found


def test_a_plan_that_is_done_leaves_nothing_to_do() -> None:
    """The end of a plan is where nothing is left, new or dropped."""
    fleet, plan = rolling()
    planned = resume_upgrade(executed(fleet, plan), NEWER, old=plan)
    assert planned.plan.steps == ()
    assert planned.notes[0] == (
        f"the plan resumed: {len(plan.steps)} of its {len(plan.steps)} steps are done, "
        "0 go on as they were, 0 are dropped, 0 are new"
    )


def test_pins_of_the_old_plan_are_lifted_by_the_new_one() -> None:
    """A host that the old plan pinned is known by its range, and lifted once no host is old."""
    fleet, plan = rolling()
    late = max(step.start_s for step in plan.steps if isinstance(step, UpgradeStep))
    now = until(fleet, plan, late)
    pinned = {host.id for host in now.hosts.values() if host.range_in_force != host.preset_range}
    again = resume_upgrade(now, NEWER, old=plan).plan
    assert replay(now, again) == ()
    lifted = {step.host for step in again.steps if isinstance(step, PinStep) and step.range is None}
    assert len(pinned) == 4
    assert lifted == pinned
    end = executed(now, again)
    assert {host.range_in_force for host in end.hosts.values()} == {facts.host_driver(NEWER).preset_range}


def test_pins_are_lifted_even_where_every_host_is_upgraded() -> None:
    """When nothing is left but to lift the pins, that is what the plan does."""
    fleet, plan = rolling()
    now = until(fleet, plan, max(step.end_s for step in plan.steps if isinstance(step, UpgradeStep)))
    again = resume_upgrade(now, NEWER, old=plan).plan
    assert replay(now, again) == ()
    assert again.steps
    assert not any(isinstance(step, UpgradeStep) for step in again.steps)
    end = executed(now, again)
    assert all(host.range_in_force == host.preset_range for host in end.hosts.values())


def test_a_host_upgraded_and_not_yet_pinned_is_pinned_first() -> None:
    """Half-way between the two, an empty host is pinned before anybody may boot there."""
    fleet, plan = rolling()
    first = next(step for step in plan.steps if isinstance(step, UpgradeStep))
    now = after_step(fleet, first)
    again = resume_upgrade(now, NEWER, old=plan)
    assert replay(now, again.plan) == ()
    assert said(again.plan)[0] == f"pin {first.host}"
    assert f"lift {first.host}" in said(again.plan)


def test_a_host_that_is_not_pinned_and_no_longer_empty_is_named() -> None:
    """Who booted there keeps it from being pinned, and a note says so."""
    fleet, plan = rolling()
    first = next(step for step in plan.steps if isinstance(step, UpgradeStep))
    now = after_step(fleet, first)
    newcomer = a_vm("new", f"{first.host}/0", "A40-8Q", vgpu_version=0x180001)
    now = a_fleet(now.hosts.values(), [*now.vms.values(), newcomer])
    planned = resume_upgrade(now, NEWER, old=plan)
    assert replay(now, planned.plan) == ()
    note = f"{first.host} was upgraded and not pinned, and holds VMs by now: its range stays the driver's own"
    assert note in planned.notes


def test_a_migration_that_failed_is_planned_again() -> None:
    """The VM is still where it was: its move and what waited for it are in the new plan."""
    fleet, plan = rolling()
    failed = next(step for step in plan.steps if isinstance(step, MigrateStep))
    now = until(fleet, plan, failed.end_s, without={failed.id})
    planned = resume_upgrade(now, NEWER, old=plan)
    assert replay(now, planned.plan) == ()
    assert failed.vm in {step.vm for step in planned.plan.steps if isinstance(step, MigrateStep)}
    standing = standing_of(now, plan, planned.plan)
    assert failed.id not in {step.id for step in standing.done}
    assert len(standing.done) + len(standing.kept) + len(standing.dropped) == len(plan.steps)


def test_wave_sizes_that_are_used_up_do_not_count_again() -> None:
    """A canary that is over is not asked for twice, and a wave half done is filled up."""
    hosts = [a_host(f"h{n}") for n in range(1, 8)]
    fleet = a_fleet(hosts, [])
    plan = upgrade(fleet, NEWER, waves=(1, 2, 4)).plan
    by_wave: dict[int, list[int]] = {}
    for step in plan.steps:
        if isinstance(step, UpgradeStep):
            by_wave.setdefault(step.wave, []).append(step.id)
    assert [len(by_wave[wave]) for wave in sorted(by_wave)] == [1, 2, 4]
    assert waves_left(plan, set(), (1, 2, 4)) == (1, 2, 4)
    assert waves_left(plan, by_wave[1], (1, 2, 4)) == (2, 4)
    assert waves_left(plan, {*by_wave[1], by_wave[2][0]}, (1, 2, 4)) == (1, 4)
    assert waves_left(plan, {*by_wave[1], *by_wave[2]}, (1, 2, 4)) == (4,)
    assert waves_left(plan, {*by_wave[1], *by_wave[2], by_wave[3][0]}, (1, 2, 4)) == (3, 4)
    assert waves_left(plan, by_wave[1], ()) == ()
    now = until(fleet, plan, 1800.0)
    again = resume_upgrade(now, NEWER, old=plan, waves=(1, 2, 4)).plan
    sizes: dict[int, int] = {}
    for step in again.steps:
        if isinstance(step, UpgradeStep):
            sizes[step.wave] = sizes.get(step.wave, 0) + 1
    assert [sizes[wave] for wave in sorted(sizes)] == [2, 4]


def test_only_the_hosts_of_the_old_plan_are_gone_on_with() -> None:
    """A host that nobody asked for stays old, unless it is named now."""
    fleet, _ = rolling()
    plan = upgrade(fleet, NEWER, hosts=[HostId("h4"), HostId("h1")]).plan
    again = resume_upgrade(fleet, NEWER, old=plan).plan
    assert write_plan(again) == write_plan(plan)


def test_the_words_tell_what_is_dropped_and_new() -> None:
    """Steps that the new plan does otherwise are named, up to three of each."""
    vms = [a_vm("v1", "h1/0", "A40-48Q")]
    fleet = a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], vms)
    plan = drain(fleet, [HostId("h1")]).plan
    assert said(plan) == ["v1 to h2"]
    now = a_fleet(fleet.hosts.values(), [*vms, a_vm("new", "h2/0", "A40-8Q")])
    planned = resume_drain(now, [HostId("h1")], old=plan)
    assert planned.notes[0] == (
        "the plan resumed: 0 of its 1 steps are done, 0 go on as they were, "
        "1 are dropped (v1 live from h1 to h2), 1 are new (v1 live from h1 to h3)"
    )


def test_what_has_left_the_fleet_is_named() -> None:
    """A VM or host that is no longer there needs nothing, and a note says so."""
    vms = [a_vm("v1", "h1/0"), a_vm("v2", "h1/0")]
    fleet = a_fleet([a_host("h1"), a_host("h2")], vms)
    plan = drain(fleet, [HostId("h1")]).plan
    planned = resume_drain(a_fleet(fleet.hosts.values(), vms[:1]), [HostId("h1")], old=plan)
    assert "no longer in the fleet: VMs v2" in planned.notes
    assert said(planned.plan) == ["v1 to h2"]


def test_a_plan_for_something_else_is_refused() -> None:
    """Another goal, another driver or another fleet is no plan to go on with."""
    fleet, plan = rolling()
    with pytest.raises(InputError, match="goal: upgrade; the plan to resume must be for drain"):
        resume_drain(fleet, [HostId("h1")], old=plan)
    with pytest.raises(InputError, match=f"driver: 550.90.05; the plan to resume installs {NEWER}"):
        resume_upgrade(fleet, "550.90.05", old=plan)
    with pytest.raises(InputError, match="none of the plan's hosts is in this fleet"):
        resume_upgrade(a_fleet([a_host("x1")]), NEWER, old=plan)
