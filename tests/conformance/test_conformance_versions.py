"""`nvmlGetVgpuVersion` and `nvmlSetVgpuVersion`, statement by statement."""

from __future__ import annotations

import pytest
from tests.conformance.client import Client, a_client
from tests.manager.factories import OLDER_GUEST, PRESET, VM, a_host, start_vm

from vgpu_migrate.model import VersionRange, VmState
from vgpu_migrate.nvml import (
    GuestInfoState,
    InUseError,
    InvalidArgumentError,
    NotSupportedError,
    UninitializedError,
    UnknownError,
)

NARROW = VersionRange(0x120001, 0x130001)


def test_get_version_success() -> None:
    """The range structures were successfully obtained: the preset one and the administrator's."""
    client = a_client()
    client.set_version(*NARROW)
    assert client.versions() == (PRESET, NARROW)


def test_get_version_same_until_overridden() -> None:
    """If the preset range has not been overridden, both ranges are the same."""
    assert a_client().versions() == (PRESET, PRESET)


def test_get_version_writes_structures() -> None:
    """The ranges are written into the structures passed, and nothing behind them."""
    supported, current = bytearray(b"\xaa" * 9), bytearray(b"\xaa" * 9)
    a_client().calls.get_vgpu_version(supported, current)
    assert supported == current == PRESET.to_bytes() + b"\xaa"


def test_get_version_not_supported() -> None:
    """NOT_SUPPORTED: the host runs no vGPU Manager."""
    with pytest.raises(NotSupportedError):
        a_client(a_host(manager=False)).versions()


@pytest.mark.parametrize("null", ["supported", "current"])
def test_get_version_null(null: str) -> None:
    """INVALID_ARGUMENT: the supported parameter or the current parameter is NULL; nothing is written."""
    buffer = bytearray(8)
    arguments = (None, buffer) if null == "supported" else (buffer, None)
    with pytest.raises(InvalidArgumentError, match="supported or current is NULL"):
        a_client().calls.get_vgpu_version(*arguments)
    assert buffer == bytes(8)


def test_get_version_null_before_support() -> None:
    """Arguments are looked at before support."""
    with pytest.raises(InvalidArgumentError):
        a_client(a_host(manager=False)).calls.get_vgpu_version(None, None)


def test_get_version_unknown() -> None:
    """UNKNOWN: the preset range of a driver that is in no table cannot be fetched; nothing is written."""
    supported, current = bytearray(8), bytearray(8)
    with pytest.raises(UnknownError):
        a_client(a_host(driver="999.1", preset=None)).calls.get_vgpu_version(supported, current)
    assert supported == current == bytes(8)


def test_get_version_uninitialized() -> None:
    """UNINITIALIZED before any look at the arguments."""
    client = a_client()
    client.calls.shutdown()
    with pytest.raises(UninitializedError):
        client.calls.get_vgpu_version(None, None)


def test_get_version_short_buffers() -> None:
    """A buffer that cannot hold the eight bytes is INVALID_ARGUMENT, where C could not tell."""
    with pytest.raises(InvalidArgumentError, match="current has 7 bytes; wanted 8"):
        a_client().calls.get_vgpu_version(bytearray(8), bytearray(7))


def test_set_version_success() -> None:
    """The preset range of vGPU versions was successfully overridden."""
    client = a_client()
    client.set_version(*NARROW)
    assert client.versions()[1] == NARROW


def test_set_version_takes_precedence() -> None:
    """The custom range takes precedence over the preset range and is what is advertised for negotiation."""
    client = a_client()
    client.set_version(*NARROW)
    start_vm(client.manager, power=VmState.BOOTING)
    outcome = client.manager.load_guest_driver(VM, "550.54.14", bounds=(0x70001, 0x140001))
    assert (outcome.host_range, outcome.vgpu_version) == (NARROW, 0x130001)
    assert client.pgpu().host_supported_vgpu_range == NARROW


@pytest.mark.parametrize(
    ("minimum", "maximum"),
    [(0x70001, 0x140001), (0x70001, 0x70001), (0x140001, 0x140001), (0x80000, 0x13FFFF)],
)
def test_set_version_subset(minimum: int, maximum: int) -> None:
    """Note 1: a subset of the preset range is accepted, its ends and single versions included."""
    client = a_client()
    client.set_version(minimum, maximum)
    assert client.versions()[1] == (minimum, maximum)


@pytest.mark.parametrize(
    ("minimum", "maximum"),
    [
        (0x70000, 0x140001),
        (0x70001, 0x140002),
        (0x60001, 0x6FFFF),
        (0x150001, 0x160001),
        (0, 0xFFFFFFFF),
        (0x140001, 0x70001),
    ],
)
def test_set_version_outside_preset(minimum: int, maximum: int) -> None:
    """Note 1: otherwise an error is returned, INVALID_ARGUMENT, and the range stays."""
    client = a_client()
    client.set_version(*NARROW)
    with pytest.raises(InvalidArgumentError):
        client.set_version(minimum, maximum)
    assert client.versions()[1] == NARROW


def test_set_version_no_overlap() -> None:
    """Note 2: a guest driver whose range does not overlap the range set fails to load."""
    client = a_client()
    client.set_version(0x130001, 0x140001)
    start_vm(client.manager, power=VmState.BOOTING)
    outcome = client.manager.load_guest_driver(VM, "535.54.03", bounds=OLDER_GUEST)
    assert not outcome.has_loaded
    assert str(outcome) == (
        "guest driver 535.54.03 does not load: guest 0x70001-0x120001, host 0x130001-0x140001"
    )
    assert client.vgpu().guest_info_state is GuestInfoState.UNINITIALIZED
    assert client.manager.state.vm(VM).power is VmState.RUNNING
    with pytest.raises(InUseError):
        client.set_version(*PRESET)


@pytest.mark.parametrize(
    ("guest", "in_force", "expected"),
    [
        ((0x70001, 0x140001), (0x70001, 0x140001), 0x140001),
        ((0x70001, 0x120001), (0x70001, 0x140001), 0x120001),
        ((0x130001, 0x1A0001), (0x70001, 0x130001), 0x130001),
        ((0x70001, 0x120001), (0x120001, 0x140001), 0x120001),
    ],
)
def test_set_version_negotiated_maximum(
    guest: tuple[int, int], in_force: tuple[int, int], expected: int
) -> None:
    """Note 3: with an overlap the guest driver loads, with the maximum value in the overlapping range."""
    client = a_client()
    client.set_version(*in_force)
    start_vm(client.manager, power=VmState.BOOTING)
    assert client.manager.load_guest_driver(VM, "1.2", bounds=guest).vgpu_version == expected
    assert client.vgpu().guest_vgpu_version == expected


@pytest.mark.parametrize(
    "power", [VmState.BOOTING, VmState.RUNNING, VmState.PAUSED, VmState.SLEEPING], ids=str
)
def test_set_version_in_use(power: VmState) -> None:
    """Note 4: no VMs must be running when it is called; else IN_USE, and the range was not overridden."""
    client = a_client(power=power)
    with pytest.raises(InUseError, match="running on host h01: vm1"):
        client.set_version(*NARROW)
    assert client.versions() == (PRESET, PRESET)


@pytest.mark.parametrize("power", [VmState.OFF, VmState.HIBERNATED], ids=str)
def test_set_version_not_in_use(power: VmState) -> None:
    """A VM that is off or hibernated has no vgpu and is not running."""
    client = a_client(power=power)
    client.set_version(*NARROW)
    assert client.versions()[1] == NARROW


def test_set_version_held_is_in_use() -> None:
    """A vgpu that is held for a migration counts, on both hosts."""
    source, target = a_client(power=VmState.RUNNING), a_client(a_host("h02"))
    source.manager.hand_over(target.manager.migrate_in(source.manager.migrate_out(VM)))
    for client in (source, target):
        with pytest.raises(InUseError):
            client.set_version(*NARROW)


def test_set_version_range_before_in_use() -> None:
    """The range is looked at before IN_USE."""
    with pytest.raises(InvalidArgumentError):
        a_client(power=VmState.RUNNING).set_version(1, 2)


def test_set_version_reverts_on_reboot() -> None:
    """After a host system reboot the range reverts to the preset range."""
    client = a_client()
    client.set_version(*NARROW)
    client.manager.reboot()
    assert client.versions() == (PRESET, PRESET)


def test_set_version_reverts_on_driver_reload() -> None:
    """After a driver reload the range reverts to the preset range; so it does with another driver."""
    client = a_client()
    client.set_version(*NARROW)
    client.manager.reload_driver()
    assert client.versions() == (PRESET, PRESET)
    client.set_version(*NARROW)
    client.manager.install_driver("550.54.16")
    assert client.versions() == (PRESET, PRESET)


def test_set_version_null() -> None:
    """INVALID_ARGUMENT if `vgpuVersion` is NULL, before support."""
    for host in (a_host(), a_host(manager=False)):
        with pytest.raises(InvalidArgumentError, match="vgpuVersion is NULL"):
            a_client(host).calls.set_vgpu_version(None)


def test_set_version_not_supported() -> None:
    """NOT_SUPPORTED: the host runs no vGPU Manager."""
    with pytest.raises(NotSupportedError):
        a_client(a_host(manager=False)).set_version(*NARROW)


def test_set_version_wider_later() -> None:
    """Each call is checked against the preset range: a later one may be wider; the preset one lifts it."""
    client = a_client()
    for wanted in (NARROW, VersionRange(0x70001, 0x130001), PRESET):
        client.set_version(*wanted)
        assert client.versions()[1] == wanted


def test_set_version_unknown_preset() -> None:
    """UNKNOWN, which the page does not name here, where the preset range is in no table."""
    with pytest.raises(UnknownError):
        a_client(a_host(driver="999.1", preset=None)).set_version(*NARROW)


def test_set_version_seen_by_every_process() -> None:
    """The range is the host's: a setter in one process is seen by the next call in another."""
    one = a_client()
    other = Client(one.manager)
    one.set_version(*NARROW)
    assert other.versions()[1] == NARROW


def test_set_version_short_buffer() -> None:
    """Seven bytes are no range: INVALID_ARGUMENT, where C could not tell."""
    with pytest.raises(InvalidArgumentError):
        a_client().calls.set_vgpu_version(bytes(7))


def test_set_version_uninitialized() -> None:
    """UNINITIALIZED before any look at the arguments."""
    client = a_client()
    client.calls.shutdown()
    with pytest.raises(UninitializedError):
        client.calls.set_vgpu_version(None)


def test_init_is_counted() -> None:
    """Each init wants a shutdown of its own; a shutdown without one is UNINITIALIZED."""
    client = a_client()
    client.calls.init()
    client.calls.shutdown()
    assert client.versions() == (PRESET, PRESET)
    client.calls.shutdown()
    with pytest.raises(UninitializedError):
        client.versions()
    with pytest.raises(UninitializedError):
        client.calls.shutdown()
