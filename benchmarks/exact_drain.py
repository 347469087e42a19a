"""The most VMs that a drain can place when nobody else moves, by CP-SAT: what the planner is measured by."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, NamedTuple

from ortools.sat.python import cp_model

from vgpu_migrate import facts
from vgpu_migrate.model.placement import VGPUS_PER_TIME_SLICED_GPU, instances_per_gpu_instance
from vgpu_migrate.planning.cast import NEVER, Mover
from vgpu_migrate.planning.floor import UNLOCKED, Floor, Sharing, capacity
from vgpu_migrate.planning.geometry import regions


class Exact(NamedTuple):
    """The answer for one domain.

    `placed`: the most found; `placed_bound`: what nobody can better. `interruption`: the least sum of
    levels (0 live to 3 cold) found with so many placed. `is_proved`: both are optimal.
    """

    placed: int
    placed_bound: int
    interruption: int
    is_proved: bool

    @property
    def is_placed_proved(self) -> bool:
        """Whether nobody can place more."""
        return self.placed == self.placed_bound


def exact(floor: Floor, cast: list[Mover], *, seconds: float = 20.0, workers: int = 4) -> Exact:
    """Solve one domain from a floor on which nobody is placed yet: first the number, then interruption."""
    model = cp_model.CpModel()
    alike: dict[int, list[Mover]] = defaultdict(list)
    for mover in cast:
        alike[mover.likeness].append(mover)
    on_gpu: dict[int, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
    on_host: dict[int, list[tuple[Mover, Any]]] = defaultdict(list)
    everyone: list[tuple[Any, int]] = []
    for movers in alike.values():
        placed = _seat(model, floor, movers[0], len(movers), on_gpu, on_host)
        if placed:
            model.add(sum(variable for variable, _ in placed) <= len(movers))
            everyone += placed
    if not everyone:
        return Exact(0, 0, 0, True)
    for gpu, by_type in on_gpu.items():
        _limit_gpu(model, floor, gpu, {row: sum(variables) for row, variables in by_type.items()})
    for host, there in on_host.items():
        _limit_host(model, floor, host, there)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = workers
    count = sum(variable for variable, _ in everyone)
    model.maximize(count)
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Exact(0, len(cast), 0, False)
    most, bound = round(solver.objective_value), min(len(cast), round(solver.best_objective_bound))
    levels = [(variable, level) for variable, level in everyone if level]
    if not levels:
        return Exact(most, bound, 0, most == bound)
    model.add(count >= most)
    model.minimize(sum(level * variable for variable, level in levels))
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Exact(most, bound, 0, False)
    least = round(solver.objective_value)
    return Exact(most, bound, least, most == bound and status == cp_model.OPTIMAL)


def _seat(
    model: cp_model.CpModel,
    floor: Floor,
    mover: Mover,
    count: int,
    on_gpu: dict[int, dict[int, list[Any]]],
    on_host: dict[int, list[tuple[Mover, Any]]],
) -> list[tuple[Any, int]]:
    placed: list[tuple[Any, int]] = []
    if mover.is_single:
        for gpu in range(len(floor.gpus)):
            level = mover.levels[floor.gpu_class[gpu]]
            if level != NEVER and floor.room(gpu, mover.types[0]) is not None:
                variable = model.new_int_var(0, count, "")
                placed.append((variable, level))
                on_gpu[gpu][mover.types[0]].append(variable)
                on_host[floor.host_of[gpu]].append((mover, variable))
        return placed
    kinds = Counter(zip(mover.types, map(tuple, mover.ways), strict=True))
    for host, gpus in enumerate(floor.gpus_of):
        for level in range(4):
            variable = model.new_int_var(0, count, "")
            for (row, ways), number in kinds.items():
                seats = []
                for gpu in gpus:
                    if ways[floor.gpu_class[gpu]] & (8 >> level) and floor.room(gpu, row) is not None:
                        seat = model.new_int_var(0, count * number, "")
                        seats.append(seat)
                        on_gpu[gpu][row].append(seat)
                model.add(sum(seats) == number * variable)
            placed.append((variable, level))
            on_host[host].append((mover, variable))
    return placed


def _limit_gpu(model: cp_model.CpModel, floor: Floor, gpu: int, counts: dict[int, Any]) -> None:
    if floor.sharing[gpu] is Sharing.EQUAL:
        if floor.lock[gpu] != UNLOCKED:
            for row, count in counts.items():
                model.add(count <= capacity(row) - floor.count[gpu])
            return
        chosen = {row: model.new_bool_var("") for row in counts}
        model.add_at_most_one(chosen.values())
        for row, count in counts.items():
            model.add(count <= capacity(row) * chosen[row])
        return
    if floor.sharing[gpu] is Sharing.MIXED:
        cells: dict[int, list[Any]] = defaultdict(list)
        everything = []
        for row, count in counts.items():
            ids = []
            for start, mask in regions(row):
                if not mask & floor.mask[gpu]:
                    taken = model.new_bool_var("")
                    ids.append(taken)
                    for cell in range(start, start + mask.bit_count()):
                        cells[cell].append(taken)
            model.add(count == sum(ids))
            everything += ids
        for taken_here in cells.values():
            model.add_at_most_one(taken_here)
        model.add(sum(everything) <= VGPUS_PER_TIME_SLICED_GPU - floor.count[gpu])
        return
    used: dict[int, list[Any]] = defaultdict(list)
    for row in {*counts, *(row for row, count in floor.mig[gpu].items() if count)}:
        vgpu_type = facts.vgpu_type_by_row(row)
        total = counts.get(row, 0) + floor.mig[gpu][row]
        instances = model.new_int_var(0, 16, "")
        model.add(instances * instances_per_gpu_instance(floor.gpus[gpu].board, vgpu_type) >= total)
        model.add(total <= vgpu_type.max_instances)
        used[vgpu_type.gi_slices].append(instances)
    there = Counter(floor.gpus[gpu].mig)
    for slices, instances_used in used.items():
        model.add(sum(instances_used) <= there[slices])


def _limit_host(model: cp_model.CpModel, floor: Floor, host: int, there: list[tuple[Mover, Any]]) -> None:
    by_group: dict[str, list[Any]] = defaultdict(list)
    for mover, variable in there:
        for group in mover.groups:
            by_group[group].append(variable)
        if not floor.fits_host(host, mover):
            model.add(variable == 0)
    if floor.memory_left[host] != float("inf"):
        model.add(sum(m.memory_mib * v for m, v in there) <= max(0, int(floor.memory_left[host])))
    if floor.vcpus_left[host] != float("inf"):
        model.add(sum(m.vcpus * v for m, v in there) <= max(0, int(floor.vcpus_left[host])))
    for group, variables in by_group.items():
        model.add(sum(variables) <= (0 if floor.groups[host][group] else 1))
