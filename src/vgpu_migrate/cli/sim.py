"""`sim`: run a program on a simulated host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.fault_words import FaultText, FaultWords
from vgpu_migrate.cli.options import FileName, complete_host, fleet_argument, single_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vgpu_migrate.hosts.live import LiveHost

host_option = single_option(
    "--host",
    metavar="ID",
    shell_complete=complete_host,
    help="Which host of the file, if it has several.",
)
sysfs_option = single_option(
    "--sysfs",
    metavar="DIR",
    type=FileName(),
    help="Show there what the host's kernel would: its sysfs, with mdev or vendor-VFIO devices.",
)

sysfs_model_option = single_option(
    "--sysfs-model",
    type=click.Choice(("auto", "mdev", "vendor-vfio")),
    help="Which devices SR-IOV gpus have there; auto, the default: by driver.",
)


def require_sysfs(model: str | None, *, is_shown: bool) -> None:
    """Bad usage, where a model is chosen of what is not shown."""
    if model is not None and not is_shown:
        raise click.UsageError("--sysfs-model says how the sysfs looks; wanted --sysfs DIR too")


@click.command("sim")
@fleet_argument
@host_option
@sysfs_option
@sysfs_model_option
@click.option(
    "--over-sys", is_flag=True, help="COMMAND sees that sysfs as /sys, in a mount namespace of its own."
)
@click.option(
    "--inject",
    "faults",
    metavar="FAULT",
    type=FaultText(),
    multiple=True,
    help="A fault from the start, in the words of `host inject`; may be given several times.",
)
@click.argument("command", metavar="-- COMMAND [ARGS]...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    fleet: str,
    host: str | None,
    sysfs: str | None,
    sysfs_model: str | None,
    over_sys: bool,
    faults: tuple[FaultWords, ...],
    command: tuple[str, ...],
) -> int:
    """Run COMMAND on a simulated host, with nothing else to install: it and all that it starts load our
    libnvidia-ml.so.1 and see the gpus and vgpus of FLEET's host.

    The host lives as long as COMMAND runs and is then forgotten; FLEET is never written. While it lives,
    `vgpu-migrate host` in any shell that COMMAND starts looks at it and changes it.

    Exit status: COMMAND's; 128 and the number of the signal that ended it; 127 if there is no such program,
    126 if it cannot be run.

    \b
    Examples:
      vgpu-migrate sim fleet.yaml --host h01 -- nvitop
      vgpu-migrate sim demo --host a1 --inject "--gpu-lost a1/0" -- python3 my_test.py
      vgpu-migrate sim demo --host a1 -- bash
    """
    import os
    from contextlib import ExitStack

    from vgpu_migrate.cli import child, surroundings
    from vgpu_migrate.dropin.environment import variables

    require_sysfs(sysfs_model, is_shown=over_sys or sysfs is not None)
    known, host_id = surroundings.read_host(fleet, host)
    with ExitStack() as parts:
        mask = parts.enter_context(child.signals_held_back())
        running = parts.enter_context(surroundings.simulated(known, host_id))
        inject(running.live, faults)
        line = list(command)
        if over_sys or sysfs is not None:
            from vgpu_migrate.cli.sysfs_shown import in_place_of_sys, sysfs_shown

            if over_sys:
                line = parts.enter_context(in_place_of_sys(running, sysfs, command, model=sysfs_model))
            elif sysfs is not None:
                parts.enter_context(sysfs_shown(running, sysfs, model=sysfs_model))
        return child.run(line, {**os.environ, **variables(running.socket)}, mask=mask)


def inject(live: LiveHost, faults: Sequence[FaultWords]) -> None:
    """Set the faults, in order."""
    for words in faults:
        live.inject(words.spec(live))
