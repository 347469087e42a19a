"""Places for the movers of one domain: a first filling, then repair."""

from __future__ import annotations

from collections.abc import Sequence

from vgpu_migrate.planning.fill import Seater, fill
from vgpu_migrate.planning.floor import Floor, Mover


def place(floor: Floor, cast: Sequence[Mover]) -> list[Mover]:
    """Place movers on a floor; gives back those left over."""
    seater = Seater(floor)
    return fill(seater, cast)
