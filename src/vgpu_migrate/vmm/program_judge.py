"""The judge that is `vgpu-migrate host compat` beside the driver: on this machine, or over ssh on another."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from vgpu_migrate.compat import Evidence
from vgpu_migrate.errors import InputError, OutsideError, Problem, quoted
from vgpu_migrate.nvml import LIMIT_BY_WORD, STATE_BY_WORD, Limits, States
from vgpu_migrate.vmm.domain_element import SavedVgpu
from vgpu_migrate.vmm.judgement import By, GpuVerdict, Judgement, Unjudged

ANSWER_S = 60.0
"""Seconds within which the program has to answer."""
MOST_ANSWER_BYTES = 16 << 20
"""Bytes of an answer: one of a hundred gpus has some hundred thousand."""
CONNECT_S = 10
"""Seconds within which ssh has to reach the machine."""
_BAD_INPUT, _NOT_FOUND, _SSH_FAILED = 2, 127, 255
_ANSWERS = (0, 1)

_TARGET = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9_.:-]*")

T = TypeVar("T")


class _Target(msgspec.Struct):
    """A gpu in the answer of `host compat --json`; what is not named here does not matter."""

    gpu: str
    states: tuple[str, ...]
    limits: tuple[str, ...]
    by: str
    evidence: tuple[Evidence, ...] = ()
    unknown: tuple[str, ...] = ()


class _Refused(msgspec.Struct):
    detail: str


class _CompatAnswer(msgspec.Struct):
    targets: tuple[_Target, ...] | None = None
    refused: _Refused | None = None


class _Vgpu(msgspec.Struct):
    active: bool
    vm: str = ""


class _Vm(msgspec.Struct):
    uuid: str
    vgpus: tuple[_Vgpu, ...]


class _ShowAnswer(msgspec.Struct):
    """The answer of `host show --json`: of a driver with `vgpus`, of a simulated host with `vms`."""

    vgpus: tuple[_Vgpu, ...] = ()
    vms: tuple[_Vm, ...] = ()
    refused: _Refused | None = None


class ProgramJudge:
    """`vgpu-migrate host` in a process of its own.

    Args:
        command: what comes before `host`.
        name: who answers, in words.
        answer_s: seconds within which it has to.
        is_here: it asks this machine's own host.
    """

    def __init__(
        self, command: Sequence[str], name: str, *, answer_s: float = ANSWER_S, is_here: bool = False
    ) -> None:
        self._command = tuple(command)
        self._answer_s = answer_s
        self.name = name
        self.is_here = is_here

    def judge(self, vgpus: Sequence[SavedVgpu]) -> Judgement | Unjudged:
        """Each vgpu on each gpu of the program's host; equal records are asked about once."""
        told: dict[bytes, tuple[GpuVerdict, ...]] = {}
        by = By.DRIVER
        for vgpu in vgpus:
            if vgpu.record in told:
                continue
            try:
                answer = self._ask(("compat", "-", "--json"), vgpu.record, _CompatAnswer)
            except OutsideError as error:
                return Unjudged(self.name, str(error), is_outside=True)
            except InputError as error:
                return Unjudged(self.name, str(error), is_outside=False)
            if answer.targets is None:
                reason = "its answer is empty" if answer.refused is None else answer.refused.detail
                return Unjudged(self.name, reason, is_outside=answer.refused is None)
            if any(target.by != By.DRIVER for target in answer.targets):
                by = By.SIMULATED  # where no driver answers `host compat`, a simulated host does
            told[vgpu.record] = tuple(map(_verdict, answer.targets))
        return Judgement(self.name, by, tuple(told[vgpu.record] for vgpu in vgpus))

    def active_vgpus(self, vm: str) -> int | None:
        """How many vgpus a guest, by its UUID, has active there.

        Raises:
            OutsideError: the program does not answer.
        """
        try:
            answer = self._ask(("show", "--json"), None, _ShowAnswer)
        except InputError as error:
            raise OutsideError(str(error)) from None
        if answer.refused is not None:
            raise OutsideError(f"{self.name}: {answer.refused.detail}")
        wanted = vm.lower()
        of_driver = [vgpu for vgpu in answer.vgpus if vgpu.vm.lower() == wanted]
        simulated = [vgpu for one in answer.vms if one.uuid.lower() == wanted for vgpu in one.vgpus]
        return sum(vgpu.active for vgpu in (of_driver or simulated))

    def _ask(self, words: Sequence[str], record: bytes | None, kind: type[T]) -> T:
        """What the program answers.

        Raises:
            InputError: it does not take the record.
            OutsideError: it cannot be asked, or what it answers makes no sense.
        """
        given = b"" if record is None else base64.b64encode(record) + b"\n"
        try:
            status, answer, told = _run([*self._command, "host", *words], given, self._answer_s)
        except subprocess.TimeoutExpired:
            raise OutsideError(f"{self.name} does not answer within {self._answer_s:g} s") from None
        except OSError as error:
            raise OutsideError(
                f"{self.name} cannot be asked: {self._command[0]}: {error.strerror or error}"
            ) from None
        if max(len(answer), len(told)) > MOST_ANSWER_BYTES:
            raise OutsideError(f"{self.name} answers more than {MOST_ANSWER_BYTES >> 20} MiB")
        said = told.decode("utf-8", "replace").strip().splitlines()
        if status not in _ANSWERS:
            raise self._failure(status, said[-1] if said else "")
        try:
            return msgspec.json.decode(answer, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise OutsideError(
                f"{self.name} answers what makes no sense: {error}; is vgpu-migrate there as new as here?"
            ) from None

    def _failure(self, status: int, said: str) -> OutsideError | InputError:
        if status == _BAD_INPUT:
            return InputError(Problem(self.name, said or "refuses the record", "wanted a vgpu's record"))
        if status == _SSH_FAILED:
            return OutsideError(f"{self.name}: ssh: {said.removeprefix('ssh: ') or 'no connection'}")
        if status == _NOT_FOUND:
            return OutsideError(f"{self.name}: vgpu-migrate is not installed there, or not in its PATH")
        return OutsideError(f"{self.name}: {said or f'exit status {status}'}")


def _run(command: Sequence[str], given: bytes, within_s: float) -> tuple[int, bytes, bytes]:
    """A program's exit status and what it writes, of each stream little more than the most that is wanted.

    Raises:
        TimeoutExpired: it is ended then.
        OSError: it cannot be started.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as program:  # noqa: S603 (a list of words)
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stderr is not None

        def read(stream: IO[bytes]) -> bytes:
            found = stream.read(MOST_ANSWER_BYTES + 1)
            if len(found) > MOST_ANSWER_BYTES:
                program.kill()
            return found

        def write(stream: IO[bytes]) -> None:
            with suppress(BrokenPipeError), stream:
                stream.write(given)

        with ThreadPoolExecutor(3) as threads:
            threads.submit(write, program.stdin)
            answer, told = threads.submit(read, program.stdout), threads.submit(read, program.stderr)
            try:
                program.wait(within_s)
            finally:
                program.kill()  # does nothing where it has ended
            return program.returncode, answer.result(), told.result()


def _verdict(target: _Target) -> GpuVerdict:
    states, limits = States.NONE, Limits.NONE
    for word in target.states:
        states |= STATE_BY_WORD.get(word, States.NONE)
    for word in target.limits:
        limits |= LIMIT_BY_WORD.get(word, Limits.OTHER)
    return GpuVerdict(target.gpu, states, limits, target.evidence, target.unknown)


def ssh_command(target: str, *, port: int | None = None, keyfile: str | None = None) -> tuple[str, ...]:
    """What runs `vgpu-migrate` on another machine, without ever asking for a password.

    Args:
        target: ``[USER@]HOST``.
        port: of its ssh; None: the usual, or what the user's own settings say.
        keyfile: a private key; None: as usual.

    Raises:
        InputError: the target is no name of a machine.
    """
    if not _TARGET.fullmatch(target):
        raise InputError(Problem("--judge", f"ssh:{quoted(target)}", "wanted ssh:[USER@]HOST"))
    options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S}"]
    if port is not None:
        options += ["-p", str(port)]
    if keyfile:
        options += ["-i", str(Path(keyfile).absolute())]
    return ("ssh", *options, "--", target, "vgpu-migrate")
