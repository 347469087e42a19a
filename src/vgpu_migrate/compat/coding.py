"""Distinct values of long columns, as dense codes. What makes a million rows a few thousand classes.

A column of few distinct values is coded through a perfect hash into a small table: two passes over the
column, no sort. Where no such hash is found the values are sorted instead.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized

import numpy as np
import numpy.typing as npt

UIntArray = npt.NDArray[np.unsignedinteger]
CodeArray = npt.NDArray[np.uint32]

_TABLE_BITS = (16, 20, 22)
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


def dense_codes(table: Sized, names: Sequence[str]) -> tuple[CodeArray, npt.NDArray[np.intp]]:
    """Code the distinct rows of some columns of a table of columns.

    Returns:
        For each row its code, from 0 up without gaps; and for each code the index of one such row.
        With no columns all rows are alike.
    """
    codes, count = np.zeros(len(table), dtype=np.uint32), min(1, len(table))
    for name in names:
        other, other_count = _code_column(getattr(table, name))
        if count * other_count >= 2**32:
            wide = codes.astype(np.uint64) * np.uint64(other_count) + other
            codes, count = _code_bounded(wide, count * other_count)
        elif other_count > 1:
            codes *= np.uint32(other_count)
            codes += other
            codes, count = _code_bounded(codes, count * other_count)
    example = np.zeros(count, dtype=np.intp)
    example[codes] = np.arange(len(codes), dtype=np.uint32)
    return codes, example


def _code_column(column: UIntArray) -> tuple[CodeArray, int]:
    return _code_bounded(column, int(column.max()) + 1) if len(column) else (column.astype(np.uint32), 0)


def _code_bounded(values: UIntArray, bound: int) -> tuple[CodeArray, int]:
    """Codes of values below `bound`."""
    if bound == 1:
        return np.zeros(len(values), dtype=np.uint32), 1
    if bound <= max(2**16, 4 * len(values)):
        return _code_slots(values, bound)
    for bits in _TABLE_BITS:
        if 2**bits > max(2**16, 4 * len(values)):
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
    used = np.zeros(table_size, dtype=bool)
    used[slots] = True
    numbers = np.cumsum(used, dtype=np.uint32)
    count = int(numbers[-1])
    numbers -= np.uint32(1)
    return numbers[slots], count


def renumber(codes: npt.NDArray[np.intp], bound: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The distinct codes below `bound`, ascending, and each code's position among them. No sort."""
    used = np.zeros(bound, dtype=bool)
    used[codes] = True
    positions = np.cumsum(used) - 1
    return np.flatnonzero(used), positions[codes]
