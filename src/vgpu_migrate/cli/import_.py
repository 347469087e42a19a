"""`import`: a fleet file from captures of hosts on which nothing of ours runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.options import FileName, json_option, single_option

if TYPE_CHECKING:
    from vgpu_migrate.captures import HostCaptures

MOST_MEMORY_MIB = 2**32 - 1


class _FleetToWrite(FileName):
    """A fleet file to write."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path, which is not `-`."""
        if value == "-":
            self.fail("wanted a file; without it the fleet is printed", param, ctx)
        return super().convert(value, param, ctx)


@click.command("import")
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=str)
)
@single_option(
    "--output", "-o", metavar="FLEET", type=_FleetToWrite(), help="Write it here: JSON if it ends in .json."
)
@click.option(
    "--driver",
    "drivers",
    metavar="HOST=VERSION",
    multiple=True,
    help="The host driver of a folder, whatever its captures say.",
)
@click.option(
    "--vm-memory",
    metavar="MIB",
    type=click.IntRange(1, MOST_MEMORY_MIB),
    help="Memory of VMs of which no capture says it; else they are left out.",
)
@json_option
def command(
    folders: tuple[str, ...],
    output: str | None,
    drivers: tuple[str, ...],
    vm_memory: int | None,
    as_json: bool,
) -> int:
    """A fleet file from captures, one folder per host, which gives the host its name.

    A folder holds any of: nvidia-smi, nvidia-smi -q, -q -x, nvidia-smi vgpu and vgpu -q; mdevctl list and
    types; virsh dumpxml and nodedev-dumpxml; trees of sysfs as a folder, a tar or the lines of grep -r; the
    log of the vGPU manager. Each is known by its content, whatever it is called.

    The fleet is printed, or written with -o. The report on standard error tells how many fields stand on a
    capture, how many on the tables (such as the version range, by the driver) and how many are unknown; it
    names what contradicts and what is left out. With --json the report is the answer.

    Exit status: 0 if every host is in the fleet, 1 if one is left out because nothing says its driver.

    \b
    Examples:
      vgpu-migrate import captures/h01 captures/h02 -o fleet.yaml
      vgpu-migrate import captures/* --vm-memory 8192 --json -o fleet.json
    """
    from vgpu_migrate.captures import import_hosts
    from vgpu_migrate.cli import import_view
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.output import write_bytes, write_json
    from vgpu_migrate.files import atomic_write

    hosts = _read(folders, drivers)
    found = import_hosts(hosts, vm_memory_mib=vm_memory)
    if output is not None:
        atomic_write(output, import_view.fleet_bytes(found, as_json=output.lower().endswith(".json")))
    if as_json:
        write_json(import_view.answer(found, hosts, output))
    else:
        import_view.report(found, hosts, output)
        if output is None:
            write_bytes(import_view.fleet_bytes(found, as_json=False))
    return NO if found.left_out else 0


def _read(folders: tuple[str, ...], drivers: tuple[str, ...]) -> list[HostCaptures]:
    """The captures of every folder; all that is wrong with them is told at once."""
    import os

    from vgpu_migrate.captureio import read_host
    from vgpu_migrate.errors import InputError, Problem, UnknownNameError

    names = [os.path.basename(os.path.abspath(folder)) for folder in folders]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                Problem("DIR", f"{names.count(name)} folders are called {name}", "wanted one per host")
            )
    given: dict[str, str] = {}
    for text in drivers:
        host, equals, driver = text.partition("=")
        if not equals or not driver or host in given:
            raise click.UsageError(f"--driver {text}: wanted HOST=VERSION, once for each host")
        if host not in names:
            raise UnknownNameError("host", host, names)
        given[host] = driver
    hosts: list[HostCaptures] = []
    problems: list[Problem] = []
    for name, folder in zip(names, folders, strict=True):
        try:
            hosts.append(read_host(folder, driver=given.get(name)))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return hosts
