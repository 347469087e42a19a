"""`host pin`: the range of vGPU versions that a host shall keep to, over reboots too."""

from __future__ import annotations

import click

from vgpu_migrate.cli.host_look import VgpuVersion
from vgpu_migrate.cli.host_open import driver_option, is_for_driver, path_of, socket_option
from vgpu_migrate.cli.options import FileName, json_option, single_option

LONGEST_WAIT_S = 600


@click.command("pin", short_help="A range of vGPU versions kept over reboots.")
@click.option(
    "--range",
    "bounds",
    nargs=2,
    type=VgpuVersion(),
    metavar="MIN MAX",
    help="Keep this pin; with --apply put it in force too.",
)
@click.option("--apply", "is_apply", is_flag=True, help="Put the pin that is kept in force.")
@click.option(
    "--status",
    "is_status",
    is_flag=True,
    help="The pin, the driver's truth, and why they differ; the default.",
)
@click.option("--remove", "is_remove", is_flag=True, help="Forget the pin; the range in force stays.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, LONGEST_WAIT_S),
    metavar="SECONDS",
    help="With --apply: give a driver that is still starting so long.",
)
@single_option(
    "--file", metavar="FILE", type=FileName(), help="Where the pin is kept; /etc/vgpu-migrate/pin.toml."
)
@socket_option
@driver_option
@json_option
def pin(
    bounds: tuple[int, int] | None,
    is_apply: bool,
    is_status: bool,
    is_remove: bool,
    wait_s: float | None,
    file: str | None,
    socket: str | None,
    as_json: bool,
) -> int:
    """Keep this host to a range of vGPU versions. A driver forgets its range when it is loaded again; the
    pin is a file, and --apply puts it in force: `vgpu-migrate host units install` adds a unit that does so
    when the host starts, before libvirt starts guests.

    Exit status: 0 if the pin is in force or there is none; 1 if it is not, as where a VM is running; 2 where
    --range is not inside the driver's preset range, and nothing is kept; 3 if the driver does not answer.
    --remove, and --range without --apply: 0 when done.

    \b
    Examples:
      vgpu-migrate host pin --range 0x120001 0x140001 --apply
      vgpu-migrate host pin --status
      vgpu-migrate host pin --remove
    """
    if is_status + is_remove + (is_apply or bounds is not None) > 1:
        raise click.UsageError("--range and --apply go together; --status and --remove stand alone")
    if wait_s is not None and not is_apply:
        raise click.UsageError("--wait says how long --apply tries; wanted --apply too")
    from vgpu_migrate.cli.pin_orders import PinOrders

    orders = PinOrders(None if is_for_driver(socket) else path_of(socket), file=file, as_json=as_json)
    if is_remove:
        return orders.remove()
    if bounds is not None:
        orders.keep(bounds)
    if is_apply:
        return orders.apply(wait_s=wait_s or 0)
    return orders.status()


COMMANDS = (pin,)
