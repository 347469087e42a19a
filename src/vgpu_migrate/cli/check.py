"""`check`: where a VM may go, in which state, and what stops it elsewhere."""

from __future__ import annotations

import click

from vgpu_migrate.cli.options import (
    all_option,
    complete_host,
    complete_vm,
    fleet_argument,
    json_option,
    single_option,
)
from vgpu_migrate.cli.what_if import Imagined, what_if_options


@click.command("check")
@fleet_argument
@click.argument("vm", metavar="VM", shell_complete=complete_vm)
@single_option("--to", metavar="HOST", help="Look at this host alone.", shell_complete=complete_host)
@what_if_options
@all_option
@json_option
def command(
    fleet: str,
    vm: str,
    to: str | None,
    imagined: Imagined,
    show_all: bool,
    as_json: bool,
) -> int:
    """Where VM may go, in which state, and what stops it elsewhere.

    Three answers stand side by side and never mix: the verdict (compatibility alone), whether it fits (room
    as it stands), and whether the vendor's documents support the pairing of drivers.

    The sentence on top answers for the state that VM is in: where one that is off can start, where one that
    sleeps can move asleep.

    With --with and --without the answer is for the fleet as it would be, and is compared with today.

    Exit status: 0 if the verdict allows a live move to HOST, or without --to to some host other than VM's
    own, whatever state VM is in; 1 if not.

    \b
    Examples:
      vgpu-migrate check demo design-01
      vgpu-migrate check fleet.yaml vm-0001 --to h02 --json
      vgpu-migrate check demo render-01 --with l2/0:ecc=true
    """
    from vgpu_migrate.cli import check_view, fleets
    from vgpu_migrate.cli.endings import say
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.what_if import imagine
    from vgpu_migrate.compat import survey

    today = fleets.read(fleet)
    fleets.find_vm(today, vm)
    known = imagine(today, imagined)
    if vm not in known.vms:
        raise click.UsageError(f"{vm} is asked about, and --without takes it away; choose one")
    asked = fleets.find_vm(known, vm)
    target = None if to is None else fleets.find_host(known, to)
    found = survey(known, asked, to=target)
    if not imagined.is_today:
        from vgpu_migrate.cli import check_what_if

        asked_today = survey(today, today.vms[asked.id], to=target)
        check_what_if.give(
            today, asked_today, known, found, imagined, to=target, show_all=show_all, as_json=as_json
        )
    elif as_json:
        write_json(check_view.answer(found))
        if target is not None and target in found.left_out:
            say(f"{target} is no target of {vm}: {found.left_out[target]}")
    else:
        check_view.show(known, found, to=target, show_all=show_all)
    return 0 if check_view.is_yes(found, to=target) else NO
