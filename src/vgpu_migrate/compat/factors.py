"""The rule table split into factors: groups of rows that share no column of either side.

In each factor the distinct tuples of either side are few, so the table is evaluated on those alone, and the
hits of a pair are the union of its factors' hits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vgpu_migrate.compat.coding import CodeArray, dense_codes
from vgpu_migrate.compat.columns import (
    PROFILES,
    BoolArray,
    GpuColumns,
    IntArray,
    VgpuColumns,
    gpu_table,
    hit_masks,
    vgpu_table,
)
from vgpu_migrate.compat.table import Rule, rules
from vgpu_migrate.nvml import ALL_STATES

HitArray = npt.NDArray[np.uint16]


class FactorShape(NamedTuple):
    """Rows that share vgpu columns, and the columns of both sides that they read."""

    rules: tuple[Rule, ...]
    vgpu_columns: tuple[str, ...]
    gpu_columns: tuple[str, ...]


@cache
def factor_shapes(profiles: frozenset[int]) -> tuple[FactorShape, ...]:
    """Split the rows that are there in some of the profiles into factors."""
    groups: list[tuple[set[str], list[Rule]]] = []
    for rule in rules():
        if not any(PROFILES[number] in rule.profiles for number in profiles):
            continue
        needs, members = _columns_of(rule), [rule]
        for group in [group for group in groups if group[0] & needs]:
            groups.remove(group)
            needs, members = needs | group[0], group[1] + members
        groups.append((needs, members))
    return tuple(_shape(needs, members) for needs, members in groups)


def _shape(needs: set[str], members: Sequence[Rule]) -> FactorShape:
    # The profile links no rows: it only says for which gpus a row is there.
    by_profile = any(len(rule.profiles) < len(PROFILES) for rule in members)
    gpu_needs = needs | {"gpu.profile"} if by_profile else needs
    return FactorShape(
        rules=tuple(members),
        vgpu_columns=tuple(item.name for item in fields(VgpuColumns) if f"vgpu.{item.name}" in needs),
        gpu_columns=tuple(item.name for item in fields(GpuColumns) if f"gpu.{item.name}" in gpu_needs),
    )


def _columns_of(rule: Rule) -> set[str]:
    needs: set[str] = set()
    for item in rule.fields:
        if item.side == "pair":
            needs |= {"vgpu.guest_min", "vgpu.guest_max", "gpu.range_min", "gpu.range_max"}
        elif item.dotted in ("vgpu.board", "vgpu.mig_backed"):
            needs.add("vgpu.type")  # a type's board and kind are functions of the type
        elif item.dotted in ("gpu.range_min", "gpu.range_max"):
            needs |= {"gpu.range_min", "gpu.range_max"}  # unknown together
        else:
            needs.add(item.dotted)
            if item.dotted in _OF_SOURCE:
                needs.add("vgpu.has_source")
            if item.dotted == "vgpu.version":
                needs.add("vgpu.guest_info")
    return needs


_OF_SOURCE = frozenset({"vgpu.ecc", "vgpu.sriov", "vgpu.topology", "vgpu.mig"})


@cache
def states_left() -> npt.NDArray[np.uint8]:
    """For each mask of hits, the bits of the states it leaves."""
    left = np.full(1 << len(rules()), int(ALL_STATES), dtype=np.uint8)
    masks = np.arange(len(left))
    for rule in rules():
        left[masks >> rule.bit & 1 == 1] &= np.uint8(rule.leaves)
    return left


@dataclass
class Factor:
    """A factor evaluated: masks of hits, [distinct vgpu tuples, distinct gpu tuples].

    Keeps the sample fields of its vgpu tuples, so that a gpu tuple never seen before can be judged later.
    """

    shape: FactorShape
    hits: HitArray
    vgpu_samples: dict[str, IntArray]
    gpu_codes: dict[tuple[int, ...], int]

    def gpu_code(self, gpus: GpuColumns, row: int, member: BoolArray) -> int:
        """The code of a gpu's tuple; a new one is judged against every vgpu tuple and appended."""
        values = tuple(int(getattr(gpus, name)[row]) for name in self.shape.gpu_columns)
        if values not in self.gpu_codes:
            column = hit_masks(
                self.shape.rules, self.vgpu_samples, gpu_table(gpus, np.array([row], dtype=np.intp)), member
            )
            self.gpu_codes[values] = self.hits.shape[1]
            self.hits = np.concatenate([self.hits, column], axis=1)
        return self.gpu_codes[values]


def evaluate(
    shape: FactorShape, vgpus: VgpuColumns, gpus: GpuColumns, member: BoolArray
) -> tuple[Factor, CodeArray, CodeArray]:
    """Evaluate one factor: its table, and each vgpu's and each gpu's code in it."""
    vgpu_codes, vgpu_example = dense_codes(vgpus, shape.vgpu_columns)
    gpu_codes, gpu_example = dense_codes(gpus, shape.gpu_columns)
    samples = vgpu_table(vgpus, vgpu_example)
    hits = hit_masks(shape.rules, samples, gpu_table(gpus, gpu_example), member)
    known = {
        tuple(int(getattr(gpus, name)[row]) for name in shape.gpu_columns): code
        for code, row in enumerate(gpu_example)
    }
    return Factor(shape, hits, samples, known), vgpu_codes, gpu_codes
