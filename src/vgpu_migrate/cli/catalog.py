"""`catalog`: boards, vgpu types and drivers, with their sources."""

from __future__ import annotations

import click

from vgpu_migrate.cli.lazy import NearGroup
from vgpu_migrate.cli.options import json_option


def complete_board(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The boards whose keys begin so."""
    from vgpu_migrate import facts

    return [key for key in facts.boards() if key.startswith(incomplete)]


def complete_type(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The vgpu types whose short names begin so."""
    from vgpu_migrate import facts

    return [name for name in facts.vgpu_types() if name.startswith(incomplete)]


@click.group("catalog", cls=NearGroup)
def command() -> None:
    """Boards, vgpu types and drivers: what is publicly known, with its sources."""


@command.command("boards")
@json_option
def boards(as_json: bool) -> int:
    """All boards."""
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view

    return view.tell(made.boards(), view.show_boards, as_json=as_json)


@command.command("board")
@click.argument("name", metavar="NAME", shell_complete=complete_board)
@json_option
def board(name: str, as_json: bool) -> int:
    """One board and the vgpu types it offers.

    \b
    Example:
      vgpu-migrate catalog board L40S
    """
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view

    return view.tell(made.board(name), view.show_board, as_json=as_json)


@command.command("types")
@click.argument("board", metavar="[BOARD]", required=False, shell_complete=complete_board)
@json_option
def types(board: str | None, as_json: bool) -> int:
    """All vgpu types, or those of one board.

    \b
    Example:
      vgpu-migrate catalog types L40S
    """
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view

    return view.tell(made.types(board), view.show_types, as_json=as_json)


@command.command("type")
@click.argument("name", metavar="NAME", shell_complete=complete_type)
@json_option
def vgpu_type(name: str, as_json: bool) -> int:
    """One vgpu type, by its short, long or mdev name.

    \b
    Examples:
      vgpu-migrate catalog type L40S-12Q
      vgpu-migrate catalog type "GRID P40-1Q"
      vgpu-migrate catalog type nvidia-46
    """
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view

    return view.tell(made.vgpu_type(name), view.show_type, as_json=as_json)


@command.command("drivers")
@json_option
def drivers(as_json: bool) -> int:
    """All driver tags whose vGPU versions are known by source."""
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view

    return view.tell(made.drivers(), view.show_drivers, as_json=as_json)


@command.command("driver")
@click.argument("version", metavar="VERSION")
@click.option("--guest", is_flag=True, help="As a guest driver; else as a host driver.")
@json_option
def driver(version: str, guest: bool, as_json: bool) -> int:
    """The vGPU versions of one driver, and how it was found in the tables.

    Exit status: 1 if nothing is known of it.

    \b
    Examples:
      vgpu-migrate catalog driver 550.54.16
      vgpu-migrate catalog driver 553.24 --guest
    """
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view
    from vgpu_migrate.cli.exit_status import NO

    found = made.driver(version, is_guest=guest)
    view.tell(found, view.show_driver, as_json=as_json)
    return NO if found.minimum is None and found.maximum is None else 0


@command.command("releases")
@json_option
def releases(as_json: bool) -> int:
    """Releases of vGPU software and the drivers they bring, newest first."""
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view

    return view.tell(made.releases(), view.show_releases, as_json=as_json)


@command.command("branches")
@json_option
def branches(as_json: bool) -> int:
    """Driver branches and their vGPU versions, oldest first."""
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view

    return view.tell(made.branches(), view.show_branches, as_json=as_json)


@command.command("sources")
@json_option
def sources(as_json: bool) -> int:
    """What the source keys of the tables stand for."""
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view

    return view.tell(made.sources(), view.show_sources, as_json=as_json)


@command.command("search")
@click.argument("text", metavar="TEXT")
@json_option
def search(text: str, as_json: bool) -> int:
    """Every row that spells TEXT: in a name, a driver version, or a PCI id such as 1EB8:12A2.

    Exit status: 1 if there is none.

    \b
    Examples:
      vgpu-migrate catalog search "A100 80"
      vgpu-migrate catalog search 550.54
    """
    from vgpu_migrate.cli import catalog_answers as made
    from vgpu_migrate.cli import catalog_view as view
    from vgpu_migrate.cli.exit_status import NO

    found = made.search(text)
    view.tell(found, view.show_search, as_json=as_json)
    return 0 if found.hits else NO
