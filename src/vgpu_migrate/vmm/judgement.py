"""What a destination's judge says of a guest's vgpus, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from vgpu_migrate.compat import Evidence
from vgpu_migrate.nvml import Limits, States

CHOICES = "--judge ssh:[USER@]HOST, SOCKET or FILE… of its gpus' records; or --trust-hook"
"""How to name somebody who knows a destination, for messages."""


class By(StrEnum):
    """Who gave the verdicts."""

    DRIVER = "driver"
    """The destination's own driver: what it says will be."""
    SIMULATED = "simulated"
    """The simulated host that the guest goes to."""
    PREDICTION = "prediction"
    """Our rules, on records of the destination."""


class GpuVerdict(NamedTuple):
    """In which states one vgpu may go on on one gpu of the destination, and why in no more.

    `unknown` names values that were not known, so that a rule which needs one was silent.
    """

    gpu: str
    states: States
    limits: Limits
    evidence: tuple[Evidence, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every vgpu of a guest on every gpu of the destination.

    Attributes:
        judge: who was asked, in words.
        by: what the verdicts are worth.
        vgpus: for each vgpu in order, a verdict for each gpu.
    """

    judge: str
    by: By
    vgpus: tuple[tuple[GpuVerdict, ...], ...]

    def takers(self, number: int, needed: States) -> tuple[str, ...]:
        """The gpus on which a vgpu, by its number, may go on in the states needed."""
        return tuple(one.gpu for one in self.vgpus[number] if one.states & needed == needed)


@dataclass(frozen=True, slots=True)
class Unjudged:
    """That there is no verdict.

    Attributes:
        judge: who was asked, in words.
        reason: why there is none, in words.
        is_outside: the judge could not be asked; else it was, and does not know the records.
    """

    judge: str
    reason: str
    is_outside: bool


def spell_verdict(verdict: GpuVerdict) -> str:
    """`0000:3b:00.0 allows cold, limited by gpu`."""
    states = ", ".join(verdict.states.words) or "nothing"
    return f"{verdict.gpu} allows {states}, limited by {', '.join(verdict.limits.words) or 'nothing'}"


def remedies(verdicts: Sequence[GpuVerdict]) -> tuple[str, ...]:
    """What the evidence says would help, each once."""
    return tuple(dict.fromkeys(piece.remedy for verdict in verdicts for piece in verdict.evidence))
