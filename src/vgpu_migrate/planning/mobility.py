"""Hosts among which VMs move live, versions apart, and which of them have a version in common.

Two hosts are of one *mobility group* if, versions apart, a vgpu on some gpu of one may move live to some gpu
of the other, or if a chain of hosts joins them: a range in force is the host's, not the gpu's.

Where the preset ranges of a group have no common version, it falls into the fewest parts that each have one:
no partition has fewer parts than there are presets no two of which overlap, and taking, again and again, the
preset that ends first with all that hold its end makes just as many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.compat import GpuTraits, VgpuTraits, check, gpu_traits
from vgpu_migrate.model import Gpu, Host, HostId, Profile, VersionRange


def mobility_groups(hosts: Sequence[Host], profile: Profile) -> list[list[Host]]:
    """Hosts of one domain by mobility group, groups and hosts in the order given."""
    kinds: dict[GpuTraits, int] = {}
    kinds_of = [
        {kinds.setdefault(_without_versions(host, gpu), len(kinds)) for gpu in host.gpus if gpu.is_vgpu_host}
        for host in hosts
    ]
    apart = _Union(len(kinds) + len(hosts))
    every = list(kinds)
    linked = {number for number, kind in enumerate(every) if _may_move(kind, kind, profile)}
    for first, source in enumerate(every):
        for second in range(first + 1, len(every)):
            target = every[second]
            if _may_move(source, target, profile) or _may_move(target, source, profile):
                apart.join(first, second)
                linked |= {first, second}
    for number, own in enumerate(kinds_of):
        for kind in own & linked:
            apart.join(len(kinds) + number, kind)
    groups: dict[int, list[Host]] = {}
    for number, host in enumerate(hosts):
        groups.setdefault(apart.root(len(kinds) + number), []).append(host)
    return list(groups.values())


class _Union:
    """Numbers in sets that grow together."""

    def __init__(self, size: int) -> None:
        self._above = list(range(size))

    def root(self, number: int) -> int:
        """The number that stands for a set."""
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number

    def join(self, first: int, second: int) -> None:
        """Make two sets one."""
        self._above[self.root(first)] = self.root(second)


def _without_versions(host: Host, gpu: Gpu) -> GpuTraits:
    traits = gpu_traits(host, gpu)
    return msgspec.structs.replace(traits, range_min=None, range_max=None, preset_min=None, preset_max=None)


def _may_move(source: GpuTraits, target: GpuTraits, profile: Profile) -> bool:
    """Whether some vgpu on one gpu may move live to the other, as far as versions do not forbid it.

    Versions that are not known make their rules silent.
    """
    if source.board != target.board:
        return False
    offered = source.types or target.types
    probes = [
        kind
        for kind in facts.types_of_board(source.board)
        if kind.is_mig_backed == source.mig_enabled and (offered is None or kind.short in offered)
    ]
    for kind in probes if offered else probes[:1]:
        vgpu = VgpuTraits(
            board=source.board,
            type=kind.short,
            mig_backed=kind.is_mig_backed,
            guest_info=True,
            version=None,
            guest_min=None,
            guest_max=None,
            host_driver=source.host_driver,
            ecc=source.ecc,
            sriov=source.sriov,
            topology=source.topology,
            mig=source.mig,
            migration=source.migration,
        )
        if check(vgpu, target, profile).is_live:
            return True
    return False


def parts_of(group: Sequence[Host]) -> list[list[Host]]:
    """A mobility group in the fewest parts whose schedulable hosts have a version in common.

    A host that would suit several parts goes to the first where it narrows nothing, else to that with the
    newest versions. Hosts that narrow nothing anywhere go with the first part.
    """
    narrowing = [host for host in group if host.schedulable and host.preset_range is not None]
    ends: list[int] = []
    for host in sorted(narrowing, key=lambda host: (preset_of(host).maximum, preset_of(host).minimum)):
        if not ends or ends[-1] < preset_of(host).minimum:
            ends.append(preset_of(host).maximum)
    if len(ends) <= 1:
        return [list(group)]
    suits = {host.id: [n for n, end in enumerate(ends) if end in preset_of(host)] for host in narrowing}
    parts = [[host for host in narrowing if suits[host.id] == [n]] for n in range(len(ends))]
    for host in narrowing:
        if len(suits[host.id]) > 1:
            cores = {n: common_range(parts[n]) for n in suits[host.id]}
            easy = [n for n, core in cores.items() if core is not None and preset_of(host).covers(core)]
            parts[easy[0] if easy else suits[host.id][-1]].append(host)
    return _with_others(group, parts)


def splits_of(group: Sequence[Host]) -> list[list[list[Host]]]:
    """The ways to make two parts of a mobility group at an end of a preset range, each way once.

    The schedulable hosts whose preset ranges end, or begin, up to there are the first part. Both parts have a
    version in common. Hosts that narrow nothing go where they have a version of it, else to the first.
    """
    narrowing = [host for host in group if host.schedulable and host.preset_range is not None]
    found: dict[frozenset[HostId], list[list[Host]]] = {}
    for ends in (
        [preset_of(host).maximum for host in narrowing],
        [preset_of(host).minimum for host in narrowing],
    ):
        for most in sorted({*ends})[:-1]:
            low = [host for host, end in zip(narrowing, ends, strict=True) if end <= most]
            high = [host for host, end in zip(narrowing, ends, strict=True) if end > most]
            if common_range(low) is not None and common_range(high) is not None:
                found.setdefault(frozenset(host.id for host in low), _with_others(group, [low, high]))
    return list(found.values())


def _with_others(group: Sequence[Host], parts: Sequence[list[Host]]) -> list[list[Host]]:
    """The parts of a group with its hosts that are in none, each in the group's order."""
    there = {host.id for part in parts for host in part}
    ranges = [common_range(part) for part in parts]
    whole = [list(part) for part in parts]
    for host in group:
        if host.id not in there:
            preset = host.preset_range
            fits = [n for n, known in enumerate(ranges) if preset is not None and _overlap(known, preset)]
            whole[fits[0] if fits else 0].append(host)
    order = {host.id: number for number, host in enumerate(group)}
    return [sorted(part, key=lambda host: order[host.id]) for part in whole]


def preset_of(host: Host) -> VersionRange:
    """The preset range of a host that has one."""
    assert host.preset_range is not None
    return host.preset_range


def _overlap(first: VersionRange | None, second: VersionRange) -> bool:
    return first is not None and first.intersection(second) is not None


def common_range(hosts: Iterable[Host]) -> VersionRange | None:
    """The versions in the preset ranges of all hosts that have one; None where none is known or common."""
    presets = [host.preset_range for host in hosts if host.preset_range is not None]
    if not presets:
        return None
    low, high = max(one.minimum for one in presets), min(one.maximum for one in presets)
    return VersionRange(low, high) if low <= high else None
