"""The answers of `host pin` and `host units` in JSON as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vgpu_migrate.cli.answers import Answer, Range

Why = Literal["unreachable", "not-supported", "outside-preset", "in-use", "not-applied"]


class PinAnswer(Answer, frozen=True):
    """A host's pin beside the driver's truth."""

    host: str
    file: Annotated[str, Meta(description="Where the pin is kept.")]
    pin: Annotated[Range | None, Meta(description="The range wished; null: none.")]
    preset_range: Annotated[Range | None, Meta(description="Null: no driver, or no vGPU Manager.")]
    range: Annotated[Range | None, Meta(description="In force; null as `preset_range`.")]
    in_force: Annotated[bool | None, Meta(description="Whether it is the pin; null where there is no pin.")]
    why: Annotated[
        Why | None,
        Meta(description="Why the pin is not in force; null: it is, or there is none."),
    ]
    vms: Annotated[list[str], Meta(description="The VMs with an active vgpu, by the ids NVML answers.")]
    changed: Annotated[bool, Meta(description="Whether this command changed the pin or the range.")]


class UnitFileRow(Answer, frozen=True):
    """A unit, or a link that enables one, and what became of it."""

    path: str
    done: Literal["written", "kept", "removed", "absent"]


class UnitFilesAnswer(Answer, frozen=True):
    """The files of the units."""

    files: list[UnitFileRow]
