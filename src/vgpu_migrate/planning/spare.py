"""What is missing where VMs find no room: gpus, or memory and vcpus of hosts whose gpus have room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vgpu_migrate import facts
from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.fill import LEVELS, Seater, seats_on_host
from vgpu_migrate.planning.floor import capacity

_FITS_ANYWHERE = -(2**60)
"""MiB of a mover for which even a host has memory that holds more than it has."""


@dataclass(frozen=True, slots=True)
class Spare:
    """So many empty gpus of a board more, on hosts set up as those there are, with memory and vcpus left."""

    board: str
    gpus: int


def spare_gpus(left: Sequence[Mover]) -> tuple[Spare, ...]:
    """Empty gpus on which those without room would fit, one type to a gpu."""
    counts = Counter(row for mover in left for row in mover.types)
    gpus: Counter[str] = Counter()
    for row, number in counts.items():
        gpus[facts.vgpu_type_by_row(row).board] += -(-number // capacity(row))
    return tuple([Spare(board, number) for board, number in sorted(gpus.items())])


def shortage(seater: Seater, mover: Mover) -> str | None:
    """The memory and vcpus missing on the host that comes nearest, of those whose gpus have room for a mover.

    None where some host has room for it in all, or none has such gpus.
    """
    floor = seater.floor
    weightless = replace(mover, memory_mib=_FITS_ANYWHERE, vcpus=0)
    if seater.seat(weightless) is None or seater.seat(mover) is not None:
        return None
    lacks = sorted(
        (
            max(0.0, mover.memory_mib - floor.memory_left[number]),
            max(0.0, mover.vcpus - floor.vcpus_left[number]) if mover.vcpus else 0.0,
            number,
        )
        for number in range(len(floor.hosts))
    )
    for memory, vcpus, number in lacks:
        if floor.fits_host(number, weightless) and any(
            seats_on_host(floor, number, weightless, level) for level in LEVELS
        ):
            said = [f"{memory:,.0f} MiB of memory"] if memory else []
            said += [f"{vcpus:,.0f} vcpu{'s' if vcpus > 1 else ''}"] if vcpus else []
            verb = "are" if memory or vcpus > 1 else "is"
            return f"{floor.hosts[number].id} has room on its gpus, but {' and '.join(said)} {verb} missing"
    return None
