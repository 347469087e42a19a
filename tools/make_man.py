"""Write the man pages in man/ from the commands' own help, so that the two cannot differ.

python tools/make_man.py            write them
python tools/make_man.py --check    say which are not current, and fail if any
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from vgpu_migrate import __version__
from vgpu_migrate.cli.main import PROGRAM, cli

MAN = Path(__file__).resolve().parent.parent / "man"

FILES = """\
.SH FILES
.TP
.I FLEET
A fleet file, YAML or JSON;
.B vgpu\\-migrate schema fleet
prints its JSON Schema.
.B \\-
is standard input, and the word
.B demo
the embedded fleet, unless a file has that name.
.TP
.I PLAN
A plan file, JSON;
.B vgpu\\-migrate schema plan
prints its JSON Schema.
"""
ENDINGS = """\
.SH EXIT STATUS
.TP
.B 0
Yes, or done.
.TP
.B 1
A clear no: not live\\-migratable, a plan with stuck VMs, a check that failed.
.TP
.B 2
Bad usage or bad input. Nothing was written.
.TP
.B 3
A failure outside: a disk, a host, a driver.
.TP
.B 130
Interrupted (Ctrl\\-C).
.TP
.B 141
Nobody reads the answer any more: a closed pipe.
"""
ENVIRONMENT = """\
.SH ENVIRONMENT
.TP
.B NO_COLOR
Where set, no colour is used. Without it, colour is used on terminals only.
.TP
.B FORCE_COLOR
Where set, colour is used into files and pipes too.
.TP
.B COLUMNS
The width of tables; 100 where the answer goes into a pipe.
"""


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is not current")
    only_check = parser.parse_args().check
    pages = dict(man_pages())
    stale = [name for name, text in pages.items() if _there(MAN / name) != text]
    foreign = sorted(path.name for path in MAN.glob("*.1") if path.name not in pages)
    if only_check:
        for name in [*stale, *foreign]:
            print(f"man/{name} is not current; run python tools/make_man.py", file=sys.stderr)
        return 1 if stale or foreign else 0
    MAN.mkdir(exist_ok=True)
    for name in stale:
        (MAN / name).write_text(pages[name], encoding="utf-8")
    for name in foreign:
        (MAN / name).unlink()
    print(f"{len(pages)} pages, {len(stale)} written, {len(foreign)} removed")
    return 0


def _there(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def man_pages() -> Iterator[tuple[str, str]]:
    """The file name and text of each page: the program's, and each command's with the commands inside it."""
    top = cli.make_context(PROGRAM, [], resilient_parsing=True)
    commands = [(name, cli.get_command(top, name)) for name in cli.list_commands(top)]
    yield f"{PROGRAM}.1", _program_page(top, [(name, command) for name, command in commands if command])
    for name, command in commands:
        assert command is not None
        yield f"{PROGRAM}-{name}.1", _command_page(top, name, command)


def _program_page(top: click.Context, commands: Sequence[tuple[str, click.Command]]) -> str:
    lines = [_head(PROGRAM, "where VMs with NVIDIA vGPUs may go, and the plan that takes them there")]
    lines += [".SH SYNOPSIS", f".B {_escape(PROGRAM)}", "[OPTIONS] COMMAND [ARGS]...", ".SH DESCRIPTION"]
    lines += [*_prose(cli.help or ""), ".SH OPTIONS", *_options(top, cli), ".SH COMMANDS"]
    for name, command in commands:
        lines += [".TP", f".BR {_escape(PROGRAM)}\\-{_escape(name)} (1)", _escape(command.short_help or "")]
    return _page([*lines, *_common(), _see_also([f"{PROGRAM}-{name}" for name, _ in commands])])


def _command_page(top: click.Context, name: str, command: click.Command) -> str:
    context = click.Context(command, parent=top, info_name=name)
    lines = [_head(f"{PROGRAM}-{name}", (command.short_help or "").rstrip(".")), ".SH SYNOPSIS"]
    lines += [*_synopsis(context, command), ".SH DESCRIPTION", *_prose(command.help or "")]
    lines += [".SH OPTIONS", *_options(context, command)]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        lines += _inner_commands(context, command)
    return _page([*lines, *_common(), _see_also([PROGRAM])])


def _inner_commands(context: click.Context, group: click.Group, before: str = "") -> list[str]:
    """The commands inside a group, those of groups inside it behind them."""
    lines: list[str] = []
    for name in group.list_commands(context):
        inner = group.get_command(context, name)
        assert inner is not None
        inner_context = click.Context(inner, parent=context, info_name=name)
        lines += [".SS " + _escape(before + name), *_synopsis(inner_context, inner), ".PP"]
        lines += [*_prose(inner.help or ""), *_options(inner_context, inner)]
        if isinstance(inner, click.Group):
            lines += _inner_commands(inner_context, inner, f"{before}{name} ")
    return lines


def _head(name: str, says: str) -> str:
    return (
        f'.TH "{_escape(name.upper())}" "1" "" "vgpu\\-migrate {_escape(__version__)}" "User commands"\n'
        f".SH NAME\n{_escape(name)} \\- {_escape(says)}"
    )


def _synopsis(context: click.Context, command: click.Command) -> list[str]:
    return [f".B {_escape(context.command_path)}", _escape(" ".join(command.collect_usage_pieces(context)))]


def _prose(text: str) -> list[str]:
    """Help as paragraphs; what click is told not to wrap is not filled here either."""
    lines: list[str] = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            lines += [".PP", ".nf", *map(_escape, paragraph.splitlines()[1:]), ".fi"]
        else:
            lines += [".PP", *map(_escape, paragraph.splitlines())]
    return lines[1:]


def _options(context: click.Context, command: click.Command) -> list[str]:
    lines: list[str] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            lines += [".TP", f".B {_escape(record[0])}", _escape(record[1])]
    return lines


def _common() -> list[str]:
    return [FILES.rstrip(), ENDINGS.rstrip(), ENVIRONMENT.rstrip()]


def _see_also(names: Sequence[str]) -> str:
    return ".SH SEE ALSO\n" + ",\n".join(f".BR {_escape(name)} (1)" for name in names)


def _page(parts: Sequence[str]) -> str:
    notice = ".\\\" Made by tools/make_man.py from the commands' own help."
    return "\n".join([notice, *parts]) + "\n"


def _escape(text: str) -> str:
    """Text as roff shows it: backslashes, hyphens, and dots and quotes at the start of a line."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq")
    return "\\&" + escaped if escaped.startswith(".") else escaped


if __name__ == "__main__":
    sys.exit(main())
