"""A guest of libvirt at one moment, as a value: what it is given, and the records that it carries."""

from __future__ import annotations

from dataclasses import dataclass

from vgpu_migrate.vmm.domain_element import (
    NAME,
    NAMESPACE,
    GuestState,
    NoRecords,
    SavedRecords,
    Trouble,
    fresh_enough,
    write_element,
    written_in,
)
from vgpu_migrate.vmm.domain_xml import host_devices, parse_domain
from vgpu_migrate.vmm.libvirt_domain import Domain
from vgpu_migrate.vmm.libvirt_values import DomainState, Status

_MOVING = frozenset({"migration", "starting-up", "save", "postcopy", "postcopy-failed", "snapshot"})
"""Reasons for a pause in which libvirt itself is at work on the guest."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest.

    Attributes:
        name: libvirt's name of it.
        uuid: in small letters; on KVM the driver knows it by this.
        id: of this run, None while it is off; another one after each start.
        status: its state, and why.
        devices: the ids of its mediated and PCI devices (`HostDevice.id`), in the order of its XML.
        written: the records that it carries as they are written, stale ones too; or why there are none.
    """

    name: str
    uuid: str
    id: int | None
    status: Status
    devices: tuple[str, ...]
    written: SavedRecords | NoRecords

    @property
    def records(self) -> SavedRecords | NoRecords:
        """The records to go by."""
        return self.written if isinstance(self.written, NoRecords) else fresh_enough(self.written)

    @property
    def has_element(self) -> bool:
        """Whether it carries our element, good or not."""
        return not (isinstance(self.written, NoRecords) and self.written.trouble is Trouble.ABSENT)

    @property
    def vgpu_devices(self) -> tuple[str, ...]:
        """The devices that are vgpus for sure: mediated ones, and PCI ones that our element lists."""
        listed = () if isinstance(self.written, NoRecords) else self.written.vgpus
        known = {vgpu.device for vgpu in listed}
        return tuple(device for device in self.devices if device.startswith("mdev:") or device in known)

    @property
    def has_vgpu(self) -> bool:
        """Whether it has a vGPU, as far as its XML says."""
        return self.has_element or bool(self.vgpu_devices)

    @property
    def is_busy(self) -> bool:
        """Whether libvirt is moving, saving or starting it: its XML is not to be changed now."""
        return self.status.state is DomainState.PAUSED and self.status.reason in _MOVING

    @property
    def state(self) -> GuestState:
        """What it does, in the element's words; of one that is off what it will do."""
        match self.status.state:
            case DomainState.SUSPENDED:
                return GuestState.SLEEPING
            case DomainState.PAUSED:
                return GuestState.PAUSED
        return GuestState.RUNNING


def read_guest(domain: Domain) -> Guest:
    """The guest behind a handle, as it is now.

    Raises:
        LibvirtError: libvirt does not say; the guest has gone.
        InputError: its XML cannot be read.
    """
    number, status = domain.id, domain.status()
    return guest_of(domain.xml(), name=domain.name, uuid=domain.uuid, number=number, status=status)


def guest_of(xml: str, *, name: str, uuid: str, number: int | None, status: Status) -> Guest:
    """The guest whose XML this is.

    Raises:
        InputError: the XML cannot be read.
    """
    root = parse_domain(xml.encode("utf-8"))
    devices = tuple(device.id for device in host_devices(root))
    return Guest(name, uuid.lower(), number, status, devices, written_in(root))


def write_records(domain: Domain, records: SavedRecords) -> None:
    """Put records into a guest, in the one that runs and in its definition.

    Raises:
        InputError: a value that no element can hold.
        RecordError: a record is none.
        LibvirtError: libvirt refuses.
    """
    element = write_element(records, declares_namespace=False)
    domain.set_element(element, namespace=NAMESPACE, prefix=NAME)


def remove_records(domain: Domain) -> None:
    """Take the element out of a guest, running and kept.

    Raises:
        LibvirtError: libvirt refuses.
    """
    domain.set_element(None, namespace=NAMESPACE, prefix=NAME)
