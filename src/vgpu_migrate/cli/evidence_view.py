"""What stands in the way, for people: the same obstacle told once, with everywhere it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from vgpu_migrate.cli.screen import NOTE, STRONG, WEAK, Cell, Screen, Words, some
from vgpu_migrate.compat import Rule, rules
from vgpu_migrate.compat.fields import FIELDS

MOST_VARIANTS = 3
MOST_PLACES = 6
BOARD = "board"


class Piece(Protocol):
    """A piece of evidence, of a verdict or of a plan file."""

    @property
    def rule(self) -> str: ...
    @property
    def seen(self) -> dict[str, str]: ...
    @property
    def basis(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    @property
    def by(self) -> str | None: ...


class Obstacle(NamedTuple):
    """A rule that hit with one remedy, and for each set of values seen the places where it did."""

    piece: Piece
    places_by_seen: dict[str, list[str]]

    @property
    def places(self) -> list[str]:
        """Everywhere it stands, each place once, in order."""
        return list(dict.fromkeys(place for places in self.places_by_seen.values() for place in places))


def obstacles(found: Iterable[tuple[str, Piece]]) -> list[Obstacle]:
    """Pieces of evidence and their places, gathered: those in the order of the rules, other boards last."""
    gathered: dict[tuple[object, ...], Obstacle] = {}
    for place, piece in found:
        key = (piece.rule, piece.remedy, piece.basis, piece.source, piece.by)
        obstacle = gathered.setdefault(key, Obstacle(piece, {}))
        places = obstacle.places_by_seen.setdefault(say_seen(piece.seen), [])
        if place not in places:
            places.append(place)
    order = {rule.id: rule.bit for rule in rules()}
    # Another board is the least surprising of all obstacles.
    order[BOARD] = len(order)
    return sorted(gathered.values(), key=lambda obstacle: order.get(obstacle.piece.rule, -1))


def show_obstacles(screen: Screen, found: Sequence[Obstacle], *, show_all: bool = False) -> None:
    """Each obstacle: its rule and places, the values seen, what it rests on, and what would help."""
    for number, obstacle in enumerate(found):
        if number:
            screen.line()
        show_obstacle(screen, obstacle, show_all=show_all)


def show_obstacle(screen: Screen, obstacle: Obstacle, *, show_all: bool = False) -> None:
    """One obstacle."""
    piece = obstacle.piece
    most = len(obstacle.places) if show_all else MOST_PLACES
    screen.line([Cell(piece.rule, STRONG), f"  {some(obstacle.places, most)}"])
    rows: list[tuple[str, Words]] = [("seen", words) for words in _seen_lines(obstacle, show_all=show_all)]
    rule = next((rule for rule in rules() if rule.id == piece.rule), None)
    if rule is not None:
        rows.append(("leaves", say_leaves(rule)))
    rows.append(("basis", [f"{piece.basis}: ", Cell(piece.source, WEAK)]))
    if piece.by is not None:
        rows.append(("set by", Cell(piece.by, NOTE)))
    rows.append(("remedy", piece.remedy))
    with screen.indented():
        screen.facts(rows)


def _seen_lines(obstacle: Obstacle, *, show_all: bool) -> list[str]:
    variants = list(obstacle.places_by_seen.items())
    if len(variants) == 1:
        return [variants[0][0]]
    most = len(variants) if show_all else MOST_VARIANTS
    lines = [f"{some(places)}: {seen}" for seen, places in variants[:most]]
    left = len(variants) - most
    return lines if left <= 0 else [*lines, f"and {left} more; --all shows them"]


def say_seen(seen: Mapping[str, str]) -> str:
    """The values that a rule saw, named in words: `ECC of the source gpu: on; …`."""
    return "; ".join(
        f"{FIELDS[name].words if name in FIELDS else name}: {value}"
        for name, value in seen.items()
        if (name, value) != ("vgpu.guest_info", "yes")
    )


def say_leaves(rule: Rule) -> str:
    """What a rule leaves and limits."""
    return f"{', '.join(reversed(rule.leaves.words)) or 'no state'}; limit {rule.limit.words[0]}"
