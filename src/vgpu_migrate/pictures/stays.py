"""The occupancy of gpus while a plan runs: which vgpu is where, from which step until which.

A stay begins with the start of the step that brings the VM and ends with the next step that takes it away:
at that step's end where the source holds the vgpus (live, sleep), else at its start (hibernate, cold).
Where on its gpu a vgpu lies is the placement id on a mixed-size gpu. Elsewhere plans do not say it, so it is
given the lowest free slot, or GPU instance, of the time: a picture's choice, not the driver's.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vgpu_migrate.facts import VgpuType
from vgpu_migrate.model import Fleet, Gpu, GpuId, PlacementMode, Vm, VmId
from vgpu_migrate.model.placement import instances_per_gpu_instance
from vgpu_migrate.model.planfile import MigrateStep, Step


@dataclass(frozen=True, slots=True)
class Stay:
    """A vgpu on a gpu. `begin` and `end` are steps; None: there before the plan, or still there after it.

    `at` is a slot on an equal-size gpu, a placement id in GiB on a mixed-size one, the number of the GPU
    instance under MIG, and `part` the vgpu's number inside it.
    """

    vm: VmId
    gpu: GpuId
    type: VgpuType
    begin: MigrateStep | None
    end: MigrateStep | None
    at: int
    part: int

    @property
    def begin_s(self) -> float:
        """When it begins; before everything where it was there."""
        return -1.0 if self.begin is None else self.begin.start_s

    @property
    def end_s(self) -> float:
        """When it ends; after everything where it stays."""
        return _end_s(self.end)


class _Hold(NamedTuple):
    """A stay before it is known where on the gpu it lies."""

    vm: VmId
    type: VgpuType
    begin: MigrateStep | None
    end: MigrateStep | None
    placement: int | None


def _end_s(end: MigrateStep | None) -> float:
    if end is None:
        return float("inf")
    return end.end_s if end.how.holds_source else end.start_s


def stays_of(fleet: Fleet, steps: Iterable[Step]) -> list[Stay]:
    """Every stay of every vgpu, gpu by gpu, in the order of time.

    Raises:
        KeyError: a step names what the fleet lacks: a mistake of the caller's.
    """
    moves: dict[VmId, list[MigrateStep]] = {}
    for step in sorted(steps, key=lambda step: (step.start_s, step.id)):
        if isinstance(step, MigrateStep):
            moves.setdefault(step.vm, []).append(step)
    holds: dict[GpuId, list[_Hold]] = {gpu_id: [] for gpu_id in fleet.gpus}
    for vm in fleet.vms.values():
        _add_holds(holds, vm, moves.get(vm.id, ()))
    found: list[Stay] = []
    for gpu_id, there in holds.items():
        if there:
            found += _laid_out(fleet.gpus[gpu_id], there)
    return found


def _add_holds(holds: dict[GpuId, list[_Hold]], vm: Vm, moves: Sequence[MigrateStep]) -> None:
    if vm.state.holds_vgpus:
        for vgpu in vm.vgpus:
            if vgpu.gpu is not None:
                first = moves[0] if moves else None
                holds[vgpu.gpu].append(_Hold(vm.id, vgpu.type, None, first, vgpu.placement))
    for number, step in enumerate(moves):
        following = moves[number + 1] if number + 1 < len(moves) else None
        for vgpu, seat in zip(vm.vgpus, step.gpus, strict=False):
            holds[seat.gpu].append(_Hold(vm.id, vgpu.type, step, following, seat.placement))


def _laid_out(gpu: Gpu, holds: list[_Hold]) -> list[Stay]:
    """Give each hold its place on the gpu. Holds of one beginning keep their order."""
    is_mixed = gpu.mode is PlacementMode.MIXED and not gpu.mig
    rooms = _Instances(gpu) if gpu.mig else _Slots()
    ends: list[tuple[float, int, tuple[int, int]]] = []
    found: list[Stay] = []
    for hold in sorted(holds, key=lambda hold: -1.0 if hold.begin is None else hold.begin.start_s):
        begin_s = -1.0 if hold.begin is None else hold.begin.start_s
        while ends and ends[0][0] <= begin_s:
            rooms.leave(heapq.heappop(ends)[2])
        if is_mixed and hold.placement is not None:
            place = (hold.placement, 0)
        else:
            place = rooms.take(hold.type)
            heapq.heappush(ends, (_end_s(hold.end), len(found), place))
        found.append(Stay(hold.vm, gpu.id, hold.type, hold.begin, hold.end, *place))
    return found


class _Slots:
    """The slots of an equal-size gpu, taken from the lowest."""

    def __init__(self) -> None:
        self._left: list[int] = []
        self._taken = 0

    def take(self, vgpu_type: VgpuType) -> tuple[int, int]:
        """The lowest free slot."""
        if self._left:
            return heapq.heappop(self._left), 0
        self._taken += 1
        return self._taken - 1, 0

    def leave(self, place: tuple[int, int]) -> None:
        """A slot is free again."""
        heapq.heappush(self._left, place[0])


class _Instances:
    """The GPU instances of a MIG gpu. Each holds vgpus of one type at a time."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._there: list[dict[int, VgpuType]] = [{} for _ in gpu.mig]

    def take(self, vgpu_type: VgpuType) -> tuple[int, int]:
        """The first instance of the size that has this type and room, else the first empty one.

        Where a broken plan leaves none: behind the last instance.
        """
        most = instances_per_gpu_instance(self._gpu.board, vgpu_type)
        fitting = [
            number
            for number, slices in enumerate(self._gpu.mig)
            if slices == vgpu_type.gi_slices
            and len(self._there[number]) < most
            and all(other is vgpu_type for other in self._there[number].values())
        ]
        if not fitting:
            return len(self._there), 0
        chosen = max(fitting, key=lambda number: (bool(self._there[number]), -number))
        part = next(part for part in range(most) if part not in self._there[chosen])
        self._there[chosen][part] = vgpu_type
        return chosen, part

    def leave(self, place: tuple[int, int]) -> None:
        """A part of an instance is free again."""
        number, part = place
        if number < len(self._there):
            self._there[number].pop(part, None)
