"""What can go wrong, split by who is at fault.

    VgpuMigrateError            never raised itself
     +-- InputError             you: a file or an argument is wrong (exit status 2)
     |    +-- UnknownNameError  you: a name that nothing carries, with the nearest that something does
     +-- RecordError            whoever made the bytes: a metadata record is not what it claims to be
     +-- NvmlError              one of the five functions answered a code other than SUCCESS
     +-- RefusedError           nobody: an operation that is not possible now; carries the refusal
     +-- OutsideError           the world: a file cannot be written, a host cannot be reached (exit status 3)

A "no" is a value, not an exception: verdicts, refusals of the planner and stuck VMs are returned.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class VgpuMigrateError(Exception):
    """Root of every error this package raises on purpose."""


MOST_NAMES = 20
"""So many names are listed where none is near the one asked for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in the input: where, what stands there, and what was wanted.

    `place` is a path such as ``hosts[3].gpus[0].board``; `seen` is already spelled for people.
    """

    place: str
    seen: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.place}: {self.seen}; {self.wanted}" if self.seen else f"{self.place}: {self.wanted}"


class InputError(VgpuMigrateError):
    """The caller's file or argument is wrong. All problems found are carried, in order of place."""

    def __init__(self, problems: Sequence[Problem] | Problem, *, source: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.source = source
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownNameError(InputError):
    """A name that nothing carries.

    Args:
        kind: the kind of thing, in words: "host", "vgpu type".
        name: what was asked for.
        known: all names there are; the nearest become the suggestion, else a few are all listed.
        place: where the name stands, if not on the command line.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, place: str | None = None) -> None:
        self.kind = kind
        self.name = name
        names = list(known)
        self.suggestions = nearest(name, names)
        self._choice = f"; wanted one of {', '.join(names)}" if 0 < len(names) <= MOST_NAMES else ""
        wanted = f"did you mean {' or '.join(self.suggestions)}?" if self.suggestions else f"no such {kind}"
        super().__init__(Problem(place or kind, f"unknown {kind} {quoted(name)}", wanted))

    def __str__(self) -> str:
        hint = f"; did you mean {' or '.join(self.suggestions)}?" if self.suggestions else self._choice
        text = f"unknown {self.kind} {quoted(self.name)}{hint}"
        place = self.problems[0].place
        return text if place == self.kind else f"{place}: {text}"


def quoted(name: str) -> str:
    """A name as messages spell it: in quotes where it would not be seen without, unprintables spelled out."""
    if name and name == name.strip() and name.isprintable():
        return name
    spelled = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return f'"{"".join(spelled)}"'


def nearest(name: str, known: Iterable[str], *, most: int = 2) -> tuple[str, ...]:
    """The known names closest to `name`, best first; empty when none is close."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    found = difflib.get_close_matches(name.casefold(), list(by_folded), n=most, cutoff=0.6)
    return tuple(by_folded[folded] for folded in found)


class RecordError(VgpuMigrateError):
    """Bytes that claim to be a metadata record and are not.

    Args:
        place: the field, such as ``nvmlVgpuMetadata_t.guestInfoState``.
        seen: the value there, spelled for people.
        wanted: what should stand there.
    """

    def __init__(self, place: str, seen: str, wanted: str) -> None:
        self.problem = Problem(place, seen, wanted)
        super().__init__(str(self.problem))


class RefusedError(VgpuMigrateError):
    """An operation that is not possible in the present state; the state is unchanged.

    Args:
        refusal: the reason as a value; its text is the message.
    """

    def __init__(self, refusal: object) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


class OutsideError(VgpuMigrateError):
    """Something outside this program failed: a disk, a socket, a driver, a host."""
