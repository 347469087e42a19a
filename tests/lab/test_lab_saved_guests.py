"""Guests in saved images: the hook judges before they are restored."""

from __future__ import annotations

import pytest
from tests.lab.lab_guest import LabGuest, hook_line
from tests.lab.laboratory import Laboratory
from tests.lab.prerequisites import lab_marks, libvirt
from tests.lab.test_lab_live_migration import no_gpu, refused

pytestmark = lab_marks


def test_a_managed_save_goes_on_where_it_stopped(lab: Laboratory, guest: LabGuest) -> None:
    """A guest saved by libvirt starts from its image, ticks on, and its record is still there."""
    carried = guest.carried(lab.a)
    domain = guest.domain(lab.a)
    domain.managedSave()
    guest.wait_for_vm(lab.a, "off")
    domain.create()
    guest.wait_for_tick(lab.a)
    guest.wait_for_vm(lab.a)
    ticks = lab.a.console(guest.name).ticks
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    assert lab.a.console(guest.name).boots == 1
    assert guest.carried(lab.a) == carried


def test_a_managed_save_that_is_refused_keeps_its_image(lab: Laboratory, guest: LabGuest) -> None:
    """It is neither booted anew nor lost, and starts from its image once the host allows it."""
    domain = guest.domain(lab.a)
    domain.managedSave()
    guest.wait_for_vm(lab.a, "off")
    lab.make_incompatible(lab.a)
    with pytest.raises(libvirt.libvirtError) as raised:
        domain.create()
    assert hook_line(raised.value) == refused(guest, no_gpu(), operation="restore")
    assert domain.hasManagedSaveImage() == 1
    assert not domain.isActive()
    lab.a.vgpu.lift_range()
    domain.create()
    guest.wait_for_tick(lab.a)
    assert lab.a.console(guest.name).boots == 1


def test_an_image_that_is_refused_on_one_host_may_be_restored_on_another(
    lab: Laboratory, guest: LabGuest
) -> None:
    """The same image: where the range does not allow it the hook refuses, elsewhere the guest ticks on."""
    image = lab.dir / "image"
    guest.domain(lab.a).save(str(image))
    guest.wait_for_vm(lab.a, "off")
    last = lab.a.console(guest.name).ticks[-1]
    lab.make_incompatible(lab.a)
    with pytest.raises(libvirt.libvirtError) as raised:
        lab.a.libvirt.restore(str(image))
    assert hook_line(raised.value) == refused(guest, no_gpu(), operation="restore")
    lab.b.libvirt.restore(str(image))
    image.unlink()
    guest.wait_for_tick(lab.b)
    assert lab.b.console(guest.name).boots == 0
    assert lab.b.console(guest.name).ticks[0] == last + 1
