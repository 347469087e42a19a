"""Whose leaving would make room for a mover: the seats it could have if other movers gave way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from vgpu_migrate.planning.cast import NEVER, Mover
from vgpu_migrate.planning.fill import LEVELS, seats_on_host, size_of
from vgpu_migrate.planning.floor import NO_ID, Floor, Seats, Sharing
from vgpu_migrate.planning.geometry import region, regions


class Openings:
    """Openings on one floor. Only movers give way; residents do where they were adopted as such."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        limits = (*floor.memory_left, *floor.vcpus_left)
        self.is_tight = any(math.isfinite(limit) for limit in limits)
        """Whether some host names its memory or vcpus."""

    def of(
        self, mover: Mover, barred: frozenset[int], may_give: Callable[[Mover], bool] | None = None
    ) -> Iterator[tuple[Seats, list[Mover]]]:
        """Seats that a mover could have if others gave way, with those others, fewest first.

        `barred`: likenesses that may not give way. `may_give`: who else may, None for everyone.
        """
        if not mover.is_single:
            yield from self._together(mover)
            return
        found: dict[tuple[int, ...], list[tuple[Seats, list[Mover]]]] = {}
        floor = self.floor
        for gpu, level in self._gpus(mover):
            host = floor.host_of[gpu]
            for placement, givers in self._givers(gpu, mover):
                for more in self._givers_of_host(host, mover, givers):
                    everyone = [*givers, *more]
                    if not everyone or any(giver.likeness in barred for giver in everyone):
                        continue
                    key = (len(everyone), level, *sorted([giver.likeness for giver in everyone]))
                    options = found.setdefault(key, [])
                    if len(options) < 2 and (may_give is None or all(map(may_give, everyone))):
                        options.append((((gpu, placement),), everyone))
        for key in sorted(found):
            yield from found[key]

    def _gpus(self, mover: Mover) -> Iterator[tuple[int, int]]:
        """The gpus where someone's leaving could help a mover, with its level there."""
        floor = self.floor
        gpus = floor.arrivals.get(mover.board, [])
        if self.is_tight or mover.groups:
            hosts = dict.fromkeys(floor.host_of[gpu] for there in floor.arrivals.values() for gpu in there)
            gpus = [gpu for host in hosts for gpu in floor.gpus_of[host]]
        type_row, levels = mover.types[0], mover.levels
        for gpu in gpus:
            if floor.host_of[gpu] == mover.home:
                continue
            level = levels[floor.gpu_class[gpu]]
            # An equal-size gpu that holds residents of another type is out of reach.
            if level != NEVER and (
                floor.lock[gpu] == type_row or floor.is_opened[gpu] or floor.sharing[gpu] is not Sharing.EQUAL
            ):
                yield gpu, level

    def _givers(self, gpu: int, mover: Mover) -> Iterator[tuple[int, list[Mover]]]:
        """What must leave a gpu for a mover to sit there: (placement id, movers)."""
        floor, type_row = self.floor, mover.types[0]
        room = floor.room(gpu, type_row)
        if room is not None:
            yield room, []
            return
        here = list(floor.here[gpu].values())
        if not here:
            return
        if floor.sharing[gpu] is Sharing.MIXED:
            yield from self._givers_of_regions(gpu, type_row, here)
        elif floor.sharing[gpu] is Sharing.MIG:
            for giver in one_of_each(here):
                if self._would_fit(gpu, type_row, giver):
                    yield NO_ID, [giver]
        elif floor.lock[gpu] != type_row:
            if floor.is_opened[gpu]:
                yield NO_ID, here
        else:
            for giver in one_of_each(here):
                yield NO_ID, [giver]

    def _would_fit(self, gpu: int, type_row: int, giver: Mover) -> bool:
        """Whether a type would fit on a MIG gpu if one mover left: instances are shared by type."""
        floor = self.floor
        seats = zip(floor.placed[giver.number], giver.types, strict=True)
        its_types = [row for (at, _), row in seats if at == gpu]
        for row in its_types:
            floor.release(gpu, row, NO_ID)
        fits = floor.room(gpu, type_row) is not None
        for row in its_types:
            floor.hold(gpu, row, NO_ID)
        return fits

    def _givers_of_regions(
        self, gpu: int, type_row: int, here: Sequence[Mover]
    ) -> Iterator[tuple[int, list[Mover]]]:
        taken = [
            (region(row, placement), giver)
            for giver in here
            for (at, placement), row in zip(self.floor.placed[giver.number], giver.types, strict=True)
            if at == gpu
        ]
        stays = self.floor.mask[gpu]
        for mask, _ in taken:
            stays &= ~mask
        for start, mask in regions(type_row):
            if not mask & stays:
                givers = {giver.number: giver for other, giver in taken if other & mask}
                if givers:
                    yield start, list(givers.values())

    def _givers_of_host(self, host: int, mover: Mover, leaving: Sequence[Mover]) -> Iterator[list[Mover]]:
        """Who else must leave the host for its memory, vcpus and groups: nobody, or one of several."""
        floor = self.floor
        if floor.fits_host(host, mover):
            yield []
            return
        memory_mib = mover.memory_mib - floor.memory_left[host] - sum(giver.memory_mib for giver in leaving)
        vcpus = mover.vcpus and mover.vcpus - floor.vcpus_left[host] - sum(giver.vcpus for giver in leaving)
        foes = {group for group in mover.groups if floor.groups[host][group]}
        for giver in leaving:
            foes.difference_update(giver.groups)
        if not foes and memory_mib <= 0 and vcpus <= 0:
            yield []
            return
        there = {number: one for gpu in floor.gpus_of[host] for number, one in floor.here[gpu].items()}
        for giver in leaving:
            there.pop(giver.number)
        for giver in one_of_each([there[number] for number in sorted(there)]):
            if foes <= set(giver.groups) and memory_mib <= giver.memory_mib and vcpus <= giver.vcpus:
                yield [giver]

    def _together(self, mover: Mover) -> Iterator[tuple[Seats, list[Mover]]]:
        """Whole hosts cleared of this plan's movers: those that would then hold the VM."""
        floor = self.floor
        for host in sorted({floor.host_of[gpu] for there in floor.arrivals.values() for gpu in there}):
            there = {number: one for gpu in floor.gpus_of[host] for number, one in floor.here[gpu].items()}
            givers = sorted(there.values(), key=lambda one: (-sum(map(size_of, one.types)), one.number))
            state = floor.state
            left = [(giver, floor.take(giver)) for giver in givers]
            seats = self.on_host(host, mover)
            for giver, its_seats in reversed(left):
                floor.put(giver, its_seats)
            floor.restored(state)
            if seats is not None:
                yield seats, givers

    def on_host(self, host: int, mover: Mover) -> Seats | None:
        """Seats for a mover on one host, at the least interruption it has there; None without room."""
        if not self.floor.fits_host(host, mover):
            return None
        for level in LEVELS:
            if not mover.possible & (8 >> level):
                continue
            seats = seats_on_host(self.floor, host, mover, level)
            if seats is not None:
                return seats
        return None


def one_of_each(movers: Sequence[Mover]) -> list[Mover]:
    """The first mover of each likeness."""
    found: dict[int, Mover] = {}
    for mover in movers:
        found.setdefault(mover.likeness, mover)
    return list(found.values())
