"""Rolling upgrades: who moves where, in which waves, what stays old, and that every order is safe."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm

from vgpu_migrate.errors import InputError, UnknownNameError
from vgpu_migrate.model import Fleet, HostId, PlacementMode, Profile, Settings, VersionRange, VmState
from vgpu_migrate.model.planfile import MigrateStep, PinStep, Plan, StuckReason, UpgradeStep, write_plan
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import Pins, upgrade
from vgpu_migrate.planning.coordinator import Terms
from vgpu_migrate.replay import replay

SAME = "550.90.05"
"""A driver with the range of the hosts of these tests."""
NEWER = "580.65.05"
"""One that takes versions from 0x120001 to 0x1a0001."""
OLD_VERSION = 0x110001


def plan_of(fleet: Fleet, driver: str = SAME, *, hosts: list[str] | None = None, **asked: object) -> Plan:
    """An upgrade plan that the replay finds nothing wrong with."""
    named = None if hosts is None else [HostId(name) for name in hosts]
    plan = upgrade(fleet, driver, hosts=named, **asked).plan  # type: ignore[arg-type]
    assert replay(fleet, plan) == ()
    return plan


def said(plan: Plan) -> list[str]:
    """Steps as text, in their order."""
    found = []
    for step in plan.steps:
        if isinstance(step, MigrateStep):
            found.append(f"{step.wave}: {step.vm} {step.how} {step.source} to {step.target}")
        elif isinstance(step, UpgradeStep):
            found.append(f"{step.wave}: upgrade {step.host}")
        else:
            found.append(f"{step.wave}: {'lift' if step.range is None else 'pin'} {step.host}")
    return found


def waves(plan: Plan) -> dict[str, int]:
    """By host, the wave that upgrades it."""
    return {step.host: step.wave for step in plan.steps if isinstance(step, UpgradeStep)}


def stuck(plan: Plan) -> list[tuple[str | None, str, StuckReason]]:
    """What is stuck, and why."""
    return [(item.vm, item.host, item.reason) for item in plan.stuck]


def moves(plan: Plan) -> list[MigrateStep]:
    """The migrations of a plan."""
    return [step for step in plan.steps if isinstance(step, MigrateStep)]


def test_a_spare_host_makes_every_vm_move_once() -> None:
    """With an empty host nobody moves twice, and the empty one is upgraded first."""
    fleet = a_fleet(
        [a_host("h1"), a_host("h2"), a_host("h3")],
        [a_vm("v1", "h1/0", "A40-48Q"), a_vm("v2", "h2/0", "A40-48Q")],
    )
    plan = plan_of(fleet)
    assert said(plan) == [
        "1: upgrade h3",
        "2: v1 live h1 to h3",
        "2: upgrade h1",
        "3: v2 live h2 to h1",
        "3: upgrade h2",
    ]
    assert (plan.bounds.moves.value, plan.bounds.moves.lower_bound) == (2, 2)
    assert (plan.bounds.waves.value, plan.bounds.waves.lower_bound) == (3, 3)
    assert plan.bounds.hosts is not None
    assert (plan.bounds.hosts.value, plan.bounds.hosts.upper_bound) == (3, 3)
    assert plan.stuck == ()


def test_without_a_spare_host_the_vms_of_the_lightest_move_twice() -> None:
    """The host with fewest VMs is emptied into old ones, and only its VMs move again."""
    vms = [a_vm("v1", "h1/0", "A40-24Q"), a_vm("v2", "h2/0"), a_vm("v3", "h2/0"), a_vm("v4", "h3/1")]
    fleet = a_fleet([a_host(name, 2) for name in ("h1", "h2", "h3")], vms)
    plan = plan_of(fleet)
    assert waves(plan) == {"h1": 2, "h2": 2, "h3": 1}
    assert (plan.bounds.moves.value, plan.bounds.moves.lower_bound) == (5, 5)
    assert sorted(step.vm for step in moves(plan)) == ["v1", "v2", "v3", "v4", "v4"]


def test_a_domain_without_any_room_stays_and_says_so() -> None:
    """Full hosts cannot be emptied: none is upgraded, and the bound knows it."""
    fleet = a_fleet([a_host("h1"), a_host("h2")], [a_vm(f"v{n}", f"h{n}/0", "A40-48Q") for n in (1, 2)])
    plan = plan_of(fleet)
    assert stuck(plan) == [(None, "h1", StuckReason.NO_CAPACITY), (None, "h2", StuckReason.NO_CAPACITY)]
    assert plan.steps == ()
    assert plan.bounds.hosts is not None
    assert (plan.bounds.hosts.value, plan.bounds.hosts.upper_bound) == (0, 0)


def test_vms_in_the_way_are_moved_out_of_it() -> None:
    """Where types lock every gpu, residents make room, so that a host can be emptied at all."""
    vms = [
        a_vm("v1", "h1/0", "A40-24Q"),
        a_vm("v2", "h2/0", "A40-12Q"),
        a_vm("v3", "h3/0", "A40-12Q"),
    ]
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], vms))
    assert len(waves(plan)) == 3
    assert plan.stuck == ()


def test_legacy_vms_gather_on_one_old_host() -> None:
    """VMs below the new range share one host that stays old; each is named with what would free it."""
    vms = [a_vm(f"old{n}", f"h{n}/0", vgpu_version=OLD_VERSION, guest_driver="535.161.07") for n in (1, 2, 3)]
    vms += [a_vm(f"v{n}", f"h{n}/1") for n in (1, 2, 3)]
    plan = plan_of(a_fleet([a_host(f"h{n}", 2) for n in (1, 2, 3)], vms), NEWER)
    assert len(waves(plan)) == 2
    assert plan.bounds.hosts is not None
    assert (plan.bounds.hosts.value, plan.bounds.hosts.upper_bound) == (2, 2)
    old = {host for _, host, _ in stuck(plan)}
    assert len(old) == 1
    assert sorted(vm for vm, _, _ in stuck(plan) if vm) == ["old1", "old2", "old3"]
    assert "reboot the guest of old1 where it is: it then gets 0x120001, which 580.65.05 takes" in {
        remedy for item in plan.stuck if item.vm == "old1" for remedy in item.remedies
    }


def test_remedies_are_verified_by_planning_again() -> None:
    """A remedy says how many hosts more it upgrades; one that frees its VM alone says so, too."""
    legacy: dict[str, Any] = {"vgpu_version": OLD_VERSION, "guest_driver": "535.161.07"}
    hosts = [a_host("h1", 2), a_host("h2", 2)]
    one = upgrade(a_fleet(hosts, [a_vm("v1", "h1/0", **legacy)]), NEWER, remedies=100).plan
    assert one.stuck[0].remedies[:2] == (
        "allow cold for v1: an upgraded host could take it so (verified: 1 of 1 old hosts would be upgraded)",
        "reboot the guest of v1 where it is: it then gets 0x120001, which 580.65.05 takes "
        "(verified: 1 of 1 old hosts would be upgraded)",
    )
    vms = [a_vm("v1", "h1/0", **legacy), a_vm("v2", "h1/1", **legacy)]
    two = upgrade(a_fleet(hosts, vms), NEWER, remedies=100).plan
    assert two.stuck[0].remedies[0].endswith("(verified: it keeps no host old then, but others do)")
    tired = upgrade(a_fleet(hosts, vms), NEWER, remedies=3).plan
    assert tired.stuck[0].remedies[1].endswith("(not verified: the effort for that is used up)")


def test_one_host_more_is_verified_where_there_is_no_room() -> None:
    """A domain full to the last gpu can be upgraded with one empty host more."""
    hosts = [a_host("h1"), a_host("h2")]
    vms = [a_vm("v1", "h1/0", "A40-48Q"), a_vm("v2", "h2/0", "A40-48Q")]
    plan = upgrade(a_fleet(hosts, vms), SAME, remedies=100).plan
    assert plan.stuck[0].remedies[0] == (
        "one empty host more in domain default, like h1 (verified: 2 of 2 old hosts would be upgraded)"
    )


def test_what_reboots_cannot_help_needs_a_newer_guest_driver() -> None:
    """A guest driver that ends below the new range is told to be upgraded."""
    vms = [a_vm("old", "h1/0", vgpu_version=0x100001, guest_driver="525.147.05")]
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2")], vms), NEWER)
    assert waves(plan) == {"h2": 1}
    assert plan.stuck[0].remedies[0].startswith("upgrade the guest driver of old")


def test_an_owner_who_allows_cold_is_asked_for_nothing_less() -> None:
    """A VM below the new range moves cold if its owner allows it and no old host has to stay anyway."""
    allow = States.LIVE | States.COLD
    guest: dict[str, Any] = {"vgpu_version": OLD_VERSION, "guest_driver": "535.161.07", "allow": allow}
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2")], [a_vm("v1", "h1/0", **guest)]), NEWER)
    assert [(step.vm, step.how.value) for step in moves(plan)] == [("v1", "cold")]
    assert len(waves(plan)) == 2


def test_a_host_that_stays_old_anyway_spares_others_an_interruption() -> None:
    """Beside a legacy VM that keeps its host old, one that could only move cold moves there live."""
    legacy: dict[str, Any] = {"vgpu_version": OLD_VERSION, "guest_driver": "535.161.07"}
    vms = [
        a_vm("legacy", "h1/0", **legacy),
        a_vm("soft", "h2/0", allow=States.LIVE | States.COLD, **legacy),
    ]
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2")], vms), NEWER)
    assert said(plan) == ["1: soft live h2 to h1", "1: upgrade h2"]


def test_a_vm_that_has_not_reported_stays_where_it_is() -> None:
    """Unknown guest information leaves only cold: without the owner's leave its host stays old."""
    vms = [a_vm("v1", "h1/0", vgpu_version=None), a_vm("v2", "h2/0")]
    plan = plan_of(a_fleet([a_host("h1", 2), a_host("h2", 2), a_host("h3", 2)], vms), NEWER)
    assert sorted(waves(plan)) == ["h2", "h3"]
    assert stuck(plan)[0] == ("v1", "h1", StuckReason.OWNER_FORBIDS)
    assert plan.stuck[0].remedies[0] == "allow cold for v1: an upgraded host could take it so"


def test_a_sleeping_vm_moves_asleep_and_a_booting_one_keeps_its_host_old() -> None:
    """States are respected as in drains."""
    asleep = a_vm("asleep", "h1/0", state=VmState.SLEEPING, allow=States.LIVE | States.SLEEP)
    booting = a_vm("booting", "h2/0", state=VmState.BOOTING, vgpu_version=None)
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], [asleep, booting]))
    assert [(step.vm, step.how.value) for step in moves(plan)] == [("asleep", "sleep")]
    assert sorted(waves(plan)) == ["h1", "h3"]


def test_hosts_named_are_upgraded_and_the_others_receive_for_good() -> None:
    """A host that is not asked for takes VMs that then need not move again."""
    vms = [a_vm("v1", "h1/0"), a_vm("v2", "h2/0")]
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2")], vms), hosts=["h1"])
    assert said(plan) == ["1: v1 live h1 to h2", "1: upgrade h1"]
    assert plan.bounds.moves.lower_bound == 1


def test_hosts_that_have_the_driver_are_left_alone() -> None:
    """A fleet on the driver already needs no step."""
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2")], [a_vm("v1", "h1/0")]), "550.54.16")
    assert (plan.steps, plan.stuck) == ((), ())


def test_a_host_without_a_manager_is_not_upgraded_and_that_is_said() -> None:
    """What runs no vGPU Manager is left as it is."""
    fleet = a_fleet([a_host("h1"), a_host("h2", has_manager=False)])
    planned = upgrade(fleet, SAME)
    assert waves(planned.plan) == {"h1": 1}
    assert planned.notes == ("not upgraded, because no vGPU Manager runs there: h2",)


def test_an_unschedulable_host_is_emptied_and_nothing_moves_there() -> None:
    """It is upgraded like any other, but receives nobody, neither before nor after."""
    hosts = [a_host("h1", schedulable=False), a_host("h2"), a_host("h3")]
    vms = [a_vm("v1", "h1/0", "A40-48Q"), a_vm("v2", "h2/0", "A40-48Q")]
    plan = plan_of(a_fleet(hosts, vms))
    assert len(waves(plan)) == 3
    assert all(step.target != "h1" for step in moves(plan))


def test_a_driver_that_no_table_knows_is_not_compared() -> None:
    """Versions are then not compared, and a note says so."""
    planned = upgrade(a_fleet([a_host("h1"), a_host("h2")], [a_vm("v1", "h1/0")]), "999.1.1")
    assert len(waves(planned.plan)) == 2
    assert planned.notes[0].startswith("vGPU versions were not compared on upgraded hosts: 999.1.1")


def spare_fleet(hosts: int, **changes: Any) -> Fleet:
    """Hosts with one small VM each but the last, whose guests would get 0x180001 on a newer driver."""
    vms = [a_vm(f"v{n}", f"h{n}/0", guest_driver="570.86.15", **changes) for n in range(1, hosts)]
    return a_fleet([a_host(f"h{n}") for n in range(1, hosts + 1)], vms)


def test_pins_keep_booting_vms_on_versions_that_old_hosts_run() -> None:
    """A guest driver that reaches higher than the old hosts makes pins needed, lifted on empty hosts."""
    plan = plan_of(spare_fleet(3, vgpu_version=0x140001), NEWER)
    pins = [step for step in plan.steps if isinstance(step, PinStep)]
    assert {step.range for step in pins if step.range} == {("0x120001", "0x140001")}
    assert sorted(step.host for step in pins if step.range) == sorted(
        step.host for step in pins if step.range is None
    )
    assert len(waves(plan)) == 3


def test_no_pins_where_no_vm_would_get_another_version() -> None:
    """Guests that end where the old hosts end need no pin."""
    vms = [a_vm("v1", "h1/0", guest_driver="550.54.14"), a_vm("v2", "h2/0", guest_driver="550.54.14")]
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], vms), NEWER)
    assert not any(isinstance(step, PinStep) for step in plan.steps)


def test_pins_never_is_obeyed_and_the_risk_is_said() -> None:
    """Who wants no pins gets none, and a note."""
    planned = upgrade(spare_fleet(3, vgpu_version=0x140001), NEWER, pins=Pins.NEVER)
    assert not any(isinstance(step, PinStep) for step in planned.plan.steps)
    assert planned.notes[0].startswith("no pins on h1, h2, h3, as asked: a VM that boots")


def test_what_holds_for_several_domains_is_said_once() -> None:
    """A note names the hosts of all domains that it is about, and comes once."""
    hosts = [a_host(name, domain=domain) for domain in ("d1", "d2") for name in (f"{domain}a", f"{domain}b")]
    guest = "570.86.15"
    vms = [a_vm(f"v{host.id}", f"{host.id}/0", guest_driver=guest) for host in hosts[::2]]
    planned = upgrade(a_fleet(hosts, vms), NEWER, pins=Pins.NEVER)
    assert [note.partition(", as asked")[0] for note in planned.notes if "pins" in note] == [
        "no pins on d1a, d1b and 2 more"
    ]


def test_a_pin_equal_to_the_preset_range_is_left_out() -> None:
    """Where old hosts can run all of the new preset a pin would change nothing, even if always wanted."""
    planned = upgrade(spare_fleet(3), SAME, pins=Pins.ALWAYS)
    assert not any(isinstance(step, PinStep) for step in planned.plan.steps)


def test_a_vm_that_is_off_counts_for_pins() -> None:
    """It may boot while some hosts are old."""
    off = a_vm("off", "h1/0", guest_driver="570.86.15", state=VmState.OFF, vgpu_version=None)
    vms = [a_vm("v1", "h1/0", guest_driver="550.54.14"), off]
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], vms), NEWER)
    assert any(isinstance(step, PinStep) for step in plan.steps)


def test_pins_stay_while_a_host_of_theirs_is_old() -> None:
    """With a legacy VM on an old host the pins are not lifted, and a note says where they stay."""
    legacy = a_vm("old", "h1/0", vgpu_version=0x100001, guest_driver="525.147.05")
    vms = [legacy, a_vm("v2", "h2/0", guest_driver="570.86.15")]
    planned = upgrade(a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], vms), NEWER)
    assert not any(isinstance(s, PinStep) and s.range is None for s in planned.plan.steps)
    assert planned.notes == ("the pinned range stays on h2, h3: lift it when no host of their boards is old",)


def canary_fleet() -> Fleet:
    """Eight hosts, a quarter full."""
    return a_fleet(
        [a_host(f"h{n}", 2) for n in range(8)], [a_vm(f"v{n}", f"h{n}/0", "A40-24Q") for n in range(8)]
    )


def test_wave_sizes_are_kept_and_the_last_one_repeats() -> None:
    """One canary, then two at a time; upgrades of a wave wait for those of the wave before."""
    plan = plan_of(canary_fleet(), waves=(1, 2))
    by_wave: dict[int, list[UpgradeStep]] = {}
    for step in plan.steps:
        if isinstance(step, UpgradeStep):
            by_wave.setdefault(step.wave, []).append(step)
    assert [len(by_wave[wave]) for wave in sorted(by_wave)] == [1, 2, 2, 2, 1]
    for wave in range(2, 6):
        assert min(s.start_s for s in by_wave[wave]) >= max(s.end_s for s in by_wave[wave - 1])
    assert (plan.bounds.waves.value, plan.bounds.waves.lower_bound) == (5, 5)


def test_wave_sizes_hold_for_all_domains_together() -> None:
    """A canary is one host of the fleet, not one of each domain."""
    hosts = [a_host(f"{d}{n}", domain=d) for d in ("a", "b") for n in range(3)]
    plan = plan_of(a_fleet(hosts, domains={"a": Settings(), "b": Settings()}), waves=(1, 2))
    counts: dict[int, int] = {}
    for wave in waves(plan).values():
        counts[wave] = counts.get(wave, 0) + 1
    assert counts == {1: 1, 2: 2, 3: 2, 4: 1}


def test_no_more_hosts_are_out_than_allowed() -> None:
    """From the start of its emptying to the end of its upgrade a host counts as out of service."""
    plan = plan_of(canary_fleet(), max_unavailable=2)
    spans = []
    for step in plan.steps:
        if isinstance(step, UpgradeStep):
            starts = [s.start_s for s in moves(plan) if s.source == step.host and s.wave == step.wave]
            spans.append((min([step.start_s, *starts]), step.end_s))
    assert len(spans) == 8
    for start, _ in spans:
        assert sum(low <= start < high for low, high in spans) <= 2


def test_groups_memory_and_several_vgpus_are_respected() -> None:
    """VMs of a group never meet, memory is never exceeded, and all vgpus of a VM go to one host."""
    hosts = [a_host(f"h{n}", 2, memory_mib=65536) for n in range(4)]
    vms = [a_vm(f"g{n}", f"h{n}/0", anti_affinity=("g",), memory_mib=32768) for n in range(3)]
    vms.append(a_vm("pair", ["h3/0", "h3/1"], "A40-24Q", memory_mib=32768))
    plan = plan_of(a_fleet(hosts, vms))
    assert len(waves(plan)) == 4


def test_mixed_size_gpus_get_placement_ids() -> None:
    """On a mixed-size gpu every arrival names its placement."""
    hosts = [a_host(f"h{n}", [a_gpu(f"h{n}", 0, mode=PlacementMode.MIXED)]) for n in (1, 2, 3)]
    vms = [a_vm("v1", "h1/0@0", "A40-24Q"), a_vm("v2", "h2/0@24", "A40-12Q"), a_vm("v3", "h2/0@0", "A40-8Q")]
    plan = plan_of(a_fleet(hosts, vms))
    assert len(waves(plan)) == 3
    assert all(seat.placement is not None for step in moves(plan) for seat in step.gpus)


def test_boards_are_rolled_by_themselves_and_at_the_same_time() -> None:
    """Hosts of different boards are different pools: both start in wave 1."""
    hosts = [a_host("a1"), a_host("a2"), a_host("l1", board="L40S"), a_host("l2", board="L40S")]
    plan = plan_of(a_fleet(hosts, [a_vm("v1", "a1/0"), a_vm("v2", "l1/0", "L40S-8Q")]))
    assert waves(plan) == {"a2": 1, "l2": 1, "a1": 2, "l1": 2}


def test_identical_host_drivers_are_bridged_only_by_consent() -> None:
    """Under that profile no VM crosses live from the old driver to the new one."""
    profile = {"default": Settings(profile=Profile.IDENTICAL_HOST_DRIVERS)}
    vms = [a_vm("v1", "h1/0"), a_vm("v2", "h2/0", allow=States.LIVE | States.HIBERNATE)]
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], vms, domains=profile))
    assert [(s.vm, s.how.value) for s in moves(plan)] == [("v2", "live")]
    assert ("v1", "h1", StuckReason.OWNER_FORBIDS) in stuck(plan)
    assert sorted(waves(plan)) == ["h2", "h3"]


def test_the_same_fleet_gives_the_same_bytes() -> None:
    """Nothing is random, and the order in which hosts are named does not matter."""
    fleet = canary_fleet()
    names = [str(host) for host in fleet.hosts]
    first = plan_of(fleet, hosts=names)
    assert write_plan(first) == write_plan(plan_of(fleet, hosts=names[::-1])) == write_plan(plan_of(fleet))


@pytest.mark.parametrize(
    "asked",
    [{"driver": "newest"}, {"hosts": []}, {"max_unavailable": 0}, {"waves": (1, 0)}],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, object]) -> None:
    """Bad figures and texts that are no driver are told as problems of the input."""
    asked = {"driver": SAME, **asked}
    with pytest.raises(InputError):
        upgrade(canary_fleet(), **asked)  # type: ignore[arg-type]


def test_an_unknown_host_is_named() -> None:
    """A host that the fleet does not have is an error."""
    with pytest.raises(UnknownNameError):
        upgrade(canary_fleet(), SAME, hosts=[HostId("nobody")])


def test_an_empty_fleet_gives_an_empty_plan() -> None:
    """Nothing to do is no error."""
    plan = plan_of(a_fleet([]))
    assert (plan.steps, plan.stuck, plan.bounds.moves.value) == ((), (), 0)


def test_a_pin_does_not_keep_vms_from_upgraded_hosts() -> None:
    """Where the range that every old host can run would strand a VM, nobody is pinned."""
    narrow = VersionRange(0x70001, 0x120001)
    vms = [
        a_vm("v1", "h1/0", guest_driver="570.86.15"),
        a_vm("v2", "h2/0", guest_driver="570.86.15", vgpu_version=0x120001),
    ]
    hosts = [a_host("h1"), a_host("h2", range_in_force=narrow), a_host("h3")]
    planned = upgrade(a_fleet(hosts, vms), NEWER)
    assert not any(isinstance(step, PinStep) for step in planned.plan.steps)
    assert "would keep VMs from upgraded ones" in planned.notes[0]


def test_lifting_a_pin_interrupts_nobody() -> None:
    """A VM that could leave a pinned host only asleep keeps the pin on it, and a note says so."""
    asleep_only = spare_fleet(3, vgpu_version=0x140001, allow=States.SLEEP)
    planned = upgrade(asleep_only, NEWER)
    kept = {s.host for s in planned.plan.steps if isinstance(s, PinStep) and s.range}
    lifted = {s.host for s in planned.plan.steps if isinstance(s, PinStep) and s.range is None}
    assert replay(asleep_only, planned.plan) == ()
    assert [step.how.value for step in moves(planned.plan)] == ["sleep"] * len(moves(planned.plan))
    assert lifted < kept
    assert planned.notes[0].startswith("the pinned range stays on ")


def test_what_fewer_waves_would_cost_is_said() -> None:
    """Where the plain bound on waves cannot be reached with so few moves, a note proves it."""
    vms = [a_vm(f"v{n}-{k}", f"h{n}/{k}", "A40-24Q") for n in range(6) for k in range(2)]
    planned = upgrade(a_fleet([a_host(f"h{n}", 2) for n in range(6)], vms), SAME)
    bounds = planned.plan.bounds
    assert (bounds.moves.value, bounds.moves.lower_bound) == (14, 14)
    assert (bounds.waves.value, bounds.waves.lower_bound) == (3, 2)
    assert planned.notes[0] == (
        "no plan with 14 moves has fewer than 3 waves: 2 would take at least 18 moves"
    )


def test_a_time_budget_gives_a_plan_or_says_who_was_not_planned() -> None:
    """With no time at all every host is named as not planned for; with enough the plan is the usual one."""
    fleet = canary_fleet()
    left = iter([1.0, 0.0, 0.0])
    none = upgrade(fleet, SAME, terms=Terms(budget_s=1.0, seconds_left=lambda: 0.0))
    assert {item.reason for item in none.plan.stuck} == {StuckReason.BUDGET}
    assert replay(fleet, none.plan) == ()
    quick = upgrade(fleet, SAME, terms=Terms(budget_s=1.0, seconds_left=lambda: next(left)))
    assert replay(fleet, quick.plan) == ()
    assert len(waves(quick.plan)) == 8


def test_types_that_lock_gpus_bound_how_many_hosts_are_empty_at_once() -> None:
    """Two types never share an equal-size gpu: of three hosts one is empty at a time, in three waves."""
    vms = [a_vm("v1", "h1/0", "A40-24Q"), a_vm("v2", "h2/0", "A40-8Q"), a_vm("v3", "h3/0", "A40-8Q")]
    plan = plan_of(a_fleet([a_host("h1"), a_host("h2"), a_host("h3")], vms))
    assert (plan.bounds.waves.value, plan.bounds.waves.lower_bound) == (3, 3)
    assert plan.bounds.makespan_s.lower_bound > 3 * 1800.0
