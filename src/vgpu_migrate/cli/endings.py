"""How a run ends: each error becomes lines on stderr and an exit status, here and nowhere else."""

from __future__ import annotations

import contextlib
import io
import os
import sys

import click

from vgpu_migrate.cli.exit_status import BAD_INPUT, BROKEN_PIPE, INTERRUPTED, OUTSIDE
from vgpu_migrate.cli.visible import visible
from vgpu_migrate.errors import InputError, OutsideError, VgpuMigrateError

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
    """Let no character that the locale lacks, and no closed stderr, end a run.

    Raises:
        OutsideError: stdout is closed; there is nowhere to answer to.
    """
    is_closed = sys.stdout is None
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (it stays open to the end)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if is_closed:
        raise OutsideError("standard output is closed")


def ending(error: BaseException) -> int:
    """Tell what went wrong and give the exit status."""
    status = _ending(error)
    # What was answered before the error may still wait to be written.
    if not _is_flushed():
        _give_up_stdout()
    return status


def _ending(error: BaseException) -> int:
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        say("interrupted")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    if isinstance(error, click.ClickException):
        said = io.StringIO()
        error.show(said)
        for line in said.getvalue().removesuffix("\n").split("\n"):
            say(line)
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
    """One line on stderr, with nothing in it that could move a terminal's cursor.

    Where stderr cannot be written there is nobody to tell: messages never change how a run ends.
    """
    with contextlib.suppress(OSError, ValueError):
        print(visible(line), file=sys.stderr, flush=True)


def _is_flushed() -> bool:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True


def _give_up_stdout() -> None:
    """Nobody can read stdout any more: let the interpreter's last flush go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
