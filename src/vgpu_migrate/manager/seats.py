"""Where a VM's vgpus go on a host: the verdict must hold the state that is needed, and there must be room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vgpu_migrate.compat import Verdict, VgpuTraits, check, combine, gpu_traits
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.manager.refusal import Reason, refuse
from vgpu_migrate.manager.state import Device, DeviceId, HostState
from vgpu_migrate.model import Gpu, GpuId, PlacementMode, VmId
from vgpu_migrate.model.placement import NoRoom, Tenant, creatable_placements, find_room
from vgpu_migrate.nvml import States


class Seat(NamedTuple):
    """A gpu for one vgpu, and its placement id where the gpu is mixed-size; None: the lowest that is free.

    `device` is the administrator's device that the vgpu shall use; it gives the placement then.
    """

    gpu: GpuId
    placement: int | None = None
    device: DeviceId | None = None


class Wanted(NamedTuple):
    """One vgpu to seat: its type, and the traits by which the rules judge it."""

    type: VgpuType
    traits: VgpuTraits


def find_seats(
    state: HostState, vm_id: VmId, wanted: Sequence[Wanted], *, needed: States, seats: Sequence[Seat] | None
) -> tuple[Seat, ...]:
    """Seats for all vgpus of a VM together.

    Args:
        state: the host, with the vgpus that are there already.
        vm_id: whose vgpus they are, for the message.
        wanted: the vgpus, in order.
        needed: the state that each verdict must hold.
        seats: one for each vgpu; None: the first gpus in order where verdict and room both allow.

    Raises:
        RefusedError: INCOMPATIBLE with the best verdict there was, NO_ROOM, or a device that is in use
            or not what the vgpu wants.
        InputError: not one seat for each vgpu, or a gpu or device is not one of the host's.
    """
    if seats is None:
        return _first_fit(state, vm_id, wanted, needed)
    if len(seats) != len(wanted):
        what = "devices" if any(seat.device is not None for seat in seats) else "gpus"
        raise InputError(
            Problem(f"VM {vm_id}", f"{len(seats)} {what} given", f"wanted {len(wanted)}, one for each vgpu")
        )
    gpus = [state.gpu(seat.gpu) for seat in seats]
    verdict = combine([_judge(state, one, gpu) for one, gpu in zip(wanted, gpus, strict=True)])
    if not needed & verdict.states:
        where = ", ".join(dict.fromkeys(gpu.id for gpu in gpus))
        _refuse_verdict(vm_id, where, needed, verdict)
    return _take(state, vm_id, wanted, seats)


def _judge(state: HostState, wanted: Wanted, gpu: Gpu) -> Verdict:
    return check(wanted.traits, gpu_traits(state.host, gpu), state.profile)


def _refuse_verdict(vm_id: VmId, where: str, needed: States, verdict: Verdict) -> None:
    states = ", ".join(verdict.states.words) or "no state"
    rules = ", ".join(piece.rule for piece in verdict.evidence)
    detail = f"runnable on {where} from {states}, not from {needed.words[0]}; rules: {rules}"
    refuse(Reason.INCOMPATIBLE, f"VM {vm_id}", detail, verdict=verdict)


def _take(state: HostState, vm_id: VmId, wanted: Sequence[Wanted], seats: Sequence[Seat]) -> tuple[Seat, ...]:
    taken: list[Seat] = []
    used = {device.id: str(record.definition.id) for device, record in state.all_devices() if record}
    there = {seat.gpu: state.tenants(seat.gpu) for seat in seats}
    for one, seat in zip(wanted, seats, strict=True):
        gpu, tenants = state.gpu(seat.gpu), there[seat.gpu]
        if seat.device is not None:
            # It has its room already, so nothing is added to the gpu's tenants.
            device = _usable(state, vm_id, one, seat, used)
            used[device.id] = str(vm_id)
            taken.append(Seat(gpu.id, device.placement, device.id))
            continue
        place = find_room(gpu, tenants, one.type)
        if isinstance(place, NoRoom):
            refuse(Reason.NO_ROOM, f"VM {vm_id}", f"no room for {one.type.short} on {gpu.id}: {place}")
        placement = place.placement
        if seat.placement is not None:
            placement = seat.placement
            free = creatable_placements(gpu, tenants, one.type) if gpu.mode is PlacementMode.MIXED else ()
            if placement not in free:
                ids = (
                    f"free are {', '.join(map(str, free))}"
                    if free
                    else f"a gpu in {gpu.mode} mode has no ids"
                )
                refuse(
                    Reason.NO_ROOM,
                    f"VM {vm_id}",
                    f"placement {placement} of {gpu.id} is not free for {one.type.short}; {ids}",
                )
        tenants.append(Tenant(one.type, placement))
        taken.append(Seat(gpu.id, placement))
    return tuple(taken)


def _usable(state: HostState, vm_id: VmId, wanted: Wanted, seat: Seat, used: dict[DeviceId, str]) -> Device:
    """The administrator's device of a seat, if this vgpu can be put on it."""
    assert seat.device is not None
    vm = f"VM {vm_id}"
    device = state.device(seat.device)
    if device.id in used:
        refuse(Reason.IN_USE, vm, f"device {device.id} is used by VM {used[device.id]}")
    for what, seen, asked in (
        ("gpu", device.gpu, seat.gpu),
        ("type", device.type.short, wanted.type.short),
        ("placement", device.placement, device.placement if seat.placement is None else seat.placement),
    ):
        if seen != asked:
            refuse(Reason.WRONG_DEVICE, vm, f"device {device.id} has {what} {seen}; wanted {asked}")
    return device


def _first_fit(state: HostState, vm_id: VmId, wanted: Sequence[Wanted], needed: States) -> tuple[Seat, ...]:
    gpus = state.host.gpus
    allowed: list[frozenset[GpuId]] = []
    judged: dict[VgpuTraits, frozenset[GpuId]] = {}
    for one in wanted:
        if one.traits not in judged:
            verdicts = {gpu.id: _judge(state, one, gpu) for gpu in gpus if gpu.is_vgpu_host}
            judged[one.traits] = frozenset(
                gpu_id for gpu_id, verdict in verdicts.items() if needed & verdict.states
            )
            if verdicts and not judged[one.traits]:
                # The verdict that leaves most says most: another board's says nothing of the VM.
                best = max(verdicts, key=lambda gpu_id: verdicts[gpu_id].states.bit_count())
                _refuse_verdict(vm_id, best, needed, verdicts[best])
        allowed.append(judged[one.traits])
    tenants = {gpu.id: state.tenants(gpu.id) for gpu in gpus}
    found = _search(gpus, tenants, wanted, allowed)
    if found is None:
        refuse(Reason.NO_ROOM, f"VM {vm_id}", _why_no_room(state, wanted, allowed))
    return found


def _search(
    gpus: Sequence[Gpu],
    tenants: dict[GpuId, list[Tenant]],
    wanted: Sequence[Wanted],
    allowed: Sequence[frozenset[GpuId]],
) -> tuple[Seat, ...] | None:
    """Depth first over gpus in order and free ids in order, so it finds room wherever there is any."""
    position = len(wanted) - len(allowed)
    if not allowed:
        return ()
    vgpu_type = wanted[position].type
    tried: set[object] = set()
    for gpu in gpus:
        if gpu.id not in allowed[0]:
            continue
        there = tenants[gpu.id]
        # Gpus alike in everything that matters for the rest need be tried only once.
        alike = (
            (gpu.board.key, gpu.mode, gpu.mig, tuple(gpu.id in ids for ids in allowed)),
            tuple(sorted((tenant.type.row, tenant.placement or 0) for tenant in there)),
        )
        if alike in tried:
            continue
        tried.add(alike)
        place = find_room(gpu, there, vgpu_type)
        if isinstance(place, NoRoom):
            continue
        free: Sequence[int | None] = (None,)
        if place.placement is not None:
            free = creatable_placements(gpu, there, vgpu_type)
        for placement in free:
            there.append(Tenant(vgpu_type, placement))
            rest = _search(gpus, tenants, wanted, allowed[1:])
            there.pop()
            if rest is not None:
                return (Seat(gpu.id, placement), *rest)
    return None


def _why_no_room(state: HostState, wanted: Sequence[Wanted], allowed: Sequence[frozenset[GpuId]]) -> str:
    reasons = [
        f"{one.type.short} on {gpu.id}: {place}"
        for one, gpus in zip(wanted, allowed, strict=True)
        for gpu in state.host.gpus
        if gpu.id in gpus and isinstance(place := find_room(gpu, state.tenants(gpu.id), one.type), NoRoom)
    ]
    if not any(allowed):
        return f"host {state.host.id} has no gpu that is a vGPU host"
    return f"no room: {'; '.join(dict.fromkeys(reasons)) or 'not for all its vgpus together'}"
