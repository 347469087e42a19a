"""A migration between two hosts, so that a VM is never active on both.

    source                              target
    migrate_out -> MigrationOffer   ->  migrate_in -> Acceptance     its vgpus are held there
    hand_over   -> Handover         ->  commit     -> Receipt        the deciding entry
    finish                          <-                               gone from the source

Tokens are values bound to one migration by its id, and from the acceptance on to one target, so that an offer
shown to two targets can be committed by one of them only. The target's journal keeps every answer: a
migration that it declined can never be committed, however late a token comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import msgspec

from vgpu_migrate.manager.lifecycle import create_vgpus, new_record, require_manager, wanted_of
from vgpu_migrate.manager.records import current_records, read_saved
from vgpu_migrate.manager.refusal import Reason, refuse
from vgpu_migrate.manager.seats import Seat, find_seats
from vgpu_migrate.manager.state import (
    HostState,
    MigrationId,
    OpenMigration,
    Role,
    VmDefinition,
    VmRecord,
)
from vgpu_migrate.manager.transitions import Operation, require
from vgpu_migrate.model import HostId, VmId, VmState

replace = msgspec.structs.replace


class MigrationOffer(msgspec.Struct, frozen=True):
    """A VM as its source offers it: all a target needs to say whether it will take it."""

    migration: MigrationId
    source: HostId
    domain: str
    definition: VmDefinition
    power: VmState
    records: tuple[bytes, ...]


class Acceptance(msgspec.Struct, frozen=True):
    """A target holds room for a VM: on these seats, in the order of its vgpus."""

    migration: MigrationId
    source: HostId
    target: HostId
    vm: VmId
    seats: tuple[Seat, ...]


class Handover(msgspec.Struct, frozen=True):
    """The source has stopped the VM for good unless this one target declines; its final records."""

    migration: MigrationId
    source: HostId
    target: HostId
    vm: VmId
    records: tuple[bytes, ...]


class Receipt(msgspec.Struct, frozen=True):
    """A target's answer: the VM is active there (`committed`), or never will be by this migration."""

    migration: MigrationId
    target: HostId
    committed: bool


def migrate_out(state: HostState, vm_id: VmId) -> tuple[HostState, MigrationOffer]:
    """Offer a running, paused or sleeping VM. It stays active; other operations on it are refused."""
    record = state.vm(vm_id)
    require(record, Operation.MIGRATE_OUT)
    prefix = f"{state.host.id}/{state.incarnation}" if state.incarnation else str(state.host.id)
    migration = MigrationId(f"{prefix}/{state.next_migration}")
    offer = MigrationOffer(
        migration=migration,
        source=state.host.id,
        domain=state.host.domain,
        definition=record.definition,
        power=record.power,
        records=current_records(state, record),
    )
    outgoing = replace(record, role=Role.OUTGOING, migration=OpenMigration(migration, None))
    return replace(state.with_vm(outgoing), next_migration=state.next_migration + 1), offer


def migrate_in(
    state: HostState, offer: MigrationOffer, *, seats: Sequence[Seat] | None = None
) -> tuple[HostState, Acceptance]:
    """Hold vgpus for an offered VM: they count for capacity and IN_USE, and are not active.

    Raises:
        RefusedError: the offer was answered before, the host is no target for it, the VM is there, the
            verdict does not hold LIVE (running, paused) or SLEEP (sleeping), or there is no room.
        InputError: the gpus given are not the host's, or not one for each vgpu.
    """
    vm, definition = f"VM {offer.definition.id}", offer.definition
    if offer.migration in state.answers:
        _stale(vm, f"migration {offer.migration} has been answered")
    require_manager(state)
    if offer.domain != state.host.domain:
        refuse(
            Reason.NOT_A_TARGET,
            vm,
            f"it belongs to migration domain {offer.domain}, host {state.host.id} to {state.host.domain}",
        )
    if not state.host.schedulable:
        refuse(Reason.NOT_A_TARGET, vm, f"host {state.host.id} is not schedulable: nothing may move there")
    record = new_record(state, definition)
    restored = read_saved(definition, offer.records)
    chosen = find_seats(
        state, definition.id, wanted_of(definition, restored), needed=offer.power.needs, seats=seats
    )
    vgpus = create_vgpus(state, definition, chosen, [one.guest for one in restored])
    incoming = replace(
        record,
        power=offer.power,
        role=Role.INCOMING,
        vgpus=vgpus,
        migration=OpenMigration(offer.migration, offer.source),
    )
    after = replace(state.with_vm(incoming), next_handle=state.next_handle + len(vgpus))
    return after, Acceptance(offer.migration, offer.source, state.host.id, definition.id, chosen)


def hand_over(state: HostState, acceptance: Acceptance) -> tuple[HostState, Handover]:
    """Stop an offered VM in favour of the target that holds room for it.

    Raises:
        RefusedError: the acceptance is of another migration than the one this VM is offered by.
    """
    record = _open(state, acceptance.migration, Role.OUTGOING)
    if acceptance.source != state.host.id or acceptance.vm != record.definition.id:
        _stale(
            f"VM {acceptance.vm}", f"the acceptance of migration {acceptance.migration} names another source"
        )
    handover = Handover(
        migration=acceptance.migration,
        source=state.host.id,
        target=acceptance.target,
        vm=record.definition.id,
        records=current_records(state, record),
    )
    given = replace(
        record, role=Role.HANDED_OVER, migration=OpenMigration(acceptance.migration, acceptance.target)
    )
    return state.with_vm(given), handover


def commit(state: HostState, handover: Handover) -> tuple[HostState, Receipt]:
    """Make a held VM active here, with its final records: the entry that decides the migration.

    Raises:
        RefusedError: the hand-over is of another migration or host, this host holds nothing for it, or the
            final records are not what this host can run; what is held stays held.
    """
    if handover.target != state.host.id:
        _stale(f"VM {handover.vm}", f"it was handed over to host {handover.target}, not to {state.host.id}")
    record = _open(state, handover.migration, Role.INCOMING)
    definition = record.definition
    if definition.id != handover.vm:
        _stale(f"VM {handover.vm}", f"migration {handover.migration} is of VM {definition.id}")
    restored = read_saved(definition, handover.records)
    # Judged again on the gpus that are held, without what is held there: the final records count.
    find_seats(
        state.without_vm(definition.id),
        definition.id,
        wanted_of(definition, restored),
        needed=record.power.needs,
        seats=[Seat(vgpu.gpu, vgpu.placement, vgpu.device) for vgpu in record.vgpus],
    )
    vgpus = tuple(replace(vgpu, guest=one.guest) for vgpu, one in zip(record.vgpus, restored, strict=True))
    active = replace(record, role=Role.RESIDENT, migration=None, vgpus=vgpus)
    return _answer(state.with_vm(active), handover.migration, committed=True)


def finish(state: HostState, receipt: Receipt) -> HostState:
    """Let go of a VM whose target has committed it.

    Raises:
        RefusedError: the receipt is of another migration or target, or says declined.
    """
    record = _handed_over_to(state, receipt)
    if not receipt.committed:
        _stale(f"VM {record.definition.id}", f"migration {receipt.migration} was declined; abort it instead")
    return state.without_vm(record.definition.id)


def abort_source(state: HostState, vm_id: VmId, receipt: Receipt | None = None) -> HostState:
    """Take an offered VM back; one that was handed over, only with its target's receipt that says declined.

    It is active again as it was, or off if the host has rebooted meanwhile.

    Raises:
        RefusedError: no migration of this VM is open, or there is no such receipt.
    """
    record = state.vm(vm_id)
    vm = f"VM {vm_id}"
    if record.role is Role.OUTGOING:
        return state.with_vm(replace(record, role=Role.RESIDENT, migration=None))
    if record.role is not Role.HANDED_OVER:
        _stale(vm, f"it is {record.role}: no migration of it is open here")
    assert record.migration is not None
    if receipt is None:
        refuse(
            Reason.NOT_ANSWERED,
            vm,
            f"it is handed over to host {record.migration.peer}; wanted its receipt that says declined",
        )
    if _handed_over_to(state, receipt) is not record:
        _stale(vm, f"the receipt is of migration {receipt.migration}, this one is {record.migration.id}")
    if receipt.committed:
        _stale(vm, f"host {receipt.target} has committed it; finish it instead")
    return state.with_vm(replace(record, role=Role.RESIDENT, migration=None))


def abort_target(state: HostState, vm_id: VmId) -> tuple[HostState, Receipt]:
    """Give up what is held for a VM, and decline its migration for good.

    Raises:
        RefusedError: nothing is held for it.
    """
    record = state.vm(vm_id)
    if record.role is not Role.INCOMING:
        _stale(f"VM {vm_id}", f"it is {record.role}: nothing is held for it here")
    assert record.migration is not None
    return _answer(state.without_vm(vm_id), record.migration.id, committed=False)


def answer(state: HostState, migration: MigrationId) -> tuple[HostState, Receipt]:
    """Settle a migration that its source asks about: the journal's answer, else declined from now on.

    What is held for it is dropped, so that the source can go on whatever it has missed.
    """
    if migration in state.answers:
        return state, Receipt(migration, state.host.id, state.answers[migration])
    for vm_id, record in state.vms.items():
        if record.role is Role.INCOMING and record.migration and record.migration.id == migration:
            return abort_target(state, vm_id)
    return _answer(state, migration, committed=False)


def _answer(state: HostState, migration: MigrationId, *, committed: bool) -> tuple[HostState, Receipt]:
    assert migration not in state.answers
    after = replace(state, answers={**state.answers, migration: committed})
    return after, Receipt(migration, state.host.id, committed)


def _open(state: HostState, migration: MigrationId, role: Role) -> VmRecord:
    for record in state.vms.values():
        if record.role is role and record.migration is not None and record.migration.id == migration:
            return record
    _stale(f"host {state.host.id}", f"no VM is {role} by migration {migration}")


def _handed_over_to(state: HostState, receipt: Receipt) -> VmRecord:
    record = _open(state, receipt.migration, Role.HANDED_OVER)
    assert record.migration is not None
    if record.migration.peer != receipt.target:
        _stale(
            f"VM {record.definition.id}",
            f"it is handed over to host {record.migration.peer}, the receipt is of {receipt.target}",
        )
    return record


def _stale(thing: str, detail: str) -> NoReturn:
    refuse(Reason.STALE_TOKEN, thing, detail)
