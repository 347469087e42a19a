"""`host compat` of this machine's real driver: its verdict, and beside it what our rules predict."""

from __future__ import annotations

from typing import NamedTuple

from vgpu_migrate.cli import answers, case_files, driver_look, host_records
from vgpu_migrate.cli import host_types as rows
from vgpu_migrate.cli.driver_open import ask, placed
from vgpu_migrate.cli.evidence_view import obstacles, show_obstacles
from vgpu_migrate.cli.exit_status import NO
from vgpu_migrate.cli.host_refusal import spell_evidence
from vgpu_migrate.cli.judge_open import driver_itself
from vgpu_migrate.cli.output import write_json
from vgpu_migrate.cli.screen import BAD, BREAK, GOOD, NOTE, STRONG, Cell, Column, Screen, Words, count, some
from vgpu_migrate.compat import GpuTraits, Verdict, check, combine
from vgpu_migrate.compat.judged import Question
from vgpu_migrate.compat.recorded import RecordedVgpu
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.files import STDIN
from vgpu_migrate.hosts.driver import DriverHost
from vgpu_migrate.hosts.driver_prediction import gpu_traits, seen_vgpu
from vgpu_migrate.nvml import ALL_STATES, STATE_BY_WORD, Compatibility, Limits, States

STATE_COLUMNS = ("live", "sleep", "hibernate", "cold")


class Side(NamedTuple):
    """A record, and what our rules can see of it; None: nothing."""

    name: str
    record: bytes
    vgpu: RecordedVgpu | None = None
    gpu: GpuTraits | None = None


class Judged(NamedTuple):
    """The driver's verdict on a gpu, and our prediction of it; None: our rules cannot read the records."""

    gpu: str
    driver: Compatibility
    prediction: Verdict | None
    questions: tuple[Question, ...]
    """Each of its records by itself, where our rules can read it."""

    @property
    def is_live(self) -> bool:
        """Whether the driver lets all of it move there live."""
        return bool(self.driver.states & States.LIVE)

    @property
    def agrees(self) -> bool:
        """Whether our rules say the same, states and limits."""
        ours = self.prediction
        return ours is not None and (ours.states, ours.limits) == tuple(self.driver)


def tell(vgpu: str, gpu: str | None, *, save_case: str | None, as_json: bool) -> int:
    """Judge and tell; exit status 0 if the driver allows a live move to some gpu asked about, 1 if not.

    Raises:
        InputError: there is no such thing, or the answer is to be saved and cannot be a case.
    """

    def act(host: DriverHost) -> int:
        found = judge(host, vgpu, gpu)
        if save_case is not None:
            case_files.save_answers(
                save_case, [one for row in found for one in row.questions], driver_itself(host)
            )
        if as_json:
            write_json(answer(vgpu, found))
        else:
            show(Screen(), vgpu, found)
        return 0 if any(one.is_live for one in found) else NO

    return ask(act, as_json=as_json)


def judge(host: DriverHost, vgpu: str, gpu: str | None) -> tuple[Judged, ...]:
    """The driver's verdicts on a VM's records, or a file's, for one gpu or each vGPU host.

    Args:
        host: whose driver decides.
        vgpu: a VM, an instance number or UUID, or else a file.
        gpu: a gpu's UUID or PCI address, or else a file with a gpu's record; None: each of the host's.

    Raises:
        InputError: there is neither a thing nor a file of that name.
        NvmlError: the driver does not take the records.
    """
    asked = _vgpus(host, vgpu)
    return tuple(_judged(host, asked, target) for target in _gpus(host, gpu))


def _judged(host: DriverHost, asked: tuple[Side, ...], target: Side) -> Judged:
    states, limits = ALL_STATES, Limits.NONE
    questions: list[Question] = []
    for one in asked:
        said = host.compatibility(one.record, target.record)
        states &= said.states
        limits |= said.limits
        if one.vgpu is not None and target.gpu is not None:
            ours = check(one.vgpu.traits, target.gpu)
            questions.append(Question(one.vgpu, target.gpu, said, ours))
    is_readable = len(questions) == len(asked)
    prediction = combine([one.prediction for one in questions]) if is_readable else None
    return Judged(target.name, Compatibility(states, limits), prediction, tuple(questions))


def _vgpus(host: DriverHost, name: str) -> tuple[Side, ...]:
    found = None if name == STDIN else driver_look.find(host, name)
    if found is None or found.of_gpu:
        if not host_records.is_file(name):
            raise UnknownNameError("VM, vgpu or file", name, driver_look.names(host))
        return tuple(
            Side(name, record, vgpu=seen_vgpu(record, type_name=None, source=None))
            for record in host_records.read_any(name)
        )
    here = {one.vgpu.instance: one for one in placed(host)}
    sides: list[Side] = []
    for record, instance in zip(found.data, found.instances, strict=True):
        one = here.get(instance or 0)
        seen = (None, None) if one is None else (one.vgpu.type, one.gpu)
        sides.append(Side(name, record, vgpu=seen_vgpu(record, type_name=seen[0], source=seen[1])))
    return tuple(sides)


def _gpus(host: DriverHost, name: str | None) -> tuple[Side, ...]:
    known = [gpu for gpu in host.describe() if gpu.is_vgpu_host]
    wanted = [gpu for gpu in known if name in (None, gpu.id, gpu.pci)]
    if name is not None and not wanted:
        if not host_records.is_file(name):
            raise UnknownNameError("gpu or file", name, [gpu.id for gpu in known])
        records = host_records.read_any(name, of_gpu=True)
        return tuple(Side(name, one, gpu=gpu_traits(one, gpu=None, versions=None)) for one in records)
    versions = host.vgpu_versions()
    sides: list[Side] = []
    for gpu in wanted:
        record = host.gpu_metadata(gpu.id)
        sides.append(Side(gpu.id, record, gpu=gpu_traits(record, gpu=gpu, versions=versions)))
    return tuple(sides)


def answer(vgpu: str, found: tuple[Judged, ...]) -> rows.CompatAnswer:
    """The answer of `host compat --json`."""
    return rows.CompatAnswer(vgpu, [_row(one) for one in found])


def _row(one: Judged) -> rows.CompatTarget:
    ours = one.prediction
    predicted = None
    if ours is not None:
        predicted = rows.Predicted(
            answers.spell_states(ours.states), answers.spell_limits(ours.limits), one.agrees
        )
    return rows.CompatTarget(
        gpu=one.gpu,
        states=answers.spell_states(one.driver.states),
        limits=answers.spell_limits(one.driver.limits),
        live=one.is_live,
        by="driver",
        evidence=[] if ours is None else spell_evidence(ours),
        unknown=() if ours is None else ours.unknown,
        prediction=predicted,
    )


def show(screen: Screen, vgpu: str, found: tuple[Judged, ...]) -> None:
    """A sentence, a line for each gpu, where our rules differ, and what they say stands in the way."""
    taking = [one.gpu for one in found if one.is_live]
    if taking:
        said = f"Yes: the driver says that it can move live to {some(taking)}."
    elif len(found) == 1:
        said = f"No: the driver says that it cannot move live to {found[0].gpu}."
    else:
        said = f"No: the driver says that it can move live to none of {count(len(found), 'gpu')}."
    screen.line([Cell(vgpu, STRONG), ": ", Cell(said, GOOD if taking else BAD)])
    screen.line()
    _show_table(screen, found)
    for one in found:
        if one.prediction is not None and not one.agrees:
            ours = _say(_pair(one.prediction))
            said = f"the driver says {_say(one.driver)}, our rules {ours}; the driver's verdict counts"
            screen.line()
            screen.line([Cell("difference", NOTE), f": {one.gpu}: {said}"])
    stopping = obstacles(
        (one.gpu, piece) for one in found if one.prediction is not None for piece in one.prediction.evidence
    )
    if stopping:
        screen.line()
        screen.title("What stops it, as our rules see it")
        show_obstacles(screen, stopping)


def _show_table(screen: Screen, found: tuple[Judged, ...]) -> None:
    columns = (Column("gpu"), *map(Column, STATE_COLUMNS), Column("limits"), Column("our rules", wraps=True))
    screen.table(
        columns,
        (
            [
                one.gpu,
                *(_tick(bool(one.driver.states & STATE_BY_WORD[word])) for word in STATE_COLUMNS),
                ", ".join(one.driver.limits.words) or "none",
                _ours(one),
            ]
            for one in found
        ),
    )


def _ours(one: Judged) -> Words:
    if one.prediction is None:
        return Cell("cannot read the records", NOTE)
    if one.agrees:
        return "say the same"
    return [Cell("differ", NOTE), ":", BREAK, _say(_pair(one.prediction))]


def _pair(verdict: Verdict) -> Compatibility:
    return Compatibility(verdict.states, verdict.limits)


def _say(verdict: Compatibility) -> str:
    states = ", ".join(verdict.states.words) or "no state"
    return f"{states} (limits: {', '.join(verdict.limits.words) or 'none'})"


def _tick(is_there: bool) -> Cell:
    return Cell("✓", GOOD) if is_there else Cell("–", BAD)
