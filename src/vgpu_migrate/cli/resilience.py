"""`resilience`: which hosts can be drained live now, and what forbids the others."""

from __future__ import annotations

import click

from vgpu_migrate.cli.options import FleetName, all_option, fleet_argument, json_option, single_option


@click.command("resilience")
@fleet_argument
@single_option(
    "--since",
    metavar="OLD_FLEET",
    type=FleetName(),
    help="An earlier fleet file: which hosts could be drained then and cannot now, and for whom.",
)
@click.option("--no-defrag", is_flag=True, help="Only VMs of the host itself move, nobody makes room.")
@all_option
@json_option
def command(fleet: str, since: str | None, no_defrag: bool, show_all: bool, as_json: bool) -> int:
    """For each host: whether it can be drained live now, what forbids it, and what would allow it: the spare
    capacity that would be enough, or one change, which was tried.

    Live: every VM moves as it is, a sleeping one asleep, in ways that its owner accepts. Where room is all
    that is missing, VMs of other hosts may move out of the way, live too; how many is said.

    Exit status: 0 if every host can be drained, else 1.

    \b
    Examples:
      vgpu-migrate resilience demo
      vgpu-migrate resilience fleet.yaml --since last-week.yaml
      vgpu-migrate resilience fleet.yaml --json | jq '.hosts[] | select(.live | not) | .host'
    """
    from vgpu_migrate.cli import fleets, resilience_view
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.progress import LARGE_FLEET_VMS, long_work
    from vgpu_migrate.planning.resilience import drift, resilience

    if fleet == "-" == since:
        raise click.UsageError("only one of the two fleets can come from standard input")
    known = fleets.read(fleet)
    old = None if since is None else fleets.read(since)
    with long_work("draining each host on paper", is_long=len(known.vms) > LARGE_FLEET_VMS):
        found = resilience(known, defrag=not no_defrag)
        changed = None if old is None else drift(resilience(old, defrag=not no_defrag), found)
    answer = resilience_view.answer(found, changed)
    if as_json:
        write_json(answer)
    else:
        resilience_view.show(answer, show_all=show_all)
    return 0 if answer.drainable == len(answer.hosts) else NO
