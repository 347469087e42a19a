"""How many hosts each VM can go to as it is, room apart; and two fleets compared by that.

As it is: a running or paused VM live, a sleeping one asleep, a hibernated one resumed, one that is off or
booting started anew. Worked out once for each class of VMs and each kind of host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vgpu_migrate.model import Fleet, Host, Vm, VmId
from vgpu_migrate.planning.classes import StateTable, state_table

_Kind = frozenset[int]
"""The gpu classes that stand together on a host."""


def reach(fleet: Fleet) -> Mapping[VmId, int]:
    """By VM, the schedulable hosts of its domain, its own apart, where every vgpu of it finds some gpu.

    A VM without a host may go to those of all domains.
    """
    gpus = [gpu for host in fleet.hosts.values() if host.has_manager for gpu in host.gpus if gpu.is_vgpu_host]
    table = state_table(fleet, fleet.vms.values(), gpus)
    kinds = {host.id: _kind(host, table) for host in fleet.hosts.values() if host.has_manager}
    of_domain: dict[str | None, Counter[_Kind]] = {None: Counter()}
    for host_id, kind in kinds.items():
        host = fleet.hosts[host_id]
        if host.schedulable and kind:
            of_domain.setdefault(host.domain, Counter())[kind] += 1
            of_domain[None][kind] += 1
    takes: dict[tuple[object, ...], frozenset[_Kind]] = {}
    every = list(of_domain[None])
    found: dict[VmId, int] = {}
    for vm in fleet.vms.values():
        key = (table.vgpu_classes[vm.id], vm.state)
        if key not in takes:
            takes[key] = frozenset([kind for kind in every if _is_taken(vm, kind, table)])
        home = vm.host if vm.host is not None and vm.state.holds_vgpus else None
        counts = of_domain.get(fleet.domain_of(vm), Counter())
        total = sum(counts[kind] for kind in takes[key] if kind in counts)
        is_own = home is not None and fleet.hosts[home].schedulable and kinds.get(home) in takes[key]
        found[vm.id] = total - is_own
    return found


def _kind(host: Host, table: StateTable) -> _Kind:
    return frozenset([table.gpu_classes[gpu.id] for gpu in host.gpus if gpu.is_vgpu_host])


def _is_taken(vm: Vm, kind: _Kind, table: StateTable) -> bool:
    needed = int(vm.state.needs)
    return all(
        any(table.states[row][gpu_class] & needed for gpu_class in kind) for row in table.vgpu_classes[vm.id]
    )


@dataclass(frozen=True, slots=True)
class Reached:
    """A VM whose reach is another than today: None where it is not there."""

    vm: VmId
    today: int
    then: int | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What changes make of the reach of VMs. Each VM is in one list; those with the same reach in none."""

    freed: tuple[Reached, ...]
    """Could go nowhere, and then can."""
    gains: tuple[Reached, ...]
    """Can then go to more hosts."""
    loses: tuple[Reached, ...]
    """Can then go to fewer hosts, but to some."""
    stranded: tuple[Reached, ...]
    """Could go somewhere, and then nowhere."""
    gone: tuple[Reached, ...]
    """Taken away."""
    same: int
    """VMs with the same reach."""


def compare(today: Fleet, then: Fleet, vms: Sequence[VmId] | None = None) -> Compared:
    """The reach of the VMs of a fleet, or of some of them, today and as it would be."""
    before, after = reach(today), reach(then)
    lists: dict[str, list[Reached]] = {
        "freed": [],
        "gains": [],
        "loses": [],
        "stranded": [],
        "gone": [],
        "same": [],
    }
    for vm_id in today.vms if vms is None else vms:
        one = Reached(vm_id, before[vm_id], after.get(vm_id))
        lists[_which(one)].append(one)
    same = lists.pop("same")
    return Compared(**{name: tuple(found) for name, found in lists.items()}, same=len(same))


def _which(one: Reached) -> str:
    if one.then is None:
        return "gone"
    if one.then == one.today:
        return "same"
    if one.then > one.today:
        return "gains" if one.today else "freed"
    return "loses" if one.then else "stranded"
