"""What a guest's element should say now, and why it is written: pure, of values that were taken before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from vgpu_migrate.nvml import GuestInfoState, VgpuMetadata
from vgpu_migrate.vmm.boots import Life, whole_second
from vgpu_migrate.vmm.domain_element import NoRecords, SavedRecords, SavedVgpu, Trouble
from vgpu_migrate.vmm.guests import Guest
from vgpu_migrate.vmm.taking import NotTaken, Taken

SETTLES = timedelta(seconds=5)
"""So long after a boot a record that is still that of the boot before is not believed."""


class Deed(StrEnum):
    """What is done to the element."""

    PUBLISHED = "published"
    """Records that the driver has just given."""
    MARKED_STALE = "marked-stale"
    """The guest has booted since, and the driver has no new ones."""
    REMOVED = "removed"
    """The guest has no vGPU any more."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What to write, and why, in words; `records` is None where the element is to go."""

    records: SavedRecords | None
    deed: Deed
    why: str


def fresh_records(
    vgpus: tuple[SavedVgpu, ...], guest: Guest, life: Life, *, host: str, now: datetime
) -> SavedRecords:
    """The records of a guest that the driver has just given.

    Args:
        vgpus: as the driver gave them.
        guest: whose they are.
        life: the boot that it is in.
        host: where they were taken.
        now: when.
    """
    taken = max(whole_second(now), life.boot)
    return SavedRecords(vgpus, taken, life.boot, life.boot, guest.state, host)


def publication(guest: Guest, vgpus: Taken, life: Life, *, host: str, now: datetime) -> Publication | None:
    """What to write into a guest; None: what it carries is right.

    Args:
        guest: it, with what it carries.
        vgpus: the driver's fresh records of it, or why there are none.
        life: the boot that it is in.
        host: this host's name.
        now: this moment.
    """
    written = guest.written
    if isinstance(vgpus, NotTaken) and vgpus.has_none and _has_lost_all(guest, life, now=now):
        return Publication(None, Deed.REMOVED, "the devices that it names are not the guest's any more")
    if isinstance(vgpus, NotTaken) or is_left_over(written, vgpus, life, now=now):
        if isinstance(written, NoRecords) or written.last_boot is None or written.last_boot >= life.boot:
            return None
        stale = replace(written, last_boot=life.boot)
        return Publication(stale, Deed.MARKED_STALE, "it has booted, and there is no record of this boot yet")
    fresh = fresh_records(vgpus, guest, life, host=host, now=now)
    why = _difference(written, fresh)
    return None if why is None else Publication(fresh, Deed.PUBLISHED, why)


def _has_lost_all(guest: Guest, life: Life, *, now: datetime) -> bool:
    """Whether the devices of its records were taken away from the guest.

    Only where each record names one: without a name, that the driver has no vgpu now may pass.
    """
    if isinstance(guest.written, NoRecords) or (life.turned is not None and now - life.turned < SETTLES):
        return False
    return not guest.vgpu_devices and all(vgpu.device for vgpu in guest.written.vgpus)


def is_left_over(
    written: SavedRecords | NoRecords, vgpus: tuple[SavedVgpu, ...], life: Life, *, now: datetime
) -> bool:
    """Whether the driver may not know of a boot yet: it says just now what it said in the boot before."""
    if life.turned is None or now - life.turned >= SETTLES:
        return False
    if isinstance(written, NoRecords) or written.boot == life.boot:
        return False
    has_reported = any(vgpu.guest_info is GuestInfoState.INITIALIZED for vgpu in vgpus)
    return has_reported and [one.record for one in vgpus] == [one.record for one in written.vgpus]


def _difference(written: SavedRecords | NoRecords, fresh: SavedRecords) -> str | None:
    """Why the fresh records are to be written in the place of those; None where they say the same."""
    if isinstance(written, NoRecords):
        return "its first" if written.trouble is Trouble.ABSENT else f"in the place of one: {written.reason}"
    if written.taken is None:
        return "in the place of XenServer's"
    if written == replace(fresh, taken=written.taken):
        return None
    if (written.boot, written.last_boot) != (fresh.boot, fresh.last_boot):
        return "it has booted"
    if written.host != fresh.host:
        return f"it has come from {written.host or 'another host'}"
    if _reported(written) != _reported(fresh):
        return "its guest driver has reported" if _reported(fresh) else "its guest driver has gone"
    if written.vgpus != fresh.vgpus:
        return "its vgpus have changed"
    return f"it is {fresh.state} now"


def _reported(records: SavedRecords) -> int:
    return sum(vgpu.guest_info is GuestInfoState.INITIALIZED for vgpu in records.vgpus)


def spell_vgpus(records: SavedRecords) -> str:
    """`L40S-12Q on mdev:…, guest driver 550.54.14`, for each vgpu."""
    return "; ".join(map(_spell, records.vgpus))


def _spell(vgpu: SavedVgpu) -> str:
    fields = VgpuMetadata.from_fixed_part(vgpu.record)
    has_reported = fields.guest_info_state is GuestInfoState.INITIALIZED
    said = f"guest driver {fields.guest_driver_version}" if has_reported else "guest driver not reported yet"
    return f"{vgpu.type or 'vgpu'}{f' on {vgpu.device}' if vgpu.device else ''}, {said}"
