"""Write what each scenario's command answers into its file, for a person to read before it is kept.

    python tools/make_scenarios.py [NAME...]

A scenario is a file of tests/scenarios: what it shows, a command, and exactly what that answers. The same
files are tests and the examples of the documentation.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).resolve().parent.parent / "tests" / "scenarios"
FILES = SCENARIOS / "files"
COLUMNS = "100"


def main() -> int:
    """Rewrite the scenarios named, or all."""
    names = sys.argv[1:] or sorted(path.stem for path in SCENARIOS.glob("*.toml"))
    for name in names:
        path = SCENARIOS / f"{name}.toml"
        before = path.read_text(encoding="utf-8")
        after = text(answer(tomllib.loads(before)))
        path.write_text(after, encoding="utf-8")
        print(f"{name}: {'as before' if before == after else 'changed'}")
    return 0


def answer(scenario: dict[str, Any]) -> dict[str, Any]:
    """The scenario with what its command answers now."""
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-m", "vgpu_migrate", *scenario["command"]],
        cwd=FILES,
        env=environment(),
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    return scenario | {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def environment() -> dict[str, str]:
    """An environment in which answers are the same everywhere."""
    changing = ("FORCE_COLOR", "TTY_COMPATIBLE", "VGPU_MIGRATE_HOST")
    kept = {name: value for name, value in os.environ.items() if name not in changing}
    # What `sim` starts is found beside this Python.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return kept | {"COLUMNS": COLUMNS, "NO_COLOR": "1", "PYTHONUTF8": "1", "PATH": path}


def text(scenario: dict[str, Any]) -> str:
    """A scenario's file."""
    command = ", ".join(f'"{word}"' for word in scenario["command"])
    return (
        f'says = "{scenario["says"]}"\n'
        f"command = [{command}]\n"
        f"status = {scenario['status']}\n"
        f"stdout = {_literal(scenario['stdout'])}\n"
        f"stderr = {_literal(scenario['stderr'])}\n"
    )


def _literal(content: str) -> str:
    if not content:
        return "''"
    assert "'''" not in content
    return f"'''\n{content}'''"


if __name__ == "__main__":
    sys.exit(main())
