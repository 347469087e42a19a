"""The homes of a new VM, as JSON and for people."""

from __future__ import annotations

from collections.abc import Sequence

from vgpu_migrate import facts
from vgpu_migrate.cli import foresight_answers as forms
from vgpu_migrate.cli.answers import spell_version
from vgpu_migrate.cli.screen import BAD, GOOD, NOTE, WEAK, Cell, Column, Screen, Words, count, some
from vgpu_migrate.planning.new_vm import Home, NewVm

MOST_HOSTS = 24


def answer(new: NewVm, found: Sequence[Home]) -> forms.PlaceAnswer:
    """The answer of `place --json`."""
    guest = facts.guest_driver(new.guest_driver)
    return forms.PlaceAnswer(
        type=new.type.short,
        count=new.count,
        guest_driver=new.guest_driver,
        guest_range=[spell_version(guest.minimum), spell_version(guest.maximum)],
        hosts=[
            forms.PlaceRow(
                host=home.host,
                domain=home.domain,
                starts=home.starts,
                fits=home.fits,
                version=spell_version(home.version),
                live_hosts=home.live_hosts,
                live_hosts_with_room=home.live_hosts_with_room,
                gpus=[forms.SeatRow(seat.gpu, seat.placement) for seat in home.seats],
                why_not=list(home.why_not),
            )
            for home in found
        ],
    )


def show(found: forms.PlaceAnswer, *, show_all: bool, screen: Screen | None = None) -> None:
    """A sentence, and a table of hosts, the best first."""
    screen = screen or Screen()
    what = f"{found.count} × {found.type}" if found.count > 1 else found.type
    low, high = found.guest_range
    reach = f"{low or 'unknown'}-{high or 'unknown'}" if low or high else "unknown range"
    screen.line(f"A VM with {what}, guest driver {found.guest_driver} ({reach})")
    _show_sentence(screen, found)
    if not found.hosts:
        return
    screen.line()
    columns = (
        Column("host", wraps=True),
        Column("fits"),
        Column("version"),
        Column("live to", right=True),
        Column("with room", right=True),
        Column("gpus", wraps=True),
        Column("why not", wraps=True),
    )
    if show_all or len(found.hosts) <= MOST_HOSTS:
        screen.table(columns, [_row([home]) for home in found.hosts])
        return
    alike: dict[tuple[object, ...], list[forms.PlaceRow]] = {}
    for home in found.hosts:
        key = (home.fits, home.version, home.live_hosts, home.live_hosts_with_room, *_reasons(home))
        alike.setdefault(key, []).append(home)
    groups = list(alike.values())
    screen.table(columns, [_row(homes) for homes in groups[:MOST_HOSTS]])
    if len(groups) > MOST_HOSTS:
        left = sum(map(len, groups[MOST_HOSTS:]))
        screen.line(Cell(f"and {count(left, 'more host')}; --all shows them", WEAK))


def _show_sentence(screen: Screen, found: forms.PlaceAnswer) -> None:
    fitting = [home for home in found.hosts if home.fits]
    if not found.hosts:
        screen.line(Cell("No host that new VMs may start on.", BAD))
    elif not fitting:
        could = sum(home.starts for home in found.hosts)
        said = (
            f"{count(could, 'host has', 'hosts have')} no room now" if could else "none could take it at all"
        )
        screen.line(Cell(f"It fits on none of {count(len(found.hosts), 'host')}: {said}.", BAD))
    else:
        best = fitting[0]
        moves = f"live to {count(best.live_hosts, 'other host')}, {best.live_hosts_with_room:,} with room now"
        version = f"gets {best.version}" if best.version else "gets a version that is not known"
        screen.line(Cell(f"Start it on {best.host}: it {version} and can later move {moves}.", GOOD))


def _reasons(home: forms.PlaceRow) -> tuple[str, ...]:
    return tuple(home.why_not)


def _row(homes: Sequence[forms.PlaceRow]) -> list[Words]:
    home = homes[0]
    seats = [
        seat.gpu if seat.placement is None else f"{seat.gpu} at {seat.placement} GiB" for seat in home.gpus
    ]
    return [
        some([one.host for one in homes], 3),
        Cell("✓", GOOD) if home.fits else Cell("–", WEAK),
        home.version or "–",
        f"{home.live_hosts:,}" if home.starts else "–",
        f"{home.live_hosts_with_room:,}" if home.starts else "–",
        ", ".join(seats) if len(homes) == 1 else "",
        Cell(", ".join(home.why_not), NOTE if home.starts else BAD),
    ]
