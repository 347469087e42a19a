"""Small drains against every possible one."""

from __future__ import annotations

from itertools import product

import pytest
from tests.planning.fleets import random_fleet

from vgpu_migrate.model import Fleet, HostId, PlacementMode, Vm
from vgpu_migrate.model.placement import supported_placements
from vgpu_migrate.model.planfile import MigrateStep, Seat
from vgpu_migrate.planning import Move, Refusal, apply, drain
from vgpu_migrate.planning.moves import WAYS

H0 = HostId("h00")


def best(fleet: Fleet, leaving: list[Vm]) -> tuple[int, int]:
    """The most VMs that can be placed, and the least interruption among those ways, by trying them all."""
    seen: dict[tuple[int, object], tuple[int, int]] = {}

    def rest(now: Fleet, number: int) -> tuple[int, int]:
        if number == len(leaving):
            return 0, 0
        key = (number, tuple(sorted((vm.id, str(vm.vgpus)) for vm in now.vms.values() if vm.host != H0)))
        if key not in seen:
            options = [rest(now, number + 1)]
            for move in every_move(now, leaving[number]):
                found = apply(now, move)
                if not isinstance(found, Refusal):
                    placed, interruption = rest(found, number + 1)
                    options.append((placed + 1, interruption - WAYS.index(move.how)))
            seen[key] = max(options)
        return seen[key]

    return rest(fleet, 0)


def every_move(fleet: Fleet, vm: Vm) -> list[Move]:
    found = []
    for host in fleet.hosts.values():
        if host.id == H0:
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
                    found.append(move)
                    break
    return found


@pytest.mark.parametrize("seed", range(60))
def test_as_many_are_placed_as_can_be_with_as_little_interruption(seed: int) -> None:
    """On small fleets of every kind the plan is as good as the best of all plans."""
    fleet = random_fleet(
        seed,
        hosts=3 + seed % 2,
        gpus=1 + seed % 2,
        vms=14,
        odd=0.5,
        mixed=0.4,
        several=0.2 if seed % 4 == 0 else 0.0,
        memory=seed % 3 == 0,
        groups=2 if seed % 5 == 0 else 0,
        sizes=("A40-12Q", "A40-16Q", "A40-24Q", "A40-48Q"),
    )
    leaving = list(fleet.residents[H0])[:5]
    vms = {vm.id: vm for vm in fleet.vms.values() if vm.host != H0 or vm in leaving}
    fleet = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, vms)
    plan = drain(fleet, [H0]).plan
    ours = -sum(WAYS.index(step.how) for step in plan.steps if isinstance(step, MigrateStep))
    assert (len(plan.steps), ours) == best(fleet, leaving)
