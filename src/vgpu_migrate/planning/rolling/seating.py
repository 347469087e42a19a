"""Seats in a rolling pool: which phases of hosts may receive, in which order of preference."""

from __future__ import annotations

from collections.abc import Sequence

from vgpu_migrate.model import VmState
from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.fill import LEVELS, Seater, seats_on_host
from vgpu_migrate.planning.floor import Seats
from vgpu_migrate.planning.rolling.guises import Phase
from vgpu_migrate.planning.rolling.yard import Yard

FINAL = (Phase.NEW, Phase.KEPT, Phase.STAYING)
"""Where a VM may stay."""
ANYWHERE = (*FINAL, Phase.OLD)


class Classes:
    """Phased gpu classes by mover's likeness, level and phase; remembered for all attempts on a pool."""

    def __init__(self, yard: Yard) -> None:
        by_board: dict[int, set[int]] = {}
        for board, gpu in zip(yard.floor.boards, yard.floor.gpus, strict=True):
            by_board.setdefault(board, set()).update(yard.guises.classes[gpu.id])
        self._by_board = {board: sorted(classes) for board, classes in by_board.items()}
        self._guises = yard.guises
        self._known: dict[tuple[int, int, Phase], list[int]] = {}

    def of(self, mover: Mover, level: int, phase: Phase) -> list[int]:
        """Where a single mover may go at exactly this level on hosts of a phase."""
        key = (mover.likeness, level, phase)
        found = self._known.get(key)
        if found is None:
            there = [self._guises.phased(plain, phase) for plain in self._by_board.get(mover.board, ())]
            found = self._known[key] = [c for c in there if mover.levels[c] == level]
        return found


class Seating:
    """Finds seats on one yard."""

    def __init__(self, yard: Yard, classes: Classes, *, is_gentle: bool = False) -> None:
        self._yard = yard
        self._is_gentle = is_gentle
        """Whether VMs move as they are only: live, or asleep if they sleep."""
        self._seater = Seater(yard.floor)
        self._classes = classes

    def find(self, mover: Mover, phases: Sequence[Phase]) -> Seats | None:
        """The best seat on hosts of these phases: least interruption, then the phases' order, then fit."""
        if not mover.is_single:
            return self._together(mover, phases)
        for level in LEVELS:
            if not mover.possible & (8 >> level):
                continue
            if self._is_too_rough(mover, level):
                break
            for phase in phases:
                classes = self._classes.of(mover, level, phase)
                found = self._seater.seat_among(mover, classes) if classes else None
                if found is not None:
                    return (found,)
        return None

    def _is_too_rough(self, mover: Mover, level: int) -> bool:
        return self._is_gentle and level > (mover.vm.state is VmState.SLEEPING)

    def _together(self, mover: Mover, phases: Sequence[Phase]) -> Seats | None:
        yard, floor = self._yard, self._yard.floor
        hosts = [host for host in range(len(yard.hosts)) if yard.phase[host] in phases]
        hosts = [host for host in hosts if floor.fits_host(host, mover)]
        hosts.sort(key=lambda host: (phases.index(yard.phase[host]), floor.load_s[host], host))
        for level in LEVELS:
            if mover.possible & (8 >> level) and not self._is_too_rough(mover, level):
                for host in hosts:
                    found = seats_on_host(floor, host, mover, level)
                    if found is not None:
                        return found
        return None
