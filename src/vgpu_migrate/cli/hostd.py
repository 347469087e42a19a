"""`hostd`: keep a simulated host alive for many programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.options import FileName, fleet_argument, single_option
from vgpu_migrate.cli.sim import host_option, require_sysfs, sysfs_model_option, sysfs_option

if TYPE_CHECKING:
    from vgpu_migrate.hostd import RunningHost


@click.command("hostd")
@fleet_argument
@host_option
@single_option(
    "--socket", metavar="PATH", type=FileName(), required=True, help="Where programs reach it; owner-only."
)
@single_option(
    "--state",
    metavar="DIR",
    type=FileName(),
    help="Keeps VMs, saved records, devices and open migrations; owner-only; by default PATH.state.",
)
@click.option("--fresh", is_flag=True, help="Forget what DIR keeps and begin as the file says.")
@sysfs_option
@sysfs_model_option
def command(
    fleet: str,
    host: str | None,
    socket: str,
    state: str | None,
    fresh: bool,
    sysfs: str | None,
    sysfs_model: str | None,
) -> int:
    """Keep one host of FLEET alive until SIGTERM or Ctrl-C, for as many NVML programs as like.

    Programs find it by two variables, which a line on stderr spells out when the host is ready. FLEET is
    never written. What changes is kept in DIR, and a restart with the same DIR goes on from there, as after a
    driver reload: VMs, saved records and devices are as they were, a range set at run time is lost.

    \b
    Example:
      vgpu-migrate hostd fleet.yaml --host h01 --socket /run/user/1000/h01.sock
    """
    from contextlib import ExitStack

    from vgpu_migrate.cli import surroundings
    from vgpu_migrate.hostd import run_host

    require_sysfs(sysfs_model, is_shown=sysfs is not None)
    known, host_id = surroundings.read_host(fleet, host)
    with ExitStack() as shown:

        def on_ready(running: RunningHost) -> None:
            if sysfs is not None:
                from vgpu_migrate.cli.sysfs_shown import sysfs_shown

                shown.enter_context(sysfs_shown(running, sysfs, model=sysfs_model))
            _say_ready(running)

        run_host(known, host_id, socket=socket, state_dir=state, fresh=fresh, on_ready=on_ready)
    return 0


def _say_ready(running: RunningHost) -> None:
    import shlex

    from vgpu_migrate.cli.endings import say
    from vgpu_migrate.dropin.environment import HOST_VARIABLE, variables
    from vgpu_migrate.errors import OutsideError

    for notice in running.notices:
        say(f"note: {notice}")
    try:
        wanted = variables(running.socket)
    except OutsideError as error:  # the host works without the library: `host` and migrations do
        say(f"note: {error}")
        wanted = {HOST_VARIABLE: str(running.socket.absolute())}
    spelled = " ".join(f"{name}={shlex.quote(value)}" for name, value in wanted.items())
    say(f"{running.id} is ready: export {spelled}")
