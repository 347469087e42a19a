"""A guest that shall move, its source and its destination at one moment, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from vgpu_migrate.nvml import States
from vgpu_migrate.vmm.domain_element import GuestState, SavedVgpu
from vgpu_migrate.vmm.judgement import Judgement, Unjudged


class Power(StrEnum):
    """What the guest does, as libvirt says it."""

    RUNNING = "running"
    PAUSED = "paused"
    SLEEPING = "sleeping"
    OFF = "off"
    OTHER = "other"
    """Shutting down, crashed, or a state that this program does not know."""


@dataclass(frozen=True, slots=True)
class NoVgpus:
    """That the guest's vgpus could not be recorded: why, and whether somebody did not answer."""

    reason: str
    is_outside: bool


@dataclass(frozen=True, slots=True)
class SourceSide:
    """The guest where it is.

    Attributes:
        name: the guest's.
        uuid: in small letters.
        host: the host's name.
        host_uuid: "" where libvirt does not say.
        power: what it does.
        is_persistent: it has a definition that outlives it.
        job: what is done with it right now ("" for nothing).
        memory_mib: what it may use at most.
        vfio_devices: mediated and PCI devices that it is given, by id.
        vgpus: their fresh records in order; empty: it has no vGPU.
        shows_vgpu: its XML does, by a mediated device or by the record that it carries.
    """

    name: str
    uuid: str
    host: str
    host_uuid: str
    power: Power
    is_persistent: bool
    job: str = ""
    memory_mib: int = 0
    vfio_devices: tuple[str, ...] = ()
    vgpus: tuple[SavedVgpu, ...] | NoVgpus = ()
    shows_vgpu: bool = False

    @property
    def has_vgpu(self) -> bool:
        """Whether it has one, or may have one that could not be recorded."""
        return bool(self.vgpus)

    @property
    def needs(self) -> States:
        """The state that a verdict has to allow."""
        return (GuestState.SLEEPING if self.power is Power.SLEEPING else GuestState.RUNNING).needs


class Namesake(NamedTuple):
    """A guest of the destination that has the name or the UUID."""

    name: str
    uuid: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class TargetSide:
    """The destination, as libvirt shows it.

    Attributes:
        host: its name.
        host_uuid: "" where libvirt does not say.
        namesakes: guests there with the guest's name or UUID.
        machine_trouble: why guests of its machine type and architecture cannot run there ("" where they can).
    """

    host: str
    host_uuid: str = ""
    namesakes: tuple[Namesake, ...] = ()
    machine_trouble: str = ""


@dataclass(frozen=True, slots=True)
class NoTarget:
    """That the destination cannot be reached, and why."""

    uri: str
    reason: str


class HookTrusted(NamedTuple):
    """That nobody judges beforehand: the destination's hook decides alone."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Both sides at one moment, and what the judge says. None: there was nothing to judge.

    `is_judged_here`: the judge is the source's own host, which knows nothing of another.
    """

    source: SourceSide
    target: TargetSide | NoTarget
    judgement: Judgement | Unjudged | HookTrusted | None
    is_judged_here: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator wants, as far as it can be looked at beforehand.

    Attributes:
        offline: only the definition moves.
        post_copy: the guest shall run on the destination before its memory is there.
        persistent: it shall have a definition on the destination.
        undefine_source: its definition on the source shall go.
        bandwidth_mib_s: the most that its memory may use; None: as libvirt does.
        deadline_s: seconds after which the migration is given up; None: never.
    """

    offline: bool = False
    post_copy: bool = False
    persistent: bool = False
    undefine_source: bool = False
    bandwidth_mib_s: int | None = None
    deadline_s: float | None = None


class Word(StrEnum):
    """What a line says."""

    OK = "ok"
    NOTE = "note"
    """It does not stop the migration; an operator should know."""
    NO = "no"
    """It stops it."""
    FAILED = "failed"
    """Somebody who had to be asked did not answer; that stops it too."""


class Line(NamedTuple):
    """One thing that was looked at; `remedy` is empty where nothing has to be done."""

    check: str
    word: Word
    evidence: str
    remedy: str = ""
