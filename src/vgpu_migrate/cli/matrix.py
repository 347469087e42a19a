"""`matrix`: classes of VMs against classes of gpus."""

from __future__ import annotations

import click

from vgpu_migrate.cli.options import all_option, fleet_argument, json_option


@click.command("matrix")
@fleet_argument
@all_option
@json_option
def command(fleet: str, show_all: bool, as_json: bool) -> int:
    """Classes of VMs against classes of gpus: every verdict in the fleet, each told once.

    VMs whose vgpus look alike to the rules are one class, and so are gpus. Migration domains and free room
    are no part of it: see `check` for one VM.

    \b
    Examples:
      vgpu-migrate matrix demo
      vgpu-migrate matrix fleet.json --json | jq '.cells | length'
    """
    from vgpu_migrate.cli import fleets, matrix_view
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.progress import LARGE_FLEET_VMS, long_work
    from vgpu_migrate.compat import classify

    known = fleets.read(fleet)
    with long_work("judging every class on every class", is_long=len(known.vms) > LARGE_FLEET_VMS):
        classes = classify(known)
    if as_json:
        write_json(matrix_view.answer(classes))
    else:
        matrix_view.show(known, classes, show_all=show_all)
    return 0
