"""Draining hosts: who goes where, how, and in what order of time."""

from __future__ import annotations

import pytest
from tests.planning.fleets import WIDE, a_fleet, a_gpu, a_host, a_vm, random_fleet

from vgpu_migrate.errors import InputError, UnknownNameError
from vgpu_migrate.model import Fleet, HostId, PlacementMode, Settings, VersionRange, VmState
from vgpu_migrate.model.planfile import MigrateStep, Plan, write_plan
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import drain
from vgpu_migrate.replay import replay

H1 = HostId("h1")


def plan_of(fleet: Fleet, *hosts: str, to: list[str] | None = None) -> Plan:
    """A drain plan that the replay finds nothing wrong with."""
    named = [HostId(name) for name in hosts or ("h1",)]
    plan = drain(fleet, named, to=None if to is None else [HostId(name) for name in to]).plan
    assert replay(fleet, plan) == ()
    return plan


def moves(plan: Plan) -> list[str]:
    """Steps as text: who, how, and onto which gpus."""
    found = []
    for step in plan.steps:
        assert isinstance(step, MigrateStep)
        seats = [f"{s.gpu}@{s.placement}" if s.placement is not None else s.gpu for s in step.gpus]
        found.append(f"{step.vm} {step.how} {' '.join(seats)}")
    return sorted(found)


def test_vms_join_their_type_and_the_rest_open_a_gpu() -> None:
    """A slot beside vgpus of the same type is taken before an empty gpu."""
    fleet = a_fleet(
        [a_host("h1", 2), a_host("h2", 2), a_host("h3", 2)],
        [
            a_vm("v1", "h1/0"),
            a_vm("v2", "h1/1", "A40-12Q"),
            a_vm("v3", "h3/1"),
            a_vm("v4", "h2/0", "A40-24Q"),
        ],
    )
    assert moves(plan_of(fleet)) == ["v1 live h3/1", "v2 live h2/1"]


def test_a_drain_is_one_wave_that_upgrades_nothing() -> None:
    """Steps are numbered by their start, wait for nothing, and bounds are those of a drain."""
    fleet = a_fleet([a_host("h1", 2), a_host("h2", 2)], [a_vm(f"v{n}", f"h1/{n % 2}") for n in range(5)])
    plan = plan_of(fleet)
    assert [step.id for step in plan.steps] == [1, 2, 3, 4, 5]
    assert all(step.wave == 1 and step.after == () for step in plan.steps)
    assert [step.start_s for step in plan.steps] == sorted(step.start_s for step in plan.steps)
    assert (plan.bounds.moves.value, plan.bounds.moves.lower_bound) == (5, 5)
    assert (plan.bounds.waves.value, plan.bounds.waves.lower_bound) == (0, 0)
    assert plan.bounds.hosts is None
    assert plan.bounds.makespan_s.value == plan.bounds.makespan_s.lower_bound == 39.739
    assert plan.fleet_revision == 7


OLD = VersionRange(0x70001, 0x120001)


@pytest.mark.parametrize(
    ("state", "allow", "range_there", "how"),
    [
        (VmState.RUNNING, States.LIVE, None, "live"),
        (VmState.RUNNING, States.LIVE | States.COLD, None, "live"),
        (VmState.RUNNING, States.SLEEP | States.COLD, None, "sleep"),
        (VmState.PAUSED, States.HIBERNATE | States.COLD, None, "hibernate"),
        (VmState.SLEEPING, States.LIVE | States.SLEEP, None, "sleep"),
        (VmState.SLEEPING, States.LIVE | States.COLD, None, "cold"),
        (VmState.RUNNING, States.LIVE | States.COLD, OLD, "cold"),
        (VmState.BOOTING, States.LIVE | States.COLD, None, "cold"),
        (VmState.RUNNING, States.LIVE, OLD, None),
        (VmState.BOOTING, States.LIVE, None, None),
        (VmState.SLEEPING, States.LIVE, None, None),
    ],
)
def test_the_least_interruption_that_is_permitted(
    state: VmState, allow: States, range_there: VersionRange | None, how: str | None
) -> None:
    """Live before sleep before hibernate before cold, as verdict, state and owner permit."""
    target = a_host("h2", range_in_force=range_there or WIDE)
    version = None if state is VmState.BOOTING else 0x140001
    vm = a_vm("v1", "h1/0", state=state, allow=allow, vgpu_version=version)
    fleet = a_fleet([a_host("h1"), target], [vm])
    plan = plan_of(fleet)
    assert moves(plan) == ([f"v1 {how} h2/0"] if how else [])
    assert len(plan.stuck) == (0 if how else 1)


def test_vms_without_vgpus_on_a_host_stay_unmentioned() -> None:
    """What is off or hibernated holds nothing and is not drained."""
    fleet = a_fleet(
        [a_host("h1"), a_host("h2")],
        [a_vm("v1", "h1/0", state=VmState.OFF), a_vm("v2", "h1/0", state=VmState.HIBERNATED)],
    )
    plan = plan_of(fleet)
    assert (plan.steps, plan.stuck) == ((), ())
    assert plan.bounds.makespan_s.value == 0.0


def test_live_on_an_empty_gpu_is_preferred_to_cold_beside_its_type() -> None:
    """Interruption comes before fit."""
    fleet = a_fleet(
        [a_host("h1"), a_host("h2", range_in_force=OLD), a_host("h3")],
        [a_vm("v1", "h1/0", allow=States.LIVE | States.COLD), a_vm("v2", "h2/0", vgpu_version=0x120001)],
    )
    assert moves(plan_of(fleet)) == ["v1 live h3/0"]


def test_fewest_stuck_is_preferred_to_least_interruption() -> None:
    """One goes cold so that another, who may only go live, has the live place."""
    fleet = a_fleet(
        [a_host("h1", 2), a_host("h2", range_in_force=OLD), a_host("h3")],
        [
            a_vm("v1", "h1/0", "A40-48Q", allow=States.LIVE | States.COLD),
            a_vm("v2", "h1/1", "A40-48Q", allow=States.LIVE),
        ],
    )
    assert moves(plan_of(fleet)) == ["v1 cold h2/0", "v2 live h3/0"]


def test_all_vgpus_of_a_vm_go_to_one_host() -> None:
    """Room for each on different hosts is no room."""
    hosts = [a_host("h1", 2), a_host("h2", 2), a_host("h3", 2), a_host("h4", 2)]
    vms = [
        a_vm("v1", ["h1/0", "h1/1"], ["A40-48Q", "A40-24Q"]),
        a_vm("v2", "h2/0", "A40-48Q"),
        a_vm("v3", "h3/0", "A40-48Q"),
    ]
    assert moves(plan_of(a_fleet(hosts, vms))) == ["v1 live h4/0 h4/1"]
    assert [item.vm for item in plan_of(a_fleet(hosts[:3], vms)).stuck] == ["v1"]


def test_each_vgpu_is_judged_on_the_gpu_it_lands_on() -> None:
    """Types listed by a gpu bind only the vgpu that lands there."""
    offers = a_vm("x", "h/0", "A40-48Q").vgpus[0].type, a_vm("x", "h/0", "A40-24Q").vgpus[0].type
    h2 = a_host("h2", [a_gpu("h2", 0, types=(offers[1],)), a_gpu("h2", 1, types=(offers[0],))])
    fleet = a_fleet([a_host("h1", 2), h2], [a_vm("v1", ["h1/0", "h1/1"], ["A40-48Q", "A40-24Q"])])
    assert moves(plan_of(fleet)) == ["v1 live h2/1 h2/0"]


def test_mixed_size_gpus_take_placement_ids() -> None:
    """The largest is placed first, and every id is free and legal."""
    h2 = a_host("h2", [a_gpu("h2", 0, mode=PlacementMode.MIXED)])
    fleet = a_fleet(
        [a_host("h1", 3), h2],
        [
            a_vm("v1", "h1/0"),
            a_vm("v2", "h1/1", "A40-24Q"),
            a_vm("v3", "h1/2", "A40-12Q"),
            a_vm("v4", "h2/0@0"),
        ],
    )
    assert moves(plan_of(fleet)) == ["v2 live h2/0@24", "v3 live h2/0@12"]


def test_mig_gpus_take_one_vgpu_an_instance() -> None:
    """MIG-backed types go to GPU instances of their size."""
    layout = (3, 3)
    hosts = [a_host(name, [a_gpu(name, 0, "A100", mig=layout)]) for name in ("h1", "h2")]
    vms = [a_vm(name, "h1/0", "A100-3-20C") for name in ("v1", "v2")]
    assert moves(plan_of(a_fleet(hosts, vms))) == ["v1 live h2/0", "v2 live h2/0"]
    taken = a_vm("v3", "h2/0", "A100-3-20C")
    assert len(plan_of(a_fleet(hosts, [*vms, taken])).steps) == 1


def test_memory_and_vcpus_are_respected_where_given() -> None:
    """A host that names its memory takes no more than it has, and what is not checked is said."""
    hosts = [a_host("h1", 2), a_host("h2", 2, memory_mib=32768, vcpus=12), a_host("h3", 2, memory_mib=16384)]
    vms = [a_vm(f"v{n}", "h1/0", vcpus=8) for n in range(3)]
    plan, notes, _ = drain(a_fleet(hosts, vms), [H1])
    assert [step.target for step in plan.steps if isinstance(step, MigrateStep)].count(HostId("h2")) == 1
    assert len(plan.stuck) == 1
    assert notes == ("vcpus were not checked on h3: no vcpus in the fleet file",)


def test_an_overcommitted_host_takes_whoever_adds_nothing_to_that_figure() -> None:
    """Vcpus beyond what a host has forbid a VM with vcpus to come, and no other."""
    hosts = [a_host("h1", 2), a_host("h2", 2, vcpus=4)]
    there = a_vm("v0", "h2/0", vcpus=5)
    assert moves(plan_of(a_fleet(hosts, [there, a_vm("v1", "h1/0")]))) == ["v1 live h2/0"]
    assert moves(plan_of(a_fleet(hosts, [there, a_vm("v1", "h1/0", vcpus=1)]))) == []


def test_vms_of_one_group_go_apart() -> None:
    """Residents and arrivals of one anti-affinity group never share a host."""
    hosts = [a_host(f"h{n}", 2) for n in range(1, 5)]
    vms = [a_vm(f"v{n}", f"h{n}/0", anti_affinity=("web",)) for n in (1, 2)]
    assert moves(plan_of(a_fleet(hosts, vms), "h1", "h2")) == ["v1 live h3/0", "v2 live h4/0"]
    assert moves(plan_of(a_fleet(hosts[:3], vms))) == ["v1 live h3/0"]


def test_domains_and_unschedulable_hosts_bound_the_targets() -> None:
    """Nothing leaves its domain, nothing goes where nothing may."""
    fleet = a_fleet(
        [
            a_host("h1", domain="a"),
            a_host("h2", domain="b"),
            a_host("h3", domain="a", schedulable=False),
            a_host("h4", domain="a", has_manager=False),
            a_host("h5", [a_gpu("h5", 0, is_vgpu_host=False)], domain="a"),
        ],
        [a_vm("v1", "h1/0")],
    )
    assert moves(plan_of(fleet)) == []
    assert plan_of(fleet).stuck[0].reason == "no-compatible-host"


def test_targets_can_be_named() -> None:
    """`to` leaves only the hosts named."""
    fleet = a_fleet([a_host(f"h{n}") for n in range(1, 4)], [a_vm("v1", "h1/0")])
    assert moves(plan_of(fleet, to=["h3"])) == ["v1 live h3/0"]


def test_names_are_checked() -> None:
    """Unknown hosts, none at all, and a host on both sides are mistakes of the caller's."""
    fleet = a_fleet([a_host("h1"), a_host("h2")])
    with pytest.raises(UnknownNameError, match="unknown host h9"):
        drain(fleet, [HostId("h9")])
    with pytest.raises(InputError, match="name at least one host"):
        drain(fleet, [])
    with pytest.raises(InputError, match="h1: to be drained and to receive"):
        drain(fleet, [H1], to=[H1])


def test_limits_of_parallel_migrations_hold() -> None:
    """One at a time for the host takes the sum of all durations."""
    settings = Settings(migrations_per_host=1)
    fleet = a_fleet(
        [a_host("h1"), a_host("h2")], [a_vm(f"v{n}", "h1/0") for n in range(4)], domains={"default": settings}
    )
    plan = plan_of(fleet)
    assert plan.bounds.makespan_s.value == pytest.approx(4 * 13.2464, abs=0.01)


@pytest.mark.parametrize("seed", range(100))
def test_plans_of_random_fleets_replay_without_violations(seed: int) -> None:
    """Every plan is sound, says the same twice, and accounts for every VM on the drained hosts."""
    fleet = random_fleet(
        seed,
        mixed=0.3,
        mig=0.5 if seed % 4 == 1 else 0.1,
        several=0.15,
        memory=seed % 2 == 0,
        groups=4 if seed % 3 == 0 else 0,
        domains=1 + seed % 2,
        hosts=4 + seed % 5,
        vms=20 + seed % 60,
    )
    hosts = [HostId("h00"), HostId("h01")]
    plan = drain(fleet, hosts).plan
    assert replay(fleet, plan) == ()
    assert write_plan(drain(fleet, hosts[::-1]).plan) == write_plan(plan)
    moved = [step.vm for step in plan.steps if isinstance(step, MigrateStep)]
    stuck = [item.vm for item in plan.stuck]
    assert sorted([*moved, *filter(None, stuck)]) == sorted(
        vm.id for host in hosts for vm in fleet.residents[host]
    )
    assert all(item.remedies for item in plan.stuck)
