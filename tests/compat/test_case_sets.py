"""The cases of this repository: the rule table agrees with them, and each says honestly who judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from vgpu_migrate.compat import rules
from vgpu_migrate.compat.case_file import parse_cases, write_cases
from vgpu_migrate.compat.cases import Case, JudgeKind, contradictions, recheck
from vgpu_migrate.compat.pair import hit_mask
from vgpu_migrate.compat.table import outcome

FOLDER = Path(__file__).parent / "cases"
FILES = sorted(FOLDER.glob("*.json"))


def cases_of(path: Path) -> tuple[Case, ...]:
    """The cases of a file."""
    return parse_cases(path.read_bytes(), source=path.name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_rules_agree_with_every_case(path: Path) -> None:
    """No row of the table says something else than a case that was given to us."""
    wrong = [
        (place, one.rows, one.too_strict, one.unexplained)
        for place, one in enumerate(map(recheck, cases_of(path)), start=1)
        if not one.agrees
    ]
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_what_would_be_written(path: Path) -> None:
    """A file edited by hand keeps the form in which it would be written again."""
    assert path.read_bytes() == write_cases(cases_of(path))


def test_no_verdict_here_passes_for_a_drivers() -> None:
    """Documents and simulated hosts stand in files that say so; only `driver-*.json` has a driver's word."""
    kinds = {path.name: {case.by.kind for case in cases_of(path)} for path in FILES}
    assert kinds.pop("documented.json") == {JudgeKind.DOCUMENT}
    assert kinds.pop("simulated.json") == {JudgeKind.SIMULATED}
    assert all(name.startswith("driver-") and found == {JudgeKind.DRIVER} for name, found in kinds.items())


def test_the_cases_guard_every_row() -> None:
    """Without any one of the table's rows, some case would be answered otherwise."""
    guarded = set()
    for path in FILES:
        for case in cases_of(path):
            hits = hit_mask(case.vgpu, case.gpu, case.profile)
            guarded |= {rule.id for rule in rules() if outcome(hits) != outcome(hits & ~(1 << rule.bit))}
    assert guarded == {rule.id for rule in rules()}


def test_no_two_cases_contradict_each_other() -> None:
    """No question was answered in two ways."""
    assert contradictions([case for path in FILES for case in cases_of(path)]) == {}
