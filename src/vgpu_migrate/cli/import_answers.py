"""The answer of `import --json` as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vgpu_migrate.cli.answers import Answer, Count


class FileRow(Answer, frozen=True):
    """A file of a host's folder; `kind` is null where it is no known capture."""

    file: str
    kind: str | None


class FieldRow(Answer, frozen=True):
    """A field of the fleet file and its ground."""

    field: Annotated[str, Meta(description="Such as `gpus[0].ecc`, inside its host; a VM by its name.")]
    by: Literal["capture", "facts", "given", "unknown"]
    said: Annotated[str, Meta(description="A file and line, or a sentence.")]


class ContradictionRow(Answer, frozen=True):
    """Two values for one thing, and where they stand; the first was taken."""

    what: str
    taken: str
    taken_from: str
    other: str
    other_from: str


class NoteRow(Answer, frozen=True):
    """Something that the captures show and that is not in the fleet file."""

    text: str
    place: str


class HostRow(Answer, frozen=True):
    """One host: its files, and how many of its fields stand on what ground."""

    host: str
    written: Annotated[bool, Meta(description="False: left out, because nothing says its driver.")]
    capture: Count
    facts: Count
    given: Count
    unknown: Count
    files: list[FileRow]
    fields: list[FieldRow]
    contradictions: list[ContradictionRow]
    notes: list[NoteRow]


class ImportAnswer(Answer, frozen=True):
    """What captures were read as. `fleet`: the file written, null where none was."""

    fleet: str | None
    hosts: list[HostRow]
