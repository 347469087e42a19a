"""`mdevctl list` and `mdevctl types`, and the manager's log."""

from __future__ import annotations

import re

from vgpu_migrate.captures.findings import DeviceSaid, Findings, Said, TypeSaid, pci_address, says

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
DEVICE_LINE = re.compile(rf"({_UUID})\s+(\S+)\s+(nvidia-\d+)\b")
_TYPE_LINE = re.compile(r"\s+(nvidia-\d+)\s*$")
_DRIVER = re.compile(r"vmiop_log: .*Driver Version: (\S+)")
_RANGE = re.compile(r"vGPU supported range: \((0x[0-9a-fA-F]{1,8}), (0x[0-9a-fA-F]{1,8})\)")
_MIGRATION = re.compile(r"vGPU migration (enabled|disabled)")


def mdevctl_list(text: str, *, file: str) -> Findings:
    """The devices that are active or defined."""
    devices = []
    for number, line in enumerate(text.splitlines(), 1):
        match = DEVICE_LINE.match(line.strip())
        parent = pci_address(match[2]) if match else None
        if match and parent:
            devices.append(DeviceSaid(match[1].lower(), parent, Said(match[3], f"{file}:{number}")))
    return Findings(devices=tuple(devices))


def mdevctl_types(text: str, *, file: str) -> Findings:
    """The types that each device offers."""
    rows: list[tuple[str, str, dict[str, Said]]] = []
    parent: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{file}:{number}"
        address = pci_address(line)
        match = _TYPE_LINE.match(line)
        key, _, value = line.strip().partition(": ")
        if address is not None:
            parent = address
        elif match and parent is not None:
            rows.append((parent, place, {"id": Said(match[1], place)}))
        elif rows and key in ("Name", "Description"):
            rows[-1][2][key.casefold()] = Said(value, place)
    return Findings(types=tuple(TypeSaid(parent, place, says(words)) for parent, place, words in rows))


def manager_log(text: str, *, file: str) -> Findings:
    """The driver, the range of vGPU versions and whether migration is on, as the manager wrote them."""
    drivers, ranges, migrations = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{file}:{number}"
        if match := _DRIVER.search(line):
            drivers.append(Said(match[1], place))
        if match := _RANGE.search(line):
            ranges.append(Said(f"{int(match[1], 16):#x}-{int(match[2], 16):#x}", place))
        if match := _MIGRATION.search(line):
            migrations.append(Said(match[1], place))
    return Findings(log_drivers=tuple(drivers), ranges=tuple(ranges), migrations=tuple(migrations))
