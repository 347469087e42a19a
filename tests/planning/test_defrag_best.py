"""Small drains with defragmentation against every possible one."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import product

import pytest
from tests.planning.fleets import random_fleet

from vgpu_migrate.model import Fleet, HostId, PlacementMode, Vm
from vgpu_migrate.model.placement import supported_placements
from vgpu_migrate.model.planfile import MigrateStep, Plan, Seat
from vgpu_migrate.planning import Move, Refusal, apply, drain
from vgpu_migrate.planning.moves import WAYS
from vgpu_migrate.replay import replay

H0 = HostId("h00")
Score = tuple[int, int, int]
"""VMs stuck, sum of levels of interruption, moves: less is better."""


def best(fleet: Fleet) -> Score:
    """The best score of all plans: every fleet that moves can lead to is looked at, cheapest first."""
    start = looks(fleet)
    cost = {start: (0, 0)}
    queue: list[tuple[tuple[int, int], int, Fleet]] = [((0, 0), 0, fleet)]
    number = 0
    found: Score | None = None
    while queue:
        so_far, _, now = heapq.heappop(queue)
        if cost[looks(now)] < so_far:
            continue
        score = len(now.residents[H0]), *so_far
        found = score if found is None else min(found, score)
        for move in every_move(now):
            after = apply(now, move)
            if isinstance(after, Refusal):
                continue
            spent = so_far[0] + WAYS.index(move.how), so_far[1] + 1
            look = looks(after)
            if look not in cost or spent < cost[look]:
                cost[look] = spent
                number += 1
                heapq.heappush(queue, (spent, number, after))
    assert found is not None
    return found


def looks(fleet: Fleet) -> tuple[object, ...]:
    """What is where: VMs that nothing tells apart from now on count as one."""
    return tuple(sorted(map(what_counts, fleet.vms.values())))


def what_counts(vm: Vm) -> tuple[object, ...]:
    seats = tuple((v.type.short, v.gpu, v.placement or 0, v.vgpu_version or 0, v.migration) for v in vm.vgpus)
    figures = vm.memory_mib, vm.vcpus or 0, vm.anti_affinity
    return seats, figures, vm.state.value, int(vm.allow), vm.guest_driver or ""


def every_move(fleet: Fleet) -> Iterator[Move]:
    """Every move of any VM to a host that is not drained; for each place the least interruption."""
    for vm in fleet.vms.values():
        for host in fleet.hosts.values():
            if host.id in (H0, vm.host):
                continue
            options = []
            for vgpu in vm.vgpus:
                seats = []
                for gpu in host.gpus:
                    is_placed = gpu.mode is PlacementMode.MIXED and not gpu.mig
                    ids = supported_placements(gpu.board, vgpu.type) if is_placed else (None,)
                    seats += [Seat(gpu.id, placement) for placement in ids]
                options.append(seats)
            for chosen in product(*options):
                for how in WAYS:
                    move = Move(vm.id, how, host.id, chosen)
                    if not isinstance(apply(fleet, move), Refusal):
                        yield move
                        break


def score_of(plan: Plan) -> Score:
    """A plan's score."""
    moves = [step for step in plan.steps if isinstance(step, MigrateStep)]
    return len(plan.stuck), sum(WAYS.index(step.how) for step in moves), len(moves)


def small_fleet(seed: int) -> Fleet:
    """A few hosts with one gpu or two, nearly full."""
    fleet = random_fleet(
        seed,
        hosts=4,
        gpus=1,
        vms=(9 if seed % 3 else 7) if seed % 4 else 5,
        odd=0.3 if seed % 2 else 0.0,
        mixed=0.6 if seed % 4 == 0 else 0.2,
        several=0.2 if seed % 5 == 0 else 0.0,
        memory=seed % 6 == 0,
        groups=2 if seed % 7 == 0 else 0,
        sizes=("A40-12Q", "A40-16Q", "A40-24Q", "A40-48Q"),
    )
    leaving = list(fleet.residents[H0])[:3]
    vms = {vm.id: vm for vm in fleet.vms.values() if vm.host != H0 or vm in leaving}
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, vms)


@pytest.mark.parametrize("seed", range(40))
def test_nobody_could_plan_better(seed: int) -> None:
    """On small fleets as few are stuck, as little is interrupted and as little moves as can be."""
    fleet = small_fleet(seed)
    plan = drain(fleet, [H0], defrag=True).plan
    assert replay(fleet, plan) == ()
    assert score_of(plan) == best(fleet)
