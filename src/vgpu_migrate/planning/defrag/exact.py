"""The best final places in one pool, by OR-Tools' CP-SAT; its only importer.

The model says where everybody is in the end, not how they get there, and lets a resident change its gpu on
its own host, which takes two moves: so its bound on the number placed holds for every plan. Movers that are
alike count together, as do residents that are alike on the same seats.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ortools.sat.python import cp_model

from vgpu_migrate import facts
from vgpu_migrate.model.placement import (
    VGPUS_PER_GPU,
    VGPUS_PER_TIME_SLICED_GPU,
    instances_per_gpu_instance,
)
from vgpu_migrate.planning.best import level_at
from vgpu_migrate.planning.cast import NEVER, Mover
from vgpu_migrate.planning.defrag.final_places import Final, Homes, kinds, seats_of
from vgpu_migrate.planning.defrag.pool import Pool
from vgpu_migrate.planning.fill import LEVELS
from vgpu_migrate.planning.floor import UNLOCKED, Floor, Seats, Sharing, capacity
from vgpu_migrate.planning.geometry import region, regions


class Limit(NamedTuple):
    """When to stop: deterministic seconds, about as long as real ones; and real ones, as a last resort."""

    work: float
    seconds: float | None
    seed: int


class Best(NamedTuple):
    """The final seats of everybody of a pool who has some; nobody can place more than `most` of its movers.

    `work`: deterministic seconds used.
    """

    seats: dict[int, Seats] | None
    most: int
    work: float


FOUND = (cp_model.OPTIMAL, cp_model.FEASIBLE)


def place_most(floor: Floor, pool: Pool, homes: Homes, hint: Mapping[int, Seats], limit: Limit) -> Best:
    """Place as many as can be, at whatever cost.

    Args:
        floor: without the movers and residents of the pool.
        pool: who and where.
        homes: where residents are before the first move, by number.
        hint: final seats of a plan that is known already, by number.
        limit: when to stop.
    """
    model = _Model(floor, pool, homes)
    model.hint(hint)
    model.model.maximize(model.placed)
    model.is_counting = True
    return model.solved(hint, limit)


def improve(floor: Floor, pool: Pool, homes: Homes, hint: Mapping[int, Seats], limit: Limit) -> Best:
    """Place most, then interrupt least, then move fewest, all at once; for small pools. As `place_most`, but
    `most` is unknown.
    """
    model = _Model(floor, pool, homes)
    model.hint(hint)
    model.model.maximize(model.weight * model.placed - model.cost)
    return model.solved(hint, limit)


def cheapen(floor: Floor, pool: Pool, homes: Homes, hint: Mapping[int, Seats], limit: Limit) -> Best:
    """Interrupt least, then move fewest, with as many placed as in `hint`. As `place_most`, but `most` is
    unknown.
    """
    model = _Model(floor, pool, homes)
    model.hint(hint)
    model.model.add(model.placed >= sum(mover.number in hint for mover in pool.leaving))
    model.model.minimize(model.cost)
    return model.solved(hint, limit)


class _Model:
    """One pool's model."""

    def __init__(self, floor: Floor, pool: Pool, homes: Homes) -> None:
        self.floor = floor
        self.pool = pool
        self.homes = homes
        self.is_counting = False
        """Whether the objective is the number placed, so that its bound is one on that."""
        self.model = cp_model.CpModel()
        self._alike: dict[int, list[Mover]] = defaultdict(list)
        for mover in (*pool.leaving, *pool.residents):
            self._alike[mover.likeness].append(mover)
        self._there: dict[tuple[int, Seats], list[Mover]] = defaultdict(list)
        for mover in pool.residents:
            if floor.host_of[homes[mover.number][0][0]] in pool.hosts:
                self._there[mover.likeness, homes[mover.number]].append(mover)
        self._residents = Counter(mover.likeness for mover in pool.residents)
        self._stays: dict[tuple[int, Seats], cp_model.IntVar] = {}
        self._comes: dict[tuple[int, int, int], cp_model.IntVar] = {}
        """By likeness, level, and gpu; host for those with several vgpus."""
        self._parts: dict[tuple[int, int, int, int], cp_model.IntVar] = {}
        """For those with several vgpus: by likeness, level, kind of vgpu, and gpu."""
        self._ids: dict[tuple[int, int, int], cp_model.IntVar] = {}
        """By gpu, type and placement id: whether somebody comes there."""
        self._types: dict[tuple[int, int], cp_model.IntVar] = {}
        """By equal-size gpu and type: whether it has that type."""
        self._stay_on: dict[int, list[tuple[int, int, cp_model.IntVar]]] = defaultdict(list)
        self._come_to: dict[int, dict[int, list[cp_model.IntVar]]] = defaultdict(lambda: defaultdict(list))
        self._on_host: dict[int, list[tuple[Mover, cp_model.IntVar]]] = defaultdict(list)
        self._add_stays()
        for movers in self._alike.values():
            self._add_comes(movers)
        for host in pool.hosts:
            self._limit_host(host)
            for gpu in floor.gpus_of[host]:
                self._limit_gpu(gpu)
        everyone = sum([*self._stays.values(), *self._comes.values()])
        self.placed = everyone - len(pool.residents)
        moves = sum(self._comes.values())
        interruption = sum(level * comes for (_, level, _), comes in self._comes.items() if level)
        most = len(pool.residents) + len(pool.leaving) + 1
        self.cost = most * interruption + moves
        self.weight = most * most * len(LEVELS)
        """More than any cost."""

    def _add_stays(self) -> None:
        for (likeness, seats), there in self._there.items():
            stays = self._stays[likeness, seats] = self.model.new_int_var(0, len(there), "")
            first = there[0]
            self._on_host[self.floor.host_of[seats[0][0]]].append((first, stays))
            for row, (gpu, placement) in zip(first.types, seats, strict=True):
                self._stay_on[gpu].append((row, placement, stays))

    def _add_comes(self, movers: Sequence[Mover]) -> None:
        mover = movers[0]
        come = self._come_alone if mover.is_single else self._come_together
        everyone = come(mover, len(movers))
        everyone += [stays for (likeness, _), stays in self._stays.items() if likeness == mover.likeness]
        self.model.add(sum(everyone) >= self._residents[mover.likeness])
        self.model.add(sum(everyone) <= len(movers))

    def _come_alone(self, mover: Mover, count: int) -> list[cp_model.IntVar]:
        found = []
        floor, row = self.floor, mover.types[0]
        for host in self.pool.hosts:
            for gpu in floor.gpus_of[host]:
                level = mover.levels[floor.gpu_class[gpu]]
                if level != NEVER:
                    comes = self.model.new_int_var(0, count, "")
                    self._comes[mover.likeness, level, gpu] = comes
                    self._come_to[gpu][row].append(comes)
                    self._on_host[host].append((mover, comes))
                    found.append(comes)
        return found

    def _come_together(self, mover: Mover, count: int) -> list[cp_model.IntVar]:
        found = []
        floor = self.floor
        for host in self.pool.hosts:
            for level in LEVELS:
                if not mover.possible & (8 >> level):
                    continue
                comes = self.model.new_int_var(0, count, "")
                self._comes[mover.likeness, level, host] = comes
                self._on_host[host].append((mover, comes))
                found.append(comes)
                for kind, numbers in enumerate(kinds(mover)):
                    ways, row = mover.ways[numbers[0]], mover.types[numbers[0]]
                    parts = []
                    for gpu in floor.gpus_of[host]:
                        if ways[floor.gpu_class[gpu]] & (8 >> level):
                            part = self.model.new_int_var(0, count * len(numbers), "")
                            self._parts[mover.likeness, level, kind, gpu] = part
                            self._come_to[gpu][row].append(part)
                            parts.append(part)
                    self.model.add(sum(parts) == len(numbers) * comes)
        return found

    def _limit_gpu(self, gpu: int) -> None:
        if self.floor.sharing[gpu] is Sharing.MIXED:
            self._limit_mixed(gpu)
            return
        totals: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        for row, _, stays in self._stay_on[gpu]:
            totals[row].append(stays)
        for row, comes in self._come_to[gpu].items():
            totals[row] += comes
        if self.floor.sharing[gpu] is Sharing.MIG:
            self._limit_mig(gpu, totals)
            return
        count, lock = self.floor.count[gpu], self.floor.lock[gpu]
        for row, counts in totals.items():
            room = capacity(row) - count if lock in (UNLOCKED, row) else 0
            has_type = self._types[gpu, row] = self.model.new_bool_var("")
            self.model.add(sum(counts) <= room * has_type)
        self.model.add_at_most_one(self._types[gpu, row] for row in totals)

    def _limit_mixed(self, gpu: int) -> None:
        cells: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        everything: list[cp_model.IntVar] = []
        for row, placement, stays in self._stay_on[gpu]:
            _fill(cells, region(row, placement), stays)
            everything.append(stays)
        for row, comes in self._come_to[gpu].items():
            ids = []
            for start, mask in regions(row):
                if not mask & self.floor.mask[gpu]:
                    taken = self._ids[gpu, row, start] = self.model.new_bool_var("")
                    _fill(cells, mask, taken)
                    ids.append(taken)
            self.model.add(sum(comes) == sum(ids))
            everything += ids
        for there in cells.values():
            self.model.add(sum(there) <= 1)
        room = VGPUS_PER_TIME_SLICED_GPU - self.floor.count[gpu]
        if len(everything) > room:
            self.model.add(sum(everything) <= room)

    def _limit_mig(self, gpu: int, totals: Mapping[int, list[cp_model.IntVar]]) -> None:
        board, layout = self.floor.gpus[gpu].board, Counter(self.floor.gpus[gpu].mig)
        used: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        fixed = self.floor.mig[gpu]
        for row in sorted({*totals, *(row for row, count in fixed.items() if count)}):
            vgpu_type = facts.vgpu_type_by_row(row)
            total = sum(totals.get(row, [])) + fixed[row]
            instances = self.model.new_int_var(0, layout[vgpu_type.gi_slices], "")
            self.model.add(instances * instances_per_gpu_instance(board, vgpu_type) >= total)
            self.model.add(total <= vgpu_type.max_instances)
            used[vgpu_type.gi_slices].append(instances)
        for slices, instances_used in used.items():
            self.model.add(sum(instances_used) <= layout[slices])
        count = sum(sum(counts) for counts in totals.values())
        self.model.add(count + fixed.total() <= VGPUS_PER_GPU)

    def _limit_host(self, host: int) -> None:
        floor, there = self.floor, self._on_host[host]
        at_home = [mover for mover in self.pool.residents if mover.home == host]
        for left, name in ((floor.memory_left[host], "memory_mib"), (floor.vcpus_left[host], "vcpus")):
            weights = [getattr(mover, name) for mover, _ in there]
            if not math.isinf(left) and any(weights):
                # A host may hold too much before the plan, and may go on to.
                most = max(math.floor(left), sum(getattr(mover, name) for mover in at_home))
                self.model.add(sum(w * n for w, (_, n) in zip(weights, there, strict=True)) <= most)
        by_group: dict[str, list[cp_model.IntVar]] = defaultdict(list)
        for mover, number in there:
            for group in mover.groups:
                by_group[group].append(number)
        for group, numbers in by_group.items():
            at_first = sum(group in mover.groups for mover in at_home)
            self.model.add(sum(numbers) <= max(1 - min(1, floor.groups[host][group]), at_first))

    def hint(self, seats: Mapping[int, Seats]) -> None:
        """Tell the solver a plan that is known already."""
        values: Counter[int] = Counter()
        for mover in (*self.pool.residents, *self.pool.leaving):
            if mover.number in seats:
                for variable in self._variables_of(mover, seats[mover.number]):
                    values[variable.index] += 1
        for variable in self._types.values():
            # A gpu has its type however many of it there are.
            values[variable.index] = min(1, values[variable.index])
        for variable in self._variables():
            self.model.add_hint(variable, values[variable.index])

    def _variables_of(self, mover: Mover, seats: Seats) -> Iterator[cp_model.IntVar]:
        floor, likeness = self.floor, mover.likeness
        for row, (gpu, _) in zip(mover.types, seats, strict=True):
            if floor.sharing[gpu] is Sharing.EQUAL:
                yield self._types[gpu, row]
        if (likeness, seats) in self._stays and self.homes.get(mover.number) == seats:
            yield self._stays[likeness, seats]
            return
        level = level_at(floor, mover, seats)
        place = seats[0][0] if mover.is_single else floor.host_of[seats[0][0]]
        yield self._comes[likeness, level, place]
        for row, (gpu, placement) in zip(mover.types, seats, strict=True):
            if floor.sharing[gpu] is Sharing.MIXED:
                yield self._ids[gpu, row, placement]
        if not mover.is_single:
            for kind, numbers in enumerate(kinds(mover)):
                for number in numbers:
                    yield self._parts[likeness, level, kind, seats[number][0]]

    def _variables(self) -> Iterator[cp_model.IntVar]:
        yield from self._stays.values()
        yield from self._comes.values()
        yield from self._parts.values()
        yield from self._ids.values()
        yield from self._types.values()

    def solved(self, hint: Mapping[int, Seats], limit: Limit) -> Best:
        """Solve the model, in one thread: the same work gives the same answer."""
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = limit.seed
        solver.parameters.linearization_level = 2
        solver.parameters.max_deterministic_time = limit.work
        if limit.seconds is not None:
            solver.parameters.max_time_in_seconds = limit.seconds
        status = solver.solve(self.model)
        work = solver.response_proto.deterministic_time
        if status not in FOUND:
            return Best(None, len(self.pool.leaving), work)
        most = len(self.pool.leaving)
        if self.is_counting:
            most = min(most, math.floor(solver.best_objective_bound + 1e-6))
        value = solver.value
        final = Final(
            stays={key: value(variable) for key, variable in self._stays.items()},
            comes={key: number for key, var in self._comes.items() if (number := value(var))},
            parts={key: number for key, var in self._parts.items() if (number := value(var))},
            ids=[key for key, variable in self._ids.items() if value(variable)],
        )
        return Best(seats_of(self.floor, self.pool, self.homes, final, hint), most, work)


def _fill(cells: dict[int, list[cp_model.IntVar]], mask: int, variable: cp_model.IntVar) -> None:
    """Note in every cell of a mask that a variable may fill it."""
    for cell in range(mask.bit_length()):
        if mask >> cell & 1:
            cells[cell].append(variable)
