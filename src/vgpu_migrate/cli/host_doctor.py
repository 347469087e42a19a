"""`host doctor`: whether this host has what live migration needs."""

from __future__ import annotations

import click

from vgpu_migrate.cli.host_open import driver_option, socket_option
from vgpu_migrate.cli.options import FileName, json_option, single_option


@click.command("doctor", short_help="What live migration needs on this host, line by line.")
@single_option(
    "--root",
    metavar="DIR",
    type=FileName(),
    help="Examine the files of another root: a captured tree, or an image; its driver is not asked.",
)
@socket_option
@driver_option
@json_option
def doctor(root: str | None, socket: str | None, as_json: bool) -> int:
    """What live migration needs on this host: kernel, QEMU, libvirt, vGPU Manager, gpus, hook, pin and units,
    each with what was seen, where, and what to do about it. Nothing is changed; root sees most.

    The driver is asked through libnvidia-ml.so.1, of a simulated host too: `vgpu-migrate sim FLEET --over-sys
    -- vgpu-migrate host doctor` examines one. With --root it is asked only if --driver is given too.

    Exit status: 0 if no line fails; 1 if one does; 3 on a machine without an NVIDIA driver or without vGPU.

    \b
    Examples:
      vgpu-migrate host doctor
      vgpu-migrate host doctor --root /tmp/captured-h01 --json
    """
    from vgpu_migrate.cli import catalog_view, doctor_view
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.host_open import is_driver_named
    from vgpu_migrate.doctor.examine import examine, nothing_to_examine
    from vgpu_migrate.doctor.take import take_picture
    from vgpu_migrate.errors import OutsideError

    if socket is not None:
        raise click.UsageError("doctor examines this machine; --socket names a simulated host")
    picture = take_picture(root or "/", asks_nvml=True if root is None or is_driver_named() else None)
    reason = nothing_to_examine(picture)
    if reason is not None:
        raise OutsideError(reason)
    found = doctor_view.answer(picture, examine(picture))
    catalog_view.tell(found, doctor_view.show, as_json=as_json)
    return 0 if found.ok else NO


COMMANDS = (doctor,)
