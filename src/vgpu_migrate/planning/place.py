"""Places for the movers of one domain: the best of several fillings with repair, in a small one of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vgpu_migrate.planning.best import clear, improve, score
from vgpu_migrate.planning.cast import NEVER, Mover
from vgpu_migrate.planning.fill import ANY_LEVEL, Seater, fill
from vgpu_migrate.planning.floor import Floor, Seats, Sharing
from vgpu_migrate.planning.repair import Repair


class Effort(NamedTuple):
    """How much may be tried in one domain."""

    attempts: int
    """At repair, after each filling."""
    nodes: int
    """In the search for the best places of a small domain."""


def place(floor: Floor, cast: Sequence[Mover], effort: Effort) -> int:
    """Place movers on a floor where nobody is placed yet; gives back how many nodes it used."""
    seater = Seater(floor)
    hopeful = _hopeful(seater, cast)
    fill(seater, hopeful)
    filled = len(floor.placed)
    Repair(seater, hopeful, effort.attempts).run()
    if len(floor.placed) < len(hopeful) and Sharing.MIXED in floor.sharing:
        best = dict(floor.placed), score(floor, hopeful)
        clear(floor, hopeful)
        fill(seater, hopeful, small_first=True)
        Repair(seater, hopeful, effort.attempts).run()
        _keep(floor, hopeful, *best)
    if len(floor.placed) < len(hopeful) and _levels_compete(floor, hopeful):
        best = dict(floor.placed), score(floor, hopeful)
        clear(floor, hopeful)
        fill(seater, hopeful, bands=ANY_LEVEL)
        if len(floor.placed) > filled:
            Repair(seater, hopeful, effort.attempts).run()
        _keep(floor, hopeful, *best)
    # Its own look at who finds a place is exhaustive, also for several vgpus together.
    return improve(floor, cast, nodes=effort.nodes)


def _hopeful(seater: Seater, cast: Sequence[Mover]) -> list[Mover]:
    """Those that alone would find a place: for the others no search can do anything."""
    has_seat: dict[int, bool] = {}
    for mover in cast:
        if mover.likeness not in has_seat:
            has_seat[mover.likeness] = seater.seat(mover) is not None
    return [mover for mover in cast if has_seat[mover.likeness]]


def _levels_compete(floor: Floor, cast: Sequence[Mover]) -> bool:
    """Whether one left over could go, if more interrupted than who is there, to a gpu that was empty."""
    least: dict[int, int] = {}
    for mover in cast:
        for gpu, _ in floor.placed.get(mover.number, ()):
            if floor.is_opened[gpu]:
                gpu_class = floor.gpu_class[gpu]
                least[gpu_class] = min(least.get(gpu_class, NEVER), mover.levels[gpu_class])
    return any(
        level < mover.levels[gpu_class] < NEVER
        for mover in cast
        if mover.number not in floor.placed
        for gpu_class, level in least.items()
    )


def _keep(
    floor: Floor, cast: Sequence[Mover], before: dict[int, Seats], score_before: tuple[int, int]
) -> None:
    """Go back to earlier places unless the present ones are better."""
    if score(floor, cast) <= score_before:
        clear(floor, cast)
        for mover in cast:
            if mover.number in before:
                floor.put(mover, before[mover.number])
