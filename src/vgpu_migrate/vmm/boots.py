"""When a guest's present boot began, as far as is known.

An event tells it: a start that is a boot, or a reboot. A guest that comes by migration or from a saved image
goes on in the boot that its element names. One that was there before this program looked booted when its
element says, or since: where libvirt says that it runs because it was booted, and its process is younger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vgpu_migrate.vmm.domain_element import NoRecords
from vgpu_migrate.vmm.guests import Guest
from vgpu_migrate.vmm.libvirt_values import Event, EventKind

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Life:
    """A guest's run on this host.

    Attributes:
        id: libvirt's number of the run; None where it has not been looked at since it started.
        boot: when the present boot began: UTC, to the second.
        turned: when this program learned of it; None where it did not see the boot begin.
    """

    id: int | None
    boot: datetime
    turned: datetime | None = None


def whole_second(when: datetime) -> datetime:
    """UTC, to the second, as the element says times."""
    return when.astimezone(UTC).replace(microsecond=0)


def first_life(guest: Guest, *, now: datetime, started: datetime | None) -> Life:
    """The run of a guest that was there before this program looked.

    Args:
        guest: it.
        now: this moment.
        started: when its process on this host did, where that is known.
    """
    said = None if isinstance(guest.written, NoRecords) else guest.written.last_boot
    if guest.status.reason == "booted" and started is not None and (said is None or said < started):
        return Life(guest.id, whole_second(started))
    return Life(guest.id, whole_second(said or now))


def after_event(life: Life | None, event: Event) -> Life | None:
    """The run after an event; None where it has to be found out (`first_life`)."""
    if event.kind is EventKind.REBOOTED:
        return _booted(life, event.at, number=None if life is None else life.id)
    if event.kind is EventKind.STARTED:
        return _booted(life, event.at, number=None) if event.detail == "booted" else None
    return life


def _booted(life: Life | None, at: datetime, *, number: int | None) -> Life:
    """The run after a boot at that moment, which is later than the one before even within a second."""
    boot = whole_second(at)
    if life is not None and boot <= life.boot:
        boot = life.boot + SECOND
    return Life(number, boot, at)


def process_start(name: str, domains: Path) -> datetime | None:
    """When the process of a guest started, by the file of its number that libvirt keeps; None: not known."""
    try:
        written = (domains / f"{name}.pid").stat().st_mtime
    except (OSError, ValueError):
        return None
    return datetime.fromtimestamp(written, UTC)
