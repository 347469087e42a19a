"""`after` alone must make a plan safe: what may meet, in whatever order it leaves open."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm
from tests.replay.plans import move, pin, plan, seconds_of, upgrade

from vgpu_migrate.model import HostId, PlacementMode, VersionRange
from vgpu_migrate.model.planfile import Goal, How, MigrateStep, Step
from vgpu_migrate.nvml import States
from vgpu_migrate.replay import Kind, replay
from vgpu_migrate.replay.antichain import heaviest_antichain

LATER = 100.0
FULL = "A40-48Q"


def test_freed_room_may_be_used_by_a_step_that_waits() -> None:
    """With `after` the place is surely free; without it, time alone does not make it so."""
    first, second = a_vm("v1", "h2/0", FULL), a_vm("v2", "h1/0", FULL)
    fleet = a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], [first, second])
    away = move(1, first, "h3")
    waits = move(2, second, "h2", start_s=LATER, after=(1,))
    assert replay(fleet, plan(fleet, away, waits)) == ()
    rushes = move(2, second, "h2", start_s=LATER)
    said = replay(fleet, plan(fleet, away, rushes))
    assert [(item.step, item.kind) for item in said] == [(2, Kind.CAPACITY)]
    assert said[0].text == "h2/0 could come to hold 2 A40-48Q, of 1"


@pytest.mark.parametrize(("how", "is_sound"), [(How.LIVE, False), (How.COLD, True)])
def test_a_cold_move_frees_its_source_from_the_start(how: How, is_sound: bool) -> None:
    """What waits for a cold move may use its source; but nothing may share it with a live one."""
    allow = States.LIVE if how is How.LIVE else States.COLD
    first, second = a_vm("v1", "h2/0", FULL, allow=allow), a_vm("v2", "h1/0", FULL)
    fleet = a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], [first, second])
    at_once = plan(fleet, move(1, first, "h3", how=how), move(2, second, "h2", start_s=5.0))
    kinds = {item.kind for item in replay(fleet, at_once)}
    # In the order of time the cold move's source is free at 5 s; without `after` that is luck.
    assert kinds == {Kind.CAPACITY}
    timed = [item for item in replay(fleet, at_once) if "could" not in item.text]
    assert bool(timed) is not is_sound


def test_the_order_may_be_kept_through_others() -> None:
    """Waiting is transitive."""
    first, second, third = a_vm("v1", "h2/0", FULL), a_vm("v2", "h1/0", FULL), a_vm("v3", "h4/0", FULL)
    fleet = a_fleet([a_host(f"h{n}", 2 if n == 3 else 1) for n in range(1, 5)], [first, second, third])
    steps = [
        move(1, first, "h3"),
        move(2, third, "h3", "h3/1", start_s=LATER, after=(1,)),
        move(3, second, "h2", start_s=2 * LATER, after=(2,)),
    ]
    assert replay(fleet, plan(fleet, *steps)) == ()


def test_memory_is_summed_over_what_may_meet() -> None:
    """Two that may both be there count together, also where time keeps them apart."""
    vms = [a_vm("v1", "h1/0"), a_vm("v2", "h2/0"), a_vm("v3", "h3/0")]
    fleet = a_fleet([a_host("h1"), a_host("h2", memory_mib=32768), a_host("h3"), a_host("h4")], vms)
    away, first = move(1, vms[1], "h4"), move(2, vms[0], "h2", start_s=LATER)
    assert replay(fleet, plan(fleet, away, first)) == ()
    third = move(3, vms[2], "h2", start_s=2 * LATER)
    said = replay(fleet, plan(fleet, away, first, third))
    assert {(item.step, item.kind) for item in said} == {(2, Kind.MEMORY), (3, Kind.MEMORY)}
    assert said[0].text == "h2 could come to hold 49152 MiB of 32768"
    waits = move(3, vms[2], "h2", start_s=2 * LATER, after=(1,))
    assert {item.step for item in replay(fleet, plan(fleet, away, first, waits))} == set()


def test_groups_and_placements_may_not_meet() -> None:
    """Anti-affinity and overlapping regions are looked at in pairs of what may meet."""
    mixed = a_host("h2", [a_gpu("h2", 0, mode=PlacementMode.MIXED)])
    first = a_vm("v1", "h2/0@0", anti_affinity=("web",))
    second = a_vm("v2", "h1/0", anti_affinity=("web",))
    fleet = a_fleet([a_host("h1"), mixed, a_host("h3")], [first, second])
    steps = (move(1, first, "h3"), move(2, second, "h2", "h2/0@0", start_s=LATER))
    said = {item.kind for item in replay(fleet, plan(fleet, *steps))}
    assert said == {Kind.ANTI_AFFINITY, Kind.CAPACITY}
    waits = move(2, second, "h2", "h2/0@0", start_s=LATER, after=(1,))
    assert replay(fleet, plan(fleet, steps[0], waits)) == ()


def test_a_type_may_follow_another_on_an_emptied_gpu() -> None:
    """An equal-size gpu changes its type when it is surely empty."""
    first, second = a_vm("v1", "h2/0", "A40-8Q"), a_vm("v2", "h1/0", "A40-12Q")
    fleet = a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], [first, second])
    steps = (move(1, first, "h3"), move(2, second, "h2", start_s=LATER, after=(1,)))
    assert replay(fleet, plan(fleet, *steps)) == ()
    loose = (steps[0], move(2, second, "h2", start_s=LATER))
    assert [item.kind for item in replay(fleet, plan(fleet, *loose))] == [Kind.CAPACITY]


def test_mig_instances_are_counted_over_what_may_meet() -> None:
    """A GPU instance holds one vgpu; the next may come when the last has surely gone."""
    hosts = [a_host(f"h{n}", [a_gpu(f"h{n}", 0, "A100", mig=(3,))]) for n in range(1, 4)]
    first, second = a_vm("v1", "h2/0", "A100-3-20C"), a_vm("v2", "h1/0", "A100-3-20C")
    fleet = a_fleet(hosts, [first, second])
    away = move(1, first, "h3")
    assert replay(fleet, plan(fleet, away, move(2, second, "h2", start_s=LATER, after=(1,)))) == ()
    said = replay(fleet, plan(fleet, away, move(2, second, "h2", start_s=LATER)))
    assert [item.kind for item in said] == [Kind.CAPACITY]


def test_a_whole_upgrade_with_pins_and_a_way_back() -> None:
    """Empty, upgrade, pin, refill: each host's driver and range are those it has then."""
    vm = a_vm("v1", "h1/0", FULL, guest_driver="550.54.14", vgpu_version=0x140001)
    fleet = a_fleet([a_host("h1"), a_host("h2")], [vm])
    lasts = seconds_of(vm)
    back = move(4, vm, "h1", source=HostId("h2"), wave=2, start_s=2000.0, after=(3,))
    steps: list[Step] = [
        move(1, vm, "h2"),
        upgrade(2, "h1", start_s=lasts, after=(1,)),
        pin(3, "h1", "0x120001", "0x140001", start_s=lasts + 1800.0, after=(2,)),
        back,
        upgrade(5, "h2", wave=2, start_s=2000.0 + lasts, after=(4,)),
    ]
    assert replay(fleet, plan(fleet, *steps, goal=Goal.UPGRADE)) == ()
    narrow = pin(3, "h1", "0x150001", "0x180001", start_s=lasts + 1800.0, after=(2,))
    said = replay(fleet, plan(fleet, *steps[:2], narrow, *steps[3:], goal=Goal.UPGRADE))
    assert {(item.step, item.kind) for item in said} == {(4, Kind.RULES)}


def test_an_upgrade_lifts_an_earlier_range() -> None:
    """After an upgrade the preset of the new driver is in force, and a pin stays inside it."""
    vm = a_vm("v1", "h2/0", FULL, vgpu_version=0x140001)
    narrow = a_host("h1", range_in_force=VersionRange(0x70001, 0x120001))
    fleet = a_fleet([narrow, a_host("h2")], [vm])
    into = move(2, vm, "h1", wave=2, start_s=1800.0, after=(1,))
    assert replay(fleet, plan(fleet, upgrade(1, "h1"), into, goal=Goal.UPGRADE)) == ()
    old = pin(1, "h1", "0x70001", "0x140001", start_s=0.0)
    assert replay(fleet, plan(fleet, old, goal=Goal.PIN)) == ()
    too_low = pin(2, "h1", "0x70001", "0x140001", start_s=1800.0, after=(1,))
    said = replay(fleet, plan(fleet, upgrade(1, "h1"), too_low, goal=Goal.UPGRADE))
    assert [item.kind for item in said] == [Kind.RANGE]
    lifted = pin(1, "h1")
    goes_in = move(2, vm, "h1", start_s=1.0, after=(1,))
    assert replay(fleet, plan(fleet, lifted, goes_in, goal=Goal.PIN)) == ()


def test_a_cold_start_negotiates_with_the_host_it_starts_on() -> None:
    """A VM that went cold to an older range can go live within it, and holds that version."""
    old = VersionRange(0x70001, 0x120001)
    vm = a_vm("v1", "h1/0", FULL, guest_driver="535.161.07", allow=States.LIVE | States.COLD)
    fleet = a_fleet([a_host("h1"), a_host("h2", range_in_force=old), a_host("h3", range_in_force=old)], [vm])
    cold = move(1, vm, "h2", how=How.COLD)
    on = move(2, vm, "h3", source=HostId("h2"), start_s=LATER, after=(1,))
    assert replay(fleet, plan(fleet, cold, on)) == ()


def test_arrivals_during_an_upgrade_are_told() -> None:
    """Nothing comes to a host while it is upgraded, even where both start in peace."""
    vm = a_vm("v1", "h2/0")
    fleet = a_fleet([a_host("h1"), a_host("h2")], [vm])
    steps = (upgrade(1, "h1"), move(2, vm, "h1", start_s=5.0, wave=2))
    said = replay(fleet, plan(fleet, *steps, goal=Goal.UPGRADE))
    assert (1, Kind.NOT_EMPTY) in {(item.step, item.kind) for item in said}


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[int], list[list[int]]]:
    """Weights, and a transitive order on at most seven items."""
    count = draw(st.integers(1, 7))
    weights = draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
    behind: list[set[int]] = [set() for _ in range(count)]
    for item in reversed(range(count)):
        for other in range(item + 1, count):
            if draw(st.booleans()) and draw(st.booleans()):
                behind[item] |= {other} | behind[other]
    return weights, [sorted(items) for items in behind]


@given(orders())
def test_the_heaviest_antichain_is_that_of_all_antichains(order: tuple[list[int], list[list[int]]]) -> None:
    """The flow gives what trying every set gives."""
    weights, behind = order
    count = len(weights)
    best = 0
    for size in range(1, count + 1):
        for items in combinations(range(count), size):
            if all(b not in behind[a] and a not in behind[b] for a, b in combinations(items, 2)):
                best = max(best, sum(weights[item] for item in items))
    assert heaviest_antichain(weights, behind) == best


def legal_run(steps: list[tuple[int, tuple[int, ...]]], rng: random.Random) -> list[tuple[int, bool]]:
    """Starts and ends of steps in one order that `after` allows."""
    ended: set[int] = set()
    started: set[int] = set()
    events: list[tuple[int, bool]] = []
    while len(ended) < len(steps):
        options = [(n, True) for n, after in steps if n not in started and set(after) <= ended]
        options += [(n, False) for n in started - ended]
        number, is_start = rng.choice(sorted(options))
        (started if is_start else ended).add(number)
        events.append((number, is_start))
    return events


@pytest.mark.parametrize("seed", range(40))
def test_what_the_replay_lets_pass_is_safe_in_random_orders(seed: int) -> None:
    """No legal order overfills a gpu if the replay says so, and some does if it says the reverse."""
    rng = random.Random(seed)
    # One slot a gpu: whole-gpu VMs shift along a ring of hosts with a few empty ones.
    count = 6
    vms = [a_vm(f"v{n}", f"h{n}/0", FULL) for n in range(4)]
    fleet = a_fleet([a_host(f"h{n}") for n in range(count)], vms)
    where = {vm.id: number for number, vm in enumerate(vms)}
    steps: list[MigrateStep] = []
    free = {4, 5}
    for number in range(1, 5):
        vm = rng.choice(vms)
        target = rng.choice(sorted(free))
        source = where[vm.id]
        earlier = [step.id for step in steps]
        wanted = [s.id for s in steps if s.vm == vm.id or s.source == f"h{target}"]
        after = tuple(sorted({*wanted, *rng.sample(earlier, rng.randint(0, len(earlier)))}))
        if rng.random() < 0.4:
            after = tuple(item for item in after if rng.random() < 0.5)
        steps.append(
            move(number, vm, f"h{target}", source=HostId(f"h{source}"), start_s=number * LATER, after=after)
        )
        free = free - {target} | {source}
        where[vm.id] = target
    said = [item for item in replay(fleet, plan(fleet, *steps)) if item.kind is not Kind.ORDER]
    has_order = not any(item.kind is Kind.ORDER for item in replay(fleet, plan(fleet, *steps)))
    clash = False
    for _ in range(400):
        holders: dict[str, set[str]] = {f"h{n}": set() for n in range(count)}
        for vm in vms:
            assert vm.host is not None
            holders[vm.host].add(vm.id)
        by_id = {step.id: step for step in steps}
        for number, is_start in legal_run([(step.id, step.after) for step in steps], rng):
            step = by_id[number]
            if is_start:
                holders[step.target].add(step.vm)
            else:
                holders[step.source].discard(step.vm)
            clash |= any(len(there) > 1 for there in holders.values())
    if has_order:
        assert bool(said) == clash
