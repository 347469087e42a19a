"""A libvirt domain's XML, read with each element's place, so that some bytes can be changed and no others.

No DOCTYPE, and so no entities; bounded in size and depth. Nothing here knows what our element means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from vgpu_migrate.errors import InputError, Problem, quoted

LARGEST = 4 << 20
"""Bytes of the largest domain that is read."""
DEEPEST = 64
_BETWEEN = "\n"
"""Stands between namespace and name; neither can hold it."""


@dataclass(slots=True)
class Element:
    """An element: its namespace ("" for none), name, attributes, own text, children, and its bytes' place."""

    namespace: str
    name: str
    attributes: dict[str, str]
    start: int
    end: int = 0
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def named(self, name: str, *, namespace: str = "") -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if (child.namespace, child.name) == (namespace, name))


class HostDevice(NamedTuple):
    """A device of the host that the guest is given.

    `id` is ``mdev:UUID`` in small letters, or ``pci:0000:3b:00.4``. `address` is the element that names it.
    """

    id: str
    address: Element

    @property
    def is_mdev(self) -> bool:
        """Whether it is a mediated device."""
        return self.id.startswith("mdev:")


class Change(NamedTuple):
    """Bytes to put in the place of others."""

    start: int
    end: int
    data: bytes


class _Builder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._open: list[Element] = []
        self.root: Element | None = None
        self._parser = expat.ParserCreate("UTF-8", _BETWEEN)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def run(self) -> Element:
        self._parser.Parse(self._data, True)
        assert self.root is not None, "expat takes no document without a root"
        return self.root

    def _doctype(self, *_: object) -> None:
        raise InputError(Problem("domain XML", "a DOCTYPE", "libvirt writes none"))

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(_BETWEEN)
        element = Element(namespace, name, attributes, self._parser.CurrentByteIndex)
        if len(self._open) >= DEEPEST:
            raise InputError(Problem("domain XML", f"elements within {DEEPEST} others", "wanted fewer"))
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        element = self._open.pop()
        here = self._parser.CurrentByteIndex
        # Of an element without an end tag expat gives the place behind it. No other empty one ends so.
        is_whole = not element.children and not element.text and self._data.endswith(b"/>", 0, here)
        element.end = here if is_whole else self._data.index(b">", here) + 1

    def _text(self, text: str) -> None:
        self._open[-1].text += text


def parse_domain(data: bytes, *, root_name: str = "domain") -> Element:
    """The `<domain>` of these bytes, which are UTF-8 as libvirt writes it.

    Args:
        data: the XML.
        root_name: the root that is wanted; ``domstatus`` in libvirt's files of running guests.

    Raises:
        InputError: it is too large, no XML, has a DOCTYPE, or its root is another element.
    """
    if len(data) > LARGEST:
        raise InputError(Problem("domain XML", f"more than {LARGEST} bytes", "wanted a domain's"))
    if not data.strip():
        raise InputError(Problem("domain XML", "nothing", "wanted a domain's"))
    strange = _not_text(data)
    if strange is not None:
        seen = f"byte {strange} is {data[strange]:#04x}"
        raise InputError(Problem("domain XML", seen, "wanted UTF-8, as libvirt writes it"))
    try:
        root = _Builder(data).run()
    except expat.ExpatError as error:
        raise InputError(Problem("domain XML", f"no XML: {error}", "wanted a domain's")) from None
    if (root.namespace, root.name) != ("", root_name):
        seen = f"its root is <{quoted(root.name[:80])}>"
        raise InputError(Problem("domain XML", seen, f"wanted <{root_name}>"))
    return root


def _not_text(data: bytes) -> int | None:
    """Where the bytes stop to be text in UTF-8. Expat takes UTF-16 too, and its places are then others."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None if (found := data.find(b"\0")) < 0 else found


def host_devices(domain: Element) -> tuple[HostDevice, ...]:
    """The mediated and PCI devices that the guest is given, in order; mediated channels of s390 left out."""
    found = []
    for devices in domain.named("devices"):
        for device in devices.named("hostdev"):
            kind, model = device.attributes.get("type", ""), device.attributes.get("model", "vfio-pci")
            address = next(
                (one for source in device.named("source") for one in source.named("address")), None
            )
            if address is None or (kind == "mdev" and model != "vfio-pci"):
                continue
            if kind == "mdev":
                found.append(HostDevice(f"mdev:{address.attributes.get('uuid', '').lower()}", address))
            elif kind == "pci" and (place := _pci(address.attributes)) is not None:
                found.append(HostDevice(f"pci:{place}", address))
    return tuple(found)


def _pci(attributes: dict[str, str]) -> str | None:
    try:
        domain, bus, slot, function = (
            int(attributes.get(name, "0"), 0) for name in ("domain", "bus", "slot", "function")
        )
    except ValueError:
        return None
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def address_of(device: str) -> bytes:
    """The `<address>` that names a device by its id; the inverse of `HostDevice.id`."""
    kind, _, place = device.partition(":")
    if kind == "mdev":
        return f"<address uuid='{place}'/>".encode("ascii")
    domain, bus, rest = place.split(":")
    slot, function = rest.split(".")
    text = f"<address domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>"
    return text.encode("ascii")


def changed(data: bytes, changes: Sequence[Change]) -> bytes:
    """The bytes with the changes made; no two of them overlap."""
    for change in sorted(changes, reverse=True):
        data = data[: change.start] + change.data + data[change.end :]
    return data
