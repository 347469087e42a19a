"""Fresh records of a guest's vgpus, from this machine's driver.

On KVM the driver names each active vgpu's VM by its UUID, and a mediated device by its own: so vgpus find
their guest. Which virtual function a vgpu is on it does not say; there gpu and type decide, then order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vgpu_migrate.nvml import Return, VgpuMetadata
from vgpu_migrate.vmm import free_devices
from vgpu_migrate.vmm.domain_element import SavedVgpu
from vgpu_migrate.vmm.free_devices import short_name
from vgpu_migrate.vmm.guests import Guest
from vgpu_migrate.vmm.hook_settings import HookSettings
from vgpu_migrate.vmm.in_time import Asker
from vgpu_migrate.vmm.local_driver import DriverCallError, LocalDriver, LocalVgpu, local_driver


@dataclass(frozen=True, slots=True)
class HostVgpus:
    """The active vgpus of this machine, and its devices that vgpus can be, by their id."""

    vgpus: tuple[LocalVgpu, ...]
    devices: Mapping[str, free_devices.Device]


class Matched(NamedTuple):
    """A vgpu of a guest, and its device; "" where that is not known."""

    vgpu: LocalVgpu
    device: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """That there is no whole set of fresh records of a guest now, and why, in words.

    `has_none`: the driver was asked, and has no active vgpu of it at all.
    """

    reason: str
    has_none: bool = False


Taken = tuple[SavedVgpu, ...] | NotTaken


def look_at_host(driver: LocalDriver, sysfs: Path) -> HostVgpus:
    """What this machine has now.

    Raises:
        DriverCallError: the driver fails.
    """
    vgpus = driver.vgpus()
    devices = free_devices.devices(sysfs, driver.type_name) if vgpus else ()
    return HostVgpus(vgpus, {device.id: device for device in devices})


def match(guest: Guest, host: HostVgpus) -> tuple[Matched, ...] | NotTaken:
    """The vgpus of a guest, in the order of its devices; then those without one, by their number."""
    known = set(guest.vgpu_devices)
    devices = [device for device in guest.devices if device in known or device in host.devices]
    left = sorted(
        (one for one in host.vgpus if one.vm == guest.uuid or f"mdev:{one.mdev}" in devices),
        key=lambda one: one.instance,
    )
    if not left:
        return NotTaken("this host's driver has no active vgpu of it", has_none=True)
    if len(left) < len(devices):
        return NotTaken(f"it is given {len(devices)} vgpu devices, this host's driver has {len(left)} active")
    found = _by_device(devices, left, host)
    return (*found, *(Matched(one, "") for one in left))


def _by_device(devices: Sequence[str], left: list[LocalVgpu], host: HostVgpus) -> list[Matched]:
    """A vgpu for each device, taken out of `left`: by mdev UUID, then by gpu and type, then by order."""
    of_device: dict[str, LocalVgpu] = {}

    def take(device: str, one: LocalVgpu | None) -> None:
        if one is not None:
            left.remove(one)
            of_device[device] = one

    for device in devices:
        take(device, next((one for one in left if f"mdev:{one.mdev}" == device), None))
    for device in devices:
        there = host.devices.get(device)
        if device not in of_device and there is not None:
            is_same = (one for one in left if (one.gpu, short_name(one.type)) == (there.gpu, there.type))
            take(device, next(is_same, None))
    for device in devices:
        if device not in of_device:
            take(device, left[0])
    return [Matched(of_device[device], device) for device in devices]


def take(driver: LocalDriver, guest: Guest, host: HostVgpus) -> Taken:
    """The guest's records, fresh, one for each of its vgpus.

    Raises:
        DriverCallError: the driver fails otherwise than by a vgpu that has ended.
        RecordError: what it gives is no record.
    """
    matched = match(guest, host)
    if isinstance(matched, NotTaken):
        return matched
    found = []
    for vgpu, device in matched:
        try:
            record = driver.vgpu_record(vgpu.instance)
        except DriverCallError as error:
            if error.code == Return.NOT_FOUND:
                return NotTaken("one of its vgpus has just ended")
            raise
        VgpuMetadata.from_fixed_part(record)
        found.append(SavedVgpu(record, short_name(vgpu.type), device))
    return tuple(found)


def take_now(guest: Guest, settings: HookSettings) -> Taken:
    """The guest's records from the driver that the settings name, which is opened for that.

    Raises:
        OutsideError: the driver does not answer, or not within the settings' `deadline_s`.
        RecordError: what it gives is no record.
    """

    def ask() -> Taken:
        with local_driver(settings.library, socket=settings.socket) as driver:
            return take(driver, guest, look_at_host(driver, Path(settings.sysfs)))

    return Asker("the driver is asked").ask(ask, settings.deadline_s)
