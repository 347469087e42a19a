"""`pin`: the widest range of vGPU versions that keeps a fleet freely migratable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.options import (
    PlanningChoices,
    all_option,
    fleet_argument,
    json_option,
    plan_output_option,
    planning_options,
    report_option,
    resume_option,
    single_option,
)
from vgpu_migrate.cli.what_if import Imagined, what_if_options

if TYPE_CHECKING:
    from vgpu_migrate.cli.foresight_answers import ComparedAnswer
    from vgpu_migrate.model import Fleet
    from vgpu_migrate.planning.pins import Recommendation


@click.command("pin")
@fleet_argument
@single_option("--domain", metavar="NAME", help="Look at this migration domain alone.")
@resume_option
@plan_output_option
@report_option
@what_if_options
@planning_options
@all_option
@json_option
def command(
    fleet: str,
    domain: str | None,
    resume: str | None,
    output: str | None,
    report: str | None,
    imagined: Imagined,
    choices: PlanningChoices,
    show_all: bool,
    as_json: bool,
) -> int:
    """The widest range of vGPU versions for each group of hosts among which VMs move live, so that wherever a
    VM boots, every other host of the group accepts the version it gets; and whom that range strands.

    Where the drivers of a group have no version in common, it falls into the fewest parts that each have
    one. A range can only be set on an empty host: the order to do it in is a plan, which -o writes. Each host
    is pinned by itself, with `vgpu-migrate host pin`.

    Exit status: 0 if every group has one range, every host can be pinned and nobody is stranded, else 1; 130
    after Ctrl-C.

    \b
    Examples:
      vgpu-migrate pin demo
      vgpu-migrate pin demo --without a1 --without a2
      vgpu-migrate pin fleet.yaml --domain east -o plan.json
    """
    from vgpu_migrate.cli import fleets, pin_fleet_view, plan_answer
    from vgpu_migrate.cli.exit_status import INTERRUPTED, NO
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.plan_input import going_on
    from vgpu_migrate.cli.planning_terms import planning_terms
    from vgpu_migrate.cli.progress import LARGE_FLEET_VMS
    from vgpu_migrate.cli.what_if import imagine
    from vgpu_migrate.planning import pin_fleet, resume_pin
    from vgpu_migrate.planning.pins import recommend

    if (output or resume) and not imagined.is_today:
        raise click.UsageError("a plan is for the fleet as it is; leave out --with and --without")
    make = going_on(pin_fleet, resume_pin, resume, fleet=fleet)
    today = fleets.read(fleet)
    fleets.check_domain(today, domain)
    known = imagine(today, imagined)
    found = recommend(known, domain)
    with planning_terms("planning", choices, is_long=len(known.vms) > LARGE_FLEET_VMS) as terms:
        planned = make(known, found.wanted, terms=terms)
    compared = _compared(today, known, found, domain, imagined) if not imagined.is_today else None
    answer = pin_fleet_view.answer(known, found, planned.plan, compared)
    plan_answer.write_files(planned, fleet=fleet, known=known, output=output, report=report)
    if as_json:
        write_json(answer)
    else:
        pin_fleet_view.show(answer, show_all=show_all)
    plan_answer.say_beside(planned.notes, output=output, report=report)
    if planned.is_interrupted:
        return INTERRUPTED
    return 0 if pin_fleet_view.is_yes(answer) else NO


def _compared(
    today: Fleet,
    then: Fleet,
    found: Recommendation,
    domain: str | None,
    imagined: Imagined,
) -> ComparedAnswer:
    """The reach of VMs under the ranges recommended today and under those recommended with the changes."""
    from vgpu_migrate.cli.what_if import compared_with
    from vgpu_migrate.planning.pins import pinned, recommend

    before = pinned(today, recommend(today, domain).wanted)
    after = pinned(then, found.wanted)
    vms = [vm.id for vm in today.vms.values() if domain is None or today.domain_of(vm) == domain]
    return compared_with(before, after, imagined, vms)
