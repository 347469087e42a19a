"""`schema`: the JSON Schema of a file or of an answer."""

from __future__ import annotations

import click


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of schemas that begin so."""
    from vgpu_migrate.cli import schemas

    return [name for name in schemas.names() if name.startswith(incomplete)]


@click.command("schema")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_name)
def command(name: str | None) -> int:
    """Print the JSON Schema (draft 2020-12) of a file or of an answer; without NAME, the names.

    \b
    Examples:
      vgpu-migrate schema fleet > fleet.schema.json
      vgpu-migrate schema check
    """
    from vgpu_migrate.cli import schemas

    if name is None:
        schemas.show_names()
    else:
        schemas.show(name)
    return 0
