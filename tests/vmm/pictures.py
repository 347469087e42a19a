"""Pictures of a guest that shall move, as a test wants them: all is well unless it says otherwise."""

from __future__ import annotations

from typing import Any

from tests.vmm.guests import a_record

from vgpu_migrate.nvml import ALL_STATES, Limits, States
from vgpu_migrate.vmm.domain_element import SavedVgpu
from vgpu_migrate.vmm.judgement import By, GpuVerdict, Judgement
from vgpu_migrate.vmm.move_picture import Picture, Power, SourceSide, TargetSide

UUID = "5eed0000-0000-4000-8000-000000000001"


def a_vgpu(**changes: Any) -> SavedVgpu:
    """A vgpu whose guest driver has reported."""
    return SavedVgpu(a_record(**changes), "L40S-12Q")


def a_source(**changes: Any) -> SourceSide:
    """A running guest with a vgpu."""
    fields: dict[str, Any] = {
        "name": "g",
        "uuid": UUID,
        "host": "h1",
        "host_uuid": "1",
        "power": Power.RUNNING,
        "is_persistent": False,
        "memory_mib": 4096,
        "vgpus": (a_vgpu(),),
    }
    return SourceSide(**fields | changes)


def a_target(**changes: Any) -> TargetSide:
    """A destination that has never heard of it."""
    return TargetSide(**{"host": "h2", "host_uuid": "2", **changes})


def a_verdict(
    gpu: str = "h2/0", states: States = ALL_STATES, limits: Limits = Limits.NONE, **more: Any
) -> GpuVerdict:
    """A verdict that allows everything."""
    return GpuVerdict(gpu, states, limits, **more)


def a_judgement(*vgpus: tuple[GpuVerdict, ...], by: By = By.DRIVER) -> Judgement:
    """The verdicts of h2's driver; one vgpu that may do everything where none are given."""
    return Judgement("h2's driver", by, vgpus or ((a_verdict(),),))


def a_picture(**changes: Any) -> Picture:
    """A guest that may go."""
    return Picture(**{"source": a_source(), "target": a_target(), "judgement": a_judgement(), **changes})
