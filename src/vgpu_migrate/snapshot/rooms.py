"""What a gpu has to offer of each of its types now: placement's own answer, asked once for types alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vgpu_migrate.facts import VgpuType
from vgpu_migrate.model import Gpu, PlacementMode
from vgpu_migrate.model.placement import (
    NoRoom,
    Tenant,
    creatable_placements,
    find_room,
    instances_per_gpu_instance,
)


class Room(NamedTuple):
    """Whether one more vgpu of a type can be created, and on a mixed-size gpu its free placement ids."""

    creatable: bool
    placements: tuple[int, ...]


NONE = Room(False, ())


def find_type_rooms(gpu: Gpu, tenants: Sequence[Tenant], types: Sequence[VgpuType]) -> tuple[Room, ...]:
    """One answer for each type.

    Types that no tenant has, and that are alike in size, slices and number, are alike to placement.
    """
    there = {tenant.type for tenant in tenants}
    known: dict[object, Room] = {}
    found: list[Room] = []
    for vgpu_type in types:
        alike = (
            vgpu_type.board,
            vgpu_type.framebuffer_mib,
            vgpu_type.gi_slices,
            vgpu_type.max_instances,
            vgpu_type.row if vgpu_type in there else None,
        )
        if alike not in known:
            known[alike] = _room(gpu, tenants, vgpu_type)
        found.append(known[alike])
    return tuple(found)


def _room(gpu: Gpu, tenants: Sequence[Tenant], vgpu_type: VgpuType) -> Room:
    if isinstance(find_room(gpu, tenants, vgpu_type), NoRoom):
        return NONE
    is_mixed = gpu.mode is PlacementMode.MIXED and not gpu.mig
    return Room(True, creatable_placements(gpu, tenants, vgpu_type) if is_mixed else ())


def seat_in_gpu_instances(
    gpu: Gpu, vgpus: Sequence[tuple[int, VgpuType]], before: Mapping[int, int]
) -> dict[int, int]:
    """The GPU instance of each vgpu of a gpu in MIG mode. Our assumption: no vendor text numbers them.

    A GPU instance's number is its place in the MIG layout, from 0. A vgpu stays where it was; a new one goes
    into the first instance of its slices that has vgpus of its type and room, else into the first empty one.
    Where that leaves one without, all are seated anew.

    Args:
        gpu: the gpu.
        vgpus: handle and type of each, held ones included.
        before: the outcome of the last time.
    """
    ordered = sorted(vgpus, key=lambda vgpu: vgpu[0])
    staying = {handle: before[handle] for handle, _ in ordered if handle in before}
    for kept in (staying, {}):
        seats = _seat(gpu, ordered, kept)
        if len(seats) == len(ordered):
            break
    return seats


def _seat(gpu: Gpu, vgpus: Sequence[tuple[int, VgpuType]], kept: Mapping[int, int]) -> dict[int, int]:
    inside: list[list[VgpuType]] = [[] for _ in gpu.mig]
    seats: dict[int, int] = {}
    for handle, vgpu_type in vgpus:
        if handle in kept:
            seats[handle] = kept[handle]
            inside[kept[handle]].append(vgpu_type)
    for handle, vgpu_type in vgpus:
        if handle in seats:
            continue
        most = instances_per_gpu_instance(gpu.board, vgpu_type)
        fits = [
            number
            for number, slices in enumerate(gpu.mig)
            if slices == vgpu_type.gi_slices
            and len(inside[number]) < most
            and all(other is vgpu_type for other in inside[number])
        ]
        if fits:
            chosen = min(fits, key=lambda number: (not inside[number], number))
            seats[handle] = chosen
            inside[chosen].append(vgpu_type)
    return seats
