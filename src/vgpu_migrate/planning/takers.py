"""Which hosts of one migration domain could take a VM, room apart: by the rules, its state and its owner."""

from __future__ import annotations

from collections.abc import Sequence

from vgpu_migrate.compat import GpuTraits, VgpuTraits, check, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet, Host, Profile, Vm
from vgpu_migrate.planning.moves import permitted_ways

Setup = frozenset[GpuTraits]
"""What the rules look at of the gpus that stand together on a host."""


class Takers:
    """Hosts by what the rules see of their gpus; each answer is worked out once for each such set."""

    def __init__(self, fleet: Fleet, hosts: Sequence[Host]) -> None:
        self._fleet = fleet
        self.hosts = tuple(hosts)
        self._setups = {host.id: self._setup(host) for host in hosts}
        self._verdicts: dict[tuple[VgpuTraits, GpuTraits, Profile], int] = {}

    def _setup(self, host: Host) -> Setup:
        if not host.has_manager:
            return frozenset()
        return frozenset([gpu_traits(host, gpu) for gpu in host.gpus if gpu.is_vgpu_host])

    def of(self, vm: Vm) -> list[Host]:
        """The hosts, its own perhaps among them, where each vgpu of a VM has a way that its owner allows."""
        known: dict[tuple[Setup, Profile], bool] = {}
        permitted = int(permitted_ways(vm))
        traits = [vgpu_traits(self._fleet, vm, vgpu) for vgpu in vm.vgpus]
        found = []
        for host in self.hosts:
            setup = self._setups[host.id]
            profile = self._fleet.settings_of(host.domain).profile
            key = (setup, profile)
            if key not in known:
                left = permitted
                for vgpu in traits:
                    reach = 0
                    for gpu in setup:
                        reach |= self._states(vgpu, gpu, profile)
                    left &= reach
                known[key] = bool(left)
            if known[key]:
                found.append(host)
        return found

    def models(self, vm: Vm) -> list[Host]:
        """One of those of each set of gpus that has the memory and vcpus for a VM when it is empty: the
        first, or, for several vgpus that need gpus together, the first with most gpus.
        """
        best: dict[Setup, Host] = {}
        for host in self.of(vm):
            if _is_less(host.memory_mib, vm.memory_mib) or _is_less(host.vcpus, vm.vcpus or 0):
                continue
            there = best.setdefault(self._setups[host.id], host)
            if len(vm.vgpus) > 1 and len(host.gpus) > len(there.gpus):
                best[self._setups[host.id]] = host
        return list(best.values())

    def _states(self, vgpu: VgpuTraits, gpu: GpuTraits, profile: Profile) -> int:
        key = (vgpu, gpu, profile)
        if key not in self._verdicts:
            self._verdicts[key] = int(check(vgpu, gpu, profile).states)
        return self._verdicts[key]


def _is_less(capacity: int | None, wanted: int) -> bool:
    return capacity is not None and capacity < wanted
