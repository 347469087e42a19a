"""The program as its users start it, and what it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

DEMO_FLEET = Path(__file__).parents[2] / "src" / "vgpu_migrate" / "demo" / "fleet.yaml"


class Answered(NamedTuple):
    """Exit status, answer and messages."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer, decoded."""
        return json.loads(self.out)


def start(*args: str, stdin: str | None = None, cwd: Path | None = None, **environment: str) -> Answered:
    """Run the program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "vgpu_migrate", *args],
        input=stdin,
        cwd=cwd,
        env=clean_environment(**environment),
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="surrogateescape",
    )
    return Answered(done.returncode, done.stdout, done.stderr)


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what changes how answers look, and with `more`."""
    changing = ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    kept = {name: value for name, value in os.environ.items() if name not in changing}
    return {**kept, "PYTHONUTF8": "1", **more}
