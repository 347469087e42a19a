"""States and tokens to and from plain data (JSON's), for whoever keeps or sends them.

Boards and vgpu types are written by name, not with the row of the table; bytes as base64. Reading is
driven by the types of the fields, and strict: what does not fit is an error that names its place.
"""

from __future__ import annotations

import base64
import binascii
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.facts import Board, VgpuType

DATA_VERSION = 1
"""Raised when what is written changes so that an older reader would misread it."""

T = TypeVar("T")


def to_data(value: object) -> Any:
    """A state or a token as dictionaries, lists, strings, numbers, booleans and None."""
    if isinstance(value, Board):
        return value.key
    if isinstance(value, VgpuType):
        return value.short
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, msgspec.Struct):
        return {name: to_data(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): to_data(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [to_data(item) for item in value]
    assert value is None or isinstance(value, str | int | float)
    return value


def from_data(kind: type[T], data: object, *, place: str = "data") -> T:
    """Read back what `to_data` wrote for a value of `kind`.

    Raises:
        InputError: something there is not what it should be.
    """
    found: T = _read(kind, data, place)
    return found


def _read(hint: Any, data: Any, place: str) -> Any:
    hint = getattr(hint, "__supertype__", hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        return _read(next(one for one in arguments if one is not type(None)), data, place)
    if origin is dict:
        items = _want(dict, data, place).items()
        return {key: _read(arguments[1], item, f"{place}.{key}") for key, item in items}
    if origin is tuple:
        return tuple(
            _read(arguments[0], item, f"{place}[{index}]")
            for index, item in enumerate(_want(list, data, place))
        )
    return _read_plain(hint, data, place)


def _read_plain(hint: Any, data: Any, place: str) -> Any:
    if hint is Board:
        return facts.board(_want(str, data, place))
    if hint is VgpuType:
        return facts.vgpu_type(_want(str, data, place))
    if hint is bytes:
        try:
            return base64.b64decode(_want(str, data, place), validate=True)
        except binascii.Error:
            raise _wrong(place, data, "base64") from None
    if issubclass(hint, Enum):
        try:
            return hint(data)
        except ValueError:
            raise _wrong(place, data, " or ".join(str(one.value) for one in hint)) from None
    if issubclass(hint, msgspec.Struct):
        return _read_struct(hint, _want(dict, data, place), place)
    if issubclass(hint, tuple):
        return _read_named_tuple(hint, _want(list, data, place), place)
    return _want(hint, data, place)


def _read_struct(hint: Any, data: dict[str, Any], place: str) -> Any:
    hints = _hints(hint)
    odd = sorted(data.keys() ^ hints.keys())
    if odd:
        raise InputError([Problem(f"{place}.{name}", "", "missing or unknown") for name in odd])
    return hint(**{name: _read(kind, data[name], f"{place}.{name}") for name, kind in hints.items()})


def _read_named_tuple(hint: Any, data: list[Any], place: str) -> Any:
    hints = _hints(hint)
    if len(data) != len(hints):
        raise _wrong(place, data, f"{len(hints)} values")
    return hint(
        *(_read(kind, one, f"{place}.{name}") for (name, kind), one in zip(hints.items(), data, strict=True))
    )


@cache
def _hints(hint: Any) -> dict[str, Any]:
    return typing.get_type_hints(hint)


def _want(kind: Any, data: Any, place: str) -> Any:
    fits = isinstance(data, kind) or (kind is float and isinstance(data, int))
    if not fits or (isinstance(data, bool) and kind is not bool):
        raise _wrong(place, data, kind.__name__)
    return data


def _wrong(place: str, data: object, wanted: str) -> InputError:
    return InputError(Problem(place, repr(data)[:80], f"wanted {wanted}"))
