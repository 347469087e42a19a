"""One vgpu on one gpu: the rule table, compiled to Python, and the verdict with its evidence.

The table is compiled once to functions, as `collections.namedtuple` does, because interpreting it
row by row takes ten times as long. Only parsed conditions reach the generated source, never text of a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import msgspec

from vgpu_migrate.compat.fields import FIELDS, MUST_BE_KNOWN, SHOW, FieldSpec
from vgpu_migrate.compat.table import OPERATORS, Comparison, Condition, Remedy, Rule, outcome, rules
from vgpu_migrate.compat.traits import GpuTraits, VgpuTraits
from vgpu_migrate.model import Profile
from vgpu_migrate.nvml import ALL_STATES, Limits, States

_ARGUMENT = {"vgpu": "v", "gpu": "g"}


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row that hit: the values it saw, its basis and source, and what would help.

    `by` names who set the obstacle where somebody did: `administrator-range`.
    """

    rule: str
    seen: dict[str, str]
    basis: str
    source: str
    remedy: str
    by: str | None = None


class Verdict(msgspec.Struct, frozen=True):
    """In which states a vgpu runs on a gpu, what limits it, and why.

    `unknown` names values that were not known, so that a row which needs one was silent.
    """

    states: States
    limits: Limits
    evidence: tuple[Evidence, ...]
    unknown: tuple[str, ...]

    @property
    def is_live(self) -> bool:
        """Whether the vgpu can move there live."""
        return bool(self.states & States.LIVE)


_Hits = Callable[[VgpuTraits, GpuTraits], int]
_Explain = Callable[[VgpuTraits, GpuTraits], Evidence]


def check(vgpu: VgpuTraits, gpu: GpuTraits, profile: Profile = Profile.DEFAULT) -> Verdict:
    """Say in which states a vgpu may run on a gpu, what limits it, and why.

    Static: it looks at versions and hardware, never at capacity (see `model.placement`).

    Args:
        vgpu: read on the source host, from a record or a fleet.
        gpu: read on the target host; its range is inclusive at both ends.
        profile: the rules of the target's migration domain.

    Returns:
        The states of all rows intersected, the limits joined, and a piece of evidence for each row that
        hit. Limits are NONE if and only if all four states remain.

    Source:
        NVML vGPU Migration, nvmlGetVgpuCompatibility; the rows and their bases: `vgpu-migrate rules`.
    """
    hits, explain = _compiled(profile)
    mask = hits(vgpu, gpu)
    unknown: tuple[str, ...] = ()
    if vgpu.guest_min is None or vgpu.guest_max is None or gpu.range_min is None:
        unknown = _unknown(vgpu, gpu)
    if not mask:
        return Verdict(ALL_STATES, Limits.NONE, (), unknown)
    states, limits = outcome(mask)
    return Verdict(states, limits, tuple([row(vgpu, gpu) for bit, row in explain if mask & bit]), unknown)


def hit_mask(vgpu: VgpuTraits, gpu: GpuTraits, profile: Profile = Profile.DEFAULT) -> int:
    """The rows that hit, as a mask of their bits; `table.outcome` says what they leave."""
    return _compiled(profile)[0](vgpu, gpu)


def combine(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on several vgpus of one VM together: states intersected, limits joined.

    Each piece of evidence and each unknown value is kept once.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    states, limits = ALL_STATES, Limits.NONE
    evidence: list[Evidence] = []
    for verdict in verdicts:
        states &= verdict.states
        limits |= verdict.limits
        evidence += [piece for piece in verdict.evidence if piece not in evidence]
    return Verdict(states, limits, tuple(evidence), _once(name for v in verdicts for name in v.unknown))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _unknown(vgpu: VgpuTraits, gpu: GpuTraits) -> tuple[str, ...]:
    sides = {"vgpu": vgpu, "gpu": gpu}
    return tuple(
        FIELDS[name].words
        for name in MUST_BE_KNOWN
        if getattr(sides[FIELDS[name].side], FIELDS[name].name) is None
    )


@cache
def _compiled(profile: Profile) -> tuple[_Hits, tuple[tuple[int, _Explain], ...]]:
    there = [rule for rule in rules() if profile in rule.profiles]
    lines = ["def hits(v, g):", " m = 0", *_renegotiated_lines(there)]
    for rule in there:
        lines += [f" if {_expression(rule.when)}:", f"  m |= {1 << rule.bit}"]
    hits: _Hits = _execute([*lines, " return m"])["hits"]
    return hits, tuple((1 << rule.bit, _compile_evidence(rule)) for rule in there)


def _compile_evidence(rule: Rule) -> _Explain:
    """A function that builds the evidence of one row, its remedy chosen and filled in."""
    pieces = [remedy_field for remedy in rule.remedies for remedy_field in _remedy_fields(remedy)]
    needs_negotiation = any(field.side == "pair" for field in [*rule.fields, *pieces])
    lines = ["def explain(v, g):", *(_NEGOTIATE if needs_negotiation else ())]
    lines += _seen_lines(rule)
    head, tail = f"Evidence({rule.id!r}, seen, {rule.basis!r}, {rule.source!r}, ", ")"
    if rule.all_remedies:
        lines.append(" parts = []")
        for remedy in rule.remedies:
            lines += [f" if {_expression(remedy.when)}:", f"  parts.append({_filled(remedy.text)})"]
        lines.append(f" return {head}'; '.join(parts){tail}")
    else:
        for remedy in rule.remedies:
            built = f"{head}{_filled(remedy.text)}, {remedy.by!r}{tail}"
            lines += [f" if {_expression(remedy.when)}:", f"  return {built}"]
        lines.append(" raise AssertionError('no remedy applies')")
    explain: _Explain = _execute(lines)["explain"]
    return explain


def _seen_lines(rule: Rule) -> list[str]:
    """Collect the values of the alternatives that hold; of a single one, all."""
    if len(rule.when) == 1:
        return [f" seen = {{{_seen(rule.when[0])}}}"]
    lines = [" seen = {}"]
    for alternative in rule.when:
        lines += [f" if {_expression((alternative,))}:", f"  seen |= {{{_seen(alternative)}}}"]
    return lines


def _seen(alternative: Sequence[Comparison]) -> str:
    shown = dict.fromkeys(field for comparison in alternative for field in comparison.fields)
    return ", ".join(f"{field.dotted!r}: {_shown(field)}" for field in shown)


def _remedy_fields(remedy: Remedy) -> list[FieldSpec]:
    named = [FIELDS[name] for name in re.findall(r"{([a-z._]+)}", remedy.text)]
    return named + [field for part in remedy.when for item in part for field in item.fields]


# The one negotiation rule, inlined: `model.negotiation.negotiate` in generated code; a test compares them.
_NEGOTIATE = (
    " r = None",
    " if v.guest_max is not None and g.range_min is not None:",
    "  r = min(v.guest_max, g.range_max)",
    "  if r < max(v.guest_min or 0, g.range_min):",
    "   r = None",
)


def _renegotiated_lines(there: Iterable[Rule]) -> tuple[str, ...]:
    return _NEGOTIATE if any(field.side == "pair" for rule in there for field in rule.fields) else ()


def _execute(lines: Sequence[str]) -> dict[str, Any]:
    namespace: dict[str, Any] = {"Evidence": Evidence}
    namespace |= {f"show_{kind.value}": show for kind, show in SHOW.items()}
    exec(compile("\n".join(lines), "<rules.toml>", "exec"), namespace)  # noqa: S102 (see the module)
    return namespace


def _operand(operand: FieldSpec | int | bool) -> str:
    if not isinstance(operand, FieldSpec):
        return repr(operand)
    return "r" if operand.side == "pair" else f"{_ARGUMENT[operand.side]}.{operand.name}"


def _shown(field: FieldSpec) -> str:
    return f"show_{field.kind.value}({_operand(field)})"


def _expression(condition: Condition) -> str:
    return " or ".join(" and ".join(map(_comparison, part)) or "True" for part in condition)


def _comparison(comparison: Comparison) -> str:
    left = _operand(comparison.left)
    if comparison.operator == "is known":
        return f"{left} is not None"
    if comparison.operator == "is unknown":
        return f"{left} is None"
    assert comparison.right is not None
    guards = [f"{_operand(field)} is not None" for field in comparison.fields if field.nullable]
    if comparison.right is True or comparison.right is False:
        return " and ".join([*guards, left if comparison.right else f"not {left}"])
    return " and ".join([*guards, f"{left} {OPERATORS[comparison.operator]} {_operand(comparison.right)}"])


def _filled(text: str) -> str:
    """A remedy's text as an f-string with its fields shown."""
    literal = "".join(
        f"{{{_shown(FIELDS[part[1:-1]])}}}" if part.startswith("{") else part.replace("{", "{{")
        for part in re.split(r"({[a-z._]+})", text)
    )
    return f"f{literal!r}"
