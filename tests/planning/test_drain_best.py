"""Small drains against every possible one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm, random_fleet

from vgpu_migrate.model import Fleet, HostId, PlacementMode, Vm
from vgpu_migrate.model.placement import supported_placements
from vgpu_migrate.model.planfile import MigrateStep, Seat
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import Move, Refusal, apply, drain
from vgpu_migrate.planning.moves import WAYS
from vgpu_migrate.replay import replay

H0 = HostId("h00")


def best(fleet: Fleet, leaving: list[Vm]) -> tuple[int, int]:
    """The most VMs that can be placed, and the least interruption among those ways, by trying them all."""
    seen: dict[tuple[int, object], tuple[int, int]] = {}

    def rest(now: Fleet, number: int) -> tuple[int, int]:
        if number == len(leaving):
            return 0, 0
        key = (number, tuple(sorted(what_counts(vm) for vm in now.vms.values() if vm.host != H0)))
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


def what_counts(vm: Vm) -> tuple[object, ...]:
    """What a VM takes where it is."""
    seats = tuple((vgpu.type.short, vgpu.gpu, vgpu.placement or 0) for vgpu in vm.vgpus)
    return seats, vm.memory_mib, vm.vcpus or 0, vm.anti_affinity


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
    assert ours(fleet) == best(fleet, leaving)


def ours(fleet: Fleet) -> tuple[int, int]:
    """What the planner reaches, as `best` counts it."""
    plan = drain(fleet, [H0]).plan
    assert replay(fleet, plan) == ()
    return len(plan.steps), -sum(WAYS.index(step.how) for step in plan.steps if isinstance(step, MigrateStep))


WILL = {
    "live": States.LIVE,
    "cold": States.COLD,
    "either": States.LIVE | States.COLD,
    "asleep": States.COLD | States.HIBERNATE,
}


def contended(movers: Sequence[tuple[str, str]], gpus: Sequence[tuple[PlacementMode, bool]]) -> Fleet:
    """Movers (type, what their owner allows) on h00, and one empty host with gpus (mode, ECC)."""
    target = a_host("h01", [a_gpu("h01", n, mode=mode, ecc=ecc) for n, (mode, ecc) in enumerate(gpus)])
    vms = [
        a_vm(f"v{n}", f"h00/{n}", type_, allow=WILL[will], guest_driver="550.54.14")
        for n, (type_, will) in enumerate(movers)
    ]
    return a_fleet([a_host("h00", len(movers)), target], vms)


@pytest.mark.parametrize("large", ["live", "either"])
@pytest.mark.parametrize("position", range(3))
def test_one_that_could_go_live_does_not_keep_two_from_going_cold(large: str, position: int) -> None:
    """Fewest stuck comes before least interruption, in whatever order the file names the VMs."""
    movers = [("A40-12Q", "cold"), ("A40-12Q", "cold")]
    movers.insert(position, ("A40-24Q", large))
    assert ours(contended(movers, [(PlacementMode.EQUAL, True)])) == (2, -6)


def test_large_and_small_are_packed_together() -> None:
    """Where gpus of equal and mixed size differ to the rules, who goes where is searched to the end."""
    types = ["A40-24Q", "A40-8Q", "A40-8Q", "A40-8Q", "A40-16Q", "A40-24Q"]
    gpus = [(PlacementMode.EQUAL, False), (PlacementMode.MIXED, True), (PlacementMode.EQUAL, True)]
    assert ours(contended([(type_, "live") for type_ in types], gpus)) == (6, 0)


@settings(max_examples=150, deadline=None)
@given(
    movers=st.lists(
        st.tuples(
            st.sampled_from(["A40-12Q", "A40-16Q", "A40-24Q", "A40-48Q"]), st.sampled_from(sorted(WILL))
        ),
        min_size=2,
        max_size=5,
    ),
    gpus=st.lists(
        st.tuples(st.sampled_from(PlacementMode), st.booleans()),
        min_size=1,
        max_size=2,
    ),
)
def test_owners_of_every_mind_are_served_as_well_as_can_be(
    movers: list[tuple[str, str]], gpus: list[tuple[PlacementMode, bool]]
) -> None:
    """Where owners differ in what they allow, the plan is still as good as the best of all plans."""
    fleet = contended(movers, gpus)
    assert ours(fleet) == best(fleet, list(fleet.residents[H0]))
