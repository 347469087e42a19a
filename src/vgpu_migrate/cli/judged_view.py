"""A judged fleet as JSON and as tables: a judge's verdicts, and where our rules say something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

from vgpu_migrate.cli import answers, matrix_view
from vgpu_migrate.cli import truth_types as rows
from vgpu_migrate.cli.judging import Judgement
from vgpu_migrate.cli.matrix_view import Shown
from vgpu_migrate.cli.screen import BAD, GOOD, NOTE, STRONG, WEAK, Cell, Column, Screen, Words, count
from vgpu_migrate.compat.cases import JudgedBy, JudgeKind
from vgpu_migrate.compat.judged import JudgedCell, Part, Refused
from vgpu_migrate.nvml import Compatibility, Limits, States

MOST_DIFFERENCES = 12

DIFFERS, MANY, UNJUDGED, REFUSED = "!", "~", "?", "refused"


class Counts(NamedTuple):
    """Pairs of a VM and a gpu, by what came of them."""

    agreed: int
    differing: int
    refused: int
    unjudged: int


def counts(judgement: Judgement) -> Counts:
    """How many pairs were answered as predicted, otherwise, not, or had no record."""
    parts = [part for cell in judgement.judged.cells for part in cell.parts]
    agreed = sum(part.pairs for part in parts if not part.differs and not part.is_refused)
    differing = sum(part.pairs for part in parts if part.differs)
    refused = sum(part.pairs for part in parts if part.is_refused and not part.differs)
    classes = judgement.classes
    pairs = sum(one.vms for one in classes.vm_classes) * sum(one.gpus for one in classes.gpu_classes)
    return Counts(agreed, differing, refused, pairs - agreed - differing - refused)


def answer(judgement: Judgement) -> rows.JudgedMatrixAnswer:
    """The answer of `matrix --judge --json`."""
    plain = matrix_view.answer(judgement.classes)
    found = counts(judgement)
    by = judgement.judge.by
    return rows.JudgedMatrixAnswer(
        judge=rows.JudgeRow(by.kind.value, by.driver or "", judgement.judge.profile.value),
        vm_classes=plain.vm_classes,
        gpu_classes=plain.gpu_classes,
        cells=list(_cells(judgement, plain)),
        questions=len(judgement.judged.questions),
        agreed=found.agreed,
        differences=found.differing,
        refused=found.refused,
        unjudged=found.unjudged,
        misfits=list(judgement.judged.misfits),
    )


def _cells(judgement: Judgement, plain: answers.MatrixAnswer) -> Iterator[rows.JudgedCell]:
    """Cells with an answer, and our own where there is none, in the order of the classes."""
    judged = {(cell.vm_class, cell.gpu_class): cell for cell in judgement.judged.cells}
    ours = {(cell.vm_class, cell.gpu_class): cell for cell in plain.cells}
    classes = judgement.classes
    for place in sorted({*judged, *ours}):
        cell, own = judged.get(place), ours.get(place)
        parts = () if cell is None else cell.parts
        first = next(iter(parts), None)
        verdict = None if cell is None else cell.verdict
        by = judgement.judge.by.kind.value if verdict is not None else "nobody" if parts else "prediction"
        if verdict is None and own is not None:
            states, limits = own.states, own.limits
        else:
            said = verdict or (first.prediction if first else Compatibility(States.NONE, Limits.NONE))
            states, limits = answers.spell_states(said.states), answers.spell_limits(said.limits)
        pairs = classes.vm_classes[place[0]].vms * classes.gpu_classes[place[1]].gpus
        yield rows.JudgedCell(
            vm_class=place[0],
            gpu_class=place[1],
            by=cast("rows.CellBy", by),
            states=states,
            limits=limits,
            rules=own.rules if own is not None else first.rules if first else (),
            unjudged=pairs if cell is None else cell.unjudged,
            answers=[_part(part) for part in parts],
        )


def _part(part: Part) -> rows.AnswerRow:
    said = part.answer
    return rows.AnswerRow(
        pairs=part.pairs,
        prediction=_verdict(part.prediction),
        rules=part.rules,
        agrees=not part.differs and not part.is_refused,
        verdict=None if isinstance(said, Refused) else _verdict(said),
        refused=said.why if isinstance(said, Refused) else None,
    )


def _verdict(said: Compatibility) -> rows.Verdict:
    return rows.Verdict(answers.spell_states(said.states), answers.spell_limits(said.limits))


def show(judgement: Judgement, *, show_all: bool, screen: Screen | None = None) -> None:
    """Who judged, what came of it, the tables of `matrix` with the verdicts, and every difference."""
    screen = screen or Screen()
    _show_sum(screen, judgement)
    screen.line()
    judged = {(cell.vm_class, cell.gpu_class): cell for cell in judgement.judged.cells}
    over = {
        (cell.vm_class, cell.gpu_class): _shown(judged.get((cell.vm_class, cell.gpu_class)), cell.states)
        for cell in judgement.classes.cells()
    }
    matrix_view.show(judgement.fleet, judgement.classes, show_all=show_all, screen=screen, over=over)
    legend = (
        f"The judge's verdicts. {DIFFERS} not our prediction; {MANY} several answers in one cell, what holds "
        f"for all is shown; {UNJUDGED} no record of some or all, and our prediction where of all; "
        f"{REFUSED}: the judge takes no record."
    )
    screen.line(Cell(legend, WEAK))
    _show_refusals(screen, judgement, show_all=show_all)
    _show_differences(screen, judgement, show_all=show_all)


def say_judge(by: JudgedBy) -> str:
    """Who gave a verdict, in words: `driver 580.126.09`, `a simulated host of driver 550.54.16`."""
    if by.kind is JudgeKind.DOCUMENT:
        return f"document: {by.source}"
    return f"driver {by.driver}" if by.kind is JudgeKind.DRIVER else f"a simulated host of driver {by.driver}"


def _show_sum(screen: Screen, judgement: Judgement) -> None:
    judge, found = judgement.judge, counts(judgement)
    screen.line(
        [Cell(judge.name, STRONG), f", {say_judge(judge.by)}, rules of profile {judge.profile.value}"]
    )
    if judge.by.kind is JudgeKind.SIMULATED:
        screen.line(Cell("Its rules are ours: it confirms the way, and is no driver's word.", NOTE))
    judged = found.agreed + found.differing + found.refused
    asked = count(len(judgement.judged.questions), "different pair")
    said = f"{count(judged, 'pair')} of a VM and a gpu judged, by {asked} of records: "
    words: list[Cell | str] = [said, Cell(f"{found.agreed:,} as predicted", GOOD), ", "]
    words += [Cell(f"{found.differing:,} otherwise", BAD if found.differing else "")]
    words += [f", {found.refused:,} refused; {found.unjudged:,} without records."]
    screen.line(words)


def _shown(cell: JudgedCell | None, ours: States) -> Shown:
    if cell is None:
        return Shown(ours, UNJUDGED)
    if cell.verdict is None:
        return Shown(None, REFUSED)
    mark = DIFFERS if any(part.differs for part in cell.parts) else ""
    if len({part.answer for part in cell.parts}) > 1:
        mark += MANY
    if cell.unjudged:
        mark += UNJUDGED
    return Shown(cell.verdict.states, mark)


def _show_refusals(screen: Screen, judgement: Judgement, *, show_all: bool) -> None:
    found: dict[str, int] = {}
    for cell in judgement.judged.cells:
        for part in cell.parts:
            if isinstance(part.answer, Refused):
                found[part.answer.why] = found.get(part.answer.why, 0) + part.pairs
    most = len(found) if show_all else MOST_DIFFERENCES
    for why, pairs in list(found.items())[:most]:
        screen.line()
        screen.line([Cell("refused", BAD), f": {count(pairs, 'pair')}: {why}"])


def _show_differences(screen: Screen, judgement: Judgement, *, show_all: bool) -> None:
    found = [(cell, part) for cell in judgement.judged.cells for part in cell.parts if part.differs]
    if not found:
        return
    screen.line()
    screen.title("Where the judge says something else than our rules")
    columns = (
        Column("VMs"),
        Column("gpus"),
        Column("pairs", right=True),
        Column("the judge says", wraps=True),
        Column("our rules say", wraps=True),
        Column("rows that hit", wraps=True),
    )
    most = len(found) if show_all else MOST_DIFFERENCES
    table: list[list[Words]] = [
        [
            f"v{cell.vm_class}",
            f"g{cell.gpu_class}",
            f"{part.pairs:,}",
            "refused" if isinstance(part.answer, Refused) else say_verdict(part.answer),
            say_verdict(part.prediction),
            ", ".join(part.rules) or "none",
        ]
        for cell, part in found[:most]
    ]
    screen.table(columns, table)
    if len(found) > most:
        screen.line(Cell(f"and {len(found) - most:,} more; --all shows them", WEAK))
    screen.line(
        Cell("The judge's verdict counts. --save-cases FILE keeps the differences for the rules.", NOTE)
    )


def say_verdict(said: Compatibility) -> str:
    """A verdict in words: `cold, live (limits: gpu)`."""
    return f"{', '.join(said.states.words) or 'no state'} (limits: {', '.join(said.limits.words) or 'none'})"
