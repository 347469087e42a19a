"""Draining with defragmentation: residents move out of the way, and every order that is left open is safe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm, random_fleet

from vgpu_migrate.model import Fleet, HostId, PlacementMode, VmId
from vgpu_migrate.model.planfile import MigrateStep, Plan, Stuck, StuckReason, write_plan
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import drain
from vgpu_migrate.planning.course import Course, CourseBounds
from vgpu_migrate.planning.defrag.rearrange import WITHOUT_SOLVER
from vgpu_migrate.planning.drain_fleet import _least_stuck
from vgpu_migrate.planning.moves import WAYS
from vgpu_migrate.replay import replay

MIXED = PlacementMode.MIXED


def plan_of(fleet: Fleet, *hosts: str, to: Sequence[str] = (), avoid: Sequence[str] = ()) -> Plan:
    """A drain plan with defragmentation that the replay finds nothing wrong with."""
    named = [HostId(name) for name in hosts or ("h1",)]
    targets = [HostId(name) for name in to]
    plan = drain(fleet, named, to=targets or None, avoid=[HostId(name) for name in avoid], defrag=True).plan
    assert replay(fleet, plan) == ()
    return plan


def steps_of(plan: Plan) -> list[MigrateStep]:
    """Its steps, which all migrate."""
    return [step for step in plan.steps if isinstance(step, MigrateStep)]


def said(plan: Plan) -> list[str]:
    """Steps as text, in their order: who, how, onto which gpus, after which steps."""
    found = []
    for step in steps_of(plan):
        seats = " ".join(f"{s.gpu}@{s.placement}" if s.placement is not None else s.gpu for s in step.gpus)
        after = f" after {', '.join(map(str, step.after))}" if step.after else ""
        found.append(f"{step.vm} {step.how} {seats}{after}")
    return found


def stuck(plan: Plan) -> list[VmId | None]:
    """Who stays."""
    return [item.vm for item in plan.stuck]


def test_two_half_empty_gpus_of_a_type_become_one() -> None:
    """A gpu is emptied for another type, its resident joining its own; the newcomer waits for that."""
    fleet = a_fleet(
        [a_host("h1"), a_host("h2"), a_host("h3")],
        [a_vm("v1", "h1/0", "A40-12Q"), a_vm("r1", "h2/0"), a_vm("r2", "h3/0")],
    )
    plan = plan_of(fleet)
    assert said(plan) == ["r1 live h3/0", "v1 live h2/0 after 1"]
    assert (plan.bounds.moves.value, plan.bounds.moves.lower_bound) == (2, 1)


def test_without_defragmentation_nobody_else_moves() -> None:
    """What only others' moving would help stays, and the plan may run in any order."""
    fleet = a_fleet(
        [a_host("h1"), a_host("h2"), a_host("h3")],
        [a_vm("v1", "h1/0", "A40-12Q"), a_vm("r1", "h2/0"), a_vm("r2", "h3/0")],
    )
    plan = drain(fleet, [HostId("h1")]).plan
    assert (plan.steps, stuck(plan)) == ((), ["v1"])


def test_nobody_moves_where_there_is_room() -> None:
    """Defragmentation is no end in itself."""
    fleet = a_fleet(
        [a_host("h1"), a_host("h2"), a_host("h3"), a_host("h4")],
        [a_vm("v1", "h1/0", "A40-12Q"), a_vm("r1", "h2/0"), a_vm("r2", "h3/0")],
    )
    assert said(plan_of(fleet)) == ["v1 live h4/0"]


def test_holes_of_mixed_size_gpus_are_joined() -> None:
    """A small vgpu in the middle of the room for a large one goes to another gpu."""
    hosts = [a_host("h1"), *(a_host(name, [a_gpu(name, 0, mode=MIXED)]) for name in ("h2", "h3"))]
    vms = [
        a_vm("v1", "h1/0", "A40-48Q"),
        a_vm("r1", "h2/0@0", "A40-12Q"),
        a_vm("r2", "h3/0@12", "A40-12Q"),
        a_vm("r3", "h3/0@24", "A40-24Q"),
    ]
    assert said(plan_of(a_fleet(hosts, vms))) == ["r1 live h3/0@0", "v1 live h2/0@0 after 1"]


def circle() -> Fleet:
    """The two that leave find room only where r1 and r2 have changed places; only h4 has a spare one.

    Free are 6 MiB on h2, 8 on h3 and 12 on h4. Only on h4 is nobody of v0's groups. So v1, with 10, needs r1,
    with 10, on h3 and r2, with 12, on h2.
    """
    hosts = [
        a_host("h1"),
        a_host("h2", memory_mib=17),
        a_host("h3", memory_mib=21),
        a_host("h4", memory_mib=12),
    ]
    vms = [
        a_vm("v0", "h1/0", memory_mib=12, anti_affinity=("a", "b")),
        a_vm("v1", "h1/0", memory_mib=10),
        a_vm("r1", "h2/0", memory_mib=10),
        a_vm("f2", "h2/0", memory_mib=1, anti_affinity=("a",), allow=States.NONE),
        a_vm("r2", "h3/0", memory_mib=12),
        a_vm("f3", "h3/0", memory_mib=1, anti_affinity=("b",), allow=States.NONE),
    ]
    return a_fleet(hosts, vms)


def test_residents_that_wait_for_each_other_go_through_a_spare_place() -> None:
    """Two that change places need a third: one hops there and goes on when the other has left."""
    assert said(plan_of(circle())) == [
        "r1 live h4/0",
        "r2 live h2/0 after 1",
        "r1 live h3/0 after 2",
        "v1 live h3/0 after 2",
        "v0 live h4/0 after 3",
    ]


def test_what_no_spare_place_can_order_is_left_out() -> None:
    """Without room for a hop the two stay where they are, and only who finds room without them goes."""
    fleet = circle()
    vms = [*fleet.vms.values(), a_vm("f4", "h4/0", memory_mib=3, allow=States.NONE)]
    assert stuck(plan_of(a_fleet(fleet.hosts.values(), vms))) == ["v0", "v1"]


def test_all_vgpus_of_a_resident_move_together() -> None:
    """One with two vgpus makes room on both gpus, on one host."""
    hosts = [a_host("h1"), a_host("h2", 2), a_host("h3", 2)]
    vms = [
        a_vm("v1", "h1/0", "A40-48Q"),
        a_vm("r1", ["h2/0", "h2/1"], "A40-24Q"),
        a_vm("r2", ["h3/0", "h3/1"], "A40-24Q"),
    ]
    plan = plan_of(a_fleet(hosts, vms))
    assert said(plan) == ["r1 live h3/0 h3/1", "v1 live h2/0 after 1"]


def test_a_vm_with_several_vgpus_gets_a_host_cleared() -> None:
    """Those in the way of several vgpus leave one host, where fewest must."""
    hosts = [a_host("h1", 2), a_host("h2", 2), a_host("h3", 2)]
    vms = [
        a_vm("v1", ["h1/0", "h1/1"], "A40-48Q"),
        a_vm("r1", "h2/0"),
        a_vm("r2", "h3/0"),
        a_vm("r3", "h3/1"),
    ]
    plan = plan_of(a_fleet(hosts, vms))
    assert said(plan) == ["r1 live h3/0", "v1 live h2/1 h2/0 after 1"]


def test_an_owner_who_forbids_it_is_not_overruled() -> None:
    """A resident that could only go cold stays if its owner allows live alone, and goes if he allows cold."""
    hosts = [a_host("h1"), a_host("h2"), a_host("h3", [a_gpu("h3", 0, ecc=False)])]

    def fleet(allow: States) -> Fleet:
        vms = [
            a_vm("v1", "h1/0", "A40-48Q"),
            a_vm("r1", "h2/0", allow=allow, guest_driver="550.54.14"),
            a_vm("r2", "h3/0", guest_driver="550.54.14"),
        ]
        return a_fleet(hosts, vms)

    assert stuck(plan_of(fleet(States.LIVE))) == ["v1"]
    assert said(plan_of(fleet(States.LIVE | States.COLD))) == ["r1 cold h3/0", "v1 live h2/0 after 1"]


def test_a_resident_that_can_go_live_goes_before_one_that_cannot() -> None:
    """Of two ways to make room the one that interrupts nobody is taken."""
    hosts = [a_host("h1"), a_host("h2"), a_host("h3"), a_host("h4")]
    vms = [
        a_vm("v1", "h1/0", "A40-48Q"),
        a_vm("r1", "h2/0", allow=States.COLD),
        a_vm("r2", "h3/0"),
        a_vm("r3", "h4/0", allow=States.COLD),
    ]
    assert said(plan_of(a_fleet(hosts, vms)))[0].startswith("r2 live")


def test_groups_stay_apart_while_residents_move() -> None:
    """A VM does not go where another of its group is, also where others must move for that."""
    hosts = [a_host("h1"), a_host("h2"), a_host("h3")]
    vms = [
        a_vm("v1", "h1/0", anti_affinity=("web",)),
        a_vm("r1", "h2/0", anti_affinity=("web",)),
        *(a_vm(f"f{n}", "h3/0") for n in range(6)),
    ]
    assert said(plan_of(a_fleet(hosts, vms))) == ["f0 live h2/0", "v1 live h3/0 after 1"]


def test_memory_of_a_host_is_freed() -> None:
    """A small VM leaves a host whose memory is what is wanting."""
    hosts = [a_host("h1"), a_host("h2", memory_mib=40), a_host("h3", memory_mib=16)]
    vms = [
        a_vm("v1", "h1/0", memory_mib=32),
        a_vm("r1", "h2/0", memory_mib=16),
        a_vm("r2", "h2/0", memory_mib=8),
    ]
    assert said(plan_of(a_fleet(hosts, vms))) == ["r1 live h3/0", "v1 live h2/0 after 1"]


def test_avoided_hosts_neither_receive_nor_give() -> None:
    """Nobody goes to a host that is avoided, and nobody there moves."""
    hosts = [a_host("h1"), a_host("h2"), a_host("h3"), a_host("h4")]
    vms = [
        a_vm("v1", "h1/0", "A40-12Q"),
        a_vm("r1", "h2/0"),
        a_vm("r2", "h3/0"),
        a_vm("r3", "h4/0", "A40-24Q"),
    ]
    fleet = a_fleet(hosts, vms)
    assert said(plan_of(fleet)) == ["r1 live h3/0", "v1 live h2/0 after 1"]
    assert stuck(plan_of(fleet, avoid=["h3"])) == ["v1"]
    assert stuck(plan_of(fleet, to=["h2"])) == ["v1"]


def test_without_the_solver_the_heuristic_answers_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OR-Tools is missing the plan is made all the same, with a note where somebody is stuck."""
    for name in [name for name in sys.modules if name.startswith("vgpu_migrate.planning.defrag.")]:
        if name.rpartition(".")[2] in ("exact", "polish"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ortools", None)
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    vms = [
        a_vm("v1", "h1/0", "A40-12Q"),
        a_vm("v2", "h1/0", "A40-48Q"),
        a_vm("r1", "h2/0"),
        a_vm("r2", "h3/0"),
    ]
    fleet = a_fleet([a_host("h1", 2), a_host("h2"), a_host("h3")], vms)
    plan, notes, _ = drain(fleet, [HostId("h1")], defrag=True)
    assert replay(fleet, plan) == ()
    assert len(plan.stuck) == 1
    assert WITHOUT_SOLVER in notes


def test_how_many_must_stay_is_proved() -> None:
    """With the exact model a note says that no plan leaves fewer."""
    vms = [
        a_vm("v1", "h1/0", "A40-48Q"),
        a_vm("v2", "h1/1", "A40-48Q"),
        a_vm("r1", "h2/0"),
        a_vm("r2", "h3/0"),
    ]
    fleet = a_fleet([a_host("h1", 2), a_host("h2"), a_host("h3")], vms)
    plan, notes, _ = drain(fleet, [HostId("h1")], defrag=True)
    assert len(plan.stuck) == 1
    assert notes[-1] == "1 VM stuck: no plan for these hosts leaves fewer, which is proved"


def test_a_bound_that_says_nothing_is_not_told() -> None:
    """That no plan leaves fewer than none is true of every plan."""
    bounds = CourseBounds(moves=0, waves=0, makespan_s=0.0, stuck=0)
    left = Stuck(None, HostId("h1"), StuckReason.NO_CAPACITY, (), ())
    assert _least_stuck([Course("d", (), (left,), bounds)]) == []
    one = Course("d", (), (left, left), replace(bounds, stuck=1))
    assert _least_stuck([one]) == [
        "2 VMs stuck: no plan for these hosts leaves fewer than 1, as far as proved in the time given"
    ]


def figures(plan: Plan) -> tuple[int, int]:
    """How many are stuck, and the sum of levels of interruption."""
    return len(plan.stuck), sum(WAYS.index(step.how) for step in steps_of(plan))


def varied_fleet(seed: int) -> Fleet:
    """A fleet of any kind, rather full."""
    return random_fleet(
        seed,
        mixed=0.3,
        mig=0.5 if seed % 4 == 1 else 0.1,
        several=0.15 if seed % 5 == 0 else 0.0,
        memory=seed % 3 == 0,
        groups=4 if seed % 3 == 1 else 0,
        domains=1 + seed % 2,
        hosts=4 + seed % 5,
        vms=20 + seed % 60,
        odd=0.2 if seed % 2 else 0.05,
    )


@pytest.mark.parametrize("seed", range(60))
def test_plans_of_random_fleets_are_sound_and_never_worse(seed: int) -> None:
    """Every plan replays without violations, is the same twice, and no worse than without."""
    fleet = varied_fleet(seed)
    hosts = [HostId("h00"), HostId("h01")][: 1 + seed % 2]
    plain = drain(fleet, hosts).plan
    plan = drain(fleet, hosts, defrag=True).plan
    assert replay(fleet, plan) == ()
    assert figures(plan) <= figures(plain)
    assert write_plan(drain(fleet, hosts[::-1], defrag=True).plan) == write_plan(plan)
    leave = {vm.id for host in hosts for vm in fleet.residents[host]}
    gone = [step.vm for step in steps_of(plan) if step.vm in leave]
    assert sorted([*gone, *filter(None, stuck(plan))]) == sorted(leave)
    assert plan.bounds.moves.lower_bound == len(gone)


@given(seed=st.integers(min_value=1000, max_value=10**6), vms=st.integers(min_value=5, max_value=60))
@settings(max_examples=40, deadline=None)
def test_any_fleet_gives_a_sound_plan(seed: int, vms: int) -> None:
    """Whatever the fleet, the replay has nothing to object to."""
    fleet = random_fleet(
        seed,
        hosts=3 + seed % 4,
        vms=vms,
        mixed=seed % 3 / 2,
        mig=0.2,
        several=0.2,
        memory=seed % 2 == 0,
        groups=seed % 4,
        odd=seed % 5 / 10,
    )
    plan = drain(fleet, [HostId("h00")], defrag=True).plan
    assert replay(fleet, plan) == ()
