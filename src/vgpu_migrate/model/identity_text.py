"""What a VM's id and UUID may look like as text: what a line of a table can show, and what NVML answers."""

from __future__ import annotations

import re

from vgpu_migrate.errors import InputError, Problem, quoted

LONGEST_ID = 255
UUID_PATTERN = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?!\n)$"
"""For the JSON Schema too; Python's `$` would let a last newline pass."""

WANTED_NAME = "printable characters, without a space at either end"
WANTED_UUID = "a UUID such as 0b9ed2c4-8a4f-4c6a-9d4e-3f1d9c8b7a60"

_UUID = re.compile(UUID_PATTERN)


def is_name(text: str) -> bool:
    """Whether a text can be printed in a line and told apart by eye."""
    return text.isprintable() and text == text.strip()


def require_id(text: str, *, place: str) -> str:
    """The text itself, if it may be an id.

    Raises:
        InputError: it is empty, too long, or cannot be shown in a line.
    """
    if not 1 <= len(text) <= LONGEST_ID:
        raise InputError(Problem(place, f"{len(text)} characters", f"wanted 1 to {LONGEST_ID}"))
    if not is_name(text):
        raise InputError(Problem(place, quoted(text), f"wanted {WANTED_NAME}"))
    return text


def require_uuid(text: str, *, place: str) -> str:
    """The UUID in lower case.

    Raises:
        InputError: it is none.
    """
    if not _UUID.match(text):
        raise InputError(Problem(place, quoted(text), f"wanted {WANTED_UUID}"))
    return text.lower()
