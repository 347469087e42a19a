"""The tables of `nvidia-smi` and `nvidia-smi vgpu`, which cut long names off with three dots."""

from __future__ import annotations

import re

from vgpu_migrate.captures.findings import Findings, GpuSaid, Said, VgpuSaid, pci_address, says

CUT_OFF = "..."
LONGEST_LINE = 300
_HEAD = re.compile(r"\|\s*NVIDIA-SMI\s+\S+\s+Driver Version:\s*(\S+)")
_GPU = re.compile(
    r"\|\s+(\d+)\s+(\S.*?)\s*\|\s*([0-9A-Fa-f]{8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])\s*([^|]*)\|"
)
_PERSISTENCE = re.compile(r"\s+(On|Off|N/A)$")
_VGPU = re.compile(r"\|\s+(\d+)\s+(\S.*?)\s*\|\s*(\S+)\s+(\S.*?)\s*\|")
_WIDE_GPU = re.compile(r"\|[^|]*\|[^|]*\|\s*(\S+)\s*\|\s*$")


def smi_table(text: str, *, file: str) -> Findings:
    """What a table says of the driver, the gpus and the active vgpus."""
    is_vgpu = "vGPU ID" in text
    drivers: list[Said] = []
    gpus: list[GpuSaid] = []
    vgpus: list[VgpuSaid] = []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{file}:{number}"
        if len(line) > LONGEST_LINE:
            continue
        if match := _HEAD.search(line):
            drivers.append(Said(match[1], place))
        elif match := _GPU.search(line):
            gpus.append(_gpu(match, line, place, is_vgpu=is_vgpu))
        elif is_vgpu and gpus and gpus[-1].address is not None and (match := _VGPU.search(line)):
            names = ("vgpu_id", "name", "vm_uuid", "vm_name")
            words = {name: Said(value, place) for name, value in zip(names, match.groups(), strict=True)}
            vgpus.append(VgpuSaid(gpus[-1].address, place, says(words)))
    return Findings(drivers=tuple(drivers), gpus=tuple(gpus), vgpus=tuple(vgpus))


def _gpu(match: re.Match[str], line: str, place: str, *, is_vgpu: bool) -> GpuSaid:
    product = match[2] if is_vgpu else _PERSISTENCE.sub("", match[2])
    words: dict[str, Said | None] = {} if product.endswith(CUT_OFF) else {"product": Said(product, place)}
    found = says(words)
    ecc = None if is_vgpu else _WIDE_GPU.search(line)
    if ecc is not None:
        # The column counts errors where ECC is on.
        found["ecc"] = Said("Enabled" if ecc[1].isdecimal() else ecc[1], place)
    if is_vgpu:
        # Only a vGPU Manager answers `nvidia-smi vgpu`, and it lists the gpus that it manages.
        found["virtualization"] = Said("Host VGPU", place)
    return GpuSaid(pci_address(match[3]), place, found)
