"""`vm watch`: the record kept in every guest of this host that has a vGPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.options import json_option
from vgpu_migrate.cli.vm_driver import (
    connect_option,
    driver_settings,
    local_uri,
    settings_option,
    socket_option,
)

if TYPE_CHECKING:
    from vgpu_migrate.cli.vm_types import WatchRow
    from vgpu_migrate.vmm.watch import Report, Watch


@click.command("watch", short_help="Keep the record in every guest of this host that has a vGPU.")
@connect_option
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(0.2, 3600),
    default=5.0,
    show_default=True,
    help="Between two looks where libvirt tells nothing.",
)
@click.option("--once", is_flag=True, help="Look once, and end.")
@socket_option
@settings_option
@json_option
def watch(
    connect: str | None,
    interval: float,
    once: bool,
    socket: str | None,
    settings: str | None,
    as_json: bool,
) -> int:
    """Keep the saved record in every running guest of this host that has a vGPU, whoever starts and moves it.

    The record is written when a guest has started, when its guest driver has reported, after a migration, and
    when anything in it changes; a reboot makes it stale until then. Each thing done is a line on stderr, or
    under --json an object on stdout. It goes on while libvirtd or the driver is away, until SIGTERM or
    Ctrl-C. With --once, exit status 1: a guest with a vGPU carries no record to go by.

    \b
    Examples:
      vgpu-migrate vm watch
      vgpu-migrate vm watch --once --json
    """
    from vgpu_migrate.vmm.watch import Watch

    tell = _print_row if as_json else _say
    found = Watch(local_uri(connect), driver_settings(socket, settings), tell, interval_s=interval)
    if once:
        return _once(found, as_json=as_json)
    _run(found)
    return 0


def _say(report: Report) -> None:
    from vgpu_migrate.cli.endings import say

    say(report.says if report.guest is None else f"guest {report.guest}: {report.says}")


def _print_row(report: Report) -> None:
    from vgpu_migrate.cli import vm_view

    _print(vm_view.watch_row(report))


def _print(row: WatchRow) -> None:
    """One line, at once: whoever reads it may wait for it."""
    import sys

    import msgspec

    from vgpu_migrate.cli.output import write_bytes

    write_bytes(msgspec.json.encode(row))
    sys.stdout.flush()


def _once(found: Watch, *, as_json: bool) -> int:
    from vgpu_migrate.cli import vm_view
    from vgpu_migrate.cli.exit_status import NO, OUTSIDE

    look = found.once()
    if as_json:
        _print(vm_view.looked_row(look))
    else:
        click.echo(vm_view.spell_look(look))
    if look.is_driver_away:
        return OUTSIDE
    return 0 if look.good == look.guests else NO


def _run(found: Watch) -> None:
    import signal

    def end(_number: int, _frame: object) -> None:
        found.stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        found.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
