"""`host units`: the systemd units that come with the program, put in their place and taken away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.lazy import NearGroup
from vgpu_migrate.cli.options import Decorator, FileName, json_option, single_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vgpu_migrate.vmm.hook_files import FileDone

root_option: Decorator = single_option(
    "--root", metavar="DIR", type=FileName(), help="The root directory of the host; by default /."
)
units_argument: Decorator = click.argument("units", metavar="[UNIT]...", nargs=-1)


@click.group("units", cls=NearGroup, short_help="The systemd units that come with the program.")
def units() -> None:
    """The systemd units that come with the program: vgpu-migrate-pin puts the pinned range in force when
    the host starts, vgpu-migrate-watch keeps saved records fresh.
    """


@units.command("install")
@units_argument
@click.option(
    "--enable", is_flag=True, help="Also make the links by which they start with the host, as in an image."
)
@root_option
@json_option
def install(units: tuple[str, ...], enable: bool, root: str | None, as_json: bool) -> int:
    """Put units into /etc/systemd/system; without UNIT all that there are.

    systemd reads them at its next start, or at `systemctl daemon-reload`.

    \b
    Examples:
      vgpu-migrate host units install && systemctl daemon-reload
      systemctl enable --now vgpu-migrate-pin vgpu-migrate-watch
    """
    from vgpu_migrate.units import place

    # Not resolved: a virtual environment's interpreter is a link.
    python = Path(sys.executable).absolute()
    done = place.install(_root(root), python, place.choose(units), enable=enable)
    return _tell(done, as_json=as_json)


@units.command("uninstall")
@units_argument
@root_option
@json_option
def uninstall(units: tuple[str, ...], root: str | None, as_json: bool) -> int:
    """Take units away, and the links that enable them; what runs goes on until it is stopped."""
    from vgpu_migrate.units import place

    return _tell(place.uninstall(_root(root), place.choose(units)), as_json=as_json)


def _root(root: str | None) -> Path:
    return Path(root or "/").absolute()


def _tell(files: Sequence[FileDone], *, as_json: bool) -> int:
    from vgpu_migrate.cli import catalog_view, pin_types, pin_view

    rows = [pin_types.UnitFileRow(str(file.path), file.done.value) for file in files]
    return catalog_view.tell(pin_types.UnitFilesAnswer(rows), pin_view.show_files, as_json=as_json)


COMMANDS = (units,)
