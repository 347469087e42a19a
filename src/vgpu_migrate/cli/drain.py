"""`drain`: a plan that empties hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.options import (
    PlanningChoices,
    all_option,
    complete_host,
    fleet_argument,
    json_option,
    plan_output_option,
    planning_options,
    report_option,
    resume_option,
)

if TYPE_CHECKING:
    from vgpu_migrate.model import HostId

REMEDIES = 12_000
"""How many VMs are planned anew at most, in all, to find out what would help those that are stuck."""

to_option = click.option(
    "--to",
    "targets",
    metavar="HOST",
    multiple=True,
    shell_complete=complete_host,
    help="Only this host may receive; may be given several times.",
)
avoid_option = click.option(
    "--avoid",
    "avoided",
    metavar="HOST",
    multiple=True,
    shell_complete=complete_host,
    help="This host may not receive, nor are its VMs moved; may be given several times.",
)
no_defrag_option = click.option(
    "--no-defrag",
    "defrag",
    flag_value=False,
    default=True,
    help="Leave the VMs of other hosts where they are, even where one would have to make room.",
)


@click.command("drain")
@fleet_argument
@click.argument("hosts", metavar="HOST...", nargs=-1, required=True, shell_complete=complete_host)
@to_option
@avoid_option
@no_defrag_option
@resume_option
@plan_output_option
@report_option
@planning_options
@all_option
@json_option
def command(
    fleet: str,
    hosts: tuple[str, ...],
    targets: tuple[str, ...],
    avoided: tuple[str, ...],
    defrag: bool,
    resume: str | None,
    output: str | None,
    report: str | None,
    choices: PlanningChoices,
    show_all: bool,
    as_json: bool,
) -> int:
    """A plan that empties HOSTs: every VM with vgpus there moves.

    Where there is no room, VMs of the receiving hosts move out of the way, in an order that is safe at every
    step. Fewest VMs stuck come first, then least interruption, then fewest moves. Each VM moves only in ways
    that its owner accepts; for each that stays the plan says why, and what would help. A plan names every
    VM and host that it moves: its file is readable by its owner only.

    Each migration domain is planned by itself, several at once. With Ctrl-C, or when the time given is over,
    the best plan found so far is the answer.

    Exit status: 0 if every VM moves, 1 if any is stuck, 130 after Ctrl-C.

    \b
    Examples:
      vgpu-migrate drain demo a1
      vgpu-migrate drain fleet.yaml h01 h02 -o plan.json
      vgpu-migrate drain fleet.yaml h01 --avoid h07 --no-defrag
      vgpu-migrate drain now.yaml h01 h02 --resume plan.json
    """
    from vgpu_migrate.cli import fleets, plan_answer, plan_view
    from vgpu_migrate.cli.plan_input import going_on
    from vgpu_migrate.cli.planning_terms import planning_terms
    from vgpu_migrate.cli.progress import LARGE_FLEET_VMS
    from vgpu_migrate.planning import drain, resume_drain

    make, known = going_on(drain, resume_drain, resume, fleet=fleet), fleets.read(fleet)
    emptied, allowed, shunned = (
        [fleets.find_host(known, host) for host in dict.fromkeys(names)]
        for names in (hosts, targets, avoided)
    )
    _refuse_contradictions(emptied, allowed, shunned)
    with planning_terms("planning", choices, is_long=len(known.vms) > LARGE_FLEET_VMS) as terms:
        planned = make(
            known, emptied, to=allowed or None, avoid=shunned, defrag=defrag, remedies=REMEDIES, terms=terms
        )
    return plan_answer.give(
        planned,
        fleet=fleet,
        known=known,
        output=output,
        report=report,
        as_json=as_json,
        show=lambda plan: plan_view.show(plan, emptied=emptied, show_all=show_all),
    )


def _refuse_contradictions(
    emptied: Sequence[HostId], allowed: Sequence[HostId], shunned: Sequence[HostId]
) -> None:
    for host in allowed:
        if host in emptied:
            raise click.UsageError(f"{host} is to be drained and is also named by --to; choose one")
        if host in shunned:
            raise click.UsageError(f"{host} is named by --to and by --avoid; choose one")
