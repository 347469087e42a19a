"""The life of a VM on one host: define, start, guest driver, pause, sleep, hibernate, shut down, undefine.

Every function takes a state and gives the next, or raises and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.manager.functions import take_functions
from vgpu_migrate.manager.records import Restored, current_records, fresh_traits, hints, read_saved
from vgpu_migrate.manager.refusal import Reason, refuse
from vgpu_migrate.manager.seats import Seat, Wanted, find_seats
from vgpu_migrate.manager.state import (
    GuestReport,
    HostState,
    Negotiation,
    Role,
    VgpuDefinition,
    VgpuHandle,
    VgpuInstance,
    VmDefinition,
    VmRecord,
    vgpu_uuid,
)
from vgpu_migrate.manager.transitions import START_FROM, Operation, require
from vgpu_migrate.model import Vm, VmId, VmState
from vgpu_migrate.model.driver_text import require_driver_text
from vgpu_migrate.model.identity_text import require_id, require_uuid
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.nvml import States

replace = msgspec.structs.replace


class Started(msgspec.Struct, frozen=True):
    """A start that went well: the new instances in order, and warnings for people."""

    vgpus: tuple[VgpuInstance, ...]
    warnings: tuple[str, ...]


def define_vm(
    vm_id: VmId,
    types: Sequence[VgpuType],
    *,
    uuid: str | None = None,
    memory_mib: int = 0,
    guest_driver: str | None = None,
) -> VmDefinition:
    """A definition with the common fields; its UUID, if none is given, is a UUIDv5 of its id."""
    bare = Vm(vm_id, None, uuid, None, VmState.OFF, memory_mib, None, guest_driver, States.LIVE, (), ())
    return VmDefinition(
        id=vm_id,
        uuid=bare.uuid,
        vgpus=tuple(VgpuDefinition(vgpu_type) for vgpu_type in types),
        memory_mib=memory_mib,
        guest_driver=guest_driver,
    )


def define(state: HostState, definition: VmDefinition) -> HostState:
    """Add a VM, powered off.

    Raises:
        InputError: it wants no vgpu (a vGPU Manager sees only VMs that do), or its id, UUID or guest driver
            is none.
        RefusedError: a VM with its id or UUID is there.
    """
    place = f"VM {require_id(definition.id, place='VM id')}"
    uuid = require_uuid(definition.uuid, place=f"{place}: UUID")
    if definition.guest_driver is not None:
        require_driver_text(definition.guest_driver, place=f"{place}: guest driver")
    if not definition.vgpus:
        raise InputError(Problem(place, "no vgpus", "wanted at least one"))
    return state.with_vm(new_record(state, replace(definition, uuid=uuid)))


def new_record(state: HostState, definition: VmDefinition, *, reserved: Collection[int] = ()) -> VmRecord:
    """A record for a VM that is not there yet, with its domain id: its own, or the first that is free.

    Args:
        state: the host.
        definition: the VM.
        reserved: domain ids that VMs yet to come name as theirs.

    Raises:
        RefusedError: a VM with its id or UUID is there.
    """
    if definition.id in state.vms:
        refuse(Reason.ALREADY_THERE, f"VM {definition.id}", f"host {state.host.id} has a VM of this id")
    for other in state.vms.values():
        if other.definition.uuid == definition.uuid:
            refuse(Reason.ALREADY_THERE, f"VM {definition.id}", f"VM {other.definition.id} has its UUID")
    used = {record.domid for record in state.vms.values()}
    domid = definition.domid
    if domid is None or domid in used:
        used |= set(reserved)
        domid = next(number for number in range(1, len(used) + 2) if number not in used)
    return VmRecord(definition, domid)


def undefine(state: HostState, vm_id: VmId) -> HostState:
    """Forget a VM that has no vgpus, and its saved records."""
    require(state.vm(vm_id), Operation.UNDEFINE)
    return state.without_vm(vm_id)


def start(
    state: HostState,
    vm_id: VmId,
    *,
    from_state: States = States.COLD,
    records: Sequence[bytes] | None = None,
    seats: Sequence[Seat] | None = None,
) -> tuple[HostState, Started]:
    """Create the vgpus of a VM's next instance.

    Args:
        state: the host.
        vm_id: the VM, which has no vgpus now.
        from_state: exactly one state: what the VM is started from.
        records: its saved records, one for each vgpu. From LIVE, SLEEP and HIBERNATE they are required and
            give type, version and guest bounds; from COLD they are a hint that at most warns.
        seats: a gpu for each vgpu; None: the first where verdict and room allow.

    Raises:
        RefusedError: power state, records, verdict (carried) or room do not allow it.
        InputError: `from_state` is not exactly one state, or the gpus given are not the host's.
    """
    if from_state not in START_FROM:
        raise InputError(Problem("from_state", str(from_state), "wanted one of cold, hibernate, sleep, live"))
    record = state.vm(vm_id)
    power = require(record, START_FROM[from_state])
    require_manager(state)
    definition = record.definition
    if records is None and from_state is not States.COLD:
        refuse(Reason.RECORDS, f"VM {vm_id}", f"a start from {from_state.words[0]} wants its saved records")
    restored = read_saved(definition, records) if records is not None else ()
    warnings: tuple[str, ...] = ()
    guests: list[GuestReport | None] = [None] * len(definition.vgpus)
    if from_state is States.COLD:
        wanted = fresh_traits(definition)
        warnings = hints(restored, state.host.range_in_force)
    else:
        wanted = wanted_of(definition, restored)
        guests = [one.guest for one in restored]
    chosen = find_seats(state, vm_id, wanted, needed=from_state, seats=seats)
    vgpus = create_vgpus(state, definition, chosen, guests)
    started = replace(record, power=power, vgpus=vgpus, saved=None, negotiation=None)
    after = replace(state.with_vm(started), next_handle=state.next_handle + len(vgpus))
    return after, Started(vgpus, warnings)


def wanted_of(definition: VmDefinition, restored: Sequence[Restored]) -> tuple[Wanted, ...]:
    """The vgpus of a VM with the traits that its records give."""
    return tuple(Wanted(one.type, it.traits) for one, it in zip(definition.vgpus, restored, strict=True))


def create_vgpus(
    state: HostState, definition: VmDefinition, seats: Sequence[Seat], guests: Sequence[GuestReport | None]
) -> tuple[VgpuInstance, ...]:
    """Instances with the next free handles; the caller moves the counter on.

    A vgpu without a device brings one of its own, on the lowest virtual function that is free.

    Raises:
        RefusedError: an administrator's device has the id that the vgpu's own device would have.
    """
    vm = f"VM {definition.id}"
    new = [seat.gpu for seat in seats if seat.device is None]
    functions = iter(take_functions(state, new, thing=vm))
    vgpus: list[VgpuInstance] = []
    for position, (one, seat, guest) in enumerate(zip(definition.vgpus, seats, guests, strict=True)):
        uuid = vgpu_uuid(definition, position)
        if seat.device is None and uuid in state.devices:
            detail = f"device {uuid} is there, with the UUID of its vgpu {position}; start it on that device"
            refuse(Reason.ALREADY_THERE, vm, detail)
        vgpus.append(
            VgpuInstance(
                handle=VgpuHandle(state.next_handle + position),
                uuid=uuid,
                type=one.type,
                gpu=seat.gpu,
                placement=seat.placement,
                guest=guest,
                function=next(functions) if seat.device is None else state.device(seat.device).function,
                device=seat.device,
            )
        )
    return tuple(vgpus)


def require_manager(state: HostState) -> None:
    """Refuse on a host with a plain driver."""
    if not state.host.has_manager:
        refuse(
            Reason.NO_MANAGER, f"host {state.host.id}", "it runs no vGPU Manager, so no vgpu can be created"
        )


def load_guest_driver(
    state: HostState,
    vm_id: VmId,
    driver: str | None = None,
    *,
    bounds: tuple[int | None, int | None] | None = None,
) -> HostState:
    """A guest driver loads in a VM and negotiates a vGPU version, or finds none and does not load.

    Either way the VM runs on and keeps its vgpus. The outcome, with both ranges, is its `negotiation`.

    Args:
        state: the host.
        vm_id: the VM.
        driver: the driver's version; None: the one of the VM's definition.
        bounds: the oldest and newest vGPU version it negotiates, None where unknown; absent: from the facts.

    Raises:
        InputError: no driver is given and the definition names none, its text is not one that a record
            holds, or the bounds are not in order.
        RefusedError: the VM is not booting or running.

    Source:
        NVML vGPU Migration, nvmlSetVgpuVersion, notes 2 and 3; that the VM keeps its vgpu is our assumption.
    """
    record = state.vm(vm_id)
    power = require(record, Operation.LOAD_GUEST_DRIVER)
    driver = driver or record.definition.guest_driver
    if driver is None:
        raise InputError(Problem(f"VM {vm_id}", "its definition names no guest driver", "wanted a driver"))
    require_driver_text(driver, place=f"VM {vm_id}: guest driver")
    if bounds is None:
        known = facts.guest_driver(driver)
        bounds = (known.minimum, known.maximum)
    minimum, maximum = bounds
    if minimum is not None and maximum is not None and minimum > maximum:
        raise InputError(
            Problem("bounds", f"{minimum:#x}-{maximum:#x}", "wanted a minimum not above the maximum")
        )
    in_force = state.host.range_in_force
    vgpu_version = negotiate(guest_minimum=minimum, guest_maximum=maximum, host_range=in_force)
    outcome = Negotiation(driver, minimum, maximum, in_force, vgpu_version)
    guest = None if vgpu_version is None else GuestReport(driver, vgpu_version, minimum, maximum)
    return state.with_vm(
        replace(
            _with_guest(record, guest),
            power=power,
            negotiation=outcome,
            definition=replace(record.definition, guest_driver=driver),
        )
    )


def guest_driver_fails(state: HostState, vm_id: VmId) -> HostState:
    """The guest driver fails to load for a reason of its own: the VM runs on, guest info UNINITIALIZED."""
    record = state.vm(vm_id)
    power = require(record, Operation.GUEST_DRIVER_FAILS)
    return state.with_vm(replace(_with_guest(record, None), power=power, negotiation=None))


def reboot_guest(state: HostState, vm_id: VmId) -> HostState:
    """The guest reboots: it keeps its vgpus; guest info is UNINITIALIZED until its driver reports again."""
    record = state.vm(vm_id)
    power = require(record, Operation.REBOOT_GUEST)
    return state.with_vm(replace(_with_guest(record, None), power=power, negotiation=None))


def _with_guest(record: VmRecord, guest: GuestReport | None) -> VmRecord:
    return replace(record, vgpus=tuple(replace(vgpu, guest=guest) for vgpu in record.vgpus))


def change_power(state: HostState, vm_id: VmId, operation: Operation) -> HostState:
    """Pause, resume, sleep or wake: only the power state changes, guest info stays."""
    assert operation in (Operation.PAUSE, Operation.RESUME, Operation.SLEEP, Operation.WAKE)
    record = state.vm(vm_id)
    return state.with_vm(replace(record, power=require(record, operation)))


def leave(state: HostState, vm_id: VmId, operation: Operation) -> HostState:
    """Hibernate or shut down: the records are saved and the vgpus go."""
    assert operation in (Operation.HIBERNATE, Operation.SHUT_DOWN)
    record = state.vm(vm_id)
    return state.with_vm(without_vgpus(state, record, require(record, operation)))


def without_vgpus(state: HostState, record: VmRecord, power: VmState) -> VmRecord:
    """A VM that has lost its vgpus, its last records kept."""
    saved = current_records(state, record) if record.vgpus else record.saved
    return replace(record, power=power, vgpus=(), saved=saved, negotiation=None)


def set_migration(state: HostState, vm_id: VmId, allowed: Sequence[bool]) -> HostState:
    """Say, vgpu by vgpu, whether the guest now uses something that forbids migration (False).

    Raises:
        InputError: not one flag for each vgpu.
        RefusedError: the VM is part of a migration.
    """
    record = state.vm(vm_id)
    if record.role is not Role.RESIDENT:
        refuse(Reason.MIGRATING, f"VM {vm_id}", f"it is {record.role}; what it was offered as stays")
    vgpus = record.definition.vgpus
    if len(allowed) != len(vgpus):
        raise InputError(Problem(f"VM {vm_id}", f"{len(allowed)} flags given", f"wanted {len(vgpus)}"))
    changed = tuple(replace(one, migration=flag) for one, flag in zip(vgpus, allowed, strict=True))
    return state.with_vm(replace(record, definition=replace(record.definition, vgpus=changed)))
