"""Sizes of waves: a wave waits for the upgrades of the wave before, in all domains of the fleet."""

from __future__ import annotations

import pytest
from tests.planning.fleets import a_fleet, a_host, a_vm, random_fleet
from tests.planning.test_upgrade import plan_of, waves

from vgpu_migrate.model import Fleet, Settings
from vgpu_migrate.model.planfile import MigrateStep, Plan, UpgradeStep
from vgpu_migrate.planning import wave_order


def begun_early(plan: Plan) -> list[str]:
    """Steps that begin before some upgrade of an earlier wave has ended."""
    upgrades = [step for step in plan.steps if isinstance(step, UpgradeStep)]
    return [
        f"step {step.id} of wave {step.wave}"
        for step in plan.steps
        if any(other.wave < step.wave and other.end_s > step.start_s for other in upgrades)
    ]


def waits(plan: Plan) -> bool:
    """Whether every step waits, one way or another, for all upgrades of earlier waves."""
    behind: dict[int, set[int]] = {}
    by_id = {step.id: step for step in plan.steps}
    for step in sorted(plan.steps, key=lambda step: step.id):
        behind[step.id] = set(step.after).union(*[behind[earlier] for earlier in step.after])
        for other in by_id.values():
            if isinstance(other, UpgradeStep) and other.wave < step.wave and other.id not in behind[step.id]:
                return False
    return True


def two_domains(vms: int) -> Fleet:
    """Two domains of four hosts, one of them empty, and some VMs on each of the others."""
    hosts = [a_host(f"{domain}{n}", 2, domain=domain) for domain in ("a", "b") for n in range(4)]
    there = [
        a_vm(f"{domain}{n}-{k}", f"{domain}{n}/{k % 2}", "A40-8Q")
        for domain in ("a", "b")
        for n in range(3)
        for k in range(vms)
    ]
    return a_fleet(hosts, there, domains={"a": Settings(), "b": Settings()})


def test_a_canary_of_one_domain_is_waited_for_in_all() -> None:
    """With sizes nothing of the second wave begins in any domain before the first wave's upgrades end."""
    hosts = [a_host(name, domain=name[0]) for name in ("a1", "a2", "b1", "b2")]
    plan = plan_of(a_fleet(hosts, domains={"a": Settings(), "b": Settings()}), waves=(1, 4))
    assert waves(plan) == {"a1": 1, "a2": 2, "b1": 2, "b2": 2}
    assert {step.start_s for step in plan.steps if step.wave == 2} == {1800.0}
    assert (plan.bounds.waves.value, plan.bounds.waves.lower_bound) == (2, 2)
    assert (plan.bounds.makespan_s.value, plan.bounds.makespan_s.lower_bound) == (3600.0, 3600.0)


@pytest.mark.parametrize("most_pairs", [0, 400])
@pytest.mark.parametrize("max_unavailable", [None, 1])
def test_canaries_come_before_all_migrations_of_the_next_wave(
    most_pairs: int, max_unavailable: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only upgrades wait but the moves before them, by `after` alone, however few pairs stand for it."""
    monkeypatch.setattr(wave_order, "MOST_PAIRS", most_pairs)
    plan = plan_of(two_domains(4), waves=(1, 3), max_unavailable=max_unavailable)
    assert len(waves(plan)) == 8
    assert begun_early(plan) == []
    assert waits(plan)
    assert plan.bounds.waves.lower_bound == 4
    assert plan.bounds.makespan_s.lower_bound >= 4 * 1800.0
    upgrades = {step.id: step for step in plan.steps if isinstance(step, UpgradeStep)}
    last = {number for number, step in upgrades.items() if step.wave == 2}
    assert len(last) == 2
    direct = [step for step in plan.steps if step.wave == 3 and last <= set(step.after)]
    assert (len(direct) == 1) is (most_pairs == 0)


def test_without_sizes_domains_do_not_wait_for_each_other() -> None:
    """Waves are numbers then: those of a domain wait for no other domain."""
    plan = plan_of(two_domains(4))
    domain_of = {f"{domain}{n}": domain for domain in ("a", "b") for n in range(4)}
    host_of = {s.id: s.source if isinstance(s, MigrateStep) else s.host for s in plan.steps}
    for step in plan.steps:
        assert {domain_of[host_of[earlier]] for earlier in step.after} <= {domain_of[host_of[step.id]]}


@pytest.mark.parametrize("seed", range(24))
def test_no_wave_overlaps_the_next_in_random_fleets(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the fleet, the sizes and the limit, `after` alone keeps waves apart, and bounds hold."""
    monkeypatch.setattr(wave_order, "MOST_PAIRS", (0, 3, 400)[seed % 3])
    fleet = random_fleet(seed, hosts=8, gpus=2, vms=24, mixed=0.5, odd=0.1, domains=1 + seed % 3)
    sizes = ((1,), (1, 2), (2, 1, 3), (1, 4))[seed % 4]
    plan = plan_of(fleet, waves=sizes, max_unavailable=(None, 1, 2)[seed // 8])
    assert begun_early(plan) == []
    assert waits(plan)
    assert plan.bounds.waves.value >= plan.bounds.waves.lower_bound
    assert plan.bounds.makespan_s.value >= plan.bounds.makespan_s.lower_bound
