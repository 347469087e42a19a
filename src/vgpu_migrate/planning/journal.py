"""Changes to a floor that a search can take back, all since a mark at once."""

from __future__ import annotations

from typing import NamedTuple

from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.floor import Floor, Seats


class Mark(NamedTuple):
    """A moment to which everything can be rolled back."""

    length: int
    state: int


class Journal:
    """Puts movers on a floor and takes them off, and remembers it."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._done: list[tuple[Mover, Seats | None]] = []

    def put(self, mover: Mover, seats: Seats) -> None:
        """Place a mover; the caller has checked that it fits."""
        self._floor.put(mover, seats)
        self._done.append((mover, None))

    def take(self, mover: Mover) -> Seats:
        """Take a mover off; gives back where it was."""
        seats = self._floor.take(mover)
        self._done.append((mover, seats))
        return seats

    def mark(self) -> Mark:
        """This moment."""
        return Mark(len(self._done), self._floor.state)

    def roll_back(self, mark: Mark) -> None:
        """Undo everything since a mark."""
        while len(self._done) > mark.length:
            mover, seats = self._done.pop()
            if seats is None:
                self._floor.take(mover)
            else:
                self._floor.put(mover, seats)
        self._floor.restored(mark.state)
