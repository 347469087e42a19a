"""Run a plan on paper and tell every promise it breaks.

It shares no code with planning: it reads the plan file, the fleet and the rule table's pair call. It looks
three times: at the plan as a document, at its run in the order of time, and at every other order that
`after` leaves open.
"""

from __future__ import annotations

from collections.abc import Iterator

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model import Fleet, HostId, VmId
from vgpu_migrate.model.planfile import MigrateStep, Plan
from vgpu_migrate.replay import figures
from vgpu_migrate.replay.any_order import check_any_order
from vgpu_migrate.replay.order import Order, check_timing, order_of
from vgpu_migrate.replay.violations import Kind, Violation
from vgpu_migrate.replay.world import (
    World,
    end_migrate,
    start_migrate,
    upgrade_or_pin,
    world_of,
)


def replay(fleet: Fleet, plan: Plan, *, max_unavailable: int | None = None) -> tuple[Violation, ...]:
    """Every promise that a plan does not keep on this fleet; empty for a sound plan.

    A plan with unknown names, double ids or a cycle is told so and not run.

    Args:
        fleet: as it is before the plan.
        plan: what is to be checked.
        max_unavailable: how many hosts may be out of service at once, which no plan file says; None: any.

    Raises:
        InputError: the plan is for another revision of the fleet.
    """
    if plan.fleet_revision != fleet.revision:
        wanted = f"this fleet has revision {_said(fleet.revision)}; plan anew"
        raise InputError(Problem("fleet_revision", _said(plan.fleet_revision), wanted))
    unknown = list(_unknown_names(fleet, plan))
    order = order_of(plan)
    if unknown or not isinstance(order, Order):
        return (*unknown, *([] if isinstance(order, Order) else order))
    found: list[Violation] = []
    found += figures.check_goal(plan)
    found += check_timing(order)
    found += figures.check_durations(fleet, order)
    world = world_of(fleet)
    found += _run(world, order)
    found += check_any_order(fleet, order)
    found += figures.check_parallel(fleet, order)
    if max_unavailable is not None:
        found += figures.check_unavailable(order, max_unavailable)
    found += figures.check_waves(plan, order)
    found += figures.check_stuck(plan, fleet, world)
    found += figures.check_bounds(plan)
    return tuple(dict.fromkeys(found))


def _said(revision: int | None) -> str:
    return "none" if revision is None else str(revision)


def _unknown_names(fleet: Fleet, plan: Plan) -> Iterator[Violation]:
    for step in plan.steps:
        if isinstance(step, MigrateStep):
            if step.vm not in fleet.vms:
                yield Violation(step.id, Kind.UNKNOWN, f"no VM {step.vm}")
            hosts = [step.source, step.target]
            for seat in step.gpus:
                if seat.gpu not in fleet.gpus:
                    yield Violation(step.id, Kind.UNKNOWN, f"no gpu {seat.gpu}")
        else:
            hosts = [step.host]
        for host_id in hosts:
            if host_id not in fleet.hosts:
                yield Violation(step.id, Kind.UNKNOWN, f"no host {host_id}")


def _run(world: World, order: Order) -> Iterator[Violation]:
    """The steps in the order of time, each VM somewhere after every one."""
    for _, is_start, step in order.events():
        if isinstance(step, MigrateStep):
            if is_start:
                yield from start_migrate(world, step)
            else:
                end_migrate(world, step)
        elif is_start:
            yield from upgrade_or_pin(world, step)
    places: dict[VmId, list[HostId]] = {}
    for host_id, there in world.present.items():
        for vm_id in there:
            places.setdefault(vm_id, []).append(host_id)
    for vm in world.vms.values():
        if vm.host is not None and vm.state.holds_vgpus and places.get(vm.id) != [vm.host]:
            where = ", ".join(places.get(vm.id, [])) or "no host"
            yield Violation(None, Kind.SOURCE, f"{vm.id} ends on {where}")
