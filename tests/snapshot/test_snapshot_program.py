"""The rule table as a program says exactly what the table says."""

from __future__ import annotations

import pytest

from vgpu_migrate.compat.fields import FIELDS as FIELD_SPECS
from vgpu_migrate.compat.table import OPERATORS as TABLE_OPERATORS
from vgpu_migrate.compat.table import parse_condition, rules
from vgpu_migrate.model import Profile
from vgpu_migrate.snapshot.layout import COMPARISON, FIELDS, OPERATORS, RULE
from vgpu_migrate.snapshot.program import encode_program
from vgpu_migrate.snapshot.reader import condition_text, read_rows

PROFILES = pytest.mark.parametrize("profile", list(Profile))


@PROFILES
def test_every_row_decodes_to_its_condition(profile: Profile) -> None:
    """Row by row, the comparisons read back are those of the table, in the same alternatives."""
    program = encode_program(profile)
    rows = read_rows(RULE, program.rules, 0, program.rules_count)
    comparisons = read_rows(COMPARISON, program.comparisons, 0, program.comparisons_count)
    wanted = [rule for rule in rules() if profile in rule.profiles]
    assert [(row["leaves"], row["limit"]) for row in rows] == [(one.leaves, one.limit) for one in wanted]
    for row, rule in zip(rows, wanted, strict=True):
        text = condition_text(comparisons[row["first"] : row["first"] + row["count"]])
        assert parse_condition(text, place=rule.id) == rule.when


@PROFILES
def test_rows_share_no_comparison_and_leave_none_over(profile: Profile) -> None:
    """The rows' comparisons lie one after the other and are all there are, each row's last one ending."""
    program = encode_program(profile)
    rows = read_rows(RULE, program.rules, 0, program.rules_count)
    comparisons = read_rows(COMPARISON, program.comparisons, 0, program.comparisons_count)
    position = 0
    for row in rows:
        assert row["first"] == position
        position += row["count"]
        assert comparisons[position - 1]["ends"] == 1
    assert position == len(comparisons)


def test_a_profile_has_its_own_rows_at_the_end() -> None:
    """The two profiles with a row of their own have one row more than the default."""
    counts = {profile: encode_program(profile).rules_count for profile in Profile}
    assert counts == {
        Profile.DEFAULT: 10,
        Profile.IDENTICAL_HOST_DRIVERS: 11,
        Profile.RENEGOTIATING_RESUME: 11,
    }


def test_every_field_and_operator_of_the_table_has_a_number() -> None:
    """The layout numbers the fields in the order of the table's own list, and every operator there is."""
    assert tuple(FIELD_SPECS) == FIELDS
    assert (*TABLE_OPERATORS, "is known", "is unknown") == OPERATORS
