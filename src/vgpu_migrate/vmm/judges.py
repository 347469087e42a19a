"""Who gives the verdict for a guest's destination: its driver, a simulated host, or files of its records."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from typing import Protocol

from vgpu_migrate.errors import InputError, OutsideError, Problem, quoted
from vgpu_migrate.hosts.driver_prediction import gpu_traits, predict, vgpu_traits
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml import InvalidArgumentError, NvmlError
from vgpu_migrate.vmm.domain_element import SavedVgpu
from vgpu_migrate.vmm.judgement import CHOICES, By, GpuVerdict, Judgement, Unjudged
from vgpu_migrate.vmm.libvirt_uri import parts_of
from vgpu_migrate.vmm.program_judge import ProgramJudge, ssh_command
from vgpu_migrate.vmm.record_files import read_gpu_records

LOCAL = "local"
SSH = "ssh:"


class Judge(Protocol):
    """Somebody who knows the destination."""

    @property
    def name(self) -> str:
        """Who it is, in words."""
        ...

    def judge(self, vgpus: Sequence[SavedVgpu]) -> Judgement | Unjudged:
        """Each vgpu on each gpu of the destination that hosts vgpus."""
        ...

    def active_vgpus(self, vm: str) -> int | None:
        """How many vgpus a guest, by its UUID, has active there; None: this judge cannot know.

        Raises:
            OutsideError: it does not answer.
        """
        ...


class SimulatedJudge:
    """The simulated host behind a socket."""

    def __init__(self, path: str) -> None:
        self._live = LiveHost(path)
        self.name = f"the simulated host at {path}"

    def judge(self, vgpus: Sequence[SavedVgpu]) -> Judgement | Unjudged:
        """Each vgpu on each gpu of the host."""
        try:
            names = [GpuId(gpu.id) for gpu in self._live.show().gpus if gpu.is_vgpu_host]
            gpus = [(name, self._live.gpu_metadata(name)) for name in names]
            rows = tuple(tuple(self._verdict(vgpu, *gpu) for gpu in gpus) for vgpu in vgpus)
        except InvalidArgumentError as error:
            return Unjudged(self.name, str(error), is_outside=False)
        except (OutsideError, NvmlError) as error:
            return Unjudged(self.name, str(error), is_outside=True)
        return Judgement(self.name, By.SIMULATED, rows)

    def _verdict(self, vgpu: SavedVgpu, name: str, record: bytes) -> GpuVerdict:
        found = self._live.verdict(vgpu.record, record)
        return GpuVerdict(name, found.states, found.limits, found.evidence, found.unknown)

    def active_vgpus(self, vm: str) -> int | None:
        """How many vgpus a guest has active there."""
        return sum(
            vgpu.is_active
            for one in self._live.show().vms
            if one.uuid.lower() == vm.lower()
            for vgpu in one.vgpus
        )


class RecordJudge:
    """Our rules on saved records of the destination's gpus: what they say is a prediction."""

    def __init__(self, gpus: Sequence[tuple[str, bytes]]) -> None:
        self._gpus = tuple(gpus)
        self.name = f"our rules on {', '.join(dict.fromkeys(name for name, _ in self._gpus))}"

    def judge(self, vgpus: Sequence[SavedVgpu]) -> Judgement | Unjudged:
        """Each vgpu on each record."""
        rows: list[tuple[GpuVerdict, ...]] = []
        for number, vgpu in enumerate(vgpus):
            traits = vgpu_traits(vgpu.record, type_name=vgpu.type, source=None)
            row: list[GpuVerdict] = []
            for name, record in self._gpus:
                verdict = predict(traits, gpu_traits(record, gpu=None, versions=None))
                if verdict is None:
                    reason = (
                        f"our rules cannot read the record of vgpu {number} together with {name}: they are "
                        "closed; the destination's own driver can"
                    )
                    return Unjudged(self.name, reason, is_outside=False)
                row.append(
                    GpuVerdict(name, verdict.states, verdict.limits, verdict.evidence, verdict.unknown)
                )
            rows.append(tuple(row))
        return Judgement(self.name, By.PREDICTION, tuple(rows))

    def active_vgpus(self, vm: str) -> int | None:
        """None: records do not tell what is there now."""
        return None


def judge_for(named: Sequence[str], uri: str) -> Judge:
    """The judge that `--judge` names, else the one that the destination's URI leads to.

    Args:
        named: what was given: one socket, one ``ssh:[USER@]HOST``, ``local``, or files.
        uri: the destination's, of libvirt.

    Raises:
        InputError: nothing was named and the URI leads to nobody, or what was named is nothing.
        OutsideError: a file cannot be read.
    """
    if not named:
        return _by_uri(uri)
    alone = [name for name in named if name == LOCAL or name.startswith(SSH) or _is_socket(name)]
    if alone and len(named) > 1:
        raise InputError(Problem("--judge", f"{alone[0]} and others", "wanted one judge, or files"))
    if named[0] == LOCAL:
        return _local()
    if named[0].startswith(SSH):
        target = named[0].removeprefix(SSH)
        return ProgramJudge(ssh_command(target), f"the driver of {target}, by ssh")
    if alone:
        return SimulatedJudge(named[0])
    return RecordJudge([gpu for name in named for gpu in _gpus_of(name)])


def _gpus_of(path: str) -> list[tuple[str, bytes]]:
    records = read_gpu_records(path)
    if len(records) == 1:
        return [(path, records[0])]
    return [(f"{path} ({number})", record) for number, record in enumerate(records, start=1)]


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _by_uri(uri: str) -> Judge:
    parts = parts_of(uri)
    if parts.is_local:
        return _local()
    if parts.transport == "ssh" and parts.host:
        target = f"{parts.user}@{parts.host}" if parts.user else parts.host
        command = ssh_command(target, port=parts.port, keyfile=parts.keyfile)
        return ProgramJudge(command, f"the driver of {parts.host}, by ssh")
    seen = f"nothing says who judges for {quoted(uri)}"
    raise InputError(Problem("--judge", seen, f"wanted {CHOICES}"))


def is_of_this_machine(judge: Judge) -> bool:
    """Whether it is this machine's own host that would judge, which knows nothing of another."""
    return isinstance(judge, ProgramJudge) and judge.is_here


def _local() -> Judge:
    # Isolated: with `-m` alone, Python would import from the directory in which root happens to be.
    return ProgramJudge([sys.executable, "-I", "-m", "vgpu_migrate"], "this machine's own host", is_here=True)
