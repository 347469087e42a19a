"""Arguments and options that several commands share, and their completion from the fleet file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    TextParameter = click.ParamType[str]
    NumberParameter = click.ParamType[int]
    AnyParameter = click.ParamType[Any]
else:
    # Which older clicks cannot subscript.
    TextParameter = NumberParameter = AnyParameter = click.ParamType


class _Name(TextParameter):
    """A path; what reads or writes it checks the rest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path, which is not empty."""
        if value == "":
            self.fail("wanted a file; the name is empty", param, ctx)
        return str(value)


class FleetName(_Name):
    """A fleet file's path, `-`, or `demo`; read by `fleets.read`, so that all commands read alike."""

    name = "fleet"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Files, and the word `demo`."""
        found = [CompletionItem(incomplete, type="file")]
        return [*found, CompletionItem("demo")] if "demo".startswith(incomplete) else found


class FileName(_Name):
    """A file to read; `-` is standard input."""

    name = "file"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Files."""
        return [CompletionItem(incomplete, type="file")]


class PlanToWrite(FileName):
    """A file to write a plan to."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path, which is not `-`."""
        if value == "-":
            self.fail("wanted a file; --json prints the plan", param, ctx)
        return super().convert(value, param, ctx)


class PageToWrite(FileName):
    """A file to write a page to."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path, which is not `-`."""
        if value == "-":
            self.fail("wanted a file for the page, such as plan.html", param, ctx)
        return super().convert(value, param, ctx)


class SchedulerAddress(TextParameter):
    """The address of a Dask scheduler."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address, which names its transport."""
        if not str(value).startswith(("tcp://", "tls://")):
            self.fail(f"{value}: wanted an address like tcp://HOST:8786", param, ctx)
        return str(value)


def complete_host(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The fleet's hosts whose ids begin so, without those already on the line."""
    from vgpu_migrate.cli import fleets

    fleet = fleets.read_quietly(_fleet_on_the_line(ctx))
    given = ctx.params.get(param.name or "") or ()
    return [] if fleet is None else _beginning(incomplete, fleet.hosts, without=given)


def complete_vm(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The fleet's VMs whose ids begin so."""
    from vgpu_migrate.cli import fleets

    fleet = fleets.read_quietly(_fleet_on_the_line(ctx))
    return [] if fleet is None else _beginning(incomplete, fleet.vms)


def _fleet_on_the_line(ctx: click.Context) -> str | None:
    # Where the line ends in an option that still lacks its value, click leaves the arguments unsorted.
    return ctx.params.get("fleet") or next(iter(ctx.args), None)


def _beginning(incomplete: str, names: Iterable[str], *, without: Iterable[str] = ()) -> list[str]:
    left_out = set(without)
    return [
        name for name in names if name.startswith(incomplete) and name not in left_out and name.isprintable()
    ]


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def single_option(*names: str, **settings: Any) -> Decorator:
    """An option with one value that may stand on the line once: a value is never dropped in silence."""
    return click.option(*names, multiple=True, callback=_only_one, **settings)


def _only_one(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    if len(values) > 1 and not ctx.resilient_parsing:
        raise click.UsageError(f"{max(param.opts, key=len)} may be given once, not {len(values)} times", ctx)
    return values[-1] if values else None


fleet_argument: Decorator = click.argument("fleet", type=FleetName(), metavar="FLEET")
json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Answer in JSON; `vgpu-migrate schema` says in which form."
)
all_option: Decorator = click.option(
    "--all", "show_all", is_flag=True, help="Show every row where the tables would sum up."
)


plan_output_option: Decorator = single_option(
    "-o",
    "--output",
    metavar="PLAN",
    type=PlanToWrite(),
    help="Write the plan to this file, whole or not at all, readable by its owner only.",
)


resume_option: Decorator = single_option(
    "--resume",
    metavar="PLAN",
    type=FileName(),
    help="Go on with this plan, which was begun and not ended: FLEET is as it is now, half done.",
)
report_option: Decorator = single_option(
    "--report",
    metavar="PAGE",
    type=PageToWrite(),
    help="Draw the plan: write a page for a browser to this file, readable by its owner only.",
)


class Seconds(click.FloatRange):
    """A finite number of seconds, within limits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number; `nan` and `inf` are none to wait for."""
        found = super().convert(value, param, ctx)
        if not isfinite(found):
            self.fail(f"{value!r} is not a finite number of seconds", param, ctx)
        return found


class PlanningChoices(NamedTuple):
    """What `planning_options` were given; None where one was not."""

    jobs: int | None
    scheduler: str | None
    seed: int | None
    time_budget: float | None


def planning_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that plan domain by domain; the command gets them together, as `choices`.

    `planning_terms` makes something of them.
    """

    @wraps(command)
    def gathered(**given: Any) -> Any:
        choices = PlanningChoices(*(given.pop(name) for name in PlanningChoices._fields))
        return command(choices=choices, **given)

    options = (
        single_option(
            "--jobs",
            metavar="N",
            type=click.IntRange(1),
            help="Plan in so many processes, 1: in none but this; else as many as there are cores.",
        ),
        single_option(
            "--scheduler",
            metavar="URL",
            type=SchedulerAddress(),
            help="Plan on the Dask cluster with this scheduler, as in tcp://HOST:8786.",
        ),
        single_option(
            "--seed",
            metavar="N",
            type=click.IntRange(0, 2**31 - 1),
            help="Of the searches that throw dice; the same seed gives the same plan. Default 0.",
        ),
        single_option(
            "--time-budget",
            metavar="SECONDS",
            type=Seconds(0, min_open=True),
            help="Give the best plan found in this time. Else work is bounded, and time is not.",
        ),
    )
    found: Callable[..., Any] = gathered
    for option in reversed(options):
        found = option(found)
    return found
