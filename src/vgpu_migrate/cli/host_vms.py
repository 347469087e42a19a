"""What happens to a VM of a simulated host: `host define`, `start`, `load-guest-driver`, `migrate`, …."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.host_open import device_option, gpu_option, socket_option, vm_argument
from vgpu_migrate.cli.options import FileName, json_option, single_option

if TYPE_CHECKING:
    from vgpu_migrate.cli.host_types import VmRow
    from vgpu_migrate.hosts.live import LiveHost

STATES = ("cold", "hibernate", "sleep", "live")


def _tell_vm(live: LiveHost, vm: str, *, as_json: bool) -> int:
    """The VM as it now is."""
    from vgpu_migrate.cli import host_view
    from vgpu_migrate.cli.catalog_view import tell

    return tell(_row(live, vm), host_view.show_vm, as_json=as_json)


def _row(live: LiveHost, vm: str) -> VmRow:
    from vgpu_migrate.cli import host_answers
    from vgpu_migrate.errors import UnknownNameError

    rows = {one.id: one for one in live.show().vms}
    if vm not in rows:
        raise UnknownNameError("VM", vm, rows)
    return host_answers.vm(rows[vm])


def _done(said: str, *, as_json: bool) -> int:
    from vgpu_migrate.cli import host_types, host_view
    from vgpu_migrate.cli.catalog_view import tell

    return tell(host_types.DoneAnswer(said), host_view.show_done, as_json=as_json)


@click.command("define", short_help="Add a VM, powered off.")
@click.argument("vm", metavar="VM")
@click.option(
    "--type", "types", metavar="TYPE", multiple=True, required=True, help="A vgpu type; once for each vgpu."
)
@single_option("--uuid", metavar="UUID", help="Its UUID; by default a UUIDv5 of its id.")
@single_option(
    "--domid", type=click.IntRange(1), metavar="N", help="Its domain id; by default the first free one."
)
@single_option("--memory", "memory_mib", type=click.IntRange(0), metavar="MIB", help="Its memory.")
@single_option("--guest-driver", metavar="VERSION", help="What the guest has installed.")
@socket_option
@json_option
def define(
    vm: str,
    types: tuple[str, ...],
    uuid: str | None,
    domid: int | None,
    memory_mib: int | None,
    guest_driver: str | None,
    socket: str | None,
    as_json: bool,
) -> int:
    """Add a VM to the host, powered off.

    \b
    Example:
      vgpu-migrate host define vm-7 --type A40-8Q --guest-driver 535.161.07
    """
    import msgspec

    from vgpu_migrate import facts
    from vgpu_migrate.cli.host_open import ask
    from vgpu_migrate.manager import define_vm
    from vgpu_migrate.model import VmId

    definition = define_vm(
        VmId(vm),
        [facts.vgpu_type(name) for name in types],
        uuid=uuid,
        memory_mib=memory_mib or 0,
        guest_driver=guest_driver,
    )

    def act(live: LiveHost) -> int:
        live.define(msgspec.structs.replace(definition, domid=domid))
        return _tell_vm(live, vm, as_json=as_json)

    return ask(socket, act, as_json=as_json)


@click.command("undefine", short_help="Forget a VM that is off or hibernated.")
@vm_argument
@socket_option
@json_option
def undefine(vm: str, socket: str | None, as_json: bool) -> int:
    """Forget VM, which is off or hibernated, and its saved records."""
    from vgpu_migrate.cli.host_open import ask
    from vgpu_migrate.model import VmId

    def act(live: LiveHost) -> int:
        live.undefine(VmId(vm))
        return _done(f"{vm} is gone", as_json=as_json)

    return ask(socket, act, as_json=as_json)


@click.command("start", short_help="Create the vgpus of a VM's next instance.")
@vm_argument
@single_option(
    "--from", "from_state", type=click.Choice(STATES), help="What it is started from; by default cold."
)
@single_option(
    "--metadata",
    metavar="FILE",
    type=FileName(),
    help="Its saved records, in any form of `host metadata`; by default those that the host has kept.",
)
@gpu_option
@device_option
@socket_option
@json_option
def start(
    vm: str,
    from_state: str | None,
    metadata: str | None,
    gpus: tuple[str, ...],
    devices: tuple[str, ...],
    socket: str | None,
    as_json: bool,
) -> int:
    """Start VM: cold, or from the state in which it was saved, with its saved metadata records.

    From any state but cold the records are needed, and the verdict on them must hold that state. From cold
    they are a hint that at most warns. A device stays behind when VM stops.

    Exit status: 1 if it is refused; the host is then as it was.

    \b
    Examples:
      vgpu-migrate host start lab-01 --gpu a1/1
      vgpu-migrate host start archive-01 --from hibernate
      vgpu-migrate host start lab-01 --device 6f1d4e2a-95c1-4b06-8f0b-7c0c8c063b7f
    """
    from vgpu_migrate.cli import host_records, host_types, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask, seats_of
    from vgpu_migrate.model import VmId
    from vgpu_migrate.nvml import STATE_BY_WORD

    state = from_state or "cold"
    records = None if metadata is None else host_records.read(metadata)

    def act(live: LiveHost) -> int:
        seats = seats_of(gpus, devices, live)
        given = records
        if given is None and state != "cold":
            given = live.saved_records(VmId(vm))
        started = live.start(VmId(vm), STATE_BY_WORD[state], records=given, gpus=seats)
        found = host_types.StartAnswer(_row(live, vm), list(started.warnings))
        return tell(found, host_view.show_started, as_json=as_json)

    return ask(socket, act, as_json=as_json)


@click.command("load-guest-driver", short_help="A guest driver loads, or finds no version in common.")
@vm_argument
@click.argument("driver", metavar="[DRIVER]", required=False)
@click.option("--fails", is_flag=True, help="It does not load, for a reason of its own.")
@socket_option
@json_option
def load_guest_driver(vm: str, driver: str | None, fails: bool, socket: str | None, as_json: bool) -> int:
    """The guest driver of VM, by default the one it has installed, loads and negotiates a vGPU version.

    Exit status: 1 if it does not load: the VM runs on, without a version.

    \b
    Example:
      vgpu-migrate host load-guest-driver lab-01 550.54.14
    """
    from vgpu_migrate.cli import host_answers, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.host_open import ask
    from vgpu_migrate.model import VmId

    if fails and driver is not None:
        raise click.UsageError("DRIVER and --fails do not go together: what fails has no version")

    def act(live: LiveHost) -> int:
        if fails:
            live.guest_driver_fails(VmId(vm))
            return _tell_vm(live, vm, as_json=as_json)
        found = host_answers.loading(live.load_guest_driver(VmId(vm), driver))
        tell(found, lambda screen, one: host_view.show_loading(screen, vm, one), as_json=as_json)
        return 0 if found.loaded else NO

    return ask(socket, act, as_json=as_json)


@click.command("migrate", short_help="Migrate a VM to the host at another socket.")
@vm_argument
@single_option("--to", metavar="SOCKET", type=FileName(), required=True, help="The target's socket.")
@gpu_option
@device_option
@socket_option
@json_option
def migrate(
    vm: str, to: str, gpus: tuple[str, ...], devices: tuple[str, ...], socket: str | None, as_json: bool
) -> int:
    """Migrate VM, which runs, is paused or sleeps, to the simulated host at SOCKET.

    Both hosts journal every step, so that VM is active on one of them whichever is killed when. Where one of
    the two says no, nothing has changed, and the answer shows the evidence and what would help.

    Exit status: 0 if VM is on the target, 1 if it is refused, 3 if the target was lost on the way.

    \b
    Example:
      vgpu-migrate host migrate design-01 --to /run/user/1000/a2.sock --gpu a2/1
    """
    from vgpu_migrate.cli import host_types, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask, open_host, seats_of
    from vgpu_migrate.model import VmId

    def act(live: LiveHost) -> int:
        seats = seats_of(gpus, devices, open_host(to))
        receipt = live.migrate(VmId(vm), to=to, gpus=seats)
        found = host_types.MigrateAnswer(vm, receipt.target, receipt.migration, receipt.committed)
        return tell(found, host_view.show_migrated, as_json=as_json)

    return ask(socket, act, as_json=as_json)


@click.command("abort", short_help="End a migration without moving the VM.")
@vm_argument
@socket_option
@json_option
def abort(vm: str, socket: str | None, as_json: bool) -> int:
    """End the open migration of VM without moving it, asked of its source or of its target."""
    from vgpu_migrate.cli.host_open import ask
    from vgpu_migrate.model import VmId

    def act(live: LiveHost) -> int:
        live.abort(VmId(vm))
        return _done(f"the migration of {vm} is aborted", as_json=as_json)

    return ask(socket, act, as_json=as_json)


def _power(name: str, verb: str, summary: str, says: str) -> click.Command:
    """A command that does one thing to a VM and tells what state it is in then."""

    @click.command(name, short_help=summary, help=says)
    @vm_argument
    @socket_option
    @json_option
    def changed(vm: str, socket: str | None, as_json: bool) -> int:
        from vgpu_migrate.cli.host_open import ask
        from vgpu_migrate.model import VmId

        def act(live: LiveHost) -> int:
            operation: Callable[[VmId], None] = getattr(live, verb)
            operation(VmId(vm))
            return _tell_vm(live, vm, as_json=as_json)

        return ask(socket, act, as_json=as_json)

    return changed


COMMANDS = (
    define,
    undefine,
    start,
    load_guest_driver,
    _power(
        "reboot-guest",
        "reboot_guest",
        "The guest reboots.",
        "The guest of VM reboots: guest info is UNINITIALIZED until its driver loads again.",
    ),
    _power("pause", "pause", "Stop a running VM's processors.", "Stop the processors of VM, which runs."),
    _power("resume", "resume", "Let a paused VM run on.", "Let VM, which is paused, run on."),
    _power("sleep", "sleep", "Suspend a VM to S3.", "Suspend VM to S3: it sleeps and keeps its vgpus."),
    _power("wake", "wake", "Wake a sleeping VM.", "Wake VM, which sleeps."),
    _power(
        "hibernate",
        "hibernate",
        "Suspend a VM to S4.",
        "Suspend VM to S4: its metadata records are saved and its vgpus go.",
    ),
    _power(
        "stop",
        "shut_down",
        "Power a VM off.",
        "Power VM off: its metadata records are saved and its vgpus go.",
    ),
    migrate,
    abort,
)
