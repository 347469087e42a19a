"""YAML 1.2, core schema: text to plain data, strictly.

Not YAML 1.1, which PyYAML reads by itself: there `no` is false, `0:30` is 30 and `0o10` a text. And a
number stays a text where the file's form wants a text: the driver 470.10 is not 470.1.

Aliases are followed, but only so far that a small file stays small in memory; merge keys (`<<`) belong to
YAML 1.1 and are keys like any other. Tags other than those of the core schema are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml
from msgspec import inspect

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model.fleet_report import child, shown

MOST_NESTED = 64
MOST_FROM_ALIASES = 100_000
"""Values that aliases may add to a file."""
MOST_DIGITS = 400

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class Written(NamedTuple):
    """A number, and the text that stands for it in the file."""

    text: str
    value: int | float


def read_yaml(data: bytes, kind: inspect.Type, problems: list[Problem]) -> Any:
    """The one document in `data`; numbers become texts where `kind`, the form, wants a text.

    Keys that stand twice are added to `problems`; the last one counts.

    Raises:
        InputError: it is not YAML, not one document, too deep, or too much by aliases.
    """
    try:
        value = _Composer(iter(yaml.parse(data, Loader=_LOADER)), problems).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _malformed(error.problem or error.context or "malformed", mark) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise InputError(Problem("the file", str(error).partition("\n")[0], "wanted YAML")) from None
    return settle(value, kind)


def settle(value: Any, kind: inspect.Type | None) -> Any:
    """Plain data: each written number as the text or the value that its place in the form wants."""
    if isinstance(value, Written):
        return value.text if _wants_text(kind) else value.value
    if not isinstance(value, dict | list):
        return value
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        for member in kind.types:
            inner = member.type if isinstance(member, inspect.Metadata) else member
            if isinstance(
                inner, inspect.ListType | inspect.TupleType | inspect.StructType | inspect.DictType
            ):
                return settle(value, inner)
    if isinstance(value, list):
        if isinstance(kind, inspect.TupleType):
            kinds = [*kind.item_types, *[None] * len(value)]
            return [settle(item, item_kind) for item, item_kind in zip(value, kinds, strict=False)]
        item_type = kind.item_type if isinstance(kind, inspect.ListType) else None
        return [settle(item, item_type) for item in value]
    if isinstance(kind, inspect.StructType):
        types = {field.encode_name: field.type for field in kind.fields}
        return {key: settle(item, types.get(key)) for key, item in value.items()}
    value_type = kind.value_type if isinstance(kind, inspect.DictType) else None
    return {key: settle(item, value_type) for key, item in value.items()}


def _wants_text(kind: inspect.Type | None) -> bool:
    """Whether a scalar of this type is a text and cannot be a number."""
    scalars = list(_scalars(kind))
    texts = inspect.StrType | inspect.EnumType
    return any(isinstance(scalar, texts) for scalar in scalars) and not any(
        isinstance(scalar, inspect.IntType | inspect.FloatType) for scalar in scalars
    )


def _scalars(kind: inspect.Type | None) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        yield from _scalars(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for member in kind.types:
            yield from _scalars(member)
    elif kind is not None:
        yield kind


class _Open(NamedTuple):
    """A list or mapping that has begun: what it holds so far, its place, and its anchor."""

    value: Any
    place: str
    anchor: str | None
    keys: list[str]


class _Composer:
    """Builds the value of a document from its events, without recursion."""

    def __init__(self, events: Iterator[Any], problems: list[Problem]) -> None:
        self.events = events
        self.problems = problems
        self.open: list[_Open] = []
        self.anchors: dict[str, Any] = {}
        self.sizes: dict[str, int] = {}
        self.from_aliases = 0
        self.root: Any = None

    def document(self) -> Any:
        documents = 0
        for event in self.events:
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise _malformed("a second document begins", event.start_mark, "one document")
                case yaml.ScalarEvent():
                    self._add(_scalar(event), event, event.anchor)
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    self._begin(event)
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self._end(event)
                case yaml.AliasEvent():
                    self._alias(event)
                case _:
                    pass
        return self.root

    def _begin(self, event: Any) -> None:
        is_list = isinstance(event, yaml.SequenceStartEvent)
        if event.tag not in (None, "!", _TAG + ("seq" if is_list else "map")):
            raise _malformed(f"tag {shown(event.tag)}", event.start_mark, "no tags but the core schema's")
        if len(self.open) >= MOST_NESTED:
            raise _malformed(
                "nested too deeply",
                event.start_mark,
                f"at most {MOST_NESTED} lists and mappings inside each other",
            )
        if self._awaits_key():
            raise _malformed("a key that is a list or mapping", event.start_mark, "a text as key")
        self.open.append(_Open([] if is_list else {}, self._next_place(), event.anchor, []))

    def _end(self, event: Any) -> None:
        done = self.open.pop()
        self._add(done.value, event, done.anchor)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise _malformed(f"alias *{shown(event.anchor)}", event.start_mark, "an anchor that ended before")
        self.from_aliases += self.sizes[event.anchor]
        if self.from_aliases > MOST_FROM_ALIASES:
            raise _malformed(
                "too much by aliases", event.start_mark, f"at most {MOST_FROM_ALIASES} values through aliases"
            )
        self._add(self.anchors[event.anchor], event, None)

    def _awaits_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].value, dict) and not self.open[-1].keys

    def _next_place(self) -> str:
        if not self.open:
            return ""
        around = self.open[-1]
        if isinstance(around.value, dict):
            return child(around.place, around.keys[-1])
        return f"{around.place}[{len(around.value)}]"

    def _add(self, value: Any, event: Any, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = value
            self.sizes[anchor] = _size(value)
        if not self.open:
            self.root = value
            return
        around = self.open[-1]
        if isinstance(around.value, list):
            around.value.append(value)
        elif around.keys:
            around.value[around.keys.pop()] = value
        else:
            around.keys.append(self._key(value, event, around))

    def _key(self, value: Any, event: Any, around: _Open) -> str:
        key = value.text if isinstance(value, Written) else value
        if value is None or isinstance(value, bool):
            key = getattr(event, "value", "") or "~"
        if not isinstance(key, str):
            raise _malformed("a key that is no text", event.start_mark, "a text as key")
        if key in around.value:
            line = event.start_mark.line + 1
            place = child(around.place, key)
            self.problems.append(Problem(place, f"key stands twice, again in line {line}", "wanted it once"))
        return key


def _size(value: Any) -> int:
    """Values in a tree. Subtrees that aliases share count each time: a sum that the limit keeps small."""
    total, left = 0, [value]
    while left:
        current = left.pop()
        total += 1
        if total > MOST_FROM_ALIASES:
            break
        if isinstance(current, dict):
            left.extend(current.values())
        elif isinstance(current, list):
            left.extend(current)
    return total


def _scalar(event: Any) -> Any:
    is_plain, is_quoted = event.implicit
    if is_plain:
        return _plain(event.value)
    if is_quoted or event.tag in ("!", _TAG + "str"):
        return event.value
    return _tagged(event.value, event.tag, event)


def _plain(text: str) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return Written(text, _int(text))
    if _FLOAT.fullmatch(text):
        return Written(text, float(text))
    if _NOT_FINITE.fullmatch(text):
        return Written(text, float(text.replace(".", "")))
    return text


def _tagged(text: str, tag: str, event: Any) -> Any:
    fitting: dict[str, Callable[[Any], bool]] = {
        _TAG + "null": lambda value: value is None,
        _TAG + "bool": lambda value: isinstance(value, bool),
        _TAG + "int": lambda value: isinstance(value, Written) and isinstance(value.value, int),
        _TAG + "float": lambda value: isinstance(value, Written),
    }
    if tag not in fitting:
        raise _malformed(f"tag {shown(tag)}", event.start_mark, "no tags but the core schema's")
    value = _plain(text)
    if not fitting[tag](value):
        raise _malformed(f"{shown(text)} with tag {shown(tag)}", event.start_mark, "a value of that tag")
    # A tag settles what a number is, so its text no longer counts.
    return value.value if isinstance(value, Written) else value


def _int(text: str) -> int | float:
    if len(text) > MOST_DIGITS:
        return math.inf
    if text[:2] == "0x":
        return int(text, 16)
    return int(text[2:], 8) if text[:2] == "0o" else int(text)


def _malformed(seen: str, mark: Any, wanted: str = "YAML") -> InputError:
    place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the file"
    return InputError(Problem(place, seen, f"wanted {wanted}"))
