"""What captures say, each value with its place. Nothing here is judged yet, and nothing is filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SAYS_NOTHING = frozenset({"", "n/a", "[n/a]", "not found", "[not supported]", "none", "unknown error"})
"""Words for "no value", in lower case. "Virtualization Mode: None" is read before these are asked."""

_ADDRESS = re.compile(r"(?:([0-9A-Fa-f]{1,8}):)?([0-9A-Fa-f]{2}):([0-9A-Fa-f]{2})\.([0-7])")


@dataclass(frozen=True, slots=True)
class Said:
    """A text that a capture holds, and where: `file:line`, or `file` and a path inside it."""

    text: str
    place: str


Words = Mapping[str, Said]
"""Fields of one thing, by our names; absent: not said."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two values for one thing; the first was taken."""

    what: str
    taken: Said
    other: Said

    def __str__(self) -> str:
        other, taken = self.other, self.taken
        return f"{other.place}: {self.what}: {other.text}; taken: {taken.text} ({taken.place})"


@dataclass(frozen=True, slots=True)
class GpuSaid:
    """A physical GPU or, in a kernel's tree, one of its virtual functions.

    Fields: `uuid product ecc virtualization host_mode heterogeneous mig device subsystem physfn
    sriov_numvfs`. `is_kernel`: said by the kernel or libvirt, where the address may be a virtual function's.
    """

    address: str | None
    place: str
    words: Words
    is_kernel: bool = False


@dataclass(frozen=True, slots=True)
class TypeSaid:
    """A vgpu type that a gpu offers. Fields: `name id description`. `is_listing`: all types were listed."""

    parent: str | None
    place: str
    words: Words
    is_listing: bool = True


@dataclass(frozen=True, slots=True)
class VgpuSaid:
    """An active vgpu. Fields: `vgpu_id name id vm_uuid vm_name uuid guest_driver placement instance`."""

    gpu: str
    place: str
    words: Words


@dataclass(frozen=True, slots=True)
class DeviceSaid:
    """An mdev device or a virtual function with a type: `key` is its UUID or its address."""

    key: str
    parent: str
    type_id: Said


@dataclass(frozen=True, slots=True)
class DomainSaid:
    """A libvirt domain. Fields: `name uuid memory_mib vcpus`. `devices`: UUIDs and PCI addresses."""

    place: str
    words: Words
    is_active: bool
    devices: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one file, or one host's files together, say."""

    drivers: tuple[Said, ...] = ()
    log_drivers: tuple[Said, ...] = ()
    ranges: tuple[Said, ...] = ()
    migrations: tuple[Said, ...] = ()
    gpus: tuple[GpuSaid, ...] = ()
    types: tuple[TypeSaid, ...] = ()
    vgpus: tuple[VgpuSaid, ...] = ()
    devices: tuple[DeviceSaid, ...] = ()
    domains: tuple[DomainSaid, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    notes: tuple[Said, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


def says(words: Mapping[str, Said | None]) -> dict[str, Said]:
    """The fields that say something."""
    return {
        name: said
        for name, said in words.items()
        if said is not None and said.text.casefold() not in SAYS_NOTHING
    }


def missing_gpus(attached: Said | None, gpus: Sequence[GpuSaid]) -> tuple[Contradiction, ...]:
    """What a capture that names another number of gpus than it lists says against itself."""
    if attached is None or not attached.text.isdecimal() or attached.text == str(len(gpus)) or not gpus:
        return ()
    listed = Said(str(len(gpus)), gpus[-1].place)
    return (Contradiction("number of attached gpus", listed, attached),)


def pci_address(text: str) -> str | None:
    """A PCI address as `0000:3b:00.0`, longer domains as they are needed; None for any other text."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        return None
    domain, bus, device, function = match.groups()
    return f"{int(domain or '0', 16):04x}:{bus}:{device}.{function}".lower()
