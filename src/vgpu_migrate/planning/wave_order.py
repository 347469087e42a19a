"""Waves as canaries: nothing of a wave begins, in any domain, before every upgrade of the wave before ended.

A plan file has only steps that wait for steps: where all of a wave wait for all upgrades of the wave before,
these are as many pairs as the product of both. Where that is many, one migration of the wave waits for all
these upgrades, and the others for that migration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from msgspec.structs import replace

from vgpu_migrate.model.planfile import MigrateStep, Step, UpgradeStep

MOST_PAIRS = 400
"""With more pairs than that in a wave, one migration goes before the others."""


def in_waves(
    steps: Sequence[Step], outages: Sequence[int], seconds_of: Callable[[MigrateStep], float]
) -> tuple[list[Step], list[int]]:
    """Steps wave by wave, each wave after all upgrades of the wave before; and their outages.

    Args:
        steps: of all domains, each after those that it waits for, none of which is of a later wave; `after`
            has positions in this sequence.
        outages: by step, the outage that it belongs to.
        seconds_of: how long a migration takes.
    """
    order = sorted(range(len(steps)), key=lambda at: steps[at].wave)
    found: list[tuple[int, set[int]]] = []
    gates: list[int] = []
    for _, members in groupby(order, key=lambda at: steps[at].wave):
        wave = list(members)
        here = set(wave)
        after = {at: set(steps[at].after) for at in wave}
        # The others of the wave wait for these, one way or another.
        roots = [at for at in wave if here.isdisjoint(after[at])]
        first = None
        if len(roots) * len(gates) > MOST_PAIRS:
            first = _first(steps, outages, wave, roots, seconds_of)
        for at in roots:
            after[at].update(gates if first in (None, at) else [first])
        if first is not None:
            wave.remove(first)
            wave.insert(0, first)
        found += [(at, after[at]) for at in wave]
        gates = [at for at in wave if isinstance(steps[at], UpgradeStep)] or gates
    number_of = {at: number for number, (at, _) in enumerate(found)}
    ordered = [
        replace(steps[at], id=number + 1, after=tuple(sorted([number_of[earlier] for earlier in after])))
        for number, (at, after) in enumerate(found)
    ]
    return ordered, [outages[at] for at, _ in found]


def _first(
    steps: Sequence[Step],
    outages: Sequence[int],
    wave: Sequence[int],
    roots: Sequence[int],
    seconds_of: Callable[[MigrateStep], float],
) -> int | None:
    """The shortest migration for which the others of a wave may wait; None where there is none.

    Nothing in its outage may wait for another of the wave: else either could only go together with the other.
    """
    here = set(wave)
    bound = {
        outages[at]
        for at in wave
        for earlier in steps[at].after
        if earlier in here
        if outages[earlier] != outages[at]
    }
    migrations = [
        (seconds_of(step), at)
        for at in roots
        if isinstance(step := steps[at], MigrateStep) and outages[at] not in bound
    ]
    return min(migrations)[1] if migrations else None
