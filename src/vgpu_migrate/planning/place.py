"""Places for the movers of one domain: a first filling, then repair; on mixed-size gpus in two orders."""

from __future__ import annotations

from collections.abc import Sequence

from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.fill import Seater, fill
from vgpu_migrate.planning.floor import Floor, Sharing
from vgpu_migrate.planning.repair import Repair


def place(floor: Floor, cast: Sequence[Mover], *, attempts: int) -> list[Mover]:
    """Place movers on a floor, with so many attempts at repair; gives back those left over."""
    seater = Seater(floor)
    repair = _fill_and_repair(seater, cast, attempts, small_first=False)
    if repair.left and Sharing.MIXED in floor.sharing:
        best, score = dict(floor.placed), _score(repair, cast)
        _clear(floor, cast)
        if _score(_fill_and_repair(seater, cast, attempts, small_first=True), cast) >= score:
            _clear(floor, cast)
            for mover in cast:
                if mover.number in best:
                    floor.put(mover, best[mover.number])
    return [mover for mover in cast if mover.number not in floor.placed]


def _fill_and_repair(seater: Seater, cast: Sequence[Mover], attempts: int, *, small_first: bool) -> Repair:
    fill(seater, cast, small_first=small_first)
    repair = Repair(seater, cast, attempts)
    repair.run()
    return repair


def _score(repair: Repair, cast: Sequence[Mover]) -> tuple[int, int]:
    """How many are left over, and how much the others are interrupted."""
    placed = [mover for mover in cast if mover.number in repair.floor.placed]
    return len(cast) - len(placed), sum(map(repair.level, placed))


def _clear(floor: Floor, cast: Sequence[Mover]) -> None:
    for mover in cast:
        if mover.number in floor.placed:
            floor.take(mover)
