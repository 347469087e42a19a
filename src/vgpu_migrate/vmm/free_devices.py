"""The devices of this machine that a guest can be given: where one is, of which type, and whether it is free.

Read from sysfs and from libvirt's files of running guests; libvirt itself is not asked, a hook must not.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from vgpu_migrate.errors import InputError
from vgpu_migrate.vmm.domain_xml import LARGEST, host_devices, parse_domain

_SMALL = 4096
LOCK = ".lock"


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


class Claims:
    """The marks of devices that were given to a guest which does not run yet; made by `choosing`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def give(self, device: str, guest: str) -> bool:
        """Mark a device as given to a guest, anew where it has it already; whether it is no other guest's.

        Raises:
            OSError: the mark cannot be read or written.
        """
        path, name = self._directory / device, guest.encode("utf-8", "surrogateescape")
        with contextlib.suppress(FileNotFoundError):
            if path.read_bytes() != name:
                return False
        with open(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(name)
        return True

    def take_back(self, device: str) -> None:
        """Take the mark away again."""
        with contextlib.suppress(OSError):
            (self._directory / device).unlink()


@contextlib.contextmanager
def choosing(directory: Path, seconds: float) -> Iterator[Claims]:
    """Choose devices while nobody else on this host does; marks older than so many seconds are gone.

    The lock ends with the process, so one that hangs holds the others no longer than its deadline.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in _entries(directory):
            # A mark of the future is of a clock that was set back, and no younger for it.
            if path.name != LOCK and abs(time.time() - path.stat().st_mtime) > seconds:
                path.unlink()
        yield Claims(directory)
    finally:
        os.close(lock)
