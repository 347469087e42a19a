"""The terms that planning goes by, from the options of a command: where, in what time, who is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from vgpu_migrate.cli.options import PlanningChoices
from vgpu_migrate.cli.progress import domains_done
from vgpu_migrate.planning.coordinator import Progress, Terms, no_end
from vgpu_migrate.planning.executors import Where


@contextmanager
def planning_terms(what: str, choices: PlanningChoices, *, is_long: bool) -> Iterator[Terms]:
    """The terms, with a bar on stderr as long as planning goes on. The time given runs from here.

    Args:
        what: what goes on, for the bar.
        choices: what the options were given.
        is_long: whether the work is likely to take long enough for a bar.

    Raises:
        click.UsageError: processes and a cluster are both asked for.
    """
    if choices.jobs is not None and choices.scheduler is not None:
        raise click.UsageError("--jobs is for processes here, --scheduler for a cluster; choose one")
    budget_s = choices.time_budget
    seconds_left = no_end if budget_s is None else _Countdown(budget_s)
    with domains_done(what, is_long=is_long) as show:

        def tell(progress: Progress) -> None:
            show(progress.done, progress.domains, progress.stuck)

        where = Where(choices.jobs, choices.scheduler)
        yield Terms(where, choices.seed or 0, budget_s, seconds_left, tell)


class _Countdown:
    """Gives the seconds left, whenever it is called."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def __call__(self) -> float:
        return self._end - time.monotonic()
