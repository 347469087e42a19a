"""The VMs of a pool as movers, and what a move makes of them.

The rules compare with the gpu that a vgpu is on, so a VM that has moved to a gpu that is set up otherwise
may be judged otherwise when it moves again; so is one that was started anew. Such VMs get new ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import and_, or_

import msgspec

from vgpu_migrate.compat import vgpu_traits
from vgpu_migrate.model import Gpu, GpuId, Profile, Vm, VmState
from vgpu_migrate.model.negotiation import fresh_version
from vgpu_migrate.model.planfile import How
from vgpu_migrate.planning.cast import NEVER, Mover, Ways, cast_of
from vgpu_migrate.planning.moves import permitted_ways
from vgpu_migrate.planning.rolling.guises import Guise, Guises


class Passengers:
    """Movers by number, as they are before the plan, and how they change; one for each pool."""

    def __init__(self, guises: Guises, vms: Sequence[Vm], gpus: Sequence[Gpu], domain: str) -> None:
        self._guises = guises
        self.cast: list[Mover] = cast_of(guises.fleet, vms, guises.table) if vms else []
        self._likenesses = len({mover.likeness for mover in self.cast})
        self._known: dict[tuple[object, ...], tuple[Ways, int]] = {}
        by_driver = guises.fleet.settings_of(domain).profile is Profile.IDENTICAL_HOST_DRIVERS
        setups: dict[tuple[object, ...], int] = {}
        self._setups: list[tuple[int, ...]] = []
        """By gpu's number in the pool and guise: a number for what the rules compare a gpu there with."""
        for gpu in gpus:
            row = []
            for guise in Guise:
                host = guises.fleet.hosts[guises.fleet.gpus[guises.name(gpu.id, guise)].host]
                driver = host.driver if by_driver else ""
                key = (gpu.ecc, gpu.sriov, gpu.topology, gpu.mig, gpu.migration, driver)
                row.append(setups.setdefault(key, len(setups)))
            self._setups.append(tuple(row))
        self._gpus = gpus

    def after(
        self, mover: Mover, how: How, before: Sequence[tuple[int, Guise]], there: Sequence[tuple[int, Guise]]
    ) -> Mover:
        """A mover after a move, from gpus to gpus, each by its number and the guise it has then."""
        setups = tuple([self._setups[gpu][guise] for gpu, guise in there])
        if how.holds_source and setups == tuple([self._setups[gpu][guise] for gpu, guise in before]):
            return mover
        vm = self._arrived(mover.vm, how, [self._guises.name(self._gpus[g].id, at) for g, at in there])
        versions = tuple([vgpu.vgpu_version for vgpu in vm.vgpus])
        key = (mover.likeness, vm.state, vm.allow, vm.guest_driver, versions, setups)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (self._ways(vm), self._likenesses)
            self._likenesses += 1
        ways, likeness = known
        return replace(mover, vm=vm, likeness=likeness, **ways)

    def _arrived(self, vm: Vm, how: How, gpus: Sequence[GpuId]) -> Vm:
        fleet = self._guises.fleet
        host = fleet.hosts[fleet.gpus[gpus[0]].host]
        fresh = fresh_version(vm.guest_driver, host.range_in_force)
        vgpus = tuple(
            [
                msgspec.structs.replace(
                    vgpu, gpu=gpu, vgpu_version=fresh if how is How.COLD else vgpu.vgpu_version
                )
                for vgpu, gpu in zip(vm.vgpus, gpus, strict=True)
            ]
        )
        state = vm.state if how.holds_source else VmState.RUNNING
        return msgspec.structs.replace(vm, state=state, vgpus=vgpus)

    def _ways(self, vm: Vm) -> Ways:
        bits = int(permitted_ways(vm))
        ways = tuple([self._guises.row(vgpu_traits(self._guises.fleet, vm, vgpu), bits) for vgpu in vm.vgpus])
        levels = [4 - states.bit_length() if states else NEVER for states in ways[0]]
        return Ways(ways=ways, levels=levels, possible=reduce(and_, [reduce(or_, row, 0) for row in ways]))
