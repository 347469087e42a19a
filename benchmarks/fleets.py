"""Seeded synthetic fleets for planning: packed at random, so fragmented as fleets in use are."""

from __future__ import annotations

import random
from dataclasses import dataclass

from vgpu_migrate import facts
from vgpu_migrate.model import (
    Fleet,
    Gpu,
    GpuId,
    Host,
    HostId,
    PlacementMode,
    Settings,
    Vgpu,
    VgpuType,
    Vm,
    VmId,
    VmState,
)
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.model.placement import NoRoom, Tenant, creatable_placements, find_room
from vgpu_migrate.nvml import States

BOARDS = ("A40", "L40S", "A10")
SIZES_GIB = (4, 6, 8, 12, 24)
GUESTS = ("550.54.14", "535.161.07", "550.90.05")


@dataclass(frozen=True)
class Recipe:
    """What a fleet is like. `lumpiness`: the share of VMs that join a gpu of their type if there is room.

    `varied`: the share of hosts, gpus, VMs and owners that differ from the common kind. `memory`: whether
    hosts name their memory, scarcely enough. `groups`: anti-affinity groups for each hundred VMs.
    """

    hosts: int = 1000
    gpus: int = 8
    vms: int = 20_000
    domains: int = 20
    mixed: float = 0.3
    varied: float = 0.0
    lumpiness: float = 0.7
    memory: bool = False
    groups: int = 0
    several: float = 0.0
    boards: tuple[str, ...] = BOARDS


def make_fleet(recipe: Recipe, seed: int) -> Fleet:
    """The fleet of a recipe and a seed. Fewer VMs than asked for where they no longer fit."""
    rng = random.Random(seed)
    hosts = [_host(recipe, rng, number) for number in range(recipe.hosts)]
    vms = _vms(recipe, rng, hosts)
    settings = Settings(migrations_per_fleet=32)
    return Fleet(1, settings, {}, {host.id: host for host in hosts}, {vm.id: vm for vm in vms})


def _host(recipe: Recipe, rng: random.Random, number: int) -> Host:
    host_id = HostId(f"h{number:04}")
    board = facts.board(rng.choice(recipe.boards))
    driver = rng.choice(("535.161.05", "550.90.05")) if rng.random() < recipe.varied else "550.54.16"
    known = facts.host_driver(driver)
    gpus = tuple(
        Gpu(
            id=GpuId(f"{host_id}/{index}"),
            host=host_id,
            index=index,
            board=board,
            pci=None,
            mode=PlacementMode.MIXED if rng.random() < recipe.mixed else PlacementMode.EQUAL,
            ecc=rng.random() >= recipe.varied / 3,
            sriov=board.sriov_by_default,
            is_vgpu_host=True,
            migration=True,
            topology=0,
            mig=(),
            types=(),
        )
        for index in range(recipe.gpus)
    )
    return Host(
        id=host_id,
        domain=f"d{number % recipe.domains:02}",
        driver=driver,
        has_manager=True,
        hypervisor="kvm",
        preset_range=known.preset_range,
        range_in_force=known.preset_range,
        range_said=known.said,
        schedulable=True,
        memory_mib=recipe.gpus * 3 * 16384 if recipe.memory else None,
        vcpus=None,
        gpus=gpus,
    )


def _vms(recipe: Recipe, rng: random.Random, hosts: list[Host]) -> list[Vm]:
    tenants: dict[GpuId, list[Tenant]] = {gpu.id: [] for host in hosts for gpu in host.gpus}
    memory_left = {host.id: host.memory_mib or 10**12 for host in hosts}
    groups: dict[HostId, set[str]] = {host.id: set() for host in hosts}
    vms: list[Vm] = []
    for number in range(recipe.vms):
        count = rng.choice((2, 2, 4)) if rng.random() < recipe.several else 1
        memory_mib = rng.choice((8192, 16384, 16384, 32768))
        has_group = rng.random() < 0.1 and recipe.groups > 0
        group = f"g{rng.randrange(recipe.groups * recipe.vms // 100)}" if has_group else None
        size = rng.choice(SIZES_GIB)
        for _ in range(40):
            host = rng.choice(hosts)
            if memory_left[host.id] < memory_mib or group in groups[host.id]:
                continue
            vgpu_type = facts.vgpu_type(f"{host.gpus[0].board.key}-{size}Q")
            vgpus = _seat(recipe, rng, host, vgpu_type, count, tenants)
            if vgpus:
                memory_left[host.id] -= memory_mib
                if group:
                    groups[host.id].add(group)
                vms.append(_vm(recipe, rng, number, host, vgpus, memory_mib, group))
                break
    return vms


def _seat(
    recipe: Recipe,
    rng: random.Random,
    host: Host,
    vgpu_type: VgpuType,
    count: int,
    tenants: dict[GpuId, list[Tenant]],
) -> list[Vgpu]:
    found: list[Vgpu] = []
    for _ in range(count):
        options = [
            gpu for gpu in host.gpus if not isinstance(find_room(gpu, tenants[gpu.id], vgpu_type), NoRoom)
        ]
        if rng.random() < recipe.lumpiness:
            options = [gpu for gpu in options if tenants[gpu.id]] or options
        if not options:
            for vgpu in found:
                assert vgpu.gpu is not None
                tenants[vgpu.gpu].pop()
            return []
        gpu = rng.choice(options)
        is_mixed = gpu.mode is PlacementMode.MIXED
        ids = creatable_placements(gpu, tenants[gpu.id], vgpu_type) if is_mixed else ()
        placement = rng.choice(ids) if ids else None
        tenants[gpu.id].append(Tenant(vgpu_type, placement))
        found.append(Vgpu(vgpu_type, gpu.id, placement, None, migration=True, record=None))
    return found


def _vm(
    recipe: Recipe,
    rng: random.Random,
    number: int,
    host: Host,
    vgpus: list[Vgpu],
    memory_mib: int,
    group: str | None,
) -> Vm:
    is_odd = rng.random() < recipe.varied
    driver = rng.choice(GUESTS) if is_odd else GUESTS[0]
    guest = facts.guest_driver(driver)
    version = negotiate(
        guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=host.range_in_force
    )
    state = rng.choice((VmState.RUNNING, VmState.SLEEPING, VmState.PAUSED)) if is_odd else VmState.RUNNING
    allow = States.LIVE | (States.SLEEP if state is VmState.SLEEPING else States.NONE)
    if rng.random() < recipe.varied:
        allow |= rng.choice((States.COLD, States.SLEEP | States.HIBERNATE))
    return Vm(
        id=VmId(f"vm-{number:05}"),
        host=host.id,
        given_uuid=None,
        domid=None,
        state=state,
        memory_mib=memory_mib,
        vcpus=None,
        guest_driver=driver,
        allow=allow,
        anti_affinity=(group,) if group else (),
        vgpus=tuple(Vgpu(v.type, v.gpu, v.placement, version, migration=True, record=None) for v in vgpus),
    )
