"""What would let stuck VMs move, found out by planning again with each remedy, as long as the effort lasts.

A remedy that changes nothing is not given. One that could not be tried any more is given as not verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, GpuId, Host, HostId, Vm, VmId, VmState
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.model.planfile import Stuck, StuckReason
from vgpu_migrate.planning.moves import WAYS, possible_ways

UNVERIFIED = "not verified: the effort for that is used up"
MOST_HOSTS_TRIED = 3
"""How many hosts that may not receive are tried, one by one."""

Replan = Callable[[Fleet, Sequence[HostId], bool], Sequence[Stuck]]
"""Who is stuck with this fleet, these hosts that may receive, and defragmentation or not."""


class Situation(NamedTuple):
    """What was planned: a domain, the hosts to empty, those that may receive, and whether others may move."""

    fleet: Fleet
    domain: str
    drained: Sequence[HostId]
    targets: Sequence[HostId]
    has_defrag: bool


class _Remedy(NamedTuple):
    text: str
    fleet: Fleet
    targets: Sequence[HostId]
    defrag: bool


def with_remedies(now: Situation, stuck: Sequence[Stuck], replan: Replan, effort: int) -> tuple[Stuck, ...]:
    """The same VMs stuck, with remedies put before those they have.

    `effort`: how many VMs may be planned anew, all tries together. The first VM of a kind stands for all.
    """
    trial = _Trial(now, stuck, replan, effort)
    known: dict[object, VmId] = {}
    found = []
    for item in stuck:
        assert item.vm is not None
        vm = now.fleet.vms[item.vm]
        example = known.setdefault(_kind(vm, item), vm.id)
        verified = tuple(trial.remedies(now.fleet.vms[example], vm, item))
        others = tuple(text for text in item.remedies if not _is_said(text, verified))
        found.append(replace(item, remedies=verified + others))
    return tuple(found)


def _is_said(general: str, verified: Sequence[str]) -> bool:
    """Whether a verified remedy says the same, or says which host it is that is to be added."""
    starts = [text.partition(" (")[0] for text in verified]
    adds_host = any(start.startswith("one empty ") for start in starts)
    return general.startswith(tuple(starts)) or (adds_host and general.startswith("add a host"))


def _kind(vm: Vm, item: Stuck) -> object:
    vgpus = tuple((vgpu.type.row, vgpu.vgpu_version, vgpu.migration) for vgpu in vm.vgpus)
    return item.reason, vgpus, vm.state, vm.allow, vm.guest_driver, vm.anti_affinity, vm.memory_mib, vm.host


class _Trial:
    """Tries remedies, each once."""

    def __init__(self, now: Situation, stuck: Sequence[Stuck], replan: Replan, effort: int) -> None:
        self._now = now
        self._before = {item.vm for item in stuck}
        self._replan = replan
        self._effort = effort
        self._known: dict[str, frozenset[VmId | None] | None] = {}

    def remedies(self, example: Vm, vm: Vm, item: Stuck) -> Iterator[str]:
        """The remedies for a VM, those that help and those not tried; tried with one of its kind."""
        for remedy in _remedies(self._now, example, item.reason):
            after = self._after(remedy)
            text = remedy.text.replace(example.id, vm.id) if example.id != vm.id else remedy.text
            if after is None:
                yield f"{text} ({UNVERIFIED})"
            elif example.id not in after and len(after) < len(self._before):
                fewer = len(self._before) - len(after)
                yield f"{text} (verified: {fewer:,} of {len(self._before):,} stuck would move)"

    def _after(self, remedy: _Remedy) -> frozenset[VmId | None] | None:
        if remedy.text not in self._known:
            cost = len(remedy.fleet.vms)
            if cost > self._effort:
                self._known[remedy.text] = None
            else:
                self._effort -= cost
                left = self._replan(remedy.fleet, remedy.targets, remedy.defrag)
                self._known[remedy.text] = frozenset(item.vm for item in left)
        return self._known[remedy.text]


def _remedies(now: Situation, vm: Vm, reason: StuckReason) -> Iterator[_Remedy]:
    """What could help a VM, cheapest first."""
    fleet, targets, defrag = now.fleet, now.targets, now.has_defrag
    if not defrag and reason is not StuckReason.NO_COMPATIBLE_HOST:
        yield _Remedy("let VMs of other hosts make room", fleet, targets, True)
    for way in WAYS:
        if way.state & possible_ways(vm.state) and not way.state & vm.allow:
            willing = replace(vm, allow=vm.allow | way.state)
            yield _Remedy(f"allow {way} for {vm.id}", _with(fleet, willing), targets, defrag)
    rebooted = _rebooted(fleet, vm)
    if rebooted is not None:
        yield _Remedy(f"guest reboot of {vm.id}", _with(fleet, rebooted), targets, defrag)
    for host in _could_receive(now)[:MOST_HOSTS_TRIED]:
        yield _Remedy(f"let {host} receive", fleet, [*targets, host], defrag)
    like = _host_with_board(now, vm)
    if like is not None:
        one_more = empty_copy(like, fleet)
        text = f"one empty {vm.vgpus[0].type.board} host more in domain {now.domain}, like {like.id}"
        hosts = {**fleet.hosts, one_more.id: one_more}
        larger = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, hosts, fleet.vms)
        yield _Remedy(text, larger, [*targets, one_more.id], defrag)


def _with(fleet: Fleet, vm: Vm) -> Fleet:
    vms = {**fleet.vms, vm.id: vm}
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, vms)


def _rebooted(fleet: Fleet, vm: Vm) -> Vm | None:
    """A VM after a reboot of its guest, None where that changes nothing that is known."""
    if vm.guest_driver is None or vm.host is None or vm.state not in (VmState.RUNNING, VmState.PAUSED):
        return None
    guest = facts.guest_driver(vm.guest_driver)
    host_range = fleet.hosts[vm.host].range_in_force
    version = negotiate(guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=host_range)
    if version is None or all(vgpu.vgpu_version == version for vgpu in vm.vgpus):
        return None
    return with_version(vm, version)


def with_version(vm: Vm, version: int) -> Vm:
    """A VM whose guest has negotiated another vGPU version."""
    return replace(vm, vgpus=tuple(replace(vgpu, vgpu_version=version) for vgpu in vm.vgpus))


def _could_receive(now: Situation) -> list[HostId]:
    """Hosts that could receive, but may not in this plan."""
    taken = {*now.targets, *now.drained}
    return [
        host.id
        for host in now.fleet.hosts.values()
        if host.domain == now.domain and host.id not in taken and host.schedulable and host.has_manager
    ]


def _host_with_board(now: Situation, vm: Vm) -> Host | None:
    """A host of the domain with gpus for a VM's vgpus: one that may receive, else one that is drained."""
    board = vm.vgpus[0].type.board
    is_mig = vm.vgpus[0].type.is_mig_backed
    for host_id in (*now.targets, *now.drained):
        host = now.fleet.hosts[host_id]
        if host.has_manager and any(
            gpu.board.key == board and gpu.is_vgpu_host and bool(gpu.mig) is is_mig for gpu in host.gpus
        ):
            return host
    return None


def empty_copy(host: Host, fleet: Fleet) -> Host:
    """A host like another, under a name that the fleet does not have."""
    name = f"{host.id}+"
    while name in fleet.hosts:
        name += "+"
    gpus = tuple(
        replace(gpu, id=GpuId(f"{name}/{gpu.index}"), host=HostId(name), pci=None) for gpu in host.gpus
    )
    return replace(host, id=HostId(name), gpus=gpus, schedulable=True)
