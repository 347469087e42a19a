"""Small factories of fleets, and seeded random ones."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from vgpu_migrate import facts
from vgpu_migrate.model import (
    Fleet,
    Gpu,
    GpuId,
    Host,
    HostId,
    PlacementMode,
    Settings,
    VersionRange,
    Vgpu,
    Vm,
    VmId,
    VmState,
)
from vgpu_migrate.model.placement import NoRoom, Tenant, creatable_placements, find_room
from vgpu_migrate.nvml import States

WIDE = VersionRange(0x70001, 0x140001)


def a_gpu(host: str, index: int, board: str = "A40", **changes: Any) -> Gpu:
    """A gpu named "<host>/<index>"."""
    known = facts.board(board)
    fields: dict[str, Any] = {
        "id": GpuId(f"{host}/{index}"),
        "host": HostId(host),
        "index": index,
        "board": known,
        "pci": None,
        "mode": PlacementMode.EQUAL,
        "ecc": True,
        "sriov": known.sriov_by_default,
        "is_vgpu_host": True,
        "migration": True,
        "topology": 0,
        "mig": (),
        "types": (),
    }
    return Gpu(**fields | changes)


def a_host(name: str, gpus: int | Sequence[Gpu] = 1, board: str = "A40", **changes: Any) -> Host:
    """A host with equal-size gpus of one board, or with the gpus given."""
    fields: dict[str, Any] = {
        "id": HostId(name),
        "domain": "default",
        "driver": "550.54.16",
        "has_manager": True,
        "hypervisor": "kvm",
        "preset_range": WIDE,
        "range_in_force": WIDE,
        "range_said": "given",
        "schedulable": True,
        "memory_mib": None,
        "vcpus": None,
        "gpus": tuple(a_gpu(name, n, board) for n in range(gpus)) if isinstance(gpus, int) else tuple(gpus),
    }
    return Host(**fields | changes)


def a_vm(name: str, gpus: str | Sequence[str], types: str | Sequence[str] = "A40-8Q", **changes: Any) -> Vm:
    """A running VM with one vgpu for each gpu named; a placement id stands behind an "@"."""
    names = [gpus] if isinstance(gpus, str) else list(gpus)
    shorts = [types] * len(names) if isinstance(types, str) else list(types)
    vgpu_version = changes.pop("vgpu_version", 0x140001)
    migration = changes.pop("migration", True)
    vgpus = []
    for gpu, short in zip(names, shorts, strict=True):
        at, _, placement = gpu.partition("@")
        vgpus.append(
            Vgpu(
                type=facts.vgpu_type(short),
                gpu=GpuId(at),
                placement=int(placement) if placement else None,
                vgpu_version=vgpu_version,
                migration=migration,
                record=None,
            )
        )
    fields: dict[str, Any] = {
        "id": VmId(name),
        "host": HostId(names[0].partition("/")[0]),
        "given_uuid": None,
        "domid": None,
        "state": VmState.RUNNING,
        "memory_mib": 16384,
        "vcpus": None,
        "guest_driver": None,
        "allow": States.LIVE,
        "anti_affinity": (),
        "vgpus": tuple(vgpus),
    }
    return Vm(**fields | changes)


def a_fleet(
    hosts: Iterable[Host],
    vms: Iterable[Vm] = (),
    *,
    revision: int | None = 7,
    settings: Settings | None = None,
    domains: dict[str, Settings] | None = None,
) -> Fleet:
    """A fleet of these hosts and VMs."""
    return Fleet(
        revision=revision,
        settings=settings or Settings(),
        domain_settings=domains or {},
        hosts={host.id: host for host in hosts},
        vms={vm.id: vm for vm in vms},
    )


def random_fleet(
    seed: int,
    *,
    hosts: int = 5,
    gpus: int = 2,
    vms: int = 30,
    mixed: float = 0.0,
    odd: float = 0.2,
    memory: bool = False,
    groups: int = 0,
    several: float = 0.0,
    domains: int = 1,
    mig: float = 0.0,
    sizes: Sequence[str] = ("A40-4Q", "A40-8Q", "A40-12Q", "A40-24Q"),
) -> Fleet:
    """A seeded random fleet of A40 (and, for MIG, A100) hosts, its VMs packed at random.

    `mixed`: share of mixed-size gpus. `odd`: share of hosts, gpus and VMs that differ from the common
    kind (drivers, ECC, ranges, states, owners). `several`: share of VMs with two or three vgpus.
    """
    rng = random.Random(seed)
    built = []
    for number in range(hosts):
        name = f"h{number:02}"
        narrow = rng.random() < odd / 2
        made = []
        for index in range(gpus):
            if rng.random() < mig:
                made.append(a_gpu(name, index, "A100", mig=rng.choice([(3, 3), (2, 2, 3), (1, 1, 1, 2, 2)])))
                continue
            mode = PlacementMode.MIXED if rng.random() < mixed else PlacementMode.EQUAL
            ecc = rng.random() >= odd / 2
            made.append(a_gpu(name, index, mode=mode, ecc=ecc, migration=rng.random() >= odd / 5))
        built.append(
            a_host(
                name,
                made,
                domain=f"d{number % domains}",
                driver="550.54.16" if rng.random() >= odd else "535.161.05",
                range_in_force=VersionRange(0x70001, 0x120001) if narrow else WIDE,
                schedulable=rng.random() >= odd / 10,
                memory_mib=rng.choice([65536, 131072, 196608]) if memory else None,
                vcpus=rng.choice([64, 96]) if memory and rng.random() < 0.5 else None,
            )
        )
    fleet_gpus = [gpu for host in built for gpu in host.gpus]
    tenants: dict[GpuId, list[Tenant]] = {gpu.id: [] for gpu in fleet_gpus}
    used = {host.id: [0, 0] for host in built}
    there: dict[HostId, set[str]] = {host.id: set() for host in built}
    placed = []
    for number in range(vms):
        host = rng.choice(built)
        count = rng.choice([2, 3]) if rng.random() < several else 1
        memory_mib, vcpus = rng.choice([4096, 8192, 16384]), rng.choice([None, 4, 8])
        group = f"g{rng.randrange(groups)}" if groups and rng.random() < 0.5 else None
        if host.memory_mib is not None and used[host.id][0] + memory_mib > host.memory_mib:
            continue
        if host.vcpus is not None and used[host.id][1] + (vcpus or 0) > host.vcpus:
            continue
        if group in there[host.id]:
            continue
        seats: list[tuple[GpuId, Tenant]] = []
        for _ in range(count):
            gpu = rng.choice(host.gpus)
            short = rng.choice(["A100-3-20C", "A100-2-10C", "A100-1-5C"] if gpu.mig else list(sizes))
            vgpu_type = facts.vgpu_type(short)
            mates = [*tenants[gpu.id], *(tenant for at, tenant in seats if at == gpu.id)]
            if isinstance(find_room(gpu, mates, vgpu_type), NoRoom):
                break
            is_placed = gpu.mode is PlacementMode.MIXED and not gpu.mig
            ids = creatable_placements(gpu, mates, vgpu_type) if is_placed else ()
            seats.append((gpu.id, Tenant(vgpu_type, rng.choice(ids) if ids else None)))
        if len(seats) < count:
            continue
        used[host.id][0] += memory_mib
        used[host.id][1] += vcpus or 0
        for at, tenant in seats:
            tenants[at].append(tenant)
        if group:
            there[host.id].add(group)
        state = VmState.RUNNING
        allow = States.LIVE
        if rng.random() < odd:
            state = rng.choice([VmState.PAUSED, VmState.SLEEPING, VmState.BOOTING])
        if state is VmState.SLEEPING:
            allow |= States.SLEEP
        if rng.random() < odd:
            allow |= rng.choice([States.COLD, States.HIBERNATE | States.SLEEP, States.COLD | States.SLEEP])
        version = rng.choice([0x120001, 0x140001] if rng.random() < odd else [0x120001])
        assert host.range_in_force is not None
        placed.append(
            a_vm(
                f"vm-{number:04}",
                [f"{at}@{tenant.placement}" if tenant.placement is not None else at for at, tenant in seats],
                [tenant.type.short for _, tenant in seats],
                state=state,
                allow=allow,
                memory_mib=memory_mib,
                vcpus=vcpus,
                anti_affinity=(group,) if group else (),
                vgpu_version=min(version, host.range_in_force.maximum)
                if state is not VmState.BOOTING
                else None,
                migration=rng.random() >= odd / 10,
                guest_driver=rng.choice([None, "550.54.14"]),
            )
        )
    return a_fleet(built, placed, domains={f"d{n}": Settings() for n in range(domains)})
