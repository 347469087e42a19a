"""Guests with devices as real ones have them: defined and migrated offline, as there is no VFIO here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.lab.lab_guest import LabGuest, hook_line
from tests.lab.prerequisites import lab_marks, lacking, libvirt
from tests.lab.test_lab_live_migration import refused
from tests.lab.test_lab_other_hooks import settled
from tests.vmm.guests import an_element, mdev, some_records

from vgpu_migrate import facts
from vgpu_migrate.manager import DeviceId, VgpuDefinition, VmDefinition
from vgpu_migrate.model import GpuId, VmId
from vgpu_migrate.vmm.domain_element import SavedVgpu

if TYPE_CHECKING:
    from tests.lab.lab_host import LabHost
    from tests.lab.laboratory import Laboratory

pytestmark = lab_marks

HERE = "11111111-0000-4000-8000-000000000001"
THERE = "22222222-0000-4000-8000-000000000002"
FREE = 'map = "free"\nsysfs = "/run/sys"'


def function(slot: int, number: int) -> bytes:
    """A virtual function of the host, given to a guest."""
    address = f"<address domain='0x0000' bus='0x01' slot='0x{slot:02x}' function='0x{number}'/>"
    return f"<hostdev mode='subsystem' type='pci' managed='no'><source>{address}</source></hostdev>".encode()


def a_record(host: LabHost, vgpu_type: str) -> bytes:
    """The record of a vgpu of a type on a simulated host, whose VM has ended."""
    vm = VmId("template")
    vgpus = (VgpuDefinition(facts.vgpu_type(vgpu_type)),)
    host.vgpu.define(
        VmDefinition(vm, "7e3b1a7e-0000-4000-8000-000000000001", vgpus, 64, guest_driver="550.54.14")
    )
    host.vgpu.start(vm)
    host.vgpu.load_guest_driver(vm)
    record = host.vgpu.saved_records(vm)[0]
    host.vgpu.shut_down(vm)
    return record


def a_defined_guest(lab: Laboratory, *, devices: bytes, saved: SavedVgpu | None) -> LabGuest:
    """A guest with these devices and this saved record, defined on host a."""
    metadata = an_element(some_records(saved)).decode() if saved else ""
    guest = lab.new_guest(vgpus=0, metadata=metadata, devices=devices.decode())
    lab.a.libvirt.defineXML(guest.xml)
    return guest


def definition(guest: LabGuest, host: LabHost) -> str:
    """A guest's definition on a host, but for what libvirt does to it by itself, and the checksum."""
    xml = guest.domain(host).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    return re.sub(r"sha256=['\"]\w+['\"]", "", settled(xml))


@pytest.fixture
def needs_sysfs(lab: Laboratory) -> None:
    """Skip where the simulated hosts show no kernel's side."""
    if lab.b.sysfs is None:
        lacking("/dev/fuse, to show the kernel's side of a host: docker run --device /dev/fuse")


@pytest.mark.usefixtures("needs_sysfs")
def test_a_guest_is_given_a_mediated_device_that_is_free_there(lab: Laboratory) -> None:
    """The target's definition names the target's device, as hostdev and in the element; no more changes."""
    saved = SavedVgpu(a_record(lab.a, "T4-8Q"), "T4-8Q", f"mdev:{HERE}")
    guest = a_defined_guest(lab, devices=mdev(HERE), saved=saved)
    before = definition(guest, lab.a)
    lab.b.vgpu.create_device(GpuId("b/1"), facts.vgpu_type("T4-8Q"), DeviceId(THERE))
    lab.b.hook_settings(devices=FREE)
    guest.move_definition(lab.b)
    assert not guest.is_defined(lab.a)
    assert definition(guest, lab.b) == before.replace(HERE, THERE)
    assert before.count(HERE) == 2


@pytest.mark.usefixtures("needs_sysfs")
def test_a_guest_is_given_a_virtual_function_that_is_free_there(lab: Laboratory) -> None:
    """The same for a guest whose vgpu is a virtual function."""
    device = lab.b.vgpu.create_device(GpuId("b/0"), facts.vgpu_type("L40S-12Q"))
    assert device.function == 0  # which is 0000:01:00.4
    saved = SavedVgpu(a_record(lab.a, "L40S-12Q"), "L40S-12Q", "pci:0000:01:03.7")
    guest = a_defined_guest(lab, devices=function(3, 7), saved=saved)
    before = definition(guest, lab.a)
    lab.b.hook_settings(devices=FREE)
    guest.move_definition(lab.b)
    after = before.replace("slot='0x03' function='0x7'", "slot='0x00' function='0x4'")
    assert definition(guest, lab.b) == after.replace("pci:0000:01:03.7", "pci:0000:01:00.4")
    assert after != before


@pytest.mark.usefixtures("needs_sysfs")
def test_a_guest_for_which_no_device_is_free_stays(lab: Laboratory) -> None:
    """A device of another type does not do."""
    saved = SavedVgpu(a_record(lab.a, "T4-8Q"), "T4-8Q", f"mdev:{HERE}")
    guest = a_defined_guest(lab, devices=mdev(HERE), saved=saved)
    lab.b.vgpu.create_device(GpuId("b/1"), facts.vgpu_type("T4-4Q"), DeviceId(THERE))
    lab.b.hook_settings(devices=FREE)
    with pytest.raises(libvirt.libvirtError) as raised:
        guest.move_definition(lab.b)
    assert hook_line(raised.value) == refused(
        guest, "vgpu 0: no free mdev device of type T4-8Q on 0000:02:00.0"
    )
    assert guest.is_defined(lab.a)
    assert not guest.is_defined(lab.b)


def test_devices_are_kept_where_the_settings_do_not_ask_for_others(lab: Laboratory) -> None:
    """As installed: the operator has made a device of the same name, or libvirt's start will tell."""
    saved = SavedVgpu(a_record(lab.a, "T4-8Q"), "T4-8Q", f"mdev:{HERE}")
    guest = a_defined_guest(lab, devices=mdev(HERE), saved=saved)
    before = definition(guest, lab.a)
    guest.move_definition(lab.b)
    assert definition(guest, lab.b) == before


def test_a_mediated_device_alone_makes_a_guest_ours(lab: Laboratory) -> None:
    """Without a record it is refused, whatever moves it."""
    guest = a_defined_guest(lab, devices=mdev(HERE), saved=None)
    with pytest.raises(libvirt.libvirtError) as raised:
        guest.move_definition(lab.b)
    assert hook_line(raised.value) == refused(guest, "the guest carries no saved record")
    assert guest.is_defined(lab.a)


def test_a_pci_device_that_no_record_lists_is_not_ours(lab: Laboratory) -> None:
    """A guest with somebody else's passthrough device goes on."""
    lab.make_incompatible(lab.b)
    guest = a_defined_guest(lab, devices=function(3, 7), saved=None)
    guest.move_definition(lab.b)
    assert guest.is_defined(lab.b)
