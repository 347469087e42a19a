"""Every way to upgrade a small fleet, by trying them all: moves by `planning.moves.apply`, and upgrades."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

from msgspec.structs import replace

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, Host, HostId, PlacementMode, Vm
from vgpu_migrate.model.placement import supported_placements
from vgpu_migrate.model.planfile import MigrateStep, Plan, Seat, UpgradeStep
from vgpu_migrate.planning import Move, Refusal, apply
from vgpu_migrate.planning.moves import WAYS


class Score(NamedTuple):
    """How good an upgrade is; more hosts, then less of the rest is better."""

    hosts: int
    interruption: int
    """Sum over its moves: 0 for live, up to 3 for cold."""
    moves: int


def score_of(plan: Plan) -> Score:
    """A plan's score."""
    moves = [step for step in plan.steps if isinstance(step, MigrateStep)]
    hosts = sum(isinstance(step, UpgradeStep) for step in plan.steps)
    return Score(hosts, sum(WAYS.index(step.how) for step in moves), len(moves))


class Upgrades:
    """The states that a fleet can be brought to, with the least cost of each."""

    def __init__(self, fleet: Fleet, driver: str, wanted: set[HostId]) -> None:
        self._fleet = fleet
        self._wanted = wanted
        preset = facts.host_driver(driver).preset_range
        self._new = {
            host.id: replace(host, driver=driver, preset_range=preset, range_in_force=preset)
            for host in fleet.hosts.values()
        }
        self._moves: dict[tuple[object, ...], list[tuple[Vm, int]]] = {}

    def best(self) -> Score:
        """The best score of all."""
        reached = self._least(lambda level: (level, 1))
        hosts = max(reached)
        return Score(hosts, *reached[hosts])

    def fewest_moves(self, hosts: int) -> int:
        """The fewest moves with which so many hosts are upgraded, however much they interrupt."""
        return self._least(lambda _: (1, 0))[hosts][0]

    def _least(self, cost_of: Callable[[int], tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """By number of hosts upgraded, the least cost; a move's cost follows from its level."""
        everyone = tuple(vm for vm in self._fleet.vms.values() if vm.host is not None)
        nobody: frozenset[HostId] = frozenset()
        cost = {_looks(everyone, nobody): (0, 0)}
        queue = [((0, 0), 0, everyone, nobody)]
        number = 0
        found: dict[int, tuple[int, int]] = {}
        while queue:
            spent, _, vms, done = heapq.heappop(queue)
            if cost[_looks(vms, done)] < spent:
                continue
            found.setdefault(len(done), spent)
            options = [((0, 0), vms, done | {host_id}) for host_id in self._upgradable(vms, done)]
            for at, vm in enumerate(vms):
                for moved, level in self._moved(vm, vms, done):
                    options.append((cost_of(level), (*vms[:at], moved, *vms[at + 1 :]), done))
            for more, vms_then, done_then in options:
                then, look = (spent[0] + more[0], spent[1] + more[1]), _looks(vms_then, done_then)
                if look not in cost or then < cost[look]:
                    cost[look] = then
                    number += 1
                    heapq.heappush(queue, (then, number, vms_then, done_then))
        return found

    def _upgradable(self, vms: tuple[Vm, ...], done: frozenset[HostId]) -> set[HostId]:
        return self._wanted - done - {vm.host for vm in vms if vm.host is not None}

    def _host(self, host_id: HostId, done: frozenset[HostId]) -> Host:
        return self._new[host_id] if host_id in done else self._fleet.hosts[host_id]

    def _moved(self, vm: Vm, vms: tuple[Vm, ...], done: frozenset[HostId]) -> Iterator[tuple[Vm, int]]:
        """A VM after each of its moves, each by the least interruption, with its level."""
        assert vm.host is not None
        for host_id in self._fleet.hosts:
            if host_id == vm.host:
                continue
            there = [other for other in vms if other.host == host_id]
            key = (vm.id, _look(vm), vm.host in done, host_id, host_id in done, _looks(tuple(there), done))
            if key not in self._moves:
                hosts = {each: self._host(each, done) for each in (vm.host, host_id)}
                small = Fleet(
                    1,
                    self._fleet.settings,
                    self._fleet.domain_settings,
                    hosts,
                    {other.id: other for other in (vm, *there)},
                )
                self._moves[key] = list(_every_move(small, vm, hosts[host_id]))
            yield from self._moves[key]


def _every_move(fleet: Fleet, vm: Vm, target: Host) -> Iterator[tuple[Vm, int]]:
    options = []
    for vgpu in vm.vgpus:
        seats = []
        for gpu in target.gpus:
            is_placed = gpu.mode is PlacementMode.MIXED and not gpu.mig
            ids = supported_placements(gpu.board, vgpu.type) if is_placed else (None,)
            seats += [Seat(gpu.id, placement) for placement in ids]
        options.append(seats)
    for chosen in product(*options):
        for level, way in enumerate(WAYS):
            found = apply(fleet, Move(vm.id, way, target.id, chosen))
            if not isinstance(found, Refusal):
                yield found.vms[vm.id], level
                break


def _looks(vms: tuple[Vm, ...], done: frozenset[HostId]) -> tuple[object, ...]:
    """What is where: VMs that nothing tells apart from now on count as one."""
    return (*sorted(map(_look, vms)), tuple(sorted(done)))


def _look(vm: Vm) -> tuple[object, ...]:
    seats = tuple((v.type.short, v.gpu, v.placement or 0, v.vgpu_version or 0, v.migration) for v in vm.vgpus)
    figures = vm.memory_mib, vm.vcpus or 0, vm.anti_affinity
    return seats, figures, vm.state.value, int(vm.allow), vm.guest_driver or ""
