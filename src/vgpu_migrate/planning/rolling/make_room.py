"""Room for one VM by moving a few others out of its way, to where they may stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vgpu_migrate.planning.cast import NEVER, Mover
from vgpu_migrate.planning.floor import Seats, Sharing, capacity
from vgpu_migrate.planning.rolling.guises import Phase
from vgpu_migrate.planning.rolling.seating import FINAL, Seating
from vgpu_migrate.planning.rolling.yard import Yard

MOST_TRIED = 12
"""How many gpus are tried for one VM."""


class Evictions:
    """Moves VMs off gpus of one yard. Stranded ones are never moved out of the way."""

    def __init__(self, yard: Yard, seating: Seating, stranded: frozenset[int]) -> None:
        self._yard = yard
        self._seating = seating
        self._stranded = stranded

    def make_room(self, mover: Mover, phases: Sequence[Phase], wave: int) -> Seats | None:
        """Move others away until a single mover has a seat on hosts of these phases; None changes nothing."""
        if not mover.is_single:
            return None
        yard = self._yard
        options = sorted(self._options(mover, phases))
        for _, _, gpu, leaving in options[:MOST_TRIED]:
            mark = len(yard.acts)
            if all(self._evict(yard.movers[number], gpu, wave) for number in leaving):
                seats = self._seating.find(mover, phases)
                if seats is not None:
                    return seats
            yard.undo(mark)
        return None

    def _evict(self, mover: Mover, gpu: int, wave: int) -> bool:
        """Move a VM to another host where it may stay."""
        yard = self._yard
        host = yard.floor.host_of[gpu]
        seats = self._seating.find(replace(mover, home=host), FINAL)
        if seats is None or any(at == gpu for at, _ in seats):
            return False
        yard.move(mover.number, seats, wave)
        return True

    def _options(
        self, mover: Mover, phases: Sequence[Phase]
    ) -> Iterator[tuple[int, int, int, tuple[int, ...]]]:
        """Who would have to leave which gpu: how many, how much of the gpu, the gpu, their numbers."""
        yard, floor = self._yard, self._yard.floor
        type_row = mover.types[0]
        for host, phase in enumerate(yard.phase):
            if phase not in phases or not floor.fits_host(host, mover):
                continue
            for gpu in floor.gpus_of[host]:
                if floor.boards[gpu] != mover.board or mover.levels[floor.gpu_class[gpu]] == NEVER:
                    continue
                there = list(floor.here[gpu].values())
                may_go = [m for m in there if m.number not in self._stranded and m.is_single]
                if floor.sharing[gpu] is Sharing.EQUAL and floor.lock[gpu] == type_row:
                    full = floor.count[gpu] >= capacity(type_row)
                    if full and may_go:
                        one = min(may_go, key=lambda m: m.number)
                        yield 1, 0, gpu, (one.number,)
                elif floor.sharing[gpu] is Sharing.MIXED:
                    enough = [m for m in may_go if m.size_mib >= mover.size_mib]
                    if enough:
                        one = min(enough, key=lambda m: (m.size_mib, m.number))
                        yield 1, one.size_mib, gpu, (one.number,)
                if there and len(may_go) == len(there) and floor.sharing[gpu] is not Sharing.MIG:
                    numbers = tuple(sorted(m.number for m in there))
                    yield len(numbers), 1, gpu, numbers
