"""Signs of life on stderr while long work goes on. Nothing where stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LARGE_FILE_BYTES = 2_000_000
"""From about here a file in JSON takes a tenth of a second to read, one in YAML a second."""
LARGE_FLEET_VMS = 2_000


@contextmanager
def long_work(what: str, *, is_long: bool) -> Iterator[None]:
    """Show a bar with `what` and the seconds passed, and take it away in the end.

    The work is one call into code that says nothing of how far it is, so the bar only moves.
    """
    if not is_long or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from vgpu_migrate.cli.visible import visible

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(visible(what), total=None)
        yield


@contextmanager
def domains_done(what: str, *, is_long: bool) -> Iterator[Callable[[int, int, int], None]]:
    """Show a bar with `what`, how many domains are done and how many VMs are stuck in the best plan so far.

    Gives what is to be called with these: domains done, domains in all, VMs stuck.
    """
    if not is_long or not sys.stderr.isatty():
        yield lambda done, domains, stuck: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from vgpu_migrate.cli.visible import visible

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("domains{task.fields[best]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(visible(what), total=None, best="")

        def tell(done: int, domains: int, stuck: int) -> None:
            best = f", best so far: {stuck:,} stuck"
            progress.update(bar, completed=done, total=domains, best=best)

        yield tell
