"""Kinds of gpus in a pool, and on which of them each VM can ever be, whatever a plan does."""

from __future__ import annotations

import math

from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.rolling.guises import Guise, Phase
from vgpu_migrate.planning.rolling.yard import Yard

PHASES = ((Guise.BEFORE, Phase.OLD), (Guise.MIDWAY, Phase.NEW), (Guise.AFTER, Phase.NEW))


class Kinds:
    """Gpus are of a kind if they are of a class in every guise. Kinds are numbers from 0.

    Where a VM is it may stay, whatever the rules say of going there: the kind that it is on counts, too.
    """

    def __init__(self, yard: Yard, weights: dict[int, float]) -> None:
        guises, floor = yard.guises, yard.floor
        found = sorted({guises.classes[gpu.id] for gpu in floor.gpus})
        number = {classes: at for at, classes in enumerate(found)}
        self.every = range(len(found))
        self.of_gpu = [number[guises.classes[gpu.id]] for gpu in floor.gpus]
        """By gpu, its kind."""
        self._weights = weights
        phased = [[guises.phased(classes[guise], phase) for guise, phase in PHASES] for classes in found]
        by_likeness: dict[int, tuple[frozenset[int], ...]] = {}
        self._of: list[tuple[frozenset[int], ...]] = []
        likenesses: dict[object, int] = {}
        self._likeness: list[int] = []
        for mover in yard.movers:
            if mover.likeness not in by_likeness:
                by_likeness[mover.likeness] = tuple(
                    [
                        frozenset(kind for kind in self.every if any(ways[c] for c in phased[kind]))
                        for ways in mover.ways
                    ]
                )
            homes = [self.of_gpu[gpu] for gpu, _ in floor.placed[mover.number]]
            reach = tuple(
                [there | {home} for there, home in zip(by_likeness[mover.likeness], homes, strict=True)]
            )
            self._of.append(reach)
            self._likeness.append(likenesses.setdefault((mover.likeness, reach), len(likenesses)))
        self.reaches = sorted({reach[0] for reach in self._of if len(reach) == 1}, key=sorted)
        """Sets of kinds that are all that some VMs with one vgpu can ever be on."""

    def of(self, mover: Mover) -> tuple[frozenset[int], ...]:
        """By vgpu of a mover as it was at first, the kinds that it can ever be on."""
        return self._of[mover.number]

    def likeness(self, mover: Mover) -> int:
        """Movers with the same number are interchangeable and reach the same."""
        return self._likeness[mover.number]

    def is_within(self, mover: Mover, kinds: frozenset[int]) -> bool:
        """Whether all vgpus of a mover can be on some kinds only."""
        return all(reach <= kinds for reach in self._of[mover.number])

    def share(self, mover: Mover) -> float:
        """The least share of gpus that a mover takes."""
        return math.fsum([self._weights[row] for row in mover.types])
