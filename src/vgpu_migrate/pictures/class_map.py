"""The classes of a fleet as a map: VM classes against gpu classes, by the states in which they run there."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import msgspec

from vgpu_migrate.compat import GpuClass, VgpuTraits, VmClass, classify, rules
from vgpu_migrate.compat.table import outcome
from vgpu_migrate.model import Fleet

MOST_VM_CLASSES = 200
MOST_GPU_CLASSES = 60
NO_VERDICT = -1
_BOARD_RULE = "board"


class ClassLine(msgspec.Struct, frozen=True, array_like=True):
    """A row or a column: its name, its board, what sets it apart, and how many VMs or gpus it has."""

    name: str
    board: str
    words: str
    members: int


class CellKind(msgspec.Struct, frozen=True, array_like=True):
    """What a cell shows: the states left, as bits, and the rows of the rules that hit."""

    states: int
    rules: tuple[str, ...]


class ClassMap(msgspec.Struct, frozen=True):
    """A map. `cells` are numbers of `kinds`, row by row; -1 where the boards differ.

    `more_vms` and `more_gpus` count the classes that are left out of a very varied fleet's map: those with
    the fewest members.
    """

    vms: list[ClassLine]
    gpus: list[ClassLine]
    cells: list[list[int]]
    kinds: list[CellKind]
    more_vms: int
    more_gpus: int


class ClassNames:
    """Names for classes that stay the same from one map to the next: V1, V2, … and G1, G2, …."""

    def __init__(self) -> None:
        self._names: dict[Hashable, str] = {}
        self._counts = {"V": 0, "G": 0}

    def of(self, letter: str, key: Hashable) -> str:
        """The name of a class, which is new where the class is."""
        known = self._names.get((letter, key))
        if known is None:
            self._counts[letter] += 1
            known = self._names[letter, key] = f"{letter}{self._counts[letter]}"
        return known


def class_map(fleet: Fleet, names: ClassNames) -> ClassMap:
    """The map of a fleet, its largest classes board by board, each in the order of the file."""
    classes = classify(fleet)
    vm_rows = _largest([one.vms for one in classes.vm_classes], MOST_VM_CLASSES)
    gpu_rows = _largest([one.gpus for one in classes.gpu_classes], MOST_GPU_CLASSES)
    vm_rows.sort(key=lambda row: classes.vm_classes[row].traits[0].board)
    gpu_rows.sort(key=lambda row: classes.gpu_classes[row].traits.board)
    other_board = sum(1 << rule.bit for rule in rules() if rule.id == _BOARD_RULE)
    kinds: dict[int, int] = {}
    table: list[list[int]] = []
    for row in vm_rows:
        masks = classes.hits[row].tolist()
        table.append(
            [
                NO_VERDICT if masks[column] & other_board else kinds.setdefault(masks[column], len(kinds))
                for column in gpu_rows
            ]
        )
    return ClassMap(
        vms=_vm_lines([classes.vm_classes[row] for row in vm_rows], names),
        gpus=_gpu_lines([classes.gpu_classes[row] for row in gpu_rows], names),
        cells=table,
        kinds=[_kind(mask) for mask in kinds],
        more_vms=len(classes.vm_classes) - len(vm_rows),
        more_gpus=len(classes.gpu_classes) - len(gpu_rows),
    )


def _kind(mask: int) -> CellKind:
    return CellKind(int(outcome(mask)[0]), tuple(rule.id for rule in rules() if mask >> rule.bit & 1))


def rule_words() -> dict[str, str]:
    """What each row of the rules says, by its id."""
    return {rule.id: rule.says for rule in rules()}


def _largest(members: Sequence[int], most: int) -> list[int]:
    """The numbers of the classes with most members, ascending."""
    by_size = sorted(range(len(members)), key=lambda number: (-members[number], number))
    return sorted(by_size[:most])


def _vm_lines(classes: Sequence[VmClass], names: ClassNames) -> list[ClassLine]:
    words = _telling(
        [(one.traits[0].board, _joined(map(_vgpu_words, one.traits))) for one in classes],
        always=("type", "version"),
    )
    return [
        ClassLine(names.of("V", one.traits), one.traits[0].board, said, one.vms)
        for one, said in zip(classes, words, strict=True)
    ]


def _gpu_lines(classes: Sequence[GpuClass], names: ClassNames) -> list[ClassLine]:
    words = _telling([(one.traits.board, _gpu_words(one)) for one in classes], always=("range",))
    return [
        ClassLine(names.of("G", (one.traits, one.profile)), one.traits.board, said, one.gpus)
        for one, said in zip(classes, words, strict=True)
    ]


def _telling(lines: Sequence[tuple[str, Mapping[str, str]]], *, always: Sequence[str]) -> list[str]:
    """Of each line's fields those in which the lines of its board differ, and some that are always told."""
    values: dict[tuple[str, str], set[str]] = {}
    for board, fields in lines:
        for name, value in fields.items():
            values.setdefault((board, name), set()).add(value)
    return [
        "; ".join(
            value if name == "type" else f"{name} {value}"
            for name, value in fields.items()
            if name in always or len(values[board, name]) > 1
        )
        for board, fields in lines
    ]


def _joined(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The fields of several vgpus of one VM, each value once."""
    found: dict[str, dict[str, None]] = {}
    for part in parts:
        for name, value in part.items():
            found.setdefault(name, {})[value] = None
    return {name: " + ".join(values) for name, values in found.items()}


def _vgpu_words(traits: VgpuTraits) -> dict[str, str]:
    return {
        "type": traits.type,
        "version": "none" if traits.version is None else f"{traits.version:#x}",
        "guest driver": _range_words(traits.guest_min, traits.guest_max),
        "source driver": traits.host_driver or "any",
        "source ECC": _on(traits.ecc),
        "source SR-IOV": _on(traits.sriov),
        "source topology": "none" if traits.topology is None else str(traits.topology),
        "source MIG": _mig_words(traits.mig),
        "migration": _on(traits.migration),
    }


def _gpu_words(one: GpuClass) -> dict[str, str]:
    traits = one.traits
    return {
        "range": _range_words(traits.range_min, traits.range_max),
        "preset": _range_words(traits.preset_min, traits.preset_max),
        "driver": traits.host_driver or "any",
        "ECC": _on(traits.ecc),
        "SR-IOV": _on(traits.sriov),
        "topology": str(traits.topology),
        "MIG": _mig_words(traits.mig),
        "migration": _on(traits.migration),
        "types": "all" if traits.types is None else ", ".join(sorted(traits.types)),
        "rules": one.profile.value,
    }


def _range_words(low: int | None, high: int | None) -> str:
    return "unknown" if low is None or high is None else f"{low:#x}–{high:#x}"


def _on(value: bool | None) -> str:
    return "none" if value is None else "on" if value else "off"


def _mig_words(mig: tuple[int, ...] | None) -> str:
    return "off" if not mig else "+".join(map(str, mig))
