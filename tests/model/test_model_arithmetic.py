"""Negotiation and cost: plain arithmetic, to the digit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.fleet_makers import a_file, a_vgpu_entry, a_vm_entry, read

from vgpu_migrate.model import Settings, VersionRange, VmId
from vgpu_migrate.model.cost import migration_s, stun_estimate_s, transfer_s
from vgpu_migrate.model.negotiation import negotiate

HOST = VersionRange(0x70001, 0x140001)


@pytest.mark.parametrize(
    ("minimum", "maximum", "host", "version"),
    [
        (0x70001, 0x140001, HOST, 0x140001),
        (0x70001, 0x100001, HOST, 0x100001),
        (0x70001, 0x180001, HOST, 0x140001),
        (0x140001, 0x1A0001, HOST, 0x140001),
        (0x140002, 0x1A0001, HOST, None),
        (None, 0x100001, HOST, 0x100001),
        (None, 0x70000, HOST, None),
        (0x70001, None, HOST, None),
        (0x70001, 0x140001, None, None),
    ],
)
def test_negotiation_takes_the_newest_common_version(
    minimum: int | None, maximum: int | None, host: VersionRange | None, version: int | None
) -> None:
    """The version is the maximum of the intersection; only the guest's minimum may be unknown."""
    assert negotiate(guest_minimum=minimum, guest_maximum=maximum, host_range=host) == version


versions = st.integers(0, 40)


@given(a=versions, b=versions, c=versions, d=versions)
def test_negotiation_is_the_best_of_all_versions(a: int, b: int, c: int, d: int) -> None:
    """Among all versions, the one taken is the greatest that both sides support."""
    guest, host = VersionRange(min(a, b), max(a, b)), VersionRange(min(c, d), max(c, d))
    both = [version for version in range(41) if version in guest and version in host]
    found = negotiate(guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=host)
    assert found == max(both, default=None)


def test_one_migration_costs_memory_and_framebuffer_over_the_wire() -> None:
    """Overhead plus (16384 + 12288) MiB times 2^23 bits, over 25 Gbit/s."""
    vm = read(a_file()).vms[VmId("vm-1")]
    assert migration_s(vm, Settings()) == 5 + 28672 * 2**23 / 25e9
    assert migration_s(vm, Settings()) == pytest.approx(14.620726, abs=1e-6)


def test_the_stun_is_the_framebuffer_alone() -> None:
    """All framebuffers of the VM together, no overhead, no memory."""
    vms = [a_vm_entry(vgpus=[a_vgpu_entry(), a_vgpu_entry()])]
    vm = read(a_file(vms=vms)).vms[VmId("vm-1")]
    assert vm.framebuffer_mib == 24576
    assert stun_estimate_s(vm, Settings(bandwidth_gbit_s=10.0)) == 24576 * 2**23 / 10e9


def test_one_gib_at_one_gbit() -> None:
    """1 GiB at 1 Gbit/s takes 8.59 s: binary memory, decimal bandwidth."""
    assert transfer_s(1024, Settings(bandwidth_gbit_s=1.0)) == 8.589934592
