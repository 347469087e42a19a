"""`--with` and `--without`: the fleet as it would be, and it compared with today."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from vgpu_migrate.cli.options import complete_host

if TYPE_CHECKING:
    from vgpu_migrate.cli.foresight_answers import ComparedAnswer
    from vgpu_migrate.cli.screen import Screen
    from vgpu_migrate.model import Fleet, VmId
    from vgpu_migrate.planning.reach import Compared, Reached

MOST_NAMED = 12


class Imagined(NamedTuple):
    """What `--with` and `--without` said."""

    changes: tuple[str, ...]
    without: tuple[str, ...]

    @property
    def is_today(self) -> bool:
        """Whether nothing is imagined."""
        return not self.changes and not self.without


def what_if_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that answer for a fleet as it would be; the command gets `imagined`."""

    @wraps(command)
    def gathered(**given: Any) -> Any:
        imagined = Imagined(*(given.pop(name) for name in Imagined._fields))
        return command(imagined=imagined, **given)

    options = (
        click.option(
            "--with",
            "changes",
            metavar="NAME:KEY=VALUE",
            multiple=True,
            help="As if this host, gpu or VM were so, as in h03:driver=580.126.08. Also several times.",
        ),
        click.option(
            "--without",
            "without",
            metavar="NAME",
            multiple=True,
            shell_complete=complete_host,
            help="As if this host, with its VMs, or this VM were not there. Also several times.",
        ),
    )
    found: Callable[..., Any] = gathered
    for option in reversed(options):
        found = option(found)
    return found


def imagine(fleet: Fleet, imagined: Imagined) -> Fleet:
    """The fleet with the changes of the command line; the fleet itself where there are none.

    Raises:
        InputError: a change that cannot be, or a name that nothing has.
    """
    if imagined.is_today:
        return fleet
    from vgpu_migrate.model.what_if import parse_change, what_if

    return what_if(fleet, [parse_change(text) for text in imagined.changes], imagined.without)


def compared_with(
    today: Fleet, then: Fleet, imagined: Imagined, vms: Sequence[VmId] | None = None
) -> ComparedAnswer:
    """What the changes make of a fleet's VMs, or of some of them."""
    from vgpu_migrate.cli.foresight_answers import ComparedAnswer
    from vgpu_migrate.planning.reach import compare

    found: Compared = compare(today, then, vms)
    return ComparedAnswer(
        changes=list(imagined.changes),
        without=list(imagined.without),
        freed=_rows(found.freed),
        gains=_rows(found.gains),
        loses=_rows(found.loses),
        stranded=_rows(found.stranded),
        gone=_rows(found.gone),
        same=found.same,
    )


def _rows(found: Iterable[Reached]) -> list[Any]:
    from vgpu_migrate.cli.foresight_answers import ReachRow

    return [ReachRow(one.vm, one.today, one.then) for one in found]


_SAID = (
    ("stranded", "stranded", "can go to no host any more"),
    ("loses", "loses", "can go to fewer hosts"),
    ("freed", "freed", "could go nowhere, and can"),
    ("gains", "gains", "can go to more hosts"),
    ("gone", "gone", "taken away"),
)


def show_compared(screen: Screen, found: ComparedAnswer, *, show_all: bool) -> None:
    """Who gains and who loses, in a table; one line where nobody does."""
    from vgpu_migrate.cli.screen import BAD, GOOD, NOTE, WEAK, Cell, Column, Words, count, some

    styles = {"stranded": BAD, "loses": NOTE, "freed": GOOD, "gains": GOOD, "gone": NOTE}
    said = [*found.changes, *(f"without {name}" for name in found.without)]
    screen.line()
    screen.title(f"Compared with today: {'; '.join(said)}")
    rows: list[list[Words]] = []
    for name, word, means in _SAID:
        vms = getattr(found, name)
        if vms:
            names = [
                f"{one.vm} ({one.today} > {one.then})" if one.then is not None else one.vm for one in vms
            ]
            most = len(names) if show_all else MOST_NAMED
            rows.append([Cell(word, styles[name]), f"{len(vms):,}", means, some(names, most)])
    if rows:
        columns = (
            Column("VMs"),
            Column("count", right=True),
            Column("as they are", wraps=True),
            Column("hosts today > then", wraps=True),
        )
        screen.table(columns, rows)
    if found.same or not rows:
        screen.line(Cell(f"{count(found.same, 'VM')} of which nothing changes.", WEAK))
