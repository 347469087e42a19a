"""A group of commands whose modules are imported only when one of them is run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class Row(NamedTuple):
    """Where a command lives, `module` holding it as `command`, and its line in the list of commands."""

    module: str
    summary: str


class NearGroup(click.Group):
    """A group that lists its commands as they were declared, and knows which one a wrong name is near."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of declaration."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the line names."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            from vgpu_migrate.errors import nearest, quoted

            close = nearest(args[0], names)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise click.UsageError(f"unknown command {quoted(args[0])}{hint}", ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(NearGroup):
    """A group that knows its commands by a table, in the order in which `--help` lists them."""

    def __init__(self, *args: Any, table: Mapping[str, Row], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None where there is none of that name."""
        row = self.table.get(cmd_name)
        if row is None:
            return None
        command = importlib.import_module(row.module).command
        assert isinstance(command, click.Command)
        command.short_help = row.summary
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table alone, so that none of them is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.summary) for name, row in self.table.items()])
