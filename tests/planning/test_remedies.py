"""What would help stuck VMs, verified by planning again."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_host, a_vm

from vgpu_migrate.model import Fleet, Host, HostId, VersionRange, Vm
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import drain

H1 = HostId("h1")
OLD = VersionRange(0x70001, 0x120001)


def remedies(fleet: Fleet, vm: str = "v1", **options: Any) -> tuple[str, ...]:
    """The remedies of a stuck VM."""
    plan = drain(fleet, [H1], **{"remedies": 1000} | options).plan
    return next(item.remedies for item in plan.stuck if item.vm == vm)


def fleet_of(hosts: list[Host], *vms: Vm) -> Fleet:
    return a_fleet([a_host("h1", 4), *hosts], vms)


def test_making_room_comes_first_where_it_was_not_allowed() -> None:
    """What costs no more than others' moves is advised first, and so is one host more."""
    fleet = fleet_of(
        [a_host("h2"), a_host("h3")],
        a_vm("v1", "h1/0", "A40-12Q"),
        a_vm("r1", "h2/0"),
        a_vm("r2", "h3/0"),
    )
    assert remedies(fleet)[:2] == (
        "let VMs of other hosts make room (verified: 1 of 1 stuck would move)",
        "one empty A40 host more in domain default, like h2 (verified: 1 of 1 stuck would move)",
    )


def test_what_does_not_help_is_not_advised() -> None:
    """Where others' moves make no room either, only a host more is left."""
    fleet = fleet_of([a_host("h2")], a_vm("v1", "h1/0", "A40-48Q"), a_vm("r1", "h2/0"))
    assert remedies(fleet)[0].startswith("one empty A40 host more")


def test_another_way_to_move_is_verified() -> None:
    """The least interruption that lets the VM move is said to do so."""
    fleet = fleet_of([a_host("h2", range_in_force=OLD)], a_vm("v1", "h1/0"))
    assert remedies(fleet)[0] == "allow cold for v1 (verified: 1 of 1 stuck would move)"


def test_a_reboot_of_the_guest_into_a_version_that_fits() -> None:
    """A VM whose host has been given an older range negotiates a version that others have too."""
    hosts = [a_host(name, range_in_force=VersionRange(0x70001, 0x110001)) for name in ("h1", "h2")]
    fleet = a_fleet(hosts, [a_vm("v1", "h1/0", guest_driver="535.161.07", vgpu_version=0x120001)])
    assert "guest reboot of v1 (verified: 1 of 1 stuck would move)" in remedies(fleet)


def test_a_host_that_may_not_receive_could() -> None:
    """A host that is avoided is named if it would help."""
    fleet = fleet_of([a_host("h2"), a_host("h3")], a_vm("v1", "h1/0", "A40-48Q"), a_vm("r1", "h2/0"))
    assert remedies(fleet, avoid=[HostId("h3")])[0] == "let h3 receive (verified: 1 of 1 stuck would move)"


def test_without_effort_remedies_are_not_verified() -> None:
    """What there was no effort left for is said to be unverified; alike VMs are tried for once."""
    vms = [a_vm(f"v{n}", "h1/0", "A40-24Q", allow=States.LIVE) for n in (1, 2)]
    fleet = fleet_of([a_host("h2")], *vms, a_vm("r1", "h2/0"))
    text = "let VMs of other hosts make room (not verified: the effort for that is used up)"
    assert remedies(fleet, remedies=1)[0] == text
    assert remedies(fleet, "v2", remedies=1)[0] == text


def test_only_the_vm_takes_the_name_of_those_alike() -> None:
    """A VM whose name begins the hosts' names leaves these as they are, in what is said to its kind."""
    hosts = [a_host(name) for name in ("web-01", "web-02", "web-03")]
    vms = [a_vm(name, "web-01/0", "A40-24Q", allow=States.LIVE) for name in ("web", "db")]
    vms += [a_vm(name, "web-02/0", "A40-24Q") for name in ("x1", "x2")]
    plan = drain(a_fleet(hosts, vms), [HostId("web-01")], avoid=[HostId("web-03")], remedies=1000).plan
    first = "let web-03 receive (verified: 2 of 2 stuck would move)"
    assert [(item.vm, item.remedies[0]) for item in plan.stuck] == [("web", first), ("db", first)]
    cold = [a_host("web-01", 2), a_host("web-02", range_in_force=OLD), a_host("web-03", range_in_force=OLD)]
    alike = [a_vm("web", "web-01/0", "A40-48Q"), a_vm("db", "web-01/1", "A40-48Q")]
    alike = [replace(vm, allow=States.LIVE) for vm in alike]
    plan = drain(a_fleet(cold, alike), [HostId("web-01")], remedies=1000).plan
    assert [item.remedies[0] for item in plan.stuck] == [
        f"allow cold for {name} (verified: 1 of 2 stuck would move)" for name in ("web", "db")
    ]


def test_the_host_more_is_like_one_that_could_take_it() -> None:
    """The first host of its board may not take it by the rules; another sort may, with gpus enough."""
    small = [a_host("h2", range_in_force=OLD), a_host("h3"), a_host("h4", 2)]
    text = "one empty A40 host more in domain default, like {} (verified: 1 of 1 stuck would move)"
    full = [a_vm("r3", "h3/0", "A40-48Q"), a_vm("r4", ["h4/0", "h4/1"], "A40-48Q")]
    live = a_vm("v1", "h1/0", "A40-48Q", allow=States.LIVE)
    assert text.format("h3") in remedies(fleet_of(small, live, *full))
    pair = a_vm("v1", ["h1/0", "h1/1"], "A40-48Q", allow=States.LIVE)
    assert text.format("h1") in remedies(fleet_of(small, pair, *full)), "h1 has most gpus"


def test_no_host_is_named_that_the_rules_keep_it_from() -> None:
    """Of hosts that may not receive, only those that could take the VM are tried, and no try is lost."""
    odd = [a_host(f"o{n}", range_in_force=OLD) for n in range(4)]
    fleet = fleet_of([*odd, a_host("h9")], a_vm("v1", "h1/0", allow=States.LIVE))
    avoid = [*(host.id for host in odd), HostId("h9")]
    assert remedies(fleet, avoid=avoid)[0] == "let h9 receive (verified: 1 of 1 stuck would move)"
