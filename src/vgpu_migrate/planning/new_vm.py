"""Where a new VM should start so that it stays movable.

The rules are asked by the array call, about ghosts: VMs as the new one would be, off, and running on each
kind of gpu with the version that it would negotiate there. Room is asked of `model.placement`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vgpu_migrate.compat import classify, rules
from vgpu_migrate.compat.targets import lacks_memory
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.model import Fleet, Gpu, Host, HostId, Vgpu, VgpuType, Vm, VmId, VmState
from vgpu_migrate.model.negotiation import fresh_version
from vgpu_migrate.model.placement import Tenant, find_rooms
from vgpu_migrate.model.planfile import Seat
from vgpu_migrate.nvml import States

_Taken = dict[int, States]
"""By gpu class, the states in which a ghost may go there."""
NEW = VmId("\0new")
"""The new VM's id: a name that no fleet file has."""


@dataclass(frozen=True, slots=True)
class NewVm:
    """What is to start: `count` vgpus of one type."""

    type: VgpuType
    guest_driver: str
    count: int = 1
    memory_mib: int = 0
    vcpus: int | None = None
    anti_affinity: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Home:
    """A host as the home of a new VM.

    `live_hosts`: other schedulable hosts of the domain that would take it live from here, room apart;
    `live_hosts_with_room`: those that have room for it now. `seats` are empty where it does not fit.
    """

    host: HostId
    domain: str
    starts: bool
    fits: bool
    version: int | None
    live_hosts: int
    live_hosts_with_room: int
    seats: tuple[Seat, ...]
    why_not: tuple[str, ...]


def homes(fleet: Fleet, new: NewVm, *, domain: str | None = None) -> tuple[Home, ...]:
    """Every schedulable host with a vGPU Manager, best first.

    Best is where it can start now; then where most hosts with room could take it live; then most hosts at
    all; then the fleet's order.

    Args:
        fleet: as it is now.
        new: what is to start.
        domain: look at this migration domain alone.

    Raises:
        UnknownNameError: there is no such domain.
    """
    domains = dict.fromkeys(host.domain for host in fleet.hosts.values())
    if domain is not None and domain not in domains:
        raise UnknownNameError("migration domain", domain, domains)
    found: list[Home] = []
    for name in domains if domain is None else [domain]:
        hosts = [
            host
            for host in fleet.hosts.values()
            if host.domain == name and host.schedulable and _takes_vgpus(host)
        ]
        if hosts:
            found += _Domain(fleet, hosts, new).homes()
    order = {host_id: number for number, host_id in enumerate(fleet.hosts)}
    found.sort(
        key=lambda home: (
            not home.fits,
            not home.starts,
            -home.live_hosts_with_room,
            -home.live_hosts,
            order[home.host],
        )
    )
    return tuple(found)


def _takes_vgpus(host: Host) -> bool:
    return host.has_manager and any(gpu.is_vgpu_host for gpu in host.gpus)


class _Domain:
    """The homes in one domain."""

    def __init__(self, fleet: Fleet, hosts: Sequence[Host], new: NewVm) -> None:
        self._fleet = fleet
        self._hosts = hosts
        self._new = new
        self._version_on = {host.id: fresh_version(new.guest_driver, host.range_in_force) for host in hosts}
        ghosts = {NEW: _ghost(NEW, new, None, None)}
        self._examples: dict[tuple[object, ...], VmId] = {}
        for host in hosts:
            for gpu in host.gpus:
                if gpu.is_vgpu_host and gpu.board.key == new.type.board:
                    key = self._key(host, gpu)
                    if key not in self._examples:
                        name = self._examples[key] = VmId(f"{NEW}{len(self._examples)}")
                        ghosts[name] = _ghost(name, new, gpu, self._version_on[host.id])
        there = {host.id: host for host in hosts}
        self._judged = Fleet(None, fleet.settings, fleet.domain_settings, there, ghosts)
        self._judge = classify(self._judged)
        self._kinds: dict[frozenset[int], list[Host]] = {}
        for host in hosts:
            self._kinds.setdefault(frozenset(self._classes_on(host)), []).append(host)
        self._room: dict[tuple[HostId, frozenset[int]], tuple[Seat, ...] | None] = {}

    def _key(self, host: Host, gpu: Gpu) -> tuple[object, ...]:
        """What the rules may see of a VM that runs on a gpu."""
        version = self._version_on[host.id]
        return (host.driver, gpu.ecc, gpu.sriov, gpu.topology, gpu.mig, gpu.migration, version)

    def homes(self) -> list[Home]:
        """Each host as a home."""
        starting = self._states(NEW)
        return [self._home(host, starting) for host in self._hosts]

    def _states(self, vm_id: VmId) -> _Taken:
        row = self._judge.states[self._judge.vm_class[vm_id]].tolist()
        return {gpu_class: States(bits) for gpu_class, bits in enumerate(row)}

    def _classes_on(self, host: Host) -> list[int]:
        return [self._judge.gpu_class[gpu.id] for gpu in host.gpus if gpu.is_vgpu_host]

    def _home(self, host: Host, starting: _Taken) -> Home:
        startable = {c for c in self._classes_on(host) if starting[c] & States.COLD}
        version = self._version_on[host.id]
        best: tuple[int, int, tuple[Seat, ...]] | None = None
        for classes in self._choices(host, startable):
            seats = self._seats(host, classes)
            live = self._live_from(host, classes)
            roomy = sum(self._seats(other, taken) is not None for other, taken in live)
            option = (roomy, len(live), seats or ())
            if best is None or (bool(option[2]), *option[:2]) > (bool(best[2]), *best[:2]):
                best = option
        roomy, count, seats = best or (0, 0, ())
        why_not = tuple(self._why_not(host, startable, seats))
        return Home(
            host=host.id,
            domain=host.domain,
            starts=bool(startable),
            fits=bool(seats),
            version=version if startable else None,
            live_hosts=count,
            live_hosts_with_room=roomy,
            seats=seats,
            why_not=why_not,
        )

    def _choices(self, host: Host, startable: set[int]) -> list[frozenset[int]]:
        """Which gpus of a host to use: those of one setup, else all together."""
        by_setup: dict[tuple[object, ...], set[int]] = {}
        for gpu in host.gpus:
            if gpu.is_vgpu_host and self._judge.gpu_class[gpu.id] in startable:
                by_setup.setdefault(self._key(host, gpu), set()).add(self._judge.gpu_class[gpu.id])
        choices = [frozenset(classes) for classes in by_setup.values()]
        if self._new.count > 1 and len(choices) > 1:
            choices.append(frozenset(startable))
        return choices

    def _live_from(self, host: Host, classes: frozenset[int]) -> list[tuple[Host, frozenset[int]]]:
        """The other hosts that take it live from gpus of these classes, each with the classes that do."""
        ghosts = {
            self._examples[self._key(host, gpu)]
            for gpu in host.gpus
            if gpu.is_vgpu_host and self._judge.gpu_class[gpu.id] in classes
        }
        takes = [self._states(ghost) for ghost in ghosts]
        found = []
        for kind, hosts in self._kinds.items():
            taken = frozenset([c for c in kind if all(states[c] & States.LIVE for states in takes)])
            if taken:
                found += [(other, taken) for other in hosts if other.id != host.id]
        return found

    def _seats(self, host: Host, classes: frozenset[int]) -> tuple[Seat, ...] | None:
        """Room for it on the gpus of some classes of a host; None where there is none."""
        key = (host.id, classes)
        if key not in self._room:
            self._room[key] = None if self._lacks(host) else self._find(host, classes)
        return self._room[key]

    def _find(self, host: Host, classes: frozenset[int]) -> tuple[Seat, ...] | None:
        gpus = [gpu for gpu in host.gpus if gpu.is_vgpu_host and self._judge.gpu_class[gpu.id] in classes]
        tenants = [
            [Tenant(vgpu.type, vgpu.placement) for vgpu in self._fleet.tenants[gpu.id]] for gpu in gpus
        ]
        found = find_rooms(gpus, tenants, [self._new.type] * self._new.count)
        if found is None:
            return None
        return tuple([Seat(gpus[index].id, place.placement) for index, place in found])

    def _lacks(self, host: Host) -> str | None:
        """What the host itself lacks, in a clause; None for nothing."""
        new = self._new
        lacking = lacks_memory(self._fleet, self._judged.vms[NEW], host)
        if lacking is not None:
            return lacking.replace(NEW, "it")
        groups = set(new.anti_affinity)
        for vm in self._fleet.residents[host.id] if groups else ():
            if groups & set(vm.anti_affinity):
                return f"{vm.id} of its anti-affinity group is there"
        return None

    def _why_not(self, host: Host, startable: set[int], seats: Sequence[Seat]) -> Iterable[str]:
        if not startable:
            masks = self._judge.hits[self._judge.vm_class[NEW]]
            ids = {rule.bit: rule.id for rule in rules() if not rule.leaves & States.COLD}
            hit = {bit for c in self._classes_on(host) for bit in ids if int(masks[c]) >> bit & 1}
            yield from (ids[bit] for bit in sorted(hit))
        elif not seats:
            yield self._lacks(host) or "no room on its gpus"


def _ghost(name: VmId, new: NewVm, gpu: Gpu | None, version: int | None) -> Vm:
    """The new VM, off, or running on one gpu."""
    vgpu = Vgpu(new.type, None if gpu is None else gpu.id, None, version, migration=True, record=None)
    return Vm(
        id=name,
        host=None if gpu is None else gpu.host,
        given_uuid=None,
        domid=None,
        state=VmState.OFF if gpu is None else VmState.RUNNING,
        memory_mib=new.memory_mib,
        vcpus=new.vcpus,
        guest_driver=new.guest_driver,
        allow=States.LIVE,
        anti_affinity=new.anti_affinity,
        vgpus=(vgpu,) * new.count,
    )
