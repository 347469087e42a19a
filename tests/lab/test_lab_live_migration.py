"""Live migration between two real libvirtds, judged by the installed hook."""

from __future__ import annotations

import pytest
from tests.lab.lab_guest import LabGuest, hook_line
from tests.lab.laboratory import Laboratory
from tests.lab.prerequisites import lab_marks, libvirt

pytestmark = lab_marks

UNWANTED = (
    "0000:01:00.0 allows nothing, limited by host_driver; "
    "0000:02:00.0 allows nothing, limited by host_driver, gpu"
)
"""What host b says of its gpus, an L40S and a T4, when its range is made incompatible."""


def refused(guest: LabGuest, reason: str, *, operation: str = "migrate") -> str:
    """The hook's line."""
    return f"vgpu-migrate: guest {guest.name}, {operation} begin: refused: {reason}"


def no_gpu(number: int = 0) -> str:
    """That a vgpu may not come where the range is made incompatible."""
    return f"vgpu {number} (L40S-12Q) may not go on live on any gpu of this host: {UNWANTED}"


def test_a_compatible_guest_goes_on_at_the_target_where_it_stopped(lab: Laboratory, guest: LabGuest) -> None:
    """It ticks on without booting, its device's memory and its record are there, its VM has followed."""
    guest.write_device(lab.a, 0xC0FFEE)
    guest.wait_for_tick(lab.a)
    carried = guest.carried(lab.a)
    assert carried is not None
    guest.migrate(lab.b)
    guest.wait_for_tick(lab.b)
    here, there = lab.a.console(guest.name), lab.b.console(guest.name)
    assert there.boots == 0
    assert there.ticks[0] == here.ticks[-1] + 1
    assert there.device_words[0] == 0xC0FFEE
    assert guest.device_count(lab.b) >= there.ticks[0]
    assert guest.carried(lab.b) == carried
    assert not guest.is_defined(lab.a)
    assert guest.wait_for_vm(lab.b).types == ("L40S-12Q",)


def test_an_incompatible_guest_never_stops(lab: Laboratory, guest: LabGuest) -> None:
    """The target's hook refuses before memory is sent; the source sees why, and nothing is left behind."""
    lab.make_incompatible(lab.b)
    ticked, happened = guest.wait_for_tick(lab.a), lab.events(guest)
    assert guest.refusal(lab.b) == refused(guest, no_gpu())
    assert guest.is_running(lab.a)
    assert guest.wait_for_tick(lab.a) > ticked
    assert lab.a.console(guest.name).boots == 1
    assert not guest.is_defined(lab.b)
    assert lab.b.console(guest.name).text == ""
    assert not lab.b.device_memory(guest.name).exists()
    assert lab.events(guest) == happened


def test_the_way_of_a_migration_does_not_matter(lab: Laboratory, guest: LabGuest) -> None:
    """The source's libvirtd may migrate by itself, also through its own connection, and is refused alike."""
    peer = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER
    ways = (peer, peer | libvirt.VIR_MIGRATE_TUNNELLED)
    lab.make_incompatible(lab.b)
    domain = guest.domain(lab.a)
    for flags in ways:
        with pytest.raises(libvirt.libvirtError) as raised:
            domain.migrateToURI3("qemu+tcp://b/system", {}, flags)
        assert hook_line(raised.value) == refused(guest, no_gpu())
    lab.b.vgpu.lift_range()
    domain.migrateToURI3("qemu+tcp://b/system", {}, ways[1])
    guest.wait_for_tick(lab.b)
    assert lab.b.console(guest.name).boots == 0


def test_a_guest_may_go_there_and_back(lab: Laboratory, guest: LabGuest) -> None:
    """The record that it carries is good on each host, and so is one taken anew."""
    guest.migrate(lab.b)
    guest.wait_for_vm(lab.b)
    guest.carry_record()
    guest.migrate(lab.a)
    guest.wait_for_vm(lab.a)
    guest.wait_for_tick(lab.a)
    ticks = lab.a.console(guest.name).ticks
    assert ticks == sorted(set(ticks))
    assert lab.a.console(guest.name).boots == 1


def test_a_paused_guest_is_judged_and_stays_paused(lab: Laboratory, guest: LabGuest) -> None:
    """It may come where it may run; its simulated VM is paused there too."""
    guest.domain(lab.a).suspend()
    guest.wait_for_vm(lab.a, "paused")
    lab.make_incompatible(lab.b)
    assert guest.refusal(lab.b) == refused(guest, no_gpu())
    lab.b.vgpu.lift_range()
    guest.migrate(lab.b)
    guest.wait_for_vm(lab.b, "paused")
    assert guest.domain(lab.b).state()[0] == libvirt.VIR_DOMAIN_PAUSED
    guest.domain(lab.b).resume()
    guest.wait_for_tick(lab.b)
    guest.wait_for_vm(lab.b, "running")


def test_a_guest_with_several_vgpus_goes_with_all_of_them_or_not_at_all(lab: Laboratory) -> None:
    """Each vgpu of a guest is judged."""
    guest = lab.new_guest(vgpus=2).start(lab.a)
    guest.carry_record()
    lab.make_incompatible(lab.b)
    assert guest.refusal(lab.b) == refused(guest, no_gpu())
    lab.b.vgpu.lift_range()
    guest.migrate(lab.b)
    guest.wait_for_tick(lab.b)
    assert guest.wait_for_vm(lab.b).types == ("L40S-12Q", "L40S-12Q")


def test_a_guest_without_a_vgpu_goes_anywhere(lab: Laboratory) -> None:
    """A guest that is none of ours passes, whatever the target's driver would say, and also without one."""
    guest = lab.new_guest(vgpus=0)
    lab.a.libvirt.defineXML(guest.xml).create()
    guest.wait_for_tick(lab.a)
    lab.make_incompatible(lab.b)
    lab.b.hook_settings(driver='library = "/nowhere/libnvidia-ml.so.1"')
    guest.migrate(lab.b)
    guest.wait_for_tick(lab.b)
    assert lab.b.console(guest.name).boots == 0


def test_a_migration_aborted_at_its_deadline_leaves_the_guest_where_it_was(
    lab: Laboratory, guest: LabGuest
) -> None:
    """A guest that writes faster than is sent is passed by the hook, aborted, and runs on at the source."""
    with pytest.raises(libvirt.libvirtError) as raised:
        guest.migrate(lab.b, bandwidth=1, deadline_s=1)
    assert raised.value.get_error_code() == libvirt.VIR_ERR_OPERATION_ABORTED
    assert guest.is_running(lab.a)
    guest.wait_for_tick(lab.a)
    assert lab.a.console(guest.name).boots == 1
    assert not guest.is_defined(lab.b)
    vm = guest.vm(lab.a)
    assert vm is not None
    assert vm.power == "running"
    assert guest.vm(lab.b) is None
    guest.migrate(lab.b)
    guest.wait_for_tick(lab.b)
