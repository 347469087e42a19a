"""A host's examination, made and shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vgpu_migrate.cli.doctor_types import DoctorAnswer, DoctorLine
from vgpu_migrate.cli.screen import BAD, GOOD, NOTE, STRONG, WEAK, Cell, Column, Screen
from vgpu_migrate.doctor.findings import Finding, State
from vgpu_migrate.doctor.picture import HostPicture

STYLES = {"ok": GOOD, "warn": NOTE, "fail": BAD, "unknown": NOTE}


def answer(picture: HostPicture, found: Sequence[Finding]) -> DoctorAnswer:
    """The findings as an answer."""
    return DoctorAnswer(
        host=picture.host,
        root=picture.root,
        simulated=picture.nvml is not None and picture.nvml.is_simulated,
        ok=all(one.state is not State.FAIL for one in found),
        lines=[
            DoctorLine(one.check, one.about, one.state.value, one.seen, one.where, one.remedy)
            for one in found
        ],
    )


def show(screen: Screen, found: DoctorAnswer) -> None:
    """A table of what was seen, then what to do, the worst first."""
    simulated = ", a simulated host" if found.simulated else ""
    screen.line([Cell(found.host, STRONG), f"{simulated}: ", _sum(found.lines)])
    screen.line()
    columns = (
        Column(""),
        Column("check"),
        Column("gpu"),
        Column("seen", wraps=True),
        Column("where", wraps=True, style=WEAK),
    )
    screen.table(
        columns,
        (
            [Cell(line.state, STYLES[line.state]), line.check, line.about, line.seen, line.where]
            for line in found.lines
        ),
    )
    todo = [line for state in ("fail", "warn", "unknown") for line in found.lines if line.state == state]
    if todo:
        screen.line()
        screen.title("What to do")
    with screen.indented():
        for line in todo:
            name = f"{line.check} {line.about}".strip()
            screen.line([Cell(f"{name}: ", STYLES[line.state]), line.remedy or line.seen])


def _sum(lines: Sequence[DoctorLine]) -> str:
    counts = Counter[str](line.state for line in lines)
    return ", ".join(f"{counts[state]} {state}" for state in STYLES if counts[state])
