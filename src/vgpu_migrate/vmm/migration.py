"""A guest's migration as a whole: its fresh record in its domain, the transfer, and what is seen afterwards.

Where the guest did not arrive, what was changed is put back: the record that it carried, the limit of
downtime. On the destination nothing is changed: what is left there is named, and an operator decides.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from vgpu_migrate.vmm.aftermath import Before, after_arrival, after_failure
from vgpu_migrate.vmm.connection import Connection
from vgpu_migrate.vmm.domain_element import NAME, NAMESPACE, SavedRecords
from vgpu_migrate.vmm.guests import write_records
from vgpu_migrate.vmm.judges import Judge
from vgpu_migrate.vmm.libvirt_domain import Domain
from vgpu_migrate.vmm.libvirt_values import JobStatistics, LibvirtError, MigrationRequest
from vgpu_migrate.vmm.move_picture import Line, Word
from vgpu_migrate.vmm.transfer import Ending, Progress, Transferred, transfer

_DECLARED = re.compile(rb"""\s+xmlns:([A-Za-z_][A-Za-z0-9_.-]*)=["']urn:vgpu-migrate:domain:1["']""")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done.

    Attributes:
        request: how libvirt is to migrate.
        records: the fresh ones of its vgpus; None: its metadata stays as it is.
        peer_to_peer: its own libvirtd opens this URI and manages; None: this process does.
        deadline_s: seconds after which it is given up; None: never.
        max_downtime_ms: how long it may be stopped; None: as libvirt does.
    """

    request: MigrationRequest
    records: SavedRecords | None = None
    peer_to_peer: str | None = None
    deadline_s: float | None = None
    max_downtime_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """How a migration ended.

    Attributes:
        transferred: the ending, and the sentence to it.
        statistics: what libvirt counted of one that arrived; None where it keeps none.
        lines: what was seen afterwards: of an arrival its verification, else what was put back or is left.
    """

    transferred: Transferred
    statistics: JobStatistics | None
    lines: tuple[Line, ...]

    @property
    def is_good(self) -> bool:
        """It arrived, and everything is as it should be."""
        return self.transferred.ending is Ending.MIGRATED and all(
            line.word in (Word.OK, Word.NOTE) for line in self.lines
        )


def migrate(
    guest: Domain,
    source: Connection,
    target: Connection,
    order: Order,
    *,
    judge: Judge | None,
    stop: threading.Event,
    show: Callable[[Progress], None],
) -> Moved:
    """Migrate a guest that the pre-flight let go.

    Args:
        guest: the guest, a handle of `source`.
        source: where it is.
        target: where it is to go.
        order: how.
        judge: who is asked afterwards whether its vgpus are active there; None: nobody.
        stop: set by whoever wants it given up.
        show: called a few times a second with how far it is.

    Raises:
        LibvirtError: its record cannot be put into its domain; nothing has happened then.
    """
    before = Before(guest.status(), guest.is_persistent(), target.domain_of(guest.uuid) is not None)
    undo = _Undo(guest, before)
    try:
        if order.records is not None:
            undo.keep_element()
            write_records(guest, order.records)
        if order.max_downtime_ms is not None:
            undo.keep_downtime()
            guest.set_max_downtime(order.max_downtime_ms)
    except LibvirtError:
        undo.put_back()
        raise
    if stop.is_set():
        done = Transferred(Ending.STOPPED, "it was stopped before it began", 0.0)
    else:
        done = transfer(
            guest, lambda: _call(guest, target, order), deadline_s=order.deadline_s, stop=stop, show=show
        )
    if done.ending is Ending.MIGRATED:
        lines = after_arrival(guest.uuid, before, source, target, order.request, order.records, judge)
        return Moved(done, _completed(guest, target), lines)
    return Moved(done, None, (*undo.put_back(), *after_failure(guest.uuid, before, source, target)))


def _call(guest: Domain, target: Connection, order: Order) -> None:
    if order.peer_to_peer is None:
        guest.migrate(target, order.request)
    else:
        guest.migrate_peer_to_peer(order.peer_to_peer, order.request)


def _completed(guest: Domain, target: Connection) -> JobStatistics | None:
    """The statistics of the migration: the destination keeps them; the source only while it has a guest."""
    try:
        there = target.domain_of(guest.uuid)
        return None if there is None else there.completed_job()
    except LibvirtError:
        return None


def _without_declaration(element: bytes) -> tuple[bytes, str]:
    """An element as `Domain.set_element` takes it, which declares the prefix itself, and that prefix.

    libvirt gives back the declaration of a prefix that came with the element.
    """
    head, end, rest = element.partition(b">")
    found = _DECLARED.search(head)
    if found is None:
        return element, NAME
    return head[: found.start()] + head[found.end() :] + end + rest, found[1].decode("ascii")


class _Undo:
    """What was changed on the guest, and how it was before."""

    def __init__(self, guest: Domain, before: Before) -> None:
        self._guest = guest
        self._before = before
        self._elements: tuple[bytes | None, bytes | None] | None = None
        self._downtime_ms: int | None = None

    def keep_element(self) -> None:
        """Remember what record it carries, running and in its definition."""
        before = self._before
        running = self._guest.element(namespace=NAMESPACE) if before.status.state.is_active else None
        kept = self._guest.element(namespace=NAMESPACE, kept=True) if before.is_persistent else None
        self._elements = running, kept

    def keep_downtime(self) -> None:
        """Remember its limit of downtime."""
        self._downtime_ms = self._guest.max_downtime()

    def put_back(self) -> tuple[Line, ...]:
        """Put everything back, and say what became of it."""
        lines = []
        if self._elements is not None:
            lines.append(self._put_back_element(*self._elements))
        if self._downtime_ms is not None:
            try:
                self._guest.set_max_downtime(self._downtime_ms)
            except LibvirtError as error:
                remedy = f"virsh migrate-setmaxdowntime {self._guest.name} {self._downtime_ms}"
                lines.append(Line("downtime", Word.NOTE, f"the limit is not put back: {error.said}", remedy))
        return tuple(lines)

    def _put_back_element(self, running: bytes | None, kept: bytes | None) -> Line:
        try:
            for found, is_running in ((running, True), (kept, False)):
                element, prefix = (None, NAME) if found is None else _without_declaration(found)
                self._guest.set_element(
                    element, namespace=NAMESPACE, prefix=prefix, running=is_running, kept=not is_running
                )
        except LibvirtError as error:
            said = f"the record that it carried before is not put back: {error.said}"
            return Line(
                "record", Word.NO, said, "the fresh one stands there; vgpu-migrate vm metadata shows it"
            )
        had = (
            "the record that it carried before is put back"
            if running or kept
            else "it carries none, as before"
        )
        return Line("record", Word.OK, had)
