"""A fleet file as YAML with remarks: texts in double quotes, which every YAML reads alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Remarks = Mapping[str, Sequence[str]]
"""Remarks by the place of what they stand above, such as `hosts[0]`; `` is the whole file."""


def fleet_yaml(data: Mapping[str, Any], remarks: Remarks) -> bytes:
    """The data of a fleet file as YAML 1.2 that YAML 1.1 reads alike."""
    lines = [f"# {_plain(text)}" for text in remarks.get("", ())]
    lines += _mapping(data, "", remarks)
    return ("\n".join(lines) + "\n").encode()


def _mapping(data: Mapping[str, Any], place: str, remarks: Remarks) -> Iterator[str]:
    for key, value in data.items():
        at = f"{place}.{key}" if place else key
        if isinstance(value, Mapping):
            yield f"{key}:"
            yield from (f"  {line}" for line in _mapping(value, at, remarks))
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            yield f"{key}:"
            for index, item in enumerate(value):
                here = f"{at}[{index}]"
                yield from (f"  # {_plain(text)}" for text in remarks.get(here, ()))
                first, *rest = _mapping(item, here, remarks)
                yield f"  - {first}"
                yield from (f"    {line}" for line in rest)
        else:
            yield f"{key}: {json.dumps(value, ensure_ascii=False)}"


def _plain(text: str) -> str:
    """A remark in one line: what is not printable ASCII is spelled out."""
    return text.encode("ascii", "backslashreplace").decode().translate(dict.fromkeys((*range(32), 127)))
