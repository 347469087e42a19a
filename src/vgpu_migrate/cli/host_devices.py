"""Devices that an administrator makes before a VM uses them: `host create-device`, `remove-device`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.catalog import complete_type
from vgpu_migrate.cli.host_open import complete_device, complete_gpu, socket_option
from vgpu_migrate.cli.options import json_option, single_option

if TYPE_CHECKING:
    from vgpu_migrate.hosts.live import LiveHost


@click.command("create-device", short_help="Make a device that a VM can be started on.")
@click.argument("gpu", metavar="GPU", shell_complete=complete_gpu)
@click.argument("vgpu_type", metavar="TYPE", shell_complete=complete_type)
@single_option("--id", "device", metavar="ID", help="Its name; by default a random UUID.")
@single_option(
    "--placement",
    type=click.IntRange(0),
    metavar="N",
    help="Its placement id on a mixed-size gpu, in GiB; by default the lowest that is free.",
)
@socket_option
@json_option
def create_device(
    gpu: str, vgpu_type: str, device: str | None, placement: int | None, socket: str | None, as_json: bool
) -> int:
    """Make a device of vgpu TYPE on GPU: a mediated device, or a virtual function with a type.

    It takes up room, and is no vgpu until a VM is started on it: `host start VM --device ID`. A driver
    reload, another driver and a reboot end all devices. Writing to the tree of --sysfs makes the same ones.

    Exit status: 1 if there is no room for it, or its name is taken.

    \b
    Example:
      vgpu-migrate host create-device a1/0 A40-8Q
    """
    from vgpu_migrate import facts
    from vgpu_migrate.cli import host_answers, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask
    from vgpu_migrate.manager import DeviceId
    from vgpu_migrate.model import GpuId

    wanted = facts.vgpu_type(vgpu_type)
    name = None if device is None else DeviceId(device)

    def act(live: LiveHost) -> int:
        made = live.create_device(GpuId(gpu), wanted, name, placement=placement)
        return tell(host_answers.device(made), host_view.show_device, as_json=as_json)

    return ask(socket, act, as_json=as_json)


@click.command("remove-device", short_help="End a device that no VM uses.")
@click.argument("device", metavar="ID", shell_complete=complete_device)
@socket_option
@json_option
def remove_device(device: str, socket: str | None, as_json: bool) -> int:
    """End the device ID, which no VM uses; its room is free again.

    Exit status: 1 if a VM uses it.
    """
    from vgpu_migrate.cli import host_types, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask
    from vgpu_migrate.manager import DeviceId

    def act(live: LiveHost) -> int:
        live.remove_device(DeviceId(device))
        return tell(host_types.DoneAnswer(f"{device} is gone"), host_view.show_done, as_json=as_json)

    return ask(socket, act, as_json=as_json)


COMMANDS = (create_device, remove_device)
