"""The widest range that keeps hosts freely migratable, whom it strands, and the plan that applies it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm, random_fleet

from vgpu_migrate import facts
from vgpu_migrate.compat import VgpuTraits, check, gpu_traits
from vgpu_migrate.model import Fleet, Host, HostId, Profile, Settings, VersionRange, VmState
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.model.planfile import Goal, MigrateStep, PinStep
from vgpu_migrate.planning.coordinator import Terms
from vgpu_migrate.planning.executors import Where
from vgpu_migrate.planning.mobility import common_range, mobility_groups, parts_of, splits_of
from vgpu_migrate.planning.pin_fleet import pin_fleet
from vgpu_migrate.planning.pins import PinGroup, Stranded, Why, pinned, recommend
from vgpu_migrate.replay import replay

OLD = VersionRange(0x70001, 0x120001)
MIDDLE = VersionRange(0x70001, 0x140001)
NEW = VersionRange(0x120001, 0x1A0001)


def ranged(name: str, preset: VersionRange | None, now: VersionRange | None = None, **changes: Any) -> Host:
    """A host with a preset range, and another in force where one is given."""
    return a_host(name, preset_range=preset, range_in_force=now or preset, **changes)


def only_group(fleet: Fleet) -> PinGroup:
    """The one group of a fleet."""
    (group,) = recommend(fleet).groups
    return group


def test_the_range_is_what_all_drivers_know() -> None:
    """It begins where the newest driver does and ends where the oldest does, and both are named."""
    group = only_group(a_fleet([ranged("h1", OLD), ranged("h2", MIDDLE), ranged("h3", NEW)]))
    assert group.range == (0x120001, 0x120001)
    assert (group.lowest_by, group.highest_by) == (("h3",), ("h1",))
    assert [pin.host for pin in group.pins if pin.is_needed] == ["h1", "h2", "h3"]
    assert (group.is_free_now, group.parts) == (False, 1)


def test_alike_hosts_need_nothing() -> None:
    """One preset range, in force: no pin, and no host narrows the range."""
    group = only_group(a_fleet([ranged("h1", MIDDLE), ranged("h2", MIDDLE)]))
    assert (group.range, group.lowest_by, group.highest_by) == (MIDDLE, (), ())
    assert group.is_free_now
    assert not any(pin.is_needed for pin in group.pins)


def test_a_forgotten_range_is_to_be_lifted() -> None:
    """What is wanted is the driver's own range."""
    group = only_group(a_fleet([ranged("h1", MIDDLE, OLD), ranged("h2", MIDDLE)]))
    (pin,) = [pin for pin in group.pins if pin.is_needed]
    assert (pin.host, pin.now, pin.wanted, pin.is_preset) == ("h1", OLD, MIDDLE, True)


def test_whom_a_range_strands_is_told_by_the_rules() -> None:
    """A driver that would not load, a newer version held, an older one held, and who loses nothing."""
    hosts = [ranged("h1", OLD, gpus=2), ranged("h2", NEW)]
    vms = [
        a_vm("fits", "h1/0", guest_driver="535.161.07", vgpu_version=0x120001),
        a_vm("older", "h1/0", guest_driver="535.161.07", vgpu_version=0x110001),
        a_vm("too-new", "h2/0", guest_driver="550.54.14", vgpu_version=0x140001),
        a_vm("unknown", "h2/0", vgpu_version=0x1A0001),
        a_vm("asleep", "h2/0", vgpu_version=0x130001, state=VmState.SLEEPING),
    ]
    group = only_group(a_fleet(hosts, vms))
    assert group.stranded == (
        Stranded(vms[1].id, HostId("h1"), Why.HOLDS_OLDER, 0x110001, 0x120001),
        Stranded(vms[2].id, HostId("h2"), Why.WOULD_NOT_LOAD, 0x140001, None),
        Stranded(vms[3].id, HostId("h2"), Why.HOLDS_NEWER, 0x1A0001, None),
        Stranded(vms[4].id, HostId("h2"), Why.HOLDS_NEWER, 0x130001, None),
    )


def test_a_vm_that_is_off_is_stranded_only_where_it_loads_nowhere() -> None:
    """One group with its board that takes it is enough."""
    off = replace(
        a_vm("off", "h1/0", guest_driver="550.54.14", vgpu_version=None, state=VmState.OFF), host=None
    )
    off = replace(off, vgpus=tuple(replace(vgpu, gpu=None) for vgpu in off.vgpus))
    assert [one.vm for one in recommend(a_fleet([ranged("h1", OLD)], [off])).homeless] == ["off"]
    there = [ranged("h1", OLD), ranged("h2", MIDDLE, domain="east")]
    assert recommend(a_fleet(there, [off])).homeless == ()
    assert recommend(a_fleet([ranged("h3", OLD, board="L40S")], [off])).homeless == ()


def test_hosts_that_are_set_up_otherwise_are_no_group() -> None:
    """ECC, boards and, where the profile wants it, drivers keep VMs apart; a host with two boards joins."""
    hosts = [
        a_host("h1"),
        a_host("h2", [a_gpu("h2", 0, ecc=False)]),
        a_host("h3", board="L40S"),
        a_host("h4", driver="535.161.05"),
    ]
    names = [[host.id for host in group] for group in mobility_groups(hosts, Profile.DEFAULT)]
    assert names == [["h1", "h4"], ["h2"], ["h3"]]
    names = [[host.id for host in group] for group in mobility_groups(hosts, Profile.IDENTICAL_HOST_DRIVERS)]
    assert names == [["h1"], ["h2"], ["h3"], ["h4"]]
    joining = a_host("h5", [a_gpu("h5", 0), a_gpu("h5", 1, "L40S")])
    names = [[host.id for host in group] for group in mobility_groups([*hosts, joining], Profile.DEFAULT)]
    assert names == [["h1", "h3", "h4", "h5"], ["h2"]]


def test_hosts_where_nobody_moves_live_stand_alone() -> None:
    """Gpus whose capability MIGRATION is off, and lists of types without one in common."""
    still = [a_host(name, [a_gpu(name, 0, migration=False)]) for name in ("h1", "h2")]
    assert [len(group) for group in mobility_groups(still, Profile.DEFAULT)] == [1, 1]
    eights, fours = (facts.vgpu_type(name) for name in ("A40-8Q", "A40-4Q"))
    lists = [
        a_host("h1", [a_gpu("h1", 0, types=(eights,))]),
        a_host("h2", [a_gpu("h2", 0, types=(fours,))]),
        a_host("h3", [a_gpu("h3", 0, types=(fours, eights))]),
    ]
    assert [len(group) for group in mobility_groups(lists[:2], Profile.DEFAULT)] == [1, 1]
    assert [len(group) for group in mobility_groups(lists, Profile.DEFAULT)] == [3]


def test_a_host_that_nothing_may_move_to_narrows_nothing() -> None:
    """It gets what is left of the range for it; without anything left it is left out."""
    hosts = [ranged("h1", NEW), ranged("h2", MIDDLE), ranged("h3", OLD, schedulable=False)]
    group = only_group(a_fleet(hosts))
    assert group.range == (0x120001, 0x140001)
    assert {pin.host: pin.wanted for pin in group.pins}[HostId("h3")] == (0x120001, 0x120001)
    oldest = ranged("h3", VersionRange(1, 2), schedulable=False)
    assert only_group(a_fleet([*hosts[:2], oldest])).left_out == ("h3",)


def test_a_host_of_an_unknown_driver_is_left_out() -> None:
    """Nothing is known of it, and so nothing is asked of it."""
    group = only_group(a_fleet([ranged("h1", MIDDLE), ranged("h2", None)]))
    assert (group.range, group.left_out) == (MIDDLE, ("h2",))


def test_drivers_without_a_common_version_fall_into_parts() -> None:
    """A host that suits several goes where it narrows nothing."""
    hosts = [
        ranged("h1", VersionRange(1, 3)),
        ranged("h2", VersionRange(5, 9)),
        ranged("h3", VersionRange(2, 9)),
        ranged("h4", VersionRange(1, 6)),
    ]
    found = recommend(a_fleet(hosts)).groups
    assert [(group.hosts, group.range, group.part, group.parts) for group in found] == [
        (("h1", "h4"), (1, 3), 1, 2),
        (("h2", "h3"), (5, 9), 2, 2),
    ]


def test_two_ranges_are_offered_where_one_strands_somebody() -> None:
    """The split at an end of a preset range that strands fewest; none where none strands fewer."""
    hosts = [ranged("h1", OLD), ranged("h2", NEW), ranged("h3", MIDDLE), ranged("h4", NEW)]
    old = a_vm("old", "h1/0", guest_driver="535.161.07", vgpu_version=0x110001)
    new = a_vm("new", "h2/0", guest_driver="550.54.14", vgpu_version=0x140001)
    group = only_group(a_fleet(hosts, [old, new]))
    assert (group.range, len(group.stranded)) == ((0x120001, 0x120001), 2)
    assert [(part.hosts, part.range, part.stranded, part.part, part.parts) for part in group.split] == [
        (("h1",), OLD, (), 1, 2),
        (("h2", "h3", "h4"), (0x120001, 0x140001), (), 2, 2),
    ]
    assert only_group(a_fleet(hosts, [])).split == ()
    alike = [ranged("h1", OLD), ranged("h2", OLD)]
    assert only_group(a_fleet(alike, [a_vm("new", "h1/0", vgpu_version=0x140001)])).split == ()


# The definition, stated a second time and tried on everything small.

SMALL = range(1, 5)
RANGES = [VersionRange(low, high) for low in SMALL for high in SMALL if low <= high]
PRESETS = st.lists(st.sampled_from(RANGES), min_size=1, max_size=3)


@given(PRESETS)
def test_the_halves_of_a_split_have_a_version_in_common(presets: list[VersionRange]) -> None:
    """No host is lost, each split is another, and a host that narrows nothing is where it has a version."""
    hosts = [ranged(f"h{number}", preset) for number, preset in enumerate(presets)]
    hosts += [ranged("closed", presets[0], schedulable=False), ranged("unknown", None)]
    seen = set()
    for parts in splits_of(hosts):
        assert sorted(host.id for part in parts for host in part) == sorted(host.id for host in hosts)
        ranges = [common_range([host for host in part if host.schedulable]) for part in parts]
        assert len(parts) == 2
        assert None not in ranges
        closed = next(n for n, part in enumerate(parts) if any(host.id == "closed" for host in part))
        assert any(known and presets[0].intersection(known) for known in ranges)
        assert presets[0].intersection(ranges[closed])  # type: ignore[arg-type]
        seen.add(tuple(tuple(host.id for host in part) for part in parts))
    assert len(seen) == len(splits_of(hosts))


def is_free(hosts: Sequence[VersionRange]) -> bool:
    """Whether, of all guest drivers and hosts, each version negotiated is accepted on every host."""
    for guest, here, there in product(RANGES, hosts, hosts):
        version = negotiate(guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=here)
        if version is not None and version not in there:
            return False
    return True


def ranges_inside(presets: Sequence[VersionRange]) -> Iterator[tuple[VersionRange, ...]]:
    """Every way to set a range on each host."""
    yield from product(*[[one for one in RANGES if preset.covers(one)] for preset in presets])


@settings(max_examples=30, deadline=None)
@given(PRESETS)
def test_no_wider_ranges_are_free(presets: list[VersionRange]) -> None:
    """By brute force: the free ways are the ranges inside the common one, the same on all hosts."""
    hosts = [ranged(f"h{number}", preset) for number, preset in enumerate(presets)]
    common = common_range(hosts)
    free = [found for found in ranges_inside(presets) if is_free(found)]
    wanted = [] if common is None else [(one,) * len(presets) for one in RANGES if common.covers(one)]
    assert sorted(free) == sorted(wanted)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(RANGES), min_size=1, max_size=5))
def test_no_partition_has_fewer_parts(presets: list[VersionRange]) -> None:
    """By brute force: hosts cannot be dealt to fewer parts that each have a common version."""
    hosts = [ranged(f"h{number}", preset) for number, preset in enumerate(presets)]
    parts = parts_of(hosts)
    assert sorted(host.id for part in parts for host in part) == [host.id for host in hosts]
    assert all(common_range(part) is not None for part in parts)
    for fewer in range(1, len(parts)):
        for deal in product(range(fewer), repeat=len(hosts)):
            dealt = [[host for host, to in zip(hosts, deal, strict=True) if to == n] for n in range(fewer)]
            assert any(part and common_range(part) is None for part in dealt)


VERSION_ROWS = {"guest-older", "guest-newer", "guest-driver-older", "guest-driver-newer"}


def hits_of(guest: VersionRange, version: int, host: Host) -> set[str]:
    """The rows about versions that hit, by the pair call, for a VM that boots with a guest driver."""
    vgpu = VgpuTraits(
        board="A40",
        type="A40-8Q",
        mig_backed=False,
        guest_info=True,
        version=version,
        guest_min=guest.minimum,
        guest_max=guest.maximum,
        host_driver=None,
        ecc=None,
        sriov=None,
        topology=None,
        mig=None,
        migration=True,
    )
    found = check(vgpu, gpu_traits(host, host.gpus[0]), Profile.DEFAULT)
    return VERSION_ROWS & {piece.rule for piece in found.evidence}


@settings(max_examples=40, deadline=None)
@given(PRESETS)
def test_who_boots_anywhere_is_accepted_everywhere(presets: list[VersionRange]) -> None:
    """Under the recommended ranges no row about versions hits on any host of a group."""
    fleet = a_fleet([ranged(f"h{number}", preset) for number, preset in enumerate(presets)])
    found = recommend(fleet)
    then = pinned(fleet, found.wanted)
    for group in found.groups:
        hosts = [then.hosts[host_id] for host_id in group.hosts]
        for guest, here, there in product(RANGES, hosts, hosts):
            version = negotiate(
                guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=here.range_in_force
            )
            if version is not None:
                assert hits_of(guest, version, there) == set()


# The plan.


def order_of(steps: Sequence[object]) -> list[str]:
    """What is done in turn."""
    return [f"{step.vm}>{step.target}" if isinstance(step, MigrateStep) else step.host for step in steps]  # type: ignore[attr-defined]


def test_each_host_is_empty_when_it_is_pinned() -> None:
    """An empty host comes first, and takes the others' VMs."""
    hosts = [ranged("h1", MIDDLE), ranged("h2", OLD), ranged("h3", OLD)]
    vms = [a_vm(f"v{n}", f"h{n}/0", vgpu_version=0x110001) for n in (1, 2)]
    fleet = a_fleet(hosts, vms)
    plan, notes, _ = pin_fleet(fleet, recommend(fleet).wanted)
    assert (plan.goal, plan.stuck, notes) == (Goal.PIN, (), ())
    assert order_of(plan.steps) == ["v1>h2", "h1"]
    assert plan.steps[-1].range == ("0x70001", "0x120001")  # type: ignore[union-attr]
    assert replay(fleet, plan) == ()


def test_a_lifted_range_is_spelled_so() -> None:
    """A pin to the driver's own range is null."""
    fleet = a_fleet([ranged("h1", MIDDLE, OLD), ranged("h2", MIDDLE)])
    plan = pin_fleet(fleet, recommend(fleet).wanted).plan
    assert [(step.host, step.range) for step in plan.steps if isinstance(step, PinStep)] == [("h1", None)]
    assert replay(fleet, plan) == ()


def test_a_vm_that_no_pinned_host_may_take_keeps_its_host() -> None:
    """The host is stuck, the VM is named with the rule, and the others are pinned."""
    hosts = [ranged("h1", OLD), ranged("h2", MIDDLE), ranged("h3", MIDDLE)]
    fleet = a_fleet(hosts, [a_vm("newer", "h2/0", vgpu_version=0x140001)])
    plan = pin_fleet(fleet, recommend(fleet).wanted).plan
    assert [(item.vm, item.host) for item in plan.stuck] == [("newer", "h2"), (None, "h2")]
    assert plan.stuck[0].evidence[0].rule == "guest-newer"
    assert [step.host for step in plan.steps if isinstance(step, PinStep)] == ["h3"]
    assert (plan.bounds.hosts.value, plan.bounds.hosts.upper_bound) == (1, 1)  # type: ignore[union-attr]
    assert replay(fleet, plan) == ()


def test_only_a_vm_that_is_off_frees_its_host_for_a_pin() -> None:
    """A reboot keeps the vgpu; who would not load afterwards is named, with what to do first."""
    hosts = [ranged("h1", OLD), ranged("h2", MIDDLE), ranged("h3", MIDDLE)]
    held = a_vm("held", "h2/0", vgpu_version=0x140001, guest_driver=None)
    plan = pin_fleet(fleet := a_fleet(hosts, [held]), recommend(fleet).wanted).plan
    assert plan.stuck[-1].remedies == ("shut down held, pin the empty host, and start it again",)
    newer = [a_vm(f"n{n}", "h2/0", vgpu_version=0x140001, guest_driver="550.54.14") for n in range(4)]
    plan = pin_fleet(fleet := a_fleet(hosts, [held, *newer]), recommend(fleet).wanted).plan
    assert plan.stuck[-1].remedies == (
        "shut down held, n0, n1 and 2 more (5 VMs), pin the empty host, and start them again; "
        "n0, n1, n2 and 1 more would not load there: upgrade or change their guest drivers first",
    )


def test_nothing_to_pin_is_an_empty_plan() -> None:
    """No step, and no host is asked for."""
    fleet = a_fleet([ranged("h1", MIDDLE), ranged("h2", MIDDLE)])
    plan = pin_fleet(fleet, recommend(fleet).wanted).plan
    assert (plan.steps, plan.stuck) == ((), ())
    assert replay(fleet, plan) == ()
    assert recommend(a_fleet([])).groups == ()


SHAPES: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "mixed": {"mixed": 0.6},
    "several": {"several": 0.3, "gpus": 3},
    "memory": {"memory": True, "groups": 2},
    "domains": {"domains": 2, "hosts": 7, "odd": 0.4},
    "mig": {"mig": 0.4},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(12))
def test_every_plan_stands_up_to_the_replay(shape: str, seed: int) -> None:
    """Whatever the fleet is like, no promise is broken; each host ends as recommended or is stuck."""
    fleet = random_fleet(seed, vms=16, **SHAPES[shape])
    wanted = recommend(fleet).wanted
    plan = pin_fleet(fleet, wanted).plan
    assert replay(fleet, plan) == ()
    done = {step.host for step in plan.steps if isinstance(step, PinStep)}
    stuck = {item.host for item in plan.stuck if item.vm is None}
    needed = {host for host, known in wanted.items() if fleet.hosts[host].range_in_force != known}
    assert (done | stuck, done & stuck) == (needed, set())


def test_the_plan_is_the_same_wherever_it_is_made() -> None:
    """In this process or in two others."""
    fleet = random_fleet(3, hosts=8, domains=2, odd=0.4)
    wanted = recommend(fleet).wanted
    assert pin_fleet(fleet, wanted) == pin_fleet(fleet, wanted, terms=Terms(where=Where(jobs=2)))


def test_domains_have_groups_of_their_own() -> None:
    """A range of one domain is not narrowed by hosts of another."""
    fleet = a_fleet(
        [ranged("h1", OLD, domain="west"), ranged("h2", NEW, domain="east")],
        domains={"west": Settings(), "east": Settings()},
    )
    assert [group.range for group in recommend(fleet).groups] == [OLD, NEW]
    assert [group.domain for group in recommend(fleet, "east").groups] == ["east"]
