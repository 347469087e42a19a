"""The reference semantics of a move."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm, random_fleet

from vgpu_migrate.model import Fleet, GpuId, Host, HostId, PlacementMode, VersionRange, Vm, VmId, VmState
from vgpu_migrate.model.placement import Tenant, creatable_placements, overfull
from vgpu_migrate.model.planfile import How, Seat
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import Move, Refusal, RefusalReason, apply


def to(vm: str, target: str, *gpus: str, how: How = How.LIVE) -> Move:
    """A move; a placement id stands behind an "@"."""
    seats = []
    for gpu in gpus or (f"{target}/0",):
        at, _, placement = gpu.partition("@")
        seats.append(Seat(GpuId(at), int(placement) if placement else None))
    return Move(VmId(vm), how, HostId(target), tuple(seats))


def after(fleet: Fleet, move: Move) -> Fleet:
    found = apply(fleet, move)
    assert isinstance(found, Fleet), str(found)
    return found


HERE = a_vm("v1", "h1/0")
NO_VGPU_HOST = a_gpu("h2", 0, is_vgpu_host=False)
TWO = a_fleet([a_host("h1", 2), a_host("h2", 2)], [a_vm("v1", "h1/0"), a_vm("v2", "h2/0", "A40-12Q")])


def test_a_live_move_takes_the_vm_and_leaves_all_else() -> None:
    """The VM is on the target, with its state and version; the fleet given is as it was."""
    fleet = after(TWO, to("v1", "h2", "h2/1"))
    moved = fleet.vms[VmId("v1")]
    assert (moved.host, moved.state, moved.vgpus[0].gpu) == ("h2", VmState.RUNNING, "h2/1")
    assert moved.vgpus[0].vgpu_version == 0x140001
    assert TWO.vms[VmId("v1")].host == "h1"
    assert fleet.vms[VmId("v2")] is TWO.vms[VmId("v2")]


def test_a_cold_move_negotiates_anew() -> None:
    """A cold start takes the newest version both sides know; other moves keep the one held."""
    vm = a_vm("v1", "h1/0", guest_driver="550.54.14", allow=States.COLD, vgpu_version=0x120001)
    fleet = a_fleet([a_host("h1"), a_host("h2")], [vm])
    moved = after(fleet, to("v1", "h2", how=How.COLD)).vms[VmId("v1")]
    assert moved.vgpus[0].vgpu_version == 0x140001


@pytest.mark.parametrize(
    ("vm", "targets", "move", "reason"),
    [
        (a_vm("v1", "h1/0", state=VmState.OFF), [], to("v1", "h2"), RefusalReason.HOLDS_NOTHING),
        (a_vm("v1", "h1/0"), [], to("v1", "h1"), RefusalReason.SAME_HOST),
        (a_vm("v1", "h1/0"), [a_host("h2", domain="x")], to("v1", "h2"), RefusalReason.OTHER_DOMAIN),
        (
            a_vm("v1", "h1/0"),
            [a_host("h2", schedulable=False)],
            to("v1", "h2"),
            RefusalReason.NOT_SCHEDULABLE,
        ),
        (a_vm("v1", "h1/0"), [a_host("h2", has_manager=False)], to("v1", "h2"), RefusalReason.NO_MANAGER),
        (a_vm("v1", "h1/0"), [], to("v1", "h2", "h2/0", "h2/0"), RefusalReason.WRONG_SEATS),
        (a_vm("v1", "h1/0"), [], to("v1", "h2", "h1/0"), RefusalReason.WRONG_SEATS),
        (
            a_vm("v1", "h1/0"),
            [a_host("h2", range_in_force=VersionRange(0x70001, 0x120001))],
            to("v1", "h2"),
            RefusalReason.INCOMPATIBLE,
        ),
        (a_vm("v1", "h1/0", state=VmState.SLEEPING), [], to("v1", "h2"), RefusalReason.INCOMPATIBLE),
        (a_vm("v1", "h1/0"), [], to("v1", "h2", how=How.COLD), RefusalReason.OWNER_FORBIDS),
        (
            a_vm("v1", "h1/0"),
            [a_host("h2", [a_gpu("h2", 0, is_vgpu_host=False)])],
            to("v1", "h2"),
            RefusalReason.NO_ROOM,
        ),
        (a_vm("v1", "h1/0"), [], to("v1", "h2", "h2/0@0"), RefusalReason.NO_ROOM),
        (
            a_vm("v1", "h1/0"),
            [a_host("h2", [a_gpu("h2", 0, mode=PlacementMode.MIXED)])],
            to("v1", "h2", "h2/0@8"),
            RefusalReason.NO_ROOM,
        ),
        (a_vm("v1", "h1/0"), [a_host("h2", memory_mib=8192)], to("v1", "h2"), RefusalReason.MEMORY),
        (a_vm("v1", "h1/0", vcpus=8), [a_host("h2", vcpus=4)], to("v1", "h2"), RefusalReason.VCPUS),
    ],
)
def test_each_reason_to_refuse(vm: Vm, targets: list[Host], move: Move, reason: RefusalReason) -> None:
    """Every way to say no is a value with its reason."""
    fleet = a_fleet([a_host("h1"), *(targets or [a_host("h2")])], [vm])
    found = apply(fleet, move)
    assert isinstance(found, Refusal)
    assert found.reason is reason
    assert str(found).startswith(f"v1 to {move.target}: ")


def test_anti_affinity_refuses() -> None:
    """VMs of one group never share a host."""
    fleet = a_fleet(
        [a_host("h1"), a_host("h2", 2)],
        [a_vm("v1", "h1/0", anti_affinity=("web",)), a_vm("v2", "h2/0", anti_affinity=("web",))],
    )
    found = apply(fleet, to("v1", "h2", "h2/1"))
    assert isinstance(found, Refusal)
    assert found.reason is RefusalReason.ANTI_AFFINITY
    assert found.detail == "v2 is there, of the same anti-affinity group"


def random_move(fleet: Fleet, rng: random.Random) -> Move:
    vm = rng.choice(list(fleet.vms.values()))
    target = rng.choice(list(fleet.hosts.values()))
    seats = []
    for vgpu in vm.vgpus:
        gpu = rng.choice(target.gpus)
        ids: tuple[int, ...] = ()
        if gpu.mode is PlacementMode.MIXED and not gpu.mig:
            tenants = [Tenant(other.type, other.placement) for other in fleet.tenants[gpu.id]]
            ids = creatable_placements(gpu, tenants, vgpu.type)
        seats.append(Seat(gpu.id, rng.choice(ids) if ids else None))
    return Move(vm.id, rng.choice(list(How)), target.id, tuple(seats))


@pytest.mark.parametrize("seed", range(12))
def test_moves_never_lose_a_vm_nor_exceed_a_gpu(seed: int) -> None:
    """After any sequence of moves every VM is once somewhere, and no gpu or host holds too much."""
    rng = random.Random(seed)
    fleet = random_fleet(seed, mixed=0.4, mig=0.1, several=0.2, memory=True, groups=4)
    before = {vm.id: (vm.vgpus[0].type, len(vm.vgpus)) for vm in fleet.vms.values()}
    applied = 0
    for _ in range(600):
        found = apply(fleet, random_move(fleet, rng))
        if isinstance(found, Refusal):
            continue
        fleet, applied = found, applied + 1
        assert {vm.id: (vm.vgpus[0].type, len(vm.vgpus)) for vm in fleet.vms.values()} == before
        for gpu_id, there in fleet.tenants.items():
            assert not overfull(fleet.gpus[gpu_id], [Tenant(vgpu.type, vgpu.placement) for vgpu in there])
        for host_id, residents in fleet.residents.items():
            memory_mib = fleet.hosts[host_id].memory_mib
            assert memory_mib is not None
            assert sum(vm.memory_mib for vm in residents) <= memory_mib
            groups = [group for vm in residents for group in vm.anti_affinity]
            assert len(groups) == len(set(groups))
    assert applied > 5


@pytest.mark.parametrize("seed", range(12))
def test_going_back_live_restores_the_fleet(seed: int) -> None:
    """A live move and the move back give the fleet as it was, wherever the way back is allowed."""
    rng = random.Random(seed)
    fleet = random_fleet(seed, odd=0.0, mixed=0.4)
    restored = 0
    for _ in range(400):
        move = replace(random_move(fleet, rng), how=How.LIVE)
        there = apply(fleet, move)
        if isinstance(there, Refusal):
            continue
        vm = fleet.vms[move.vm]
        assert vm.host is not None
        seats = tuple(Seat(vgpu.gpu, vgpu.placement) for vgpu in vm.vgpus if vgpu.gpu is not None)
        assert after(there, Move(vm.id, How.LIVE, vm.host, seats)) == fleet
        restored += 1
    assert restored > 5
