"""The benchmark of classes at a small size: its data, its peer and its update are right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "classes.py"


def test_polars_counts_the_same() -> None:
    """On small data of both kinds ours and Polars agree, and changed hosts are counted right."""
    pytest.importorskip("polars", reason="the peer of the benchmark is not installed")
    command = [sys.executable, str(SCRIPT), "--vgpus", "20000", "--gpus", "800", "--runs", "1", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for questions in json.loads(done.stdout).values():
        assert set(questions) == {"verdict", "live"}
        for found in questions.values():
            assert len(found) in (3, 5)
            assert len({json.dumps([each["pairs"], each["without_target"]]) for each in found.values()}) == 1
            assert all(pairs > 0 for pairs in found["ours"]["pairs"].values())
