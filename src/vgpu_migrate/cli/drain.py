"""`drain`: a plan that empties hosts."""

from __future__ import annotations

import click

from vgpu_migrate.cli.options import (
    PlanToWrite,
    all_option,
    complete_host,
    fleet_argument,
    json_option,
    single_option,
)


@click.command("drain")
@fleet_argument
@click.argument("hosts", metavar="HOST...", nargs=-1, required=True, shell_complete=complete_host)
@click.option(
    "--to",
    "targets",
    metavar="HOST",
    multiple=True,
    shell_complete=complete_host,
    help="Only this host may receive; may be given several times.",
)
@single_option(
    "-o",
    "--output",
    metavar="PLAN",
    type=PlanToWrite(),
    help="Write the plan to this file, whole or not at all, readable by its owner only.",
)
@all_option
@json_option
def command(
    fleet: str,
    hosts: tuple[str, ...],
    targets: tuple[str, ...],
    output: str | None,
    show_all: bool,
    as_json: bool,
) -> int:
    """A plan that empties HOSTs: every VM with vgpus there moves, nobody else does.

    Fewest VMs stuck come first, then least interruption, then best fit. Each VM moves only in ways that its
    owner accepts; for each that stays the plan says why, and what would help. Beside each figure stands what
    no plan can better. A plan names every VM and host that it moves: its file is readable by its owner only.

    Exit status: 0 if every VM moves, 1 if any is stuck.

    \b
    Examples:
      vgpu-migrate drain demo a1
      vgpu-migrate drain fleet.yaml h01 h02 -o plan.json
    """
    from vgpu_migrate.cli import fleets, plan_view
    from vgpu_migrate.cli.endings import say
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.output import write_bytes
    from vgpu_migrate.cli.progress import LARGE_FLEET_VMS, long_work
    from vgpu_migrate.model.planfile import write_plan
    from vgpu_migrate.planning import drain

    known = fleets.read(fleet)
    emptied = [fleets.find_host(known, host) for host in dict.fromkeys(hosts)]
    allowed = [fleets.find_host(known, host) for host in dict.fromkeys(targets)]
    for host in allowed:
        if host in emptied:
            raise click.UsageError(f"{host} is to be drained and is also named by --to; choose one")
    with long_work("planning", is_long=len(known.vms) > LARGE_FLEET_VMS):
        plan, notes = drain(known, emptied, to=allowed or None)
    if output is not None:
        plan_view.save(plan, output, fleet=fleet)
    if as_json:
        write_bytes(write_plan(plan))
    else:
        plan_view.show(plan, emptied=emptied, show_all=show_all)
    if output is not None:
        say(f"plan written to {output}")
    for note in notes:
        say(f"note: {note}")
    return NO if plan.stuck else 0
