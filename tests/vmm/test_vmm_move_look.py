"""What a guest's XML wants of its host, and what becomes of a destination that does not answer."""

from __future__ import annotations

import pytest

from vgpu_migrate.vmm.domain_xml import parse_domain
from vgpu_migrate.vmm.move_look import Machine, machine_of

OS = "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>"


@pytest.mark.parametrize(
    ("memory", "mib"),
    [
        ("<memory unit='KiB'>4194304</memory>", 4096),
        ("<memory>4194304</memory>", 4096),
        ("<memory unit='MiB'>16</memory>", 16),
        ("<memory unit='GiB'>2</memory>", 2048),
        ("<memory unit='b'>1048576</memory>", 1),
        ("<memory unit='?'>5</memory>", 0),
        ("<memory>much</memory>", 0),
        ("", 0),
    ],
)
def test_memory_in_any_unit(memory: str, mib: int) -> None:
    """Memory is read in libvirt's units, KiB where none is named, and is 0 where it cannot be read."""
    assert machine_of(parse_domain(f"<domain>{memory}{OS}</domain>".encode())).memory_mib == mib


def test_what_a_guest_wants_of_its_host() -> None:
    """Emulator, architecture, machine type and kind are read, and what is not there is left open."""
    emulator = "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>"
    whole = machine_of(parse_domain(f"<domain type='kvm'>{OS}{emulator}</domain>".encode()))
    assert whole == Machine("/usr/bin/qemu-system-x86_64", "x86_64", "pc-q35-7.2", "kvm", 0)
    assert machine_of(parse_domain(b"<domain><name>g</name></domain>")) == Machine(None, None, None, None, 0)
