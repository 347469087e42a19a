"""A fleet's classes as JSON and as tables, one table a board."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from vgpu_migrate import facts
from vgpu_migrate.cli import answers, foresight_answers
from vgpu_migrate.cli.screen import BAD, GOOD, NOTE, WEAK, Cell, Column, Screen, Words, count
from vgpu_migrate.compat import FleetClasses, GpuClass, GpuTraits, VgpuTraits
from vgpu_migrate.model import Fleet, VersionRange
from vgpu_migrate.nvml import Limits, States

MOST_VM_CLASSES = 12
MOST_GPU_CLASSES = 6
MOST_BOARDS = 4
WIDTH_BESIDE_CELLS = 66
WIDTH_OF_A_CELL = 6


class Shown(NamedTuple):
    """What a cell shows: its states, None where there is no verdict, and a mark behind them."""

    states: States | None
    mark: str = ""


_Cells = Mapping[tuple[int, int], Shown]
"""The cells on a VM's own board, by the numbers of the classes."""


def answer(
    classes: FleetClasses, compared: foresight_answers.ComparedAnswer | None = None
) -> answers.MatrixAnswer:
    """The answer of `matrix --json`; `compared`: its VMs compared with today."""
    plain = _plain_answer(classes)
    if compared is None:
        return plain
    return foresight_answers.WhatIfMatrixAnswer(
        plain.vm_classes, plain.gpu_classes, plain.cells, compared=compared
    )


def _plain_answer(classes: FleetClasses) -> answers.MatrixAnswer:
    return answers.MatrixAnswer(
        vm_classes=[
            answers.VmClass(
                number, answers.VmKey([_vgpu_key(traits) for traits in of_class.traits]), of_class.vms
            )
            for number, of_class in enumerate(classes.vm_classes)
        ],
        gpu_classes=[
            answers.GpuClass(number, _gpu_key(of_class), of_class.gpus)
            for number, of_class in enumerate(classes.gpu_classes)
        ],
        cells=[
            answers.Cell(
                cell.vm_class, cell.gpu_class, _states(cell.states), _limits(cell.limits), cell.rules
            )
            for cell in classes.cells()
        ],
    )


@cache
def _states(states: States) -> answers.StateWords:
    return answers.spell_states(states)


@cache
def _limits(limits: Limits) -> answers.LimitWords:
    return answers.spell_limits(limits)


def _vgpu_key(traits: VgpuTraits) -> answers.VgpuKey:
    return answers.VgpuKey(
        type=traits.type,
        board=traits.board,
        mig_backed=traits.mig_backed,
        guest_info=traits.guest_info,
        migration=traits.migration,
        version=answers.spell_version(traits.version),
        guest_min=answers.spell_version(traits.guest_min),
        guest_max=answers.spell_version(traits.guest_max),
        host_driver=traits.host_driver,
        ecc=traits.ecc,
        sriov=traits.sriov,
        topology=traits.topology,
        mig=traits.mig,
    )


def _gpu_key(of_class: GpuClass) -> answers.GpuKey:
    traits = of_class.traits
    return answers.GpuKey(
        board=traits.board,
        profile=of_class.profile.value,
        ecc=traits.ecc,
        sriov=traits.sriov,
        topology=traits.topology,
        mig_enabled=traits.mig_enabled,
        mig=traits.mig,
        migration=traits.migration,
        range=answers.spell_range(_in_force(traits)),
        preset_range=answers.spell_range(_preset(traits)),
        host_driver=traits.host_driver or None,
        types=None if traits.types is None else sorted(traits.types),
    )


def _in_force(traits: GpuTraits) -> VersionRange | None:
    return _range(traits.range_min, traits.range_max)


def _preset(traits: GpuTraits) -> VersionRange | None:
    return _range(traits.preset_min, traits.preset_max)


def _range(low: int | None, high: int | None) -> VersionRange | None:
    return None if low is None or high is None else VersionRange(low, high)


def show(
    fleet: Fleet,
    classes: FleetClasses,
    *,
    show_all: bool,
    screen: Screen | None = None,
    over: Mapping[tuple[int, int], Shown] | None = None,
) -> None:
    """How many classes there are, then for each board its classes of VMs against its classes of gpus.

    `over` are cells to show in the place of our own.
    """
    screen = screen or Screen()
    cells = {(cell.vm_class, cell.gpu_class): Shown(cell.states) for cell in classes.cells()}
    cells |= {place: shown for place, shown in (over or {}).items() if place in cells}
    _show_sizes(screen, fleet, classes, cells)
    boards = _boards(classes)
    shown = boards if show_all else boards[:MOST_BOARDS]
    for board in shown:
        screen.line()
        _show_board(screen, classes, cells, board, show_all=show_all)
    if shown:
        screen.line()
        screen.line(
            Cell(
                "L live, S sleep, H hibernate, C cold; –––– no state; blank: another board, or MIG on one "
                "side only. `live on` counts gpus, room and migration domains apart.",
                WEAK,
            )
        )
    if len(shown) < len(boards):
        screen.line(f"and {count(len(boards) - len(shown), 'more board')}; --all shows everything")


def _show_sizes(screen: Screen, fleet: Fleet, classes: FleetClasses, cells: _Cells) -> None:
    in_a_class = sum(of_class.gpus for of_class in classes.gpu_classes)
    live = sum(1 for shown in cells.values() if _is_live(shown))
    screen.line(
        f"{count(len(fleet.vms), 'VM')} in {count(len(classes.vm_classes), 'class', 'classes')}, "
        f"{count(in_a_class, 'gpu')} in {count(len(classes.gpu_classes), 'class', 'classes')}; "
        f"{count(len(cells), 'cell')} where both are of one board, {live:,} of them live."
    )
    left_out = len(fleet.gpus) - in_a_class
    if left_out:
        screen.line(Cell(f"{count(left_out, 'gpu')} in no class: no vGPU host, or no vGPU Manager.", NOTE))


def _boards(classes: FleetClasses) -> list[str]:
    """The boards of VM classes, those with most VMs first."""
    vms: dict[str, int] = {}
    for of_class in classes.vm_classes:
        board = of_class.traits[0].board
        vms[board] = vms.get(board, 0) + of_class.vms
    return sorted(vms, key=lambda board: (-vms[board], board))


def _show_board(screen: Screen, classes: FleetClasses, cells: _Cells, board: str, *, show_all: bool) -> None:
    rows = [n for n, of_class in enumerate(classes.vm_classes) if of_class.traits[0].board == board]
    columns = [n for n, of_class in enumerate(classes.gpu_classes) if of_class.traits.board == board]
    rows.sort(key=lambda number: (-classes.vm_classes[number].vms, number))
    columns.sort(key=lambda number: (-classes.gpu_classes[number].gpus, number))
    vms = sum(classes.vm_classes[number].vms for number in rows)
    gpus = sum(classes.gpu_classes[number].gpus for number in columns)
    screen.title(f"{board}: {count(vms, 'VM')}, {count(gpus, 'gpu')}")
    shown_columns = columns if show_all else columns[:MOST_GPU_CLASSES]
    shown_rows = rows if show_all else rows[:MOST_VM_CLASSES]
    _show_gpu_classes(screen, classes, shown_columns)
    _say_more(screen, len(columns) - len(shown_columns), "gpu class", "gpu classes")
    at_once = min(MOST_GPU_CLASSES, max(2, (screen.width - WIDTH_BESIDE_CELLS) // WIDTH_OF_A_CELL))
    for start in range(0, max(1, len(shown_columns)), at_once):
        screen.line()
        part = shown_columns[start : start + at_once]
        _show_cells(screen, classes, cells, rows=shown_rows, columns=part, of_board=columns)
    _say_more(screen, len(rows) - len(shown_rows), "VM class", "VM classes")


def _say_more(screen: Screen, left: int, noun: str, plural: str) -> None:
    if left > 0:
        screen.line(Cell(f"and {count(left, 'more ' + noun, 'more ' + plural)}; --all shows them", WEAK))


def _show_gpu_classes(screen: Screen, classes: FleetClasses, numbers: Iterable[int]) -> None:
    rows: list[list[Words]] = []
    for number in numbers:
        of_class = classes.gpu_classes[number]
        traits = of_class.traits
        rows.append(
            [
                f"g{number}",
                f"{of_class.gpus:,}",
                _say_range(_in_force(traits)),
                "on" if traits.ecc else "off",
                "on" if traits.sriov else "off",
                "+".join(map(str, traits.mig)) or "–",
                _say_else(of_class),
            ]
        )
    columns = (
        Column("gpus"),
        Column("count", right=True),
        Column("range in force"),
        Column("ECC"),
        Column("SR-IOV"),
        Column("MIG"),
        Column("else", wraps=True),
    )
    screen.table(columns, rows)


def _say_else(of_class: GpuClass) -> str:
    traits = of_class.traits
    words = [of_class.profile.value] if of_class.profile.value != "default" else []
    if _in_force(traits) != _preset(traits):
        words.append(f"by hand: preset {_say_range(_preset(traits))}")
    if traits.host_driver:
        words.append(f"driver {traits.host_driver}")
    if traits.topology:
        words.append(f"topology {traits.topology:#x}")
    if not traits.migration:
        words.append("migration off")
    if traits.types is not None:
        words.append(f"offers {count(len(traits.types), 'type')}")
    return ", ".join(words)


def _say_range(bounds: VersionRange | None) -> str:
    return "unknown" if bounds is None else str(bounds)


def _show_cells(
    screen: Screen,
    classes: FleetClasses,
    cells: _Cells,
    *,
    rows: Sequence[int],
    columns: Sequence[int],
    of_board: Sequence[int],
) -> None:
    heads = [
        Column("VMs"),
        Column("count", right=True),
        Column("type", wraps=True),
        Column("version"),
        Column("guest"),
        Column("live on", right=True),
        *(Column(f"g{number}") for number in columns),
        Column("else", wraps=True),
    ]
    table: list[list[Words]] = []
    for number in rows:
        of_class = classes.vm_classes[number]
        shown = {column: cells.get((number, column)) for column in of_board}
        live = sum(classes.gpu_classes[n].gpus for n, cell in shown.items() if _is_live(cell))
        table.append(
            [
                f"v{number}",
                f"{of_class.vms:,}",
                " + ".join(dict.fromkeys(traits.type for traits in of_class.traits)),
                " ".join(dict.fromkeys(_say_held(traits) for traits in of_class.traits)),
                _say_guest(of_class.traits[0]),
                f"{live:,}",
                *(_cell(shown[column]) for column in columns),
                "; ".join(dict.fromkeys(filter(None, map(_say_source, of_class.traits)))),
            ]
        )
    screen.table(heads, table)


def _say_held(traits: VgpuTraits) -> str:
    return "–" if traits.version is None else f"{traits.version:#x}"


def _say_guest(traits: VgpuTraits) -> str:
    if traits.guest_min is None and traits.guest_max is None:
        return "unknown"
    return f"{_hex(traits.guest_min)}-{_hex(traits.guest_max)}"


def _hex(version: int | None) -> str:
    return "?" if version is None else f"{version:#x}"


def _say_source(traits: VgpuTraits) -> str:
    """What is unusual about a vgpu and the gpu it is on."""
    words = [] if traits.migration else ["migration off"]
    if traits.ecc is None:
        return ", ".join([*words, "on no gpu"])
    if traits.host_driver:
        words.append(f"driver {traits.host_driver}")
    if not traits.ecc:
        words.append("ECC off")
    if traits.sriov != facts.board(traits.board).sriov_by_default:
        words.append(f"SR-IOV {'on' if traits.sriov else 'off'}")
    if traits.topology:
        words.append(f"topology {traits.topology:#x}")
    if traits.mig:
        words.append(f"MIG {'+'.join(map(str, traits.mig))}")
    return ", ".join(words)


def _is_live(shown: Shown | None) -> bool:
    return shown is not None and shown.states is not None and bool(shown.states & States.LIVE)


def _cell(shown: Shown | None) -> Cell:
    if shown is None:
        return Cell("")
    if shown.states is None:
        return Cell(shown.mark, BAD)
    states = shown.states
    letters = "".join(
        letter if states & state else "–"
        for letter, state in zip(
            "LSHC", (States.LIVE, States.SLEEP, States.HIBERNATE, States.COLD), strict=True
        )
    )
    return Cell(letters + shown.mark, GOOD if states & States.LIVE else NOTE if states else BAD)
