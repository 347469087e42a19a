"""Make a valid synthetic fleet file of any size; the same seed gives the same fleet.

    python benchmarks/make_fleet.py --hosts 2000 --gpus 8 --vms 100000 --seed 1 --out fleet.json

Boards, types and drivers are those of the tables; who runs what, and how full a gpu is, is made up.
"""

from __future__ import annotations

import argparse
import random
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.facts import Board, VgpuType
from vgpu_migrate.files import atomic_write
from vgpu_migrate.model import Gpu, GpuId, HostId, PlacementMode
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.model.placement import NoRoom, Tenant, creatable_placements, find_room

BOARDS = ("L40S", "A40", "L4", "A10", "A100D", "H100XM", "RTX Pro 6000 Blackwell DC", "T4")
HOST_DRIVERS = ("550.54.16", "550.127.06", "535.183.04", "570.133.10", "580.126.08")
GUEST_DRIVERS = ("550.54.14", "550.127.05", "535.183.01", "570.133.20", "580.126.09", "525.147.05")
MEMORY_MIB = (4096, 8192, 16384, 32768, 65536)
SPARE = 1.25
"""Room made per vgpu that will be placed, so that moves find some."""


class Shares(NamedTuple):
    """Parts of the whole, from 0 to 1."""

    mixed: float = 0.2
    """Hosts with mixed-size gpus, where the board has that mode."""
    mig: float = 0.1
    """Hosts with gpus in MIG mode, where the board has MIG."""
    off: float = 0.04
    hibernated: float = 0.02
    sleeping: float = 0.02
    pinned: float = 0.1
    """Hosts with a range set by an administrator."""


class _Seat(NamedTuple):
    host: str
    gpu: str
    driver: str
    type: VgpuType
    placement: int | None


def make_fleet_data(
    hosts: int, gpus: int, vms: int, seed: int, *, domains: int = 20, shares: Shares | None = None
) -> dict[str, Any]:
    """The data of a valid fleet file.

    Args:
        hosts: number of hosts.
        gpus: gpus of each host.
        vms: number of VMs, those without a vgpu included.
        seed: of all that is chosen at random.
        domains: migration domains; hosts of one have the same board.
        shares: how much of what there is.

    Raises:
        ValueError: there is no room for so many VMs.
    """
    shares = shares or Shares()
    choose = random.Random(seed)
    boards = [facts.board(key) for key in BOARDS]
    per_gpu = vms / max(1, hosts * gpus)
    host_data: list[dict[str, Any]] = []
    seats: list[_Seat] = []
    for number in range(hosts):
        domain = number % domains
        board = boards[domain % len(boards)]
        data, offered = _host(choose, number, domain, board, gpus, per_gpu * SPARE, shares)
        host_data.append(data)
        seats += offered
    choose.shuffle(seats)
    vm_data = [_vm(choose, number, seats, shares) for number in range(vms)]
    return {
        "fleetfile_version": 1,
        "revision": seed,
        "settings": {"migrations_per_host": 2, "migrations_per_fleet": 32, "bandwidth_gbit_s": 25.0},
        "domains": {"domain-01": {"profile": "identical-host-drivers"}} if domains > 1 and hosts > 1 else {},
        "hosts": host_data,
        "vms": vm_data,
    }


def _host(
    choose: random.Random,
    number: int,
    domain: int,
    board: Board,
    gpus: int,
    per_gpu: float,
    shares: Shares,
) -> tuple[dict[str, Any], list[_Seat]]:
    host_id = f"host-{number:05d}"
    # Two neighbouring releases in each domain, as in the middle of an upgrade.
    driver = HOST_DRIVERS[(domain + (choose.random() < 0.3)) % len(HOST_DRIVERS)]
    data: dict[str, Any] = {"id": host_id, "domain": f"domain-{domain:02d}", "driver": driver}
    preset = facts.host_driver(driver).preset_range
    if preset is not None and choose.random() < shares.pinned:
        data["range"] = [f"{preset.minimum:#x}", f"{preset.maximum:#x}"]
    if choose.random() < 0.5:
        data |= {"memory_mib": 4 * 1024 * 1024, "vcpus": 2048}
    mode = PlacementMode.EQUAL
    mig: tuple[int, ...] = ()
    lot = choose.random()
    if board.mig_slices and lot < shares.mig:
        mig = _mig_layout(board)
    elif board.has_mixed_size and lot < shares.mig + shares.mixed:
        mode = PlacementMode.MIXED
    data["gpus"] = []
    seats: list[_Seat] = []
    for index in range(gpus):
        gpu_id = f"GPU-{uuid.UUID(int=choose.getrandbits(128), version=4)}"
        gpu_data: dict[str, Any] = {
            "id": gpu_id,
            "board": board.key,
            "pci": f"0000:{index + 16:02x}:00.0",
            "mode": mode.value,
        }
        if mig:
            gpu_data["mig"] = list(mig)
        data["gpus"].append(gpu_data)
        gpu = _gpu(board, mode, mig)
        offered = _tenants(choose, gpu, per_gpu)
        seats += [_Seat(host_id, gpu_id, driver, tenant.type, tenant.placement) for tenant in offered]
    return data, seats


def _mig_layout(board: Board) -> tuple[int, ...]:
    sizes = {row.gi_slices for row in facts.types_of_board(board.key) if row.is_mig_backed}
    smallest = min(sizes)
    return (smallest,) * (board.mig_slices // smallest)


def _gpu(board: Board, mode: PlacementMode, mig: tuple[int, ...]) -> Gpu:
    """A gpu as placement sees it."""
    return Gpu(
        id=GpuId(""),
        host=HostId(""),
        index=0,
        board=board,
        pci=None,
        mode=mode,
        ecc=True,
        sriov=True,
        is_vgpu_host=True,
        migration=True,
        topology=0,
        mig=mig,
        types=(),
    )


def _tenants(choose: random.Random, gpu: Gpu, wanted: float) -> list[Tenant]:
    """As many tenants as there shall be room for, legally placed."""
    types = _types_that_fit(gpu, wanted)
    one_type = choose.choice(types[: min(3, len(types))])
    tenants: list[Tenant] = []
    while len(tenants) < wanted:
        vgpu_type = choose.choice(types[:3]) if gpu.mode is PlacementMode.MIXED else one_type
        place = find_room(gpu, tenants, vgpu_type)
        if isinstance(place, NoRoom):
            if gpu.mode is PlacementMode.MIXED and vgpu_type is not types[-1]:
                vgpu_type = types[-1]
                place = find_room(gpu, tenants, vgpu_type)
            if isinstance(place, NoRoom):
                break
        placement = place.placement
        if gpu.mode is PlacementMode.MIXED:
            placement = choose.choice(creatable_placements(gpu, tenants, vgpu_type))
        tenants.append(Tenant(vgpu_type, placement))
    return tenants


def _types_that_fit(gpu: Gpu, wanted: float) -> list[VgpuType]:
    """Types of a board by falling framebuffer, of those that come in such numbers; else the smallest."""
    whole = [
        row
        for row in facts.types_of_board(gpu.board.key)
        if row.is_mig_backed == bool(gpu.mig)
        and (not gpu.mig or row.gi_slices == gpu.mig[0])
        and (gpu.mode is PlacementMode.EQUAL or row.framebuffer_mib >= 1024)
    ]
    whole.sort(key=lambda row: (-row.framebuffer_mib, row.short))
    fitting = [row for row in whole if row.max_instances >= wanted]
    return fitting or whole[-1:]


def _vm(choose: random.Random, number: int, seats: list[_Seat], shares: Shares) -> dict[str, Any]:
    data: dict[str, Any] = {"id": f"vm-{number:06d}"}
    lot = choose.random()
    if lot < shares.off + shares.hibernated:
        is_off = lot < shares.off
        vgpu: dict[str, Any] = {"type": "L40S-8Q" if is_off else "A40-8Q"}
        if not is_off:
            vgpu["version"] = "0x140001"
        return data | {
            "state": "off" if is_off else "hibernated",
            "memory_mib": choose.choice(MEMORY_MIB),
            "vgpus": [vgpu],
        }
    if not seats:
        raise ValueError("no room for so many VMs; wanted fewer VMs, or more hosts or gpus")
    seat = seats.pop()
    is_asleep = lot > 1 - shares.sleeping
    vgpu = {"type": seat.type.short, "gpu": seat.gpu}
    if seat.placement is not None:
        vgpu["placement"] = seat.placement
    data |= {
        "host": seat.host,
        "uuid": str(uuid.UUID(int=choose.getrandbits(128), version=4)),
        "state": "sleeping" if is_asleep else "running",
        "memory_mib": choose.choice(MEMORY_MIB),
        "vcpus": choose.choice((2, 4, 8, 16)),
        "guest_driver": choose.choice(_guest_drivers(seat.driver)),
    }
    if choose.random() < 0.3:
        data["allow"] = ["live", "sleep", "hibernate", "cold"]
    if choose.random() < 0.05:
        # Two of a group may share a host now and then: the file tells what is, not what should be.
        data["anti_affinity"] = [f"group-{choose.randrange(100_000)}"]
    return data | {"vgpus": [vgpu]}


def _guest_drivers(host_driver: str) -> tuple[str, ...]:
    """The guest drivers that load on a host driver."""
    if host_driver not in _GUESTS:
        host_range = facts.host_driver(host_driver).preset_range
        _GUESTS[host_driver] = tuple(
            name
            for name in GUEST_DRIVERS
            for guest in (facts.guest_driver(name),)
            if negotiate(guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=host_range)
            is not None
        )
    return _GUESTS[host_driver]


_GUESTS: dict[str, tuple[str, ...]] = {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a fleet file; `-` is standard output."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=2000)
    parser.add_argument("--gpus", type=int, default=8, help="gpus of each host")
    parser.add_argument("--vms", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="-")
    given = parser.parse_args(arguments)
    data = make_fleet_data(given.hosts, given.gpus, given.vms, given.seed, domains=given.domains)
    encoded = msgspec.json.encode(data)
    if given.out == "-":
        sys.stdout.buffer.write(encoded)
    else:
        atomic_write(Path(given.out), encoded, mode=0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main())
