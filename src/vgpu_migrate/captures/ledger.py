"""What was decided for one host, and on what ground: capture, facts, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from vgpu_migrate.captures.findings import Contradiction, Said

TABLES = "the tables"
"""The place of a value that the facts hold."""


class Ground(StrEnum):
    """Where a field's value comes from; `GIVEN`: an option of whoever imports."""

    CAPTURE = "capture"
    FACTS = "facts"
    GIVEN = "given"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Filled:
    """A field, such as `gpus[0].ecc`, and its ground. `said`: a file and line, or a sentence."""

    field: str
    by: Ground
    said: str


@dataclass(slots=True)
class Ledger:
    """What is noted while one host is put together."""

    host: str
    fields: list[Filled] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)
    notes: list[Said] = field(default_factory=list)

    def fill(self, name: str, by: Ground, said: str) -> None:
        """Note on what ground a field stands."""
        self.fields.append(Filled(name, by, said))

    def captured(self, name: str, said: Said | None, otherwise: str = "no capture says it") -> str | None:
        """The text of a field that a capture says or that is not known."""
        if said is None:
            self.fill(name, Ground.UNKNOWN, otherwise)
            return None
        self.fill(name, Ground.CAPTURE, said.place)
        return said.text

    def note(self, text: str, place: str) -> None:
        """Tell of something that is not in the fleet file, once."""
        said = Said(text, place)
        if said not in self.notes:
            self.notes.append(said)

    def contradict(self, what: str, taken: Said, other: Said) -> None:
        """Name two values for one thing, once for each pair of values."""
        texts = {(known.what, known.taken.text, known.other.text) for known in self.contradictions}
        if (what, taken.text, other.text) not in texts:
            self.contradictions.append(Contradiction(what, taken, other))

    def pick(self, what: str, candidates: Iterable[Said | None]) -> Said | None:
        """The first value; those that differ from it are named."""
        taken: Said | None = None
        for said in candidates:
            if said is None:
                continue
            if taken is None:
                taken = said
            elif said.text.casefold() != taken.text.casefold():
                self.contradict(what, taken, said)
        return taken

    def count(self, by: Ground) -> int:
        """How many fields stand on a ground."""
        return sum(row.by is by for row in self.fields)
