"""The fleet while a plan runs: where each VM is and what each host is, changed step by step.

Re-derived from the fleet alone; nothing of it is shared with planning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.compat import Verdict, check, combine, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet, GpuId, Host, HostId, PlacementMode, Vm, VmId, VmState
from vgpu_migrate.model.negotiation import fresh_version
from vgpu_migrate.model.placement import Tenant, overfull
from vgpu_migrate.model.planfile import How, MigrateStep, PinStep, UpgradeStep
from vgpu_migrate.nvml import States
from vgpu_migrate.replay.violations import Kind, Violation

FROM_LEAST = (How.LIVE, How.SLEEP, How.HIBERNATE, How.COLD)


@dataclass
class World:
    """Hosts and VMs as they are now. A VM in a live or sleep move is `present` on two hosts."""

    fleet: Fleet
    hosts: dict[HostId, Host]
    vms: dict[VmId, Vm]
    seats: dict[GpuId, dict[tuple[VmId, HostId, int], Tenant]]
    present: dict[HostId, dict[VmId, Vm]]
    moving: dict[VmId, int]
    """By VM on the move, the step that moves it."""


def world_of(fleet: Fleet) -> World:
    """The fleet at rest."""
    world = World(fleet, dict(fleet.hosts), dict(fleet.vms), {g: {} for g in fleet.gpus}, {}, {})
    world.present = {host_id: {} for host_id in fleet.hosts}
    for vm in fleet.vms.values():
        if vm.host is not None and vm.state.holds_vgpus:
            _seat(world, vm, vm.host, [(vgpu.gpu, vgpu.placement) for vgpu in vm.vgpus])
    return world


def _seat(world: World, vm: Vm, host_id: HostId, places: list[tuple[GpuId | None, int | None]]) -> None:
    world.present[host_id][vm.id] = vm
    for number, (gpu, placement) in enumerate(places):
        if gpu is not None:
            world.seats[gpu][vm.id, host_id, number] = Tenant(vm.vgpus[number].type, placement)


def _unseat(world: World, vm: Vm, host_id: HostId) -> None:
    world.present[host_id].pop(vm.id, None)
    for number, vgpu in enumerate(vm.vgpus):
        if vgpu.gpu is not None:
            world.seats[vgpu.gpu].pop((vm.id, host_id, number), None)


def start_migrate(world: World, step: MigrateStep) -> Iterator[Violation]:
    """Start a move whose names are all known: tell what is wrong with it, then let it happen."""
    vm, source, target = world.vms[step.vm], world.hosts[step.source], world.hosts[step.target]
    trouble = list(_check_source(world, vm, step))
    yield from trouble
    yield from _check_target(vm, source, target, step)
    fits_seats = True
    for violation in _check_seats(world, vm, step):
        fits_seats = False
        yield violation
    if trouble or not fits_seats:
        return
    yield from _check_way(world, vm, step)
    world.moving[vm.id] = step.id
    if step.how in (How.HIBERNATE, How.COLD):
        _unseat(world, vm, step.source)
    _seat(world, vm, step.target, [(seat.gpu, seat.placement) for seat in step.gpus])
    yield from _check_arrival(world, vm, step)


def end_migrate(world: World, step: MigrateStep) -> None:
    """End a move that has started."""
    if world.moving.get(step.vm) != step.id:
        return
    del world.moving[step.vm]
    vm = world.vms[step.vm]
    if step.how in (How.LIVE, How.SLEEP):
        _unseat(world, vm, step.source)
    fresh = fresh_version(vm.guest_driver, world.hosts[step.target].range_in_force)
    vgpus = tuple(
        msgspec.structs.replace(
            vgpu,
            gpu=seat.gpu,
            placement=seat.placement,
            vgpu_version=fresh if step.how is How.COLD else vgpu.vgpu_version,
        )
        for vgpu, seat in zip(vm.vgpus, step.gpus, strict=True)
    )
    state = vm.state if step.how in (How.LIVE, How.SLEEP) else VmState.RUNNING
    moved = msgspec.structs.replace(vm, host=step.target, state=state, vgpus=vgpus)
    world.vms[vm.id] = moved
    world.present[step.target][vm.id] = moved


def _check_source(world: World, vm: Vm, step: MigrateStep) -> Iterator[Violation]:
    if vm.id in world.moving:
        yield Violation(step.id, Kind.SOURCE, f"{vm.id} is on the move by step {world.moving[vm.id]}")
    elif not vm.state.holds_vgpus or vm.host is None:
        yield Violation(step.id, Kind.SOURCE, f"{vm.id} is {vm.state} and holds no vgpu")
    elif vm.host != step.source:
        yield Violation(step.id, Kind.SOURCE, f"{vm.id} is on {vm.host}, not on {step.source}")


def _check_target(vm: Vm, source: Host, target: Host, step: MigrateStep) -> Iterator[Violation]:
    if source.id == target.id:
        yield Violation(step.id, Kind.TARGET, f"{vm.id} would move from {source.id} to itself")
    if source.domain != target.domain:
        text = f"{target.id} is of domain {target.domain}, {vm.id} of {source.domain}"
        yield Violation(step.id, Kind.TARGET, text)
    if not target.schedulable:
        yield Violation(step.id, Kind.TARGET, f"{target.id} is not schedulable")
    if not target.has_manager:
        yield Violation(step.id, Kind.TARGET, f"{target.id} has no vGPU Manager")


def _check_seats(world: World, vm: Vm, step: MigrateStep) -> Iterator[Violation]:
    if len(step.gpus) != len(vm.vgpus):
        text = f"{len(step.gpus)} gpus named for the {len(vm.vgpus)} vgpus of {vm.id}"
        yield Violation(step.id, Kind.SEATS, text)
    for seat in step.gpus:
        gpu = world.fleet.gpus[seat.gpu]
        has_ids = gpu.mode is PlacementMode.MIXED and not gpu.mig
        if gpu.host != step.target:
            yield Violation(step.id, Kind.SEATS, f"{gpu.id} is on {gpu.host}, not on {step.target}")
        if has_ids and seat.placement is None:
            yield Violation(step.id, Kind.SEATS, f"{gpu.id} is of mixed size and no placement is named")
        if not has_ids and seat.placement is not None:
            yield Violation(
                step.id, Kind.SEATS, f"{gpu.id} has no placement ids, and {seat.placement} is named"
            )


def _verdict(world: World, vm: Vm, step: MigrateStep) -> Verdict:
    hosts = {step.source: world.hosts[step.source], step.target: world.hosts[step.target]}
    now = Fleet(None, world.fleet.settings, world.fleet.domain_settings, hosts, {})
    profile = world.fleet.settings_of(world.hosts[step.target].domain).profile
    target = world.hosts[step.target]
    return combine(
        [
            check(vgpu_traits(now, vm, vgpu), gpu_traits(target, world.fleet.gpus[seat.gpu]), profile)
            for vgpu, seat in zip(vm.vgpus, step.gpus, strict=True)
        ]
    )


def _check_way(world: World, vm: Vm, step: MigrateStep) -> Iterator[Violation]:
    verdict = _verdict(world, vm, step)
    possible = verdict.states
    if vm.state is VmState.SLEEPING:
        possible &= ~States.LIVE
    if vm.state is VmState.BOOTING:
        possible &= States.COLD
    way = States[step.how.name]
    if not possible & way:
        rules = ", ".join(f"{piece.rule} ({_spelt(piece.seen)})" for piece in verdict.evidence)
        text = f"{vm.id} ({vm.state}) cannot move {step.how} to {step.target}: {rules or 'its state'}"
        yield Violation(step.id, Kind.RULES, text)
    if not vm.allow & way:
        allowed = ", ".join(vm.allow.words) or "nothing"
        yield Violation(step.id, Kind.CONSENT, f"the owner of {vm.id} allows {allowed}, not {step.how}")
    least = next((how for how in FROM_LEAST if possible & vm.allow & States[how.name]), None)
    if least is not None and FROM_LEAST.index(least) < FROM_LEAST.index(step.how):
        yield Violation(step.id, Kind.HOW, f"{vm.id} could move {least}, the plan says {step.how}")


def _spelt(seen: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in seen.items())


def _check_arrival(world: World, vm: Vm, step: MigrateStep) -> Iterator[Violation]:
    for gpu_id in dict.fromkeys(seat.gpu for seat in step.gpus):
        gpu = world.fleet.gpus[gpu_id]
        problems = overfull(gpu, list(world.seats[gpu_id].values()))
        if not gpu.is_vgpu_host:
            problems = [f"{gpu_id} is no vGPU host"]
        yield from (Violation(step.id, Kind.CAPACITY, f"{gpu_id}: {problem}") for problem in problems)
    target, there = world.hosts[step.target], world.present[step.target]
    yield from _check_figures(step.id, vm, target, there)
    for other in there.values():
        if other.id != vm.id and set(other.anti_affinity) & set(vm.anti_affinity):
            text = f"{vm.id} and {other.id} of one group would share {target.id}"
            yield Violation(step.id, Kind.ANTI_AFFINITY, text)


def _check_figures(step: int, vm: Vm, host: Host, there: Mapping[VmId, Vm]) -> Iterator[Violation]:
    """Memory and vcpus of the VMs on a host, one of them new, against what it has, where it says.

    A host may hold more than it has before the plan. Who adds nothing to such a figure may come: what was
    so before is not the plan's fault. Our assumption.
    """
    memory_mib = sum(other.memory_mib for other in there.values())
    if host.memory_mib is not None and vm.memory_mib and memory_mib > host.memory_mib:
        text = f"{host.id} would hold {memory_mib} MiB of {host.memory_mib}"
        yield Violation(step, Kind.MEMORY, text)
    vcpus = sum(other.vcpus or 0 for other in there.values())
    if host.vcpus is not None and vm.vcpus and vcpus > host.vcpus:
        yield Violation(step, Kind.MEMORY, f"{host.id} would hold {vcpus} vcpus of {host.vcpus}")


def upgrade_or_pin(world: World, step: UpgradeStep | PinStep) -> Iterator[Violation]:
    """Do what an upgrade or a pin does, when it starts: from then on the host counts as changed."""
    host = world.hosts[step.host]
    there = sorted(world.present[host.id])
    if there:
        text = f"{host.id} holds {', '.join(there[:3])}{' and more' if len(there) > 3 else ''}"
        yield Violation(step.id, Kind.NOT_EMPTY, text)
    if isinstance(step, UpgradeStep):
        preset = facts.host_driver(step.driver).preset_range
        if step.driver == host.driver:
            preset = host.preset_range
        changed = msgspec.structs.replace(
            host, driver=step.driver, preset_range=preset, range_in_force=preset
        )
    else:
        wanted = step.version_range
        if not host.has_manager:
            yield Violation(step.id, Kind.RANGE, f"{host.id} has no vGPU Manager to set a range on")
        if wanted is not None and (
            wanted.minimum > wanted.maximum
            or host.preset_range is None
            or not host.preset_range.covers(wanted)
        ):
            text = f"{wanted} is not inside the preset range {host.preset_range or 'unknown'} of {host.id}"
            yield Violation(step.id, Kind.RANGE, text)
        changed = msgspec.structs.replace(host, range_in_force=wanted or host.preset_range)
    world.hosts[host.id] = changed
