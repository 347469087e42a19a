"""The files that any PCI function has in sysfs, and its configuration space."""

from __future__ import annotations

import struct
from typing import NamedTuple

from vgpu_migrate.snapshot.cards import NVIDIA_VENDOR
from vgpu_migrate.sysfs.nodes import File, Link, Node, text

CLASS = 0x030200
"""A 3D controller, as the vendor's boards without a display output are."""
REVISION = 0xA1
DRIVER = "nvidia"
_CONFIG_SIZE = 4096
_EXPRESS = 0x60
_LINK = 4 | 16 << 4
"""PCI Express 4.0, 16 lanes."""


class Function(NamedTuple):
    """A PCI function of a gpu: where it is and what it says it is."""

    address: str
    device_id: int
    subsystem_id: int
    group: int
    numa_node: int = 0


def function_files(function: Function) -> dict[str, Node]:
    """The attributes of a function that is bound to the vendor's driver.

    Source: names and spelling as in captures of an A2's virtual function; the links as Linux makes them.
    """
    vendor, device, subsystem = NVIDIA_VENDOR, function.device_id, function.subsystem_id
    # The subsystem's vendor is the board's, also where the subsystem is 0.
    alias = f"pci:v{vendor:08X}d{device:08X}sv{vendor:08X}sd{subsystem:08X}"
    alias += f"bc{CLASS >> 16:02x}sc{CLASS >> 8 & 0xFF:02x}i{CLASS & 0xFF:02x}"
    event = (
        f"DRIVER={DRIVER}\n"
        f"PCI_CLASS={CLASS:X}\n"
        f"PCI_ID={vendor:04X}:{device:04X}\n"
        f"PCI_SUBSYS_ID={vendor:04X}:{subsystem:04X}\n"
        f"PCI_SLOT_NAME={function.address}\n"
        f"MODALIAS={alias}"
    )
    return {
        "class": text(f"{CLASS:#08x}"),
        "config": File(config_space(function)),
        "device": text(f"{device:#06x}"),
        "driver": Link(f"../../../bus/pci/drivers/{DRIVER}"),
        "driver_override": text("(null)"),
        "enable": text(1),
        "iommu_group": Link(f"../../../kernel/iommu_groups/{function.group}"),
        "irq": text(0),
        "modalias": text(alias),
        "numa_node": text(function.numa_node),
        "resource": File(b"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" * 13),
        "revision": text(f"{REVISION:#04x}"),
        "subsystem": Link("../../../bus/pci"),
        "subsystem_device": text(f"{subsystem:#06x}"),
        "subsystem_vendor": text(f"{vendor:#06x}"),
        "uevent": File(f"{event}\n".encode()),
        "vendor": text(f"{vendor:#06x}"),
    }


def config_space(function: Function) -> bytes:
    """A configuration space with the ids, and a PCI Express capability: what inventories look at."""
    space = bytearray(_CONFIG_SIZE)
    command, status = 0x0006, 0x0010
    struct.pack_into("<HHHH", space, 0x00, NVIDIA_VENDOR, function.device_id, command, status)
    struct.pack_into("<I", space, 0x08, CLASS << 8 | REVISION)
    struct.pack_into("<HH", space, 0x2C, NVIDIA_VENDOR, function.subsystem_id)
    space[0x34] = _EXPRESS
    # Capability 0x10, the last, version 2: an endpoint; link capabilities at 12, link status at 18.
    struct.pack_into("<BBH", space, _EXPRESS, 0x10, 0, 2)
    struct.pack_into("<I", space, _EXPRESS + 12, _LINK)
    struct.pack_into("<H", space, _EXPRESS + 18, _LINK)
    return bytes(space)
