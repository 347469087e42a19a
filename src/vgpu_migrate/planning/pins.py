"""The widest range of vGPU versions that keeps hosts freely migratable, and whom it strands.

*Free*: hosts are freely migratable under some ranges in force if, whichever of them a guest driver loads on,
every other one accepts the version that it gets there, whatever guest driver it is.

*Widest*: let P(h) be the preset range of host h, R(h) inside P(h) the range in force. A guest driver that
knows the one version v, and v lies in R(h), gets v on h; so v must lie in R(k) of every other host k. Hence
all R(h) are one range R, which lies in every P(h), and so in their intersection C. Conversely, where all
hosts have a range R inside C, any version negotiated on one lies in R, and so in that of all. So the free
ranges are exactly the ranges inside C, and C contains all others; where C is empty there is none.

That holds of hosts among which VMs move at all, and that have a version in common: see `mobility`.

Hosts that are not schedulable narrow nothing, since nothing moves there: they get what is left of the range
for them, so that who boots on them can leave. Of hosts without a known preset range nothing is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from vgpu_migrate.compat import classify, rules
from vgpu_migrate.model import Fleet, GpuId, Host, HostId, VersionRange, Vm, VmId
from vgpu_migrate.model.negotiation import fresh_version
from vgpu_migrate.planning.mobility import common_range, mobility_groups, parts_of, preset_of, splits_of


class Why(StrEnum):
    """Why a range strands a VM."""

    WOULD_NOT_LOAD = "would-not-load"
    """Its guest driver has no version in the range: once rebooted, it has no vgpu."""
    HOLDS_NEWER = "holds-newer"
    """It holds a version above the range, until its guest is rebooted under it."""
    HOLDS_OLDER = "holds-older"
    """It holds a version below the range, until its guest is rebooted under it."""


_WHY = {
    "guest-driver-older": Why.WOULD_NOT_LOAD,
    "guest-driver-newer": Why.WOULD_NOT_LOAD,
    "guest-newer": Why.HOLDS_NEWER,
    "guest-older": Why.HOLDS_OLDER,
}
"""What a row of the rules says of a VM under a pinned range."""


@dataclass(frozen=True, slots=True)
class Stranded:
    """A VM that a range strands. `after`: the version that a reboot under the range would give it."""

    vm: VmId
    host: HostId | None
    why: Why
    held: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class HostPin:
    """What a host's range in force is and shall be. `is_preset`: it shall be the driver's own."""

    host: HostId
    now: VersionRange | None
    wanted: VersionRange
    is_preset: bool

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be done."""
        return self.now != self.wanted


@dataclass(frozen=True, slots=True)
class PinGroup:
    """Hosts among which VMs move live, versions apart, and that one range serves."""

    domain: str
    hosts: tuple[HostId, ...]
    """In the fleet's order; those left out, of which nothing is asked, among them."""
    boards: tuple[str, ...]
    range: VersionRange | None
    """The widest free one; None where no preset range is known."""
    lowest_by: tuple[HostId, ...]
    """The hosts whose presets begin where the range does: without them it could begin lower."""
    highest_by: tuple[HostId, ...]
    """The hosts whose presets end where the range does."""
    is_free_now: bool
    """Whether the ranges in force are free as they are."""
    pins: tuple[HostPin, ...]
    left_out: tuple[HostId, ...]
    """Hosts without a known preset range, or none of whose versions are in the range."""
    stranded: tuple[Stranded, ...]
    lowered: int
    """VMs whose guest driver loads under the range, and gets an older version than where it is now."""
    part: int
    """Which part of a mobility group it is, from 1; of one that one range serves, 1."""
    parts: int
    split: tuple[PinGroup, ...] = ()
    """Two groups in its place, each with a wider range, of those that strand fewest VMs between them; empty
    where none strands fewer. VMs do not move live between the two wherever they boot.
    """


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The groups of a fleet, and the VMs on no host that load in none of the groups with their boards."""

    groups: tuple[PinGroup, ...]
    homeless: tuple[Stranded, ...]

    @property
    def wanted(self) -> Mapping[HostId, VersionRange]:
        """The range of each host that gets one."""
        return {pin.host: pin.wanted for group in self.groups for pin in group.pins}


def recommend(fleet: Fleet, domain: str | None = None) -> Recommendation:
    """The widest range for each mobility group of a fleet, or of one domain."""
    domains = dict.fromkeys(host.domain for host in fleet.hosts.values())
    found: list[_Part] = []
    for name in domains:
        if domain is None or name == domain:
            hosts = [host for host in fleet.hosts.values() if host.domain == name and _counts(host)]
            for group in mobility_groups(hosts, fleet.settings_of(name).profile):
                parts = parts_of(group)
                found += [_Part(hosts, number, len(parts)) for number, hosts in enumerate(parts, 1)]
    groups = [_group_of(part) for part in found]
    told = _with_stranded(fleet, groups)
    return replace(told, groups=tuple([_with_split(fleet, group) for group in told.groups]))


def pinned(fleet: Fleet, wanted: Mapping[HostId, VersionRange]) -> Fleet:
    """The fleet with these ranges in force."""
    hosts = {
        host.id: msgspec.structs.replace(host, range_in_force=wanted[host.id]) if host.id in wanted else host
        for host in fleet.hosts.values()
    }
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, hosts, fleet.vms)


def _counts(host: Host) -> bool:
    return host.has_manager and any(gpu.is_vgpu_host for gpu in host.gpus)


# Which range serves them.


@dataclass(frozen=True, slots=True)
class _Part:
    hosts: Sequence[Host]
    part: int
    parts: int


def _group_of(part: _Part) -> PinGroup:
    hosts = part.hosts
    known = [host for host in hosts if host.preset_range is not None]
    narrowing = [host for host in known if host.schedulable] or known
    common = common_range(narrowing)
    pins: list[HostPin] = []
    left_out: list[HostId] = []
    for host in hosts:
        wanted = None
        if common is not None and host.preset_range is not None:
            wanted = common.intersection(host.preset_range)
        if wanted is None:
            left_out.append(host.id)
        else:
            pins.append(HostPin(host.id, host.range_in_force, wanted, wanted == host.preset_range))
    there = [host for host in known if host.schedulable]
    return PinGroup(
        domain=hosts[0].domain,
        hosts=tuple([host.id for host in hosts]),
        boards=tuple(dict.fromkeys(gpu.board.key for host in hosts for gpu in host.gpus if gpu.is_vgpu_host)),
        range=common,
        lowest_by=_hosts_at(narrowing, common, lowest=True),
        highest_by=_hosts_at(narrowing, common, lowest=False),
        is_free_now=len(hosts) == 1 or len({host.range_in_force for host in there}) <= 1,
        pins=tuple(pins),
        left_out=tuple(left_out),
        stranded=(),
        lowered=0,
        part=part.part,
        parts=part.parts,
    )


def _hosts_at(hosts: Sequence[Host], common: VersionRange | None, *, lowest: bool) -> tuple[HostId, ...]:
    """The hosts that set an end of the range; none where all hosts do."""
    if common is None:
        return ()
    there = [
        host.id
        for host in hosts
        if (
            preset_of(host).minimum == common.minimum if lowest else preset_of(host).maximum == common.maximum
        )
    ]
    return tuple(there) if len(there) < len(hosts) else ()


# Two ranges in the place of one.


def _with_split(fleet: Fleet, group: PinGroup) -> PinGroup:
    """A group with the best split where it strands somebody.

    Every split of the schedulable hosts at an end of their preset ranges is tried: those that end, or begin,
    up to there, and the others. Fewest stranded comes first, then fewest whose version is lowered.
    """
    if not group.stranded:
        return group
    hosts = [fleet.hosts[host_id] for host_id in group.hosts]
    own = {host.id: host for host in hosts}
    vms = {vm.id: vm for vm in fleet.vms.values() if vm.host in own}
    here = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, own, vms)
    best: tuple[PinGroup, ...] = ()
    least = len(group.stranded), -1
    for parts in splits_of(hosts):
        pair = [_group_of(_Part(part, number, len(parts))) for number, part in enumerate(parts, 1)]
        found = _with_stranded(here, pair).groups
        cost = sum(len(one.stranded) for one in found), sum(one.lowered for one in found)
        if cost < least:
            best, least = found, cost
    return replace(group, split=best)


# Whom it strands.


def _with_stranded(fleet: Fleet, groups: Sequence[PinGroup]) -> Recommendation:
    wanted = {pin.host: pin.wanted for group in groups for pin in group.pins}
    judge = _Judge(pinned(fleet, wanted))
    group_of = {host_id: number for number, group in enumerate(groups) for host_id in group.hosts}
    found: list[list[Stranded]] = [[] for _ in groups]
    lowered = [0] * len(groups)
    homeless: list[Stranded] = []
    for vm in fleet.vms.values():
        if vm.host is None:
            boards = {vgpu.type.board for vgpu in vm.vgpus}
            there = [pin.host for group in groups if boards <= {*group.boards} for pin in group.pins]
            reasons = {judge.why(vm, host_id) for host_id in _one_of_each(there, wanted)}
            if reasons == {Why.WOULD_NOT_LOAD}:
                homeless.append(Stranded(vm.id, None, Why.WOULD_NOT_LOAD, None, None))
            continue
        if vm.host not in wanted:
            continue
        number, why = group_of[vm.host], judge.why(vm, vm.host)
        before = fresh_version(vm.guest_driver, fleet.hosts[vm.host].range_in_force)
        after = fresh_version(vm.guest_driver, wanted[vm.host])
        if why is not None:
            held = max((v.vgpu_version for v in vm.vgpus if v.vgpu_version is not None), default=None)
            found[number].append(Stranded(vm.id, vm.host, why, held, after))
        if before is not None and after is not None and after < before:
            lowered[number] += 1
    return Recommendation(
        tuple(
            [
                replace(group, stranded=tuple(stranded), lowered=count)
                for group, stranded, count in zip(groups, found, lowered, strict=True)
            ]
        ),
        tuple(homeless),
    )


def _one_of_each(hosts: Collection[HostId], wanted: Mapping[HostId, VersionRange]) -> list[HostId]:
    """One host for each range."""
    first: dict[VersionRange, HostId] = {}
    for host_id in hosts:
        first.setdefault(wanted[host_id], host_id)
    return list(first.values())


class _Judge:
    """Asks the rules, class by class, what a fleet's ranges make of its VMs."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._classes = classify(fleet)
        self._bits = [(1 << rule.bit, _WHY[rule.id]) for rule in rules() if rule.id in _WHY]

    def why(self, vm: Vm, host_id: HostId) -> Why | None:
        """Why a host's range strands a VM, the worst reason first; None where it does not."""
        boards = {vgpu.type.board for vgpu in vm.vgpus}
        own: list[GpuId] = [vgpu.gpu for vgpu in vm.vgpus if vgpu.gpu is not None]
        gpus = own or [gpu.id for gpu in self._fleet.hosts[host_id].gpus if gpu.board.key in boards]
        judged = [self._classes.gpu_class[gpu] for gpu in gpus if gpu in self._classes.gpu_class]
        if not judged:
            return None
        mask = int(self._classes.hits[self._classes.vm_class[vm.id], judged[0]])
        reasons = {why for bit, why in self._bits if mask & bit}
        return next((why for why in Why if why in reasons), None)
