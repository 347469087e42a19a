"""Each file of this folder: a command, and exactly what it answers.

`python tools/make_scenarios.py` writes what a command answers now into its file.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import start

from vgpu_migrate.cli.main import run

HERE = Path(__file__).parent
SCENARIOS = sorted(HERE.glob("*.toml"))


@pytest.mark.parametrize("path", SCENARIOS, ids=[path.stem for path in SCENARIOS])
def test_a_command_answers_exactly_what_its_scenario_says(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command on the same files gives the same status and the same bytes."""
    scenario = tomllib.loads(path.read_text(encoding="utf-8"))
    monkeypatch.chdir(HERE / "files")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "VGPU_MIGRATE_HOST"):
        monkeypatch.delenv(name, raising=False)
    if scenario["command"][0] == "sim":
        _require_same_from_outside(scenario)
        return
    status = run(scenario["command"])
    said = capsys.readouterr()
    assert said.out == scenario["stdout"]
    assert said.err == scenario["stderr"]
    assert status == scenario["status"]


def _require_same_from_outside(scenario: dict[str, Any]) -> None:
    """What runs another program wants a process of its own; that program is found beside this Python."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = start(*scenario["command"], COLUMNS="100", NO_COLOR="1", PATH=path)
    assert (done.out, done.err, done.status) == (scenario["stdout"], scenario["stderr"], scenario["status"])
