"""Decoded JSON against a msgspec type: every problem at once, where msgspec stops at the first."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from vgpu_migrate.errors import Problem, nearest

MOST_SHOWN = 60


def problems_of(value: object, wanted: type) -> list[Problem]:
    """Everything that keeps decoded JSON from being a `wanted`, in order of place; empty if it is one.

    It knows what the file formats of this project use: structs, tagged unions, tuples, dictionaries,
    numbers, booleans, strings, enumerations, literals and None, with bounds and patterns.
    """
    return list(_walk(value, _type_info(wanted), ""))


@cache
def _type_info(wanted: type) -> inspect.Type:
    return inspect.type_info(wanted)


def _walk(value: object, kind: inspect.Type, place: str) -> Iterator[Problem]:
    match kind:
        case inspect.Metadata():
            yield from _walk_described(value, kind, place)
        case inspect.UnionType():
            yield from _walk_union(value, kind, place)
        case inspect.StructType():
            yield from _walk_struct(value, kind, place)
        case inspect.VarTupleType():
            if not isinstance(value, list):
                yield _problem(place, value, "a list")
                return
            if kind.min_length is not None and len(value) < kind.min_length:
                yield Problem(place, f"{len(value)} entries", f"wanted at least {kind.min_length}")
            for index, item in enumerate(value):
                yield from _walk(item, kind.item_type, f"{place}[{index}]")
        case inspect.TupleType():
            if not isinstance(value, list) or len(value) != len(kind.item_types):
                yield _problem(place, value, f"a list of {len(kind.item_types)}")
                return
            for index, (item, item_type) in enumerate(zip(value, kind.item_types, strict=True)):
                yield from _walk(item, item_type, f"{place}[{index}]")
        case inspect.DictType():
            if not isinstance(value, dict):
                yield _problem(place, value, "an object")
                return
            for name, item in value.items():
                yield from _walk(item, kind.value_type, f"{place}.{name}")
        case _:
            clause = _scalar_wanted(value, kind)
            if clause is not None:
                yield _problem(place, value, clause)


def _walk_described(value: object, kind: inspect.Metadata, place: str) -> Iterator[Problem]:
    """A type that says in words what is wanted: any problem with it is told in these."""
    problems = list(_walk(value, kind.type, place))
    wanted = (kind.extra or {}).get("wanted")
    if problems and wanted:
        yield _problem(place, value, wanted)
    else:
        yield from problems


def _walk_union(value: object, kind: inspect.UnionType, place: str) -> Iterator[Problem]:
    members = [member for member in kind.types if not isinstance(member, inspect.NoneType)]
    if value is None and len(members) < len(kind.types):
        return
    structs = [member for member in members if isinstance(member, inspect.StructType)]
    if len(members) == 1:
        yield from _walk(value, members[0], place)
        return
    if not structs:
        clauses = [_scalar_wanted(value, member) for member in members]
        if None not in clauses:
            yield _problem(place, value, " or ".join(map(str, clauses)))
        return
    assert len(structs) == len(members), "unions are tagged structs, scalars, or one type and None"
    if not isinstance(value, dict):
        yield _problem(place, value, "an object")
        return
    tag_field = structs[0].tag_field or ""
    chosen = [struct for struct in structs if struct.tag == value.get(tag_field)]
    if chosen:
        yield from _walk_struct(value, chosen[0], place)
    else:
        tags = " | ".join(str(struct.tag) for struct in structs)
        yield _problem(f"{place}.{tag_field}", value.get(tag_field), tags)


def _walk_struct(value: object, kind: inspect.StructType, place: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _problem(place, value, "an object")
        return
    prefix = f"{place}." if place else ""
    fields = {field.encode_name: field for field in kind.fields}
    for name, field in fields.items():
        if name in value:
            yield from _walk(value[name], field.type, f"{prefix}{name}")
        elif field.required:
            yield Problem(f"{prefix}{name}", "", "missing")
    for name in value:
        if name not in fields and name != kind.tag_field:
            close = nearest(name, fields)
            hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(fields)}"
            yield Problem(f"{prefix}{name}", "unknown key", hint)


def _scalar_wanted(value: object, kind: inspect.Type) -> str | None:
    """What a scalar should have been, or None where it is fine."""
    match kind:
        case inspect.IntType():
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            fits = is_whole and _least(kind.ge) <= _number(value) <= _most(kind.le)
            at_most = "" if kind.le is None else f", at most {kind.le}"
            return None if fits else f"a whole number{_at_least(kind.ge)}{at_most}"
        case inspect.FloatType():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            fits = is_number and math.isfinite(_number(value)) and _number(value) >= _least(kind.ge)
            return None if fits else f"a number{_at_least(kind.ge)}"
        case inspect.StrType():
            fits = isinstance(value, str) and (kind.pattern is None or bool(re.search(kind.pattern, value)))
            return None if fits else "a string" + (f" like {kind.pattern}" if kind.pattern else "")
        case inspect.BoolType():
            return None if isinstance(value, bool) else "true or false"
        case inspect.EnumType():
            known = [member.value for member in kind.cls]
            return None if value in known else " | ".join(map(str, known))
        case inspect.LiteralType():
            fits = any(value == known and type(value) is type(known) for known in kind.values)
            return None if fits else " | ".join(map(str, kind.values))
        case _:
            raise AssertionError(f"{kind} is not among the types that files use")


def _least(bound: float | None) -> float:
    return -math.inf if bound is None else bound


def _most(bound: float | None) -> float:
    return math.inf if bound is None else bound


def _at_least(bound: float | None) -> str:
    return "" if bound is None else f", {bound:g} or more"


def _number(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _problem(place: str, value: object, wanted: str) -> Problem:
    shown = msgspec.json.encode(value).decode()
    if len(shown) > MOST_SHOWN:
        shown = shown[:MOST_SHOWN] + "…"
    return Problem(place or "the file", shown, f"wanted {wanted}")
