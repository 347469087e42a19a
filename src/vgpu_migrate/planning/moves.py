"""What a move does: `apply(fleet, move)` gives the fleet after it, or why it cannot be applied.

The reference semantics of planning, for one move at a time on a fleet at rest. Searches work on faster
states of their own (`planning.floor`); tests hold them to this one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from vgpu_migrate.compat import Verdict, check, combine, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet, Host, HostId, PlacementMode, Vm, VmId, VmState
from vgpu_migrate.model.negotiation import fresh_version
from vgpu_migrate.model.placement import NoRoom, Tenant, creatable_placements, find_room
from vgpu_migrate.model.planfile import How, Seat
from vgpu_migrate.nvml import States

WAYS = tuple(How)
"""Ways to move, from the least interruption to the greatest."""

_POSSIBLE = {
    VmState.RUNNING: States.LIVE | States.SLEEP | States.HIBERNATE | States.COLD,
    VmState.PAUSED: States.LIVE | States.SLEEP | States.HIBERNATE | States.COLD,
    VmState.SLEEPING: States.SLEEP | States.HIBERNATE | States.COLD,
    VmState.BOOTING: States.COLD,
    VmState.HIBERNATED: States.NONE,
    VmState.OFF: States.NONE,
}


@dataclass(frozen=True, slots=True)
class Move:
    """One VM to the gpus of another host; `seats` are in the order of its vgpus."""

    vm: VmId
    how: How
    target: HostId
    seats: tuple[Seat, ...]


class RefusalReason(StrEnum):
    """Why a move cannot be applied. Closed: every way that `apply` says no."""

    HOLDS_NOTHING = "holds-nothing"
    SAME_HOST = "same-host"
    OTHER_DOMAIN = "other-domain"
    NOT_SCHEDULABLE = "not-schedulable"
    NO_MANAGER = "no-manager"
    WRONG_SEATS = "wrong-seats"
    INCOMPATIBLE = "incompatible"
    OWNER_FORBIDS = "owner-forbids"
    NO_ROOM = "no-room"
    MEMORY = "memory"
    VCPUS = "vcpus"
    ANTI_AFFINITY = "anti-affinity"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A move that cannot be applied, and why in words."""

    vm: VmId
    target: HostId
    reason: RefusalReason
    detail: str

    def __str__(self) -> str:
        return f"{self.vm} to {self.target}: {self.detail}"


def possible_ways(state: VmState) -> States:
    """The ways a VM in this state can move at all, as states.

    A sleeping VM stays in S3, so it does not move live; a booting one has no guest to suspend.
    """
    return _POSSIBLE[state]


def permitted_ways(vm: Vm) -> States:
    """The ways a VM can move that its owner accepts, as states."""
    return possible_ways(vm.state) & vm.allow


def least_interruption(states: States) -> How | None:
    """The way to move with the least interruption among `states`, None for none."""
    return next((way for way in WAYS if way.state & states), None)


def apply(fleet: Fleet, move: Move) -> Fleet | Refusal:
    """The fleet after a move, or why it cannot be applied; the fleet given stays as it is.

    A cold move starts the VM anew and negotiates its version there; it counts as running again when it
    ends, with no version where none can be negotiated. A hibernated one resumes. Our assumptions.

    Raises:
        KeyError: the fleet has no such VM, host or gpu: a mistake of the caller's.
    """
    vm, target = fleet.vms[move.vm], fleet.hosts[move.target]
    refusal = _refuse_place(fleet, vm, move) or _refuse_way(fleet, vm, move) or _refuse_room(fleet, vm, move)
    if refusal is not None:
        return refusal
    moved = _arrived(vm, target, move)
    assert moved.host != vm.host
    vms = dict(fleet.vms)
    vms[vm.id] = moved
    return replace(fleet, vms=vms)


def verdict_at(fleet: Fleet, vm: Vm, seats: tuple[Seat, ...]) -> Verdict:
    """The verdict on a VM's vgpus, each on the gpu it would land on, by the pair call."""
    verdicts = []
    for vgpu, seat in zip(vm.vgpus, seats, strict=True):
        gpu = fleet.gpus[seat.gpu]
        host = fleet.hosts[gpu.host]
        profile = fleet.settings_of(host.domain).profile
        verdicts.append(check(vgpu_traits(fleet, vm, vgpu), gpu_traits(host, gpu), profile))
    return combine(verdicts)


def _refuse_place(fleet: Fleet, vm: Vm, move: Move) -> Refusal | None:
    def refuse(reason: RefusalReason, detail: str) -> Refusal:
        return Refusal(vm.id, move.target, reason, detail)

    target = fleet.hosts[move.target]
    if vm.host is None or not vm.state.holds_vgpus:
        return refuse(RefusalReason.HOLDS_NOTHING, f"it is {vm.state} and holds no vgpu")
    if vm.host == move.target:
        return refuse(RefusalReason.SAME_HOST, "it is there already")
    if fleet.hosts[vm.host].domain != target.domain:
        return refuse(
            RefusalReason.OTHER_DOMAIN,
            f"it belongs to domain {fleet.hosts[vm.host].domain}, the host to {target.domain}",
        )
    if not target.schedulable:
        return refuse(RefusalReason.NOT_SCHEDULABLE, "the host is not schedulable")
    if not target.has_manager:
        return refuse(RefusalReason.NO_MANAGER, "the host has no vGPU Manager")
    if len(move.seats) != len(vm.vgpus):
        return refuse(RefusalReason.WRONG_SEATS, f"{len(move.seats)} gpus for {len(vm.vgpus)} vgpus")
    elsewhere = [seat.gpu for seat in move.seats if fleet.gpus[seat.gpu].host != move.target]
    if elsewhere:
        return refuse(RefusalReason.WRONG_SEATS, f"gpu {elsewhere[0]} is not on that host")
    return None


def _refuse_way(fleet: Fleet, vm: Vm, move: Move) -> Refusal | None:
    verdict = verdict_at(fleet, vm, move.seats)
    if not (verdict.states & possible_ways(vm.state) & move.how.state):
        rules = ", ".join(evidence.rule for evidence in verdict.evidence)
        detail = f"{move.how} is not possible" + (f": {rules}" if rules else f" for a {vm.state} VM")
        return Refusal(vm.id, move.target, RefusalReason.INCOMPATIBLE, detail)
    if not (vm.allow & move.how.state):
        allowed = ", ".join(reversed(vm.allow.words)) or "nothing"
        detail = f"its owner allows {allowed}, not {move.how}"
        return Refusal(vm.id, move.target, RefusalReason.OWNER_FORBIDS, detail)
    return None


def _refuse_room(fleet: Fleet, vm: Vm, move: Move) -> Refusal | None:
    arriving: dict[str, list[Tenant]] = {}
    for vgpu, seat in zip(vm.vgpus, move.seats, strict=True):
        gpu = fleet.gpus[seat.gpu]
        there = [Tenant(tenant.type, tenant.placement) for tenant in fleet.tenants[seat.gpu]]
        there += arriving.setdefault(seat.gpu, [])
        room = find_room(gpu, there, vgpu.type)
        why = room.value if isinstance(room, NoRoom) else None
        is_placed = gpu.mode is PlacementMode.MIXED and not gpu.mig
        if why is None and is_placed and seat.placement not in creatable_placements(gpu, there, vgpu.type):
            why = f"placement {seat.placement} is not free"
        if why is None and not is_placed and seat.placement is not None:
            why = f"placement {seat.placement} on a gpu without placement ids"
        if why is not None:
            detail = f"no room for {vgpu.type.short} on {seat.gpu}: {why}"
            return Refusal(vm.id, move.target, RefusalReason.NO_ROOM, detail)
        arriving[seat.gpu].append(Tenant(vgpu.type, seat.placement))
    return _refuse_host(fleet, vm, fleet.hosts[move.target])


def _refuse_host(fleet: Fleet, vm: Vm, target: Host) -> Refusal | None:
    residents = fleet.residents[target.id]
    used = sum(other.memory_mib for other in residents)
    if target.memory_mib is not None and used + vm.memory_mib > target.memory_mib:
        detail = f"memory: {used} MiB used and {vm.memory_mib} wanted, of {target.memory_mib}"
        return Refusal(vm.id, target.id, RefusalReason.MEMORY, detail)
    used = sum(other.vcpus or 0 for other in residents)
    if target.vcpus is not None and vm.vcpus and used + vm.vcpus > target.vcpus:
        detail = f"vcpus: {used} used and {vm.vcpus} wanted, of {target.vcpus}"
        return Refusal(vm.id, target.id, RefusalReason.VCPUS, detail)
    groups = set(vm.anti_affinity)
    for other in residents:
        if groups & set(other.anti_affinity):
            detail = f"{other.id} is there, of the same anti-affinity group"
            return Refusal(vm.id, target.id, RefusalReason.ANTI_AFFINITY, detail)
    return None


def _arrived(vm: Vm, target: Host, move: Move) -> Vm:
    version_after = fresh_version(vm.guest_driver, target.range_in_force)
    vgpus = tuple(
        msgspec.structs.replace(
            vgpu,
            gpu=seat.gpu,
            placement=seat.placement,
            vgpu_version=version_after if move.how is How.COLD else vgpu.vgpu_version,
        )
        for vgpu, seat in zip(vm.vgpus, move.seats, strict=True)
    )
    state = vm.state if move.how.holds_source else VmState.RUNNING
    return msgspec.structs.replace(vm, host=target.id, state=state, vgpus=vgpus)
