"""Pages that programs write are current, and the README shows what the commands really answer."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("page", ["README.md", "docs/python.md", "docs/simulated-host.md"])
def test_the_python_of_the_pages_runs(page: str, tmp_path: Path) -> None:
    """The Python that a page shows runs as it stands, on the embedded fleet in the place of `fleet.yaml`."""
    demo = ROOT / "src/vgpu_migrate/demo/fleet.yaml"
    (tmp_path / "fleet.yaml").write_bytes(demo.read_bytes())
    listings = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert listings
    for listing in listings:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", listing],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
