"""The bounds of a domain from those of its pools: for every plan that upgrades as many of its hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from vgpu_migrate.model import Fleet
from vgpu_migrate.planning.course import CourseBounds
from vgpu_migrate.planning.rolling.ask import UpgradeAsk
from vgpu_migrate.planning.rolling.bounds import PoolFigures
from vgpu_migrate.planning.rolling.pool import Pool


def domain_bounds(fleet: Fleet, pools: Sequence[Pool], ask: UpgradeAsk) -> CourseBounds:
    """What no plan betters that upgrades as many hosts of the domain as this one."""
    settings = fleet.settings_of(ask.domain)
    figures = [pool.figures for pool in pools]
    done = sum(len(pool.figures.wanted) - pool.result.outcome.blocked for pool in pools if pool.result)
    most = sum(each.most_upgraded for each in figures)
    if not done:
        return CourseBounds(0, 0, 0.0, hosts=most)
    # By pool, how many of its hosts are upgraded at the least, the others taking all they can.
    least = [max(0, done - (most - each.most_upgraded)) for each in figures]
    waves = [each.rounds(hosts, None) for each, hosts in zip(figures, least, strict=True)]
    seconds = [
        each.drain_s(settings.migrations_per_host)
        + each.rounds(hosts, ask.max_unavailable) * settings.upgrade_s
        for each, hosts in zip(figures, least, strict=True)
        if hosts
    ]
    is_whole = done == sum(len(each.wanted) for each in figures)
    return CourseBounds(
        moves=_fewest_moves(figures, done),
        waves=max([1, _fewest_waves(ask, done), *waves]),
        makespan_s=max(seconds, default=settings.upgrade_s),
        hosts=most,
        migrations_s=tuple([second for each in figures for second in each.migrations_s()])
        if is_whole
        else (),
        out_s=(settings.upgrade_s,) * done,
        moves_by_waves=tuple(_by_waves(pools)) if is_whole else (),
        left_s=tuple(_left_s(pools)) if is_whole else (),
    )


def _left_s(pools: Sequence[Pool]) -> Iterator[float]:
    """The seconds of migrations left in all pools, after so many times the seconds of an upgrade."""
    rows = [pool.figures.left_s(pool.result.outcome.moves) for pool in pools if pool.result]
    for column in zip_longest(*rows, fillvalue=0.0):
        yield sum(column)


def _by_waves(pools: Sequence[Pool]) -> Iterator[tuple[int, int]]:
    """For fewer waves than there are: the least moves of all pools together, where that can be."""
    most = max(pool.result.outcome.waves for pool in pools if pool.result)
    for waves in range(1, most):
        moves = [pool.figures.least_moves(waves) for pool in pools]
        known = [number for number in moves if number is not None]
        if len(known) == len(moves):
            yield waves, sum(known)


def _fewest_moves(figures: Sequence[PoolFigures], hosts: int) -> int:
    """Every VM of an upgraded host moves: the hosts with fewest, no more of a pool than can be upgraded.

    If as many are upgraded as can be, then so many of each pool: those upgraded whole need a first host.
    """
    loads = [sorted(each.loads)[: max(0, each.most_upgraded)] for each in figures]
    if hosts < sum(map(len, loads)):
        return sum(sorted([load for pool in loads for load in pool])[:hosts])
    return sum(
        each.moves if len(pool) == len(each.wanted) else sum(pool)
        for each, pool in zip(figures, loads, strict=True)
    )


def _fewest_waves(ask: UpgradeAsk, hosts: int) -> int:
    """By the wave sizes asked for alone."""
    if not ask.wave_sizes:
        return 1
    wave = reached = used = 0
    while reached < hosts:
        wave += 1
        size = ask.wave_size(wave) or 0
        reached += size
        used += size > 0
    return used
