"""`nvidia-smi -q` and `nvidia-smi vgpu -q`: indented `key : value` lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from vgpu_migrate.captures.findings import Findings, GpuSaid, Said, VgpuSaid, missing_gpus, pci_address, says

_GPU_LINE = re.compile(r"GPU ([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])\s*$")
_PCI_WORD = re.compile(r"(?:0x)?([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})")

Block = dict[str, Said]
"""Values by their path of keys, in lower case: `ecc mode/current`. The first one counts."""

_GPU_KEYS = {
    "uuid": "gpu uuid",
    "product": "product name",
    "host_mode": "gpu virtualization mode/host vgpu mode",
    "heterogeneous": "gpu virtualization mode/vgpu heterogeneous mode",
    "mig": "mig mode/current",
}
_VGPU_KEYS = {
    "name": "vgpu name",
    "id": "vgpu type",
    "vm_uuid": "vm uuid",
    "vm_name": "vm name",
    "uuid": "vgpu uuid",
    "guest_driver": "guest driver version",
    "placement": "placement id",
    "instance": "gpu instance id",
}


def smi_query(text: str, *, file: str) -> Findings:
    """What the log says of its driver, its gpus and, in `vgpu -q`, their active vgpus."""
    head, blocks = _blocks(text, file)
    driver = head.get("driver version")
    gpus: list[GpuSaid] = []
    vgpus: list[VgpuSaid] = []
    for address, place, block, under in blocks:
        words: dict[str, Said | None] = {name: block.get(key) for name, key in _GPU_KEYS.items()}
        words |= pci_words(block.get("pci/device id"), block.get("pci/sub system id"))
        found = says(words)
        # "None" and "N/A" of these two say something: no vGPU host, no ECC.
        for name, key in {
            "virtualization": "gpu virtualization mode/virtualization mode",
            "ecc": "ecc mode/current",
        }.items():
            if key in block:
                found[name] = block[key]
        gpus.append(GpuSaid(address, place, found))
        for number, values in under:
            said = {"vgpu_id": number} | {name: values.get(key) for name, key in _VGPU_KEYS.items()}
            vgpus.append(VgpuSaid(address, number.place, says(said)))
    drivers = () if driver is None else (driver,)
    against = missing_gpus(head.get("attached gpus"), gpus)
    return Findings(drivers=drivers, gpus=tuple(gpus), vgpus=tuple(vgpus), contradictions=against)


def pci_words(device: Said | None, subsystem: Said | None) -> Mapping[str, Said | None]:
    """Device and subsystem id, four hex digits each, from `0x1B3810DE` or `1B3810DE`."""
    return {"device": _pci_word(device), "subsystem": _pci_word(subsystem)}


def _pci_word(said: Said | None) -> Said | None:
    match = None if said is None else _PCI_WORD.fullmatch(said.text)
    return None if said is None or match is None else Said(match[1].upper(), said.place)


_Gpu = tuple[str, str, Block, list[tuple[Said, Block]]]


def _blocks(text: str, file: str) -> tuple[Block, list[_Gpu]]:
    """The values above the first gpu, and those of each gpu and of each vgpu under it."""
    head: Block = {}
    gpus: list[_Gpu] = []
    block = head
    for key, said, depth in _lines(text, file):
        if depth == 0 and (match := _GPU_LINE.match(said.text if key == "gpu" else "")):
            address = pci_address(match[1])
            assert address is not None, "the pattern is that of an address"
            block = {}
            gpus.append((address, said.place, block, []))
        elif gpus and key == "vgpu id":
            block = {}
            gpus[-1][3].append((said, block))
        else:
            # Values of a vgpu stand one level deeper than its id.
            block.setdefault(key.removeprefix("vgpu id/"), said)
    return head, gpus


def _lines(text: str, file: str) -> Iterable[tuple[str, Said, int]]:
    """Path of keys, value and indentation of every line."""
    above: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{file}:{number}"
        if _GPU_LINE.match(line):
            above = []
            yield "gpu", Said(line.strip(), place), 0
            continue
        depth = len(line) - len(line.lstrip())
        key, colon, value = line.strip().partition(" : ")
        key = key.strip().casefold()
        if not key:
            continue
        while above and above[-1][0] >= depth:
            above.pop()
        path = "/".join([*(name for _, name in above), key])
        above.append((depth, key))
        if colon:
            yield path, Said(value.strip(), place), depth
