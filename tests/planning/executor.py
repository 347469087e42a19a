"""Part of a plan done on paper, in any order that `after` allows, with something going wrong."""

from __future__ import annotations

import random
from dataclasses import replace

from msgspec import structs
from tests.planning.fleets import a_vm

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, Host, HostId, PlacementMode, VmId
from vgpu_migrate.model.placement import NoRoom, Tenant, creatable_placements, find_room
from vgpu_migrate.model.planfile import MigrateStep, Plan, Seat, Step, UpgradeStep
from vgpu_migrate.planning import Move, Refusal, apply
from vgpu_migrate.planning.moves import WAYS


def done_in_part(fleet: Fleet, plan: Plan, count: int, rng: random.Random) -> tuple[Fleet, set[int]]:
    """The fleet after `count` steps of a plan, or all, and which; one move may fail for good on the way."""
    done: set[int] = set()
    failed: set[int] = set()
    if rng.random() < 0.5:
        moves = [step.id for step in plan.steps if isinstance(step, MigrateStep)]
        failed = set(rng.sample(moves, min(1, len(moves))))
    while len(done) < count:
        ready = [step for step in plan.steps if step.id not in done | failed and done.issuperset(step.after)]
        if not ready:
            break
        step = rng.choice(ready)
        fleet = after_step(fleet, step)
        done.add(step.id)
    return fleet, done


def after_step(fleet: Fleet, step: Step) -> Fleet:
    """The fleet after one step of a sound plan."""
    if isinstance(step, MigrateStep):
        found = apply(fleet, Move(step.vm, step.how, step.target, step.gpus))
        assert not isinstance(found, Refusal), str(found)
        return found
    assert not fleet.residents[step.host], f"{step.host} is not empty"
    host = fleet.hosts[step.host]
    if isinstance(step, UpgradeStep):
        preset = facts.host_driver(step.driver).preset_range
        host = structs.replace(host, driver=step.driver, preset_range=preset, range_in_force=preset)
    else:
        host = structs.replace(host, range_in_force=step.version_range or host.preset_range)
    return replace(fleet, hosts={**fleet.hosts, host.id: host})


def disturbed(fleet: Fleet, rng: random.Random) -> tuple[Fleet, str]:
    """The fleet after something that no plan foresaw, and what it was."""
    what = rng.choice(["nothing", "a VM appears", "a VM is gone", "a VM wanders", "a pin is lost"])
    hosts = [host for host in fleet.hosts.values() if host.schedulable and host.gpus]
    if what == "a VM appears" and hosts:
        fleet = _with_one_more(fleet, rng.choice(hosts), rng)
    elif what == "a VM is gone" and fleet.vms:
        gone = rng.choice(sorted(fleet.vms))
        fleet = replace(fleet, vms={name: vm for name, vm in fleet.vms.items() if name != gone})
    elif what == "a VM wanders" and fleet.vms:
        fleet = _with_one_elsewhere(fleet, rng)
    elif what == "a pin is lost" and hosts:
        host = rng.choice(hosts)
        unpinned = structs.replace(host, range_in_force=host.preset_range)
        fleet = replace(fleet, hosts={**fleet.hosts, host.id: unpinned})
    return replace(fleet, revision=(fleet.revision or 0) + 1), what


def _seat(fleet: Fleet, gpu_id: str, short: str) -> Seat | None:
    """Where a vgpu of a type has room on a gpu."""
    gpu = next(gpu for gpu in fleet.gpus.values() if gpu.id == gpu_id)
    mates = [Tenant(vgpu.type, vgpu.placement) for vgpu in fleet.tenants[gpu.id]]
    vgpu_type = facts.vgpu_type(short)
    if isinstance(find_room(gpu, mates, vgpu_type), NoRoom):
        return None
    is_placed = gpu.mode is PlacementMode.MIXED and not gpu.mig
    return Seat(gpu.id, creatable_placements(gpu, mates, vgpu_type)[0] if is_placed else None)


def _with_one_more(fleet: Fleet, host: Host, rng: random.Random) -> Fleet:
    gpu = rng.choice(host.gpus)
    seat = _seat(fleet, gpu.id, "A100-1-5C" if gpu.mig else "A40-8Q")
    if seat is None or gpu.board.key not in ("A40", "A100"):
        return fleet
    at = seat.gpu if seat.placement is None else f"{seat.gpu}@{seat.placement}"
    version = host.range_in_force.maximum if host.range_in_force else None
    short = "A100-1-5C" if gpu.mig else "A40-8Q"
    vm = a_vm("newcomer", at, short, host=host.id, vgpu_version=version, memory_mib=0)
    return replace(fleet, vms={**fleet.vms, VmId("newcomer"): vm})


def _with_one_elsewhere(fleet: Fleet, rng: random.Random) -> Fleet:
    names = [vm.id for vm in fleet.vms.values() if vm.host is not None and len(vm.vgpus) == 1]
    for name in rng.sample(names, min(5, len(names))):
        vm = fleet.vms[name]
        for host_id in rng.sample(sorted(fleet.hosts), len(fleet.hosts)):
            for gpu in fleet.hosts[HostId(host_id)].gpus:
                seat = _seat(fleet, gpu.id, vm.vgpus[0].type.short)
                if seat is None:
                    continue
                for way in WAYS:
                    found = apply(fleet, Move(name, way, host_id, (seat,)))
                    if not isinstance(found, Refusal):
                        return found
    return fleet
