"""Each file of this folder: a command, and exactly what it answers.

`python tools/make_scenarios.py` writes what a command answers now into its file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

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
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    status = run(scenario["command"])
    said = capsys.readouterr()
    assert said.out == scenario["stdout"]
    assert said.err == scenario["stderr"]
    assert status == scenario["status"]
