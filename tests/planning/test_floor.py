"""The fast state of a search against the reference semantics of a move."""

from __future__ import annotations

import random

import pytest
from tests.planning.fleets import random_fleet

from vgpu_migrate.model import Fleet, PlacementMode
from vgpu_migrate.model.placement import supported_placements
from vgpu_migrate.model.planfile import Seat
from vgpu_migrate.planning import Move, Refusal, RefusalReason, apply
from vgpu_migrate.planning.cast import NEVER, Mover, cast_of
from vgpu_migrate.planning.classes import state_table
from vgpu_migrate.planning.fill import Seater
from vgpu_migrate.planning.floor import NO_ID, Floor, floor_of
from vgpu_migrate.planning.geometry import best_id, region, regions
from vgpu_migrate.planning.moves import WAYS

ROOM = {RefusalReason.NO_ROOM, RefusalReason.MEMORY, RefusalReason.VCPUS, RefusalReason.ANTI_AFFINITY}


def a_floor(fleet: Fleet) -> tuple[Floor, list[Mover]]:
    """The floor and cast of a drain of h00 in a fleet of one domain."""
    targets = [host for host in fleet.hosts.values() if host.id != "h00" and host.schedulable]
    leaving = list(fleet.residents[next(iter(fleet.hosts))])
    table = state_table(fleet, leaving, [gpu for host in targets for gpu in host.gpus])
    return floor_of(fleet, targets, table.gpu_classes), cast_of(fleet, leaving, table) if leaving else []


def a_move(floor: Floor, mover: Mover, gpu: int, placement: int, level: int) -> Move:
    seat = Seat(floor.gpus[gpu].id, None if placement == NO_ID else placement)
    return Move(mover.vm.id, WAYS[level], floor.gpus[gpu].host, (seat,))


@pytest.mark.parametrize("seed", range(25))
def test_floor_and_apply_agree_on_every_seat(seed: int) -> None:
    """A mover has a level and room on a gpu exactly where a move there is applied; also after others came."""
    fleet = random_fleet(
        seed,
        mixed=0.4,
        mig=0.15,
        memory=seed % 2 == 0,
        groups=3,
        sizes=("A40-1Q", "A40-4Q", "A40-8Q", "A40-16Q"),
    )
    floor, cast = a_floor(fleet)
    seater = Seater(floor)
    rng = random.Random(seed)
    for mover in cast:
        for gpu, gpu_class in enumerate(floor.gpu_class):
            level = mover.levels[gpu_class]
            room = floor.room(gpu, mover.types[0]) if level != NEVER else None
            fits = room is not None and floor.fits_host(floor.host_of[gpu], mover)
            if level == NEVER:
                moves = [a_move(floor, mover, gpu, NO_ID, way) for way in range(4)]
                assert all(isinstance(apply(fleet, move), Refusal) for move in moves)
                continue
            found = apply(fleet, a_move(floor, mover, gpu, NO_ID if room is None else room, level))
            assert fits == isinstance(found, Fleet), str(found)
            if isinstance(found, Refusal):
                assert found.reason in ROOM
        seats = seater.seat(mover)
        if seats is not None and rng.random() < 0.8:
            (gpu, placement), *_ = seats
            floor.put(mover, seats)
            moved = apply(fleet, a_move(floor, mover, gpu, placement, mover.levels[floor.gpu_class[gpu]]))
            assert isinstance(moved, Fleet)
            fleet = moved


@pytest.mark.parametrize("seed", range(8))
def test_taking_all_movers_back_restores_the_floor(seed: int) -> None:
    """Every list and count is as it was before."""
    fleet = random_fleet(seed, mixed=0.5, mig=0.1, several=0.2, memory=True, groups=3)
    floor, cast = a_floor(fleet)
    untouched, _ = a_floor(fleet)
    seater = Seater(floor)
    for mover in cast:
        seats = seater.seat(mover)
        if seats is not None:
            floor.put(mover, seats)
    for mover in random.Random(seed).sample(cast, len(cast)):
        if mover.number in floor.placed:
            floor.take(mover)
    for name in ("lock", "count", "mask", "memory_left", "vcpus_left", "placed", "here"):
        assert getattr(floor, name) == getattr(untouched, name), name
    for name in ("slots", "empty", "arrivals"):
        there = {key: value for key, value in getattr(floor, name).items() if any(value)}
        assert there == {key: value for key, value in getattr(untouched, name).items() if any(value)}, name
    assert {k: v for k, v in floor.mixed.items() if v} == {k: v for k, v in untouched.mixed.items() if v}


def test_regions_are_the_placement_ids_of_the_model() -> None:
    """Masks restate `supported_placements`, and the id chosen is one of them."""
    fleet = random_fleet(1, mixed=1.0)
    for gpu in fleet.gpus.values():
        assert gpu.mode is PlacementMode.MIXED
        for vgpu in fleet.tenants[gpu.id]:
            ids = supported_placements(gpu.board, vgpu.type)
            assert tuple(start for start, _ in regions(vgpu.type.row)) == ids
            found = best_id(vgpu.type.row, 0)
            assert found is not None
            assert found[1] in ids
            assert region(vgpu.type.row, 4) == ((1 << vgpu.type.framebuffer_gib) - 1) << 4


def test_the_id_that_spoils_least_is_chosen() -> None:
    """Beside an 8 GiB vgpu at 0, the next takes 16 and leaves both 24 GiB halves' best use alone."""
    eight = next(
        v.type.row for vm in random_fleet(3).vms.values() for v in vm.vgpus if v.type.short == "A40-8Q"
    )
    beside = best_id(eight, region(eight, 0))
    assert beside is not None
    assert beside[1] == 16
    assert best_id(eight, (1 << 48) - 1) is None
