"""A plan for people: what moves where, what stays and why, and each figure beside its bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vgpu_migrate.cli.evidence_view import say_seen
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
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.files import atomic_write
from vgpu_migrate.model import HostId
from vgpu_migrate.model.planfile import How, MigrateStep, Plan, Seat, Stuck, write_plan

MOST_STEPS_SHOWN = 60
MOST_STUCK_SHOWN = 12
COUNTED = "fleet"
"""The basis of what was counted in the fleet file; that needs no naming beside the counts."""


def save(plan: Plan, path: str, *, fleet: str) -> None:
    """Write a plan file, whole or not at all.

    Raises:
        InputError: there is no such directory, or it is the fleet file, which is never written.
        OutsideError: it cannot be written.
    """
    if Path(path).exists() and Path(fleet).exists() and Path(path).samefile(fleet):
        raise InputError(Problem(path, "the fleet file", "wanted another file for the plan"))
    atomic_write(path, write_plan(plan))


def show(plan: Plan, *, emptied: Sequence[HostId], show_all: bool, screen: Screen | None = None) -> None:
    """Tell a plan: a sentence, a table of moves for each host, what is stuck, and the bounds."""
    screen = screen or Screen()
    moves = [step for step in plan.steps if isinstance(step, MigrateStep)]
    _show_answer(screen, plan, moves, emptied)
    if len(moves) <= MOST_STEPS_SHOWN or show_all:
        for host in emptied:
            _show_moves(screen, host, [move for move in moves if move.source == host])
        _show_aside(screen, moves, emptied)
    else:
        _show_sums(screen, moves, emptied)
    show_stuck(screen, plan.stuck, show_all=show_all)
    if moves:
        show_bounds(screen, plan)


def _show_answer(screen: Screen, plan: Plan, moves: Sequence[MigrateStep], emptied: Sequence[HostId]) -> None:
    hosts = some(emptied)
    ways = Counter(move.how for move in moves)
    how = ", ".join(f"{ways[way]:,} {_SAID[way]}" for way in How if ways[way])
    done = f"{count(len(moves), 'VM moves', 'VMs move')} ({how})" if moves else "nothing moves"
    aside = len([move for move in moves if move.source not in set(emptied)])
    if aside:
        done = f"{count(len(moves), 'move')} ({how}), {aside:,} of them to make room"
    if plan.stuck:
        screen.line(Cell(f"{count(len(plan.stuck), 'VM stays', 'VMs stay')} on {hosts}; {done}.", BAD))
    elif not moves:
        screen.line(Cell(f"{hosts}: no VM holds a vgpu there; nothing to do.", GOOD))
    else:
        time = seconds(plan.bounds.makespan_s.value)
        are = "is" if len(emptied) == 1 else "are"
        screen.line(Cell(f"{hosts} {are} empty after {time}: {done}.", GOOD))


_SAID = {How.LIVE: "live", How.SLEEP: "asleep", How.HIBERNATE: "hibernated", How.COLD: "powered off"}


def _show_moves(screen: Screen, host: HostId, moves: Sequence[MigrateStep]) -> None:
    if not moves:
        return
    screen.line()
    screen.title(f"{host}: {count(len(moves), 'move')}")
    columns = (
        Column("step", right=True),
        Column("VM", wraps=True),
        Column("how"),
        Column("to", wraps=True),
        Column("gpus", wraps=True),
        Column("from", right=True),
        Column("until", right=True),
    )
    screen.table(columns, (move_row(move) for move in moves))


def _show_aside(screen: Screen, moves: Sequence[MigrateStep], emptied: Sequence[HostId]) -> None:
    """Who moves only to make room, and for whom."""
    named = set(emptied)
    aside = [move for move in moves if move.source not in named]
    if not aside:
        return
    waiting: dict[int, list[str]] = {move.id: [] for move in aside}
    for move in moves:
        for earlier in move.after:
            if earlier in waiting:
                waiting[earlier].append(move.vm)
    screen.line()
    screen.title(f"To make room: {count(len(aside), 'move')}")
    columns = (
        Column("step", right=True),
        Column("VM", wraps=True),
        Column("how"),
        Column("host"),
        Column("to", wraps=True),
        Column("gpus", wraps=True),
        Column("makes room for", wraps=True),
    )
    rows: list[list[Words]] = []
    for move in aside:
        step, vm, how, target, gpus, *_ = move_row(move)
        rows.append([step, vm, how, move.source, target, gpus, some(waiting[move.id]) or "–"])
    screen.table(columns, rows)


def move_row(move: MigrateStep) -> list[Words]:
    """A move in a table: step, VM, how, target, gpus, from, until."""
    return [
        str(move.id),
        move.vm,
        Cell(move.how.value, GOOD if move.how is How.LIVE else NOTE),
        move.target,
        ", ".join(map(_say_seat, move.gpus)),
        seconds(move.start_s),
        seconds(move.end_s),
    ]


def _say_seat(seat: Seat) -> str:
    return seat.gpu if seat.placement is None else f"{seat.gpu} at {seat.placement} GiB"


def _show_sums(screen: Screen, moves: Sequence[MigrateStep], emptied: Sequence[HostId]) -> None:
    """A line for each host of a large plan."""
    by_source: dict[HostId, list[MigrateStep]] = {host: [] for host in emptied}
    aside: list[MigrateStep] = []
    for move in moves:
        by_source.get(move.source, aside).append(move)
    screen.line()
    columns = (
        Column("host"),
        Column("VMs", right=True),
        *(Column(way.value, right=True) for way in How),
        Column("to hosts", right=True),
        Column("empty after", right=True),
    )
    rows: list[list[Words]] = []
    for host, leaving in by_source.items():
        ways = Counter(move.how for move in leaving)
        targets = {move.target for move in leaving}
        end = seconds(max((move.end_s for move in leaving), default=0.0))
        counted = [f"{ways[way]:,}" if ways[way] else "–" for way in How]
        rows.append([host, f"{len(leaving):,}", *counted, f"{len(targets):,}", end])
    screen.table(columns, rows)
    if aside:
        hosts = count(len({move.source for move in aside}), "other host")
        screen.line(f"{count(len(aside), 'move')} of VMs of {hosts} to make room")
    screen.line(Cell("--all shows every move", WEAK))


def show_stuck(screen: Screen, stuck: Sequence[Stuck], *, show_all: bool) -> None:
    """What stays and why, the first of many."""
    if not stuck:
        return
    screen.line()
    screen.title("Stuck")
    shown = stuck if show_all else stuck[:MOST_STUCK_SHOWN]
    for number, item in enumerate(shown):
        if number:
            screen.line()
        _show_one_stuck(screen, item)
    if len(shown) < len(stuck):
        screen.line()
        left = Counter(item.reason.value for item in stuck[len(shown) :])
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(left.items()))
        screen.line(Cell(f"and {len(stuck) - len(shown):,} more ({reasons}); --all shows them", WEAK))


def _show_one_stuck(screen: Screen, item: Stuck) -> None:
    who = f"{item.host}" if item.vm is None else f"{item.vm} on {item.host}"
    screen.line([Cell(who, STRONG), ": ", Cell(item.reason.value, BAD)])
    rows: list[tuple[str, Words]] = []
    for piece in item.evidence:
        rows.append((piece.rule, say_seen(piece.seen)))
        if piece.basis != COUNTED:
            rows.append(("", Cell(f"{piece.basis}: {piece.source}", WEAK)))
        if piece.by is not None:
            rows.append(("", Cell(f"set by {piece.by}", NOTE)))
    remedies = item.remedies or [piece.remedy for piece in item.evidence]
    rows += [("or" if number else "would help", remedy) for number, remedy in enumerate(remedies)]
    with screen.indented():
        screen.facts(rows)


def show_bounds(screen: Screen, plan: Plan) -> None:
    """Each figure of a plan beside what no plan can better."""
    bounds = plan.bounds
    rows: list[list[Words]] = [
        _bound("moves", f"{bounds.moves.value:,}", f"{bounds.moves.lower_bound:,}"),
        _bound("time", seconds(bounds.makespan_s.value), seconds(bounds.makespan_s.lower_bound)),
    ]
    if bounds.waves.value:
        rows.insert(1, _bound("waves", f"{bounds.waves.value:,}", f"{bounds.waves.lower_bound:,}"))
    if bounds.hosts is not None:
        most = f"at most {bounds.hosts.upper_bound:,}"
        is_most = bounds.hosts.value == bounds.hosts.upper_bound
        rows.insert(0, ["hosts", f"{bounds.hosts.value:,}", Cell(most, GOOD if is_most else "")])
    screen.line()
    screen.table(
        (Column("figure"), Column("this plan", right=True), Column("no plan below", right=True)), rows
    )


def _bound(name: str, value: str, bound: str) -> list[Words]:
    return [name, value, Cell(bound, GOOD if value == bound else "")]
