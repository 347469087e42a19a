"""Many vgpus against many gpus, by equivalence classes.

The rules are split into *factors* that share no vgpu field. In each factor the distinct tuples of both
sides are few, so the table is evaluated on those alone; the hits of a pair are the union of its factors'
hits. Vgpus alike in every factor are one class, gpus likewise. Since a type belongs to one board, the classes
fall into a block per board, and everything outside the blocks is the board row's hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import numpy.typing as npt

from vgpu_migrate.compat.coding import CodeArray, UIntArray, dense_codes
from vgpu_migrate.compat.columns import (
    PROFILES,
    BoolArray,
    GpuColumns,
    VgpuColumns,
    Vocabulary,
    board_of_type,
    gpu_table,
    hit_masks,
    vgpu_table,
)
from vgpu_migrate.compat.table import Rule, outcome, rules
from vgpu_migrate.nvml import States

HitArray = npt.NDArray[np.uint16]
CountArray = npt.NDArray[np.int64]

_SOURCE_FIELDS = ("ecc", "sriov", "topology", "mig")


@dataclass(frozen=True)
class FactorShape:
    """Rules that share vgpu fields, and the columns of both sides that they read."""

    rules: tuple[Rule, ...]
    vgpu_columns: tuple[str, ...]
    gpu_columns: tuple[str, ...]


@cache
def factor_shapes(profiles: frozenset[int]) -> tuple[FactorShape, ...]:
    """Split the rules of the profiles in use into factors.

    The first factor is that of the type, because a type's board and kind are functions of it.
    """
    groups: list[tuple[set[str], list[Rule]]] = [({"type"}, [])]
    for rule in rules():
        if not any(PROFILES[number] in rule.profiles for number in profiles):
            continue
        needs = _columns_of(rule, "vgpu")
        touching = [group for group in groups if group[0] & needs]
        merged: tuple[set[str], list[Rule]] = (set(needs), [])
        for group in touching:
            merged = (merged[0] | group[0], merged[1] + group[1])
        merged[1].append(rule)
        position = groups.index(touching[0]) if touching else len(groups)
        groups = [group for group in groups if group not in touching]
        groups.insert(position, merged)
    return tuple(
        FactorShape(
            rules=tuple(members),
            vgpu_columns=tuple(f.name for f in fields(VgpuColumns) if f.name in needs),
            gpu_columns=_gpu_columns_of(members),
        )
        for needs, members in groups
    )


def _gpu_columns_of(members: Sequence[Rule]) -> tuple[str, ...]:
    needs = {name for rule in members for name in _columns_of(rule, "gpu")}
    if any(len(rule.profiles) < len(PROFILES) for rule in members):
        needs.add("profile")
    return tuple(f.name for f in fields(GpuColumns) if f.name in needs)


def _columns_of(rule: Rule, side: str) -> set[str]:
    needs: set[str] = set()
    for item in rule.fields:
        if item.side == "pair":
            needs |= {"guest_min", "guest_max"} if side == "vgpu" else {"range_min", "range_max"}
        elif item.side == side:
            needs.add(item.name)
    if side == "vgpu":
        if needs & {"board", "mig_backed"}:
            needs = (needs - {"board", "mig_backed"}) | {"type"}
        if needs & set(_SOURCE_FIELDS):
            needs.add("has_source")
    return needs


@dataclass
class Factor:
    """A factor's table of hits, [distinct vgpu tuples, distinct gpu tuples], and its samples."""

    shape: FactorShape
    hits: HitArray


@dataclass
class Side:
    """One side's classes: for each factor the tuple that each class has, and how many members it has.

    `key` is each row's class as a number; `keys` those numbers, ascending, one a class.
    """

    keys: npt.NDArray[np.uint64]
    counts: CountArray
    codes: tuple[CodeArray, ...]
    board: npt.NDArray[np.uint16]
    key: npt.NDArray[np.uint64]

    def class_of(self, rows: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The classes of some rows."""
        return np.searchsorted(self.keys, self.key[np.asarray(rows)])


@dataclass
class Block:
    """The classes of one board: positions in either side's arrays."""

    board: int
    vgpus: npt.NDArray[np.intp]
    gpus: npt.NDArray[np.intp]


class ClassMatrix:
    """The verdict of every vgpu class on every gpu class.

    Args:
        vgpus: traits of many vgpus.
        gpus: traits of many gpus.
        words: the vocabulary that both were coded with.
    """

    def __init__(self, vgpus: VgpuColumns, gpus: GpuColumns, words: Vocabulary) -> None:
        profiles = frozenset(np.unique(gpus.profile).tolist()) or frozenset({0})
        shapes = factor_shapes(profiles)
        member = words.membership()
        self.factors: list[Factor] = []
        vgpu_codes, gpu_codes = [], []
        for shape in shapes:
            codes, example = dense_codes(_select(vgpus, shape.vgpu_columns))
            other_codes, other_example = dense_codes(_select(gpus, shape.gpu_columns))
            self.factors.append(
                Factor(
                    shape,
                    hit_masks(
                        shape.rules, vgpu_table(vgpus, example), gpu_table(gpus, other_example), member
                    ),
                )
            )
            vgpu_codes.append(codes)
            gpu_codes.append(other_codes)
        self.vgpus = _classes(vgpu_codes, board_of_type()[vgpus.type])
        self.gpus = _classes(gpu_codes, gpus.board.astype(np.uint16))
        self.blocks = _blocks(self.vgpus, self.gpus)
