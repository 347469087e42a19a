"""`place`: where a new VM should start so that it stays movable."""

from __future__ import annotations

import click

from vgpu_migrate.cli.options import all_option, fleet_argument, json_option, single_option

MOST_VGPUS = 16


@click.command("place")
@fleet_argument
@single_option("--type", "vgpu_type", metavar="TYPE", required=True, help="Its vgpu type, such as L40S-12Q.")
@single_option(
    "--guest-driver", metavar="VERSION", required=True, help="Its guest driver, such as 550.54.14."
)
@single_option(
    "--count", metavar="N", type=click.IntRange(1, MOST_VGPUS), help="How many vgpus it has; else one."
)
@single_option("--memory", "memory_mib", metavar="MIB", type=click.IntRange(1), help="Its memory, in MiB.")
@single_option("--vcpus", metavar="N", type=click.IntRange(1), help="Its virtual processors.")
@single_option("--domain", metavar="NAME", help="Look at this migration domain alone.")
@click.option(
    "--anti-affinity",
    "groups",
    metavar="GROUP",
    multiple=True,
    help="A group whose VMs never share a host; may be given several times.",
)
@all_option
@json_option
def command(
    fleet: str,
    vgpu_type: str,
    guest_driver: str,
    count: int | None,
    memory_mib: int | None,
    vcpus: int | None,
    domain: str | None,
    groups: tuple[str, ...],
    show_all: bool,
    as_json: bool,
) -> int:
    """Where a new VM should start so that it stays movable, the best host first: whether it fits there now,
    the vGPU version that its guest driver would negotiate, and to how many other hosts it could later move
    live, with how many of them having room now.

    A VM keeps its version as long as it lives. The host where most others could take it is therefore often
    not the newest one.

    Exit status: 0 if it can start on some host now, else 1.

    \b
    Examples:
      vgpu-migrate place demo --type A40-8Q --guest-driver 535.161.07
      vgpu-migrate place fleet.yaml --type L40S-24Q --guest-driver 550.54.14 --count 2 --memory 65536 --json
    """
    from vgpu_migrate import facts
    from vgpu_migrate.cli import fleets, place_view
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.planning.new_vm import NewVm, homes

    known = fleets.read(fleet)
    new = NewVm(
        type=facts.vgpu_type(vgpu_type),
        guest_driver=guest_driver,
        count=count or 1,
        memory_mib=memory_mib or 0,
        vcpus=vcpus,
        anti_affinity=groups,
    )
    answer = place_view.answer(new, homes(known, new, domain=domain))
    if as_json:
        write_json(answer)
    else:
        place_view.show(answer, show_all=show_all)
    return 0 if any(home.fits for home in answer.hosts) else NO
