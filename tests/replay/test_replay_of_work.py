"""What upgrades and pins do to a host, and cold starts to a VM, as later steps of a plan meet it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_host, a_vm
from tests.replay.plans import move, pin, plan, upgrade

from vgpu_migrate.model import Fleet, HostId, VersionRange, Vm
from vgpu_migrate.model.planfile import Goal, How, MigrateStep, PinStep, Step, UpgradeStep
from vgpu_migrate.nvml import States
from vgpu_migrate.replay import Kind, replay

NARROW = VersionRange(0x70001, 0x120001)
NEW = "580.126.08"
"""From 0x120001 to 0x1a0001."""


def in_turn(*steps: Step) -> list[Step]:
    """Steps one after another, each waiting for the one before."""
    done: list[Step] = []
    seconds = 0.0
    for step in steps:
        lasts = step.end_s - step.start_s
        upgrades = sum(isinstance(each, UpgradeStep) for each in done)
        done.append(
            replace(
                step,
                id=len(done) + 1,
                wave=max(1, upgrades + (not isinstance(step, PinStep))),
                start_s=seconds,
                end_s=seconds + lasts,
                after=(done[-1].id,) if done else (),
            )
        )
        seconds += lasts
    return done


def found(fleet: Fleet, *steps: Step) -> set[Kind]:
    """What is wrong with these steps in turn."""
    return {item.kind for item in replay(fleet, plan(fleet, *in_turn(*steps), goal=Goal.UPGRADE))}


def hosts_and(*vms: Vm, **of_h2: Any) -> Fleet:
    """Two hosts, the second of which is empty and perhaps special, and a third like the first."""
    return a_fleet([a_host("h1"), a_host("h2", **of_h2), a_host("h3")], vms)


def back(vm: Vm, target: str, source: str, how: How = How.LIVE) -> MigrateStep:
    """A later move of a VM, from where it is then."""
    return move(0, vm, target, source=HostId(source), how=how)


def test_an_upgrade_puts_the_range_back_to_the_preset() -> None:
    """A range that an administrator set is gone with the old driver, so that VMs beyond it may come."""
    vm = a_vm("v1", "h1/0")
    fleet = hosts_and(vm, range_in_force=NARROW)
    assert found(fleet, move(0, vm, "h2")) == {Kind.RULES}
    assert found(fleet, upgrade(0, "h2"), move(0, vm, "h2")) == set()


def test_who_comes_to_an_upgraded_host_meets_its_new_range() -> None:
    """A VM below the new driver's least version may go there before the upgrade and not after."""
    vm = a_vm("v1", "h1/0", vgpu_version=0x110001)
    fleet = hosts_and(vm)
    assert found(fleet, move(0, vm, "h2")) == set()
    assert found(fleet, upgrade(0, "h2"), move(0, vm, "h2")) == {Kind.RULES}


def test_a_pin_is_in_force_until_it_is_lifted() -> None:
    """A VM above a pinned range may come before the pin and after its lifting, and not between."""
    vm = a_vm("v1", "h1/0", vgpu_version=0x140001)
    fleet = hosts_and(vm)
    narrow = pin(0, "h2", "0x70001", "0x120001")
    assert found(fleet, narrow, move(0, vm, "h2")) == {Kind.RULES}
    assert found(fleet, narrow, pin(0, "h2"), move(0, vm, "h2")) == set()
    assert found(fleet, narrow, upgrade(0, "h2"), move(0, vm, "h2")) == set()


def test_a_pin_lies_inside_the_preset_of_the_driver_that_is_there_then() -> None:
    """What the old driver could be pinned to, the new one may not, and the reverse."""
    fleet = hosts_and()
    low, high = pin(0, "h2", "0x70001", "0x120001"), pin(0, "h2", "0x140001", "0x1a0001")
    assert found(fleet, low) == found(fleet, upgrade(0, "h2"), high) == set()
    assert found(fleet, high) == found(fleet, upgrade(0, "h2"), low) == {Kind.RANGE}


def test_who_returns_to_a_host_pinned_meanwhile_meets_the_pin() -> None:
    """A VM leaves, its host is pinned below its version: it cannot come back, and its leaving was needed."""
    vm = a_vm("v1", "h1/0")
    narrow = pin(0, "h1", "0x70001", "0x120001")
    fleet = hosts_and(vm)
    assert found(fleet, move(0, vm, "h2"), narrow) == set()
    assert found(fleet, move(0, vm, "h2"), narrow, back(vm, "h1", "h2")) == {Kind.RULES}
    assert found(fleet, narrow, move(0, vm, "h2")) == {Kind.NOT_EMPTY}


@pytest.mark.parametrize(("how", "wrong"), [(How.COLD, {Kind.RULES}), (How.HIBERNATE, set())])
def test_a_cold_start_negotiates_anew_and_the_other_ways_keep_the_version(how: How, wrong: set[Kind]) -> None:
    """Started cold on an upgraded host a guest gets its newest version, which the old hosts cannot run."""
    way = States.COLD if how is How.COLD else States.HIBERNATE
    vm = a_vm("v1", "h1/0", guest_driver="570.86.15", allow=way)
    again = a_vm("v1", "h1/0", guest_driver="570.86.15", allow=way | States.LIVE)
    assert found(hosts_and(vm), upgrade(0, "h2"), move(0, vm, "h2", how=how)) == set()
    there_and_back = upgrade(0, "h2"), move(0, vm, "h2", how=how), back(vm, "h3", "h2", how=how)
    assert found(hosts_and(vm), *there_and_back) == (wrong if how is not How.COLD else set())
    live = upgrade(0, "h2"), move(0, again, "h2", how=how), back(again, "h3", "h2")
    assert found(hosts_and(again), *live) == {Kind.HOW, *wrong}


def test_a_cold_start_under_a_pin_stays_inside_it() -> None:
    """Where the upgraded host is pinned to what the old ones run, the VM can go back live."""
    vm = a_vm("v1", "h1/0", guest_driver="570.86.15", allow=States.LIVE | States.COLD, migration=True)
    fleet = hosts_and(vm)
    pinned = pin(0, "h2", "0x120001", "0x140001")
    steps = upgrade(0, "h2"), pinned, move(0, vm, "h2", how=How.COLD), back(vm, "h3", "h2")
    assert found(fleet, *steps) == {Kind.HOW}
    without = upgrade(0, "h2"), move(0, vm, "h2", how=How.COLD), back(vm, "h3", "h2")
    assert found(fleet, *without) == {Kind.HOW, Kind.RULES}


def test_figures_of_a_pin_plan_count_the_hosts_it_pins() -> None:
    """A host pinned and lifted counts once, and waves count upgrades alone."""
    fleet = hosts_and()
    steps = in_turn(pin(0, "h2", "0x120001", "0x140001"), pin(0, "h2"), pin(0, "h3", "0x120001", "0x140001"))
    sound = plan(fleet, *steps, goal=Goal.PIN)
    assert sound.bounds.hosts is not None
    assert (sound.bounds.hosts.value, sound.bounds.waves.value, replay(fleet, sound)) == (2, 0, ())
