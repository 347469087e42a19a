"""What a page shows, as data, against the fleet and the plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from tests.pictures.plans import drawn, every_kind
from tests.planning.fleets import a_fleet, a_host, a_vm
from tests.replay.plans import move, plan

from vgpu_migrate.compat import classify
from vgpu_migrate.errors import InputError
from vgpu_migrate.model import Fleet, HostId, VmId
from vgpu_migrate.model.placement import supported_placements
from vgpu_migrate.model.planfile import MigrateStep, Plan
from vgpu_migrate.nvml import States
from vgpu_migrate.pictures import Remark, report_of
from vgpu_migrate.pictures.aftermath import fleet_after
from vgpu_migrate.pictures.class_map import MOST_GPU_CLASSES, NO_VERDICT, ClassNames, class_map
from vgpu_migrate.pictures.stays import Stay, stays_of
from vgpu_migrate.replay.order import Order, order_of
from vgpu_migrate.replay.world import World, end_migrate, start_migrate, upgrade_or_pin, world_of

SEEDS = range(24)


def run(fleet: Fleet, of: Plan) -> World:
    """The end of a plan as the replay sees it, which shares no code with pictures; its objections apart."""
    world, order = world_of(fleet), order_of(of)
    assert isinstance(order, Order)
    for _, is_start, step in order.events():
        if isinstance(step, MigrateStep):
            if is_start:
                list(start_migrate(world, step))
            else:
                end_migrate(world, step)
        elif is_start:
            list(upgrade_or_pin(world, step))
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_the_fleet_after_a_plan_is_that_of_the_replay(seed: int) -> None:
    """Hosts and VMs after real plans are what the independent check comes to."""
    fleet, of = drawn(seed)
    world, after = run(fleet, of), fleet_after(fleet, of.steps)
    assert (after.hosts, after.vms) == (world.hosts, world.vms)


def test_the_fleet_after_every_kind_of_step_is_that_of_the_replay() -> None:
    """Moves in every way, an upgrade, a pin and its lifting."""
    fleet, of = every_kind()
    world, after = run(fleet, of), fleet_after(fleet, of.steps)
    assert (after.hosts, after.vms) == (world.hosts, world.vms)
    assert after.hosts[HostId("a1")].driver == "580.126.08"


def tenants(stays: list[Stay], time_s: float) -> Counter[tuple[str, str, int]]:
    """What is on each gpu at a time: gpu, VM, type."""
    there = (stay for stay in stays if stay.begin_s <= time_s < stay.end_s)
    return Counter((stay.gpu, stay.vm, stay.type.row) for stay in there)


def seated(fleet: Fleet) -> Counter[tuple[str, str, int]]:
    """What is on each gpu of a fleet at rest."""
    return Counter(
        (vgpu.gpu, vm.id, vgpu.type.row)
        for vms in fleet.residents.values()
        for vm in vms
        for vgpu in vm.vgpus
        if vgpu.gpu is not None
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_occupancy_begins_and_ends_with_the_fleets(seed: int) -> None:
    """Before the plan the gpus hold what the fleet says, after it what the fleet after it says."""
    fleet, of = drawn(seed)
    stays = stays_of(fleet, of.steps)
    assert tenants(stays, -0.5) == seated(fleet)
    assert tenants(stays, of.bounds.makespan_s.value + 1) == seated(fleet_after(fleet, of.steps))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_vgpus_lie_at_one_place(seed: int) -> None:
    """At every moment slots, placements and parts of GPU instances are there, and each has one vgpu."""
    fleet, of = drawn(seed)
    stays = stays_of(fleet, of.steps)
    for time_s in sorted({stay.begin_s for stay in stays}):
        there = [stay for stay in stays if stay.begin_s <= time_s < stay.end_s]
        assert max(Counter((stay.gpu, stay.at, stay.part) for stay in there).values()) == 1
        for stay in there:
            gpu = fleet.gpus[stay.gpu]
            if gpu.mig:
                assert gpu.mig[stay.at] == stay.type.gi_slices
            elif gpu.mode.value == "mixed":
                assert stay.at in supported_placements(gpu.board, stay.type)
            else:
                assert stay.at < stay.type.max_instances


def test_a_live_move_holds_both_gpus_and_a_cold_one_only_its_target() -> None:
    """A VM that moves live is on two gpus meanwhile; one that is off the source from the start, on one."""
    fleet, of = every_kind()
    stays = stays_of(fleet, of.steps)
    assert [stay.gpu for stay in stays if stay.vm == "web-1" and stay.begin_s <= 1.0 < stay.end_s] == [
        "a1/0",
        "a2/0",
    ]
    assert [stay.gpu for stay in stays if stay.vm == "cold" and stay.begin_s <= 21.0 < stay.end_s] == ["a2/1"]


def test_a_plan_of_another_revision_is_refused() -> None:
    """As the replay refuses it, before anything is drawn."""
    fleet, of = every_kind()
    with pytest.raises(InputError, match="this fleet has revision 8; plan anew"):
        report_of(replace(fleet, revision=8), of)


def test_steps_with_unknown_names_are_left_out_and_told() -> None:
    """A page is made of what the fleet knows; the rest is said in words."""
    fleet = a_fleet([a_host("h1"), a_host("h2")], [a_vm("v", "h1/0")])
    vm = fleet.vms[VmId("v")]
    bad = msgspec.structs.replace(vm, id="gone")
    report = report_of(fleet, plan(fleet, move(1, vm, "h2"), move(2, bad, "h3")))
    assert report.steps.id == [1]
    assert report.left_out == ["step 2: no host h3 and no VM gone and no gpu h3/0"]


def test_a_plan_that_overfills_gpus_is_drawn_all_the_same() -> None:
    """What a broken plan says is shown beside what the check says of it."""
    hosts = [a_host("h1", 3), a_host("h2")]
    vms = [a_vm(f"v{number}", f"h1/{number}", "A40-48Q") for number in range(3)]
    fleet = a_fleet(hosts, vms)
    steps = [move(number + 1, vm, "h2") for number, vm in enumerate(vms)]
    report = report_of(fleet, plan(fleet, *steps), remarks=[Remark(1, "capacity", "h2/0: \ud800")])
    assert sorted(report.stays.at) == [0, 0, 0, 0, 1, 2]
    assert report.remarks == [Remark(1, "capacity", "h2/0: ?")]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_maps_hold_every_vm_and_every_gpu(seed: int) -> None:
    """Each cell is the verdict of its classes; the same class has the same name before and after."""
    fleet, of = drawn(seed)
    names = ClassNames()
    maps = [class_map(fleet, names), class_map(fleet_after(fleet, of.steps), names)]
    for found, there in zip(maps, (fleet, fleet_after(fleet, of.steps)), strict=True):
        classes = classify(there)
        assert sum(line.members for line in found.vms) == len(classes.vm_class)
        assert sum(line.members for line in found.gpus) == len(classes.gpu_class)
        cells = Counter(cell.states for cell in classes.cells())
        kinds = Counter(States(found.kinds[kind].states) for row in found.cells for kind in row if kind >= 0)
        assert kinds == cells
        assert len({line.name for line in found.gpus}) == len(found.gpus)
    unchanged = {line for line in maps[0].gpus if line in maps[1].gpus}
    assert all(line.name.startswith("G") for line in unchanged)


def test_a_very_varied_fleet_has_its_largest_classes_on_the_map() -> None:
    """The classes left out are counted."""
    hosts = [a_host(f"h{n:03}", 2 if n % 2 else 1) for n in range(90)]
    odd = [
        msgspec.structs.replace(
            host, gpus=tuple(msgspec.structs.replace(gpu, topology=n) for gpu in host.gpus)
        )
        for n, host in enumerate(hosts)
    ]
    found = class_map(a_fleet(odd, [a_vm("v", "h000/0")]), ClassNames())
    assert (len(found.gpus), found.more_gpus) == (MOST_GPU_CLASSES, 30)
    assert Counter(line.members for line in found.gpus) == {2: 45, 1: 15}


def test_other_boards_have_no_verdict() -> None:
    """A cell whose boards differ is blank."""
    fleet = a_fleet([a_host("h1"), a_host("h2", board="L40S")], [a_vm("v", "h1/0")])
    found = class_map(fleet, ClassNames())
    assert [line.board for line in found.gpus] == ["A40", "L40S"]
    assert found.cells == [[0, NO_VERDICT]]
