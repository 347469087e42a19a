"""Hosts and VMs to test with: boards and types are rows of the real tables, ranges are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from vgpu_migrate import facts
from vgpu_migrate.errors import RefusedError
from vgpu_migrate.manager import HostState, Refusal, VgpuManager, VmDefinition, define_vm
from vgpu_migrate.model import (
    Gpu,
    GpuId,
    Host,
    HostId,
    PlacementMode,
    Profile,
    VersionRange,
    VmId,
    VmState,
)
from vgpu_migrate.nvml import States

PRESET = VersionRange(0x70001, 0x140001)
OLDER_GUEST, GUEST = (0x70001, 0x120001), (0x70001, 0x140001)
VM = VmId("vm1")


def a_gpu(
    number: int = 0,
    *,
    host: str = "h01",
    board: str = "L40S",
    mode: PlacementMode = PlacementMode.EQUAL,
    ecc: bool = True,
    vgpu: bool = True,
    migration: bool = True,
    mig: tuple[int, ...] = (),
    types: tuple[str, ...] = (),
) -> Gpu:
    """A gpu of a host, as a fleet file would have it."""
    row = facts.board(board)
    return Gpu(
        id=GpuId(f"{host}/{number}"),
        host=HostId(host),
        index=number,
        board=row,
        pci=None,
        mode=mode,
        ecc=ecc,
        sriov=row.sriov_by_default,
        is_vgpu_host=vgpu,
        migration=migration,
        topology=0,
        mig=mig,
        types=tuple(facts.vgpu_type(name) for name in types),
    )


def a_host(
    host: str = "h01",
    *,
    gpus: Sequence[Gpu] | None = None,
    driver: str = "550.54.16",
    preset: VersionRange | None = PRESET,
    in_force: VersionRange | None = None,
    manager: bool = True,
    domain: str = "default",
    schedulable: bool = True,
    hypervisor: str = "kvm",
) -> Host:
    """A host with one L40S, unless it is given other gpus."""
    return Host(
        id=HostId(host),
        domain=domain,
        driver=driver,
        has_manager=manager,
        hypervisor=hypervisor,
        preset_range=preset,
        range_in_force=in_force or preset,
        range_said="given",
        schedulable=schedulable,
        memory_mib=None,
        vcpus=None,
        gpus=tuple(gpus) if gpus is not None else (a_gpu(host=host),),
    )


def a_manager(host: Host | None = None, *, profile: Profile = Profile.DEFAULT) -> VgpuManager:
    """A manager of a host without VMs."""
    return VgpuManager(HostState(host=host or a_host(), profile=profile))


def a_vm(vm: str = "vm1", *types: str) -> VmDefinition:
    """A VM with one L40S-12Q, unless it is given other types."""
    return define_vm(VmId(vm), [facts.vgpu_type(name) for name in types or ("L40S-12Q",)])


def start_vm(
    manager: VgpuManager,
    definition: VmDefinition | None = None,
    *,
    power: VmState = VmState.RUNNING,
    guest: tuple[int | None, int | None] | None = GUEST,
) -> VmId:
    """Define and start a VM, load its guest driver, and bring it to a power state."""
    definition = definition or a_vm()
    if definition.id not in manager.state.vms:
        manager.define(definition)
    if power is VmState.OFF:
        return definition.id
    manager.start(definition.id, States.COLD)
    if power is VmState.BOOTING:
        return definition.id
    if guest is None:
        manager.guest_driver_fails(definition.id)
    else:
        manager.load_guest_driver(definition.id, "550.54.14", bounds=guest)
    if power is VmState.PAUSED:
        manager.pause(definition.id)
    elif power is VmState.SLEEPING:
        manager.sleep(definition.id)
    elif power is VmState.HIBERNATED:
        manager.hibernate(definition.id)
    return definition.id


def a_record(
    *,
    host: Host | None = None,
    vgpu_type: str = "L40S-12Q",
    guest: tuple[int | None, int | None] | None = GUEST,
) -> bytes:
    """The saved record of a VM that ran elsewhere; `guest` None: before its driver reported."""
    manager = a_manager(host)
    return manager.saved_records(start_vm(manager, a_vm("vm1", vgpu_type), guest=guest))[0]


def refused(call: Callable[[], object]) -> Refusal:
    """The refusal that a call raises."""
    with pytest.raises(RefusedError) as caught:
        call()
    assert isinstance(caught.value.refusal, Refusal)
    return caught.value.refusal
