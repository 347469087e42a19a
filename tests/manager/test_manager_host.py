"""What is done to a whole host: its range, driver reload, reboot, another driver, a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.factories import PRESET, VM, a_host, a_manager, refused, start_vm

from vgpu_migrate.errors import InputError
from vgpu_migrate.manager import Reason, VgpuManager
from vgpu_migrate.model import VersionRange, VmState
from vgpu_migrate.nvml import InUseError, InvalidArgumentError, NotSupportedError, UnknownError

NARROW, WIDER = VersionRange(0x120001, 0x130001), VersionRange(0x100001, 0x140001)
HOLDING = [VmState.BOOTING, VmState.RUNNING, VmState.PAUSED, VmState.SLEEPING]


def in_force(manager: VgpuManager) -> VersionRange:
    """The range in force."""
    return manager.versions()[1]


def test_a_later_range_may_be_wider() -> None:
    """Each call is checked against the preset range, not the override before; the preset range lifts it."""
    manager = a_manager()
    for wanted in (NARROW, WIDER, PRESET):
        manager.set_range(wanted)
        assert manager.versions() == (PRESET, wanted)
    assert not manager.state.host.range_is_override


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_a_range_is_set_if_and_only_if_it_is_inside_the_preset_one(minimum: int, maximum: int) -> None:
    """The whole domain of two words against the plain statement of the rule."""
    manager = a_manager()
    wanted = VersionRange(minimum, maximum)
    if PRESET.minimum <= minimum <= maximum <= PRESET.maximum:
        manager.set_range(wanted)
        assert in_force(manager) == wanted
    else:
        with pytest.raises(InvalidArgumentError):
            manager.set_range(wanted)
        assert in_force(manager) == PRESET


@pytest.mark.parametrize("power", HOLDING)
def test_a_vm_with_a_vgpu_is_running(power: VmState) -> None:
    """Booting, running, paused and sleeping VMs keep the range as it is; off and hibernated ones do not."""
    manager = a_manager()
    start_vm(manager, power=power)
    before = manager.state
    with pytest.raises(InUseError, match="running on host h01: vm1"):
        manager.set_range(NARROW)
    assert manager.state is before


@pytest.mark.parametrize("power", [VmState.OFF, VmState.HIBERNATED])
def test_a_vm_without_a_vgpu_is_not_running(power: VmState) -> None:
    """A VM that is off or hibernated holds nothing."""
    manager = a_manager()
    start_vm(manager, power=power)
    manager.set_range(NARROW)
    assert in_force(manager) == NARROW


def test_the_range_is_looked_at_before_in_use() -> None:
    """A range outside the preset one is INVALID_ARGUMENT even while a VM runs."""
    manager = a_manager()
    start_vm(manager)
    with pytest.raises(InvalidArgumentError, match="0x10001-0x20001 is not inside the preset range"):
        manager.set_range(VersionRange(0x10001, 0x20001))


def test_without_a_manager_there_is_no_range() -> None:
    """A plain driver: NOT_SUPPORTED, but a range that is none is INVALID_ARGUMENT first."""
    manager = a_manager(a_host(manager=False))
    with pytest.raises(NotSupportedError):
        manager.versions()
    with pytest.raises(NotSupportedError):
        manager.set_range(NARROW)
    with pytest.raises(InvalidArgumentError):
        manager.set_range(VersionRange(2, 1))


def test_an_unknown_preset_range() -> None:
    """With a driver that is in no table, ranges are answered UNKNOWN."""
    manager = a_manager(a_host(driver="999.1", preset=None))
    with pytest.raises(UnknownError, match=r"the preset range of driver 999\.1 is not known"):
        manager.versions()
    with pytest.raises(UnknownError):
        manager.set_range(NARROW)


@pytest.mark.parametrize(
    "revert",
    [
        lambda manager: manager.reload_driver(),
        lambda manager: manager.reboot(),
        lambda manager: manager.install_driver("550.54.16"),
        lambda manager: manager.restart(),
    ],
    ids=["reload", "reboot", "install", "restart"],
)
def test_the_preset_range_is_back(revert: Callable[[VgpuManager], None]) -> None:
    """After a reload, a reboot, another driver, or a restart, the range in force is the preset one."""
    manager = a_manager()
    manager.set_range(NARROW)
    revert(manager)
    assert manager.versions() == (PRESET, PRESET)


@pytest.mark.parametrize("power", HOLDING)
def test_no_vm_may_run_while_drivers_change(power: VmState) -> None:
    """Reload and installation are refused while a VM has a vgpu."""
    manager = a_manager()
    start_vm(manager, power=power)
    assert refused(manager.reload_driver).reason is Reason.IN_USE
    assert str(refused(lambda: manager.install_driver("580.126.08"))) == (
        "host h01: cannot install driver 580.126.08 while VMs run: vm1; wanted none"
    )


def test_another_driver_brings_its_own_range() -> None:
    """From the facts, or as given; one that is in no table has no known range."""
    manager = a_manager()
    manager.install_driver("580.126.08")
    assert manager.versions() == (VersionRange(0x120001, 0x1A0001), VersionRange(0x120001, 0x1A0001))
    manager.install_driver("999.1")
    assert manager.state.host.preset_range is None
    manager.install_driver("999.1", preset_range=NARROW)
    assert manager.versions() == (NARROW, NARROW)


def test_a_host_driver_that_no_record_can_hold_is_not_installed() -> None:
    """At most 63 printable characters without spaces, as in a fleet file."""
    manager = a_manager()
    with pytest.raises(InputError, match=r"host h01: driver: 5{64}; wanted a driver such as"):
        manager.install_driver("5" * 64)
    assert manager.state.host.driver == a_host().driver


@pytest.mark.parametrize("power", VmState)
def test_a_reboot_ends_every_vm(power: VmState) -> None:
    """VMs with a vgpu are off, their last records kept; hibernated ones stay hibernated."""
    manager = a_manager()
    start_vm(manager, power=power)
    last = manager.saved_records(VM) if power is not VmState.OFF else None
    manager.reboot()
    record = manager.state.vm(VM)
    assert record.power is (VmState.HIBERNATED if power is VmState.HIBERNATED else VmState.OFF)
    assert record.vgpus == ()
    assert record.saved == last


def test_a_restart_keeps_vms_and_applies_the_files_range() -> None:
    """VMs run on; a range set at run time is lost, and the configured one is in force again."""
    manager = a_manager()
    manager.set_range(WIDER)
    start_vm(manager)
    vms = manager.state.vms
    manager.restart(configured_range=NARROW)
    assert (in_force(manager), manager.state.vms) == (NARROW, vms)
    with pytest.raises(InvalidArgumentError):
        manager.restart(configured_range=VersionRange(1, 2))
