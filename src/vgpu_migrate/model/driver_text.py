"""What a driver's version may look like as text: what a metadata record can hold and a terminal can show."""

from __future__ import annotations

import re

from vgpu_migrate.errors import InputError, Problem, quoted

DRIVER_TEXT_PATTERN = r"^[!-~]{1,63}(?!\n)$"
"""For the JSON Schema too; Python's `$` would let a last newline pass."""

WANTED_DRIVER = "a driver such as 550.54.16: 1 to 63 printable ASCII characters without spaces"

_DRIVER_TEXT = re.compile(DRIVER_TEXT_PATTERN)


def require_driver_text(driver: str, *, place: str) -> str:
    """The text itself, if it may be a driver's version.

    Raises:
        InputError: it is empty, longer than a record holds, or has other characters.
    """
    if not _DRIVER_TEXT.match(driver):
        raise InputError(Problem(place, quoted(driver), f"wanted {WANTED_DRIVER}"))
    return driver
