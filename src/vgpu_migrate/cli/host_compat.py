"""What the rules of a live host say of a VM, or of saved records, on its gpus or on another host's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vgpu_migrate.cli import answers, case_files, host_records
from vgpu_migrate.cli import host_types as rows
from vgpu_migrate.cli.evidence_view import obstacles, show_obstacles
from vgpu_migrate.cli.host_refusal import spell_evidence
from vgpu_migrate.cli.screen import BAD, GOOD, NOTE, STRONG, Cell, Column, Screen, count, some
from vgpu_migrate.compat import Verdict, combine, read_gpu_record, read_vgpu_record
from vgpu_migrate.compat.cases import JudgedBy, JudgeKind
from vgpu_migrate.compat.judged import Question
from vgpu_migrate.compat.recorded import RecordedVgpu
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.files import STDIN
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml import STATE_BY_WORD, Compatibility

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vgpu_migrate.hosts.live import LiveHost

STATE_COLUMNS = ("live", "sleep", "hibernate", "cold")


class Judged(NamedTuple):
    """What was asked about, and the verdict on each gpu."""

    vgpu: str
    verdicts: tuple[tuple[str, Verdict], ...]
    questions: tuple[Question, ...]
    """Each record on each gpu by itself."""

    @property
    def is_live(self) -> bool:
        """Whether some gpu takes all of it live."""
        return any(verdict.is_live for _, verdict in self.verdicts)


def judge(live: LiveHost, target: LiveHost, vgpu: str, gpu: str | None) -> Judged:
    """The verdicts of the target on a VM's records, or a file's, for one gpu or each vGPU host.

    Args:
        live: where the VM is, if it is a VM.
        target: whose gpus and rules count.
        vgpu: a VM, an instance number, or else a file.
        gpu: a gpu of the target, or else a file with a gpu's record; None: each of the target's.

    Raises:
        InputError: there is neither a thing nor a file of that name.
        NvmlError: the target does not take the records.
    """
    records = _records(live, vgpu, kind="VM")
    verdicts: list[tuple[str, Verdict]] = []
    questions: list[Question] = []
    for name, of_gpu in _gpus(target, gpu):
        said = [target.verdict(record, of_gpu) for record in records]
        verdicts.append((name, combine(said)))
        seen = read_gpu_record(of_gpu)
        questions += [
            Question(RecordedVgpu(read_vgpu_record(record)), seen, Compatibility(one.states, one.limits), one)
            for record, one in zip(records, said, strict=True)
        ]
    return Judged(vgpu, tuple(verdicts), tuple(questions))


def save_cases(path: str, found: Judged, target: LiveHost) -> None:
    """Add what was answered to a file of cases, as a simulated host's word.

    Raises:
        InputError: the file is there and is none of cases.
        OutsideError: it cannot be read or written.
    """
    view = target.show()
    by = JudgedBy(JudgeKind.SIMULATED, view.driver)
    case_files.save_answers(path, found.questions, by, view.profile)


def _records(live: LiveHost, name: str, *, kind: str) -> tuple[bytes, ...]:
    if name != STDIN:
        view = live.show()
        found = host_records.find(live, view, name)
        if found is not None and not found.of_gpu:
            return found.data
        if not host_records.is_file(name):
            raise UnknownNameError(f"{kind} or file", name, [vm.id for vm in view.vms])
    return host_records.read(name)


def _gpus(target: LiveHost, name: str | None) -> list[tuple[str, bytes]]:
    known = [gpu.id for gpu in target.show().gpus if gpu.is_vgpu_host]
    if name is None:
        return [(gpu, target.gpu_metadata(GpuId(gpu))) for gpu in known]
    if name in known:
        return [(name, target.gpu_metadata(GpuId(name)))]
    if name != STDIN and not host_records.is_file(name):
        raise UnknownNameError("gpu or file", name, known)
    return [(name, record) for record in host_records.read(name, of_gpu=True)]


def answer(found: Judged) -> rows.CompatAnswer:
    """The answer of `host compat --json`."""
    return rows.CompatAnswer(
        found.vgpu,
        [
            rows.CompatTarget(
                gpu=gpu,
                states=answers.spell_states(verdict.states),
                limits=answers.spell_limits(verdict.limits),
                live=verdict.is_live,
                by="prediction",
                evidence=spell_evidence(verdict),
                unknown=verdict.unknown,
            )
            for gpu, verdict in found.verdicts
        ],
    )


def show(screen: Screen, found: Judged) -> None:
    """A sentence, a line for each gpu, and what stands in the way."""
    taking = [gpu for gpu, verdict in found.verdicts if verdict.is_live]
    if taking:
        said = f"Yes: it can move live to {some(taking)}."
    elif len(found.verdicts) == 1:
        said = f"No: it cannot move live to {found.verdicts[0][0]}."
    else:
        said = f"No: it can move live to none of {count(len(found.verdicts), 'gpu')}."
    screen.line([Cell(found.vgpu, STRONG), ": ", Cell(said, GOOD if taking else BAD)])
    screen.line()
    _show_table(screen, found.verdicts)
    stopping = obstacles((gpu, piece) for gpu, verdict in found.verdicts for piece in verdict.evidence)
    if stopping:
        screen.line()
        screen.title("What stops it")
        show_obstacles(screen, stopping)
    unknown = dict.fromkeys(name for _, verdict in found.verdicts for name in verdict.unknown)
    if unknown:
        screen.line()
        screen.line([Cell("not known", NOTE), f": {', '.join(unknown)}: rules that need it were silent"])


def _show_table(screen: Screen, verdicts: Sequence[tuple[str, Verdict]]) -> None:
    columns = (Column("gpu"), *map(Column, STATE_COLUMNS), Column("limits"), Column("stopped by", wraps=True))
    screen.table(
        columns,
        (
            [
                gpu,
                *(_tick(bool(verdict.states & STATE_BY_WORD[word])) for word in STATE_COLUMNS),
                ", ".join(verdict.limits.words) or "none",
                ", ".join(piece.rule for piece in verdict.evidence),
            ]
            for gpu, verdict in verdicts
        ),
    )


def _tick(is_there: bool) -> Cell:
    return Cell("✓", GOOD) if is_there else Cell("–", BAD)
