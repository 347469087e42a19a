"""Which libvirt a `vm` command speaks to, and which driver is this host's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vgpu_migrate.cli.options import Decorator, FileName, single_option

if TYPE_CHECKING:
    from vgpu_migrate.vmm.hook_settings import HookSettings

connect_option: Decorator = single_option(
    "--connect",
    metavar="URI",
    help="libvirt's URI; by default what LIBVIRT_DEFAULT_URI names, else qemu:///system.",
)
socket_option: Decorator = single_option(
    "--socket",
    metavar="PATH",
    type=FileName(),
    help="A simulated host in the place of this host's driver; by default what VGPU_MIGRATE_HOST names.",
)
settings_option: Decorator = single_option(
    "--settings",
    metavar="FILE",
    type=FileName(),
    help="Names this host's driver in [driver]; by default /etc/vgpu-migrate/hook.toml, if there is one.",
)


def local_uri(connect: str | None) -> str:
    """The libvirt that is named, or the usual one; it is this machine's, whose driver will be asked.

    Raises:
        InputError: it is another machine's, or no URI.
    """
    from vgpu_migrate.errors import InputError, Problem, quoted
    from vgpu_migrate.vmm.connection import default_uri
    from vgpu_migrate.vmm.libvirt_uri import parts_of

    uri = connect or default_uri()
    if not parts_of(uri).may_be_local:
        wanted = "this host's driver knows this host's guests alone: run it there, with qemu:///system"
        raise InputError(Problem("--connect", f"{quoted(uri)} is another host's libvirt", wanted))
    return uri


def driver_settings(socket: str | None, settings: str | None) -> HookSettings:
    """Which driver is this host's: a simulated one that is named, else the settings', else NVML.

    Raises:
        InputError: the settings cannot be understood, or there are none where a file was named.
        OutsideError: a simulated host is named, and the library for it has not been built.
    """
    import os
    from dataclasses import replace
    from pathlib import Path

    from vgpu_migrate import dropin
    from vgpu_migrate.cli.host_open import HOST_VARIABLE
    from vgpu_migrate.errors import InputError, Problem
    from vgpu_migrate.vmm.hook_settings import SETTINGS, read_settings

    if settings is not None and not Path(settings).exists():
        raise InputError(Problem(settings, "there is no such file", "wanted settings"))
    found = read_settings(SETTINGS if settings is None else Path(settings))
    simulated = socket or os.environ.get(HOST_VARIABLE)
    if not simulated:
        return found
    library = dropin.library_dir() / dropin.LIBRARY
    return replace(found, library=str(library), socket=str(Path(simulated).absolute()))
