"""The tables are what tools/import_facts.py makes, and it never renumbers a row."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "import_facts.py"


def test_tables_are_what_the_research_facts_make() -> None:
    """Nothing in the tables was edited by hand."""
    shared = os.environ.get("VGPU_MIGRATE_SHARED")
    if not shared:
        pytest.skip("VGPU_MIGRATE_SHARED does not name the folder that holds the research facts/")
    done = subprocess.run(
        [sys.executable, str(TOOL), str(Path(shared) / "facts"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_without_facts_is_refused(tmp_path: Path) -> None:
    """Exit status 2 and one line, nothing written."""
    done = subprocess.run(
        [sys.executable, str(TOOL), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("import_facts: ")


def test_rows_may_be_appended() -> None:
    """A new row at the end leaves every number as it is."""
    tool = runpy.run_path(str(TOOL))
    tool["refuse_moved_rows"]("t.csv", old="name\na\nb\n", new="name\na\nb\nc\n")


@pytest.mark.parametrize("new", ["name\na\n", "name\nb\na\n", "name\na\nc\nb\n"])
def test_rows_that_would_move_are_refused(new: str) -> None:
    """A row that is dropped, moved or displaced would change what old records mean."""
    tool = runpy.run_path(str(TOOL))
    with pytest.raises(tool["ImportRefusedError"]):
        tool["refuse_moved_rows"]("t.csv", old="name\na\nb\n", new=new)


def test_a_table_that_differs_or_is_gone_is_named(tmp_path: Path) -> None:
    """What --check reports: each table that is not, letter by letter, what the facts make."""
    tool = runpy.run_path(str(TOOL))
    (tmp_path / "same.csv").write_text("name\na\n", encoding="utf-8")
    (tmp_path / "edited.csv").write_text("name\nb\n", encoding="utf-8")
    made = dict.fromkeys(("same.csv", "edited.csv", "gone.csv"), "name\na\n")
    assert tool["differing"](made, tmp_path) == ["edited.csv", "gone.csv"]
