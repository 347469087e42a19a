"""Many vgpus against many gpus: the verdict of every class on every class.

Vgpus alike in every factor are one class, gpus likewise. A class is a number: its board, then its code in
each factor, packed into 64 bits, so that a sorted array of these numbers with a count beside it is all that
is kept. Since a type belongs to one board, the classes of a board are a contiguous block, and everything
outside the blocks is the board row's hit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vgpu_migrate.compat.coding import CodeArray, renumber
from vgpu_migrate.compat.columns import BoolArray, GpuColumns, VgpuColumns, Vocabulary, board_of_type
from vgpu_migrate.compat.factors import (
    Factor,
    HitArray,
    evaluate,
    factor_shapes,
    states_left,
)
from vgpu_migrate.nvml import States

KeyArray = npt.NDArray[np.uint64]
CountArray = npt.NDArray[np.int64]

_BOARD_SHIFT = np.uint64(56)
_SPARE_CODES = 2
"""Each factor's part of a class number leaves room for this many times its codes, for gpus yet to come."""


class _Part(NamedTuple):
    """Where a factor's code stands in a class number."""

    shift: np.uint64
    mask: np.uint64


class ClassSide:
    """The classes of one side: their numbers ascending, the members of each, and every row's class number.

    Args:
        board: each row's board.
    """

    def __init__(self, board: npt.NDArray[np.unsignedinteger]) -> None:
        self.parts: list[_Part] = []
        self.board_shift = _BOARD_SHIFT
        self.row_keys: KeyArray = board.astype(np.uint64)
        self.row_keys <<= self.board_shift
        self._width = 0

    def add_factor(self, codes: CodeArray, count: int) -> None:
        """Add a factor's codes, of which there are `count`, to every row's number."""
        width = (count * _SPARE_CODES).bit_length()
        self.parts.append(_Part(np.uint64(self._width), np.uint64((1 << width) - 1)))
        if count > 1:
            self.row_keys |= codes.astype(np.uint64) << np.uint64(self._width)
        self._width += width
        assert self._width <= _BOARD_SHIFT, "more distinct values than a class number has room for"

    def close(self) -> None:
        """Find the classes, when every factor has been added."""
        ordered = np.sort(self.row_keys)
        starts = np.flatnonzero(np.concatenate([[len(ordered) > 0], ordered[1:] != ordered[:-1]]))
        self.keys: KeyArray = ordered[starts]
        self.counts: CountArray = np.diff(starts, append=len(ordered))

    def block(self, board: int) -> slice:
        """The positions of a board's classes."""
        low, high = np.searchsorted(self.keys, np.array([board, board + 1], np.uint64) << self.board_shift)
        return slice(int(low), int(high))

    def codes(self, factor: int, positions: slice) -> npt.NDArray[np.intp]:
        """The codes in one factor of the classes at some positions."""
        part = self.parts[factor]
        return ((self.keys[positions] >> part.shift) & part.mask).astype(np.intp)

    def class_of(self, rows: npt.NDArray[np.intp] | slice) -> npt.NDArray[np.intp]:
        """The positions of the classes of some rows."""
        return np.searchsorted(self.keys, self.row_keys[rows])

    def pack(self, board: int, codes: list[int]) -> np.uint64:
        """The class number of a board and a code in each factor."""
        key = np.uint64(board) << self.board_shift
        for part, code in zip(self.parts, codes, strict=True):
            assert code <= int(part.mask), "more new codes than a class number has room for"
            key |= np.uint64(code) << part.shift
        return key

    def move(self, row: int, key: np.uint64) -> None:
        """Give a row another class, new or known. A class left empty stays, with no member."""
        self.counts[np.searchsorted(self.keys, self.row_keys[row])] -= 1
        self.row_keys[row] = key
        position = int(np.searchsorted(self.keys, key))
        if position == len(self.keys) or self.keys[position] != key:
            self.keys = np.insert(self.keys, position, key)
            self.counts = np.insert(self.counts, position, 0)
        self.counts[position] += 1


class ClassMatrix:
    """The verdict of every vgpu class on every gpu class, kept as factors and class numbers.

    Args:
        vgpus: traits of many vgpus.
        gpus: traits of many gpus.
        words: the vocabulary that both were coded with.
    """

    def __init__(self, vgpus: VgpuColumns, gpus: GpuColumns, words: Vocabulary) -> None:
        profiles = frozenset(np.flatnonzero(np.bincount(gpus.profile, minlength=1)).tolist())
        self._words = words
        self._member = words.membership()
        self.factors: list[Factor] = []
        self.vgpus, self.gpus = ClassSide(board_of_type()[vgpus.type]), ClassSide(gpus.board)
        for shape in factor_shapes(profiles):
            factor, vgpu_codes, gpu_codes = evaluate(shape, vgpus, gpus, self._member)
            self.factors.append(factor)
            self.vgpus.add_factor(vgpu_codes, factor.hits.shape[0])
            self.gpus.add_factor(gpu_codes, factor.hits.shape[1])
        self.vgpus.close()
        self.gpus.close()
        self._reach: dict[States, CountArray] = {}

    def boards(self) -> list[int]:
        """The boards that have vgpu classes, ascending."""
        boards: list[int] = np.unique(self.vgpus.keys >> self.vgpus.board_shift).tolist()
        return boards

    def hits(self, board: int) -> HitArray:
        """The masks of hits of a board's block, [vgpu classes, gpu classes]."""
        vgpus, gpus = self.vgpus.block(board), self.gpus.block(board)
        masks = np.zeros((vgpus.stop - vgpus.start, gpus.stop - gpus.start), dtype=np.uint16)
        for number, factor in enumerate(self.factors):
            rows = factor.hits[:, self.gpus.codes(number, gpus)]
            masks |= rows[self.vgpus.codes(number, vgpus)]
        return masks

    def states(self, board: int) -> npt.NDArray[np.uint8]:
        """The states of a board's block as bits, [vgpu classes, gpu classes]."""
        return states_left()[self.hits(board)]

    def reach(self, state: States) -> CountArray:
        """For each vgpu class, the number of gpus on which it runs from `state`."""
        if state not in self._reach:
            found = np.zeros(len(self.vgpus.keys), dtype=np.int64)
            allowed = [(states_left()[factor.hits] & state != 0) for factor in self.factors]
            for board in self.boards():
                found[self.vgpus.block(board)] = self._reach_in_block(board, allowed)
            self._reach[state] = found
        return self._reach[state]

    def compatible_pairs(self, state: States) -> int:
        """The number of (vgpu, gpu) pairs in which the vgpu runs from `state`."""
        return int(self.reach(state) @ self.vgpus.counts)

    def vgpus_without_target(self, state: States) -> int:
        """The number of vgpus that run from `state` on no gpu at all."""
        return int(self.vgpus.counts[self.reach(state) == 0].sum())

    def change_gpus(self, rows: Sequence[int], gpus: GpuColumns) -> None:
        """Give some gpus new traits, one row of `gpus` each, and bring every count up to date."""
        member = self._membership()
        changes: Counter[np.uint64] = Counter()
        for changed, row in enumerate(rows):
            codes = [factor.gpu_code(gpus, changed, member) for factor in self.factors]
            key = self.gpus.pack(int(gpus.board[changed]), codes)
            changes[self.gpus.row_keys[row]] -= 1
            changes[key] += 1
            self.gpus.move(row, key)
        for key, change in changes.items():
            if change:
                left = self._column(key)
                block = self.vgpus.block(int(key >> self.gpus.board_shift))
                for state, found in self._reach.items():
                    found[block] += change * (left & state != 0)

    def _membership(self) -> BoolArray:
        if self._member.shape[1] != len(self._words.type_lists):
            self._member = self._words.membership()
        return self._member

    def _column(self, gpu_key: np.uint64) -> npt.NDArray[np.uint8]:
        """The states in which each vgpu class of its board runs on one gpu class, as bits."""
        positions = self.vgpus.block(int(gpu_key >> self.gpus.board_shift))
        masks = np.zeros(positions.stop - positions.start, dtype=np.uint16)
        for number, factor in enumerate(self.factors):
            part = self.gpus.parts[number]
            column = factor.hits[:, int((gpu_key >> part.shift) & part.mask)]
            if column.any():
                masks |= column[self.vgpus.codes(number, positions)]
        return states_left()[masks]

    def _reach_in_block(self, board: int, allowed: list[BoolArray]) -> CountArray:
        """Sum over gpu classes of the product of factors, without making the block's cells.

        Of the two factors with most tuples, the larger is contracted as a matrix product over its distinct
        rows, the smaller as a dot product for each vgpu class. The other factors have few tuples and are
        handled pattern by pattern: vgpu classes that allow the same of the others' gpu tuples.
        """
        vgpus, gpus = self.vgpus.block(board), self.gpus.block(board)
        there = [
            renumber(self.gpus.codes(number, gpus), table.shape[1]) for number, table in enumerate(allowed)
        ]
        large, small, *others = sorted(range(len(allowed)), key=lambda number: -len(there[number][0]))
        large_rows, large_row_codes = renumber(self.vgpus.codes(large, vgpus), len(allowed[large]))
        large_allowed = allowed[large][np.ix_(large_rows, there[large][0])].astype(np.float32)
        small_allowed = allowed[small][:, there[small][0]].astype(np.float32)
        small_row_codes = self.vgpus.codes(small, vgpus)
        shape = len(there[large][0]), len(there[small][0])
        at = there[large][1] * shape[1] + there[small][1]
        found = np.zeros(vgpus.stop - vgpus.start, dtype=np.int64)
        for members, open_gpus in self._patterns(vgpus, gpus, others, allowed):
            weights = np.bincount(at, self.gpus.counts[gpus] * open_gpus, minlength=shape[0] * shape[1])
            # Sums stay below 2^24 gpus a board, so single precision is exact.
            left = large_allowed @ weights.astype(np.float32).reshape(shape)
            found[members] = np.einsum(
                "ij,ij->i", left[large_row_codes[members]], small_allowed[small_row_codes[members]]
            )
        return found

    def _patterns(
        self, vgpus: slice, gpus: slice, others: list[int], allowed: list[BoolArray]
    ) -> Iterator[tuple[npt.NDArray[np.intp], BoolArray]]:
        """Groups of vgpu classes that the lesser factors treat alike, and the gpu classes they leave open."""
        size = vgpus.stop - vgpus.start
        group = np.zeros(size, dtype=np.intp)
        for number in others:
            here, codes = renumber(self.vgpus.codes(number, vgpus), len(allowed[number]))
            gpus_here, _ = renumber(self.gpus.codes(number, gpus), allowed[number].shape[1])
            alike = [row.tobytes() for row in allowed[number][np.ix_(here, gpus_here)]]
            numbers = {row: code for code, row in enumerate(dict.fromkeys(alike))}
            group = group * len(numbers) + np.array([numbers[row] for row in alike])[codes]
        for pattern in np.flatnonzero(np.bincount(group)):
            members = np.flatnonzero(group == pattern)
            open_gpus = np.ones(gpus.stop - gpus.start, dtype=bool)
            for number in others:
                code = self.vgpus.codes(number, vgpus)[members[0]]
                open_gpus &= allowed[number][code, self.gpus.codes(number, gpus)]
            yield members, open_gpus
