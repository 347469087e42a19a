"""`replay`: check a plan, independently of what made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.options import FileName, all_option, fleet_argument, json_option

if TYPE_CHECKING:
    from vgpu_migrate.model.planfile import Plan


@click.command("replay")
@fleet_argument
@click.argument("plan", metavar="PLAN", type=FileName())
@all_option
@json_option
def command(fleet: str, plan: str, show_all: bool, as_json: bool) -> int:
    """Check PLAN on FLEET, independently of what made it.

    Runs the plan on paper, in the order of its times and in every other order that it leaves open, and tells
    every promise it breaks: capacity, placement, rules, ranges, owners' consent, anti-affinity, parallel
    limits, figures. Shares no code with planning. PLAN may be `-` for standard input.

    A plan does not name the hosts it was for: replay checks that what the plan does is right, not that
    any host ends empty.

    Exit status: 0 if the plan keeps all its promises, 1 if not, 2 if it is for another revision of the fleet.

    \b
    Examples:
      vgpu-migrate drain demo a1 -o plan.json
      vgpu-migrate replay demo plan.json
    """
    from vgpu_migrate.cli import fleets, replay_view
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.progress import LARGE_FLEET_VMS, long_work
    from vgpu_migrate.errors import InputError
    from vgpu_migrate.files import STDIN
    from vgpu_migrate.replay import replay

    if fleet == plan == STDIN:
        raise click.UsageError("FLEET and PLAN cannot both be standard input")
    known = fleets.read(fleet)
    read = _read_plan(plan)
    with long_work("replaying", is_long=len(known.vms) > LARGE_FLEET_VMS):
        try:
            violations = replay(known, read)
        except InputError as error:
            source = "standard input" if plan == STDIN else plan
            raise InputError(error.problems, source=source) from None
    if as_json:
        write_json(replay_view.answer(read, violations))
    else:
        replay_view.show(read, violations, show_all=show_all)
    return NO if violations else 0


def _read_plan(name: str) -> Plan:
    """The plan that an argument names; where the file is of another kind altogether, that is all it says."""
    from vgpu_migrate.errors import InputError, Problem
    from vgpu_migrate.planio import read_plan

    try:
        return read_plan(name)
    except InputError as error:
        if error.source is None:
            raise
        wanted = "wanted a plan file, as `drain -o` writes"
        for problem in error.problems:
            if problem.seen.startswith("not JSON"):
                raise InputError(Problem(problem.place, problem.seen, wanted), source=error.source) from None
            if problem.place == "fleetfile_version":
                raise InputError(Problem(error.source, "a fleet file", wanted), source=error.source) from None
        raise
