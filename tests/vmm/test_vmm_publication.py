"""What a guest should carry, which boot it is in, which of the driver's vgpus are its own: values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.vmm.guests import (
    BOOT,
    LATER,
    MDEV,
    OTHER_MDEV,
    a_domain,
    a_record,
    an_element,
    function,
    mdev,
    some_records,
    xenserver,
)

from vgpu_migrate.vmm.boots import SECOND, Life, after_event, first_life
from vgpu_migrate.vmm.domain_element import GuestState, SavedRecords, SavedVgpu
from vgpu_migrate.vmm.free_devices import Device
from vgpu_migrate.vmm.guests import Guest, guest_of
from vgpu_migrate.vmm.libvirt_values import DomainState, Event, EventKind, Status
from vgpu_migrate.vmm.local_driver import LocalVgpu
from vgpu_migrate.vmm.publication import SETTLES, Deed, Publication, publication
from vgpu_migrate.vmm.taking import HostVgpus, Matched, NotTaken, match

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"
GPU = "0000:3b:00.0"
REPORTED = SavedVgpu(a_record(), "L40S-12Q", f"mdev:{MDEV}")
SILENT = replace(REPORTED, record=a_record(guest_info=False))
NONE = NotTaken("this host's driver has no active vgpu of it", has_none=True)
RUNNING = Status(DomainState.RUNNING, "booted")


def a_guest(
    element: bytes = b"", devices: list[bytes] | None = None, status: Status = RUNNING, number: int = 1
) -> Guest:
    """A running guest with a mediated device, or with others."""
    xml = a_domain(element, [mdev()] if devices is None else devices).decode()
    return guest_of(xml, name="g", uuid=UUID, number=number, status=status)


def carrying(*vgpus: SavedVgpu, **changes: Any) -> Guest:
    """A guest that carries records taken on h1."""
    return a_guest(an_element(some_records(*(vgpus or (REPORTED,)), **{"host": "h1", **changes})))


def wanted(guest: Guest, taken: Any, life: Life | None = None, now: datetime = LATER) -> Publication | None:
    """What is to be written on h1 into a guest, by default in the boot of BOOT."""
    return publication(guest, taken, life or Life(1, BOOT), host="h1", now=now)


@pytest.mark.parametrize(
    ("guest", "taken", "why"),
    [
        (a_guest(), (SILENT,), "its first"),
        (a_guest(), (REPORTED,), "its first"),
        (carrying(SILENT), (REPORTED,), "its guest driver has reported"),
        (carrying(REPORTED), (SILENT,), "its guest driver has gone"),
        (carrying(host="h0"), (REPORTED,), "it has come from h0"),
        (carrying(state=GuestState.PAUSED), (REPORTED,), "it is running now"),
        (carrying(replace(REPORTED, device="")), (REPORTED,), "its vgpus have changed"),
        (carrying(), (REPORTED, REPORTED), "its guest driver has reported"),
        (a_guest(xenserver(a_record())), (REPORTED,), "in the place of XenServer's"),
        (
            a_guest(an_element().replace(b'count="1"', b'count="3"')),
            (REPORTED,),
            "in the place of one: its saved record is damaged: 1 vgpus, its count says 3",
        ),
    ],
)
def test_what_differs_is_published_and_why_is_told(guest: Guest, taken: Any, why: str) -> None:
    """Records that the driver has just given replace others, with this moment, this boot and this host."""
    records = SavedRecords(taken, LATER, BOOT, BOOT, GuestState.RUNNING, "h1")
    assert wanted(guest, taken) == Publication(records, Deed.PUBLISHED, why)


def test_what_is_right_stays() -> None:
    """An element that says all but the moment is not written again."""
    assert wanted(carrying(), (REPORTED,), now=LATER + timedelta(days=1)) is None


def test_a_boot_makes_the_record_stale_where_there_is_none_of_it() -> None:
    """Without fresh records the element's last boot moves on, once, and all else stays."""
    boot = LATER + SECOND
    found = wanted(carrying(), NotTaken("away"), Life(1, boot), boot)
    assert found is not None
    assert found.deed is Deed.MARKED_STALE
    assert found.records == replace(some_records(REPORTED, host="h1"), last_boot=boot)
    stale = carrying(last_boot=boot)
    assert wanted(stale, NotTaken("away"), Life(1, boot), boot) is None
    assert wanted(a_guest(), NotTaken("away"), Life(1, boot), boot) is None
    assert wanted(a_guest(xenserver(a_record())), NotTaken("away"), Life(1, boot), boot) is None


def test_what_the_driver_said_in_the_boot_before_is_not_believed_at_once() -> None:
    """Right after a boot the same bytes may be left over; after five seconds they are the new ones."""
    boot = LATER + SECOND
    life = Life(1, boot, boot)
    early = wanted(carrying(), (REPORTED,), life, boot + SETTLES - SECOND)
    late = wanted(carrying(), (REPORTED,), life, boot + SETTLES)
    other = wanted(carrying(), (SILENT,), life, boot)
    silent = wanted(carrying(SILENT), (SILENT,), life, boot)
    deeds = [found.deed for found in (early, late, other, silent) if found is not None]
    assert deeds == [Deed.MARKED_STALE, Deed.PUBLISHED, Deed.PUBLISHED, Deed.PUBLISHED]
    assert late is not None
    assert late.why == "it has booted"


def test_a_record_of_devices_that_were_taken_away_is_removed() -> None:
    """A guest without any of the devices that its record names has no vGPU, unless the driver says so."""
    bare = a_guest(an_element(some_records(REPORTED, host="h1")), [])
    gone = Publication(None, Deed.REMOVED, "the devices that it names are not the guest's any more")
    assert wanted(bare, NONE) == gone
    assert wanted(bare, NotTaken("away")) is None
    assert wanted(bare, NONE, Life(1, BOOT, LATER)) is None
    assert wanted(carrying(), NONE) is None
    nameless = a_guest(an_element(some_records(replace(REPORTED, device=""), host="h1")), [])
    assert wanted(nameless, NONE) is None


def test_records_are_not_taken_before_the_boot() -> None:
    """Where two boots fall into one second the second counts as later, and its records as taken in it."""
    life = after_event(Life(1, BOOT), Event(EventKind.REBOOTED, UUID, "g", BOOT))
    assert life == Life(1, BOOT + SECOND, BOOT)
    found = wanted(a_guest(), (SILENT,), life, BOOT)
    assert found is not None
    assert found.records is not None
    assert found.records.taken == BOOT + SECOND


@pytest.mark.parametrize(
    ("kind", "detail", "life"),
    [
        (EventKind.STARTED, "booted", Life(None, LATER, LATER)),
        (EventKind.REBOOTED, "", Life(1, LATER, LATER)),
        (EventKind.STARTED, "migrated", None),
        (EventKind.STARTED, "restored", None),
        (EventKind.SUSPENDED, "paused", Life(1, BOOT)),
        (EventKind.RESUMED, "migrated", Life(1, BOOT)),
        (EventKind.STOPPED, "shutdown", Life(1, BOOT)),
    ],
)
def test_events_tell_boots(kind: EventKind, detail: str, life: Life | None) -> None:
    """A start that is a boot and a reboot begin one; who comes otherwise says itself in which it is."""
    assert after_event(Life(1, BOOT), Event(kind, UUID, "g", LATER, detail)) == life


@pytest.mark.parametrize(
    ("reason", "started", "boot"),
    [
        ("booted", LATER, LATER),
        ("booted", BOOT - SECOND, BOOT),
        ("booted", None, BOOT),
        ("migrated", LATER, BOOT),
        ("restored", LATER, BOOT),
        ("unpaused", LATER, BOOT),
    ],
)
def test_the_boot_of_a_guest_that_was_there(reason: str, started: datetime | None, boot: datetime) -> None:
    """It is what its element says, unless it was booted here by a process that is younger than that."""
    guest = replace(carrying(), status=Status(DomainState.RUNNING, reason))
    assert first_life(guest, now=LATER + SECOND, started=started) == Life(1, boot)


def test_the_boot_of_a_guest_that_says_nothing() -> None:
    """It is its process's start if it was booted here, else it counts from now on."""
    assert first_life(a_guest(), now=LATER, started=BOOT) == Life(1, BOOT)
    assert first_life(a_guest(), now=LATER, started=None) == Life(1, LATER)
    moved = a_guest(status=Status(DomainState.RUNNING, "migrated"))
    assert first_life(moved, now=LATER.replace(microsecond=7), started=BOOT) == Life(1, LATER)
    assert first_life(moved, now=datetime(2026, 1, 1, tzinfo=UTC), started=None).boot.microsecond == 0


def a_vgpu(instance: int, *, vm: str = UUID, uuid: str | None = None, gpu: str = GPU) -> LocalVgpu:
    """A vgpu as the driver tells it."""
    return LocalVgpu(instance, gpu, vm, uuid, "NVIDIA L40S-12Q")


def a_host(*vgpus: LocalVgpu, devices: tuple[Device, ...] = ()) -> HostVgpus:
    """A host with these vgpus and virtual functions."""
    return HostVgpus(vgpus, {device.id: device for device in devices})


def test_vgpus_find_their_devices() -> None:
    """Mediated devices are found by their UUID and keep the order of the guest's XML."""
    first, second = a_vgpu(1, uuid=OTHER_MDEV), a_vgpu(2, uuid=MDEV)
    guest = a_guest(devices=[mdev(MDEV), mdev(OTHER_MDEV)])
    found = match(guest, a_host(first, second, a_vgpu(3, vm="another")))
    assert found == (Matched(second, f"mdev:{MDEV}"), Matched(first, f"mdev:{OTHER_MDEV}"))


def test_virtual_functions_are_found_by_gpu_and_type() -> None:
    """Which function a vgpu is on the driver does not say: gpu and type do, where they differ."""
    ours = Device("pci:0000:3b:00.4", "L40S-12Q", "0000:3b:00.0")
    other = Device("pci:0000:3b:00.5", "L40S-12Q", "0000:5e:00.0")
    guest = a_guest(devices=[function(number=4), function(number=5), function(slot=9)])
    first, second = a_vgpu(1, gpu=other.gpu), a_vgpu(2, gpu=ours.gpu)
    found = match(guest, a_host(first, second, devices=(ours, other)))
    assert found == (Matched(second, ours.id), Matched(first, other.id))


def test_vgpus_without_a_device_come_last() -> None:
    """A vgpu that the driver has of a guest counts, also where its device is not known."""
    found = match(a_guest(), a_host(a_vgpu(7), a_vgpu(3)))
    assert found == (Matched(a_vgpu(3), f"mdev:{MDEV}"), Matched(a_vgpu(7), ""))


def test_half_a_set_of_vgpus_is_none() -> None:
    """While a guest's vgpus are still coming up there is no record of it."""
    guest = a_guest(devices=[mdev(MDEV), mdev(OTHER_MDEV)])
    assert match(guest, a_host(a_vgpu(1, uuid=MDEV))) == NotTaken(
        "it is given 2 vgpu devices, this host's driver has 1 active"
    )
    assert match(guest, a_host()) == NONE


@pytest.mark.parametrize(
    ("status", "is_busy", "state"),
    [
        (Status(DomainState.RUNNING, "booted"), False, GuestState.RUNNING),
        (Status(DomainState.BLOCKED, "unknown"), False, GuestState.RUNNING),
        (Status(DomainState.PAUSED, "user"), False, GuestState.PAUSED),
        (Status(DomainState.PAUSED, "migration"), True, GuestState.PAUSED),
        (Status(DomainState.PAUSED, "starting-up"), True, GuestState.PAUSED),
        (Status(DomainState.SUSPENDED, "unknown"), False, GuestState.SLEEPING),
    ],
)
def test_states_of_guests(status: Status, is_busy: bool, state: GuestState) -> None:
    """libvirt's states are the element's, and it is left alone while libvirt is at work on it."""
    guest = a_guest(status=status)
    assert (guest.is_busy, guest.state) == (is_busy, state)


def test_devices_of_guests() -> None:
    """Mediated devices are vgpus for sure, PCI ones where the element lists them."""
    listed = SavedVgpu(a_record(), "L40S-12Q", "pci:0000:3b:00.4")
    devices = [function(number=4), function(number=5), mdev()]
    plain, known = a_guest(devices=devices), a_guest(an_element(some_records(listed)), devices)
    assert plain.vgpu_devices == (f"mdev:{MDEV}",)
    assert known.vgpu_devices == ("pci:0000:3b:00.4", f"mdev:{MDEV}")
    assert not a_guest(devices=devices[:2]).has_vgpu
