"""What is looked at after a migration: whether the guest is where it should be, and what is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from vgpu_migrate.errors import InputError, OutsideError
from vgpu_migrate.vmm.connection import Connection
from vgpu_migrate.vmm.domain_element import NoRecords, SavedRecords, records_in
from vgpu_migrate.vmm.domain_xml import parse_domain
from vgpu_migrate.vmm.judges import Judge
from vgpu_migrate.vmm.libvirt_domain import Domain
from vgpu_migrate.vmm.libvirt_values import DomainState, LibvirtError, MigrationRequest, Status
from vgpu_migrate.vmm.move_picture import Line, Word

SETTLE_S = 15.0
"""Seconds within which a guest's vgpus become active on the destination after it runs there."""
_AGAIN_S = 0.25


class Before(NamedTuple):
    """The guest before the migration, and whether the destination had a definition of it."""

    status: Status
    is_persistent: bool
    is_known_there: bool


def after_arrival(
    uuid: str,
    before: Before,
    source: Connection,
    target: Connection,
    request: MigrationRequest,
    records: SavedRecords | None,
    judge: Judge | None,
) -> tuple[Line, ...]:
    """The lines that verify a migration of which libvirt says that it went well.

    Args:
        uuid: the guest's.
        before: how it was.
        source: where it was.
        target: where it should be.
        request: what was asked of libvirt.
        records: what it should carry; None: nothing is known.
        judge: who knows whether its vgpus are active; None: nobody is asked.
    """
    lines = [
        _told("arrived", lambda: _arrived(target.domain_of(uuid), before, request)),
        _told("source", lambda: _gone(source.domain_of(uuid), before, request)),
    ]
    if records is not None:
        lines.append(_told("record", lambda: _carries(target.domain_of(uuid), records)))
        if judge is not None:
            lines.append(_active(judge, uuid, len(records.vgpus)))
    return tuple(lines)


def _told(check: str, look: Callable[[], Line]) -> Line:
    try:
        return look()
    except (LibvirtError, InputError) as error:
        return Line(check, Word.FAILED, str(error), "look yourself: virsh -c URI list --all, on both hosts")


def _arrived(there: Domain | None, before: Before, request: MigrationRequest) -> Line:
    if there is None:
        return Line("arrived", Word.NO, "the destination does not know the guest", "look on both hosts")
    wanted = before.status.state
    if request.offline:
        wanted = DomainState.OFF
    elif request.paused_on_target:
        wanted = DomainState.PAUSED
    seen = _settled(there, wanted)
    if seen is wanted:
        return Line("arrived", Word.OK, f"{there.name} is {seen} on the destination")
    said = f"{there.name} is {seen} on the destination, wanted {wanted}"
    return Line("arrived", Word.NO, said, f"virsh domstate --reason {there.name}, there")


def _settled(guest: Domain, wanted: DomainState) -> DomainState:
    """Its state, once it is the one that is wanted or a while has passed."""
    end = time.monotonic() + SETTLE_S
    while (seen := guest.status().state) is not wanted and time.monotonic() < end:
        time.sleep(_AGAIN_S)
    return seen


def _gone(here: Domain | None, before: Before, request: MigrationRequest) -> Line:
    keeps = before.is_persistent and not request.undefine_on_source
    state = DomainState.NONE if here is None else here.status().state
    if here is None:
        if keeps:
            return Line("source", Word.NOTE, "the source has no definition of it any more", "virsh define")
        return Line("source", Word.OK, "the source does not know it any more")
    if state.is_active:
        said = f"{here.name} is {state} on the source too"
        return Line("source", Word.NO, said, "end one of the two at once: virsh destroy, where it is older")
    if keeps:
        return Line("source", Word.OK, f"its definition stays on the source, {state}")
    return Line(
        "source", Word.NO, "its definition is on the source still", f"virsh undefine {here.name}, there"
    )


def _carries(there: Domain | None, records: SavedRecords) -> Line:
    if there is None:
        return Line("record", Word.NO, "the destination does not know the guest", "look on both hosts")
    found = records_in(parse_domain(there.xml().encode("utf-8")))
    if isinstance(found, NoRecords):
        return Line(
            "record", Word.NO, f"on the destination {found.reason}", "vgpu-migrate vm watch takes a new one"
        )
    # The devices may be others: the destination's hook may have chosen free ones.
    if [vgpu.record for vgpu in found.vgpus] != [vgpu.record for vgpu in records.vgpus]:
        said = "on the destination it carries another record than it left with"
        return Line(
            "record", Word.NOTE, said, "something has taken a new one, or vgpu-migrate vm metadata shows"
        )
    return Line("record", Word.OK, "it carries its record")


def _active(judge: Judge, uuid: str, wanted: int) -> Line:
    end = time.monotonic() + SETTLE_S
    while True:
        try:
            seen = judge.active_vgpus(uuid)
        except OutsideError as error:
            return Line("vgpus", Word.FAILED, str(error), "vgpu-migrate host vgpus, on the destination")
        if seen is None:
            return Line("vgpus", Word.NOTE, f"whether its vgpus are active is not known to {judge.name}")
        if seen == wanted:
            return Line("vgpus", Word.OK, f"{seen} of {wanted} vgpus are active there, says {judge.name}")
        if time.monotonic() >= end:
            said = f"{seen} of {wanted} vgpus are active there, says {judge.name}"
            return Line("vgpus", Word.NO, said, "nvidia-smi vgpu and the guest's log, on the destination")
        time.sleep(_AGAIN_S)


def after_failure(uuid: str, before: Before, source: Connection, target: Connection) -> tuple[Line, ...]:
    """The lines that say how things stand after a migration that did not come to its end.

    Args:
        uuid: the guest's.
        before: how it was.
        source: where it should still be, as it was.
        target: where nothing should be that was not there before.
    """
    lines = [_told("guest", lambda: _still_here(source.domain_of(uuid), before))]
    left = _told("destination", lambda: _left(target.domain_of(uuid), before))
    return (*lines, left)


def _still_here(here: Domain | None, before: Before) -> Line:
    wanted = before.status.state
    if here is None:
        return Line("guest", Word.NO, "the source does not know it any more", "look on the destination")
    seen = _settled(here, wanted)
    if seen is wanted:
        return Line("guest", Word.OK, f"{here.name} is {seen} on the source, as before")
    said = f"{here.name} is {seen} on the source, it was {wanted}"
    if seen is DomainState.PAUSED:
        return Line(
            "guest", Word.NO, said, f"virsh resume {here.name}, once it does not run on the destination"
        )
    return Line("guest", Word.NO, said, f"virsh domstate --reason {here.name}")


def _left(there: Domain | None, before: Before) -> Line:
    if there is None:
        return Line("destination", Word.OK, "nothing of it is left there")
    state = there.status().state
    if state.is_active:
        return Line(
            "destination",
            Word.NO,
            f"{there.name} is {state} there",
            f"where the source runs it: virsh destroy {there.name}, there",
        )
    if before.is_known_there:
        return Line("destination", Word.OK, "its definition is there, as before")
    said = f"a definition of {there.name} is left there"
    return Line("destination", Word.NOTE, said, f"virsh undefine {there.name}, there")
