"""Which operation takes a VM from which power state to which: one table for manager, docs and tests."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from vgpu_migrate.manager.refusal import Reason, refuse
from vgpu_migrate.manager.state import Role, VmRecord
from vgpu_migrate.model import VmState
from vgpu_migrate.nvml import States


class Operation(StrEnum):
    """The operations that look at a VM's power state."""

    START_COLD = "start-cold"
    START_HIBERNATE = "start-hibernate"
    START_SLEEP = "start-sleep"
    START_LIVE = "start-live"
    LOAD_GUEST_DRIVER = "load-guest-driver"
    GUEST_DRIVER_FAILS = "guest-driver-fails"
    REBOOT_GUEST = "reboot-guest"
    PAUSE = "pause"
    RESUME = "resume"
    SLEEP = "sleep"
    WAKE = "wake"
    HIBERNATE = "hibernate"
    SHUT_DOWN = "shut-down"
    MIGRATE_OUT = "migrate-out"
    UNDEFINE = "undefine"


class Transition(NamedTuple):
    """A row: the power states an operation starts from, and the one it ends in.

    `target` None: the power state stays (or, for undefine, the VM is gone).
    """

    operation: Operation
    sources: tuple[VmState, ...]
    target: VmState | None
    said: str


_OFF, _HIBERNATED = VmState.OFF, VmState.HIBERNATED
_BOOTING, _RUNNING = VmState.BOOTING, VmState.RUNNING
_PAUSED, _SLEEPING = VmState.PAUSED, VmState.SLEEPING

TRANSITIONS: dict[Operation, Transition] = {
    row.operation: row
    for row in (
        Transition(
            Operation.START_COLD,
            (_OFF, _HIBERNATED),
            _BOOTING,
            "a hibernated VM loses its image; guest info resets",
        ),
        Transition(Operation.START_HIBERNATE, (_OFF, _HIBERNATED), _RUNNING, "with the saved records"),
        Transition(
            Operation.START_SLEEP, (_OFF,), _SLEEPING, "with the saved records; it sleeps until woken"
        ),
        Transition(Operation.START_LIVE, (_OFF,), _RUNNING, "with the saved records"),
        Transition(
            Operation.LOAD_GUEST_DRIVER, (_BOOTING, _RUNNING), _RUNNING, "a version is negotiated, or none"
        ),
        Transition(Operation.GUEST_DRIVER_FAILS, (_BOOTING, _RUNNING), _RUNNING, "guest info resets"),
        Transition(
            Operation.REBOOT_GUEST, (_BOOTING, _RUNNING), _BOOTING, "keeps its vgpus; guest info resets"
        ),
        Transition(Operation.PAUSE, (_RUNNING,), _PAUSED, "guest info stays"),
        Transition(Operation.RESUME, (_PAUSED,), _RUNNING, "guest info stays"),
        Transition(Operation.SLEEP, (_RUNNING,), _SLEEPING, "keeps its vgpus; guest info stays"),
        Transition(Operation.WAKE, (_SLEEPING,), _RUNNING, "guest info stays"),
        Transition(Operation.HIBERNATE, (_RUNNING,), _HIBERNATED, "records are saved, vgpus go"),
        Transition(
            Operation.SHUT_DOWN, (_BOOTING, _RUNNING, _PAUSED, _SLEEPING), _OFF, "records are saved, vgpus go"
        ),
        Transition(Operation.MIGRATE_OUT, (_RUNNING, _PAUSED, _SLEEPING), None, "keeps its power state"),
        Transition(Operation.UNDEFINE, (_OFF, _HIBERNATED), None, "the VM is gone from this host"),
    )
}

START_FROM = {
    States.COLD: Operation.START_COLD,
    States.HIBERNATE: Operation.START_HIBERNATE,
    States.SLEEP: Operation.START_SLEEP,
    States.LIVE: Operation.START_LIVE,
}


def require(record: VmRecord, operation: Operation) -> VmState:
    """The power state in which an operation leaves a VM.

    Raises:
        RefusedError: the VM is part of a migration, or its power state is not among the row's sources.
    """
    vm = f"VM {record.definition.id}"
    row = TRANSITIONS[operation]
    if record.role is not Role.RESIDENT:
        refuse(
            Reason.MIGRATING, vm, f"it is {record.role}; {operation} waits until its migration is answered"
        )
    if record.power not in row.sources:
        refuse(Reason.WRONG_STATE, vm, f"it is {record.power}; {operation} wants {' or '.join(row.sources)}")
    return record.power if row.target is None else row.target
