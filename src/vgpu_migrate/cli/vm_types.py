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
    """The saved records that a domain carries, or why there are none to go by; or fresh ones of a guest."""

    file: Annotated[str | None, Meta(description="Null for a guest of libvirt.")]
    found: Literal["good", "absent", "damaged", "stale", "other-version"]
    reason: Annotated[str | None, Meta(description="Why not good.")]
    form: Literal["vgpu-migrate", "xenserver"] | None
    host: str | None
    state: Literal["running", "paused", "sleeping"] | None
    taken: Time
    boot: Time
    last_boot: Time
    vgpus: list[SavedVgpuRow]
    guest: Annotated[str | None, Meta(description="Its name; null for a file.")] = None
    uuid: str | None = None
    fresh: Annotated[bool, Meta(description="Just taken from this host's driver.")] = False
    written: Annotated[bool, Meta(description="Put into the file or the guest now.")] = False


class WatchRow(Answer, frozen=True):
    """A line of `vm watch --json`: something that happened or was done, or with --once what was found."""

    at: Annotated[str, Meta(description="UTC, as 2026-11-23T17:30:00Z.")]
    event: Literal[
        "connected",
        "disconnected",
        "driver-away",
        "driver-back",
        "published",
        "marked-stale",
        "removed",
        "not-written",
        "no-record",
        "looked",
    ]
    says: str
    guest: str | None
    uuid: str | None
    taken: Time
    boot: Time
    last_boot: Time
    vgpus: Annotated[list[SavedVgpuRow], Meta(description="The records written.")]
    guests: Annotated[int | None, Meta(description="Of looked: running guests with a vGPU.")] = None
    good: Annotated[int | None, Meta(description="Of looked: those that carry a record to go by.")] = None


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
