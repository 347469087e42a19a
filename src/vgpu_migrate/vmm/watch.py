"""The watch: keeps the record in every guest of this host that has a vGPU, whoever starts and moves it.

libvirt's events say when to look, and a clock when there are none. Each look is the same: what every running
guest carries is compared with what the driver says, and written where it differs. libvirtd and the driver may
go away and come back. The driver is opened for each look alone, so that it can be unloaded meanwhile.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from vgpu_migrate.errors import InputError, OutsideError, RecordError
from vgpu_migrate.vmm.boots import Life, after_event, first_life, process_start
from vgpu_migrate.vmm.connection import Connection, connect
from vgpu_migrate.vmm.domain_element import NAMESPACE, SavedRecords
from vgpu_migrate.vmm.guests import Guest, read_guest, remove_records, write_records
from vgpu_migrate.vmm.hook_settings import HookSettings
from vgpu_migrate.vmm.in_time import Asker
from vgpu_migrate.vmm.libvirt_domain import Domain
from vgpu_migrate.vmm.libvirt_library import library
from vgpu_migrate.vmm.libvirt_values import ErrorCode, Event, EventKind, LibvirtError
from vgpu_migrate.vmm.local_driver import DriverCallError, LocalDriver, local_driver
from vgpu_migrate.vmm.publication import Deed, Publication, publication, spell_vgpus
from vgpu_migrate.vmm.taking import HostVgpus, NotTaken, Taken, look_at_host, take

SOON_S = 2.0
"""Until the next look where something could not be done yet."""
GATHERS_S = 0.1
"""Events so close behind each other lead to one look."""
YOUNG = timedelta(seconds=30)
"""So long after a boot the driver may still be about to know the guest's vgpus."""
LONGEST_PAUSE_S = 30.0
"""Between two attempts to reach libvirtd, at most."""


class News(StrEnum):
    """What the watch tells."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    DRIVER_AWAY = "driver-away"
    DRIVER_BACK = "driver-back"
    PUBLISHED = "published"
    MARKED_STALE = "marked-stale"
    REMOVED = "removed"
    NOT_WRITTEN = "not-written"
    NO_RECORD = "no-record"
    """A guest with a vGPU whose record cannot be taken."""


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that happened or was done; `records` are those written."""

    news: News
    at: datetime
    says: str
    guest: str | None = None
    uuid: str | None = None
    records: SavedRecords | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: guests with a vGPU, those with a good record, and whether to look again soon."""

    at: datetime
    guests: int
    good: int
    is_again_soon: bool
    is_driver_away: bool = False


class _Kept(NamedTuple):
    """What came of one guest."""

    has_vgpu: bool
    is_good: bool
    is_again_soon: bool


_DRIVER = ""
"""In the place of a guest's UUID, for what was said of the driver."""
_SPELLED = {
    Deed.PUBLISHED: "record published",
    Deed.MARKED_STALE: "record marked stale",
    Deed.REMOVED: "record removed",
}


class Watch:
    """The guests of one libvirtd. One thread runs it; `stop` may come from any, and from a signal handler."""

    def __init__(
        self, uri: str, settings: HookSettings, tell: Callable[[Report], None], *, interval_s: float
    ) -> None:
        """A watch that has not begun.

        Args:
            uri: libvirt's.
            settings: which driver is this host's, and where sysfs and libvirt's state are.
            tell: hears every report, in order.
            interval_s: seconds between two looks without an event.
        """
        self._uri = uri
        self._settings = settings
        self._tell = tell
        self._interval_s = interval_s
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._lives: dict[str, Life] = {}
        self._said: dict[str, str] = {}
        self._stopping = threading.Event()
        self._driver = Asker("the watch asks the driver")

    def stop(self) -> None:
        """End it soon."""
        self._stopping.set()
        self._events.put(None)

    def once(self) -> Look:
        """Look once.

        Raises:
            LibvirtError: libvirtd cannot be reached. That the driver does not answer is in what was found.
        """
        with connect(self._uri) as connection:
            return self._look(connection)

    def run(self) -> None:
        """Look until `stop`.

        Raises:
            OutsideError: libvirt-python is not installed. Everything else passes.
        """
        library()
        pause_s = 1.0
        while not self._stopping.is_set():
            try:
                with connect(self._uri) as connection, connection.listening(self._events.put):
                    self._report(News.CONNECTED, f"watching the guests of {self._uri}")
                    pause_s = 1.0
                    self._serve(connection)
            except LibvirtError as error:
                if self._stopping.is_set():
                    return
                self._report(News.DISCONNECTED, f"{error}; next attempt in {pause_s:g} s")
                self._events = queue.SimpleQueue()
                self._wait(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _serve(self, connection: Connection) -> None:
        """Look at each event and each interval, until the connection is lost or `stop`."""
        while not self._stopping.is_set():
            look = self._look(connection)
            is_open = self._wait(min(SOON_S, self._interval_s) if look.is_again_soon else self._interval_s)
            if self._stopping.is_set():
                return
            if not is_open or not connection.is_alive():
                raise _lost(self._uri)

    def _wait(self, seconds: float) -> bool:
        """Wait for an event that matters and for those close behind it; whether the connection is open."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopping.is_set():
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            if event is None:
                break
            if event.kind is EventKind.CLOSED:
                return False
            if self._heed(event):
                end = min(end, time.monotonic() + GATHERS_S)
        return True

    def _heed(self, event: Event) -> bool:
        """Note what an event says of a guest's boot; whether it is a reason to look."""
        if event.kind in (EventKind.ITERATION, EventKind.DEFINED, EventKind.UNDEFINED):
            return False
        if event.kind is EventKind.METADATA:
            return event.detail == NAMESPACE
        life = after_event(self._lives.get(event.uuid), event)
        if life is None:
            self._lives.pop(event.uuid, None)
        else:
            self._lives[event.uuid] = life
        return True

    def _look(self, connection: Connection) -> Look:
        domains = connection.domains(only_active=True)
        there = {domain.uuid for domain in domains}
        self._lives = {uuid: life for uuid, life in self._lives.items() if uuid in there}
        self._said = {name: said for name, said in self._said.items() if name in there | {_DRIVER}}
        guests = list(self._guests(connection, domains))
        if not guests:
            return Look(datetime.now(UTC), 0, 0, False)
        host = connection.hostname()
        taken = self._take([guest for _, guest in guests])
        if self._stopping.is_set():
            return Look(datetime.now(UTC), 0, 0, False)
        kept = [self._keep(domain, guest, taken[guest.uuid], host) for domain, guest in guests]
        return Look(
            datetime.now(UTC),
            sum(one.has_vgpu for one in kept),
            sum(one.is_good for one in kept),
            any(one.is_again_soon for one in kept),
            _DRIVER in self._said,
        )

    def _guests(self, connection: Connection, domains: Sequence[Domain]) -> Iterator[tuple[Domain, Guest]]:
        """The guests that run; one that ends meanwhile is left out, and one that cannot be read."""
        for domain in domains:
            try:
                guest = read_guest(domain)
            except (LibvirtError, InputError) as error:
                if isinstance(error, LibvirtError) and not connection.is_alive():
                    raise
                if getattr(error, "code", None) != ErrorCode.NO_DOMAIN:
                    self._report_once(News.NO_RECORD, domain, f"it cannot be read: {error}")
                continue
            if guest.id is not None:
                yield domain, guest

    def _take(self, guests: Sequence[Guest]) -> dict[str, Taken]:
        """The driver's fresh records of each guest, by UUID."""
        settings = self._settings

        def ask() -> dict[str, Taken]:
            with local_driver(settings.library, socket=settings.socket) as driver:
                host = look_at_host(driver, Path(settings.sysfs))
                return {guest.uuid: _take_of(driver, guest, host) for guest in guests}

        try:
            taken = self._driver.ask(ask, settings.deadline_s, is_given_up=self._stopping.is_set)
        except OutsideError as error:
            if self._stopping.is_set():
                return {}
            reason = f"this host's driver does not answer: {error}"
            if self._said.get(_DRIVER) != reason:
                self._said[_DRIVER] = reason
                self._report(News.DRIVER_AWAY, reason)
            return dict.fromkeys((guest.uuid for guest in guests), NotTaken(reason))
        if self._said.pop(_DRIVER, None) is not None:
            self._report(News.DRIVER_BACK, "this host's driver answers again")
        return taken

    def _keep(self, domain: Domain, guest: Guest, taken: Taken, host: str) -> _Kept:
        """Let a guest carry what it should."""
        has_vgpu = guest.has_vgpu or not isinstance(taken, NotTaken)
        if not has_vgpu:
            return _Kept(False, False, False)
        now = datetime.now(UTC)
        life = self._life(guest, now)
        wanted = publication(guest, taken, life, host=host, now=now)
        if wanted is None:
            self._tell_missing(guest, taken)
            is_good = isinstance(guest.records, SavedRecords)
            is_young = life.turned is not None and now - life.turned < YOUNG
            return _Kept(True, is_good, is_young and not is_good)
        is_written = not guest.is_busy and self._write(domain, guest, wanted)
        is_good = is_written and wanted.deed is Deed.PUBLISHED
        is_done = is_good or (is_written and wanted.deed is Deed.REMOVED)
        return _Kept(not is_done or is_good, is_good, not is_done)

    def _life(self, guest: Guest, now: datetime) -> Life:
        life = self._lives.get(guest.uuid)
        if life is not None and life.id is None:
            life = replace(life, id=guest.id)
        elif life is None or life.id != guest.id:
            started = process_start(guest.name, Path(self._settings.domains))
            life = first_life(guest, now=now, started=started)
        self._lives[guest.uuid] = life
        return life

    def _write(self, domain: Domain, guest: Guest, wanted: Publication) -> bool:
        try:
            if _has_job(domain):
                return False
            if wanted.records is None:
                remove_records(domain)
            else:
                write_records(domain, wanted.records)
        except (LibvirtError, InputError, RecordError) as error:
            if getattr(error, "code", None) != ErrorCode.NO_DOMAIN:
                self._report_once(News.NOT_WRITTEN, guest, f"its record cannot be written: {error}")
            return False
        self._said.pop(guest.uuid, None)
        says = f"{_SPELLED[wanted.deed]} ({wanted.why})"
        if wanted.records is not None:
            says += f": {spell_vgpus(wanted.records)}"
        at = datetime.now(UTC)
        self._tell(Report(News(wanted.deed.value), at, says, guest.name, guest.uuid, wanted.records))
        return True

    def _tell_missing(self, guest: Guest, taken: Taken) -> None:
        """Say once that the driver has nothing of a guest; that the driver is away is told by itself."""
        if not isinstance(taken, NotTaken):
            self._said.pop(guest.uuid, None)
        elif _DRIVER not in self._said:
            self._report_once(News.NO_RECORD, guest, f"no fresh record: {taken.reason}")

    def _report_once(self, news: News, guest: Guest | Domain, says: str) -> None:
        if self._said.get(guest.uuid) != says:
            self._said[guest.uuid] = says
            self._tell(Report(news, datetime.now(UTC), says, guest.name, guest.uuid))

    def _report(self, news: News, says: str) -> None:
        self._tell(Report(news, datetime.now(UTC), says))


def _lost(uri: str) -> LibvirtError:
    said = "the connection is lost"
    return LibvirtError(f"libvirt at {uri}", code=ErrorCode.INTERNAL, from_domain=0, said=said)


def _take_of(driver: LocalDriver, guest: Guest, host: HostVgpus) -> Taken:
    try:
        return take(driver, guest, host)
    except (DriverCallError, RecordError) as error:
        return NotTaken(f"this host's driver fails: {error}")


def _has_job(domain: Domain) -> bool:
    """Whether libvirt is at work on the guest, and would let a change of it wait."""
    try:
        return domain.job().is_running
    except LibvirtError as error:
        if error.code == ErrorCode.NO_SUPPORT:
            return False
        raise
