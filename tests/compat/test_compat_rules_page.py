"""The page of the rules and the table it is made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vgpu_migrate.compat.table import Comparison, parse_condition, parse_rules, rules
from vgpu_migrate.errors import InputError

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_rules_is_current() -> None:
    """docs/rules.md is what tools/make_rules_page.py makes of the table."""
    command = [sys.executable, str(ROOT / "tools" / "make_rules_page.py"), "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_row_says_its_basis_and_source() -> None:
    """Basis is documented, source or inferred; source and sentence are there; a remedy always applies."""
    for rule in rules():
        assert rule.basis in {"documented", "source", "inferred"}
        assert rule.source
        assert rule.says.endswith(".")
        assert rule.remedies[-1].when == ((),)


def test_a_condition_is_read_as_it_stands() -> None:
    """`or` joins alternatives, `and` conditions of one; constants are yes, no and integers."""
    condition = parse_condition(
        "vgpu.version < 0x140001 and vgpu.ecc = yes or vgpu.guest_max is unknown", place="here"
    )
    shown = [[(item.left.dotted, item.operator, item.right) for item in part] for part in condition]
    assert shown == [
        [("vgpu.version", "<", 0x140001), ("vgpu.ecc", "=", True)],
        [("vgpu.guest_max", "is unknown", None)],
    ]
    assert all(isinstance(item, Comparison) for part in condition for item in part)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("vgpu.colour = yes", "unknown field vgpu.colour"),
        ("vgpu.version", "wanted FIELD OPERATOR"),
        ("vgpu.version < __import__('os')", "wanted FIELD OPERATOR"),
        ("vgpu.version < gpu.nothing", "unknown field gpu.nothing"),
        ("", "wanted FIELD OPERATOR"),
    ],
)
def test_a_broken_condition_is_refused(condition: str, message: str) -> None:
    """What is not of the grammar, or names a field that is not there, is an error that names it."""
    with pytest.raises(InputError, match=message):
        parse_condition(condition, place="rules.toml, x")


@pytest.mark.parametrize("missing", ["id", "when", "leaves", "limit", "basis", "source", "says"])
def test_a_row_that_lacks_something_is_refused(missing: str) -> None:
    """Each key of a row must be there."""
    row = {
        "id": '"x"',
        "when": '"vgpu.ecc = yes"',
        "leaves": '["cold"]',
        "limit": '"gpu"',
        "basis": '"inferred"',
        "source": '"s"',
        "says": '"It."',
    }
    remedy = '[[rule.remedy]]\ntext = "do"\n'
    whole = "[[rule]]\n" + "".join(f"{key} = {value}\n" for key, value in row.items()) + remedy
    assert [rule.id for rule in parse_rules(whole)] == ["x"]
    lacking = "[[rule]]\n" + "".join(f"{key} = {value}\n" for key, value in row.items() if key != missing)
    with pytest.raises(InputError, match=missing):
        parse_rules(lacking + remedy)
