"""NVML's functions: their numbers, since which driver each exists, whether the drop-in library answers it.

The table is `symbols.csv`, one row a function; a function's number is its row. Numbers travel between
programs of different age (the library, the host, fault injection), so the table is append-only.

Source: nvml.h 13.5.37 and the symbol tables of libnvidia-ml.so 390.157, 470.256.02, 535.261.03, 570.133.20.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import NamedTuple

from vgpu_migrate.errors import UnknownNameError

OLDEST_UNLISTED = 580
"""The driver major from which a function exists that none of the measured libraries has."""


class Symbol(NamedTuple):
    """A function of NVML.

    `since`: the oldest driver major seen to have it. `answers`: the drop-in library has behaviour for it;
    else it answers NOT_SUPPORTED.
    """

    number: int
    name: str
    since: int
    answers: bool


@cache
def symbols() -> tuple[Symbol, ...]:
    """Every function, by number."""
    text = resources.files(__package__).joinpath("symbols.csv").read_text(encoding="utf-8")
    return tuple(
        Symbol(number, row["name"], int(row["since"]), _BEHAVIOURS[row["behaviour"]])
        for number, row in enumerate(csv.DictReader(text.splitlines()))
    )


def symbol(name: str) -> Symbol:
    """The function of this name.

    Raises:
        UnknownNameError: NVML has none; the nearest names are suggested.
    """
    found = _by_name().get(name)
    if found is None:
        raise UnknownNameError("NVML function", name, _by_name())
    return found


@cache
def _by_name() -> dict[str, Symbol]:
    return {one.name: one for one in symbols()}


_BEHAVIOURS = {"answers": True, "not_supported": False}
