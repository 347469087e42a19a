"""How the program starts: what it imports, and how each ending becomes an exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.program import DEMO_FLEET, clean_environment, start

from vgpu_migrate import __version__
from vgpu_migrate.cli.main import COMMANDS, run

HEAVY = ("numpy", "rich", "msgspec", "yaml", "ortools", "json")


@pytest.mark.parametrize(
    "args", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
)
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    """Help is quick because what only answers need is not imported for it."""
    code = (
        "import sys; from vgpu_migrate.cli.main import run; "
        f"status = run({args!r}); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], status, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, env=clean_environment()
    )
    assert done.stderr == "[] 0\n"


def test_version_is_the_packages() -> None:
    """`--version` says the program and its version."""
    assert start("--version") == (0, f"vgpu-migrate {__version__}\n", "")


def test_every_command_in_the_table_can_be_imported(capsys: pytest.CaptureFixture[str]) -> None:
    """The table names modules that exist and hold a command, and its summary is the short help."""
    for name in COMMANDS:
        assert run([name, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: vgpu-migrate {name} ")


def test_a_reader_that_goes_away_ends_the_program_quietly() -> None:
    """A broken pipe is no error of ours: status 128 + SIGPIPE and not a word."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vgpu_migrate", "catalog", "types"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()


def test_ctrl_c_ends_the_program_quietly(tmp_path: Path) -> None:
    """An interrupt while a fleet is awaited: status 130 and one word."""
    fifo = tmp_path / "fleet.yaml"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "vgpu_migrate", "matrix", str(fifo)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        # A shell that runs tests in the background has children ignore the interrupt.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    # Opening for writing returns when the program has opened it for reading.
    with fifo.open("wb"):
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")


def test_a_full_disk_is_a_failure_outside() -> None:
    """An answer that cannot be written is status 3, and says where it should have gone."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vgpu_migrate", "catalog", "boards"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
            env=clean_environment(),
        )
    assert (done.returncode, done.stderr) == (3, "standard output: No space left on device\n")


def test_a_fleet_comes_from_standard_input_too() -> None:
    """`-` is standard input, and messages say so."""
    assert start("check", "-", "design-01", "--to", "a4", stdin=DEMO_FLEET.read_text()).status == 0
    done = start("check", "-", "design-01", stdin="hosts: 7\n")
    assert done.status == 2
    assert done.err.startswith("standard input: ")


def test_demo_is_a_file_where_there_is_one(tmp_path: Path) -> None:
    """The word stands for the embedded fleet unless a file has that name."""
    (tmp_path / "demo").write_text("hosts: 7\n")
    done = start("matrix", "demo", cwd=tmp_path)
    assert done.status == 2
    assert done.err.startswith("demo: ")
    assert start("matrix", "demo", cwd=tmp_path.parent).status == 0


def test_two_files_cannot_both_be_standard_input() -> None:
    """A stream can be read only once."""
    assert start("replay", "-", "-", stdin="").status == 2


def test_a_file_cannot_move_the_cursor(tmp_path: Path) -> None:
    """What a fleet file spells is shown, never obeyed."""
    file = tmp_path / "fleet.json"
    file.write_text('{"fleetfile_version": 1, "hosts": [], "\\u001b[2Jx": 1}')
    done = start("matrix", str(file))
    assert done.status == 2
    assert "\x1b" not in done.err
    assert "[2Jx" in done.err
