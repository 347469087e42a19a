"""The guest: its kernel, its domain XML, and what it says on its console."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("guest.S")
MEMORY_MIB = 64
DEVICE_MIB = 4
_TICK = re.compile(r"^tick ([0-9a-f]{8})(?: dev ([0-9a-f]{8}))?$", re.MULTILINE)


def build_kernel(target: Path) -> Path:
    """Assemble and link the guest's kernel."""
    made = target.with_suffix(".o")
    link = ["ld", "-m", "elf_i386", "-Ttext", "0x100000", "-e", "_start"]
    subprocess.run(["as", "--32", str(SOURCE), "-o", str(made)], check=True)
    subprocess.run([*link, "-o", str(target), str(made)], check=True)
    made.unlink()
    return target


def domain_xml(name: str, uuid: str, *, vgpus: int = 1, metadata: str = "", devices: str = "") -> str:
    """A guest as libvirt's XML.

    Args:
        name: its name.
        uuid: its UUID.
        vgpus: how many ivshmem devices it has; each stands in for a vgpu's memory.
        metadata: what is in <metadata>.
        devices: more of <devices>, such as a hostdev.
    """
    shared = "".join(
        f"""
    <shmem name='{name}-vgpu{number}' role='master'>
      <model type='ivshmem-plain'/>
      <size unit='M'>{DEVICE_MIB}</size>
    </shmem>"""
        for number in range(vgpus)
    )
    return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <metadata>{metadata}</metadata>
  <memory unit='MiB'>{MEMORY_MIB}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>/run/lab/guest.elf</kernel>
  </os>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model></cpu>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <serial type='file'><source path='/run/lab/{name}.console' append='on'/></serial>
    <memballoon model='none'/>{shared}
    {devices}
  </devices>
</domain>
"""


class Console:
    """What a guest has said on one host."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def text(self) -> str:
        """All of it; empty where it never ran."""
        try:
            return self.path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return ""

    @property
    def boots(self) -> int:
        """How often it booted here."""
        return self.text.count("BOOT\n")

    @property
    def ticks(self) -> list[int]:
        """Its counts, in order; it counts 20 times a second."""
        return [int(found[1], 16) for found in _TICK.finditer(self.text)]

    @property
    def device_words(self) -> list[int]:
        """The first word of its device's memory, as it read it at each tick."""
        return [int(found[2], 16) for found in _TICK.finditer(self.text) if found[2]]
