"""Which hosts can be drained, as JSON and for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vgpu_migrate.cli import foresight_answers as forms
from vgpu_migrate.cli.screen import BAD, GOOD, NOTE, WEAK, Cell, Column, Screen, Words, count, some
from vgpu_migrate.planning.resilience import Drift, HostResilience

MOST_HOSTS = 24
MOST_VMS = 4


def answer(found: Sequence[HostResilience], changed: Drift | None) -> forms.ResilienceAnswer:
    """The answer of `resilience --json`."""
    since = None
    if changed is not None:
        since = forms.Drift(
            lost=[forms.DriftRow(one.host, _stuck(one)) for one in changed.lost],
            regained=list(changed.regained),
            added=list(changed.added),
            removed=list(changed.removed),
        )
    return forms.ResilienceAnswer(
        hosts=[
            forms.ResilienceRow(
                host=one.host,
                domain=one.domain,
                vms=one.vms,
                live=one.is_drainable,
                others=one.others,
                stuck=_stuck(one),
                spare=[forms.SpareRow(spare.board, spare.gpus) for spare in one.spare],
                change=one.change,
            )
            for one in found
        ],
        drainable=sum(one.is_drainable for one in found),
        since=since,
    )


def _stuck(one: HostResilience) -> list[forms.StuckRow]:
    return [
        forms.StuckRow(item.vm, item.reason.value, list(item.rules), item.detail) for item in one.obstacles
    ]


def show(found: forms.ResilienceAnswer, *, show_all: bool, screen: Screen | None = None) -> None:
    """A sentence, the hosts that cannot be drained, with --all the others too, and what drift has cost."""
    screen = screen or Screen()
    bad = [host for host in found.hosts if not host.live]
    if not found.hosts:
        screen.line("No host runs a vGPU Manager.")
    elif not bad:
        screen.line(Cell(f"Each of {count(len(found.hosts), 'host')} can be drained live now.", GOOD))
    else:
        screen.line(
            Cell(f"{len(bad):,} of {count(len(found.hosts), 'host')} cannot be drained live now.", BAD)
        )
    crowded = [host for host in found.hosts if host.others]
    if crowded:
        names = some([host.host for host in crowded])
        screen.line(Cell(f"Only if VMs of other hosts make room first: {names}", NOTE))
    rows = found.hosts if show_all else bad[:MOST_HOSTS]
    if rows:
        screen.line()
        columns = (
            Column("host", wraps=True),
            Column("VMs", right=True),
            Column("live"),
            Column("what forbids it", wraps=True),
            Column("what would allow it", wraps=True),
        )
        screen.table(columns, [_row(host, show_all=show_all) for host in rows])
    if not show_all and len(rows) < len(bad):
        left = Counter(item.reason for host in bad[len(rows) :] for item in host.stuck)
        reasons = ", ".join(f"{number:,} VMs {reason}" for reason, number in sorted(left.items()))
        more = count(len(bad) - len(rows), "more host")
        screen.line(Cell(f"and {more} ({reasons}); --all shows every host", WEAK))
    if found.since is not None:
        _show_drift(screen, found.since, show_all=show_all)


def _row(host: forms.ResilienceRow, *, show_all: bool) -> list[Words]:
    help_ = [f"{spare.gpus} empty {spare.board}" for spare in host.spare]
    help_ += [host.change] if host.change else []
    shown = host.stuck if show_all else host.stuck[:MOST_VMS]
    said = "; ".join(f"{item.vm}: {', '.join(item.rules) or item.reason} ({item.detail})" for item in shown)
    if len(shown) < len(host.stuck):
        said += f"; and {count(len(host.stuck) - len(shown), 'more VM')}"
    if host.others:
        said = f"{count(host.others, 'VM')} of other hosts must make room"
    return [
        host.host,
        f"{host.vms:,}",
        Cell("✓", GOOD) if host.live else Cell("–", BAD),
        said,
        " or ".join(help_) or ("" if host.live else Cell("no single change that was tried", WEAK)),
    ]


def _show_drift(screen: Screen, since: forms.Drift, *, show_all: bool) -> None:
    screen.line()
    lost = count(len(since.lost), "host")
    if since.lost:
        screen.line(Cell(f"Since then drift has cost {lost}:", BAD))
        columns = (Column("host"), Column("VM", wraps=True), Column("now", wraps=True))
        rows: list[list[Words]] = []
        for one in since.lost if show_all else since.lost[:MOST_HOSTS]:
            for item in one.stuck if show_all else one.stuck[:MOST_VMS]:
                rules = ", ".join(item.rules) or item.reason
                rows.append([one.host, item.vm, f"{rules}: {item.detail}"])
        screen.table(columns, rows)
        if not show_all and len(since.lost) > MOST_HOSTS:
            more = count(len(since.lost) - MOST_HOSTS, "more host")
            screen.line(Cell(f"and {more}; --all shows them", WEAK))
    else:
        screen.line(Cell("Since then no host was lost to drift.", GOOD))
    for said, names in (
        ("Can be drained again", since.regained),
        ("New", since.added),
        ("Gone", since.removed),
    ):
        if names:
            screen.line(f"{said}: {some(names, len(names) if show_all else 6)}")
