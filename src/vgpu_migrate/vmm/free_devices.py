"""The devices of this machine that a guest can be given: where one is, of which type, and whether it is free.

Read from sysfs and from libvirt's files of running guests; libvirt itself is not asked, a hook must not.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from vgpu_migrate.errors import InputError
from vgpu_migrate.vmm.domain_xml import LARGEST, host_devices, parse_domain

_SMALL = 4096


class Device(NamedTuple):
    """A device: its id as `HostDevice.id`, its type's short name, and its gpu's PCI address."""

    id: str
    type: str
    gpu: str


def short_name(name: str) -> str:
    """A vgpu type's short name: ``NVIDIA L40S-12Q`` and ``GRID T4-8Q`` without their first word."""
    for vendor in ("NVIDIA ", "GRID "):
        name = name.removeprefix(vendor)
    return name.strip()


def devices(sysfs: Path, type_name: Callable[[int], str | None]) -> Iterator[Device]:
    """Every mediated device and every virtual function with a vgpu type, by id.

    Args:
        sysfs: ``/sys``, or another that looks like it.
        type_name: a vgpu type's name by its id, as NVML says it.
    """
    for path in _entries(sysfs / "bus/mdev/devices"):
        name = _read(path / "mdev_type/name")
        # The device's directory lies in its parent's, which may be a virtual function.
        if name is not None:
            yield Device(
                f"mdev:{path.name.lower()}", short_name(name), _gpu_of(Path(os.path.realpath(path)).parent)
            )
    for path in _entries(sysfs / "bus/pci/devices"):
        type_id = _read(path / "nvidia/current_vgpu_type")
        if type_id is None or not type_id.isdecimal() or type_id == "0":
            continue
        name = type_name(int(type_id))
        if name is not None:
            yield Device(f"pci:{path.name.lower()}", short_name(name), _gpu_of(path))


def _gpu_of(function: Path) -> str:
    physical = function / "physfn"
    return Path(os.path.realpath(physical)).name.lower() if physical.exists() else function.name.lower()


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_SMALL).decode("utf-8", "replace").strip()
    except OSError:
        return None


def used_by_guests(domains: Path) -> frozenset[str]:
    """The devices of the guests that libvirt runs here, incoming ones too, from its status files."""
    used: set[str] = set()
    for path in _entries(domains):
        if path.suffix != ".xml":
            continue
        try:
            with path.open("rb") as file:
                status = parse_domain(file.read(LARGEST + 1), root_name="domstatus")
        except (OSError, InputError):
            continue  # ended meanwhile, or being written: a claim covers that moment
        used |= {device.id for domain in status.named("domain") for device in host_devices(domain)}
    return frozenset(used)


def claim(device: str, *, guest: str, directory: Path, seconds: float) -> bool:
    """Mark a device as given to a guest; whether no other guest was given it in the last so many seconds.

    A guest whose migration failed finds its own mark again.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / device
    with contextlib.suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > seconds:
            path.unlink()
    name = guest.encode("utf-8", "surrogateescape")
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(name)
    except FileExistsError:
        return path.read_bytes() == name
    return True


def unclaim(device: str, *, directory: Path) -> None:
    """Take the mark away again."""
    with contextlib.suppress(OSError):
        (directory / device).unlink()
