"""The kernel's trees: mediated devices and vendor VFIO, from files, tars and text dumps alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vgpu_migrate.captures.findings import DeviceSaid, Findings, GpuSaid, Said, TypeSaid, says

_DEVICE = re.compile(r"^(?:.*/)?([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])/(.+)$")
_MDEV_FILE = re.compile(r"mdev_supported_types/(nvidia-\d+)/(name|description)$")
_MDEV_DEVICE = re.compile(r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/mdev_type$")
_CREATABLE = re.compile(r"(\d+)\s*:\s*(\S.*)")
_DUMP_LINE = re.compile(r"(\S*[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]/[^:\s]+):(.*)")
# Addresses in paths have colons too: the value begins after what stands behind the last address.
_LOOP_LINE = re.compile(r"(nvidia-\d+), (\S.*?) (\d+)")
_WORDS = {
    "device": "device",
    "subsystem_device": "subsystem",
    "physfn": "physfn",
    "sriov_numvfs": "sriov_numvfs",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree and a line in it, or a link and the last part of what it points to."""

    path: str
    text: str
    place: str


def is_of_a_tree(path: str) -> bool:
    """Whether a path inside a tree tells something of vgpus or of the gpu under them."""
    match = _DEVICE.match(path)
    rest = match[2] if match else ""
    return bool(
        rest in _WORDS
        or _MDEV_FILE.search(rest)
        or _MDEV_DEVICE.search(rest)
        or re.fullmatch(r"nvidia/(creatable_vgpu_types|current_vgpu_type)", rest)
        or re.search(r"mdev_supported_types/nvidia-\d+/", rest)
    )


def dump_entries(text: str, *, file: str) -> list[Entry]:
    """The entries of `path:value` lines, as `grep -r .` writes them."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _DUMP_LINE.match(line)
        if match:
            found.append(Entry(match[1], match[2], f"{file}:{number}"))
    return found


def tree(entries: Iterable[Entry]) -> Findings:
    """What a tree says: its devices, the types they offer, and the vgpus made there."""
    gpus: dict[str, dict[str, Said]] = {}
    places: dict[str, str] = {}
    mdev: dict[tuple[str, str], dict[str, Said]] = {}
    types: list[TypeSaid] = []
    devices: list[DeviceSaid] = []
    for entry in entries:
        match = _DEVICE.match(entry.path)
        if match is None:
            continue
        address, rest = match[1].lower(), match[2]
        if not is_of_a_tree(entry.path):
            continue
        words = gpus.setdefault(address, {})
        places.setdefault(address, entry.place)
        said = Said(entry.text.strip(), entry.place)
        if rest in _WORDS:
            text = said.text.removeprefix("0x").upper() if "device" in rest else said.text.lower()
            words[_WORDS[rest]] = Said(text, said.place)
        elif found := _MDEV_FILE.search(rest):
            mdev.setdefault((address, found[1]), {})[found[2]] = said
        elif found := _MDEV_DEVICE.search(rest):
            devices.append(DeviceSaid(found[1].lower(), address, said))
        elif rest == "nvidia/creatable_vgpu_types":
            words.setdefault("vendor_vfio", said)
            if row := _CREATABLE.fullmatch(said.text):
                both = {"id": Said(f"nvidia-{row[1]}", said.place), "name": Said(row[2].strip(), said.place)}
                types.append(TypeSaid(address, said.place, both, is_listing=False))
        elif rest == "nvidia/current_vgpu_type":
            words.setdefault("vendor_vfio", said)
            if said.text.isdecimal() and said.text != "0":
                devices.append(DeviceSaid(address, address, Said(f"nvidia-{said.text}", said.place)))
        elif found := re.search(r"mdev_supported_types/(nvidia-\d+)/", rest):
            mdev.setdefault((address, found[1]), {}).setdefault("id", Said(found[1], said.place))
    for (address, type_id), words in mdev.items():
        place = next(iter(words.values())).place
        types.append(TypeSaid(address, place, says({**words, "id": Said(type_id, place)})))
    said_gpus = tuple(
        GpuSaid(address, places[address], _known(words), is_kernel=True) for address, words in gpus.items()
    )
    return Findings(gpus=said_gpus, types=tuple(types), devices=tuple(devices))


def _known(words: dict[str, Said]) -> dict[str, Said]:
    """The fields that say something; a subsystem of zero is a virtual function's, and says nothing."""
    kept = says({name: said for name, said in words.items() if name != "vendor_vfio"})
    if "subsystem" in kept and kept["subsystem"].text == "0000":
        del kept["subsystem"]
    if "vendor_vfio" in words:
        kept["vendor_vfio"] = Said("yes", words["vendor_vfio"].place)
    return kept


def type_lines(text: str, *, file: str) -> Findings:
    """Lines of `nvidia-555, NVIDIA A40-1B 1`: types of a device that is not named."""
    types = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := _LOOP_LINE.fullmatch(line.strip()):
            place = f"{file}:{number}"
            words = {"id": Said(match[1], place), "name": Said(match[2], place)}
            types.append(TypeSaid(None, place, words))
    return Findings(types=tuple(types))


def type_names(text: str, *, file: str) -> Findings:
    """The names that `ls mdev_supported_types` prints."""
    types = []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{file}:{number}"
        types += [TypeSaid(None, place, {"id": Said(word, place)}) for word in line.split()]
    return Findings(types=tuple(types))


def is_loop(lines: Sequence[str]) -> bool:
    """Whether all lines are of the form that `type_lines` reads."""
    return bool(lines) and all(_LOOP_LINE.fullmatch(line) for line in lines)
