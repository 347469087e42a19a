"""`replay`: check a plan, independently of what made it."""

from __future__ import annotations

import click

from vgpu_migrate.cli.options import (
    FileName,
    all_option,
    fleet_argument,
    json_option,
    report_option,
    single_option,
)


@click.command("replay")
@fleet_argument
@click.argument("plan", metavar="PLAN", type=FileName())
@single_option(
    "--max-unavailable",
    metavar="N",
    type=click.IntRange(1),
    help="Check too that never more than so many hosts are out of service: a plan does not say it.",
)
@report_option
@all_option
@json_option
def command(
    fleet: str,
    plan: str,
    max_unavailable: int | None,
    report: str | None,
    show_all: bool,
    as_json: bool,
) -> int:
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
      vgpu-migrate replay demo plan.json --report plan.html
    """
    from vgpu_migrate.cli import fleets, replay_view, report_file
    from vgpu_migrate.cli.endings import say
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.plan_input import read_plan_file
    from vgpu_migrate.cli.progress import LARGE_FLEET_VMS, long_work
    from vgpu_migrate.errors import InputError
    from vgpu_migrate.files import STDIN
    from vgpu_migrate.replay import replay

    if fleet == plan == STDIN:
        raise click.UsageError("FLEET and PLAN cannot both be standard input")
    known = fleets.read(fleet)
    read = read_plan_file(plan)
    with long_work("replaying", is_long=len(known.vms) > LARGE_FLEET_VMS):
        try:
            violations = replay(known, read, max_unavailable=max_unavailable)
        except InputError as error:
            source = "standard input" if plan == STDIN else plan
            raise InputError(error.problems, source=source) from None
    if report is not None:
        report_file.save(known, read, report, violations=violations)
    if as_json:
        write_json(replay_view.answer(read, violations))
    else:
        replay_view.show(read, violations, show_all=show_all)
    if report is not None:
        say(f"page written to {report}")
    return NO if violations else 0
