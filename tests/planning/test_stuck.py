"""Why a VM stays, in the words that the plan gives."""

from __future__ import annotations

from typing import Any

from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm

from vgpu_migrate.model import Fleet, Host, HostId, PlacementMode, VersionRange, Vm, VmState
from vgpu_migrate.model.fleetfile import parse_fleet
from vgpu_migrate.model.planfile import Stuck, StuckReason
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import drain
from vgpu_migrate.replay import replay

OLD = VersionRange(0x70001, 0x120001)


def stuck(hosts: list[Host], vms: list[Vm], *drained: str) -> dict[str, Stuck]:
    fleet: Fleet = a_fleet([a_host("h1", 4), *hosts], vms)
    plan = drain(fleet, [HostId(name) for name in drained or ("h1",)]).plan
    assert replay(fleet, plan) == ()
    return {str(item.vm): item for item in plan.stuck}


def said(item: Stuck) -> tuple[str, list[str], tuple[str, ...]]:
    return item.reason.value, [piece.rule for piece in item.evidence], item.remedies


def v1(**changes: Any) -> Vm:
    return a_vm("v1", "h1/0", **changes)


def test_no_other_host_may_receive() -> None:
    """With nowhere to go there is no evidence, only what to do."""
    item = stuck([a_host("h2", schedulable=False)], [v1()])["v1"]
    why = "no other host of domain default may receive: make one schedulable, or add one"
    assert said(item) == ("no-compatible-host", [], (why,))


def test_no_host_with_its_board() -> None:
    """A vgpu type belongs to one board."""
    item = stuck([a_host("h2", board="L40S")], [v1()])["v1"]
    why = "add a host with a gpu of board A40 to domain default: no other may receive"
    assert said(item) == ("no-compatible-host", ["board"], (why,))


def test_no_host_whose_range_admits_its_driver() -> None:
    """The row that leaves no state tells what would help, on the nearest host."""
    low = VersionRange(0x70001, 0xB0001)
    item = stuck([a_host("h2", range_in_force=low)], [v1(guest_driver="550.54.14", allow=States(15))])["v1"]
    reason, rules, remedies = said(item)
    assert (reason, rules) == ("no-compatible-host", ["guest-newer", "guest-driver-newer"])
    preset = "its preset 0x70001-0x140001 admits"
    assert remedies == (f"h2: empty the host and lift the range: {preset} 0x140001",)
    assert item.evidence[1].by == "administrator-range"


def test_its_owner_forbids_what_is_left() -> None:
    """The remedy names the least interruption, and a host with room for it."""
    item = stuck([a_host("h2", range_in_force=OLD)], [v1()])["v1"]
    reason, rules, remedies = said(item)
    assert (reason, rules) == ("owner-forbids", ["guest-newer"])
    assert remedies[0] == "allow cold for v1: h2 could take it powered off"
    full = a_vm("v2", "h2/0", "A40-48Q", vgpu_version=0x120001)
    item = stuck([a_host("h2", range_in_force=OLD)], [v1(), full])["v1"]
    assert item.remedies[0] == "allow cold for v1, and free room for it"


def test_a_booting_vm_can_wait() -> None:
    """Until its guest driver has reported a VM may only move powered off; waiting helps first."""
    item = stuck([a_host("h2")], [v1(state=VmState.BOOTING, vgpu_version=None)])["v1"]
    assert said(item) == (
        "owner-forbids",
        ["guest-info"],
        ("wait until v1 has booted, and plan anew", "allow cold for v1: h2 could take it powered off"),
    )


def test_no_capacity_comes_with_a_count_of_every_gpu() -> None:
    """Every gpu that may take the VM is counted by what keeps it from doing so."""
    mixed = a_host("h4", [a_gpu("h4", 0, mode=PlacementMode.MIXED)])
    hosts = [a_host("h2", 2), a_host("h3", memory_mib=8192), mixed]
    vms = [
        v1(),
        *(a_vm(f"a{n}", "h2/0") for n in range(6)),
        a_vm("b", "h2/1", "A40-12Q"),
        a_vm("c", "h4/0@0", "A40-48Q"),
    ]
    item = stuck(hosts, vms)["v1"]
    assert item.reason == "no-capacity"
    assert item.evidence[0].seen == {
        "type": "A40-8Q",
        "gpus that may take it": "4",
        "full": "1",
        "host out of memory": "1",
        "locked to another type": "1",
        "no free placement": "1",
    }
    assert item.remedies == (
        "free memory on h3: h3/0 has room for A40-8Q, but the host has 8192 MiB left and v1 needs 16384",
        "free one A40-8Q slot: h2/0 has no slot left, held by a0, a1 and 4 more",
        "free one A40-8Q slot: h2/1 is locked to A40-12Q by b",
        "free one A40-8Q slot: h4/0 has no free placement, held by c",
        "add a host to domain default with a free gpu that takes A40-8Q",
    )


def test_what_others_of_the_plan_took_is_said() -> None:
    """A VM that alone would have found room is blocked by others."""
    vms = [a_vm("v1", "h1/0", "A40-48Q"), a_vm("v2", "h1/1", "A40-48Q")]
    item = stuck([a_host("h2")], vms)["v2"]
    assert item.reason == "blocked-by-others"
    assert (
        item.remedies[0]
        == "choose which VMs of h1 move: alone it could go to h2/0, which v1 of this plan takes"
    )


def test_fewer_hosts_are_advised_where_another_host_took_the_place() -> None:
    """Draining fewer hosts helps only against VMs of other hosts, also for VMs that are alike."""
    vms = [
        a_vm("v1", "h1/0", "A40-48Q"),
        a_vm("v2", "h3/0", "A40-48Q"),
        a_vm("v3", "h1/1", "A40-48Q"),
    ]
    items = stuck([a_host("h2"), a_host("h3")], vms, "h1", "h3")
    which = "alone it could go to h2/0, which v1 of this plan takes"
    assert {name: item.remedies[0] for name, item in items.items()} == {
        "v2": f"drain fewer hosts at once: {which}",
        "v3": f"choose which VMs of h1 move: {which}",
    }


def test_anti_affinity_names_who_is_there() -> None:
    """Room beside a VM of the same group is no room."""
    vms = [v1(anti_affinity=("web",)), a_vm("v2", "h2/0", anti_affinity=("web",))]
    item = stuck([a_host("h2", 2)], vms)["v1"]
    assert said(item) == (
        "anti-affinity",
        ["anti-affinity"],
        ("add a host without a VM of web, or take v1 out of the group",),
    )
    assert item.evidence[0].seen == {"groups": "web", "host with room": "h2", "there": "v2"}


def test_several_vgpus_need_one_host() -> None:
    """A VM with several vgpus is stuck where no host has room for all."""
    pair = a_vm("v1", ["h1/0", "h1/1"], "A40-48Q")
    item = stuck([a_host("h2"), a_host("h3")], [pair])["v1"]
    assert item.reason == "no-capacity"
    assert item.remedies == ("free room on one host for A40-48Q, A40-48Q together",)


def test_a_whole_domain_being_drained_is_told_as_that() -> None:
    """Where every other host is emptied too, the remedy is to leave one, not to make one schedulable."""
    fleet = parse_fleet(
        {
            "fleetfile_version": 1,
            "hosts": [
                {"id": name, "driver": "550.54.16", "gpus": [{"board": "A40"}]} for name in ("h1", "h2")
            ],
            "vms": [
                {
                    "id": "v",
                    "host": "h1",
                    "state": "running",
                    "memory_mib": 1024,
                    "guest_driver": "550.54.14",
                    "vgpus": [{"type": "A40-8Q", "gpu": "h1/0"}],
                }
            ],
        },
        source="test",
    )
    stuck = drain(fleet, [HostId("h1"), HostId("h2")]).plan.stuck
    assert [(item.reason, item.remedies) for item in stuck] == [
        (
            StuckReason.NO_COMPATIBLE_HOST,
            ("leave some host of domain default to receive: h2 could, but may not in this plan",),
        )
    ]


def test_only_hosts_that_could_take_it_are_said_to() -> None:
    """Where nobody receives, the rules and the owner are asked of each other host, and its own is not one."""
    could = "leave some host of domain default to receive: {} could, but may not in this plan"
    none = (
        "add a host with gpus of board {} that may take {} to domain default: none may receive in this plan, "
        "and no other that is schedulable could take it as its owner allows"
    )
    hosts = [a_host("h2", board="L40S"), a_host("h3", range_in_force=OLD), a_host("h4", [])]
    vms = [v1(), a_vm("v2", "h2/0", "L40S-8Q"), a_vm("v3", "h3/0", vgpu_version=0x120001)]
    items = stuck(hosts, vms, "h1", "h2", "h3")
    assert {name: item.remedies for name, item in items.items()} == {
        "v1": (none.format("A40", "v1"),),
        "v2": (none.format("L40S", "v2"),),
        "v3": (could.format("h1"),),
    }


def test_moves_that_no_rule_could_judge_are_told() -> None:
    """A target whose host driver is in no table stands in the notes."""
    fleet = parse_fleet(
        {
            "fleetfile_version": 1,
            "hosts": [
                {"id": "h1", "driver": "550.54.16", "gpus": [{"board": "A40"}]},
                {"id": "h2", "driver": "999.1", "gpus": [{"board": "A40"}]},
            ],
            "vms": [
                {
                    "id": "v",
                    "host": "h1",
                    "state": "running",
                    "memory_mib": 1024,
                    "vgpus": [{"type": "A40-8Q", "gpu": "h1/0", "version": 0x140001}],
                }
            ],
        },
        source="test",
    )
    notes = drain(fleet, [HostId("h1")]).notes
    wanted = "vGPU versions were not compared in 1 move to h2: no range is known for its host driver"
    assert wanted in notes
