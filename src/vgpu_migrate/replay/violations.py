"""What a replay can find wrong with a plan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What sort of promise a plan breaks. Closed."""

    UNKNOWN = "unknown"
    """It names a VM, host, gpu or step that is not there."""
    DUPLICATE = "duplicate"
    """Two steps share an id, or a VM is stuck twice."""
    CYCLE = "cycle"
    """Steps wait for each other."""
    ORDER = "order"
    """Two steps touch the same VM or host and neither waits for the other."""
    TIMING = "timing"
    """A step starts before one it waits for has ended, or lasts otherwise than it must."""
    SOURCE = "source"
    """The VM is not where the step says, holds no vgpu, or is on the move."""
    TARGET = "target"
    """The target is the source, of another domain, not schedulable, or no vGPU host."""
    SEATS = "seats"
    """The gpus do not match the VM's vgpus, or a placement id does not match the gpu's mode."""
    CAPACITY = "capacity"
    """A gpu would hold more than fits, or vgpus that cannot share it."""
    MEMORY = "memory"
    """A host would hold more memory or vcpus than it has."""
    ANTI_AFFINITY = "anti-affinity"
    """Two VMs of one group would share a host."""
    RULES = "rules"
    """The verdict does not allow the move in this way."""
    CONSENT = "consent"
    """The owner does not allow it."""
    HOW = "how"
    """A lesser interruption was permitted."""
    NOT_EMPTY = "not-empty"
    """A host is upgraded or pinned that may hold VMs."""
    RANGE = "range"
    """A pin lies outside the host's preset range."""
    PARALLEL = "parallel"
    """More migrations at once than a host or the fleet allows."""
    UNAVAILABLE = "unavailable"
    """More hosts out of service at once than the caller allows."""
    WAVE = "wave"
    """A step waits for an upgrade of its own wave."""
    STUCK = "stuck"
    """The list of what is stuck contradicts the steps."""
    BOUNDS = "bounds"
    """A figure is not that of the steps, or beyond its own bound."""
    GOAL = "goal"
    """A step does not belong to the plan's goal."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that a step, or with `step` None the plan as a whole, does not keep."""

    step: int | None
    kind: Kind
    text: str

    def __str__(self) -> str:
        where = "the plan" if self.step is None else f"step {self.step}"
        return f"{where}: {self.kind}: {self.text}"
