"""The rule table, parsed: each row's condition, what it leaves, the limit it adds, its remedies.

A condition is comparisons joined by `and`, then by `or`. An operand is a field of `fields.py`, an integer,
or `yes` / `no`. `is known` and `is unknown` look at whether a value is there. Every other comparison
with an unknown value does not hold: the row stays silent.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import NamedTuple

from vgpu_migrate import facts
from vgpu_migrate.compat.fields import FIELDS, FieldSpec
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model import Profile
from vgpu_migrate.nvml import LIMIT_BY_WORD, STATE_BY_WORD, Limits, States

OPERATORS = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "not in": "not in"}

_COMPARISON = re.compile(
    r"(?P<left>[a-z]+\.[a-z_]+)\s+(?:(?P<presence>is known|is unknown)"
    r"|(?P<operator>not in|!=|<=|>=|=|<|>)\s+(?P<right>[a-z]+\.[a-z_]+|yes|no|\d+|0x[0-9a-f]+))"
)


class Comparison(NamedTuple):
    """One comparison. `right` is a field, a constant, or None where `operator` asks for presence."""

    left: FieldSpec
    operator: str
    right: FieldSpec | int | bool | None

    @property
    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields it names."""
        return (self.left, self.right) if isinstance(self.right, FieldSpec) else (self.left,)


Condition = tuple[tuple[Comparison, ...], ...]
"""Alternatives, each a conjunction. The empty alternative always holds."""


class Remedy(NamedTuple):
    """What would help where `when` holds; `text` has fields in braces. `by` names who set the obstacle."""

    when: Condition
    text: str
    by: str | None


class Rule(NamedTuple):
    """A row of the table. `bit` is its number, the position of its hit in a mask."""

    bit: int
    id: str
    when_text: str
    when: Condition
    leaves: States
    limit: Limits
    profiles: frozenset[Profile]
    basis: str
    source: str
    says: str
    all_remedies: bool
    remedies: tuple[Remedy, ...]

    @property
    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields its condition names, each once, in order."""
        return tuple(dict.fromkeys(field for part in self.when for item in part for field in item.fields))


def parse_condition(text: str, *, place: str) -> Condition:
    """Parse a condition.

    Raises:
        InputError: it is not of the grammar, or names a field that is not there.
    """
    return tuple(
        tuple(_parse_comparison(comparison, place=place) for comparison in alternative.split(" and "))
        for alternative in text.split(" or ")
    )


def _parse_comparison(text: str, *, place: str) -> Comparison:
    match = _COMPARISON.fullmatch(text.strip())
    if match is None:
        raise InputError(Problem(place, repr(text), "wanted FIELD OPERATOR FIELD-OR-CONSTANT"))
    left = _field(match["left"], place=place)
    if match["presence"]:
        return Comparison(left, match["presence"], None)
    right = match["right"]
    constant: FieldSpec | int | bool
    if right in ("yes", "no"):
        constant = right == "yes"
    elif right[0].isdigit():
        constant = int(right, 0)
    else:
        constant = _field(right, place=place)
    return Comparison(left, match["operator"], constant)


def _field(name: str, *, place: str) -> FieldSpec:
    if name not in FIELDS:
        raise InputError(Problem(place, f"unknown field {name}", f"wanted one of {', '.join(FIELDS)}"))
    return FIELDS[name]


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Parse a rule table.

    Raises:
        InputError: a row lacks something or names what is not there.
    """
    return tuple(_parse_rule(bit, row) for bit, row in enumerate(tomllib.loads(text)["rule"]))


def _parse_rule(bit: int, row: dict[str, object]) -> Rule:
    place = f"rules.toml, {row.get('id', bit)}"
    try:
        leaves = States.NONE
        for word in _words(row["leaves"]):
            leaves |= STATE_BY_WORD[word]
        return Rule(
            bit=bit,
            id=str(row["id"]),
            when_text=str(row["when"]),
            when=parse_condition(str(row["when"]), place=place),
            leaves=leaves,
            limit=LIMIT_BY_WORD[str(row["limit"])],
            profiles=frozenset(Profile(word) for word in _words(row.get("profiles", [*Profile]))),
            basis=str(row["basis"]),
            source=str(row["source"]),
            says=str(row["says"]),
            all_remedies=row.get("remedies") == "all",
            remedies=tuple(_parse_remedy(entry, place=place) for entry in _entries(row["remedy"])),
        )
    except (KeyError, ValueError) as error:
        raise InputError(Problem(place, str(error), "the row lacks it or names what is not there")) from error


def _parse_remedy(entry: dict[str, object], *, place: str) -> Remedy:
    when = entry.get("when")
    condition: Condition = ((),) if when is None else parse_condition(str(when), place=place)
    by = entry.get("by")
    return Remedy(condition, str(entry["text"]), None if by is None else str(by))


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def _entries(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []


@cache
def rules() -> tuple[Rule, ...]:
    """The rule table of this version, in order."""
    return parse_rules(facts.rules_text())


@cache
def outcome(hits: int) -> tuple[States, Limits]:
    """What a mask of hits leaves and limits: states intersected, limits joined."""
    states, limits = States(15), Limits.NONE
    for rule in rules():
        if hits >> rule.bit & 1:
            states &= rule.leaves
            limits |= rule.limit
    return states, limits
