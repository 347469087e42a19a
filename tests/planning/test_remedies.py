"""What would help stuck VMs, verified by planning again."""

from __future__ import annotations

from typing import Any

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
