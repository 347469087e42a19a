"""The courses of all domains as one plan: numbered, timed under the limits of the whole fleet, bounded.

Waves are counted in common: wave 2 of one domain has the number of wave 2 of any other. Domains wait for
each other only where a limit of the fleet makes them, or where sizes of waves are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.cost import migration_s
from vgpu_migrate.model.planfile import (
    Bounds,
    Count,
    Duration,
    Goal,
    MigrateStep,
    Plan,
    Reach,
    Step,
    UpgradeStep,
    bound_to_ms,
    to_ms,
)
from vgpu_migrate.planning.bounds import machines_bound
from vgpu_migrate.planning.course import Course
from vgpu_migrate.planning.precedence import NO_OUTAGE, Item, Limits
from vgpu_migrate.planning.timetable import timetable
from vgpu_migrate.planning.wave_order import in_waves


class Planned(NamedTuple):
    """A plan, and what its reader should know that the file format has no place for."""

    plan: Plan
    notes: tuple[str, ...]
    is_interrupted: bool = False
    """Whether it is only the best so far, because the run was interrupted."""


MOST_NAMES = 3
"""How many names a remark shows."""


def merge(
    fleet: Fleet,
    courses: Sequence[Course],
    goal: Goal,
    *,
    max_unavailable: int | None = None,
    wave_sizes: Sequence[int] = (),
) -> Planned:
    """One plan from the courses of the fleet's domains.

    Args:
        fleet: the whole fleet.
        courses: one for each domain; their order breaks ties.
        goal: what the plan is for.
        max_unavailable: how many hosts may be out of service at once; None: as many as the courses make so.
            A host is out of service in a wave that upgrades or pins it: from the start of the first
            migration of that wave that leaves it to the end of the last upgrade or pin of that wave on it.
        wave_sizes: the most hosts in the first, second, … wave of the fleet, the last for all further ones,
            as the courses keep them. Every step then waits for all upgrades of the wave before its own.

    Raises:
        ValueError: more hosts than `max_unavailable` can only go out of service together.
    """
    steps = list(_in_common(courses))
    outages = _outages(steps)
    if wave_sizes:
        steps, outages = in_waves(steps, outages, lambda step: _seconds(fleet, step))
    numbers = {host_id: number for number, host_id in enumerate(fleet.hosts)}
    items = [_item(fleet, step, numbers, outage) for step, outage in zip(steps, outages, strict=True)]
    per_host = [fleet.settings_of(host.domain).migrations_per_host for host in fleet.hosts.values()]
    times = timetable(items, Limits(per_host, fleet.settings.migrations_per_fleet, max_unavailable))
    order = sorted(range(len(steps)), key=lambda at: (times.starts[at], times.ends[at], at))
    number_of = {at: number for number, at in enumerate(order, 1)}
    timed = tuple(
        msgspec.structs.replace(
            steps[at],
            id=number_of[at],
            after=tuple(sorted(number_of[earlier] for earlier in items[at].after)),
            start_s=to_ms(times.starts[at]),
            end_s=to_ms(times.ends[at]),
        )
        for at in order
    )
    bounds = _bounds(fleet, courses, goal, timed, times.makespan_s, max_unavailable, wave_sizes)
    stuck = tuple(item for course in courses for item in course.stuck)
    notes = dict.fromkeys(note for course in courses for note in course.notes)
    return Planned(Plan(1, fleet.revision, goal, timed, stuck, bounds), (*notes, *_remarks(courses)))


def _remarks(courses: Sequence[Course]) -> Iterator[str]:
    """The remarks of all domains, each said once."""
    names: dict[str, list[str]] = {}
    for course in courses:
        for remark in course.remarks:
            names.setdefault(remark.said, []).extend(remark.names)
    for said, there in names.items():
        yield said.replace("{}", some_names(there))


def some_names(names: Sequence[str]) -> str:
    """All names where they are few, else the first and how many more."""
    shown = names if len(names) <= MOST_NAMES else names[: MOST_NAMES - 1]
    more = f" and {len(names) - len(shown):,} more" if len(shown) < len(names) else ""
    return f"{', '.join(shown)}{more}"


def _in_common(courses: Sequence[Course]) -> Iterator[Step]:
    """All steps, with ids and `after` as positions in this sequence."""
    first = 0
    for course in courses:
        position = {step.id: first + at for at, step in enumerate(course.steps)}
        for step in course.steps:
            after = tuple(position[earlier] for earlier in step.after)
            yield msgspec.structs.replace(step, id=position[step.id] + 1, after=after)
        first += len(course.steps)


def _outages(steps: Sequence[Step]) -> list[int]:
    """By step, the number of the outage that it belongs to."""
    outages: dict[tuple[HostId, int], int] = {}
    for step in steps:
        if not isinstance(step, MigrateStep):
            outages.setdefault((step.host, step.wave), len(outages))
    return [
        outages.get((step.source if isinstance(step, MigrateStep) else step.host, step.wave), NO_OUTAGE)
        for step in steps
    ]


def _item(fleet: Fleet, step: Step, numbers: dict[HostId, int], outage: int) -> Item:
    if isinstance(step, MigrateStep):
        hosts = numbers[step.source], numbers[step.target]
        return Item(_seconds(fleet, step), hosts, step.after, outage)
    seconds = 0.0
    if isinstance(step, UpgradeStep):
        seconds = fleet.settings_of(fleet.hosts[step.host].domain).upgrade_s
    return Item(seconds, (), step.after, outage)


def _seconds(fleet: Fleet, step: MigrateStep) -> float:
    return migration_s(fleet.vms[step.vm], fleet.settings_of(fleet.hosts[step.source].domain))


def _bounds(
    fleet: Fleet,
    courses: Sequence[Course],
    goal: Goal,
    steps: Sequence[Step],
    makespan_s: float,
    max_unavailable: int | None,
    wave_sizes: Sequence[int],
) -> Bounds:
    """The domains' bounds together, and what the limits of the fleet add to them."""
    parts = [course.bounds for course in courses]
    moves = sum(isinstance(step, MigrateStep) for step in steps)
    upgrades = [step for step in steps if isinstance(step, UpgradeStep)]
    waves = len({step.wave for step in upgrades})
    least_waves = max([0, *(part.waves for part in parts)])
    migrations = [seconds for part in parts for seconds in part.migrations_s]
    least_s = max([0.0, *(part.makespan_s for part in parts)])
    least_s = max(least_s, machines_bound(migrations, fleet.settings.migrations_per_fleet))
    if max_unavailable is not None:
        least_s = max(least_s, machines_bound([s for part in parts for s in part.out_s], max_unavailable))
    if wave_sizes and upgrades:
        # A plan that takes nothing in some wave has fewer of them that upgrade something.
        least_waves = max(least_waves, min(waves, _waves_of(wave_sizes, len(upgrades))))
        domains = {fleet.hosts[step.host].domain for step in upgrades}
        least_s = max(least_s, least_waves * min(fleet.settings_of(name).upgrade_s for name in domains))
    value_s = to_ms(makespan_s)
    # Sums in another order differ in the last bits.
    bound_s = value_s if makespan_s <= least_s + 1e-6 else min(value_s, bound_to_ms(least_s))
    reach = None
    if goal is not Goal.DRAIN:
        done = {
            step.host
            for step in steps
            if not isinstance(step, MigrateStep) and isinstance(step, UpgradeStep) == (goal is Goal.UPGRADE)
        }
        reach = Reach(len(done), sum(part.hosts or 0 for part in parts))
    return Bounds(
        moves=Count(moves, sum(part.moves for part in parts)),
        waves=Count(waves, least_waves),
        makespan_s=Duration(value_s, bound_s),
        hosts=reach,
    )


def _waves_of(sizes: Sequence[int], hosts: int) -> int:
    """How many waves of these sizes, the last of which repeats, so many hosts take."""
    for count, reached in enumerate(accumulate(sizes), 1):
        if reached >= hosts:
            return count
    return len(sizes) - (sum(sizes) - hosts) // sizes[-1]
