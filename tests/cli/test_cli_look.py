"""How answers look: colour, width, characters."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from tests.cli.program import clean_environment, start

WHAT = ("check", "demo", "render-01")


def on_a_terminal(*args: str, **environment: str) -> str:
    """What the program writes to a terminal, its messages apart."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "vgpu_migrate", *args],
        stdout=its,
        stderr=subprocess.DEVNULL,
        env=clean_environment(TERM="xterm-256color", **environment),
    )
    os.close(its)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux answers so when the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    process.wait()
    return written.decode()


def test_colour_is_for_terminals_only() -> None:
    """A pipe gets none, a terminal does."""
    assert "\x1b[" not in start(*WHAT).out
    assert "\x1b[31m" in on_a_terminal(*WHAT)


def test_no_color_is_honoured() -> None:
    """NO_COLOR takes the colours away on a terminal too."""
    shown = on_a_terminal(*WHAT, NO_COLOR="1")
    assert "\x1b[31m" not in shown
    assert "\x1b[32m" not in shown


def test_force_color_is_honoured() -> None:
    """FORCE_COLOR colours what goes into a pipe."""
    assert "\x1b[31m" in start(*WHAT, FORCE_COLOR="1").out


@pytest.mark.parametrize(
    "args", [("demo",), WHAT, ("matrix", "demo"), ("rules",), ("catalog", "boards")], ids=" ".join
)
def test_only_ascii_where_the_locale_has_no_more(args: tuple[str, ...]) -> None:
    """A locale without UTF-8 gets letters for ticks, and nothing that it cannot show."""
    done = start(*args, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")
    assert done.out.isascii()
    assert done.err == ""


@pytest.mark.parametrize("columns", ["40", "80", "100", "200"])
def test_nothing_is_cut_off_on_a_narrow_terminal(columns: str) -> None:
    """The words of an answer are the same at any width, however its lines are broken."""
    wide = start(*WHAT, COLUMNS="1000").out.split()
    assert sorted(start(*WHAT, COLUMNS=columns).out.split()) == sorted(wide)


def test_no_line_ends_in_blanks() -> None:
    """What is copied from a terminal, or kept in a file, has no blanks at line ends."""
    lines = start("demo").out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []


def test_the_demo_fits_a_hundred_columns() -> None:
    """Answers into a pipe are a hundred columns wide."""
    assert max(map(len, start("demo").out.splitlines())) <= 100


def test_json_is_one_line_in_a_pipe_and_indented_on_a_terminal() -> None:
    """Programs read lines, people read indented text; both are the same answer."""
    assert start("rules", "--json").out.count("\n") == 1
    assert on_a_terminal("rules", "--json").count("\n") > 100
