"""The ranges that keep a fleet migratable, as JSON and for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from vgpu_migrate.cli import foresight_answers as forms
from vgpu_migrate.cli.answers import Range, spell_range, spell_version
from vgpu_migrate.cli.screen import (
    BAD,
    GOOD,
    NOTE,
    STRONG,
    WEAK,
    Cell,
    Column,
    Screen,
    Words,
    count,
    seconds,
    some,
)
from vgpu_migrate.cli.what_if import show_compared
from vgpu_migrate.model import Fleet
from vgpu_migrate.model.planfile import MigrateStep, PinStep, Plan
from vgpu_migrate.planning.pins import HostPin, PinGroup, Recommendation, Stranded

MOST_GROUPS, MOST_STRANDED, MOST_STUCK, MOST_WAVES = 12, 12, 12, 24
PIN = "vgpu-migrate host pin"


def answer(
    fleet: Fleet, found: Recommendation, plan: Plan, compared: forms.ComparedAnswer | None
) -> forms.PinFleetAnswer:
    """The answer of `pin --json`."""
    return forms.PinFleetAnswer(
        groups=[_group(fleet, group) for group in found.groups],
        homeless=_stranded(found.homeless),
        order=_order(plan),
        moves=plan.bounds.moves.value,
        makespan_s=plan.bounds.makespan_s.value,
        stuck=[
            forms.PinStuck(item.host, item.vm, item.reason.value, list(item.remedies)) for item in plan.stuck
        ],
        compared=compared,
    )


def is_yes(found: forms.PinFleetAnswer) -> bool:
    """Whether one range serves each group, nobody is stranded and every host can be pinned."""
    is_served = all(group.parts == 1 and not group.stranded for group in found.groups)
    return is_served and not found.homeless and not found.stuck


def _group(fleet: Fleet, group: PinGroup) -> forms.PinGroupRow:
    pins = {pin.host: pin for pin in group.pins}
    rows = []
    for host_id in group.hosts:
        pin = pins.get(host_id)
        rows.append(
            forms.PinRow(
                host=host_id,
                range=spell_range(fleet.hosts[host_id].range_in_force),
                wanted=None if pin is None else spell_range(pin.wanted),
                needed=pin is not None and pin.is_needed,
                is_preset=pin is not None and pin.is_preset,
                commands=[] if pin is None or not pin.is_needed else _commands(pin),
            )
        )
    return forms.PinGroupRow(
        domain=group.domain,
        boards=list(group.boards),
        part=group.part,
        parts=group.parts,
        range=spell_range(group.range),
        lowest_by=list(group.lowest_by),
        highest_by=list(group.highest_by),
        free_now=group.is_free_now,
        hosts=rows,
        stranded=_stranded(group.stranded),
        lowered=group.lowered,
        split=[
            forms.PinSplitRow(
                hosts=list(part.hosts),
                range=spell_range(part.range),
                stranded=_stranded(part.stranded),
                lowered=part.lowered,
            )
            for part in group.split
        ],
    )


def _commands(pin: HostPin) -> list[str]:
    """What puts a range in force on a host and keeps it."""
    if pin.is_preset:
        return [f"{PIN} --remove", "vgpu-migrate host set-range --preset"]
    return [f"{PIN} --range {pin.wanted.minimum:#x} {pin.wanted.maximum:#x} --apply"]


def _stranded(found: Sequence[Stranded]) -> list[forms.StrandedRow]:
    return [
        forms.StrandedRow(one.vm, one.host, one.why.value, spell_version(one.held), spell_version(one.after))
        for one in found
    ]


def _order(plan: Plan) -> list[forms.PinWave]:
    waves: dict[int, tuple[list[str], int]] = {}
    for step in sorted(plan.steps, key=lambda step: step.wave):
        hosts, moves = waves.get(step.wave, ([], 0))
        if isinstance(step, PinStep):
            hosts.append(step.host)
        waves[step.wave] = hosts, moves + isinstance(step, MigrateStep)
    return [forms.PinWave(wave, hosts, moves) for wave, (hosts, moves) in waves.items()]


def show(found: forms.PinFleetAnswer, *, show_all: bool, screen: Screen | None = None) -> None:
    """A sentence, the groups and their ranges, whom they strand, and the order to apply them in."""
    screen = screen or Screen()
    _show_sentence(screen, found)
    shown = found.groups if show_all else found.groups[:MOST_GROUPS]
    for group in shown:
        screen.line()
        _show_group(screen, group, show_all=show_all)
    if len(shown) < len(found.groups):
        screen.line(Cell(f"and {len(found.groups) - len(shown):,} more groups; --all shows them", WEAK))
    if found.homeless:
        names = some([one.vm for one in found.homeless])
        screen.line()
        screen.line(Cell(f"On no host, and would load in no group: {names}", NOTE))
    _show_order(screen, found, show_all=show_all)
    _show_stuck(screen, found, show_all=show_all)
    if found.compared is not None:
        show_compared(screen, found.compared, show_all=show_all)


def _show_sentence(screen: Screen, found: forms.PinFleetAnswer) -> None:
    split = sum(group.part == 1 and group.parts > 1 for group in found.groups)
    stranded = sum(len(group.stranded) for group in found.groups) + len(found.homeless)
    hosts = sum(row.needed for group in found.groups for row in group.hosts)
    stuck = sum(item.vm is None for item in found.stuck)
    groups = f"{count(len(found.groups), 'group')} of hosts among which VMs move live"
    trouble = [
        *([f"{count(split, 'group has', 'groups have')} no version in common"] if split else []),
        *([f"{count(stranded, 'VM is', 'VMs are')} stranded"] if stranded else []),
        *([f"{count(stuck, 'host', 'hosts')} cannot be emptied"] if stuck else []),
    ]
    if trouble:
        screen.line(Cell(f"{groups}: {', '.join(trouble)}.", BAD))
    elif hosts:
        screen.line(Cell(f"{groups}: {count(hosts, 'host is', 'hosts are')} to be pinned.", GOOD))
    else:
        screen.line(Cell(f"{groups}: every host has the range that it should.", GOOD))


def _show_group(screen: Screen, group: forms.PinGroupRow, *, show_all: bool) -> None:
    part = f", part {group.part} of {group.parts}" if group.parts > 1 else ""
    boards = ", ".join(group.boards)
    has_pins = any(row.needed for row in group.hosts)
    names = "" if has_pins else f", nothing to set on {some([row.host for row in group.hosts])}"
    screen.title(f"{group.domain}, {boards}: {count(len(group.hosts), 'host')}{part}{names}")
    unasked = [row.host for row in group.hosts if row.wanted is None]
    rows: list[tuple[str, Words]] = [
        ("range", Cell("no preset range is known", NOTE) if group.range is None else _say(group.range))
    ]
    if group.lowest_by:
        rows.append(("begins there for", some(group.lowest_by)))
    if group.highest_by:
        rows.append(("ends there for", some(group.highest_by)))
    if unasked:
        rows.append(("left out", Cell(f"{some(unasked)}: no version in the range, or none known", NOTE)))
    if group.lowered:
        vms = count(group.lowered, "VM gets", "VMs get")
        rows.append(("costs", f"{vms} an older version at the next reboot"))
    with screen.indented():
        screen.facts(rows)
        _show_pins(screen, group, show_all=show_all)
        _show_stranded(screen, group, show_all=show_all)
        _show_split(screen, group, show_all=show_all)


def _say(known: Range | None) -> str:
    return "unknown" if known is None else f"{known[0]}-{known[1]}"


def _show_pins(screen: Screen, group: forms.PinGroupRow, *, show_all: bool) -> None:
    """Hosts with the same range now and the same order as one row."""
    alike: dict[tuple[Range | None, tuple[str, ...]], list[str]] = {}
    for row in group.hosts:
        if row.needed:
            alike.setdefault((row.range, tuple(row.commands)), []).append(row.host)
    if not alike:
        return
    columns = (
        Column("hosts", wraps=True),
        Column("in force"),
        Column("on each, while it is empty", wraps=True),
    )
    rows: list[list[Words]] = [
        [some(hosts, len(hosts) if show_all else 6), _say(known), "; ".join(commands)]
        for (known, commands), hosts in alike.items()
    ]
    screen.table(columns, rows)


_WHY = {
    "would-not-load": "its guest driver has no version there",
    "holds-newer": "holds a newer version until its guest is rebooted",
    "holds-older": "holds an older version until its guest is rebooted",
}


def _show_stranded(screen: Screen, group: forms.PinGroupRow, *, show_all: bool) -> None:
    if not group.stranded:
        return
    screen.line(Cell(f"stranded: {count(len(group.stranded), 'VM')}", STRONG))
    columns = (
        Column("VM", wraps=True),
        Column("on"),
        Column("holds"),
        Column("after a reboot"),
        Column("why", wraps=True),
    )
    shown = group.stranded if show_all else group.stranded[:MOST_STRANDED]
    rows: list[list[Words]] = [
        [
            one.vm,
            one.host or "–",
            one.held or "–",
            one.after_reboot or "–",
            Cell(_WHY[one.why], BAD if one.why == "would-not-load" else NOTE),
        ]
        for one in shown
    ]
    screen.table(columns, rows)
    if len(shown) < len(group.stranded):
        screen.line(Cell(f"and {len(group.stranded) - len(shown):,} more; --all shows them", WEAK))


def _show_split(screen: Screen, group: forms.PinGroupRow, *, show_all: bool) -> None:
    if not group.split:
        return
    left = sum(len(part.stranded) for part in group.split)
    whom = count(left, "VM") if left else "nobody"
    said = f"or two ranges, which strand {whom}, without free moves between their hosts"
    screen.line(Cell(said, STRONG))
    columns = (
        Column("hosts", wraps=True),
        Column("range"),
        Column("stranded", wraps=True),
        Column("get an older version", right=True),
    )
    most = None if show_all else 6
    rows: list[list[Words]] = [
        [
            some(part.hosts, most or len(part.hosts)),
            "–" if part.range is None else _say(part.range),
            some([one.vm for one in part.stranded], most or len(part.stranded)) or "–",
            f"{part.lowered:,}",
        ]
        for part in group.split
    ]
    screen.table(columns, rows)


def _show_order(screen: Screen, found: forms.PinFleetAnswer, *, show_all: bool) -> None:
    if not found.order:
        return
    screen.line()
    pinned = sum(len(wave.hosts) for wave in found.order)
    moves = count(found.moves, "move")
    took = seconds(found.makespan_s)
    screen.title(f"Order: {count(pinned, 'host')} pinned after {took}, {moves}; -o writes the plan")
    columns = (
        Column("wave", right=True),
        Column("moves", right=True),
        Column("then pinned", wraps=True),
    )
    shown = found.order if show_all else found.order[:MOST_WAVES]
    rows: list[list[Words]] = [
        [str(wave.wave), f"{wave.moves:,}", some(wave.hosts, len(wave.hosts) if show_all else 6)]
        for wave in shown
    ]
    screen.table(columns, rows)
    if len(shown) < len(found.order):
        screen.line(Cell(f"and {len(found.order) - len(shown):,} more waves; --all shows them", WEAK))


def _show_stuck(screen: Screen, found: forms.PinFleetAnswer, *, show_all: bool) -> None:
    hosts = [item for item in found.stuck if item.vm is None]
    if not hosts:
        return
    screen.line()
    screen.title("Cannot be emptied")
    shown = hosts if show_all else hosts[:MOST_STUCK]
    rows = [(item.host, cast("Words", "; ".join(item.remedies) or item.reason)) for item in shown]
    screen.facts(rows)
    if len(shown) < len(hosts):
        screen.line(Cell(f"and {len(hosts) - len(shown):,} more; --all shows them", WEAK))
