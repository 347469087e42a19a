"""Pages that programs write are current, and the README shows what the commands really answer."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_of_the_command_line_is_current() -> None:
    """`docs/cli.md` is what `tools/make_cli_page.py` writes."""
    done = subprocess.run([sys.executable, "tools/make_cli_page.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "run python tools/make_cli_page.py"


def test_readme_shows_real_output() -> None:
    """Each listing of the README that begins with a command is what the demo says."""
    said = tomllib.loads((ROOT / "tests/scenarios/demo.toml").read_text(encoding="utf-8"))["stdout"]
    listings = (ROOT / "README.md").read_text(encoding="utf-8").split("```")[1::2]
    shown = [part.strip("\n") for part in listings if part.startswith("\n$ ")]
    assert shown
    for listing in shown:
        for step in listing.split("\n\n$ "):
            assert step.removeprefix("$ ") in said
