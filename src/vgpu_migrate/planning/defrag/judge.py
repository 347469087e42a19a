"""How a VM could move on from where a first move has brought it: the rules look at its source too."""

from __future__ import annotations

import msgspec

from vgpu_migrate.compat import check, combine, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet
from vgpu_migrate.planning.cast import NEVER, Mover
from vgpu_migrate.planning.defrag.sequence import Judge
from vgpu_migrate.planning.floor import Floor, Seats
from vgpu_migrate.planning.moves import permitted_ways


def judge_of(fleet: Fleet, floor: Floor) -> Judge:
    """The judge of a floor: the level of a move from some seats to others; NEVER where it is not possible.

    Right for a VM that came to the first seats live or asleep, and so kept its version and its state.
    """

    def level(mover: Mover, seats: Seats, wanted: Seats) -> int:
        verdicts = []
        for vgpu, (source, _), (target, _) in zip(mover.vm.vgpus, seats, wanted, strict=True):
            there = msgspec.structs.replace(vgpu, gpu=floor.gpus[source].id)
            host = floor.hosts[floor.host_of[target]]
            traits = gpu_traits(host, floor.gpus[target])
            profile = fleet.settings_of(host.domain).profile
            verdicts.append(check(vgpu_traits(fleet, mover.vm, there), traits, profile))
        states = int(combine(verdicts).states & permitted_ways(mover.vm))
        return 4 - states.bit_length() if states else NEVER

    return level
