"""Go on with a plan that was interrupted: by a failure, by a VM that came meanwhile, or on purpose.

The fleet is taken as it is now, and planned anew from there; the old plan tells what was wanted and what is
half done. Hosts that it pinned are still to be lifted; those that it upgraded and has not pinned yet are
pinned first, where they are empty; waves that are over do not count again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model import Fleet, HostId, VersionRange
from vgpu_migrate.model.planfile import Goal, MigrateStep, PinStep, Plan, Step, UpgradeStep, hex_range
from vgpu_migrate.planning.coordinator import ALONE, Terms
from vgpu_migrate.planning.drain_fleet import drain
from vgpu_migrate.planning.merge import Planned
from vgpu_migrate.planning.pin_fleet import pin_fleet
from vgpu_migrate.planning.rolling import Pins
from vgpu_migrate.planning.standing import done_steps
from vgpu_migrate.planning.upgrade_fleet import upgrade

MOST_NAMED = 3


class Standing(NamedTuple):
    """What has become of an old plan, by step."""

    done: tuple[Step, ...]
    kept: tuple[Step, ...]
    """Steps of the old plan that the new one makes, too."""
    dropped: tuple[Step, ...]
    new: tuple[Step, ...]
    """Steps of the new plan that the old one had not left."""


def resume_drain(fleet: Fleet, hosts: Sequence[HostId], *, old: Plan, **asked: Any) -> Planned:
    """Plan to empty hosts from where an old plan for them was left; `asked` as in `drain`.

    Raises:
        InputError: it is no drain plan, or one for another fleet.
    """
    _check(fleet, old, Goal.DRAIN)
    planned = drain(fleet, hosts, **asked)
    return _with_standing(fleet, old, planned)


def resume_pin(
    fleet: Fleet, wanted: Mapping[HostId, VersionRange], *, old: Plan, terms: Terms = ALONE
) -> Planned:
    """Plan to pin hosts from where an old plan for it was left.

    Args:
        fleet: as it is now.
        wanted: as in `pin_fleet`; hosts that the old plan pins get the range that they have there.
        old: the plan that was begun.
        terms: where to plan, and in what time.

    Raises:
        InputError: it is no plan for pins, or one for another fleet.
        OutsideError: the place to plan in cannot be reached.
    """
    _check(fleet, old, Goal.PIN)
    ranges = dict(wanted)
    for step in sorted(old.steps, key=lambda step: (step.end_s, step.id)):
        if isinstance(step, PinStep) and step.host in fleet.hosts:
            preset = fleet.hosts[step.host].preset_range
            known = step.version_range or preset
            if preset is not None and known is not None and preset.covers(known):
                ranges[step.host] = known
    return _with_standing(fleet, old, pin_fleet(fleet, ranges, terms=terms))


def resume_upgrade(
    fleet: Fleet,
    driver: str,
    *,
    old: Plan,
    hosts: Sequence[HostId] | None = None,
    max_unavailable: int | None = None,
    waves: Sequence[int] = (),
    pins: Pins = Pins.AUTO,
    remedies: int = 0,
    terms: Terms = ALONE,
) -> Planned:
    """Plan to finish a rolling upgrade from where an old plan for it was left.

    Args:
        fleet: as it is now.
        driver: the host driver to install, the old plan's.
        old: the plan that was begun.
        hosts: the hosts to upgrade; None: those of the old plan, done or stuck.
        max_unavailable: as in `upgrade`.
        waves: the sizes as asked for the old plan; what its waves have used up is left out.
        pins: as in `upgrade`.
        remedies: as in `upgrade`.
        terms: where to plan, and in what time.

    Raises:
        InputError: it is no upgrade plan, one to another driver, or one for another fleet.
        UnknownNameError, OutsideError: as `upgrade`.
    """
    _check(fleet, old, Goal.UPGRADE)
    other = {step.driver for step in old.steps if isinstance(step, UpgradeStep)} - {driver}
    if other:
        wanted = f"the plan to resume installs {', '.join(sorted(other))}"
        raise InputError(Problem("driver", driver, wanted))
    done = done_steps(fleet, old)
    named = tuple(hosts) if hosts is not None else _hosts_of(fleet, old)
    late = {} if pins is Pins.NEVER else _unpinned(fleet, old, done, driver)
    first = {host_id: known for host_id, known in late.items() if not fleet.residents[host_id]}
    planned = upgrade(
        _pinned(fleet, first),
        driver,
        hosts=named or None,
        max_unavailable=max_unavailable,
        waves=waves_left(old, done, waves),
        pins=pins,
        lifts=_still_pinned(fleet, old, driver) | first.keys(),
        remedies=remedies,
        terms=terms,
    )
    notes = [
        f"{host_id} was upgraded and not pinned, and holds VMs by now: its range stays the driver's own"
        for host_id in late
        if host_id not in first
    ]
    plan = with_pins_first(planned.plan, first)
    return _with_standing(fleet, old, planned._replace(plan=plan, notes=(*notes, *planned.notes)))


def _check(fleet: Fleet, old: Plan, goal: Goal) -> None:
    if old.goal is not goal:
        raise InputError(Problem("goal", old.goal, f"the plan to resume must be for {goal}"))
    names = {host_id for step in old.steps for host_id in _hosts_in(step)} | {item.host for item in old.stuck}
    if names and names.isdisjoint(fleet.hosts):
        wanted = "none of the plan's hosts is in this fleet"
        raise InputError(Problem("hosts", ", ".join(sorted(names)[:MOST_NAMED]), wanted))


def _hosts_in(step: Step) -> tuple[HostId, ...]:
    return (step.source, step.target) if isinstance(step, MigrateStep) else (step.host,)


def _hosts_of(fleet: Fleet, old: Plan) -> tuple[HostId, ...]:
    """The hosts that an upgrade plan was for, as far as it says and they are still there."""
    named = {step.host for step in old.steps if isinstance(step, UpgradeStep)}
    named |= {item.host for item in old.stuck if item.vm is None}
    return tuple([host_id for host_id in fleet.hosts if host_id in named])


def _still_pinned(fleet: Fleet, old: Plan, driver: str) -> set[HostId]:
    """The hosts that have a pin of the old plan."""
    found = set()
    for step in old.steps:
        if isinstance(step, PinStep) and step.range is not None and step.host in fleet.hosts:
            host = fleet.hosts[step.host]
            if host.driver == driver and host.range_in_force == step.version_range != host.preset_range:
                found.add(host.id)
    return found


def _unpinned(fleet: Fleet, old: Plan, done: Collection[int], driver: str) -> dict[HostId, VersionRange]:
    """Hosts that the old plan upgraded and has not pinned yet, with the range; none where no host is old."""
    hosts = [fleet.hosts[host_id] for host_id in _hosts_of(fleet, old)]
    if all(host.driver == driver for host in hosts):
        return {}
    lifted = {s.host for s in old.steps if isinstance(s, PinStep) and s.range is None and s.id in done}
    found = {}
    for step in old.steps:
        if isinstance(step, PinStep) and step.host in fleet.hosts and step.host not in lifted:
            known, host = step.version_range, fleet.hosts[step.host]
            is_wide = known is not None and host.preset_range is not None and host.preset_range.covers(known)
            if known is not None and is_wide and host.driver == driver and known != host.range_in_force:
                found[host.id] = known
    return found


def _pinned(fleet: Fleet, first: Mapping[HostId, VersionRange]) -> Fleet:
    hosts = {
        host.id: msgspec.structs.replace(host, range_in_force=first.get(host.id, host.range_in_force))
        for host in fleet.hosts.values()
    }
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, hosts, fleet.vms)


def with_pins_first(plan: Plan, first: Mapping[HostId, VersionRange]) -> Plan:
    """A plan made as if empty hosts were pinned, with the steps that pin them before all that needs it."""
    if not first:
        return plan
    numbers = {host_id: number for number, host_id in enumerate(first, 1)}
    pins: list[Step] = [
        PinStep(number, 1, host_id, hex_range(first[host_id]), 0.0, 0.0, ())
        for host_id, number in numbers.items()
    ]
    steps = []
    for step in plan.steps:
        host = step.target if isinstance(step, MigrateStep) else step.host
        after = [earlier + len(pins) for earlier in step.after]
        if host in numbers:
            after.insert(0, numbers[host])
        steps.append(msgspec.structs.replace(step, id=step.id + len(pins), after=tuple(after)))
    return msgspec.structs.replace(plan, steps=(*pins, *steps))


def waves_left(old: Plan, done: Collection[int], waves: Sequence[int]) -> tuple[int, ...]:
    """The wave sizes that are left when some steps of a plan are done; the last one holds for ever."""
    hosts: dict[int, list[int]] = {}
    for step in old.steps:
        if isinstance(step, UpgradeStep):
            hosts.setdefault(step.wave, []).append(step.id)
    left = list(waves)
    for wave in sorted(hosts):
        begun = sum(step_id in done for step_id in hosts[wave])
        is_over = begun == len(hosts[wave])
        if not left or not begun:
            break
        if not is_over:
            left = [max(1, left[0] - begun), *(left[1:] or left)]
            break
        left = left[1:] or left
    return tuple(left)


def standing_of(fleet: Fleet, old: Plan, new: Plan) -> Standing:
    """What of an old plan is done, and what of the rest a new one keeps."""
    done = done_steps(fleet, old)
    left = {_effect(step): step for step in old.steps if step.id not in done}
    made = {_effect(step) for step in new.steps}
    return Standing(
        done=tuple([step for step in old.steps if step.id in done]),
        kept=tuple([step for effect, step in left.items() if effect in made]),
        dropped=tuple([step for effect, step in left.items() if effect not in made]),
        new=tuple([step for step in new.steps if _effect(step) not in left]),
    )


def _effect(step: Step) -> tuple[object, ...]:
    """What a step does, whenever it does it; on which gpus does not matter."""
    if isinstance(step, MigrateStep):
        return "migrate", step.vm, step.how, step.source, step.target
    return (step.host, step.driver) if isinstance(step, UpgradeStep) else ("pin", step.host, step.range)


def _with_standing(fleet: Fleet, old: Plan, planned: Planned) -> Planned:
    standing = standing_of(fleet, old, planned.plan)
    parts = [
        f"{len(standing.done)} of its {len(old.steps)} steps are done",
        f"{len(standing.kept)} go on as they were",
        f"{len(standing.dropped)} are dropped{_named(standing.dropped)}",
        f"{len(standing.new)} are new{_named(standing.new)}",
    ]
    return planned._replace(
        notes=(f"the plan resumed: {', '.join(parts)}", *_gone(fleet, old), *planned.notes)
    )


def _named(steps: Sequence[Step]) -> str:
    if not steps:
        return ""
    more = "; …" if len(steps) > MOST_NAMED else ""
    return f" ({'; '.join(map(_words, steps[:MOST_NAMED]))}{more})"


def _words(step: Step) -> str:
    if isinstance(step, MigrateStep):
        return f"{step.vm} {step.how} from {step.source} to {step.target}"
    if isinstance(step, UpgradeStep):
        return f"upgrade {step.host}"
    return (
        f"lift {step.host}" if step.range is None else f"pin {step.host} to {step.range[0]}..{step.range[1]}"
    )


def _gone(fleet: Fleet, old: Plan) -> list[str]:
    """Names of the old plan that the fleet no longer has."""
    hosts = {host_id for step in old.steps for host_id in _hosts_in(step)} - set(fleet.hosts)
    vms = {step.vm for step in old.steps if isinstance(step, MigrateStep)} - set(fleet.vms)
    return [
        f"no longer in the fleet: {what} {', '.join(sorted(names)[:MOST_NAMED])}"
        + (" and others" if len(names) > MOST_NAMED else "")
        for what, names in (("hosts", hosts), ("VMs", vms))
        if names
    ]
