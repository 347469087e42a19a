"""What would let stuck VMs move, found out by planning again with each remedy, as long as the effort lasts.

A remedy that changes nothing is not given. One that could not be tried any more is given as not verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from msgspec.structs import replace

from vgpu_migrate.model import Fleet, GpuId, Host, HostId, Vm, VmId, VmState
from vgpu_migrate.model.negotiation import fresh_version
from vgpu_migrate.model.planfile import Stuck, StuckReason
from vgpu_migrate.planning.moves import WAYS, possible_ways
from vgpu_migrate.planning.takers import Takers

UNVERIFIED = "not verified: the effort for that is used up"
MOST_HOSTS_TRIED = 3
"""How many hosts that may not receive are tried, one by one."""
MOST_MODELS_TRIED = 3
"""How many sorts of hosts are tried as the one host more."""

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
    """`text`: what to do, without the VM; `is_of_vm`: that is for one VM, whose name ends the sentence."""

    text: str
    fleet: Fleet
    targets: Sequence[HostId]
    defrag: bool
    is_of_vm: bool = False


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
        self._known: dict[tuple[str, VmId | None], frozenset[VmId | None] | None] = {}

    def remedies(self, example: Vm, vm: Vm, item: Stuck) -> Iterator[str]:
        """The remedies for a VM, those that help and those not tried; tried with one of its kind."""
        for remedy in self._single(example, item.reason):
            said = self._said(remedy, example, vm)
            if said is not None:
                yield said
        for remedy in self._one_host_more(example):
            said = self._said(remedy, example, vm)
            if said is not None:
                yield said
                return

    def _said(self, remedy: _Remedy, example: Vm, vm: Vm) -> str | None:
        """A remedy in words for a VM, with what came of it for the example; None where it does not help."""
        after = self._after(remedy, example)
        text = f"{remedy.text} {vm.id}" if remedy.is_of_vm else remedy.text
        if after is None:
            return f"{text} ({UNVERIFIED})"
        if example.id in after or len(after) >= len(self._before):
            return None
        fewer = len(self._before) - len(after)
        return f"{text} (verified: {fewer:,} of {len(self._before):,} stuck would move)"

    def _after(self, remedy: _Remedy, example: Vm) -> frozenset[VmId | None] | None:
        key = (remedy.text, example.id if remedy.is_of_vm else None)
        if key not in self._known:
            cost = len(remedy.fleet.vms)
            if cost > self._effort:
                self._known[key] = None
            else:
                self._effort -= cost
                left = self._replan(remedy.fleet, remedy.targets, remedy.defrag)
                self._known[key] = frozenset(item.vm for item in left)
        return self._known[key]

    # What could help, cheapest first.

    def _single(self, vm: Vm, reason: StuckReason) -> Iterator[_Remedy]:
        """What could help a VM without another host."""
        fleet, targets, defrag = self._now.fleet, self._now.targets, self._now.has_defrag
        if not defrag and reason is not StuckReason.NO_COMPATIBLE_HOST:
            yield _Remedy("let VMs of other hosts make room", fleet, targets, True)
        for way in WAYS:
            if way.state & possible_ways(vm.state) and not way.state & vm.allow:
                willing = replace(vm, allow=vm.allow | way.state)
                yield _Remedy(f"allow {way} for", _with(fleet, willing), targets, defrag, is_of_vm=True)
        rebooted = _rebooted(fleet, vm)
        if rebooted is not None:
            yield _Remedy("guest reboot of", _with(fleet, rebooted), targets, defrag, is_of_vm=True)
        could = [host.id for host in self._not_asked.of(vm)]
        for host_id in could[:MOST_HOSTS_TRIED]:
            yield _Remedy(f"let {host_id} receive", fleet, [*targets, host_id], defrag)

    def _one_host_more(self, vm: Vm) -> Iterator[_Remedy]:
        """Empty hosts like those that the rules leave to a VM: one that helps is enough."""
        now, fleet = self._now, self._now.fleet
        boards = " and ".join(sorted({vgpu.type.board for vgpu in vm.vgpus}))
        for like in self._models.models(vm)[:MOST_MODELS_TRIED]:
            one_more = empty_copy(like, fleet)
            text = f"one empty {boards} host more in domain {now.domain}, like {like.id}"
            hosts = {**fleet.hosts, one_more.id: one_more}
            larger = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, hosts, fleet.vms)
            yield _Remedy(text, larger, [*now.targets, one_more.id], now.has_defrag)

    @cached_property
    def _not_asked(self) -> Takers:
        """Hosts that could receive, but may not in this plan."""
        taken = {*self._now.targets, *self._now.drained}
        return Takers(self._now.fleet, [h for h in self._of_domain if h.id not in taken and h.schedulable])

    @cached_property
    def _models(self) -> Takers:
        """Hosts that one more could be like: those that may receive, those that are drained, others."""
        first = [self._now.fleet.hosts[name] for name in (*self._now.targets, *self._now.drained)]
        named = {host.id for host in first}
        return Takers(self._now.fleet, first + [h for h in self._of_domain if h.id not in named])

    @cached_property
    def _of_domain(self) -> list[Host]:
        return [host for host in self._now.fleet.hosts.values() if host.domain == self._now.domain]


def _with(fleet: Fleet, vm: Vm) -> Fleet:
    vms = {**fleet.vms, vm.id: vm}
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, vms)


def _rebooted(fleet: Fleet, vm: Vm) -> Vm | None:
    """A VM after a reboot of its guest, None where that changes nothing that is known."""
    if vm.guest_driver is None or vm.host is None or vm.state not in (VmState.RUNNING, VmState.PAUSED):
        return None
    version = fresh_version(vm.guest_driver, fleet.hosts[vm.host].range_in_force)
    if version is None or all(vgpu.vgpu_version == version for vgpu in vm.vgpus):
        return None
    return with_version(vm, version)


def with_version(vm: Vm, version: int) -> Vm:
    """A VM whose guest has negotiated another vGPU version."""
    return replace(vm, vgpus=tuple(replace(vgpu, vgpu_version=version) for vgpu in vm.vgpus))


def empty_copy(host: Host, fleet: Fleet) -> Host:
    """A host like another, under a name that the fleet does not have."""
    name = f"{host.id}+"
    while name in fleet.hosts:
        name += "+"
    gpus = tuple(
        replace(gpu, id=GpuId(f"{name}/{gpu.index}"), host=HostId(name), pci=None) for gpu in host.gpus
    )
    return replace(host, id=HostId(name), gpus=gpus, schedulable=True)
