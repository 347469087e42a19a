"""The man pages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vgpu_migrate.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "man").glob("*.1"))


def test_the_man_pages_are_current() -> None:
    """What is committed is what the commands' help says now."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_man.py"), "--check"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_has_a_page() -> None:
    """One for the program, one for each command."""
    names = {"vgpu-migrate", *(f"vgpu-migrate-{name}" for name in COMMANDS)}
    assert {path.stem for path in PAGES} == names


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
@pytest.mark.parametrize("path", PAGES, ids=[path.stem for path in PAGES])
def test_groff_has_nothing_to_say_about_a_page(path: Path) -> None:
    """No warning of any kind."""
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", str(path)], capture_output=True, check=True, text=True
    )
    assert done.stderr == ""
