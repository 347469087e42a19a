"""`nvmlVgpuInstanceGetMetadata`, statement by statement."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conformance.client import Client, a_client
from tests.manager.factories import GUEST, VM, a_host, a_manager, a_vm, start_vm

from vgpu_migrate.hosts import Size
from vgpu_migrate.manager import VgpuManager, migrate
from vgpu_migrate.model import VersionRange, VmState
from vgpu_migrate.nvml import (
    GuestInfoState,
    InsufficientSizeError,
    InvalidArgumentError,
    NotFoundError,
    States,
    UninitializedError,
    UnknownError,
    VgpuMetadata,
)


def test_instance_metadata_success() -> None:
    """vGPU metadata structure was successfully returned: 212 bytes, and the true size."""
    client = a_client(power=VmState.RUNNING)
    size, buffer = Size(212), bytearray(212)
    client.calls.vgpu_instance_get_metadata(client.instance, buffer, size)
    assert size.value == 212
    assert VgpuMetadata.from_bytes(buffer).guest_info_state is GuestInfoState.INITIALIZED


def test_instance_metadata_contents() -> None:
    """Information about the vGPU and its VM: guest driver version, host driver version, opaque data."""
    record = a_client(power=VmState.RUNNING).vgpu()
    assert (record.guest_driver_version, record.host_driver_version) == ("550.54.14", "550.54.16")
    assert (record.record_version, record.opaque_data) == (1, b"vgm\0")


@pytest.mark.parametrize(
    "power", [VmState.BOOTING, VmState.RUNNING, VmState.PAUSED, VmState.SLEEPING], ids=str
)
def test_instance_metadata_at_any_time(power: VmState) -> None:
    """May be called at any time for a vGPU instance."""
    assert len(a_client(power=power).vgpu_record()) == 212


def test_instance_metadata_guest_info_state() -> None:
    """Fields that depend on the guest are not available until it reports; `guestInfoState` says so."""
    client = a_client(power=VmState.BOOTING)
    before = client.vgpu()
    client.manager.load_guest_driver(VM, "550.54.14", bounds=GUEST)
    after = client.vgpu()
    assert (before.guest_info_state, before.guest_driver_version, before.guest_vgpu_version) == (0, "", 0)
    assert (after.guest_info_state, after.guest_driver_version, after.guest_vgpu_version) == (
        1,
        "550.54.14",
        0x140001,
    )


@pytest.mark.parametrize(
    "operation",
    [lambda manager: manager.reboot_guest(VM), lambda manager: (manager.shut_down(VM), manager.start(VM))],
)
def test_instance_metadata_guest_info_resets(operation: Callable[[VgpuManager], object]) -> None:
    """A cold start or a guest reboot sets guest info back until the driver reports again."""
    client = a_client(power=VmState.RUNNING)
    operation(client.manager)
    assert client.vgpu().guest_info_state is GuestInfoState.UNINITIALIZED


def test_instance_metadata_pause_and_sleep_keep_it() -> None:
    """Pause and sleep keep guest info."""
    for power in (VmState.PAUSED, VmState.SLEEPING):
        assert a_client(power=power).vgpu().guest_info_state is GuestInfoState.INITIALIZED


def test_instance_metadata_host_driver_is_the_present_hosts() -> None:
    """After the commit `hostDriverVersion` is the target's; a record saved before keeps the old one."""
    source, target = (
        a_manager(),
        a_manager(a_host("h02", driver="580.126.08", preset=VersionRange(0x120001, 0x1A0001))),
    )
    start_vm(source)
    saved = source.saved_records(VM)[0]
    migrate(source, target, VM)
    assert Client(target).vgpu().host_driver_version == "580.126.08"
    assert VgpuMetadata.from_bytes(saved).host_driver_version == "550.54.16"


def test_instance_metadata_saved_and_given_back() -> None:
    """A VMM may save it with the VM, and provide it when creating a vGPU for its next instance."""
    client = a_client(power=VmState.RUNNING)
    saved = client.vgpu_record()
    client.manager.hibernate(VM)
    client.manager.start(VM, States.HIBERNATE, records=[saved])
    assert client.vgpu_record() == saved


def test_instance_metadata_insufficient_size() -> None:
    """The buffer is too small: the required size is returned in `bufferSize`, and nothing else is written."""
    client = a_client(power=VmState.RUNNING)
    for given in (0, 1, 211):
        size, buffer = Size(given), bytearray(b"\xaa" * 300)
        with pytest.raises(InsufficientSizeError):
            client.calls.vgpu_instance_get_metadata(client.instance, buffer, size)
        assert (size.value, bytes(buffer)) == (212, b"\xaa" * 300)


def test_instance_metadata_size_query() -> None:
    """Size 0 with a NULL buffer asks for the size: INSUFFICIENT_SIZE, never SUCCESS."""
    client = a_client(power=VmState.RUNNING)
    size = Size(0)
    with pytest.raises(InsufficientSizeError) as caught:
        client.calls.vgpu_instance_get_metadata(client.instance, None, size)
    assert (size.value, caught.value.needed) == (212, 212)


def test_instance_metadata_larger_buffer() -> None:
    """A larger buffer gets the record and the true size, and keeps what lies behind."""
    client = a_client(power=VmState.RUNNING)
    size, buffer = Size(300), bytearray(b"\xaa" * 300)
    client.calls.vgpu_instance_get_metadata(client.instance, buffer, size)
    assert (size.value, bytes(buffer[212:])) == (212, b"\xaa" * 88)


def test_instance_metadata_buffer_smaller_than_said() -> None:
    """A client that says more than its buffer has is not overrun: INSUFFICIENT_SIZE."""
    client = a_client(power=VmState.RUNNING)
    size, buffer = Size(4096), bytearray(100)
    with pytest.raises(InsufficientSizeError):
        client.calls.vgpu_instance_get_metadata(client.instance, buffer, size)
    assert (size.value, bytes(buffer)) == (212, bytes(100))


def test_instance_metadata_size_null() -> None:
    """INVALID_ARGUMENT if `bufferSize` is NULL."""
    client = a_client(power=VmState.RUNNING)
    with pytest.raises(InvalidArgumentError, match="bufferSize is NULL"):
        client.calls.vgpu_instance_get_metadata(client.instance, bytearray(212), None)


def test_instance_metadata_instance_zero() -> None:
    """INVALID_ARGUMENT if `vgpuInstance` is 0."""
    client = a_client(power=VmState.RUNNING)
    with pytest.raises(InvalidArgumentError, match="vgpuInstance is 0"):
        client.calls.vgpu_instance_get_metadata(0, bytearray(212), Size(212))


def test_instance_metadata_buffer_null() -> None:
    """INVALID_ARGUMENT if `vgpuMetadata` is NULL and the value of `bufferSize` is not 0."""
    client = a_client(power=VmState.RUNNING)
    size = Size(212)
    with pytest.raises(InvalidArgumentError, match="the buffer is NULL and bufferSize is 212; wanted 0"):
        client.calls.vgpu_instance_get_metadata(client.instance, None, size)
    assert size.value == 212


def test_instance_metadata_not_found() -> None:
    """NOT_FOUND if `vgpuInstance` does not match a valid active vGPU instance; the size stays as it was."""
    client = a_client(power=VmState.RUNNING)
    handle = client.instance
    for gone in (handle + 1, 0xFFFFFFFF):
        size = Size(0)
        with pytest.raises(NotFoundError):
            client.calls.vgpu_instance_get_metadata(gone, None, size)
        assert size.value == 0
    client.manager.shut_down(VM)
    with pytest.raises(NotFoundError):
        client.vgpu_record(handle)


def test_instance_metadata_held_is_not_active() -> None:
    """From migrate-in to commit the target's instance is NOT_FOUND; after the hand-over the source's is."""
    source, target = a_manager(), a_manager(a_host("h02"))
    start_vm(source)
    acceptance = target.migrate_in(source.migrate_out(VM))
    held = target.state.vm(VM).vgpus[0].handle
    with pytest.raises(NotFoundError):
        Client(target).vgpu_record(held)
    handover = source.hand_over(acceptance)
    with pytest.raises(NotFoundError):
        Client(source).vgpu_record(source.state.vm(VM).vgpus[0].handle)
    target.commit(handover)
    assert len(Client(target).vgpu_record(held)) == 212


def test_instance_metadata_unknown() -> None:
    """UNKNOWN on any unexpected error: what the host says is passed on, and nothing is written."""
    client = a_client(power=VmState.RUNNING)

    class Broken(VgpuManager):
        def instance_metadata(self, handle: int) -> bytes:
            raise UnknownError("the device fell off the bus")

    broken = Client(Broken(client.manager.state))
    size, buffer = Size(212), bytearray(212)
    with pytest.raises(UnknownError):
        broken.calls.vgpu_instance_get_metadata(1, buffer, size)
    assert (size.value, bytes(buffer)) == (212, bytes(212))


def test_instance_metadata_uninitialized() -> None:
    """UNINITIALIZED before any look at the arguments."""
    client = a_client()
    client.calls.shutdown()
    with pytest.raises(UninitializedError):
        client.calls.vgpu_instance_get_metadata(0, None, None)


def test_instance_metadata_order_of_checks() -> None:
    """Arguments before look-up, look-up before size."""
    client = a_client()
    with pytest.raises(InvalidArgumentError):
        client.calls.vgpu_instance_get_metadata(7, None, Size(1))
    with pytest.raises(NotFoundError):
        client.calls.vgpu_instance_get_metadata(7, bytearray(1), Size(1))


def test_instance_metadata_one_for_each_vgpu() -> None:
    """A VM with several vgpus has a record for each."""
    manager = a_manager()
    start_vm(manager, a_vm("vm1", "L40S-12Q", "L40S-12Q"))
    client = Client(manager)
    handles = [vgpu.handle for vgpu in manager.state.vm(VM).vgpus]
    assert tuple(client.vgpu_record(handle) for handle in handles) == manager.saved_records(VM)
