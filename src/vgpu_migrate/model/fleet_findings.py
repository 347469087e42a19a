"""Where the rules of the fleet file put what they find."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from vgpu_migrate.errors import Problem, nearest
from vgpu_migrate.model.fleet_report import shown

MOST_NAMES_COMPARED = 50_000
"""Names looked at for suggestions in one file: about a second. After that a name is just unknown."""

_STEP = re.compile(r"\.|\[")
_NATURAL = re.compile(r"\[(\d+)\]")


class Findings:
    """The problems found so far, and the places about which no rule may conclude anything."""

    def __init__(self, problems: Iterable[Problem] = (), unsure: Collection[str] = ()) -> None:
        self.problems = list(problems)
        self.unsure = unsure
        self._names_left = MOST_NAMES_COMPARED
        self._hints: dict[tuple[str, str], str] = {}

    def wrong(self, place: str, seen: str, wanted: str) -> None:
        """Note a problem, unless the value there, or one around it, could not be read anyway."""
        if not self.is_unsure(place):
            self.problems.append(Problem(place, seen, wanted))

    def unknown(self, place: str, kind: str, name: str, known: Collection[str]) -> None:
        """Note a name that nothing carries, with the nearest that something does."""
        if (kind, name) not in self._hints:
            close: tuple[str, ...] = ()
            if len(name) <= 100 and len(known) <= self._names_left:
                self._names_left -= len(known)
                close = nearest(name, known)
            hint = f"did you mean {' or '.join(map(shown, close))}?" if close else f"no such {kind}"
            self._hints[kind, name] = hint
        self.wrong(place, f"unknown {kind} {shown(name)}", self._hints[kind, name])

    def is_unsure(self, place: str) -> bool:
        """Whether the value at a place, or one around it, is not what the file meant to say."""
        if not self.unsure:
            return False
        return place in self.unsure or any(
            place[: step.start()] in self.unsure for step in _STEP.finditer(place)
        )

    def in_order(self) -> tuple[Problem, ...]:
        """The problems by place, numbers as numbers."""
        return tuple(sorted(self.problems, key=lambda problem: _natural(problem.place)))


def _natural(place: str) -> tuple[tuple[int, str], ...]:
    """Text and numbers of a place in turn; comparable because each part is a number and a text."""
    return tuple(
        (int(part), "") if is_number else (-1, part)
        for position, part in enumerate(_NATURAL.split(place))
        for is_number in (position % 2 == 1,)
    )
