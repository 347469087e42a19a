"""docs/conformance.md names every conformance test, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from vgpu_migrate.manager import TRANSITIONS

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "conformance.md"


def present() -> set[str]:
    """The names of the conformance tests, those of this file left out."""
    return {
        node.name
        for path in sorted(HERE.glob("test_conformance_*.py"))
        if path != Path(__file__).resolve()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def named() -> set[str]:
    """The names of tests in the page, in back-quotes."""
    return set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE.read_text(encoding="utf-8")))


def test_the_page_and_the_tests_agree() -> None:
    """Neither a statement without its test nor a test without its statement."""
    assert sorted(named()) == sorted(present())


def test_the_page_has_the_transition_table() -> None:
    """The page's table of power states is the one that the manager follows, row by row."""
    wanted = [
        f"| {row.operation} | {', '.join(row.sources)} | {row.target or '–'} | {row.said} |"
        for row in TRANSITIONS.values()
    ]
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index("| Operation | From | To | |") + 2
    assert lines[start : lines.index("", start)] == wanted
