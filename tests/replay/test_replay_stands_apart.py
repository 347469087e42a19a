"""The replay shares no code with planning."""

from __future__ import annotations

import ast
from pathlib import Path

import vgpu_migrate.replay

ROOMS = ("errors", "nvml", "facts", "model", "compat", "replay")
ALLOWED = tuple(f"vgpu_migrate.{room}" for room in ROOMS)


def imported(path: Path) -> set[str]:
    """The package's own modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            module = node.module or ""
            found |= (
                {f"{module}.{alias.name}" for alias in node.names} if module == "vgpu_migrate" else {module}
            )
    return {name for name in found if name.startswith("vgpu_migrate")}


def test_replay_imports_facts_model_and_compat_only() -> None:
    """No file of the replay imports planning, nor anything else beside what it checks against."""
    folder = Path(vgpu_migrate.replay.__file__).parent
    for path in sorted(folder.glob("*.py")):
        for name in imported(path):
            assert name.startswith(ALLOWED), f"{path.name} imports {name}"


def test_replay_judges_by_the_pair_call() -> None:
    """The planner looks classes up in arrays; the replay asks for each pair."""
    folder = Path(vgpu_migrate.replay.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    assert "classify" not in text
    assert "check(vgpu_traits(" in text
