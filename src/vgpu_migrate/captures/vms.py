"""The VMs of one host: active vgpus as NVML's tools tell them, domains as libvirt tells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vgpu_migrate.captures.findings import DeviceSaid, DomainSaid, Findings, Said, VgpuSaid
from vgpu_migrate.captures.gpus import GpuParts, GpuTable, check_type
from vgpu_migrate.captures.ledger import Ledger
from vgpu_migrate.captures.names import type_by_id
from vgpu_migrate.captures.smi_tables import CUT_OFF
from vgpu_migrate.facts import VgpuType


@dataclass(slots=True)
class VgpuParts:
    """A vgpu on its gpu; `gpu` is None for a VM that is off."""

    type: VgpuType
    gpu: GpuParts | None
    place: str
    placement: Said | None = None


@dataclass(slots=True)
class VmParts:
    """All that was said of one VM."""

    place: str
    names: list[Said] = field(default_factory=list)
    uuids: list[Said] = field(default_factory=list)
    guest_drivers: list[Said] = field(default_factory=list)
    vgpus: list[VgpuParts] = field(default_factory=list)
    domain: DomainSaid | None = None
    is_running: bool = True
    is_whole: bool = True

    @property
    def shown(self) -> str:
        """What people call it."""
        known = [*self.names, *self.uuids]
        return known[0].text if known else f"the VM of {self.place}"


def vms_of(found: Findings, table: GpuTable, ledger: Ledger) -> list[VmParts]:
    """The VMs, those that hold vgpus first."""
    devices = {row.key: row for row in found.devices}
    for row in found.devices:
        first = devices[row.key]
        if first.type_id.text != row.type_id.text:
            ledger.contradict(f"type of {row.key}", first.type_id, row.type_id)
    vms: list[VmParts] = []
    for vgpu in _merged(found.vgpus, ledger):
        _seat(vgpu, vms, table, devices, ledger)
    for domain in found.domains:
        _take_domain(domain, vms, table, devices, ledger)
    _tell_idle(found, vms, ledger)
    return vms


def _merged(vgpus: tuple[VgpuSaid, ...], ledger: Ledger) -> list[VgpuSaid]:
    """Each vgpu once: what the tables cut off is taken from where it stands in full."""
    found: dict[tuple[str, str], VgpuSaid] = {}
    for row in vgpus:
        number = row.words.get("vgpu_id")
        key = (row.gpu, row.place if number is None else number.text)
        before = found.get(key)
        if before is None:
            found[key] = row
            continue
        words = dict(before.words)
        for name, said in row.words.items():
            other = words.get(name)
            if other is None or (_is_cut(other) and not _is_cut(said)):
                words[name] = said
            elif not _is_cut(said):
                ledger.pick(f"vgpu {key[1]} {name.replace('_', ' ')}", [other, said])
        found[key] = VgpuSaid(row.gpu, before.place, words)
    return list(found.values())


def _is_cut(said: Said) -> bool:
    return said.text.endswith(CUT_OFF)


def _seat(
    vgpu: VgpuSaid, vms: list[VmParts], table: GpuTable, devices: dict[str, DeviceSaid], ledger: Ledger
) -> None:
    words = vgpu.words
    vm = _vm_of(words.get("vm_uuid"), words.get("vm_name"), vms)
    if vm is None:
        vm = VmParts(vgpu.place)
        vms.append(vm)
    for known, name in ((vm.names, "vm_name"), (vm.uuids, "vm_uuid"), (vm.guest_drivers, "guest_driver")):
        if name in words:
            known.append(words[name])
    known_type = check_type(words, ledger)
    if known_type is None:
        said = words.get("name") or words.get("id")
        text = "no type" if said is None else f"vgpu type {said.text}, which the tables do not have"
        ledger.note(f"a vgpu of {vm.shown} is of {text}: the VM is left out", vgpu.place)
        vm.is_whole = False
        return
    _check_device(vm, known_type, words.get("uuid"), vgpu.place, devices, ledger)
    gpu = table.owner(vgpu.gpu, vgpu.place, is_kernel=False)
    vm.vgpus.append(VgpuParts(known_type, gpu, vgpu.place, words.get("placement")))


def _check_device(
    vm: VmParts,
    known: VgpuType,
    uuid: Said | None,
    place: str,
    devices: dict[str, DeviceSaid],
    ledger: Ledger,
) -> None:
    device = None if uuid is None else devices.get(uuid.text.lower())
    if device is None:
        return
    other = type_by_id(device.type_id)
    if other is not known:
        shown = device.type_id.text + (f" ({other.short})" if other is not None else "")
        taken = f"{known.mdev_name} ({known.short})" if known.has_known_type_id else known.short
        ledger.contradict(f"vgpu type of {vm.shown}", Said(taken, place), Said(shown, device.type_id.place))


def _vm_of(uuid: Said | None, name: Said | None, vms: list[VmParts]) -> VmParts | None:
    """The VM that a UUID and a name are of, as far as both are shown."""
    fits = [vm for vm in vms if _is_it(uuid, name, vm)]
    return fits[0] if len(fits) == 1 else None


def _is_it(uuid: Said | None, name: Said | None, vm: VmParts) -> bool:
    whole = [known for known in vm.uuids if not _is_cut(known)]
    if uuid is not None and not _is_cut(uuid) and whole:
        return any(_same(uuid, known) for known in whole)
    if uuid is not None and vm.uuids and not any(_same(uuid, known) for known in vm.uuids):
        return False
    if name is not None and vm.names:
        return any(_same(name, known) for known in vm.names)
    return uuid is not None and bool(vm.uuids)


def _same(one: Said, other: Said) -> bool:
    """Whether two texts are one, as far as either is shown."""
    first, second = one.text.casefold(), other.text.casefold()
    if _is_cut(one):
        return second.startswith(first.removesuffix(CUT_OFF))
    if _is_cut(other):
        return first.startswith(second.removesuffix(CUT_OFF))
    return first == second


def _take_domain(
    domain: DomainSaid, vms: list[VmParts], table: GpuTable, devices: dict[str, DeviceSaid], ledger: Ledger
) -> None:
    vm = _vm_of(domain.words.get("uuid"), domain.words.get("name"), vms)
    known = [devices[said.text] for said in domain.devices if said.text in devices]
    missing = [said for said in domain.devices if said.text not in devices and ":" not in said.text]
    name = domain.words.get("name")
    shown = "a domain" if name is None else f"domain {name.text}"
    if vm is None:
        if not known and not missing:
            ledger.note(f"{shown}: no device of it is known as a vgpu", domain.place)
            return
        vm = VmParts(domain.place, is_running=domain.is_active)
        vms.append(vm)
        for said in missing:
            ledger.note(
                f"{shown}: no capture says the type of its mdev {said.text}; it is left out", said.place
            )
            vm.is_whole = False
        for device in known:
            _add_device(device, vm, table, ledger, shown)
    else:
        count = len(known) + len(missing)
        if not domain.is_active:
            seen = Said("inactive", domain.place)
            ledger.contradict(f"state of {vm.shown}", Said("running", vm.place), seen)
        elif count and count != len(vm.vgpus):
            taken = Said(str(len(vm.vgpus)), vm.place)
            ledger.contradict(f"number of vgpus of {vm.shown}", taken, Said(str(count), domain.place))
    vm.domain = domain
    # libvirt's own words come first: nothing in them is cut off.
    for known_words, key in ((vm.names, "name"), (vm.uuids, "uuid")):
        if key in domain.words:
            known_words.insert(0, domain.words[key])


def _add_device(device: DeviceSaid, vm: VmParts, table: GpuTable, ledger: Ledger, shown: str) -> None:
    known = type_by_id(device.type_id)
    if known is None:
        text = f"{shown}: the tables do not have its type {device.type_id.text}; it is left out"
        ledger.note(text, device.type_id.place)
        vm.is_whole = False
        return
    gpu = table.owner(device.parent, device.type_id.place, is_kernel=True) if vm.is_running else None
    vm.vgpus.append(VgpuParts(known, gpu, device.type_id.place))


def _tell_idle(found: Findings, vms: list[VmParts], ledger: Ledger) -> None:
    """Devices that no VM is known to use: a fleet file has no place for them."""
    used = {said.text for vm in vms if vm.domain is not None for said in vm.domain.devices}
    used |= {row.words["uuid"].text.lower() for row in found.vgpus if "uuid" in row.words}
    for device in {row.key: row for row in found.devices}.values():
        if device.key not in used:
            known: Any = type_by_id(device.type_id)
            shown = device.type_id.text if known is None else f"{device.type_id.text} ({known.short})"
            ledger.note(f"device {device.key}, {shown}: no capture says whose it is", device.type_id.place)
