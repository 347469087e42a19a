"""Devices that an administrator makes before a VM uses them: mediated devices, or types of virtual functions.

A device takes up room like a vgpu, and is none: NVML lists it only once a VM runs on it. By itself it makes
no host IN_USE, for no VM runs (our assumption). A driver reload, another driver and a reboot end all devices,
as the kernel's go with the module that made them. They outlast the process that keeps this state, as VMs do.

Every function takes a state and gives the next, or raises and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.manager.device_names import parse_uuid
from vgpu_migrate.manager.functions import free_functions, function_count
from vgpu_migrate.manager.lifecycle import require_manager
from vgpu_migrate.manager.refusal import Reason, refuse
from vgpu_migrate.manager.state import Device, DeviceId, HostState
from vgpu_migrate.model import Gpu, GpuId, PlacementMode
from vgpu_migrate.model.placement import NoRoom, Tenant, creatable_placements, find_room

LONGEST_ID = 80
"""Characters of a device's id: as many as NVML has room for in a UUID."""


def create_device(
    state: HostState,
    gpu_id: GpuId,
    vgpu_type: VgpuType,
    device_id: DeviceId,
    *,
    placement: int | None = None,
    function: int | None = None,
) -> tuple[HostState, Device]:
    """Make a device; it takes up room until it is removed.

    Args:
        state: the host.
        gpu_id: the gpu.
        vgpu_type: its type.
        device_id: a UUID, or any other name that is free.
        placement: its placement id on a mixed-size gpu; None: the lowest that is free.
        function: the virtual function of an SR-IOV gpu to put it on; None: the lowest that is free.

    Raises:
        RefusedError: there is no vGPU Manager, a device or vgpu has the id, or there is no room for it at
            all, at that placement or on that function.
        InputError: the gpu is not the host's, the id is not a name or a UUID not in lower case, or the gpu
            has no such function.
    """
    require_manager(state)
    gpu = state.gpu(gpu_id)
    if not (0 < len(device_id) <= LONGEST_ID and device_id.isascii() and device_id.isprintable()):
        wanted = f"wanted 1 to {LONGEST_ID} printable ASCII characters"
        raise InputError(Problem("device id", repr(device_id)[:80], wanted))
    _require_one_spelling(device_id)
    thing = f"device {device_id}"
    require_free_id(state, device_id, thing=thing)
    place = find_room(gpu, state.tenants(gpu.id), vgpu_type)
    if isinstance(place, NoRoom):
        refuse(Reason.NO_ROOM, thing, f"no room for {vgpu_type.short} on {gpu.id}: {place}")
    if placement is not None:
        _require_placement(gpu, state.tenants(gpu.id), vgpu_type, placement, thing)
    device = Device(
        id=device_id,
        gpu=gpu.id,
        type=vgpu_type,
        placement=place.placement if placement is None else placement,
        function=_function(state, gpu, function, thing),
    )
    return state.with_device(device), device


def _require_one_spelling(device_id: DeviceId) -> None:
    """The kernel shows a UUID in lower case, so that none can be there twice."""
    spelled = parse_uuid(device_id)
    if spelled is not None and device_id != spelled:
        raise InputError(Problem("device id", device_id, f"wanted the UUID in lower case: {spelled}"))


def require_free_id(state: HostState, device_id: DeviceId, *, thing: str) -> None:
    """Refuse an id that a device has, an administrator's or one that came with a VM's vgpu."""
    for device, record in state.all_devices():
        if device.id == device_id:
            whose = "" if record is None else f", used by VM {record.definition.id}"
            refuse(Reason.ALREADY_THERE, thing, f"gpu {device.gpu} has a device of this id{whose}")


def _require_placement(
    gpu: Gpu, tenants: Sequence[Tenant], vgpu_type: VgpuType, placement: int, thing: str
) -> None:
    if gpu.mode is not PlacementMode.MIXED:
        detail = f"placement {placement} on {gpu.id}; a gpu in {gpu.mode} mode has no ids"
        refuse(Reason.NO_ROOM, thing, detail)
    free = creatable_placements(gpu, tenants, vgpu_type)
    if placement not in free:
        detail = f"placement {placement} of {gpu.id} is not free for {vgpu_type.short}"
        refuse(Reason.NO_ROOM, thing, f"{detail}; free are {', '.join(map(str, free)) or 'none'}")


def place_device(state: HostState, device_id: DeviceId, placement: int) -> HostState:
    """Move a device that no VM uses to another placement id of its mixed-size gpu.

    Raises:
        RefusedError: a VM uses it, the gpu has no placement ids, or the id is not free beside the others.
        UnknownNameError: there is no such device.
    """
    device = _unused(state, device_id)
    gpu = state.gpu(device.gpu)
    others = _without(state, device_id).tenants(gpu.id)
    _require_placement(gpu, others, device.type, placement, f"device {device_id}")
    return state.with_device(msgspec.structs.replace(device, placement=placement))


def _function(state: HostState, gpu: Gpu, wanted: int | None, thing: str) -> int | None:
    count = function_count(gpu)
    if wanted is not None and not 0 <= wanted < count:
        has = f"wanted one of 0 to {count - 1}" if count else f"gpu {gpu.id} has no virtual functions"
        raise InputError(Problem("function", str(wanted), has))
    if not count:
        return None
    free = free_functions(state, gpu)
    if wanted is None and free:
        return free[0]
    if wanted not in free:
        which = "no virtual function" if wanted is None else f"virtual function {wanted}"
        refuse(Reason.NO_ROOM, thing, f"{which} of {gpu.id} is {'' if wanted is None else 'not '}free")
    return wanted


def remove_device(state: HostState, device_id: DeviceId) -> HostState:
    """End a device; its room is free again.

    Raises:
        RefusedError: a VM uses it, or it came with a VM's vgpu.
        UnknownNameError: there is no such device.
    """
    return _without(state, _unused(state, device_id).id)


def _unused(state: HostState, device_id: DeviceId) -> Device:
    for device, record in state.all_devices():
        if device.id == device_id and record is not None:
            own = "" if device_id in state.devices else " and goes when that stops"
            detail = f"it is used by VM {record.definition.id}{own}"
            refuse(Reason.IN_USE, f"device {device_id}", detail)
    return state.device(device_id)


def _without(state: HostState, device_id: DeviceId) -> HostState:
    kept = {other: device for other, device in state.devices.items() if other != device_id}
    return msgspec.structs.replace(state, devices=kept)
