"""Sound plans broken in every kind of way: the replay tells each."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm, random_fleet
from tests.replay.plans import move, pin, plan, seconds_of, upgrade

from vgpu_migrate.errors import InputError
from vgpu_migrate.model import Fleet, GpuId, HostId, PlacementMode, Settings, VersionRange, VmId, VmState
from vgpu_migrate.model.planfile import (
    Count,
    Duration,
    Goal,
    How,
    MigrateStep,
    Plan,
    Reach,
    Seat,
    Stuck,
    StuckReason,
)
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import drain
from vgpu_migrate.replay import Kind, replay

OLD = VersionRange(0x70001, 0x120001)
V1 = a_vm("v1", "h1/0", anti_affinity=("web",), vcpus=8)
V2 = a_vm("v2", "h1/1", "A40-12Q")
V3 = a_vm("v3", "h2/0")
FLEET = a_fleet(
    [
        a_host("h1", 2),
        a_host("h2", 2),
        a_host("h3", 2, memory_mib=40960, vcpus=12),
        a_host("h4", [a_gpu("h4", 0, mode=PlacementMode.MIXED)]),
        a_host("other", domain="other"),
        a_host("shut", schedulable=False),
        a_host("plain", has_manager=False),
        a_host("none", [a_gpu("none", 0, is_vgpu_host=False)]),
        a_host("old", range_in_force=OLD),
        a_host("tiny", memory_mib=1024),
        a_host("group"),
    ],
    [V1, V2, V3, a_vm("v9", "group/0", anti_affinity=("web",)), a_vm("v8", "h4/0@0")],
)
EIGHT = a_vm("v4", "h1/1", "A40-12Q", vcpus=8)
FLEET_TIGHT = a_fleet(
    [a_host("h1", 2), a_host("h2", 2), a_host("h3", 2, vcpus=12)],
    [V1, EIGHT],
    settings=Settings(migrations_per_host=1),
)
DURATION = seconds_of(V1)
DRAIN = plan(FLEET, move(1, V1, "h2"), move(2, V2, "h2", "h2/1"))
STAYS = Stuck(V3.id, HostId("h2"), StuckReason.NO_CAPACITY, (), ("x",))
UPGRADE = plan(
    FLEET,
    move(1, V1, "h2"),
    move(2, V2, "h2", "h2/1"),
    upgrade(3, "h1", start_s=20.0, after=(1, 2)),
    pin(4, "h1", "0x120001", "0x140001", start_s=1820.0, after=(3,)),
    goal=Goal.UPGRADE,
)


def kinds(fleet: Fleet, broken: Plan) -> set[Kind]:
    return {violation.kind for violation in replay(fleet, broken, max_unavailable=1)}


@pytest.mark.parametrize(
    "sound", [DRAIN, UPGRADE, replace(DRAIN, stuck=(STAYS,))], ids=["drain", "upgrade", "stuck"]
)
def test_the_plans_to_be_broken_are_sound(sound: Plan) -> None:
    """Nothing is found wrong before something is broken."""
    assert replay(FLEET, sound) == ()


class Case(NamedTuple):
    kind: Kind
    plan: Plan


def step(number: int, base: Plan = DRAIN, **changes: Any) -> Plan:
    """A plan with some fields of one step changed."""
    steps = tuple(replace(item, **changes) if item.id == number else item for item in base.steps)
    return replace(base, steps=steps)


def bounds(base: Plan = DRAIN, **changes: Any) -> Plan:
    return replace(base, bounds=replace(base.bounds, **changes))


def stays(base: Plan, **changes: Any) -> Plan:
    """A plan with V3 stuck on h2, or with what is changed of that."""
    return replace(base, stuck=(replace(STAYS, **changes),))


def seats(*gpus: str) -> tuple[Seat, ...]:
    return tuple(Seat(GpuId(gpu), None) for gpu in gpus)


def to(target: str, *gpus: str) -> Plan:
    """The drain with its first VM sent elsewhere."""
    return step(1, target=HostId(target), gpus=seats(*(gpus or (f"{target}/0",))))


def to_mixed(placement: int) -> Plan:
    """The drain with its first VM sent to the mixed-size gpu."""
    return step(1, target=HostId("h4"), gpus=(Seat(GpuId("h4/0"), placement),))


LATE = 2000.0
AGAIN = move(2, V1, "h3", start_s=LATE, after=(1,))
NO_MANAGER = pin(1, "plain", "0x120001", "0x140001")
MAKESPAN_S = DRAIN.bounds.makespan_s.value

CASES = {
    "unknown vm": Case(Kind.UNKNOWN, step(1, vm=VmId("v7"))),
    "unknown host": Case(Kind.UNKNOWN, step(1, target=HostId("h7"))),
    "unknown gpu": Case(Kind.UNKNOWN, step(1, gpus=seats("h7/0"))),
    "unknown step": Case(Kind.UNKNOWN, step(1, after=(9,))),
    "unknown stuck vm": Case(Kind.UNKNOWN, stays(DRAIN, vm=VmId("v7"))),
    "unknown stuck host": Case(Kind.UNKNOWN, stays(DRAIN, host=HostId("h7"))),
    "two steps of one id": Case(Kind.DUPLICATE, step(2, id=1)),
    "stuck twice": Case(Kind.DUPLICATE, replace(DRAIN, stuck=(STAYS, STAYS))),
    "cycle": Case(Kind.CYCLE, step(2, step(1, after=(2,)), after=(1,))),
    "waits for itself": Case(Kind.CYCLE, step(1, after=(1,))),
    "same vm, no order": Case(
        Kind.ORDER,
        plan(FLEET, move(1, V1, "h2"), move(2, V1, "h3", source=HostId("h2"), start_s=LATE)),
    ),
    "same host, no order": Case(Kind.ORDER, step(4, UPGRADE, after=(1, 2))),
    "starts too early": Case(Kind.TIMING, step(2, after=(1,))),
    "too short": Case(Kind.TIMING, step(1, end_s=DURATION - 0.02)),
    "too long": Case(Kind.TIMING, step(1, end_s=DURATION + 0.02)),
    "backwards": Case(Kind.TIMING, step(1, start_s=DURATION, end_s=0.0)),
    "upgrade too short": Case(Kind.TIMING, step(3, UPGRADE, end_s=1810.0)),
    "pin takes time": Case(Kind.TIMING, step(4, UPGRADE, end_s=1821.0)),
    "not there": Case(Kind.SOURCE, step(1, source=HostId("h3"))),
    "moved already": Case(Kind.SOURCE, plan(FLEET, move(1, V1, "h2"), AGAIN)),
    "on the move": Case(Kind.SOURCE, plan(FLEET, move(1, V1, "h2"), move(2, V1, "h3", start_s=5.0))),
    "to itself": Case(Kind.TARGET, to("h1", "h1/1")),
    "other domain": Case(Kind.TARGET, to("other")),
    "not schedulable": Case(Kind.TARGET, to("shut")),
    "no manager": Case(Kind.TARGET, to("plain")),
    "no vgpu host": Case(Kind.CAPACITY, to("none")),
    "too many gpus": Case(Kind.SEATS, step(1, gpus=seats("h2/0", "h2/0"))),
    "gpu elsewhere": Case(Kind.SEATS, step(1, gpus=seats("h3/0"))),
    "placement not wanted": Case(Kind.SEATS, step(1, gpus=(Seat(GpuId("h2/0"), 0),))),
    "placement missing": Case(Kind.SEATS, to("h4")),
    "other type there": Case(Kind.CAPACITY, step(2, gpus=seats("h2/0"))),
    "placement taken": Case(Kind.CAPACITY, to_mixed(0)),
    "no such placement": Case(Kind.CAPACITY, to_mixed(17)),
    "out of memory": Case(Kind.MEMORY, to("tiny")),
    "out of vcpus": Case(
        Kind.MEMORY,
        plan(FLEET_TIGHT, move(1, V1, "h3", "h3/0"), move(2, EIGHT, "h3", "h3/1")),
    ),
    "same group": Case(Kind.ANTI_AFFINITY, to("group")),
    "range excludes it": Case(Kind.RULES, to("old")),
    "owner was not asked": Case(Kind.CONSENT, step(1, how=How.COLD)),
    "more than needed": Case(Kind.HOW, step(1, how=How.SLEEP)),
    "upgraded while full": Case(Kind.NOT_EMPTY, step(3, UPGRADE, start_s=0.0, end_s=1800.0)),
    "upgraded without waiting": Case(Kind.NOT_EMPTY, step(3, UPGRADE, after=(1,))),
    "pinned while full": Case(Kind.NOT_EMPTY, step(4, UPGRADE, host=HostId("h2"))),
    "outside the preset": Case(Kind.RANGE, step(4, UPGRADE, range=("0x10001", "0x140001"))),
    "range upside down": Case(Kind.RANGE, step(4, UPGRADE, range=("0x140001", "0x120001"))),
    "pin without manager": Case(Kind.RANGE, plan(FLEET, NO_MANAGER, goal=Goal.PIN)),
    "too many at once": Case(
        Kind.PARALLEL,
        plan(FLEET_TIGHT, move(1, V1, "h2"), move(2, EIGHT, "h2", "h2/1")),
    ),
    "two hosts out of service": Case(
        Kind.UNAVAILABLE,
        plan(FLEET, upgrade(1, "tiny"), upgrade(2, "old", start_s=1799.0), goal=Goal.UPGRADE),
    ),
    "waits for its own wave": Case(
        Kind.WAVE,
        replace(UPGRADE, steps=(*UPGRADE.steps, move(5, V3, "h1", start_s=LATE, after=(4,)))),
    ),
    "stuck and moved": Case(Kind.STUCK, stays(DRAIN, vm=V1.id)),
    "stuck elsewhere": Case(Kind.STUCK, stays(DRAIN, host=HostId("h3"))),
    "stuck host worked on": Case(Kind.STUCK, stays(UPGRADE, vm=None, host=HostId("h1"))),
    "moves miscounted": Case(Kind.BOUNDS, bounds(moves=Count(3, 2))),
    "moves below their bound": Case(Kind.BOUNDS, bounds(moves=Count(2, 3))),
    "waves miscounted": Case(Kind.BOUNDS, bounds(waves=Count(1, 0))),
    "makespan misstated": Case(Kind.BOUNDS, bounds(makespan_s=Duration(10.0, 10.0))),
    "makespan below its bound": Case(Kind.BOUNDS, bounds(makespan_s=Duration(MAKESPAN_S, 99.0))),
    "hosts in a drain": Case(Kind.BOUNDS, bounds(hosts=Reach(1, 1))),
    "hosts missing": Case(Kind.BOUNDS, bounds(UPGRADE, hosts=None)),
    "hosts miscounted": Case(Kind.BOUNDS, bounds(UPGRADE, hosts=Reach(2, 2))),
    "hosts above their bound": Case(Kind.BOUNDS, bounds(UPGRADE, hosts=Reach(1, 0))),
    "a drain that upgrades": Case(Kind.GOAL, replace(bounds(UPGRADE, hosts=None), goal=Goal.DRAIN)),
    "a pin plan that upgrades": Case(Kind.GOAL, replace(UPGRADE, goal=Goal.PIN)),
}


@pytest.mark.parametrize("name", CASES)
def test_each_way_to_break_a_plan_is_told(name: str) -> None:
    """The replay of a plan broken in one way names that kind of violation."""
    broken = CASES[name].plan
    fleet = FLEET_TIGHT if name in ("out of vcpus", "too many at once") else FLEET
    assert CASES[name].kind in kinds(fleet, broken)


def test_every_kind_of_violation_has_a_broken_plan() -> None:
    """No kind is there that no test reaches."""
    assert {case.kind for case in CASES.values()} == set(Kind)


def test_a_violation_names_the_step_and_what_is_wrong() -> None:
    """Step, kind and values seen, in one line."""
    said = [str(violation) for violation in replay(FLEET, to("tiny"))]
    assert "step 1: memory: tiny would hold 16384 MiB of 1024" in said


def test_an_overcommitment_that_was_there_is_not_the_plans_fault() -> None:
    """A host with more vcpus promised than it has may take a VM without, and none with one."""
    hosts = [a_host("h1", 2), a_host("h2", 2, vcpus=4)]
    for vcpus, wrong in (
        (None, set()),
        (1, {"h2 would hold 6 vcpus of 4", "h2 could come to hold 6 vcpus of 4"}),
    ):
        vm = a_vm("v1", "h1/0", vcpus=vcpus)
        fleet = a_fleet(hosts, [vm, a_vm("v2", "h2/0", vcpus=5)])
        assert {item.text for item in replay(fleet, plan(fleet, move(1, vm, "h2")))} == wrong


def test_what_the_rules_saw_is_spelt_out() -> None:
    """A move that the rules forbid is told with every value that a rule saw."""
    vm = a_vm("v1", "h1/0")
    fleet = a_fleet([a_host("h1"), a_host("h2", [a_gpu("h2", 0, ecc=False)])], [vm])
    assert [item.text for item in replay(fleet, plan(fleet, move(1, vm, "h2")))] == [
        "v1 (running) cannot move live to h2: gpu-config (vgpu.ecc: on; gpu.ecc: off)"
    ]


def test_too_many_migrations_in_the_fleet() -> None:
    """The fleet's limit holds across hosts and domains."""
    fleet = a_fleet([a_host("h1", 2), a_host("h2", 2)], [V1, V2], settings=Settings(migrations_per_fleet=1))
    assert kinds(fleet, plan(fleet, *DRAIN.steps)) == {Kind.PARALLEL}
    one_by_one = plan(fleet, move(1, V1, "h2"), move(2, V2, "h2", "h2/1", start_s=DURATION))
    assert replay(fleet, one_by_one) == ()


def test_a_host_is_out_of_service_from_its_first_departure_to_its_last_pin() -> None:
    """Only as many hosts as the caller allows are out at once, counted from the first VM that leaves."""
    away = move(5, V3, "h3", wave=1)
    late = upgrade(6, "h2", start_s=1900.0, after=(1, 2, 5))
    both = plan(FLEET, *UPGRADE.steps[:1], away, late, goal=Goal.UPGRADE)
    assert replay(FLEET, UPGRADE, max_unavailable=1) == ()
    # V1 leaves h1 for good here, but no step of its wave works on h1: only h2 is out.
    assert Kind.UNAVAILABLE not in kinds(FLEET, both)
    together = plan(FLEET, *UPGRADE.steps, upgrade(6, "old", start_s=0.0), goal=Goal.UPGRADE)
    assert [str(item) for item in replay(FLEET, together, max_unavailable=1)] == [
        "step 6: unavailable: 2 hosts are out of service at 0.0 s, at most 1"
    ]
    after = plan(FLEET, *UPGRADE.steps, upgrade(6, "old", start_s=1820.0), goal=Goal.UPGRADE)
    assert replay(FLEET, after, max_unavailable=1) == ()
    before = plan(FLEET, *UPGRADE.steps, upgrade(6, "old", start_s=1819.5), goal=Goal.UPGRADE)
    assert [item.kind for item in replay(FLEET, before, max_unavailable=1)] == [Kind.UNAVAILABLE]
    assert replay(FLEET, before, max_unavailable=2) == replay(FLEET, before) == ()


def test_another_revision_is_refused() -> None:
    """A plan is bound to the revision of its fleet."""
    with pytest.raises(InputError, match="fleet_revision: 6; this fleet has revision 7; plan anew"):
        replay(FLEET, replace(DRAIN, fleet_revision=6))
    with pytest.raises(InputError, match="fleet_revision: none"):
        replay(FLEET, replace(DRAIN, fleet_revision=None))


def test_what_holds_no_vgpu_is_not_moved() -> None:
    """A VM that is off has nothing to migrate, and cannot be stuck."""
    off = a_vm("v1", "h1/0", state=VmState.OFF)
    fleet = a_fleet([a_host("h1"), a_host("h2")], [off])
    assert Kind.SOURCE in kinds(fleet, plan(fleet, move(1, off, "h2")))
    item = Stuck(off.id, HostId("h1"), StuckReason.NO_CAPACITY, (), ())
    assert kinds(fleet, plan(fleet, stuck=(item,))) == {Kind.STUCK}


@pytest.mark.parametrize("seed", range(10))
def test_any_vm_sent_where_apply_would_refuse_is_told(seed: int) -> None:
    """Each move of a sound plan, redirected to a full gpu or another way, is no longer sound."""
    fleet = random_fleet(seed, mixed=0.3, odd=0.3)
    sound = drain(fleet, [HostId("h00")]).plan
    assert replay(fleet, sound) == ()
    for item in sound.steps:
        assert isinstance(item, MigrateStep)
        for how in How:
            if how is not item.how:
                assert kinds(fleet, step(item.id, sound, how=how)) & {Kind.HOW, Kind.CONSENT, Kind.RULES}
        own = replace(
            item, target=item.source, gpus=tuple(replace(seat, gpu=GpuId("h00/0")) for seat in item.gpus)
        )
        assert Kind.TARGET in kinds(fleet, replace(sound, steps=(own,), bounds=plan(fleet, own).bounds))


def test_consent_is_asked_for_the_way_taken() -> None:
    """A cold move that the owner allows is sound only where nothing less is possible."""
    willing = a_vm("v1", "h1/0", allow=States.LIVE | States.COLD)
    fleet = a_fleet([a_host("h1"), a_host("h2"), a_host("old", range_in_force=OLD)], [willing])
    assert replay(fleet, plan(fleet, move(1, willing, "old", how=How.COLD))) == ()
    assert kinds(fleet, plan(fleet, move(1, willing, "h2", how=How.COLD))) == {Kind.HOW}
