"""The answer of `host doctor` in JSON as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vgpu_migrate.cli.answers import Answer


class DoctorLine(Answer, frozen=True):
    """A requirement of live migration, how it stands, and the evidence."""

    check: Annotated[str, Meta(description="Which requirement; docs/doctor.md lists them.")]
    about: Annotated[str, Meta(description="The gpu it is about; empty: the whole host.")]
    state: Literal["ok", "warn", "fail", "unknown"]
    seen: Annotated[str, Meta(description="The value seen.")]
    where: Annotated[str, Meta(description="Where it was read.")]
    remedy: Annotated[str | None, Meta(description="What to do; null: nothing.")]


class DoctorAnswer(Answer, frozen=True):
    """A host examined. `ok`: no line fails."""

    host: str
    root: str
    simulated: bool
    ok: bool
    lines: list[DoctorLine]
