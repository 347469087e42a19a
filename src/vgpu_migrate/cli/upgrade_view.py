"""A rolling upgrade for people: its waves, its pins, what stays old and why, and each figure's bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vgpu_migrate.cli import plan_view
from vgpu_migrate.cli.screen import BAD, GOOD, WEAK, Cell, Column, Screen, Words, count, seconds, some
from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.planfile import How, MigrateStep, PinStep, Plan, Step, UpgradeStep

MOST_WAVES_SHOWN = 40
MOST_MOVES_SHOWN = 60


def show(
    plan: Plan,
    fleet: Fleet,
    asked: Sequence[HostId],
    *,
    driver: str,
    show_all: bool,
    screen: Screen | None = None,
) -> None:
    """Tell an upgrade: a sentence, its waves, moves where they are few, what stays old, and the bounds.

    `asked`: the hosts to upgrade by name, of the fleet before the plan; none for all.
    """
    there = [fleet.hosts[host_id] for host_id in asked or fleet.hosts]
    has_driver = any(host.has_manager and host.driver == driver for host in there)
    screen = screen or Screen()
    _show_answer(screen, plan, driver, has_driver=has_driver)
    _show_waves(screen, plan, show_all=show_all)
    moves = [step for step in plan.steps if isinstance(step, MigrateStep)]
    if moves and (show_all or len(moves) <= MOST_MOVES_SHOWN):
        _show_moves(screen, moves)
    elif moves:
        screen.line(Cell("--all shows every move", WEAK))
    _show_pins(screen, [step for step in plan.steps if isinstance(step, PinStep)])
    plan_view.show_stuck(screen, plan.stuck, show_all=show_all)
    if plan.steps:
        plan_view.show_bounds(screen, plan)


def _show_answer(screen: Screen, plan: Plan, driver: str, *, has_driver: bool) -> None:
    upgraded = sum(isinstance(step, UpgradeStep) for step in plan.steps)
    old = [item.host for item in plan.stuck if item.vm is None]
    ways = Counter(step.how for step in plan.steps if isinstance(step, MigrateStep))
    how = ", ".join(f"{ways[way]:,} {way.value}" for way in How if ways[way])
    moved = f"{count(sum(ways.values()), 'move')} ({how})" if ways else "nothing moves"
    after = f" after {seconds(plan.bounds.makespan_s.value)}" if upgraded else ""
    if old:
        runs = f"{count(upgraded, 'host runs', 'hosts run')} {driver}{after}, {moved}"
        screen.line(
            Cell(
                f"{count(len(old), 'host stays', 'hosts stay')} as it is: {some(old)}; {runs}."
                if len(old) == 1
                else f"{len(old):,} hosts stay as they are: {some(old)}; {runs}.",
                BAD,
            )
        )
    elif not upgraded and plan.steps:
        lifted = sum(isinstance(step, PinStep) for step in plan.steps)
        screen.line(Cell(f"No host to upgrade; {count(lifted, 'pin')} lifted: {moved}.", GOOD))
    elif not upgraded and has_driver:
        screen.line(Cell(f"Every host asked for runs {driver} already; nothing to do.", GOOD))
    elif not upgraded:
        screen.line(Cell("No host to upgrade.", GOOD))
    else:
        runs = count(upgraded, "host runs", "hosts run")
        screen.line(Cell(f"{runs} {driver}{after}: {moved}.", GOOD))


def _show_waves(screen: Screen, plan: Plan, *, show_all: bool) -> None:
    by_wave: dict[int, list[Step]] = {}
    for step in plan.steps:
        by_wave.setdefault(step.wave, []).append(step)
    if not by_wave:
        return
    screen.line()
    screen.title("Waves")
    columns = (
        Column("wave", right=True),
        Column("hosts", right=True),
        Column("moves", right=True),
        Column("from", right=True),
        Column("until", right=True),
        Column("upgraded", wraps=True),
    )
    shown = sorted(by_wave) if show_all else sorted(by_wave)[:MOST_WAVES_SHOWN]
    screen.table(columns, (_wave_row(wave, by_wave[wave], show_all=show_all) for wave in shown))
    if len(shown) < len(by_wave):
        screen.line(Cell(f"and {len(by_wave) - len(shown):,} more waves; --all shows them", WEAK))


def _wave_row(wave: int, steps: Sequence[Step], *, show_all: bool) -> list[Words]:
    hosts = [step.host for step in steps if isinstance(step, UpgradeStep)]
    lifted = sum(isinstance(step, PinStep) and step.range is None for step in steps)
    names = some(hosts, len(hosts) if show_all else 6) if hosts else f"{count(lifted, 'pin')} lifted"
    moves = sum(isinstance(step, MigrateStep) for step in steps)
    return [
        str(wave),
        f"{len(hosts):,}",
        f"{moves:,}",
        seconds(min(step.start_s for step in steps)),
        seconds(max(step.end_s for step in steps)),
        names,
    ]


def _show_moves(screen: Screen, moves: Sequence[MigrateStep]) -> None:
    screen.line()
    screen.title("Moves")
    columns = (
        Column("wave", right=True),
        Column("step", right=True),
        Column("VM", wraps=True),
        Column("how"),
        Column("from host", wraps=True),
        Column("to", wraps=True),
        Column("gpus", wraps=True),
        Column("from", right=True),
        Column("until", right=True),
    )
    rows = [
        [str(move.wave), *row[:3], move.source, *row[3:]]
        for move in moves
        for row in [plan_view.move_row(move)]
    ]
    screen.table(columns, rows)


def _show_pins(screen: Screen, pins: Sequence[PinStep]) -> None:
    kept = [pin for pin in pins if pin.range is not None]
    if not kept:
        return
    lifted = {pin.host for pin in pins if pin.range is None}
    ranges: dict[str, list[str]] = {}
    for pin in kept:
        assert pin.range is not None
        ranges.setdefault(f"{pin.range[0]} to {pin.range[1]}", []).append(pin.host)
    screen.line()
    screen.title("Pins")
    columns = (
        Column("versions"),
        Column("hosts", right=True),
        Column("lifted", right=True),
        Column("which", wraps=True),
    )
    rows: list[list[Words]] = [
        [span, f"{len(hosts):,}", f"{sum(host in lifted for host in hosts):,}", some(hosts)]
        for span, hosts in sorted(ranges.items())
    ]
    screen.table(columns, rows)
