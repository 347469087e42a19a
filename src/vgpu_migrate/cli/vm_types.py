"""The answers of `vm` in JSON as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vgpu_migrate.cli.answers import Answer

Time = Annotated[str | None, Meta(description="UTC, as 2026-11-23T17:30:00Z.")]


class SavedVgpuRow(Answer, frozen=True):
    """A saved record of one vgpu. Texts are empty where the element does not say."""

    type: str
    device: str
    guest_info: Literal["uninitialized", "initialized"]
    guest_driver: str
    host_driver: str
    record: Annotated[str, Meta(description="The raw record, in base64.")]


class MetadataAnswer(Answer, frozen=True):
    """The saved records that a domain carries, or why there are none to go by."""

    file: str
    found: Literal["good", "absent", "damaged", "stale", "other-version"]
    reason: Annotated[str | None, Meta(description="Why not good.")]
    form: Literal["vgpu-migrate", "xenserver"] | None
    host: str | None
    state: Literal["running", "paused", "sleeping"] | None
    taken: Time
    boot: Time
    last_boot: Time
    vgpus: list[SavedVgpuRow]


class HookFileRow(Answer, frozen=True):
    """A file of the hook, and what became of it."""

    path: str
    done: Literal["written", "kept", "removed", "absent"]


class HookFilesAnswer(Answer, frozen=True):
    """The hook's files."""

    files: list[HookFileRow]


class HookTestAnswer(Answer, frozen=True):
    """What the hook answers."""

    guest: str
    operation: Literal["migrate", "restore"]
    passes: bool
    said: Annotated[str, Meta(description="Its line on standard error.")]
    xml: Annotated[str | None, Meta(description="The XML that libvirt goes on with; null: the one it gave.")]
