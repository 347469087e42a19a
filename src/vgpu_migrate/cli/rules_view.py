"""The rule table as JSON and for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from vgpu_migrate.cli import answers
from vgpu_migrate.cli.screen import BREAK, NOTE, STRONG, WEAK, Cell, Screen, Words, count
from vgpu_migrate.compat import Rule, rules
from vgpu_migrate.compat.fields import FieldSpec
from vgpu_migrate.compat.table import Comparison, Condition
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.model import Profile


def find(*, rule: str | None, profile: str | None) -> list[Rule]:
    """The rules of that id and profile; None: of all.

    Raises:
        UnknownNameError: there is no such profile, or no such rule in it.
    """
    found = list(rules())
    if profile is not None:
        known = [item.value for item in Profile]
        if profile not in known:
            raise UnknownNameError("profile", profile, known)
        found = [row for row in found if profile in row.profiles]
    if rule is None:
        return found
    if rule not in [row.id for row in found]:
        raise UnknownNameError("rule", rule, [row.id for row in found])
    return [row for row in found if row.id == rule]


def answer(rows: Sequence[Rule]) -> answers.RulesAnswer:
    """The answer of `rules --json`."""
    return answers.RulesAnswer([_row(row) for row in rows])


def _row(row: Rule) -> answers.Rule:
    return answers.Rule(
        id=row.id,
        when=row.when_text,
        leaves=answers.spell_states(row.leaves),
        limit=cast("answers.LimitWord", row.limit.words[0]),
        profiles=_profiles(row),
        basis=row.basis,
        source=row.source,
        says=row.says,
        remedies=[
            answers.Remedy(remedy.text, say_condition(remedy.when) or None, remedy.by)
            for remedy in row.remedies
        ],
    )


def _profiles(row: Rule) -> list[str]:
    return [profile.value for profile in Profile if profile in row.profiles]


def say_condition(condition: Condition) -> str:
    """A condition as the table spells it; empty where it always holds."""
    return " or ".join(" and ".join(map(_say_comparison, alternative)) for alternative in condition)


def _say_comparison(comparison: Comparison) -> str:
    if comparison.right is None:
        return f"{comparison.left.dotted} {comparison.operator}"
    return f"{comparison.left.dotted} {comparison.operator} {_say_operand(comparison.right)}"


def _say_operand(operand: FieldSpec | int | bool) -> str:
    if isinstance(operand, FieldSpec):
        return operand.dotted
    if isinstance(operand, bool):
        return "yes" if operand else "no"
    return str(operand)


def show_table(rows: Sequence[Rule]) -> None:
    """A few lines a rule: what it leaves, limits and rests on, then when it hits, and its source."""
    screen = Screen()
    for row in rows:
        leaves = f"leaves {_say_leaves(row)}; limit {row.limit.words[0]}; {row.basis}"
        screen.line([Cell(row.id, STRONG), f"  {leaves}"])
        facts: list[tuple[str, Words]] = [("when", row.when_text), ("source", row.source)]
        if len(row.profiles) < len(Profile):
            facts.insert(0, ("only in", Cell(f"profile {', '.join(_profiles(row))}", NOTE)))
        with screen.indented():
            screen.facts(facts)
        screen.line()
    screen.line(
        Cell(
            f"{count(len(rows), 'rule')}. Every row is evaluated; the states left are intersected, the "
            "limits joined. A comparison with an unknown value does not hold. The limit codes are "
            "inferred; the basis is that of the condition.",
            WEAK,
        )
    )


def _say_leaves(row: Rule) -> str:
    return ", ".join(reversed(row.leaves.words)) or "none"


def show_one(row: Rule) -> None:
    """One rule in full, its remedies in the order in which they are tried."""
    screen = Screen()
    screen.line([Cell(row.id, STRONG), f": {row.says}"])
    facts: list[tuple[str, Words]] = [
        ("when", row.when_text),
        ("leaves", _say_leaves(row)),
        ("limit", row.limit.words[0]),
        ("profiles", ", ".join(_profiles(row))),
        ("basis", row.basis),
        ("source", row.source),
    ]
    with screen.indented():
        screen.facts(facts)
    screen.line()
    screen.title("Remedies, all that apply" if row.all_remedies else "Remedies, the first that applies")
    with screen.indented():
        screen.facts(
            (f"{number}", _say_remedy(remedy)) for number, remedy in enumerate(_row(row).remedies, 1)
        )


def _say_remedy(remedy: answers.Remedy) -> Words:
    by = f" ({remedy.by})" if remedy.by else ""
    condition = [BREAK, Cell(f"if {remedy.when}" if remedy.when else "else", WEAK)]
    return [remedy.text, Cell(by, NOTE), *(condition if remedy.when != "" else ())]
