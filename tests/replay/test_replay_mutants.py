"""Real upgrade, drain and pin plans, each broken by one operator in one place: the replay names the kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_host, a_vm
from tests.planning.random_plans import Case as Asked
from tests.planning.random_plans import case_of
from tests.replay.plans import pin
from tests.replay.plans import plan as a_plan

from vgpu_migrate.model import GpuId, HostId, Settings, VmId
from vgpu_migrate.model.planfile import (
    Count,
    Duration,
    Goal,
    How,
    MigrateStep,
    PinStep,
    Plan,
    Reach,
    Seat,
    Step,
    Stuck,
    StuckReason,
    UpgradeStep,
)
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import drain, upgrade
from vgpu_migrate.replay import Kind, replay
from vgpu_migrate.replay.order import Order, order_of

DRIVER = "580.65.05"
HOSTS = [a_host(f"h{n}", 2, memory_mib=65536) for n in range(1, 6)]
VMS = [
    *(a_vm(f"v{n}", f"h{n}/0", "A40-48Q", guest_driver="570.86.15", anti_affinity=("web",)) for n in (1, 2)),
    a_vm("v3", "h3/0", "A40-48Q", guest_driver="570.86.15", allow=States.LIVE | States.COLD),
    a_vm("v4", "h3/1", "A40-24Q"),
]
FLEET = a_fleet(HOSTS, VMS, settings=Settings(migrations_per_fleet=2))
UPGRADE = upgrade(FLEET, DRIVER).plan
DRAIN = drain(FLEET, [HostId("h1"), HostId("h3")], defrag=True).plan
PIN = a_plan(
    FLEET,
    pin(1, "h4", "0x120001", "0x140001"),
    pin(2, "h5", "0x120001", "0x140001"),
    pin(3, "h5", after=(2,)),
    goal=Goal.PIN,
)
BASES = {"upgrade": UPGRADE, "drain": DRAIN, "pin": PIN}


def kinds(plan: Plan, *, max_unavailable: int | None = None) -> set[Kind]:
    return {violation.kind for violation in replay(FLEET, plan, max_unavailable=max_unavailable)}


@pytest.mark.parametrize("name", BASES)
def test_the_plans_to_be_broken_are_sound_and_of_every_sort(name: str) -> None:
    """Nothing is wrong before something is broken, and the upgrade has moves, waves, pins and lifts."""
    assert replay(FLEET, BASES[name]) == ()
    sorts = {
        type(step).__name__ + ("" if getattr(step, "range", True) else " lifted") for step in UPGRADE.steps
    }
    assert sorts == {"MigrateStep", "UpgradeStep", "PinStep", "PinStep lifted"}
    assert UPGRADE.bounds.waves.value > 1


def find(plan: Plan, sort: type[Step], **fields: Any) -> Any:
    """The first step of a sort with some fields."""
    return next(
        step
        for step in plan.steps
        if isinstance(step, sort) and all(getattr(step, name) == value for name, value in fields.items())
    )


def changed(plan: Plan, step: Step, **changes: Any) -> Plan:
    """A plan with some fields of one step changed."""
    return replace(plan, steps=tuple([replace(s, **changes) if s is step else s for s in plan.steps]))


def dropped(plan: Plan, step: Step) -> Plan:
    """A plan without a step: nobody waits for it any more, and the figures are right."""
    steps = [
        replace(other, after=tuple(number for number in other.after if number != step.id))
        for other in plan.steps
        if other is not step
    ]
    return replace(plan, steps=tuple(steps), bounds=a_plan(FLEET, *steps, goal=plan.goal).bounds)


def without_edge(plan: Plan, later: Step, earlier: int) -> Plan:
    """A plan in which one step no longer waits for another."""
    return changed(plan, later, after=tuple(number for number in later.after if number != earlier))


def figured(plan: Plan, **changes: Any) -> Plan:
    return replace(plan, bounds=replace(plan.bounds, **changes))


MOVE: MigrateStep = find(UPGRADE, MigrateStep)
WORK: UpgradeStep = find(UPGRADE, UpgradeStep, host=MOVE.source)
SET: PinStep = find(UPGRADE, PinStep, host=MOVE.target)
LIFT: PinStep = next(s for s in UPGRADE.steps if isinstance(s, PinStep) and s.range is None)
OF_V3: MigrateStep = find(UPGRADE, MigrateStep, vm="v3")
OF_V4: MigrateStep = find(UPGRADE, MigrateStep, vm="v4")
OF_V4_DRAINED: MigrateStep = find(DRAIN, MigrateStep, vm="v4")
OF_V1_DRAINED: MigrateStep = find(DRAIN, MigrateStep, vm="v1")
FIRST: MigrateStep = find(DRAIN, MigrateStep)
STAYS = Stuck(VmId("v1"), HostId("h1"), StuckReason.NO_CAPACITY, (), ("x",))


class Mutant(NamedTuple):
    plan: Plan
    kinds: set[Kind]
    """What is broken."""
    follows: frozenset[Kind] = frozenset()
    """What comes of that: a move that cannot be made leaves its VM where it is in the way."""
    max_unavailable: int | None = None


IN_THE_WAY = frozenset({Kind.ANTI_AFFINITY, Kind.CAPACITY, Kind.NOT_EMPTY})


def at_once(plan: Plan) -> Plan:
    """Every migration at second 0, with the makespan told right."""
    steps = [replace(step, start_s=0.0, end_s=step.end_s - step.start_s) for step in plan.steps]
    makespan_s = max(step.end_s for step in steps)
    return replace(figured(plan, makespan_s=Duration(makespan_s, 0.0)), steps=tuple(steps))


def one_wave(plan: Plan) -> Plan:
    """All waves in one, counted right."""
    steps = tuple([replace(step, wave=1) for step in plan.steps])
    return replace(figured(plan, waves=Count(1, 1)), steps=steps)


MUTANTS: dict[str, Mutant] = {
    "upgrade: an unknown host": Mutant(changed(UPGRADE, WORK, host=HostId("h9")), {Kind.UNKNOWN}),
    "pin: an unknown host": Mutant(changed(PIN, PIN.steps[0], host=HostId("h9")), {Kind.UNKNOWN}),
    "drain: two steps of one id": Mutant(changed(DRAIN, DRAIN.steps[1], id=1), {Kind.DUPLICATE}),
    "upgrade: a circle": Mutant(changed(UPGRADE, MOVE, after=(*MOVE.after, WORK.id)), {Kind.CYCLE}),
    "upgrade: a pin without its upgrade's end": Mutant(
        without_edge(UPGRADE, SET, SET.after[0]), {Kind.ORDER, Kind.NOT_EMPTY}
    ),
    "pin: set and lifted in any order": Mutant(without_edge(PIN, PIN.steps[2], 2), {Kind.ORDER}),
    "drain: too short": Mutant(changed(DRAIN, FIRST, end_s=FIRST.end_s - 1), {Kind.TIMING}),
    "pin: it lasts": Mutant(changed(PIN, PIN.steps[0], end_s=1.0), {Kind.TIMING, Kind.BOUNDS}),
    "upgrade: another source": Mutant(changed(UPGRADE, MOVE, source=HostId("h5")), {Kind.SOURCE}, IN_THE_WAY),
    "drain: to itself": Mutant(
        changed(DRAIN, FIRST, target=FIRST.source, gpus=(Seat(GpuId(f"{FIRST.source}/1"), None),)),
        {Kind.TARGET},
    ),
    "upgrade: a gpu elsewhere": Mutant(
        changed(UPGRADE, MOVE, gpus=(Seat(GpuId("h3/1"), None),)), {Kind.SEATS}, IN_THE_WAY | {Kind.SOURCE}
    ),
    "upgrade: a placement where there are none": Mutant(
        changed(UPGRADE, MOVE, gpus=(Seat(MOVE.gpus[0].gpu, 0),)), {Kind.SEATS}, IN_THE_WAY | {Kind.SOURCE}
    ),
    "drain: onto a full gpu": Mutant(
        changed(DRAIN, OF_V4_DRAINED, target=HostId("h2"), gpus=(Seat(GpuId("h2/0"), None),)),
        {Kind.CAPACITY},
    ),
    "drain: beside its own group": Mutant(
        changed(DRAIN, OF_V1_DRAINED, target=HostId("h2"), gpus=(Seat(GpuId("h2/1"), None),)),
        {Kind.ANTI_AFFINITY},
        IN_THE_WAY,
    ),
    "upgrade: a pin that its VMs cannot run": Mutant(
        changed(UPGRADE, SET, range=("0x120001", "0x130001")), {Kind.RULES}
    ),
    "upgrade: to a driver whose preset its pin exceeds": Mutant(
        changed(UPGRADE, find(UPGRADE, UpgradeStep, host=MOVE.target), driver="535.161.05"), {Kind.RANGE}
    ),
    "drain: against its owner's will": Mutant(
        changed(DRAIN, find(DRAIN, MigrateStep, vm="v4"), how=How.COLD), {Kind.CONSENT, Kind.HOW}
    ),
    "upgrade: more interruption than needed": Mutant(changed(UPGRADE, OF_V3, how=How.COLD), {Kind.HOW}),
    "upgrade: without waiting for one who leaves": Mutant(
        without_edge(UPGRADE, WORK, MOVE.id), {Kind.NOT_EMPTY}, IN_THE_WAY
    ),
    "upgrade: without one who must leave": Mutant(
        dropped(UPGRADE, OF_V4), {Kind.NOT_EMPTY}, frozenset({Kind.SOURCE})
    ),
    "upgrade: before the pin is set": Mutant(without_edge(UPGRADE, MOVE, SET.id), {Kind.NOT_EMPTY}),
    "pin: on a host that is not empty": Mutant(
        changed(PIN, PIN.steps[0], host=HostId("h1")), {Kind.NOT_EMPTY}
    ),
    "pin: outside the preset": Mutant(
        changed(PIN, PIN.steps[0], range=("0x60001", "0x140001")), {Kind.RANGE}
    ),
    "upgrade: a pin as the old driver had it": Mutant(
        changed(UPGRADE, SET, range=("0x70001", "0x140001")), {Kind.RANGE}
    ),
    "drain: all at once": Mutant(at_once(DRAIN), {Kind.PARALLEL}),
    "upgrade: more hosts out than allowed": Mutant(UPGRADE, {Kind.UNAVAILABLE}, max_unavailable=1),
    "upgrade: waves merged": Mutant(one_wave(UPGRADE), {Kind.WAVE}),
    "upgrade: stuck on an upgraded host": Mutant(
        replace(UPGRADE, stuck=(replace(STAYS, host=HostId("h1")),)), {Kind.STUCK}
    ),
    "upgrade: an upgraded host said to be stuck": Mutant(
        replace(UPGRADE, stuck=(replace(STAYS, vm=None),)), {Kind.STUCK}
    ),
    "drain: stuck and moved": Mutant(replace(DRAIN, stuck=(STAYS,)), {Kind.STUCK}),
    "upgrade: a move too many": Mutant(
        figured(UPGRADE, moves=Count(UPGRADE.bounds.moves.value + 1, 0)), {Kind.BOUNDS}
    ),
    "upgrade: a wave too few": Mutant(figured(UPGRADE, waves=Count(1, 1)), {Kind.BOUNDS}),
    "upgrade: a host too many": Mutant(figured(UPGRADE, hosts=Reach(6, 6)), {Kind.BOUNDS}),
    "upgrade: a bound too low": Mutant(figured(UPGRADE, hosts=Reach(5, 4)), {Kind.BOUNDS}),
    "pin: upgrades counted": Mutant(figured(PIN, hosts=Reach(0, 2)), {Kind.BOUNDS}),
    "drain: hosts told": Mutant(figured(DRAIN, hosts=Reach(1, 1)), {Kind.BOUNDS}),
    "upgrade: said to be a drain": Mutant(
        replace(figured(UPGRADE, hosts=None), goal=Goal.DRAIN), {Kind.GOAL}
    ),
    "upgrade: said to be for pins": Mutant(
        replace(UPGRADE, goal=Goal.PIN), {Kind.GOAL}, frozenset({Kind.BOUNDS})
    ),
    "pin: said to be a drain": Mutant(replace(figured(PIN, hosts=None), goal=Goal.DRAIN), {Kind.GOAL}),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_told_by_its_kind(name: str) -> None:
    """Just what was broken is found, and nothing else."""
    mutant = MUTANTS[name]
    found = kinds(mutant.plan, max_unavailable=mutant.max_unavailable)
    assert mutant.kinds <= found <= mutant.kinds | mutant.follows


def test_a_vm_too_much_for_the_memory_of_a_host() -> None:
    """Three VMs of 16 GiB on a host of 40 GiB are told by memory, in the order of time and in any other."""
    vms = [a_vm(f"v{n}", f"h{n}/0") for n in (1, 2, 3)]
    fleet = a_fleet([a_host("h1"), a_host("h2"), a_host("h3"), a_host("h4", memory_mib=65536)], vms)
    plan = drain(fleet, [HostId(f"h{n}") for n in (1, 2, 3)], to=[HostId("h4")]).plan
    assert (len(plan.steps), replay(fleet, plan)) == (3, ())
    less = a_fleet([*list(fleet.hosts.values())[:3], a_host("h4", memory_mib=40960)], vms)
    assert {item.kind for item in replay(less, plan)} == {Kind.MEMORY}


def test_every_kind_is_reached_by_a_real_plan() -> None:
    """No kind of violation is left to plans made by hand alone."""
    assert set().union(*(mutant.kinds for mutant in MUTANTS.values())) | {Kind.MEMORY} == set(Kind)


def edges_that_matter(case: Asked) -> list[tuple[Step, int]]:
    """Waitings between steps on one host, or of one VM, that no other way replaces."""
    by_id = {step.id: step for step in case.plan.steps}
    found = []
    for step in case.plan.steps:
        for number in step.after:
            earlier = by_id[number]
            order = order_of(without_edge(case.plan, step, number))
            assert isinstance(order, Order)
            if order.waits(step.id, number):
                continue
            if isinstance(step, MigrateStep):
                if isinstance(earlier, MigrateStep):
                    matters = step.vm == earlier.vm
                else:
                    matters = earlier.host == step.target
            elif isinstance(earlier, MigrateStep):
                matters = earlier.source == step.host
            else:
                matters = earlier.host == step.host
            if matters:
                found.append((step, number))
    return found


@pytest.mark.parametrize("seed", range(2, 52, 5))
def test_no_edge_that_matters_can_be_left_out(seed: int) -> None:
    """Of random upgrades, each waiting between steps on one host or VM is needed, and its loss is told."""
    case = case_of(seed)
    for later, earlier in edges_that_matter(case):
        found = {item.kind for item in replay(case.fleet, without_edge(case.plan, later, earlier))}
        assert found & {Kind.NOT_EMPTY, Kind.ORDER}, (later, earlier)


def _longer(step: Step) -> Step:
    return replace(step, end_s=step.end_s + 1)


OPERATORS: dict[str, tuple[Kind, Callable[[Step], Step]]] = {
    "longer": (Kind.TIMING, _longer),
    "waits for nobody": (Kind.UNKNOWN, lambda step: replace(step, after=(*step.after, 999_999))),
    "waits for itself": (Kind.CYCLE, lambda step: replace(step, after=(*step.after, step.id))),
    "of another wave": (Kind.BOUNDS, lambda step: replace(step, wave=999)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_each_step_of_a_random_plan_is_looked_at(name: str) -> None:
    """An operator applied to any one step of random plans of every goal is told."""
    kind, operator = OPERATORS[name]
    for seed in range(12):
        case = case_of(seed)
        for step in case.plan.steps:
            if name == "of another wave" and not isinstance(step, UpgradeStep):
                continue
            broken = replace(
                case.plan, steps=tuple([operator(s) if s is step else s for s in case.plan.steps])
            )
            found = {item.kind for item in replay(case.fleet, broken)}
            alone = sum(
                isinstance(s, UpgradeStep) and s.wave == getattr(step, "wave", 0) for s in case.plan.steps
            )
            assert kind in found or (name == "of another wave" and alone == 1), (seed, step)
