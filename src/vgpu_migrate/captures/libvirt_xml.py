"""`virsh dumpxml` and `virsh nodedev-dumpxml`."""

from __future__ import annotations

import re

from vgpu_migrate.captures.findings import DeviceSaid, DomainSaid, Findings, GpuSaid, Said, TypeSaid, says
from vgpu_migrate.captures.xml_tree import Element
from vgpu_migrate.errors import InputError, Problem

_BYTES = {
    "b": 1,
    "bytes": 1,
    "kb": 10**3,
    "k": 2**10,
    "kib": 2**10,
    "mb": 10**6,
    "m": 2**20,
    "mib": 2**20,
    "gb": 10**9,
    "g": 2**30,
    "gib": 2**30,
    "tb": 10**12,
    "t": 2**40,
    "tib": 2**40,
}
_NODE = re.compile(r"pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([0-9a-f]{2})_([0-7])")


def domain(root: Element) -> Findings:
    """A domain: what it is called, how large it is, and the host devices it is given."""
    memory = root.first("memory")
    words = {
        "name": root.said("name"),
        "uuid": root.said("uuid"),
        "memory_mib": None if memory is None else Said(str(_mib(memory)), memory.place),
        "vcpus": root.said("vcpu"),
    }
    devices = tuple(said for hostdev in root.all("devices", "hostdev") for said in _hostdev(hostdev))
    return Findings(domains=(DomainSaid(root.place, says(words), "id" in root.attributes, devices),))


def hostdev(root: Element) -> Findings:
    """A host device cut out of a domain, of which nothing but that can be said."""
    said = "".join(f" {device.text}" for device in _hostdev(root))
    return Findings(
        notes=(Said(f"a hostdev{said} without its domain: which VM it is of is not said", root.place),)
    )


def node_device(root: Element) -> Findings:
    """A PCI device with its mdev types, or an mdev device."""
    for capability in root.all("capability"):
        kind = capability.attributes.get("type")
        if kind == "pci":
            return _pci(capability)
        if kind == "mdev":
            return _mdev(root, capability)
    return Findings(notes=(Said("a device that is neither PCI nor mdev", root.place),))


def _hostdev(hostdev: Element) -> list[Said]:
    address = hostdev.first("source", "address")
    if address is None:
        return []
    if hostdev.attributes.get("type") == "mdev":
        uuid = address.attribute("uuid")
        return [] if uuid is None else [Said(uuid.text.lower(), uuid.place)]
    return [Said(_address(address), address.place)] if hostdev.attributes.get("type") == "pci" else []


def _address(element: Element) -> str:
    domain, bus, slot, function = (
        _number(element, element.attributes.get(name, "0")) for name in ("domain", "bus", "slot", "function")
    )
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _number(element: Element, text: str) -> int:
    try:
        if len(text) > 18:
            raise ValueError
        return int(text, 0) if text.lower().startswith("0x") else int(text)
    except ValueError:
        shown = text[:40]
        raise InputError(
            Problem(f"{element.place}: <{element.tag}>", shown, "wanted a whole number")
        ) from None


def _mib(memory: Element) -> int:
    unit = memory.attributes.get("unit", "KiB")
    factor = _BYTES.get(unit.casefold())
    if factor is None:
        raise InputError(
            Problem(f"{memory.place}: <memory>", f"unit {unit[:40]}", "wanted a unit such as KiB")
        )
    return _number(memory, memory.text) * factor // 2**20


def _pci(capability: Element) -> Findings:
    parts = [capability.first(name) for name in ("domain", "bus", "slot", "function")]
    domain, bus, slot, function = (0 if part is None else _number(part, part.text) for part in parts)
    address = f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
    product = capability.first("product")
    device = None if product is None else product.attribute("id")
    words: dict[str, Said | None] = {
        "device": None if device is None else Said(device.text.removeprefix("0x").upper(), device.place)
    }
    types: list[TypeSaid] = []
    for inner in capability.all("capability"):
        physical = inner.first("address")
        if inner.attributes.get("type") == "phys_function" and physical is not None:
            words["physfn"] = Said(_address(physical), physical.place)
        if inner.attributes.get("type") == "mdev_types":
            for row in inner.all("type"):
                type_words = {"id": row.attribute("id"), "name": row.said("name")}
                types.append(TypeSaid(address, row.place, says(type_words)))
    gpu = GpuSaid(address, capability.place, says(words), is_kernel=True)
    return Findings(gpus=(gpu,), types=tuple(types))


def _mdev(root: Element, capability: Element) -> Findings:
    uuid, parent = capability.said("uuid"), root.said("parent")
    kind = capability.first("type")
    type_id = None if kind is None else kind.attribute("id")
    match = _NODE.fullmatch(parent.text) if parent is not None else None
    if uuid is None or type_id is None or match is None:
        return Findings(notes=(Said("an mdev device without uuid, type or PCI parent", root.place),))
    address = f"{match[1]}:{match[2]}:{match[3]}.{match[4]}"
    return Findings(devices=(DeviceSaid(uuid.text.lower(), address, type_id),))
