"""What happens to a simulated host as a whole: `host reload-driver`, `reboot`, `install-driver`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.host_look import VgpuVersion
from vgpu_migrate.cli.host_open import socket_option
from vgpu_migrate.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from vgpu_migrate.hosts.live import LiveHost


def _change(socket: str | None, change: Callable[[LiveHost], None], *, as_json: bool) -> int:
    """Do it and tell the driver and ranges that the host then has."""
    from vgpu_migrate.cli import host_answers, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask

    def act(live: LiveHost) -> int:
        change(live)
        return tell(host_answers.version(live.show()), host_view.show_version, as_json=as_json)

    return ask(socket, act, as_json=as_json)


@click.command("reload-driver", short_help="Reload the host driver; no VM may run.")
@socket_option
@json_option
def reload_driver(socket: str | None, as_json: bool) -> int:
    """Reload the host driver: the preset range is in force again. No VM may run (exit status 1)."""
    return _change(socket, lambda live: live.reload_driver(), as_json=as_json)


@click.command("reboot", short_help="Reboot the host; running VMs are off.")
@socket_option
@json_option
def reboot(socket: str | None, as_json: bool) -> int:
    """Reboot the host: VMs that ran are off, their last records kept; the preset range is in force again."""
    return _change(socket, lambda live: live.reboot(), as_json=as_json)


@click.command("install-driver", short_help="Install another host driver; no VM may run.")
@click.argument("driver", metavar="VERSION")
@click.option(
    "--range",
    "preset",
    nargs=2,
    type=VgpuVersion(),
    metavar="MIN MAX",
    help="Its preset range; by default what the tables know of it.",
)
@socket_option
@json_option
def install_driver(driver: str, preset: tuple[int, int] | None, socket: str | None, as_json: bool) -> int:
    """Install another host driver, with the preset range that belongs to it. No VM may run (exit status 1).

    \b
    Example:
      vgpu-migrate host install-driver 550.54.16
    """
    from vgpu_migrate.nvml import VersionRange

    bounds = None if preset is None else VersionRange(*preset)
    return _change(socket, lambda live: live.install_driver(driver, preset_range=bounds), as_json=as_json)


COMMANDS = (reload_driver, reboot, install_driver)
