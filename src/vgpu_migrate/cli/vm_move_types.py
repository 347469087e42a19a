"""The answers of `vm check` and `vm migrate` in JSON as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vgpu_migrate.cli.answers import Answer, Count, Evidence, LimitWords, StateWords

Seconds = Annotated[float, Meta(ge=0)]
Milliseconds = Annotated[Count | None, Meta(description="Null: libvirt does not say.")]
Bytes = Annotated[Count | None, Meta(description="Null: libvirt does not say.")]


class LineRow(Answer, frozen=True):
    """One thing that was looked at, what was seen, and what would help ("" where nothing has to be done)."""

    check: str
    word: Annotated[
        Literal["ok", "note", "no", "failed"],
        Meta(
            description="`no` and `failed` stop it; `failed`: somebody who had to be asked does not answer."
        ),
    ]
    evidence: str
    remedy: str


class VerdictRow(Answer, frozen=True):
    """What the judge says of a vgpu on one gpu of the destination."""

    gpu: str
    states: StateWords
    limits: LimitWords
    evidence: list[Evidence]
    unknown: tuple[str, ...]


class VgpuRow(Answer, frozen=True):
    """A vgpu of the guest, and the verdicts on it; `targets` is empty where nobody judged."""

    type: str
    device: str
    targets: list[VerdictRow]


class JudgeRow(Answer, frozen=True):
    """Who judged, and what that is worth; `hook`: nobody beforehand, the destination's hook decides."""

    name: str
    by: Literal["driver", "simulated", "prediction", "hook", "nobody"]


class MoveCheckAnswer(Answer, frozen=True):
    """Whether a guest may be migrated to a destination."""

    guest: str
    uuid: str
    source: Annotated[str, Meta(description="The source's libvirt URI.")]
    target: Annotated[str, Meta(description="The destination's libvirt URI.")]
    goes: Annotated[bool, Meta(description="Whether nothing stops it.")]
    lines: Annotated[list[LineRow], Meta(description="In the order in which they were looked at.")]
    judge: JudgeRow
    vgpus: list[VgpuRow]


class StatisticsRow(Answer, frozen=True):
    """What libvirt counted of a migration that arrived."""

    total_ms: Milliseconds
    downtime_ms: Milliseconds
    memory_total: Bytes
    memory_processed: Bytes
    iterations: Annotated[Count | None, Meta(description="Passes over its memory.")]


class MoveAnswer(Answer, frozen=True):
    """What became of a migration."""

    guest: str
    uuid: str
    source: str
    target: str
    ending: Annotated[
        Literal["migrated", "held-back", "vetoed", "deadline", "stopped", "failed"],
        Meta(description="`held-back`: the pre-flight stopped it; `vetoed`: the destination's hook did."),
    ]
    good: Annotated[bool, Meta(description="It arrived and everything is as it should be.")]
    said: Annotated[str, Meta(description="The hook's or libvirt's sentence; empty where it arrived.")]
    seconds: Annotated[Seconds | None, Meta(description="Of the migration; null: it was held back.")]
    preflight: list[LineRow]
    afterwards: Annotated[
        list[LineRow], Meta(description="Of an arrival its verification, else what was put back or is left.")
    ]
    statistics: StatisticsRow | None
