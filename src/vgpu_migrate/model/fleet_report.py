"""All that is wrong with the form of decoded data, and the part of it that can still be judged.

msgspec stops at the first error. Here the data are cut along the definition of the form, and each part is
given to msgspec: what it takes is kept as it is, what it refuses is cut further, down to the values that
are wrong. So there is no second statement of the form.

What is kept lets the rules that span several keys go on and tell their errors too. A wrong optional key
counts as absent, a wrong required one is BROKEN; `unsure` has the places of both, so that no rule draws
a conclusion from a value that was not there to be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, inspect

from vgpu_migrate.errors import Problem, nearest

MOST_SHOWN = 60
MOST_SUGGESTIONS = 1000
"""Different keys to search near ones for: each costs a tenth of a millisecond, and files may be all wrong."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,80}")
_SIMPLE_KINDS: dict[type, str] = {
    inspect.StrType: "a text",
    inspect.BoolType: "true or false",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.DictType: "a mapping",
    inspect.StructType: "a mapping",
    inspect.ListType: "a list",
    inspect.TupleType: "a list",
}


class _Broken:
    """The type of BROKEN."""

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN: Any = _Broken()
"""Stands in a required field whose value could not be read."""


class Salvage(NamedTuple):
    """What is left of data of the wrong form: a value that may hold BROKEN, and what was wrong where.

    `unsure` are the places whose value is not what the file meant to say.
    """

    value: Any
    problems: list[Problem]
    unsure: set[str]


def salvage(data: object, wanted: type) -> Salvage:
    """Read decoded data as `wanted` as far as it goes, and list every place where it does not."""
    found = Salvage(BROKEN, [], set())
    return found._replace(value=_Reader(found).read(data, inspect.type_info(wanted), wanted, ""))


class _Reader:
    def __init__(self, found: Salvage) -> None:
        self.problems = found.problems
        self.unsure = found.unsure
        self.near: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}

    def read(self, data: object, kind: inspect.Type, wanted: Any, place: str) -> Any:
        """The value of one part, BROKEN where it cannot be read at all."""
        try:
            return msgspec.convert(data, wanted)
        except (msgspec.ValidationError, ValueError, TypeError, OverflowError, RecursionError) as error:
            refusal = error
        inner = _container(kind)
        before = len(self.problems)
        value: Any = BROKEN
        if isinstance(inner, inspect.StructType) and isinstance(data, Mapping):
            value = self._struct(data, inner, place)
        elif (
            isinstance(inner, inspect.ListType)
            and isinstance(data, list | tuple)
            and _long_enough(inner, data)
        ):
            value = self._items(data, inner, wanted, place)
        elif isinstance(inner, inspect.DictType) and isinstance(data, Mapping):
            value = self._values(data, inner, place)
        if len(self.problems) == before:
            self._wrong(place, spell(data), f"wanted {_wanted(kind) or refusal}")
            return BROKEN
        return value

    def _wrong(self, place: str, seen: str, wanted: str) -> None:
        self.problems.append(Problem(place or "the file", seen, wanted))
        self.unsure.add(place)

    def _struct(self, data: Mapping[object, object], kind: inspect.StructType, place: str) -> Any:
        fields = {field.encode_name: field for field in kind.fields}
        annotations = _annotations(kind.cls)
        values: dict[str, Any] = {}
        for key in data:
            if key not in fields:
                self._unknown_key(key, fields, place)
        for name, field in fields.items():
            at = child(place, name)
            if name in data:
                value = self.read(data[name], field.type, annotations[name], at)
                values[name] = UNSET if value is BROKEN and not field.required else value
            elif field.required:
                self._wrong(at, "missing", f"wanted {_wanted(field.type)}")
                values[name] = BROKEN
        return kind.cls(**values)

    def _unknown_key(self, key: object, fields: Mapping[str, object], place: str) -> None:
        at = child(place, key if isinstance(key, str) else spell(key))
        close = self._near(key, fields) if isinstance(key, str) else ()
        # The key may be meant for one of these, so nothing is concluded from their absence.
        self.unsure.update(child(place, name) for name in close)
        hint = f"did you mean {' or '.join(close)}?" if close else f"wanted one of {', '.join(fields)}"
        self.problems.append(Problem(at, "unknown key", hint))

    def _near(self, key: str, fields: Mapping[str, object]) -> tuple[str, ...]:
        asked = (key[:MOST_SHOWN], tuple(fields))
        if asked not in self.near:
            if len(self.near) >= MOST_SUGGESTIONS:
                return ()
            self.near[asked] = nearest(key[:MOST_SHOWN], fields)
        return self.near[asked]

    def _items(self, data: Iterable[object], kind: inspect.ListType, wanted: Any, place: str) -> list[Any]:
        item_wanted = _item_annotation(wanted)
        items = (
            self.read(item, kind.item_type, item_wanted, f"{place}[{index}]")
            for index, item in enumerate(data)
        )
        # A list of objects keeps its indices; of plain values, those that can be read.
        keeps_all = isinstance(_container(kind.item_type), inspect.StructType)
        if keeps_all:
            return list(items)
        self.unsure.add(place)
        return [item for item in items if item is not BROKEN]

    def _values(self, data: Mapping[object, object], kind: inspect.DictType, place: str) -> dict[str, Any]:
        struct = _container(kind.value_type)
        assert isinstance(struct, inspect.StructType)
        kept: dict[str, Any] = {}
        for key, item in data.items():
            at = child(place, key if isinstance(key, str) else spell(key))
            if not isinstance(key, str):
                self._wrong(at, f"key {spell(key)}", "wanted a text as key")
                continue
            value = self.read(item, struct, struct.cls, at)
            if value is not BROKEN:
                kept[key] = value
        return kept


def child(place: str, key: str) -> str:
    """The place of a key inside the object at `place`."""
    step = key if _PLAIN_KEY.fullmatch(key) else f'["{shown(key)}"]'
    return step if not place else f"{place}{step}" if step[0] == "[" else f"{place}.{step}"


def spell(value: object) -> str:
    """A value as it stands in the file, in JSON's spelling, shortened; control characters are escaped."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{shown(value)}"'
        case int() | float():
            try:
                return _shorten(repr(value))
            except ValueError:  # more digits than Python is willing to write
                return "a number of thousands of digits"
        case Mapping():
            return f"a mapping of {len(value)} keys" if value else "an empty mapping"
        case list() | tuple():
            if len(value) <= 4 and not any(isinstance(item, Mapping | list | tuple) for item in value):
                return _shorten(f"[{', '.join(map(spell, value))}]")
            return f"a list of {len(value)}"
        case _:
            return _shorten(f"a {type(value).__name__}")


def shown(text: str) -> str:
    """A text without its quotes, shortened; what cannot be printed is escaped."""
    # Long texts are cut before they are looked at letter by letter.
    cut = text[: MOST_SHOWN + 1]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return _shorten(cut)


def _shorten(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _container(kind: inspect.Type) -> inspect.Type:
    """The struct, list or mapping inside a field's type, past metadata and alternatives for absent."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        for member in kind.types:
            inner = _container(member)
            if isinstance(inner, inspect.StructType | inspect.ListType | inspect.DictType):
                return inner
    return kind


def _long_enough(kind: inspect.ListType, data: list[object] | tuple[object, ...]) -> bool:
    return len(data) >= (kind.min_length or 0)


def _wanted(kind: inspect.Type) -> str:
    """What a value of this type would be, in words; empty where the type says too little."""
    if isinstance(kind, inspect.Metadata):
        said = (kind.extra or {}).get("wanted")
        return str(said) if said else _wanted(kind.type)
    if isinstance(kind, inspect.UnionType):
        said_by_all = [_wanted(member) for member in kind.types if not isinstance(member, inspect.NoneType)]
        return " or ".join(dict.fromkeys(filter(None, said_by_all)))
    if isinstance(kind, inspect.EnumType):
        return _one_of(member.value for member in kind.cls)
    if isinstance(kind, inspect.LiteralType):
        return _one_of(kind.values)
    return _SIMPLE_KINDS.get(type(kind), "")


def _one_of(words: Iterable[object]) -> str:
    return f"one of {', '.join(map(str, words))}"


@cache
def _annotations(cls: type) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(cls)}


def _item_annotation(wanted: Any) -> Any:
    """The annotation of a list's items, past `Annotated` and the alternatives for absent."""
    if getattr(wanted, "__origin__", None) is list:
        return wanted.__args__[0]
    for member in (getattr(wanted, "__origin__", None), *getattr(wanted, "__args__", ())):
        if member is not None and member is not type(None) and hasattr(member, "__args__"):
            found = _item_annotation(member)
            if found is not None:
                return found
    return None
