"""A host emptied by moving others out of the way first, where types that lock gpus leave no room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vgpu_migrate.planning.cast import AWAY
from vgpu_migrate.planning.defrag.rearrange import Work, rearrange
from vgpu_migrate.planning.fill import Seater, fill
from vgpu_migrate.planning.floor import Seats
from vgpu_migrate.planning.rolling.guises import Phase
from vgpu_migrate.planning.rolling.yard import Yard, copy_floor, free_gib

MOST_HOSTS = 64
"""How many hosts are looked at, those with most room: what takes part in a search makes it longer."""


def clearing(yard: Yard, host: int, phases: Sequence[Phase], work: Work) -> list[tuple[int, Seats]] | None:
    """Moves, in an order in which each has room, that empty a host into those of some phases.

    VMs there may be moved out of the way, to others of these hosts. None where no such moves were found;
    the yard stays as it is.
    """
    floor = copy_floor(yard.floor)
    floor.gpus, floor.hosts = floor.gpus[:], floor.hosts[:]
    residents = []
    open_hosts = frozenset(_most_free(yard, host, phases))
    for other in range(len(yard.hosts)):
        is_open = other in open_hosts
        guise = yard.guise[other]
        for gpu in floor.gpus_of[other]:
            known = floor.gpus[gpu].id
            floor.gpus[gpu] = yard.guises.fleet.gpus[yard.guises.name(known, guise)]
            floor.hosts[other] = yard.guises.fleet.hosts[floor.gpus[gpu].host]
            if not is_open:
                floor.reclass(gpu, yard.guises.phased(0, Phase.CLOSED))
        if is_open:
            for number in yard.there[other]:
                resident = replace(yard.movers[number], home=other)
                for gpu, _ in floor.placed[number]:
                    floor.here[gpu][number] = resident
                residents.append(resident)
    leaving = [replace(yard.movers[number], home=AWAY) for number in sorted(yard.there[host])]
    for mover in leaving:
        floor.take(mover)
    fill(Seater(floor), leaving)
    answer = rearrange(yard.guises.fleet, floor, leaving, residents, work)
    if answer.left:
        return None
    return [(shift.mover.number, shift.seats) for shift in answer.shifts]


def _most_free(yard: Yard, host: int, phases: Sequence[Phase]) -> list[int]:
    """The hosts of some phases that share boards with a host; in a large pool those with most room."""
    floor = yard.floor
    boards = {floor.boards[gpu] for gpu in floor.gpus_of[host]}
    there = [other for other, phase in enumerate(yard.phase) if other != host and phase in phases]
    if len(there) <= MOST_HOSTS:
        return there
    room = {
        other: sum([free_gib(yard, gpu) for gpu in floor.gpus_of[other] if floor.boards[gpu] in boards])
        for other in there
    }
    return sorted(there, key=lambda other: (-room[other], other))[:MOST_HOSTS]
