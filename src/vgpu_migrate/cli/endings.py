"""How a run ends: each error becomes lines on stderr and an exit status, here and nowhere else."""

from __future__ import annotations

import contextlib
import io
import os
import sys

import click

from vgpu_migrate.cli.exit_status import BAD_INPUT, BROKEN_PIPE, INTERRUPTED, OUTSIDE
from vgpu_migrate.errors import InputError, VgpuMigrateError

ENDINGS = (
    click.exceptions.Exit,
    click.ClickException,
    click.Abort,
    VgpuMigrateError,
    KeyboardInterrupt,
    OSError,
)
"""What a run may end with. Anything else is a bug, and its traceback is wanted."""


def make_streams_safe() -> None:
    """Let no character that the locale lacks, and no closed stream, end a run."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (it stays open to the end)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def ending(error: BaseException) -> int:
    """Tell what went wrong and give the exit status."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _give_up_stdout()
        return BROKEN_PIPE
    if isinstance(error, click.ClickException):
        error.show()
        return BAD_INPUT
    if isinstance(error, InputError):
        say_problems(error)
        return BAD_INPUT
    say(_say_failure(error))
    return OUTSIDE


def _say_failure(error: BaseException) -> str:
    if not isinstance(error, OSError):
        return str(error)
    # Files are read and written elsewhere, with errors of their own: what is left is the answer's way out.
    return f"{error.filename or 'standard output'}: {error.strerror or error}"


def say_problems(error: InputError) -> None:
    """One line for each problem, the file's name in front, and their count."""
    if error.source is None:
        for line in str(error).splitlines():
            say(line)
        return
    for problem in error.problems:
        say(str(problem) if problem.place == error.source else f"{error.source}: {problem}")
    count = len(error.problems)
    say(f"{error.source}: {count} problem{'s' if count != 1 else ''}; nothing was done")


def say(line: str) -> None:
    """One line on stderr, with nothing in it that could move a terminal's cursor."""
    with contextlib.suppress(BrokenPipeError):
        print("".join(map(_visible, line)), file=sys.stderr)


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _give_up_stdout() -> None:
    """Nobody reads stdout any more: let the interpreter's last flush go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
