"""JSON for the fleet file: fast where all is well, and every repeated key told where it is not."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model import fleet_schema as wire
from vgpu_migrate.model.fleet_report import child, shown

MOST_DIGITS = 400

_DECODER = msgspec.json.Decoder(wire.Fleet)
_BYTE = re.compile(r" ?\(byte (\d+)\)")


def decode_if_right(data: bytes) -> wire.Fleet | None:
    """The file's form from JSON, None where anything is wrong with it or may be."""
    try:
        fleet = _DECODER.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return None if _may_repeat_keys(data, fleet) else fleet


def _may_repeat_keys(data: bytes, fleet: wire.Fleet) -> bool:
    """Whether the text may have more keys than the value that came of it: some key stands twice.

    Each key has one colon. The colons inside texts are the same before and after, unless one was written as
    an escape; a file with such escapes is looked at closely, as is one with too many colons.
    """
    if b"\\" in data and rb"\u00" in data:
        return True
    return data.count(b":") != msgspec.json.encode(fleet).count(b":")


def read_json(data: bytes, problems: list[Problem]) -> Any:
    """The value of any JSON text. Keys that stand twice are added to `problems`; the last one counts.

    Raises:
        InputError: it is not JSON, or nested too deeply.
    """
    try:
        _check_syntax(data)
        value = json.loads(
            data, object_pairs_hook=_Object.of, parse_int=_whole_number, parse_constant=_no_constant
        )
    except RecursionError:
        raise InputError(Problem("the file", "nested too deeply", "wanted a fleet file")) from None
    except UnicodeDecodeError as error:
        raise not_utf8(data, error) from None
    except ValueError as error:
        raise InputError(Problem("the file", shown(str(error)), "wanted JSON")) from None
    _tell_repeated(value, "", problems)
    return value


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys stood more than once."""

    repeated: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        keys = [key for key, _ in pairs]
        found = cls(plain)
        found.repeated = tuple(key for key in plain if keys.count(key) > 1)
        return found


def _tell_repeated(value: Any, place: str, problems: list[Problem]) -> None:
    if isinstance(value, dict):
        repeated: tuple[str, ...] = getattr(value, "repeated", ())
        problems += [Problem(child(place, key), "key stands twice", "wanted it once") for key in repeated]
        for key, item in value.items():
            if isinstance(item, dict | list):
                _tell_repeated(item, child(place, key), problems)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                _tell_repeated(item, f"{place}[{index}]", problems)


def _check_syntax(data: bytes) -> None:
    """Be as strict as msgspec, which the standard library is not, and tell the line and column."""
    try:
        msgspec.json.decode(data)
    except msgspec.ValidationError:
        return  # a number out of range: well formed, and refused later where it stands
    except msgspec.DecodeError as error:
        try:
            json.loads(data)
        except json.JSONDecodeError as exact:
            place, seen = f"line {exact.lineno}, column {exact.colno}", exact.msg
        else:
            found = _BYTE.search(str(error))
            at = int(found.group(1)) if found else len(data)
            line, start = data.count(b"\n", 0, at) + 1, data.rfind(b"\n", 0, at) + 1
            place = f"line {line}, column {at - start + 1}"
            seen = _BYTE.sub("", str(error)).removeprefix("JSON is malformed: ")
        raise InputError(Problem(place, seen, "wanted JSON")) from None


def not_utf8(data: bytes, error: UnicodeDecodeError) -> InputError:
    """The error of a file that is not text."""
    try:
        data.decode()
    except UnicodeDecodeError as exact:
        error = exact
    line = data.count(b"\n", 0, error.start) + 1
    seen = f"byte 0x{data[error.start]:02x}" if error.start < len(data) else str(error.reason)
    return InputError(Problem(f"line {line}", seen, "wanted text in UTF-8"))


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= MOST_DIGITS else math.inf


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")
