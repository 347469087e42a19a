"""Many vgpus against many gpus: the verdict of every class on every class.

Vgpus alike in every factor are one class, gpus likewise. A class is a number: its board, then its code in
each factor, packed into 64 bits, so that a sorted array of these numbers with a count beside it is all that
is kept. Since a type belongs to one board, the classes of a board are a contiguous block, and everything
outside the blocks is the board row's hit.
"""

from __future__ import annotations

import functools
import operator
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vgpu_migrate.compat.coding import CodeArray
from vgpu_migrate.compat.columns import BoolArray, GpuColumns, VgpuColumns, Vocabulary, board_of_type
from vgpu_migrate.compat.contraction import Allowed, count_allowed, distinct_rows, side
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
_BOARDS_AT_MOST = 256


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
        self.parts: tuple[_Part, ...] = ()
        self.board_shift = _BOARD_SHIFT
        self.row_keys: KeyArray = board.astype(np.uint64)
        self.row_keys <<= self.board_shift
        self._widths: tuple[int, ...] = ()

    def add_factor(self, codes: CodeArray, count: int) -> None:
        """Add a factor's codes, of which there are `count`, to every row's number."""
        self._lay_out((*self._widths, (count - 1).bit_length()))
        if count > 1:
            keys = codes.astype(np.uint64)
            keys <<= self.parts[-1].shift
            self.row_keys |= keys

    def close(self) -> None:
        """Find the classes, when every factor has been added."""
        ordered = np.sort(self.row_keys)
        starts = np.flatnonzero(np.concatenate([[len(ordered) > 0], ordered[1:] != ordered[:-1]]))
        self.keys: KeyArray = ordered[starts]
        self.counts: CountArray = np.empty_like(starts)
        np.subtract(starts[1:], starts[:-1], out=self.counts[:-1])
        self.counts[-1:] = len(ordered) - starts[-1:]

    def boards(self) -> list[int]:
        """The boards that have classes, ascending."""
        starts = np.searchsorted(self.keys, np.arange(_BOARDS_AT_MOST, dtype=np.uint64) << self.board_shift)
        boards: list[int] = np.flatnonzero(np.diff(starts, append=len(self.keys))).tolist()
        return boards

    def block(self, board: int) -> slice:
        """The positions of a board's classes."""
        low, high = np.searchsorted(self.keys, np.array([board, board + 1], np.uint64) << self.board_shift)
        return slice(int(low), int(high))

    def codes(self, factor: int, positions: slice) -> npt.NDArray[np.intp]:
        """The codes in one factor of the classes at some positions."""
        return self.codes_of(self.keys[positions], factor)

    def codes_of(self, keys: KeyArray, factor: int) -> npt.NDArray[np.intp]:
        """The codes in one factor of some class numbers."""
        part = self.parts[factor]
        return ((keys >> part.shift) & part.mask).astype(np.intp)

    def class_of(self, rows: npt.NDArray[np.intp] | slice) -> npt.NDArray[np.intp]:
        """The positions of the classes of some rows."""
        return np.searchsorted(self.keys, self.row_keys[rows])

    def make_room(self, codes: Sequence[int]) -> None:
        """Widen each factor's part of the class numbers until these codes fit. The order of classes stays."""
        widths = tuple(max(width, code.bit_length()) for width, code in zip(self._widths, codes, strict=True))
        if widths != self._widths:
            old = self.parts
            self._lay_out(widths)
            self.keys, self.row_keys = self._moved(self.keys, old), self._moved(self.row_keys, old)

    def pack(self, board: int, codes: Sequence[int]) -> np.uint64:
        """The class number of a board and a code in each factor, which there is room for."""
        key = np.uint64(board) << self.board_shift
        for part, code in zip(self.parts, codes, strict=True):
            key |= np.uint64(code) << part.shift
        return key

    def move(self, rows: npt.NDArray[np.intp], keys: KeyArray) -> None:
        """Give some rows other classes, new or known. A class left empty stays, with no member."""
        np.subtract.at(self.counts, self.class_of(rows), 1)
        wanted = np.unique(keys)
        positions = np.searchsorted(self.keys, wanted)
        is_new = self.keys[np.minimum(positions, len(self.keys) - 1)] != wanted
        if is_new.any():
            self.keys = np.insert(self.keys, positions[is_new], wanted[is_new])
            self.counts = np.insert(self.counts, positions[is_new], 0)
        self.row_keys[rows] = keys
        np.add.at(self.counts, self.class_of(rows), 1)

    def _lay_out(self, widths: tuple[int, ...]) -> None:
        assert sum(widths) <= _BOARD_SHIFT, "more distinct values than a class number has room for"
        shifts = [sum(widths[:number]) for number in range(len(widths))]
        self._widths = widths
        self.parts = tuple(
            _Part(np.uint64(shift), np.uint64((1 << width) - 1))
            for shift, width in zip(shifts, widths, strict=True)
        )

    def _moved(self, keys: KeyArray, old: Sequence[_Part]) -> KeyArray:
        moved = keys >> self.board_shift << self.board_shift
        for part, before in zip(self.parts, old, strict=True):
            moved |= (keys >> before.shift & before.mask) << part.shift
        return moved


class ClassMatrix:
    """The verdict of every vgpu class on every gpu class, kept as factors and class numbers.

    Args:
        vgpus: traits of many vgpus.
        gpus: traits of many gpus.
        words: the vocabulary that both were coded with.
    """

    def __init__(self, vgpus: VgpuColumns, gpus: GpuColumns, words: Vocabulary) -> None:
        self._profiles = frozenset(np.flatnonzero(np.bincount(gpus.profile)).tolist())
        self._words = words
        self._member = words.membership()
        self.factors: list[Factor] = []
        self.vgpus, self.gpus = ClassSide(board_of_type()[vgpus.type]), ClassSide(gpus.board)
        for shape in factor_shapes(self._profiles):
            factor, vgpu_codes, gpu_codes = evaluate(shape, vgpus, gpus, self._member)
            self.factors.append(factor)
            self.vgpus.add_factor(vgpu_codes, factor.hits.shape[0])
            self.gpus.add_factor(gpu_codes, factor.hits.shape[1])
        self.vgpus.close()
        self.gpus.close()
        self._reach: dict[States, CountArray] = {}

    def boards(self) -> list[int]:
        """The boards that have vgpu classes, ascending."""
        return self.vgpus.boards()

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
            left = [states_left()[factor.hits] for factor in self.factors]
            # States that every factor treats alike, as live and sleep mostly are, are counted once.
            for other, counted in self._reach.items():
                if all(np.array_equal(each & state != 0, each & other != 0) for each in left):
                    self._reach[state] = counted.copy()
                    break
            else:
                self._reach[state] = self._count([distinct_rows(each & state != 0) for each in left])
        return self._reach[state]

    def _count(self, allowed: list[Allowed]) -> CountArray:
        found = np.zeros(len(self.vgpus.keys), dtype=np.int64)
        for board in sorted({*self.vgpus.boards()} & {*self.gpus.boards()}):
            vgpus, gpus = self.vgpus.block(board), self.gpus.block(board)
            sides = [
                side(each, self.vgpus.codes(number, vgpus), self.gpus.codes(number, gpus))
                for number, each in enumerate(allowed)
            ]
            found[vgpus] = count_allowed(sides, self.gpus.counts[gpus])
        return found

    def compatible_pairs(self, state: States) -> int:
        """The number of (vgpu, gpu) pairs in which the vgpu runs from `state`."""
        return int(self.reach(state) @ self.vgpus.counts)

    def vgpus_without_target(self, state: States) -> int:
        """The number of vgpus that run from `state` on no gpu at all."""
        return int(self.vgpus.counts[self.reach(state) == 0].sum())

    def change_gpus(self, rows: Sequence[int], gpus: GpuColumns) -> None:
        """Give some gpus new traits, one row of `gpus` each, and bring every count up to date.

        Each of `rows` is named once. The profiles are among those that there were at the start.
        """
        assert len(set(rows)) == len(rows) == len(gpus), "each changed gpu is named once"
        assert set(gpus.profile.tolist()) <= self._profiles, "no gpu had this profile: build a new matrix"
        if not rows:
            return
        member = self._membership()
        codes = [[factor.gpu_code(gpus, row, member) for factor in self.factors] for row in range(len(rows))]
        self.gpus.make_room([max(of_factor) for of_factor in zip(*codes, strict=True)])
        at = np.array(rows, dtype=np.intp)
        before = self.gpus.row_keys[at]
        after = np.array(
            [self.gpus.pack(int(board), each) for board, each in zip(gpus.board, codes, strict=True)],
            dtype=np.uint64,
        )
        self.gpus.move(at, after)
        if self._reach:
            self._recount(before, after)

    def _membership(self) -> BoolArray:
        if self._member.shape[1] != len(self._words.type_lists):
            self._member = self._words.membership()
        return self._member

    def _recount(self, before: KeyArray, after: KeyArray) -> None:
        """Count anew for gpus that went from the classes in `before` to those in `after`."""
        for (old, new), gpus in Counter(zip(before.tolist(), after.tolist(), strict=True)).items():
            if old == new:
                continue
            if old >> int(self.gpus.board_shift) == new >> int(self.gpus.board_shift):
                self._add([old, new], [-gpus, gpus])
            else:
                self._add([old], [-gpus])
                self._add([new], [gpus])

    def _add(self, gpu_keys: list[int], gpus: list[int]) -> None:
        """Add numbers of gpus of some classes of one board to the counts.

        Factors in which these classes are alike go first, the most selective at the head: few vgpu classes
        are left for the others.
        """
        gpu_classes = np.array(gpu_keys, dtype=np.uint64)
        codes = [self.gpus.codes_of(gpu_classes, number).tolist() for number in range(len(self.factors))]
        counted = np.uint8(functools.reduce(operator.or_, self._reach))
        alike = {
            number: states_left()[self.factors[number].hits[:, of_factor[0]]] & counted
            for number, of_factor in enumerate(codes)
            if len(set(of_factor)) == 1
        }
        positions = self.vgpus.block(gpu_keys[0] >> int(self.gpus.board_shift))
        keys, members = self.vgpus.keys[positions], np.arange(positions.start, positions.stop)
        left = np.full(len(members), counted)
        for number in sorted(alike, key=lambda number: np.count_nonzero(alike[number]) / len(alike[number])):
            left &= alike[number].take(self.vgpus.codes_of(keys, number))
            kept = np.flatnonzero(left != 0)
            keys, members, left = keys[kept], members[kept], left[kept]
        differing = [number for number in range(len(self.factors)) if number not in alike]
        tuples = {number: self.vgpus.codes_of(keys, number) for number in differing}
        for position, change in enumerate(gpus):
            allowed = left.copy()
            for number in differing:
                hits = self.factors[number].hits[:, codes[number][position]]
                allowed &= states_left()[hits].take(tuples[number])
            for state, found in self._reach.items():
                found[members] += change * (allowed & np.uint8(state) != 0)
