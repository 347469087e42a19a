"""The rule table as the program that the C library runs: rows, and the comparisons of their conditions.

A row's comparisons lie one after the other; those of one alternative hold together, and the last of each
alternative says so.
"""

from __future__ import annotations

from typing import NamedTuple

from vgpu_migrate.compat.fields import FieldSpec
from vgpu_migrate.compat.table import Comparison, rules
from vgpu_migrate.model import Profile
from vgpu_migrate.snapshot.layout import COMPARISON, CONSTANT_OPERAND, FIELDS, OPERATORS, RULE


class Program(NamedTuple):
    """The rows of one profile, encoded: `RULE` and `COMPARISON` structures."""

    rules: bytes
    comparisons: bytes

    @property
    def rules_count(self) -> int:
        """How many rows."""
        return len(self.rules) // RULE.size

    @property
    def comparisons_count(self) -> int:
        """How many comparisons, of all rows together."""
        return len(self.comparisons) // COMPARISON.size


def encode_program(profile: Profile) -> Program:
    """The rows that a profile has, in the order of the table."""
    rows, comparisons = bytearray(), bytearray()
    for rule in rules():
        if profile not in rule.profiles:
            continue
        first = len(comparisons) // COMPARISON.size
        for alternative in rule.when:
            assert alternative, "a row without a condition has no program"
            for position, comparison in enumerate(alternative, start=1):
                comparisons += _encode_comparison(comparison, ends=position == len(alternative))
        count = len(comparisons) // COMPARISON.size - first
        rows += RULE.struct.pack(first, count, rule.leaves, rule.limit)
    return Program(bytes(rows), bytes(comparisons))


def _encode_comparison(comparison: Comparison, *, ends: bool) -> bytes:
    right, constant = CONSTANT_OPERAND, 0
    if isinstance(comparison.right, FieldSpec):
        right = FIELDS.index(comparison.right.dotted)
    elif comparison.right is not None:
        constant = int(comparison.right)
    return COMPARISON.struct.pack(
        FIELDS.index(comparison.left.dotted),
        OPERATORS.index(comparison.operator),
        right,
        ends,
        constant,
    )
