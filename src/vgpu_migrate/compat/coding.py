"""Distinct values of long columns, as dense codes. What makes a million rows a few thousand classes.

Columns of few values are packed into one number a row, and the numbers are coded through a small table:
two passes, no sort. Numbers too large for a table go through a perfect hash into one; where no such hash is
found they are sorted instead.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized

import numpy as np
import numpy.typing as npt

UIntArray = npt.NDArray[np.unsignedinteger]
CodeArray = npt.NDArray[np.uint32]

_SMALL = 2**12
"""Columns whose values are below this are packed as they are."""

_TABLE_BITS = (16, 20, 22)
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


def dense_codes(table: Sized, names: Sequence[str]) -> tuple[CodeArray, npt.NDArray[np.intp]]:
    """Code the distinct rows of some columns of a table of columns.

    Returns:
        For each row its code, from 0 up without gaps; and for each code the index of one such row.
        With no columns all rows are alike.
    """
    packed: UIntArray = np.zeros(len(table), dtype=np.uint32)
    bound = 1  # the packed numbers are below it
    for name in names if len(table) else ():
        column: UIntArray = getattr(table, name)
        column_bound = int(column.max()) + 1
        if column_bound > _SMALL:
            column, column_bound = _code(column, column_bound)
        if bound * column_bound > _table_limit(len(table)):
            packed, bound = _code(packed, bound)
        if bound * column_bound > 2**32:
            packed = packed.astype(np.uint64)
        if column_bound > 1:
            packed *= packed.dtype.type(column_bound)
            packed += column
            bound *= column_bound
    codes, count = _code(packed, bound)
    example = np.zeros(count, dtype=np.intp)
    example[codes] = np.arange(len(codes), dtype=np.uint32)
    return codes, example


def _table_limit(rows: int) -> int:
    """The largest table worth its memory."""
    return max(2**16, 4 * rows)


def _code(values: UIntArray, bound: int) -> tuple[CodeArray, int]:
    """Dense codes of values below `bound`, and how many there are."""
    limit = _table_limit(len(values))
    if bound <= limit:
        return _code_slots(values, bound)
    for bits in _TABLE_BITS:
        if 2**bits > limit:
            break
        for multiplier in _MULTIPLIERS:
            slots = (values.astype(np.uint64) * np.uint64(multiplier)) >> np.uint64(64 - bits)
            held = np.zeros(2**bits, dtype=values.dtype)
            held[slots] = values
            if np.array_equal(held[slots], values):
                return _code_slots(slots, 2**bits)
    distinct, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.uint32), len(distinct)


def _code_slots(slots: UIntArray, table_size: int) -> tuple[CodeArray, int]:
    at = slots.astype(np.intp)
    used = np.zeros(table_size, dtype=bool)
    used[at] = True
    distinct = np.flatnonzero(used)
    numbers = np.empty(table_size, dtype=np.uint32)
    numbers[distinct] = np.arange(len(distinct), dtype=np.uint32)
    return numbers[at], len(distinct)


def renumber(codes: npt.NDArray[np.intp], bound: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The distinct codes below `bound`, ascending, and each code's position among them. No sort."""
    used = np.zeros(bound, dtype=bool)
    used[codes] = True
    positions = np.cumsum(used) - 1
    return np.flatnonzero(used), positions[codes]
