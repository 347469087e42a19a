"""Fleets and plans to draw: real ones, and one by hand that has a step of every kind."""

from __future__ import annotations

from functools import cache

from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm, random_fleet
from tests.replay.plans import move, pin, plan, upgrade

from vgpu_migrate.model import Fleet, HostId, PlacementMode, VmState
from vgpu_migrate.model.planfile import How, Plan, Step, Stuck, StuckEvidence, StuckReason
from vgpu_migrate.nvml import ALL_STATES
from vgpu_migrate.planning import drain
from vgpu_migrate.planning import upgrade as upgrade_plan

EVIL = '</script><img src=x onerror="document.title=1">&amp;<!--'
"""A name that is markup, an end of a script and a comment at once."""


@cache
def drawn(seed: int) -> tuple[Fleet, Plan]:
    """A seeded fleet of every kind of gpu, and a real plan of it: a drain, or an upgrade of all hosts."""
    fleet = random_fleet(seed, hosts=6, gpus=3, vms=30, mixed=0.4, several=0.2, domains=2, mig=0.3)
    if seed % 2:
        return fleet, drain(fleet, [HostId("h00"), HostId("h03")]).plan
    return fleet, upgrade_plan(fleet, "580.126.08").plan


def every_kind(name: str = "web-1") -> tuple[Fleet, Plan]:
    """A fleet of four hosts and a plan by hand with each kind of step, one VM and one host stuck.

    On a1 an equal-size and a mixed-size gpu, on a2 the same, on m1 a MIG gpu, on z1 nothing that counts.
    `name` is that of the first VM, of a guest that accepts every way.
    """
    hosts = [
        a_host("a1", [a_gpu("a1", 0), a_gpu("a1", 1, mode=PlacementMode.MIXED)]),
        a_host("a2", [a_gpu("a2", 0), a_gpu("a2", 1, mode=PlacementMode.MIXED)]),
        a_host("m1", [a_gpu("m1", 0, "A100", mig=(3, 2, 2))]),
        a_host("z1", [a_gpu("z1", 0, is_vgpu_host=False)], has_manager=False, schedulable=False),
    ]
    first = a_vm(name, "a1/0", allow=ALL_STATES, guest_driver="550.54.14")
    asleep = a_vm("asleep", "a1/1@0", "A40-24Q", state=VmState.SLEEPING, allow=ALL_STATES)
    slow, cold = (
        a_vm(each, "a1/1@" + at, "A40-12Q", allow=ALL_STATES) for each, at in (("slow", "24"), ("cold", "36"))
    )
    stays = a_vm("stays", "m1/0", "A100-3-20C")
    fleet = a_fleet(hosts, [first, asleep, slow, cold, stays])
    end = 40.0
    steps: list[Step] = [
        move(1, first, "a2", wave=1),
        move(2, asleep, "a2", "a2/1@0", how=How.SLEEP),
        move(3, slow, "a2", "a2/1@24", how=How.HIBERNATE, start_s=10.0),
        move(4, cold, "a2", "a2/1@36", how=How.COLD, start_s=20.0),
        upgrade(5, "a1", start_s=end, after=(1, 2, 3, 4)),
        pin(6, "a1", "0x70001", "0x140001", start_s=end + 1800.0, wave=2, after=(5,)),
        pin(7, "a1", start_s=end + 1900.0, wave=2, after=(6,)),
    ]
    piece = StuckEvidence("capacity", {"load": "7", "room": EVIL}, "fleet", EVIL, EVIL)
    stuck = (
        Stuck(stays.id, HostId("m1"), StuckReason.NO_CAPACITY, (piece,), ("another gpu", EVIL)),
        Stuck(None, HostId("m1"), StuckReason.BLOCKED_BY_OTHERS, (piece,), ()),
    )
    return fleet, plan(fleet, *steps, stuck=stuck)
