"""What every host can be asked: `host show`, `gpus`, `vgpus`, `metadata`, `version`, `set-range`, …."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vgpu_migrate.cli.host_open import complete_thing, driver_option, is_for_driver, socket_option
from vgpu_migrate.cli.options import FileName, NumberParameter, json_option, single_option

if TYPE_CHECKING:
    from vgpu_migrate.hosts.live import LiveHost


class VgpuVersion(NumberParameter):
    """A vGPU version: `0x140001`, or a decimal number."""

    name = "version"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number, a u32."""
        try:
            found = int(str(value), 0)
        except ValueError:
            found = -1
        if not 0 <= found <= 0xFFFF_FFFF:
            self.fail(f"{value!r} is no vGPU version; wanted a number such as 0x140001", param, ctx)
        return found


@click.command("show", short_help="Everything about the host at this moment.")
@socket_option
@driver_option
@json_option
def show(socket: str | None, as_json: bool) -> int:
    """Everything about the host at this moment: ranges, gpus, VMs, devices, open migrations, faults."""
    from vgpu_migrate.cli import host_answers, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask

    if is_for_driver(socket):
        from vgpu_migrate.cli import driver_look

        return driver_look.show(as_json=as_json)

    def act(live: LiveHost) -> int:
        return tell(host_answers.host(live.show()), host_view.show_host, as_json=as_json)

    return ask(socket, act, as_json=as_json)


@click.command("gpus", short_help="Its gpus.")
@socket_option
@driver_option
@json_option
def gpus(socket: str | None, as_json: bool) -> int:
    """The gpus of the host, in its order."""
    from vgpu_migrate.cli import host_answers, host_types, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask

    if is_for_driver(socket):
        from vgpu_migrate.cli import driver_look

        return driver_look.gpus(as_json=as_json)

    def act(live: LiveHost) -> int:
        rows = [host_answers.gpu(gpu) for gpu in live.show().gpus]
        return tell(
            host_types.GpusAnswer(rows),
            lambda screen, found: host_view.show_gpus(screen, found.gpus),
            as_json=as_json,
        )

    return ask(socket, act, as_json=as_json)


@click.command("vgpus", short_help="Its vgpus, active and held, and devices made for vgpus.")
@socket_option
@driver_option
@json_option
def vgpus(socket: str | None, as_json: bool) -> int:
    """The vgpus of the host by instance number: active ones, and those held for a VM on its way.

    Below them the devices that were made for vgpus before, used or not.
    """
    from vgpu_migrate.cli import host_answers, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask

    if is_for_driver(socket):
        from vgpu_migrate.cli import driver_look

        return driver_look.vgpus(as_json=as_json)

    def act(live: LiveHost) -> int:
        return tell(
            host_answers.vgpus(live.show()),
            host_view.show_vgpus,
            as_json=as_json,
        )

    return ask(socket, act, as_json=as_json)


@click.command("metadata", short_help="The metadata records of a VM's vgpus, or of a gpu.")
@click.argument("name", metavar="VM|GPU", shell_complete=complete_thing)
@click.option("--raw", is_flag=True, help="The bytes themselves, record behind record.")
@click.option("--base64", "as_base64", is_flag=True, help="One line of base64 for each record.")
@single_option(
    "-o",
    "--output",
    metavar="FILE",
    type=FileName(),
    help="Write to this file, readable by its owner only; bytes unless another form is asked for.",
)
@socket_option
@driver_option
@json_option
def metadata(
    name: str, raw: bool, as_base64: bool, output: str | None, socket: str | None, as_json: bool
) -> int:
    """The metadata records of a VM's vgpus, of one vgpu (by instance number or UUID), or of a gpu.

    Of a VM without vgpus: the last ones, as it was saved. `host start --metadata` takes back every form.

    \b
    Examples:
      vgpu-migrate host metadata design-01
      vgpu-migrate host metadata a1/0 --raw -o a1-0.record
    """
    from vgpu_migrate.cli import host_records
    from vgpu_migrate.cli.host_open import ask

    if raw + as_base64 + as_json > 1:
        raise click.UsageError("--raw, --base64 and --json do not go together; choose one")
    form = "raw" if raw else "base64" if as_base64 else None

    if is_for_driver(socket):
        from vgpu_migrate.cli import driver_look

        return driver_look.metadata(name, form=form, output=output, as_json=as_json)

    def act(live: LiveHost) -> int:
        found = host_records.of_thing(live, name)
        return host_records.tell(found, form=form, output=output, as_json=as_json)

    return ask(socket, act, as_json=as_json)


@click.command("version", short_help="The preset range of vGPU versions and the one in force.")
@socket_option
@driver_option
@json_option
def version(socket: str | None, as_json: bool) -> int:
    """The preset range of vGPU versions and the one in force.

    Exit status: 1 if the host runs no vGPU Manager.
    """
    from vgpu_migrate.cli.host_open import ask

    if is_for_driver(socket):
        from vgpu_migrate.cli import driver_look

        return driver_look.version(as_json=as_json)

    def act(live: LiveHost) -> int:
        live.vgpu_versions()
        return _tell_version(live, as_json=as_json)

    return ask(socket, act, as_json=as_json)


@click.command("set-range", short_help="Override the range of vGPU versions, or lift the override.")
@click.argument("minimum", metavar="[MIN]", type=VgpuVersion(), required=False)
@click.argument("maximum", metavar="[MAX]", type=VgpuVersion(), required=False)
@click.option("--preset", is_flag=True, help="Put the preset range back in force.")
@socket_option
@driver_option
@json_option
def set_range(
    minimum: int | None, maximum: int | None, preset: bool, socket: str | None, as_json: bool
) -> int:
    """Override the range of vGPU versions that the host negotiates, for as long as its driver is loaded.

    Exit status: 1 if a VM is running on the host, or it runs no vGPU Manager.

    \b
    Examples:
      vgpu-migrate host set-range 0x120001 0x140001
      vgpu-migrate host set-range --preset
    """
    from vgpu_migrate.cli.host_open import ask
    from vgpu_migrate.nvml import VersionRange

    if preset == (maximum is not None) or (preset and minimum is not None):
        raise click.UsageError("wanted MIN and MAX, or --preset to lift the override")
    wanted = None if minimum is None or maximum is None else VersionRange(minimum, maximum)

    if is_for_driver(socket):
        from vgpu_migrate.cli import driver_look

        return driver_look.set_range(wanted, as_json=as_json)

    def act(live: LiveHost) -> int:
        if wanted is None:
            live.lift_range()
        else:
            live.set_vgpu_version(wanted)
        return _tell_version(live, as_json=as_json)

    return ask(socket, act, as_json=as_json)


def _tell_version(live: LiveHost, *, as_json: bool) -> int:
    from vgpu_migrate.cli import host_answers, host_view
    from vgpu_migrate.cli.catalog_view import tell

    return tell(host_answers.version(live.show()), host_view.show_version, as_json=as_json)


@click.command("compat", short_help="Whether a VM, or saved records, may go to a gpu.")
@click.argument("vgpu", metavar="VM|FILE", shell_complete=complete_thing)
@click.argument("gpu", metavar="[GPU|FILE]", required=False, shell_complete=complete_thing)
@single_option("--to", metavar="SOCKET", type=FileName(), help="Gpus and rules of the host at this socket.")
@single_option("--save-case", metavar="FILE", type=FileName(), help="Add the answer to this file of cases.")
@socket_option
@driver_option
@json_option
def compat(
    vgpu: str, gpu: str | None, to: str | None, save_case: str | None, socket: str | None, as_json: bool
) -> int:
    """In which states the vgpus of a VM may run on a gpu (without GPU: on each), and what stops them.

    What the host has of a name comes first, else it is a file with metadata records in any form that `host
    metadata` writes. As NVML's own call, this never looks at free room. The verdict of a real driver is its
    own; what our rules predict stands beside it, and a difference is told. --save-case keeps the answer as an
    anonymous case, one for each vgpu and gpu: see `vgpu-migrate truth`.

    Exit status: 0 if the verdict allows a live move to some gpu asked about, 1 if not.

    \b
    Examples:
      vgpu-migrate host compat design-01 --to /run/user/1000/a2.sock
      vgpu-migrate host compat saved.record a1/0
    """
    from vgpu_migrate.cli import host_compat
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.host_open import ask, open_host
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.screen import Screen

    if is_for_driver(socket):
        if to is not None:
            raise click.UsageError(
                "--to names a simulated host; beside the real driver, give a file with the gpu's record"
            )
        from vgpu_migrate.cli import driver_compat

        return driver_compat.tell(vgpu, gpu, save_case=save_case, as_json=as_json)

    def act(live: LiveHost) -> int:
        target = live if to is None else open_host(to)
        found = host_compat.judge(live, target, vgpu, gpu)
        if save_case is not None:
            host_compat.save_cases(save_case, found, target)
        if as_json:
            write_json(host_compat.answer(found))
        else:
            host_compat.show(Screen(), found)
        return 0 if found.is_live else NO

    return ask(socket, act, as_json=as_json)


@click.command("record", short_help="Dump a real host to a fleet file, and its raw records.")
@single_option(
    "-o", "--output", metavar="FLEET", type=FileName(), help="Write the fleet file here; else to stdout."
)
@single_option("--records", metavar="DIR", type=FileName(), help="Make this directory with the raw records.")
@click.option(
    "--vm-memory",
    "memory_mib",
    type=click.IntRange(1),
    metavar="MIB",
    help="The memory of each VM, which the driver does not know; wanted where there are VMs.",
)
@socket_option
@driver_option
def record(output: str | None, records: str | None, memory_mib: int | None, socket: str | None) -> int:
    """Dump this machine with its real driver to a fleet file: its gpus, ranges, VMs and their vgpus.

    What the driver does not say is left to the tables, or to the default. Files are readable by their owner
    only. With --records, each record as the driver gave it: gpu-N.record, vgpu-INSTANCE.record,
    and records.json, which says whose each one is: `matrix --judge` reads them.

    \b
    Example:
      vgpu-migrate host record -o this.yaml --records this.records --vm-memory 16384
    """
    if not is_for_driver(socket):
        raise click.UsageError(
            "record asks a real driver: add --driver, and name no simulated host by --socket"
        )
    from vgpu_migrate.cli import driver_record

    return driver_record.record(output=output, directory=records, memory_mib=memory_mib)


COMMANDS = (show, gpus, vgpus, metadata, version, set_range, compat, record)
