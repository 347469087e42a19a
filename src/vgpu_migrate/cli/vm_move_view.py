"""The answers of `vm check` and `vm migrate`, made and shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vgpu_migrate.cli import answers
from vgpu_migrate.cli.evidence_view import obstacles, show_obstacles
from vgpu_migrate.cli.exit_status import INTERRUPTED, NO, OUTSIDE
from vgpu_migrate.cli.screen import BAD, GOOD, NOTE, STRONG, WEAK, Cell, Screen, seconds
from vgpu_migrate.cli.vm_move_types import (
    JudgeRow,
    LineRow,
    MoveAnswer,
    MoveCheckAnswer,
    StatisticsRow,
    VerdictRow,
    VgpuRow,
)
from vgpu_migrate.vmm.judgement import GpuVerdict, Judgement, Unjudged
from vgpu_migrate.vmm.libvirt_values import JobStatistics
from vgpu_migrate.vmm.migration import Moved
from vgpu_migrate.vmm.move_picture import HookTrusted, Line, Picture, Word
from vgpu_migrate.vmm.preflight import may_go
from vgpu_migrate.vmm.transfer import Ending

_STYLES = {Word.OK: GOOD, Word.NOTE: NOTE, Word.NO: BAD, Word.FAILED: BAD}
_ENDINGS = {
    Ending.VETOED: "refused by the destination's hook",
    Ending.DEADLINE: "given up at the deadline",
    Ending.STOPPED: "stopped",
    Ending.FAILED: "failed",
}


def check_answer(picture: Picture, lines: Sequence[Line], *, source: str, target: str) -> MoveCheckAnswer:
    """The answer of `vm check --json`."""
    return MoveCheckAnswer(
        guest=picture.source.name,
        uuid=picture.source.uuid,
        source=source,
        target=target,
        goes=may_go(lines),
        lines=rows(lines),
        judge=_judge(picture),
        vgpus=_vgpus(picture),
    )


def move_answer(
    picture: Picture, lines: Sequence[Line], moved: Moved | None, *, source: str, target: str
) -> MoveAnswer:
    """The answer of `vm migrate --json`; `moved` None where the pre-flight held the guest back."""
    return MoveAnswer(
        guest=picture.source.name,
        uuid=picture.source.uuid,
        source=source,
        target=target,
        ending="held-back" if moved is None else moved.transferred.ending.value,
        good=moved is not None and moved.is_good,
        said="" if moved is None else moved.transferred.said,
        seconds=None if moved is None else round(moved.transferred.seconds, 3),
        preflight=rows(lines),
        afterwards=[] if moved is None else rows(moved.lines),
        statistics=None if moved is None or moved.statistics is None else _statistics(moved.statistics),
    )


def rows(lines: Iterable[Line]) -> list[LineRow]:
    """Lines as JSON has them."""
    return [LineRow(line.check, line.word.value, line.evidence, line.remedy) for line in lines]


def status_of(lines: Iterable[Line]) -> int:
    """The exit status of a pre-flight: a clear no counts before somebody who did not answer."""
    words = {line.word for line in lines}
    if Word.NO in words:
        return NO
    return OUTSIDE if Word.FAILED in words else 0


def status_of_move(moved: Moved) -> int:
    """The exit status of a migration: 0 only where the guest arrived and everything is as it should be."""
    if moved.transferred.ending is Ending.FAILED:
        return OUTSIDE
    if moved.transferred.ending is Ending.STOPPED:
        return INTERRUPTED
    if moved.transferred.ending is not Ending.MIGRATED:
        return NO
    return status_of(moved.lines)


def _judge(picture: Picture) -> JudgeRow:
    judged = picture.judgement
    if isinstance(judged, Judgement):
        return JudgeRow(judged.judge, judged.by.value)
    if isinstance(judged, HookTrusted):
        return JudgeRow("the destination's hook", "hook")
    return JudgeRow(judged.judge if isinstance(judged, Unjudged) else "", "nobody")


def _vgpus(picture: Picture) -> list[VgpuRow]:
    vgpus, judged = picture.source.vgpus, picture.judgement
    if not isinstance(vgpus, tuple):
        return []
    return [
        VgpuRow(
            vgpu.type,
            vgpu.device,
            [_verdict(one) for one in judged.vgpus[number]] if isinstance(judged, Judgement) else [],
        )
        for number, vgpu in enumerate(vgpus)
    ]


def _verdict(one: GpuVerdict) -> VerdictRow:
    return VerdictRow(
        one.gpu,
        answers.spell_states(one.states),
        answers.spell_limits(one.limits),
        [
            answers.Evidence(piece.rule, piece.seen, piece.basis, piece.source, piece.remedy, piece.by)
            for piece in one.evidence
        ],
        one.unknown,
    )


def _statistics(job: JobStatistics) -> StatisticsRow:
    return StatisticsRow(
        job.elapsed_ms, job.downtime_ms, job.memory_total, job.memory_processed, job.iteration
    )


def show_check(screen: Screen, picture: Picture, lines: Sequence[Line], *, target: str) -> None:
    """A sentence, the lines, and the evidence of what stops it."""
    goes = may_go(lines)
    said = "may be migrated to" if goes else "may not be migrated to"
    screen.line([Cell(picture.source.name, STRONG), f" {said} {target}", Cell(".", GOOD if goes else BAD)])
    show_lines(screen, lines)
    judged = picture.judgement
    if not goes and isinstance(judged, Judgement):
        needs = picture.source.needs
        stopping = obstacles(
            (one.gpu, piece)
            for number, verdicts in enumerate(judged.vgpus)
            if not judged.takers(number, needs)
            for one in verdicts
            for piece in one.evidence
        )
        if stopping:
            screen.line()
            screen.title("What stops it")
            show_obstacles(screen, stopping)


def show_lines(screen: Screen, lines: Iterable[Line]) -> None:
    """One line each: its word, its name, what was seen, and below what would help."""
    screen.line()
    facts: list[tuple[str, list[Cell | str]]] = []
    for line in lines:
        facts.append((line.check, [Cell(f"{line.word}: ", _STYLES[line.word]), line.evidence]))
        if line.remedy:
            facts.append(("", [Cell(f"remedy: {line.remedy}", WEAK)]))
    screen.facts(facts)


def show_move(screen: Screen, answer: MoveAnswer, moved: Moved) -> None:
    """What became of the migration."""
    done = moved.transferred
    screen.line()
    if done.ending is Ending.MIGRATED:
        words: list[Cell | str] = [Cell(answer.guest, STRONG), " migrated to ", answer.target]
        words += [f" in {seconds(done.seconds)}", _counted(moved.statistics), "."]
        screen.line(words)
    else:
        ending = Cell(_ENDINGS[done.ending], BAD)
        screen.line([Cell(answer.guest, STRONG), " did not migrate to ", answer.target, ": ", ending, "."])
        screen.line(done.said)
    show_lines(screen, moved.lines)


def _counted(job: JobStatistics | None) -> str:
    if job is None:
        return ""
    said = []
    if job.downtime_ms is not None:
        said.append(f"stopped for {job.downtime_ms:,} ms")
    if job.memory_processed is not None:
        said.append(f"{job.memory_processed / (1 << 20):,.0f} MiB sent")
    return f" ({', '.join(said)})" if said else ""
