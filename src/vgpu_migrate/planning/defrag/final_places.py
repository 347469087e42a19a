"""From how many of each likeness sit where in the end to who does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.defrag.pool import Pool
from vgpu_migrate.planning.floor import NO_ID, Floor, SeatAt, Seats, Sharing

Homes = Mapping[int, Seats]
"""Where residents are before the first move, by number."""


class Final(NamedTuple):
    """Counts, by what they count; all keys begin with a likeness, but those of `ids`."""

    stays: dict[tuple[int, Seats], int]
    """Residents that keep their seats."""
    comes: dict[tuple[int, int, int], int]
    """Those that come, by level, and gpu; host for those with several vgpus."""
    parts: dict[tuple[int, int, int, int], int]
    """Vgpus of those with several, by level, kind and gpu."""
    ids: list[tuple[int, int, int]]
    """Placement ids taken by those that come: gpu, type, id."""


def kinds(mover: Mover) -> list[list[int]]:
    """The numbers of a mover's vgpus, those alike in type and in where they may go together."""
    found: dict[object, list[int]] = {}
    for number, (row, ways) in enumerate(zip(mover.types, mover.ways, strict=True)):
        found.setdefault((row, tuple(ways)), []).append(number)
    return list(found.values())


def seats_of(
    floor: Floor, pool: Pool, homes: Homes, final: Final, hint: Mapping[int, Seats]
) -> dict[int, Seats]:
    """The final seats of everybody who has some, by mover's number.

    Of those that are alike, those stay, or go somewhere, whom `hint` has there; others in their order.
    """
    ids: dict[tuple[int, int], list[int]] = defaultdict(list)
    for gpu, row, placement in final.ids:
        ids[gpu, row].append(placement)
    arrivals: dict[int, list[Seats]] = defaultdict(list)
    examples = {mover.likeness: mover for mover in (*pool.leaving, *pool.residents)}
    for (likeness, level, place), count in final.comes.items():
        arrivals[likeness] += _arrivals(floor, examples[likeness], level, place, count, final, ids)
    found: dict[int, Seats] = {}
    moving: dict[int, list[Mover]] = defaultdict(list)
    staying = dict(final.stays)
    for mover in sorted(pool.residents, key=lambda m: hint.get(m.number) != homes[m.number]):
        home = homes[mover.number]
        if staying.get((mover.likeness, home)):
            staying[mover.likeness, home] -= 1
            found[mover.number] = home
        else:
            moving[mover.likeness].append(mover)
    leaving: dict[int, list[Mover]] = defaultdict(list)
    for mover in pool.leaving:
        leaving[mover.likeness].append(mover)
    for likeness, seats in arrivals.items():
        found |= _assigned(floor, moving[likeness], leaving[likeness], seats, hint)
    return found


def _arrivals(
    floor: Floor,
    mover: Mover,
    level: int,
    place: int,
    count: int,
    final: Final,
    ids: dict[tuple[int, int], list[int]],
) -> Iterator[Seats]:
    """The seats of so many movers of one likeness that come to one gpu, or host."""

    def seat(gpu: int, row: int) -> SeatAt:
        return gpu, ids[gpu, row].pop() if floor.sharing[gpu] is Sharing.MIXED else NO_ID

    if mover.is_single:
        yield from (((seat(place, mover.types[0])),) for _ in range(count))
        return
    groups = kinds(mover)
    gpus = [
        [
            gpu
            for gpu in floor.gpus_of[place]
            for _ in range(final.parts.get((mover.likeness, level, kind, gpu), 0))
        ]
        for kind in range(len(groups))
    ]
    for _ in range(count):
        chosen: dict[int, SeatAt] = {}
        for numbers, there in zip(groups, gpus, strict=True):
            for number in numbers:
                chosen[number] = seat(there.pop(), mover.types[number])
        yield tuple([chosen[number] for number in range(len(mover.types))])


def _assigned(
    floor: Floor,
    moving: Sequence[Mover],
    leaving: Sequence[Mover],
    seats: list[Seats],
    hint: Mapping[int, Seats],
) -> dict[int, Seats]:
    """Seats for movers of one likeness: residents all get one, if they can on another host than their own."""
    found: dict[int, Seats] = {}
    free = list(seats)

    def choose(mover: Mover, options: Sequence[Seats]) -> None:
        wanted = hint.get(mover.number)
        best = next((one for one in options if wanted is not None and one[0][0] == wanted[0][0]), options[0])
        found[mover.number] = best
        free.remove(best)

    homeless = []
    for mover in moving:
        options = [one for one in free if floor.host_of[one[0][0]] != mover.home]
        if options:
            choose(mover, options)
        else:
            homeless.append(mover)
    for mover in homeless:
        # Only places on its own host are left: somebody of another host may take one of them instead.
        other = next(
            (
                one
                for one in moving
                if one.number in found
                and one.home != mover.home
                and floor.host_of[found[one.number][0][0]] != mover.home
            ),
            None,
        )
        if other is not None:
            found[mover.number] = found.pop(other.number)
            choose(other, free)
        elif free:
            choose(mover, free)
    for mover in sorted(leaving, key=lambda m: m.number not in hint):
        if free:
            choose(mover, free)
    return found
