"""How many gpus each vgpu class may use, from the factors alone: a sum of products without the cells.

A vgpu class may use a gpu class if every factor allows it. Counted cell by cell that is vgpu classes times
gpu classes; contracted factor by factor it is a few products of small matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vgpu_migrate.compat.coding import renumber
from vgpu_migrate.compat.columns import BoolArray

CodeArray = npt.NDArray[np.intp]
FloatArray = npt.NDArray[np.float32]

_PAIRS_PER_CLASS = 512
"""A table of all pairs of rows of two factors is made if it has at most this many for each vgpu class."""

_MULTIPLICATIONS_ON_ONE_THREAD = 2**18
"""Products of matrices up to this size are done by OpenBLAS on the calling thread."""


class Allowed(NamedTuple):
    """For one factor and one state: the distinct rows of what is allowed, and the row of each vgpu tuple."""

    table: BoolArray
    row_of: CodeArray


class Side(NamedTuple):
    """A factor within a board's block.

    `table`: which gpu tuples, by column, some vgpu tuples allow, by row. `rows` and `columns`: the row of
    each vgpu class, the column of each gpu class.
    """

    table: BoolArray
    rows: CodeArray
    columns: CodeArray

    def of(self, members: CodeArray) -> Side:
        """The same for some of the vgpu classes only."""
        here, rows = renumber(self.rows[members], len(self.table))
        return Side(self.table[here], rows, self.columns)


def distinct_rows(table: BoolArray) -> Allowed:
    """Merge the vgpu tuples that allow the same gpu tuples."""
    packed = np.packbits(table, axis=1)
    _, example, row_of = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return Allowed(table[example], row_of.reshape(-1))


def side(allowed: Allowed, vgpu_codes: CodeArray, gpu_codes: CodeArray) -> Side:
    """A factor's part in a block, given the codes in it of the block's vgpu and gpu classes."""
    there, columns = renumber(gpu_codes, allowed.table.shape[1])
    return Side(allowed.table[:, there], allowed.row_of[vgpu_codes], columns)


def count_allowed(sides: Sequence[Side], gpu_counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each vgpu class of a block, the number of gpus that every factor allows it.

    The two factors with most tuples on gpus are contracted as matrices. The others have few tuples and are
    handled pattern by pattern: vgpu classes to which they allow the same.

    Args:
        sides: the factors, at least two.
        gpu_counts: the number of gpus in each gpu class, fewer than 2^24 in all: single precision is exact.
    """
    found = np.zeros(len(sides[0].rows), dtype=np.int64)
    # Most vgpu classes that may use no gpu are told by a single factor.
    open_rows: list[BoolArray] = [np.any(each.table, axis=1) for each in sides]
    hopes = [rows[each.rows] for rows, each in zip(open_rows, sides, strict=True)]
    hopeful = np.flatnonzero(np.logical_and.reduce(hopes))
    if not len(hopeful):
        return found
    by_size = sorted(sides, key=lambda each: -each.table.shape[1])
    large, small, *others = [each.of(hopeful) for each in by_size]
    shape = large.table.shape[1], small.table.shape[1]
    at = large.columns * shape[1] + small.columns
    for members, open_gpus in _patterns(others, len(hopeful), len(gpu_counts)):
        weights = np.bincount(at, gpu_counts * open_gpus, minlength=shape[0] * shape[1])
        found[hopeful[members]] = _contract(
            large._replace(rows=large.rows[members]),
            small._replace(rows=small.rows[members]),
            weights.astype(np.float32).reshape(shape),
        )
    return found


def _patterns(others: Sequence[Side], vgpus: int, gpus: int) -> Iterator[tuple[CodeArray, BoolArray]]:
    """Groups of vgpu classes that some factors treat alike, and the gpu classes that these leave open."""
    group = np.zeros(vgpus, dtype=np.intp)
    for each in others:
        group = group * len(each.table) + each.rows
    for pattern in np.flatnonzero(np.bincount(group)):
        members = np.flatnonzero(group == pattern)
        open_gpus = np.ones(gpus, dtype=bool)
        for each in others:
            open_gpus &= each.table[each.rows[members[0]]][each.columns]
        yield members, open_gpus


def _contract(large: Side, small: Side, weights: FloatArray) -> npt.NDArray[np.int64]:
    """For each vgpu class, the sum of the weights of the cells that its rows of both factors allow.

    Two products of matrices give the sums for every pair of rows. Where the classes are far fewer than the
    pairs, which would be a waste of memory, the second product is done class by class.
    """
    left = _product(large.table.astype(np.float32), weights)
    right = small.table.astype(np.float32)
    sums: FloatArray
    if len(left) * len(right) <= _PAIRS_PER_CLASS * len(large.rows):
        sums = _product(left, right.T)[large.rows, small.rows]
    else:
        sums = np.einsum("ij,ij->i", left[large.rows], right[small.rows])
    return sums.astype(np.int64)


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """The product of two matrices, in strips so small that OpenBLAS does each on the calling thread.

    Its threads wait for each other by spinning: on a machine with other work, a product of a few million
    multiplications took fifty times as long on four threads as on one.
    """
    strip = max(2, _MULTIPLICATIONS_ON_ONE_THREAD // max(1, right.size))
    product = np.empty((len(left), right.shape[1]), dtype=np.float32)
    for start in range(0, len(left), strip):
        np.matmul(left[start : start + strip], right, out=product[start : start + strip])
    return product
