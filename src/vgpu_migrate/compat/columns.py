"""The traits of many vgpus and gpus as columns, and the rule table evaluated on small tables of them.

Columns hold plain unsigned integers: vgpu versions as they are, a bound 0 where unknown; flags as 0 and 1;
boards and types by their row; host drivers, MIG layouts and type lists as codes of a shared `Vocabulary`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache

import numpy as np
import numpy.typing as npt

from vgpu_migrate import facts
from vgpu_migrate.compat.coding import UIntArray
from vgpu_migrate.compat.table import Comparison, Condition, Rule
from vgpu_migrate.compat.traits import GpuTraits, VgpuTraits
from vgpu_migrate.model import Profile

PROFILES = tuple(Profile)
UNKNOWN = -1

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Table = Mapping[str, IntArray]
"""Named fields of a few sample rows, as int64 with -1 for unknown."""


@dataclass
class Vocabulary:
    """Codes for the values that are not numbers, shared by both sides. Code 0 is "unknown"."""

    drivers: dict[str | None, int] = field(default_factory=lambda: {None: 0})
    layouts: dict[tuple[int, ...] | None, int] = field(default_factory=lambda: {None: 0})
    type_lists: dict[frozenset[str] | None, int] = field(default_factory=lambda: {None: 0})

    def driver(self, name: str | None) -> int:
        """The code of a host driver."""
        return self.drivers.setdefault(name, len(self.drivers))

    def layout(self, mig: tuple[int, ...] | None) -> int:
        """The code of a MIG layout."""
        return self.layouts.setdefault(mig, len(self.layouts))

    def type_list(self, types: frozenset[str] | None) -> int:
        """The code of a set of types that a gpu lists."""
        return self.type_lists.setdefault(types, len(self.type_lists))

    def membership(self) -> BoolArray:
        """For each type's row and each list's code, whether the type is on the list."""
        types = facts.vgpu_types()
        member = np.zeros((len(types), len(self.type_lists)), dtype=bool)
        for listed, code in self.type_lists.items():
            for short in listed or ():
                member[types[short].row, code] = True
        return member


@dataclass(frozen=True)
class VgpuColumns:
    """The traits of many vgpus.

    Where `has_source` is 0 the source's fields do not count, where `guest_info` is 0 the version does not.
    """

    type: UIntArray
    guest_info: UIntArray
    version: UIntArray
    guest_min: UIntArray
    guest_max: UIntArray
    has_source: UIntArray
    host_driver: UIntArray
    ecc: UIntArray
    sriov: UIntArray
    topology: UIntArray
    mig: UIntArray
    migration: UIntArray

    def __len__(self) -> int:
        return len(self.type)


@dataclass(frozen=True)
class GpuColumns:
    """The traits of many gpus, and the profile of each one's domain as its number in `PROFILES`."""

    board: UIntArray
    mig_enabled: UIntArray
    types: UIntArray
    range_min: UIntArray
    range_max: UIntArray
    host_driver: UIntArray
    ecc: UIntArray
    sriov: UIntArray
    topology: UIntArray
    mig: UIntArray
    migration: UIntArray
    profile: UIntArray

    def __len__(self) -> int:
        return len(self.board)


def vgpu_columns(traits: Iterable[VgpuTraits], words: Vocabulary) -> VgpuColumns:
    """Lay out vgpu traits as columns."""
    types = facts.vgpu_types()
    rows = [
        (
            types[item.type].row,
            item.guest_info,
            item.version or 0,
            item.guest_min or 0,
            item.guest_max or 0,
            item.ecc is not None,
            words.driver(item.host_driver),
            item.ecc or 0,
            item.sriov or 0,
            item.topology or 0,
            words.layout(item.mig),
            item.migration,
        )
        for item in traits
    ]
    return VgpuColumns(*_to_columns(rows, len(fields(VgpuColumns))))


def gpu_columns(traits: Iterable[tuple[GpuTraits, Profile]], words: Vocabulary) -> GpuColumns:
    """Lay out gpu traits, each with its domain's profile, as columns."""
    boards = facts.boards()
    rows = [
        (
            boards[item.board].row,
            item.mig_enabled,
            words.type_list(item.types),
            item.range_min or 0,
            item.range_max or 0,
            words.driver(item.host_driver),
            item.ecc,
            item.sriov,
            item.topology,
            words.layout(item.mig),
            item.migration,
            PROFILES.index(profile),
        )
        for item, profile in traits
    ]
    return GpuColumns(*_to_columns(rows, len(fields(GpuColumns))))


def _to_columns(rows: Sequence[tuple[int, ...]], width: int) -> list[UIntArray]:
    table = np.array(rows, dtype=np.uint32).reshape(len(rows), width)
    return [np.ascontiguousarray(table[:, index]) for index in range(width)]


@cache
def board_of_type() -> npt.NDArray[np.uint16]:
    """For each type's row, its board's row."""
    boards = facts.boards()
    return np.array([boards[item.board].row for item in facts.vgpu_types().values()], dtype=np.uint16)


@cache
def type_is_mig_backed() -> npt.NDArray[np.bool_]:
    """For each type's row, whether it is MIG-backed."""
    return np.array([item.is_mig_backed for item in facts.vgpu_types().values()], dtype=bool)


def vgpu_table(columns: VgpuColumns, rows: npt.NDArray[np.intp]) -> dict[str, IntArray]:
    """The named fields of some rows of vgpu columns, as the rules read them."""
    sample = {item.name: getattr(columns, item.name)[rows].astype(np.int64) for item in fields(columns)}
    has_source = sample.pop("has_source") != 0
    sample["version"] = np.where(sample["guest_info"] == 0, UNKNOWN, sample["version"])
    for name in ("guest_min", "guest_max", "host_driver"):
        sample[name] = np.where(sample[name] == 0, UNKNOWN, sample[name])
    for name in ("ecc", "sriov", "topology", "mig"):
        sample[name] = np.where(has_source, sample[name], UNKNOWN)
    sample["board"] = board_of_type()[sample["type"]].astype(np.int64)
    sample["mig_backed"] = type_is_mig_backed()[sample["type"]].astype(np.int64)
    return sample


def gpu_table(columns: GpuColumns, rows: npt.NDArray[np.intp]) -> dict[str, IntArray]:
    """The named fields of some rows of gpu columns, as the rules read them."""
    sample = {item.name: getattr(columns, item.name)[rows].astype(np.int64) for item in fields(columns)}
    unknown_range = (sample["range_min"] == 0) & (sample["range_max"] == 0)
    for name in ("range_min", "range_max"):
        sample[name] = np.where(unknown_range, UNKNOWN, sample[name])
    sample["types"] = np.where(sample["types"] == 0, UNKNOWN, sample["types"])
    return sample


def hit_masks(rules: Iterable[Rule], vgpus: Table, gpus: Table, member: BoolArray) -> npt.NDArray[np.uint16]:
    """Every row of the table on every pair of samples: a mask of hits for each, [vgpus, gpus].

    The same table as `pair.check` evaluates; a test compares the two over the whole small domain.
    """
    shape = (len(vgpus["type"]), len(gpus["board"]))
    masks = np.zeros(shape, dtype=np.uint16)
    for rule in rules:
        hits: BoolArray = np.broadcast_to(_holds(rule.when, vgpus, gpus, member), shape)
        if len(rule.profiles) < len(PROFILES):
            in_profile = np.isin(gpus["profile"], [PROFILES.index(item) for item in rule.profiles])
            hits = hits & in_profile[np.newaxis, :]
        masks |= hits.astype(np.uint16) << np.uint16(rule.bit)
    return masks


def _holds(condition: Condition, vgpus: Table, gpus: Table, member: BoolArray) -> BoolArray:
    holds = np.zeros((1, 1), dtype=bool)
    for alternative in condition:
        all_hold = np.ones((1, 1), dtype=bool)
        for comparison in alternative:
            all_hold = all_hold & _compare(comparison, vgpus, gpus, member)
        holds = holds | all_hold
    return holds


def _compare(comparison: Comparison, vgpus: Table, gpus: Table, member: BoolArray) -> BoolArray:
    left = _values(comparison.left.side, comparison.left.name, vgpus, gpus)
    known: BoolArray = left != UNKNOWN
    if comparison.right is None:
        return known if comparison.operator == "is known" else ~known
    right: IntArray
    if isinstance(comparison.right, int):
        right = np.array([[int(comparison.right)]])
    else:
        right = _values(comparison.right.side, comparison.right.name, vgpus, gpus)
        known = known & (right != UNKNOWN)
    holds: BoolArray
    match comparison.operator:
        case "=":
            holds = left == right
        case "!=":
            holds = left != right
        case "<":
            holds = left < right
        case "<=":
            holds = left <= right
        case ">":
            holds = left > right
        case ">=":
            holds = left >= right
        case _:
            holds = ~member[left, right]
    return holds & known


def _values(side: str, name: str, vgpus: Table, gpus: Table) -> IntArray:
    if side == "vgpu":
        return vgpus[name][:, np.newaxis]
    if side == "gpu":
        return gpus[name][np.newaxis, :]
    return _renegotiated(vgpus, gpus)


def _renegotiated(vgpus: Table, gpus: Table) -> IntArray:
    """`model.negotiation.negotiate` on arrays; a test compares the two."""
    guest_min, guest_max = vgpus["guest_min"][:, np.newaxis], vgpus["guest_max"][:, np.newaxis]
    range_min, range_max = gpus["range_min"][np.newaxis, :], gpus["range_max"][np.newaxis, :]
    newest = np.minimum(guest_max, range_max)
    exists = (guest_max != UNKNOWN) & (range_min != UNKNOWN) & (newest >= np.maximum(guest_min, range_min))
    return np.where(exists, newest, UNKNOWN)
