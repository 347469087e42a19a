"""A host of a fleet file as a vGPU Manager, with its VMs as the file says they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.compat import vgpu_record, vgpu_traits
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.manager.functions import take_functions
from vgpu_migrate.manager.lifecycle import new_record
from vgpu_migrate.manager.state import (
    GuestReport,
    HostState,
    VgpuDefinition,
    VgpuHandle,
    VgpuInstance,
    VmDefinition,
    VmRecord,
    vgpu_uuid,
)
from vgpu_migrate.model import Fleet, HostId, Vgpu, Vm, VmId, VmState

replace = msgspec.structs.replace


def state_of_host(
    fleet: Fleet, host_id: HostId, *, incarnation: str = "", also: Iterable[VmId] = ()
) -> HostState:
    """The state of one host of a fleet, its VMs in the states that the file gives them.

    VMs without a vgpu are left out: a vGPU Manager sees only those with one.

    Args:
        fleet: where the host is.
        host_id: which one.
        incarnation: handed in by whoever keeps the state; it makes migration ids of this one its own.
        also: VMs without a host, powered off or hibernated, to be defined here too.

    Raises:
        UnknownNameError: the fleet has no such host or VM.
    """
    host = fleet.hosts.get(host_id)
    if host is None:
        raise UnknownNameError("host", host_id, fleet.hosts)
    state = HostState(host=host, profile=fleet.settings_of(host.domain).profile, incarnation=incarnation)
    wanted = set(also)
    for vm_id in wanted:
        if vm_id not in fleet.vms:
            raise UnknownNameError("VM", vm_id, fleet.vms)
    here = [vm for vm in fleet.vms.values() if vm.vgpus and (vm.host == host_id or vm.id in wanted)]
    named = {vm.domid for vm in here if vm.domid is not None}
    for vm in here:
        state = _with_vm(state, fleet, vm, reserved=named)
    return state


def definition_of(vm: Vm) -> VmDefinition:
    """What a VM of a fleet is, whatever host it is on."""
    return VmDefinition(
        id=vm.id,
        uuid=vm.uuid,
        vgpus=tuple(VgpuDefinition(vgpu.type, vgpu.migration) for vgpu in vm.vgpus),
        memory_mib=vm.memory_mib,
        vcpus=vm.vcpus,
        domid=vm.domid,
        guest_driver=vm.guest_driver,
    )


def _with_vm(state: HostState, fleet: Fleet, vm: Vm, *, reserved: Collection[int]) -> HostState:
    record = replace(new_record(state, definition_of(vm), reserved=reserved), power=vm.state)
    if not vm.state.holds_vgpus:
        return state.with_vm(replace(record, saved=_saved(fleet, vm)))
    gpus = [vgpu.gpu for vgpu in vm.vgpus if vgpu.gpu is not None]
    functions = take_functions(state, gpus, thing=f"VM {vm.id}")
    vgpus = tuple(
        replace(_instance(state, record, vm, position), function=function)
        for position, function in enumerate(functions)
    )
    after = state.with_vm(replace(record, vgpus=vgpus))
    return replace(after, next_handle=state.next_handle + len(vgpus))


def _instance(state: HostState, record: VmRecord, vm: Vm, position: int) -> VgpuInstance:
    vgpu = vm.vgpus[position]
    assert vgpu.gpu is not None
    return VgpuInstance(
        handle=VgpuHandle(state.next_handle + position),
        uuid=vgpu_uuid(record.definition, position),
        type=vgpu.type,
        gpu=vgpu.gpu,
        placement=vgpu.placement,
        guest=_report(vm, vgpu),
    )


def _report(vm: Vm, vgpu: Vgpu) -> GuestReport | None:
    if vgpu.vgpu_version is None or vm.state is VmState.BOOTING:
        return None
    if vm.guest_driver is None:
        return GuestReport("", vgpu.vgpu_version, None, None)
    known = facts.guest_driver(vm.guest_driver)
    return GuestReport(vm.guest_driver, vgpu.vgpu_version, known.minimum, known.maximum)


def _saved(fleet: Fleet, vm: Vm) -> tuple[bytes, ...] | None:
    """The records a file gives, else those that a hibernated VM with known versions would have left."""
    given = tuple(vgpu.record for vgpu in vm.vgpus if vgpu.record is not None)
    if len(given) == len(vm.vgpus):
        return given
    if vm.state is not VmState.HIBERNATED or any(vgpu.vgpu_version is None for vgpu in vm.vgpus):
        return None
    return tuple(
        vgpu_record(vgpu_traits(fleet, vm, vgpu), guest_driver=vm.guest_driver or "") for vgpu in vm.vgpus
    )
