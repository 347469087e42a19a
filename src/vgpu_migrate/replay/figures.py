"""What a plan says about itself, against its steps: durations, limits, waves, goal, stuck, bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vgpu_migrate.model import Fleet, HostId, Settings
from vgpu_migrate.model.cost import migration_s
from vgpu_migrate.model.planfile import Goal, MigrateStep, PinStep, Plan, Step, UpgradeStep
from vgpu_migrate.replay.order import Order
from vgpu_migrate.replay.violations import Kind, Violation
from vgpu_migrate.replay.world import World

SECONDS_SLACK = 0.01
RELATIVE_SLACK = 1e-6


def check_durations(fleet: Fleet, order: Order) -> Iterator[Violation]:
    """Every step lasts as long as its cost says."""
    for step in order.steps:
        wanted = _duration(fleet, step)
        lasts = step.end_s - step.start_s
        if abs(lasts - wanted) > max(SECONDS_SLACK, RELATIVE_SLACK * wanted):
            yield Violation(step.id, Kind.TIMING, f"it lasts {lasts:.3f} s, and should {wanted:.3f} s")


def _duration(fleet: Fleet, step: Step) -> float:
    if isinstance(step, PinStep):
        return 0.0
    if isinstance(step, UpgradeStep):
        return _settings(fleet, step.host).upgrade_s
    return migration_s(fleet.vms[step.vm], _settings(fleet, step.source))


def _settings(fleet: Fleet, host_id: HostId) -> Settings:
    return fleet.settings_of(fleet.hosts[host_id].domain)


def check_parallel(fleet: Fleet, order: Order) -> Iterator[Violation]:
    """Never more migrations at once than a host, in and out together, or the fleet allows."""
    busy: Counter[str] = Counter()
    limits = {host.id: fleet.settings_of(host.domain).migrations_per_host for host in fleet.hosts.values()}
    everywhere = 0
    for seconds, is_start, step in order.events():
        if not isinstance(step, MigrateStep):
            continue
        change = 1 if is_start else -1
        everywhere += change
        for host_id in {step.source, step.target}:
            busy[host_id] += change
            if is_start and busy[host_id] > limits[host_id]:
                text = f"{busy[host_id]} migrations on {host_id} at {seconds} s, at most {limits[host_id]}"
                yield Violation(step.id, Kind.PARALLEL, text)
        most = fleet.settings.migrations_per_fleet
        if is_start and everywhere > most:
            text = f"{everywhere} migrations in the fleet at {seconds} s, at most {most}"
            yield Violation(step.id, Kind.PARALLEL, text)


def check_unavailable(order: Order, most: int) -> Iterator[Violation]:
    """Never more hosts out of service at once than allowed.

    A wave that upgrades or pins a host takes it out of service: from the start of the first migration of the
    wave that leaves it, or of that work itself, to the end of the wave's last upgrade or pin of it.
    """
    spans: dict[tuple[HostId, int], list[Step]] = {}
    for step in order.steps:
        if not isinstance(step, MigrateStep):
            spans.setdefault((step.host, step.wave), []).append(step)
    last = {key: max(step.end_s for step in works) for key, works in spans.items()}
    for step in order.steps:
        if isinstance(step, MigrateStep) and (step.source, step.wave) in spans:
            spans[step.source, step.wave].append(step)
    moments: list[tuple[float, int, Step]] = []
    for key, steps in spans.items():
        first = min(steps, key=lambda step: (step.start_s, step.id))
        if first.start_s < last[key]:
            moments += [(first.start_s, 1, first), (last[key], -1, first)]
    out = 0
    for seconds, change, step in sorted(moments, key=lambda moment: (*moment[:2], moment[2].id)):
        out += change
        if change > 0 and out > most:
            text = f"{out} hosts are out of service at {seconds} s, at most {most}"
            yield Violation(step.id, Kind.UNAVAILABLE, text)


def check_goal(plan: Plan) -> Iterator[Violation]:
    """A drain only migrates, and a pin plan upgrades nothing."""
    for step in plan.steps:
        wrong = (plan.goal is Goal.DRAIN and not isinstance(step, MigrateStep)) or (
            plan.goal is Goal.PIN and isinstance(step, UpgradeStep)
        )
        if wrong:
            what = "upgrade" if isinstance(step, UpgradeStep) else "pin"
            yield Violation(step.id, Kind.GOAL, f"the goal {plan.goal} has no {what}")


def check_waves(plan: Plan, order: Order) -> Iterator[Violation]:
    """No step waits for an upgrade of its own wave, but the pins of the host just upgraded."""
    upgrades: dict[int, list[UpgradeStep]] = {}
    for step in plan.steps:
        if isinstance(step, UpgradeStep):
            upgrades.setdefault(step.wave, []).append(step)
    bit = {wave: 1 << number for number, wave in enumerate(upgrades)}
    waited: dict[int, int] = {}
    """By step, the waves of the upgrades that it waits for or is."""
    for step in order.steps:
        waves = 0
        for earlier in step.after:
            waves |= waited[earlier]
        waited[step.id] = waves | (bit[step.wave] if isinstance(step, UpgradeStep) else 0)
        if not waves & bit.get(step.wave, 0):
            continue
        for upgrade in upgrades[step.wave]:
            is_its_pin = isinstance(step, PinStep) and step.host == upgrade.host
            if not is_its_pin and order.waits(step.id, upgrade.id):
                text = f"it waits for the upgrade of {upgrade.host}, step {upgrade.id} of its own wave"
                yield Violation(step.id, Kind.WAVE, text)


def check_stuck(plan: Plan, fleet: Fleet, end: World) -> Iterator[Violation]:
    """What is stuck is there, is where the plan leaves it, and nothing was done to it."""
    worked_on = {step.host for step in plan.steps if not isinstance(step, MigrateStep)}
    moved = {step.vm for step in plan.steps if isinstance(step, MigrateStep)}
    upgraded = {step.host for step in plan.steps if isinstance(step, UpgradeStep)}
    for (vm_id, host_id), count in Counter((item.vm, item.host) for item in plan.stuck).items():
        if count > 1:
            yield Violation(None, Kind.DUPLICATE, f"{vm_id or host_id} is stuck {count} times")
    for item in plan.stuck:
        if item.host not in fleet.hosts:
            yield Violation(None, Kind.UNKNOWN, f"stuck: no host {item.host}")
        elif item.vm is None:
            if item.host in worked_on:
                yield Violation(None, Kind.STUCK, f"{item.host} is stuck and is worked on")
        elif item.vm not in fleet.vms:
            yield Violation(None, Kind.UNKNOWN, f"stuck: no VM {item.vm}")
        elif not fleet.vms[item.vm].state.holds_vgpus:
            text = f"{item.vm} is {fleet.vms[item.vm].state}, holds no vgpu, and cannot be stuck"
            yield Violation(None, Kind.STUCK, text)
        elif plan.goal is Goal.DRAIN and item.vm in moved:
            yield Violation(None, Kind.STUCK, f"{item.vm} is stuck and moves")
        elif item.host in upgraded:
            yield Violation(None, Kind.STUCK, f"{item.vm} is stuck on {item.host}, which is upgraded")
        elif end.vms[item.vm].host != item.host:
            text = f"{item.vm} is stuck on {item.host}, but the plan leaves it on {end.vms[item.vm].host}"
            yield Violation(None, Kind.STUCK, text)


def check_bounds(plan: Plan) -> Iterator[Violation]:
    """The figures are those of the steps, and none is beyond its own bound."""
    bounds = plan.bounds
    moves = sum(isinstance(step, MigrateStep) for step in plan.steps)
    waves = len({step.wave for step in plan.steps if isinstance(step, UpgradeStep)})
    makespan = max((step.end_s for step in plan.steps), default=0.0)
    for name, said, seen in (("moves", bounds.moves, moves), ("waves", bounds.waves, waves)):
        if said.value != seen:
            yield Violation(None, Kind.BOUNDS, f"{name} {said.value} said, {seen} counted")
        if said.lower_bound > said.value:
            yield Violation(None, Kind.BOUNDS, f"{name} {said.value} below their bound {said.lower_bound}")
    if abs(bounds.makespan_s.value - makespan) > SECONDS_SLACK:
        text = f"makespan {bounds.makespan_s.value} s said, {makespan} s counted"
        yield Violation(None, Kind.BOUNDS, text)
    if bounds.makespan_s.lower_bound > bounds.makespan_s.value + SECONDS_SLACK:
        yield Violation(None, Kind.BOUNDS, "the makespan is below its own bound")
    yield from _check_hosts(plan)


def _check_hosts(plan: Plan) -> Iterator[Violation]:
    said = plan.bounds.hosts
    if plan.goal is Goal.DRAIN:
        if said is not None:
            yield Violation(None, Kind.BOUNDS, "a drain has no figure for hosts")
        return
    if said is None:
        yield Violation(None, Kind.BOUNDS, "the figure for hosts is missing")
        return
    kind = UpgradeStep if plan.goal is Goal.UPGRADE else PinStep
    hosts = len({step.host for step in plan.steps if isinstance(step, kind)})
    if said.value != hosts:
        yield Violation(None, Kind.BOUNDS, f"hosts {said.value} said, {hosts} counted")
    if said.value > said.upper_bound:
        yield Violation(None, Kind.BOUNDS, f"hosts {said.value} above their bound {said.upper_bound}")
