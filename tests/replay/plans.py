"""Small plans by hand: steps, and a whole plan around them whose figures are honest."""

from __future__ import annotations

from typing import Any

from vgpu_migrate.model import Fleet, GpuId, HostId, Settings, Vm, VmId
from vgpu_migrate.model.cost import migration_s
from vgpu_migrate.model.planfile import (
    Bounds,
    Count,
    Duration,
    Goal,
    How,
    MigrateStep,
    PinStep,
    Plan,
    Reach,
    Seat,
    Step,
    Stuck,
    UpgradeStep,
)

UPGRADE_S = 1800.0


def move(number: int, vm: Vm, target: str, *gpus: str, start_s: float = 0.0, **changes: Any) -> MigrateStep:
    """A live move of a VM from where it is, of the right length; a placement id stands behind an "@"."""
    seats = []
    for gpu in gpus or (f"{target}/0",):
        at, _, placement = gpu.partition("@")
        seats.append(Seat(GpuId(at), int(placement) if placement else None))
    fields: dict[str, Any] = {
        "id": number,
        "wave": 1,
        "vm": VmId(vm.id),
        "how": How.LIVE,
        "source": vm.host,
        "target": HostId(target),
        "gpus": tuple(seats),
        "start_s": start_s,
        "end_s": start_s + seconds_of(vm),
        "after": (),
    }
    return MigrateStep(**fields | changes)


def seconds_of(vm: Vm) -> float:
    """How long a VM's migration takes with the default settings."""
    return migration_s(vm, Settings())


def upgrade(number: int, host: str, *, start_s: float = 0.0, **changes: Any) -> UpgradeStep:
    """An upgrade to R580."""
    fields: dict[str, Any] = {
        "id": number,
        "wave": 1,
        "host": HostId(host),
        "driver": "580.126.08",
        "start_s": start_s,
        "end_s": start_s + UPGRADE_S,
        "after": (),
    }
    return UpgradeStep(**fields | changes)


def pin(number: int, host: str, *bounds: str, start_s: float = 0.0, **changes: Any) -> PinStep:
    """A pin; without bounds it lifts the range."""
    fields: dict[str, Any] = {
        "id": number,
        "wave": 1,
        "host": HostId(host),
        "range": bounds or None,
        "start_s": start_s,
        "end_s": start_s,
        "after": (),
    }
    return PinStep(**fields | changes)


def plan(fleet: Fleet, *steps: Step, goal: Goal = Goal.DRAIN, stuck: tuple[Stuck, ...] = ()) -> Plan:
    """A plan of these steps whose figures are those of the steps."""
    moves = sum(isinstance(step, MigrateStep) for step in steps)
    waves = len({step.wave for step in steps if isinstance(step, UpgradeStep)})
    makespan_s = max((step.end_s for step in steps), default=0.0)
    kind = UpgradeStep if goal is Goal.UPGRADE else PinStep
    hosts = len({step.host for step in steps if isinstance(step, kind)})
    return Plan(
        plan_version=1,
        fleet_revision=fleet.revision,
        goal=goal,
        steps=steps,
        stuck=stuck,
        bounds=Bounds(
            moves=Count(moves, moves),
            waves=Count(waves, waves),
            makespan_s=Duration(makespan_s, makespan_s),
            hosts=None if goal is Goal.DRAIN else Reach(hosts, hosts),
        ),
    )
