"""`host`: look at one live host, and change it, from outside."""

from __future__ import annotations

import click

from vgpu_migrate.cli import (
    host_devices,
    host_doctor,
    host_faults,
    host_look,
    host_machine,
    host_pin,
    host_units,
    host_vms,
)
from vgpu_migrate.cli.host_open import driver_option, socket_option
from vgpu_migrate.cli.lazy import NearGroup


@click.group("host", cls=NearGroup)
@socket_option
@driver_option
def command(socket: str | None) -> None:
    """One live host: what NVML programs see of it, and everything that can happen to it.

    A simulated host is started with `vgpu-migrate hostd` or `vgpu-migrate sim`. What is changed here is seen
    by every NVML program on that host at its next call.

    Without one, or with --driver, it is this machine with its real driver: show, gpus, vgpus, metadata,
    version, set-range, pin, compat and record then ask libnvidia-ml.so.1. doctor and units are about this
    machine in any case.

    Exit status: 3 where a host cannot be reached, or this machine has no vGPU.

    \b
    Examples:
      export VGPU_MIGRATE_HOST=/run/user/1000/a1.sock
      vgpu-migrate host show
      vgpu-migrate host migrate design-01 --to /run/user/1000/a2.sock
      vgpu-migrate host inject --gpu-lost a1/0
    """


for _added in (
    *host_look.COMMANDS,
    *host_pin.COMMANDS,
    *host_units.COMMANDS,
    *host_doctor.COMMANDS,
    *host_vms.COMMANDS,
    *host_devices.COMMANDS,
    *host_machine.COMMANDS,
    *host_faults.COMMANDS,
):
    command.add_command(_added)
