"""What the program does where its streams are closed, full, or show what a terminal would obey."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.program import clean_environment, start

from vgpu_migrate.cli.visible import visible, visible_json

ESCAPE = "\x1b[31m"


def in_a_shell(line: str) -> tuple[int, str]:
    """Exit status and messages of a shell's line, in which `$V` is the program."""
    done = subprocess.run(
        ["sh", "-c", line],
        env=clean_environment(V=f"{sys.executable} -m vgpu_migrate"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("$V drain demo a1 2>/dev/full", 0),
        ("$V drain demo m1 2>/dev/full", 1),
        ("$V check nofile v 2>/dev/full", 2),
        ("$V nonsense 2>/dev/full", 2),
        ("$V check demo design-01 >/dev/full 2>/dev/full", 3),
        ("$V check demo design-01 2>&-", 0),
        ("$V nonsense 2>&-", 2),
    ],
)
def test_messages_that_cannot_be_written_change_nothing(line: str, status: int) -> None:
    """Nobody is there to be told; the exit status still says how it ended."""
    assert in_a_shell(line) == (status, "")


@pytest.mark.parametrize("command", ["check demo design-01", "matrix demo --json", "--help"])
def test_a_closed_standard_output_is_a_failure_outside(command: str) -> None:
    """An answer that goes nowhere is no yes."""
    assert in_a_shell(f"$V {command} >&-") == (3, "standard output is closed\n")


@pytest.mark.parametrize("command", ["check - v", "replay demo -"])
def test_a_closed_standard_input_is_bad_input(command: str) -> None:
    """`-` names a stream that is not there."""
    said = "standard input: closed; wanted something to read there\n"
    assert in_a_shell(f"$V {command} <&-") == (2, said)


@pytest.mark.parametrize(
    "args", [("catalog", "search", ESCAPE), ("catalog", "driver", ESCAPE), (ESCAPE,), ("rules", ESCAPE)]
)
def test_the_line_typed_cannot_move_the_cursor(args: tuple[str, ...]) -> None:
    """What was typed is shown with its unprintable characters spelled out."""
    done = start(*args)
    assert "\x1b" not in done.out + done.err
    assert r"\x1b[31m" in done.out + done.err


def test_a_plan_cannot_move_the_cursor(tmp_path: Path) -> None:
    """A name in a plan file is shown, never obeyed; in JSON it stays what it is."""
    plan = start("drain", "demo", "a1", "--json").json
    plan["steps"][0]["vm"] = f"{ESCAPE}x\x9b"
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    shown = start("replay", "demo", str(path))
    assert shown.status == 1
    assert r"\x1b[31mx\x9b" in shown.out
    assert "\x1b" not in shown.out
    assert "\x9b" not in shown.out
    assert f"{ESCAPE}x\x9b" in start("replay", "demo", str(path), "--json").json["violations"][0]["text"]


def test_unprintable_characters_are_spelled_out() -> None:
    """Line ends, direction marks and lone surrogates among them; all else is kept."""
    assert visible("A40–8Q é 漢") == "A40–8Q é 漢"
    assert visible("a\nb\u202e\udc80\x9b") == r"a\nb\u202e\udc80\x9b"


def test_json_for_a_terminal_means_the_same() -> None:
    """What a terminal would obey is escaped, also where JSON need not; line ends between values stay."""
    text = '{\n"a": "x\x9b\x7f\u202e\U000e0001é"\n}'
    assert visible_json(text) == '{\n"a": "x\\u009b\\u007f\\u202e\\udb40\\udc01é"\n}'
    assert json.loads(visible_json(text)) == json.loads(text)
