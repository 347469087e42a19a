"""The residents of a floor as movers, so that they can be moved out of the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.floor import NO_ID, Floor, Seats, Sharing


def adopt(floor: Floor, movers: Iterable[Mover]) -> list[Mover]:
    """Let residents of a floor be movers, each at home where it is; gives them back as such.

    Those whose vgpus are not all on gpus of the floor stay as they are.
    """
    gpu_numbers = {str(gpu.id): number for number, gpu in enumerate(floor.gpus)}
    adopted = []
    for mover in movers:
        seats = _seats(floor, mover, gpu_numbers)
        if seats is not None:
            resident = replace(mover, home=floor.host_of[seats[0][0]])
            floor.adopt(resident, seats)
            adopted.append(resident)
    for gpu, here in enumerate(floor.here):
        vgpus = sum(seat[0] == gpu for number in here for seat in floor.placed[number])
        floor.is_opened[gpu] = vgpus == floor.count[gpu]
    return adopted


def _seats(floor: Floor, mover: Mover, gpu_numbers: dict[str, int]) -> Seats | None:
    seats = []
    for vgpu in mover.vm.vgpus:
        gpu = gpu_numbers.get(vgpu.gpu or "")
        if gpu is None:
            return None
        placement = NO_ID
        if floor.sharing[gpu] is Sharing.MIXED:
            if vgpu.placement is None:
                return None
            placement = vgpu.placement
        seats.append((gpu, placement))
    return tuple(seats)
