"""Whether `after` alone makes a plan safe, in whatever order and overlap it leaves open.

A VM's stay on a host is a *hold*: it begins with the start of the step that brings it, and is released by
the next step that moves it, at that step's end (live, sleep) or start (hibernate, cold). Two holds cannot
meet only where the step that releases the one is, or is waited for by, the step that begins the other.
Holds that can meet in pairs can all meet at once: demanding that all begin before any is released
contradicts no order, because a contradiction would lead from one release to one beginning. So whatever
concerns pairs is checked in pairs, and whatever concerns sums by the heaviest antichain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vgpu_migrate.model import Fleet, Gpu, GpuId, HostId, PlacementMode, Vm
from vgpu_migrate.model.placement import VGPUS_PER_TIME_SLICED_GPU, Tenant, overfull
from vgpu_migrate.model.planfile import How, MigrateStep, PinStep, UpgradeStep
from vgpu_migrate.replay.antichain import heaviest_antichain
from vgpu_migrate.replay.order import Order
from vgpu_migrate.replay.violations import Kind, Violation


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """A VM's stay on a host. `begin` and `release` are steps; None: from the first, to the last."""

    vm: Vm
    host: HostId
    seats: tuple[tuple[GpuId, Tenant], ...]
    begin: MigrateStep | None
    release: MigrateStep | None


def check_any_order(fleet: Fleet, order: Order) -> Iterator[Violation]:
    """Everything that could go wrong in some order that `after` allows."""
    holds: dict[HostId, list[Hold]] = {host_id: [] for host_id in fleet.hosts}
    moves: dict[str, list[MigrateStep]] = {}
    works: dict[HostId, list[UpgradeStep | PinStep]] = {}
    for step in order.steps:
        if isinstance(step, MigrateStep):
            moves.setdefault(step.vm, []).append(step)
        else:
            works.setdefault(step.host, []).append(step)
    for vm in fleet.vms.values():
        if vm.host is not None and vm.state.holds_vgpus:
            steps = moves.get(vm.id, [])
            yield from _check_line(order, vm.id, steps)
            for hold in _holds_of(vm, steps):
                holds[hold.host].append(hold)
    for host_id, there in holds.items():
        yield from _check_works(order, host_id, works.get(host_id, []), there)
        if any(hold.begin is not None for hold in there):
            yield from _check_host(fleet, order, host_id, there)


def _check_line(
    order: Order, name: str, steps: Sequence[MigrateStep | UpgradeStep | PinStep]
) -> Iterator[Violation]:
    for earlier, later in pairwise(steps):
        if not order.waits(later.id, earlier.id):
            text = f"it and step {earlier.id} both concern {name}, and neither waits for the other"
            yield Violation(later.id, Kind.ORDER, text)


def _holds_of(vm: Vm, steps: Sequence[MigrateStep]) -> Iterator[Hold]:
    assert vm.host is not None
    seats = tuple((vgpu.gpu, Tenant(vgpu.type, vgpu.placement)) for vgpu in vm.vgpus if vgpu.gpu is not None)
    yield Hold(vm, vm.host, seats, None, steps[0] if steps else None)
    for number, step in enumerate(steps):
        seats = tuple(
            (seat.gpu, Tenant(vgpu.type, seat.placement))
            for vgpu, seat in zip(vm.vgpus, step.gpus, strict=False)
        )
        following = steps[number + 1] if number + 1 < len(steps) else None
        yield Hold(vm, step.target, seats, step, following)


def _precedes(order: Order, first: Hold, second: Hold) -> bool:
    """Whether the first hold is surely released when the second begins."""
    if first.release is None or second.begin is None:
        return False
    if first.release.id == second.begin.id:
        return first.release.how in (How.HIBERNATE, How.COLD)
    return order.waits(second.begin.id, first.release.id)


def _can_meet(order: Order, first: Hold, second: Hold) -> bool:
    return not _precedes(order, first, second) and not _precedes(order, second, first)


def _check_works(
    order: Order, host_id: HostId, works: Sequence[UpgradeStep | PinStep], there: Sequence[Hold]
) -> Iterator[Violation]:
    yield from _check_line(order, host_id, works)
    for work in works:
        for hold in there:
            gone = hold.release is not None and order.waits(work.id, hold.release.id)
            yet_to_come = hold.begin is not None and order.waits(hold.begin.id, work.id)
            if not gone and not yet_to_come:
                text = f"{hold.vm.id} may be on {host_id}: neither waits for the other"
                yield Violation(work.id, Kind.NOT_EMPTY, text)


def _check_host(fleet: Fleet, order: Order, host_id: HostId, there: list[Hold]) -> Iterator[Violation]:
    host = fleet.hosts[host_id]
    sums: list[tuple[str, int | None, Callable[[Hold], int]]] = [
        ("MiB", host.memory_mib, lambda hold: hold.vm.memory_mib),
        ("vcpus", host.vcpus, lambda hold: hold.vm.vcpus or 0),
    ]
    for unit, limit, weight in sums:
        if limit is not None:
            for step, most in _too_heavy(order, there, weight, limit):
                text = f"{host_id} could come to hold {most} {unit} of {limit}"
                yield Violation(step, Kind.MEMORY, text)
    with_group = [hold for hold in there if hold.vm.anti_affinity]
    for first, second in _meeting_pairs(order, with_group):
        if first.vm.id != second.vm.id and set(first.vm.anti_affinity) & set(second.vm.anti_affinity):
            text = f"{first.vm.id} and {second.vm.id} of one group could meet on {host_id}"
            yield Violation(_latest(first, second), Kind.ANTI_AFFINITY, text)
    on_gpu: dict[GpuId, list[tuple[Hold, Tenant]]] = {}
    for hold in there:
        for gpu_id, tenant in hold.seats:
            on_gpu.setdefault(gpu_id, []).append((hold, tenant))
    for gpu_id, tenants in on_gpu.items():
        if any(hold.begin is not None for hold, _ in tenants):
            yield from _check_gpu(order, fleet.gpus[gpu_id], tenants)


def _meeting_pairs(order: Order, holds: Sequence[Hold]) -> Iterator[tuple[Hold, Hold]]:
    """Pairs of holds that can meet, at least one of which the plan begins."""
    for number, second in enumerate(holds):
        for first in holds[:number]:
            is_old = first.begin is None and second.begin is None
            if not is_old and _can_meet(order, first, second):
                yield first, second


def _latest(first: Hold, second: Hold) -> int:
    return max(hold.begin.id for hold in (first, second) if hold.begin is not None)


def _check_gpu(order: Order, gpu: Gpu, tenants: list[tuple[Hold, Tenant]]) -> Iterator[Violation]:
    if gpu.mig:
        yield from _check_mig(order, gpu, tenants)
        return
    is_mixed = gpu.mode is PlacementMode.MIXED
    for number, (second, its) in enumerate(tenants):
        for first, other in tenants[:number]:
            if (first.begin is None and second.begin is None) or not _clash(gpu, other, its):
                continue
            if first is second or _can_meet(order, first, second):
                what = "overlap" if is_mixed else f"{other.type.short} and {its.type.short}"
                text = f"{first.vm.id} and {second.vm.id} could meet on {gpu.id}: {what}"
                yield Violation(_latest(first, second), Kind.CAPACITY, text)
    kinds: dict[int, tuple[str, int]] = {
        -1: ("vgpus", VGPUS_PER_TIME_SLICED_GPU),
        **{tenant.type.row: (tenant.type.short, tenant.type.max_instances) for _, tenant in tenants},
    }
    for row, (what, limit) in kinds.items():
        counts = Counter(hold for hold, tenant in tenants if row in (-1, tenant.type.row))
        for step, most in _too_heavy(order, list(counts), counts.__getitem__, limit):
            yield Violation(step, Kind.CAPACITY, f"{gpu.id} could come to hold {most} {what}, of {limit}")


def _clash(gpu: Gpu, first: Tenant, second: Tenant) -> bool:
    if gpu.mode is not PlacementMode.MIXED:
        return first.type.row != second.type.row
    if first.placement is None or second.placement is None:
        return False
    return (
        first.placement < second.placement + second.type.framebuffer_gib
        and second.placement < first.placement + first.type.framebuffer_gib
    )


def _too_heavy(
    order: Order, holds: Sequence[Hold], weight: Callable[[Hold], int], limit: int
) -> Iterator[tuple[int, int]]:
    """Steps whose arrival can make the holds that meet heavier than a limit, with how heavy.

    Whatever meets, one hold begins last, and the others are among those that can meet it.
    """
    if sum(map(weight, holds)) <= limit:
        return
    for last in holds:
        if last.begin is None or not weight(last):
            continue
        company = [hold for hold in holds if hold is last or _can_meet(order, hold, last)]
        if sum(map(weight, company)) <= limit:
            continue
        before = [
            [other for other, hold in enumerate(company) if _precedes(order, first, hold)]
            for first in company
        ]
        most = heaviest_antichain([weight(hold) for hold in company], before)
        if most > limit:
            yield last.begin.id, most


def _check_mig(order: Order, gpu: Gpu, tenants: list[tuple[Hold, Tenant]]) -> Iterator[Violation]:
    """MIG counts whole GPU instances, not sums: walk down from all that can meet an arrival."""
    for last in dict.fromkeys(hold for hold, _ in tenants if hold.begin is not None):
        assert last.begin is not None
        company = [item for item in tenants if item[0] is last or _can_meet(order, item[0], last)]
        problem = _worst_meeting(order, gpu, company, set())
        if problem:
            yield Violation(last.begin.id, Kind.CAPACITY, f"{gpu.id}: {problem}")


def _worst_meeting(
    order: Order, gpu: Gpu, company: list[tuple[Hold, Tenant]], seen: set[frozenset[int]]
) -> str | None:
    """What is wrong when some of `company` that can all meet do; fewer are never worse than more."""
    key = frozenset(map(id, company))
    if key in seen:
        return None
    seen.add(key)
    problems = overfull(gpu, [tenant for _, tenant in company])
    if not problems:
        return None
    for first, _ in company:
        for second, _ in company:
            if _precedes(order, first, second):
                for leave_out in (first, second):
                    fewer = [item for item in company if item[0] is not leave_out]
                    problem = _worst_meeting(order, gpu, fewer, seen)
                    if problem:
                        return problem
                return None
    return problems[0]
