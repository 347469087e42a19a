"""Seeded random plans of every goal, on random fleets of every kind, each with the replay's verdict.

A seed is all that a case depends on: `case_of(seed)` gives the same fleet, question and plan anywhere.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace
from tests.planning.fleets import random_fleet

from vgpu_migrate import facts
from vgpu_migrate.model import (
    Fleet,
    Host,
    HostId,
    Profile,
    Settings,
    VersionRange,
    Vm,
    VmId,
    VmState,
)
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.model.planfile import Goal, MigrateStep, PinStep, Plan, UpgradeStep
from vgpu_migrate.planning import Pins, drain, upgrade
from vgpu_migrate.planning.pin_fleet import pin_fleet
from vgpu_migrate.planning.pins import recommend
from vgpu_migrate.replay import Violation, replay
from vgpu_migrate.replay.order import Order, order_of

DRIVERS = ("550.90.05", "580.65.05", "580.126.08", "570.86.16", "535.161.05", "999.1.1")
GUESTS = ("525.147.05", "535.161.07", "550.54.14", "570.86.15", "580.65.06")
SIZES = (
    ("A40-4Q",),
    ("A40-8Q", "A40-12Q"),
    ("A40-4Q", "A40-8Q", "A40-12Q", "A40-24Q"),
    ("A40-24Q", "A40-48Q"),
)
WAYS_TO_ASK = ("drain", "drain with defragmentation", "upgrade", "upgrade of some hosts", "pin")


class Case(NamedTuple):
    """A question about a fleet, and the plan that answers it."""

    seed: int
    asked: str
    """What was asked, in words."""
    fleet: Fleet
    plan: Plan
    max_unavailable: int | None
    hosts: frozenset[HostId]
    """To be emptied, to be upgraded or to be pinned."""
    driver: str | None = None
    """To be installed."""
    ranges: Mapping[HostId, VersionRange] = {}
    """To be set."""

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What the replay finds wrong."""
        return replay(self.fleet, self.plan, max_unavailable=self.max_unavailable)

    @property
    def unanswered(self) -> set[str]:
        """VMs still on hosts to be emptied, or hosts still to be upgraded, of which the plan says nothing."""
        left = {item.host for item in self.plan.stuck if item.vm is None}
        if self.plan.goal is Goal.DRAIN:
            last = {step.vm: step.target for step in self.plan.steps if isinstance(step, MigrateStep)}
            stuck = {item.vm for item in self.plan.stuck}
            leaving = [vm for host_id in self.hosts for vm in self.fleet.residents[host_id]]
            return {vm.id for vm in leaving if last.get(vm.id, vm.host) in self.hosts and vm.id not in stuck}
        if self.plan.goal is Goal.PIN:
            pins = [step for step in self.plan.steps if isinstance(step, PinStep)]
            done = {pin.host for pin in pins}
            asked = {h for h in self.hosts if self.fleet.hosts[h].range_in_force != self.ranges[h]}
            return asked - done - left | (done & left)
        done = {step.host for step in self.plan.steps if isinstance(step, UpgradeStep)}
        asked = {host_id for host_id in self.hosts if self.fleet.hosts[host_id].driver != self.driver}
        return asked - done - left | (done & left)

    @property
    def early_lifts(self) -> set[HostId]:
        """Hosts whose pin may be lifted while one that their VMs may go to is still to be upgraded."""
        order = order_of(self.plan)
        assert isinstance(order, Order)
        upgrades = [step for step in self.plan.steps if isinstance(step, UpgradeStep)]
        lifts = [step for step in self.plan.steps if isinstance(step, PinStep) and step.range is None]
        return {
            lift.host
            for lift in lifts
            for upgrade in upgrades
            if self._kind(lift.host) & self._kind(upgrade.host) and not order.waits(lift.id, upgrade.id)
        }

    def _kind(self, host_id: HostId) -> set[tuple[str, str]]:
        host = self.fleet.hosts[host_id]
        return {(host.domain, gpu.board.key) for gpu in host.gpus}


def case_of(seed: int) -> Case:
    """The case of a seed; the seed's remainder by five picks what is asked."""
    rng = random.Random(seed)
    asked = WAYS_TO_ASK[seed % len(WAYS_TO_ASK)]
    fleet = a_fleet_of_any_kind(seed, rng)
    hosts = rng.sample(sorted(fleet.hosts), max(1, len(fleet.hosts) // rng.choice([2, 3, 6])))
    if asked.startswith("drain"):
        others = sorted(set(fleet.hosts) - set(hosts))
        named = rng.sample(others, len(others) // 2 + 1) if others and rng.random() < 0.1 else None
        avoid = rng.sample(others, 1) if others and rng.random() < 0.1 else ()
        is_defrag = asked.endswith("defragmentation")
        plan = drain(fleet, hosts, to=named, avoid=avoid, defrag=is_defrag).plan
        return Case(seed, f"{asked} of {', '.join(hosts)}", fleet, plan, None, frozenset(hosts))
    if asked == "pin":
        ranges = some_ranges(fleet, rng)
        plan = pin_fleet(fleet, ranges).plan
        return Case(seed, asked, fleet, plan, None, frozenset(ranges), ranges=ranges)
    options = upgrade_options(rng)
    driver = rng.choice(DRIVERS)
    some = hosts if asked.endswith("some hosts") else list(fleet.hosts)
    plan = upgrade(fleet, driver, hosts=some, **options).plan
    words = f"{asked} to {driver}, {options}"
    return Case(seed, words, fleet, plan, options["max_unavailable"], frozenset(some), driver)


def upgrade_options(rng: random.Random) -> dict[str, Any]:
    """Limits and pins for an upgrade."""
    return {
        "waves": rng.choice([(), (), (), (1,), (1, 2), (2, 1, 3)]),
        "max_unavailable": rng.choice([None, None, 1, 2, 3]),
        "pins": rng.choice([Pins.AUTO, Pins.AUTO, Pins.ALWAYS, Pins.NEVER]),
    }


def some_ranges(fleet: Fleet, rng: random.Random) -> dict[HostId, VersionRange]:
    """What is recommended, or another range for each, or its own again."""
    if rng.random() < 0.4:
        return dict(recommend(fleet).wanted)
    found = {}
    common = rng.choice([VersionRange(0x70001, 0x120001), VersionRange(0x120001, 0x140001)])
    for host in fleet.hosts.values():
        if host.preset_range is not None and host.has_manager and rng.random() < 0.8:
            known = host.preset_range.intersection(common) if rng.random() < 0.8 else host.preset_range
            found[host.id] = known or host.preset_range
    return found


def a_fleet_of_any_kind(seed: int, rng: random.Random) -> Fleet:
    """Mixed sizes, MIG, several vgpus, memory, groups, drivers, owners, legacy VMs, domains with profiles."""
    hosts_in_all, gpus_each = rng.choice([2, 3, 4, 6, 9, 12, 20]), rng.choice([1, 2, 4])
    fleet = random_fleet(
        seed,
        hosts=hosts_in_all,
        gpus=gpus_each,
        vms=hosts_in_all * gpus_each * rng.choice([1, 2, 2, 3, 5]) // rng.choice([1, 2]),
        mixed=rng.choice([0, 0.3, 1]),
        odd=rng.choice([0, 0, 0.1, 0.3]),
        memory=rng.random() < 0.3,
        groups=rng.choice([0, 0, 2, 4]),
        several=rng.choice([0, 0, 0.3]),
        mig=rng.choice([0, 0, 0, 0.3, 1]),
        domains=rng.choice([1, 1, 1, 2, 3]),
        sizes=rng.choice(SIZES),
    )
    legacy, newer = rng.choice([0, 0, 0.05, 0.3]), rng.choice([0, 0, 0.5])
    hosts = {host.id: _some_driver(host, rng, newer) for host in fleet.hosts.values()}
    vms = {}
    for vm in fleet.vms.values():
        host = hosts[vm.host] if vm.host is not None else None
        vms[vm.id] = _some_guest(vm, host, rng, legacy)
    for number in range(rng.choice([0, 0, 3])):
        like = rng.choice(list(vms.values())) if vms else None
        if like is not None:
            name = VmId(f"away-{number}")
            vms[name] = _at_rest(like, name, rng)
    everywhere = rng.choice([1, 2, 4, 32])
    domains = {
        name: Settings(
            profile=rng.choice([Profile.DEFAULT] * 4 + list(Profile)),
            migrations_per_host=rng.choice([1, 2, 4]),
            migrations_per_fleet=everywhere,
            bandwidth_gbit_s=rng.choice([10.0, 25.0]),
            overhead_s=rng.choice([0.0, 5.0]),
            upgrade_s=rng.choice([600.0, 1800.0]),
        )
        for name in dict.fromkeys(host.domain for host in hosts.values())
    }
    return Fleet(seed, Settings(migrations_per_fleet=everywhere), domains, hosts, vms)


def _some_driver(host: Host, rng: random.Random, share: float) -> Host:
    """A host, or with some chance the same with another driver and its range."""
    if rng.random() >= share:
        return host
    driver = rng.choice(DRIVERS[:-1])
    preset = facts.host_driver(driver).preset_range
    return replace(host, driver=driver, preset_range=preset, range_in_force=preset)


def _some_guest(vm: Vm, host: Host | None, rng: random.Random, legacy: float) -> Vm:
    """A VM with a version that its host can run; with some chance its guest driver says which."""
    known = host.range_in_force if host is not None else None
    if known is None or vm.state is VmState.BOOTING:
        return vm
    driver, held = vm.guest_driver, vm.vgpus[0].vgpu_version
    if rng.random() < legacy:
        driver = rng.choice(GUESTS[:2])
        guest = facts.guest_driver(driver)
        held = negotiate(guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=known)
    elif rng.random() < 0.2:
        driver = rng.choice(GUESTS)
        guest = facts.guest_driver(driver)
        held = negotiate(guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=known)
    elif held is not None and held not in known:
        held = max(known.minimum, min(held, known.maximum))
    return replace(
        vm, guest_driver=driver, vgpus=tuple([replace(vgpu, vgpu_version=held) for vgpu in vm.vgpus])
    )


def _at_rest(like: Vm, name: VmId, rng: random.Random) -> Vm:
    """A VM like another, off or hibernated, at no host."""
    state = rng.choice([VmState.OFF, VmState.HIBERNATED])
    vgpus = tuple([replace(vgpu, gpu=None, placement=None) for vgpu in like.vgpus])
    if state is VmState.OFF:
        vgpus = tuple([replace(vgpu, vgpu_version=None) for vgpu in vgpus])
    return replace(like, id=name, host=None, state=state, vgpus=vgpus, anti_affinity=())


class Tally(NamedTuple):
    """What a case came to, small enough to travel between processes."""

    seed: int
    asked: str
    steps: int
    moves: int
    stuck: int
    violations: tuple[str, ...]


def tally(seed: int) -> Tally:
    """Plan the case of a seed, replay it and count."""
    case = case_of(seed)
    moves = sum(isinstance(step, MigrateStep) for step in case.plan.steps)
    said = [str(violation) for violation in case.violations]
    said += [f"nothing is said of {name}" for name in sorted(case.unanswered)]
    said += [f"the pin of {name} is lifted too early" for name in sorted(case.early_lifts)]
    return Tally(seed, case.asked, len(case.plan.steps), moves, len(case.plan.stuck), tuple(said))
