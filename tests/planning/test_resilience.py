"""Which hosts can be drained live now, what forbids it, and what drift has cost."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_host, a_vm, random_fleet

from vgpu_migrate.model import Fleet, HostId, Settings, VersionRange, VmState
from vgpu_migrate.model.planfile import MigrateStep, StuckReason
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import drain
from vgpu_migrate.planning.resilience import HostResilience, drift, resilience
from vgpu_migrate.planning.spare import Spare

OLD = VersionRange(0x70001, 0x120001)


def by_host(fleet: Fleet, **changes: Any) -> dict[str, HostResilience]:
    """The answers by host."""
    return {one.host: one for one in resilience(fleet, **changes)}


def test_hosts_with_room_elsewhere_can_be_drained() -> None:
    """So can a host that is empty, and one that is not schedulable."""
    fleet = a_fleet(
        [a_host("h1"), a_host("h2"), a_host("h3", schedulable=False)],
        [
            a_vm("v1", "h1/0"),
            a_vm("v3", "h3/0"),
            a_vm("s", "h3/0", state=VmState.SLEEPING, allow=States.SLEEP),
        ],
    )
    found = resilience(fleet)
    assert [(one.host, one.vms, one.is_drainable) for one in found] == [
        ("h1", 1, True),
        ("h2", 0, True),
        ("h3", 2, True),
    ]


def test_a_rule_that_forbids_it_is_named() -> None:
    """With the host where it came nearest."""
    fleet = a_fleet(
        [a_host("h1"), a_host("h2", range_in_force=OLD), a_host("h3", board="L40S")],
        [a_vm("v1", "h1/0"), a_vm("v3", "h3/0", "L40S-8Q")],
    )
    found = by_host(fleet)
    (obstacle,) = found["h1"].obstacles
    assert (obstacle.vm, obstacle.reason) == ("v1", StuckReason.NO_COMPATIBLE_HOST)
    assert obstacle.rules == ("guest-newer",)
    assert obstacle.detail.startswith("h2: empty the host and lift the range")
    assert found["h3"].obstacles[0].rules == ("board",)
    assert (found["h1"].spare, found["h3"].spare) == ((), ())


def test_an_owner_who_does_not_allow_it_is_asked() -> None:
    """If that alone is in the way, the change is to allow it."""
    fleet = a_fleet([a_host("h1"), a_host("h2")], [a_vm("v1", "h1/0", allow=States.COLD), a_vm("v2", "h1/0")])
    one = by_host(fleet)["h1"]
    assert one.obstacles[0].reason is StuckReason.OWNER_FORBIDS
    assert one.change == "allow live for v1"


def test_what_was_tried_and_is_not_enough_is_not_the_change() -> None:
    """Where the owner forbids it and there is no room either, leave alone does not help."""
    vms = [a_vm("v1", "h1/0", allow=States.COLD), a_vm("w", "h2/0", "A40-48Q")]
    one = by_host(a_fleet([a_host("h1"), a_host("h2")], vms))["h1"]
    assert [item.reason for item in one.obstacles] == [StuckReason.OWNER_FORBIDS]
    assert one.change == "shut down v1 for the time: every other VM of h1 can leave"


def test_no_gpu_is_asked_for_where_memory_or_vcpus_are_missing() -> None:
    """How much is missing is told of the host that comes nearest, for one alone and beside the others."""
    short = [a_host("h1"), a_host("h2", memory_mib=8192), a_host("h3", memory_mib=10240, vcpus=4)]
    large = a_vm("v", "h1/0", memory_mib=12288, vcpus=6)
    for defrag in (False, True):
        one = by_host(a_fleet(short, [large]), defrag=defrag)["h1"]
        (obstacle,) = one.obstacles
        assert (obstacle.reason, one.spare) == (StuckReason.NO_CAPACITY, ())
        wanted = ": h3 has room on its gpus, but 2,048 MiB of memory and 2 vcpus are missing"
        assert obstacle.detail.endswith(wanted)
    pair = [a_vm(f"v{n}", "h1/0", memory_mib=6144) for n in range(2)]
    one = by_host(a_fleet(short[:2], pair))["h1"]
    assert [item.reason for item in one.obstacles] == [StuckReason.BLOCKED_BY_OTHERS]
    assert one.obstacles[0].detail.endswith(": h2 has room on its gpus, but 4,096 MiB of memory are missing")
    assert one.spare == ()
    over = a_host("h2", memory_mib=8192)
    crowd = [a_vm("v", "h1/0"), a_vm("w", "h2/0", memory_mib=10240)]
    assert by_host(a_fleet([a_host("h1"), over], crowd))["h1"].spare == ()


def test_a_booting_vm_is_waited_for() -> None:
    """Nothing is known of it yet."""
    fleet = a_fleet([a_host("h1"), a_host("h2")], [a_vm("v1", "h1/0", state=VmState.BOOTING)])
    assert by_host(fleet)["h1"].obstacles[0].detail == "it is booting: ask again when it is up"


def test_the_spare_capacity_that_is_enough_is_told() -> None:
    """As many empty gpus as those left over fill, and with them the host can be drained."""
    vms = [a_vm(f"v{n}", "h1/0", "A40-24Q") for n in range(2)]
    vms += [a_vm(f"w{n}", "h2/0", "A40-24Q") for n in range(2)]
    hosts = [a_host("h1"), a_host("h2")]
    one = by_host(a_fleet(hosts, vms))["h1"]
    assert [item.reason for item in one.obstacles] == [StuckReason.NO_CAPACITY] * 2
    assert (one.spare, one.change) == ((Spare("A40", 1),), None)
    assert by_host(a_fleet([*hosts, a_host("h3")], vms))["h1"].is_drainable


def test_a_host_that_could_be_opened_is_the_one_change() -> None:
    """It is not schedulable, and with it there is room."""
    vms = [a_vm(f"{host}v", f"{host}/0", "A40-48Q") for host in ("h1", "h2")]
    fleet = a_fleet([a_host("h1"), a_host("h2"), a_host("h3", schedulable=False)], vms)
    assert {one.change for one in resilience(fleet) if one.vms} == {"make h3 schedulable"}


def test_others_make_room_where_that_is_all_that_is_missing() -> None:
    """Two gpus half full of other types: one must be emptied for the newcomer's type."""
    hosts = [a_host("h1"), a_host("h2"), a_host("h3")]
    vms = [a_vm("v1", "h1/0", "A40-24Q"), a_vm("v2", "h2/0", "A40-8Q"), a_vm("v3", "h3/0", "A40-8Q")]
    fleet = a_fleet(hosts, vms)
    assert by_host(fleet)["h1"].others == 1
    assert by_host(fleet)["h1"].is_drainable
    alone = by_host(fleet, defrag=False)["h1"]
    assert (alone.is_drainable, alone.others, alone.spare) == (False, 0, (Spare("A40", 1),))


def test_groups_that_may_not_share_a_host_are_in_the_way() -> None:
    """Room there is, but not for both."""
    vms = [a_vm(f"v{n}", f"h{n}/0", anti_affinity=("db",)) for n in (1, 2)]
    one = by_host(a_fleet([a_host("h1"), a_host("h2")], vms))["h1"]
    assert [item.reason for item in one.obstacles] == [StuckReason.ANTI_AFFINITY]
    assert one.spare == ()


SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "mixed": {"mixed": 0.6},
    "several": {"several": 0.3, "gpus": 3},
    "memory": {"memory": True, "groups": 2},
    "domains": {"domains": 2, "hosts": 7},
    "mig": {"mig": 0.4},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(6))
def test_it_agrees_with_the_drain_of_each_host(shape: str, seed: int) -> None:
    """A drain of the host alone, with owners who accept no more than a live move, says the same."""
    fleet = random_fleet(seed, vms=18, **SHAPES[shape])
    live_only = Fleet(
        fleet.revision,
        fleet.settings,
        fleet.domain_settings,
        fleet.hosts,
        {vm.id: replace(vm, allow=vm.allow & _as_it_is(vm.state)) for vm in fleet.vms.values()},
    )
    for one in resilience(fleet, defrag=False):
        plan = drain(live_only, [HostId(one.host)], defrag=False).plan
        moved = {step.vm for step in plan.steps if isinstance(step, MigrateStep)}
        assert len(one.obstacles) == one.vms - len(moved)
    for one in resilience(fleet):
        if one.is_drainable:
            assert drain(live_only, [HostId(one.host)], defrag=True).plan.stuck == ()


def _as_it_is(state: VmState) -> States:
    return States.SLEEP if state is VmState.SLEEPING else States.LIVE


def test_drift_is_what_could_be_and_cannot_be_any_more() -> None:
    """Hosts lost, regained, new and gone, each once."""
    hosts = [a_host("h1"), a_host("h2"), a_host("h3")]
    vms = [a_vm("v1", "h1/0"), a_vm("v2", "h2/0")]
    then = resilience(a_fleet(hosts, vms))
    pinned = [hosts[0], *(replace(host, range_in_force=OLD) for host in hosts[1:])]
    drifted = [a_vm("v1", "h1/0"), a_vm("v2", "h2/0", vgpu_version=0x120001)]
    now = resilience(a_fleet([*pinned[:2], a_host("h4", board="L40S")], drifted))
    found = drift(then, now)
    assert [one.host for one in found.lost] == ["h1"]
    assert found.lost[0].obstacles[0].rules == ("guest-newer",)
    assert (found.regained, found.added, found.removed) == ((), ("h4",), ("h3",))
    assert drift(now, then).regained == ("h1",)


def test_an_empty_fleet_has_no_hosts_to_drain() -> None:
    """And domains are told in the fleet's order."""
    assert resilience(a_fleet([])) == ()
    hosts = [a_host("h1", domain="b"), a_host("h2", domain="a"), a_host("h3", domain="b")]
    fleet = a_fleet(hosts, domains={"a": Settings(), "b": Settings()})
    assert [one.host for one in resilience(fleet)] == ["h1", "h2", "h3"]
