"""Guests as libvirt's XML, with or without saved records, and settings of the hook for a simulated host."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.compat.factories import a_vgpu

from vgpu_migrate import dropin
from vgpu_migrate.compat import VgpuTraits
from vgpu_migrate.compat.record import vgpu_record
from vgpu_migrate.dropin import library_dir
from vgpu_migrate.vmm.domain_element import GuestState, SavedRecords, SavedVgpu, write_element
from vgpu_migrate.vmm.hook import answer
from vgpu_migrate.vmm.hook_exit import Answer

BOOT = datetime(2026, 11, 23, 9, 12, 44, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)
MDEV = "b1ae8bf4-c1a0-4b32-9b35-0c1a4a3f9a01"
OTHER_MDEV = "b1ae8bf4-c1a0-4b32-9b35-0c1a4a3f9a02"


def a_record(**changes: Any) -> bytes:
    """The record of a vgpu that suits an ordinary L40S."""
    return of_traits(a_vgpu(**changes))


def of_traits(traits: VgpuTraits) -> bytes:
    """The record of a vgpu with these traits."""
    return vgpu_record(traits, guest_driver="550.54.14" if traits.guest_info else "")


def some_records(*vgpus: SavedVgpu, **changes: Any) -> SavedRecords:
    """Good records of these vgpus, else of one."""
    fields: dict[str, Any] = {"taken": LATER, "boot": BOOT, "last_boot": BOOT, "state": GuestState.RUNNING}
    return SavedRecords(vgpus or (SavedVgpu(a_record(), "L40S-12Q"),), **fields | changes)


def an_element(records: SavedRecords | None = None, **changes: Any) -> bytes:
    """The element of records, else of good ones."""
    return write_element(records or some_records(**changes))


def xenserver(*records: bytes) -> bytes:
    """XenServer's form in our element's place."""
    rows = [{"nvidia": base64.b64encode(record).decode()} for record in records]
    text = json.dumps(rows[0] if len(rows) == 1 else rows)
    return f"<x:vgpus xmlns:x='urn:vgpu-migrate:domain:1'>{text}</x:vgpus>".encode()


def mdev(uuid: str = MDEV) -> bytes:
    """A mediated device."""
    source = f"<source><address uuid='{uuid}'/></source>"
    return f"<hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci'>{source}</hostdev>".encode()


def function(slot: int = 0, number: int = 4) -> bytes:
    """A PCI device of the host."""
    address = f"<address domain='0x0000' bus='0x3b' slot='0x{slot:02x}' function='0x{number}'/>"
    guest = "<address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/>"
    source = f"<source>{address}</source>{guest}"
    return f"<hostdev mode='subsystem' type='pci' managed='no'>{source}</hostdev>".encode()


def a_domain(element: bytes = b"", devices: Sequence[bytes] = ()) -> bytes:
    """A guest's XML as libvirt gives it to the hook."""
    other = b"<app:x xmlns:app='urn:another'><app:y a='&lt;&gt;'/></app:x>"
    return (
        b"<domain type='kvm'>\n  <name>guest-\xc3\xa9</name>\n  <metadata>"
        + other
        + element
        + b"</metadata>\n"
        b"  <devices>\n    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n    "
        + b"\n    ".join(devices)
        + b"\n  </devices>\n</domain>\n"
    )


def settings_for(folder: Path, socket: Path | str, **more: str) -> Path:
    """A settings file for a simulated host; `more` are tables with their lines."""
    tables = {"driver": f'library = "{library_dir() / dropin.LIBRARY}"\nsocket = "{socket}"', **more}
    path = folder / "hook.toml"
    path.write_text("".join(f"[{name}]\n{lines}\n" for name, lines in tables.items()))
    path.chmod(0o600)
    return path


def asked(xml: bytes, settings: Path, *, operation: str = "migrate", guest: str = "g") -> Answer:
    """What the hook's entry point answers."""
    return answer([guest, operation, "begin", "-"], io.BytesIO(xml), settings=settings)
