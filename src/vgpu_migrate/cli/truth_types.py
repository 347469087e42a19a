"""The answers of `matrix --judge` and of `truth` in JSON as types, one place for each field."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vgpu_migrate.cli.answers import Answer, Count, GpuClass, LimitWords, Optional, StateWords, VmClass

Kind = Annotated[
    Literal["driver", "simulated", "document"],
    Meta(description="A real driver, a simulated host (whose rules are ours), or a vendor's document."),
]
CellBy = Annotated[
    Literal["driver", "simulated", "prediction", "nobody"],
    Meta(description="Who said it; nobody: the judge refused every record, and the states are ours."),
]


class JudgeRow(Answer, frozen=True):
    """Who was asked; `profile` is the set of rules that our prediction is made with."""

    kind: Kind
    driver: str
    profile: str


class Verdict(Answer, frozen=True):
    """States left and limits."""

    states: StateWords
    limits: LimitWords


class AnswerRow(Optional, frozen=True):
    """Pairs of a VM and a gpu that were answered alike; `rules` are the rows of ours that hit."""

    pairs: Count
    prediction: Verdict
    rules: tuple[str, ...]
    agrees: Annotated[bool, Meta(description="Whether the verdict is the prediction; false if refused.")]
    verdict: Verdict | None = None
    refused: Annotated[
        str | None, Meta(description="Why the judge takes a record not; absent where it does.")
    ] = None


class JudgedCell(Answer, frozen=True):
    """A cell: what holds for every pair that was judged, or our prediction where no record is there."""

    vm_class: Count
    gpu_class: Count
    by: CellBy
    states: StateWords
    limits: LimitWords
    rules: tuple[str, ...]
    unjudged: Annotated[int, Meta(ge=0, description="Pairs for which a record lacks.")]
    answers: list[AnswerRow]


class JudgedMatrixAnswer(Answer, frozen=True):
    """Classes of VMs against classes of gpus, as a judge sees them.

    `differences`, `refused`, `agreed` and `unjudged` count pairs of a VM and a gpu; `questions` counts the
    different pairs of records that were sent. Cells whose board row hits are there only where judged.
    """

    judge: JudgeRow
    vm_classes: list[VmClass]
    gpu_classes: list[GpuClass]
    cells: list[JudgedCell]
    questions: Count
    agreed: Count
    differences: Count
    refused: Count
    unjudged: Count
    misfits: list[str]


class CheckedCase(Optional, frozen=True):
    """A case judged by today's rules. `number` counts from 1 in its file.

    Where the two differ: `too_strict` names the rows that take a state which the judge left or add a limit
    that it did not name, `unexplained` the states that it took and limits that it named without a row.
    """

    file: str
    number: Count
    by: Kind
    vgpu: str
    gpu: str
    agrees: bool
    said: Annotated[Verdict | None, Meta(description="Null: the judge said only whether it can be live.")]
    live: Annotated[bool, Meta(description="Whether the judge lets it move live.")]
    ours: Verdict
    rules: tuple[str, ...]
    driver: str | None = None
    source: str | None = None
    month: str | None = None
    too_strict: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()
    contradicts: Annotated[
        tuple[str, ...],
        Meta(description="Cases, as FILE:NUMBER, of the same question with another answer."),
    ] = ()


class VerifyAnswer(Answer, frozen=True):
    """Cases and today's rules. `rules` counts for each row in how many cases it hit, agreeing or not."""

    cases: list[CheckedCase]
    agree: Count
    differ: Count
    rules: dict[str, Count]
