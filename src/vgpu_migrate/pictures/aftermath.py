"""The fleet as a plan leaves it: who is where, and what each host runs.

A plan that breaks promises is shown as it is told: what a step says is taken to have happened, whether it
could or not. Steps whose names the fleet lacks are left out by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, Host, Vm, VmState
from vgpu_migrate.model.negotiation import fresh_version
from vgpu_migrate.model.planfile import How, MigrateStep, PinStep, Step, UpgradeStep


def fleet_after(fleet: Fleet, steps: Iterable[Step]) -> Fleet:
    """The fleet when all steps have ended, in the order of their times.

    Raises:
        KeyError: a step names what the fleet lacks: a mistake of the caller's.
    """
    hosts, vms = dict(fleet.hosts), dict(fleet.vms)
    for step in sorted(steps, key=lambda step: (step.end_s, step.id)):
        if isinstance(step, MigrateStep):
            vms[step.vm] = _moved(vms[step.vm], hosts[step.target], step)
        elif isinstance(step, UpgradeStep):
            hosts[step.host] = _upgraded(hosts[step.host], step)
        else:
            hosts[step.host] = _pinned(hosts[step.host], step)
    return replace(fleet, hosts=hosts, vms=vms)


def _moved(vm: Vm, target: Host, step: MigrateStep) -> Vm:
    version = fresh_version(vm.guest_driver, target.range_in_force)
    vgpus = tuple(
        msgspec.structs.replace(
            vgpu,
            gpu=seat.gpu,
            placement=seat.placement,
            vgpu_version=version if step.how is How.COLD else vgpu.vgpu_version,
        )
        # A broken plan may name more or fewer gpus than the VM has vgpus.
        for vgpu, seat in zip(vm.vgpus, step.gpus, strict=False)
    )
    state = vm.state if step.how.holds_source else VmState.RUNNING
    rest = vm.vgpus[len(vgpus) :]
    return msgspec.structs.replace(vm, host=step.target, state=state, vgpus=(*vgpus, *rest))


def _upgraded(host: Host, step: UpgradeStep) -> Host:
    """A range that was set by hand is forgotten; what the fleet file says of the driver it has stays."""
    is_same = step.driver == host.driver
    preset = host.preset_range if is_same else facts.host_driver(step.driver).preset_range
    return msgspec.structs.replace(host, driver=step.driver, preset_range=preset, range_in_force=preset)


def _pinned(host: Host, step: PinStep) -> Host:
    return msgspec.structs.replace(host, range_in_force=step.version_range or host.preset_range)
