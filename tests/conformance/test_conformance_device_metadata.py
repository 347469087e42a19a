"""`nvmlDeviceGetVgpuMetadata`, statement by statement."""

from __future__ import annotations

import pytest
from tests.conformance.client import DEVICE, Client, a_client
from tests.manager.factories import PRESET, a_gpu, a_host

from vgpu_migrate.hosts import Size
from vgpu_migrate.manager import VgpuManager
from vgpu_migrate.model import GpuId, Host, VersionRange
from vgpu_migrate.nvml import (
    InsufficientSizeError,
    InvalidArgumentError,
    NotSupportedError,
    UninitializedError,
    UnknownError,
)


def test_device_metadata_success() -> None:
    """GPU metadata structure was successfully returned: 128 bytes, and the true size."""
    size, buffer = Size(128), bytearray(128)
    a_client().calls.device_get_vgpu_metadata(DEVICE, buffer, size)
    assert size.value == 128
    assert buffer[124:] == b"vgm\0"


def test_device_metadata_contents() -> None:
    """Information about the GPU and the host driver that controls it, and opaque data."""
    record = a_client().pgpu()
    assert (record.host_driver_version, record.virtualization_caps) == ("550.54.16", 1)
    assert (record.record_version, record.opaque_data) == (1, b"vgm\0")
    without = a_client(a_host(gpus=[a_gpu(migration=False)])).pgpu()
    assert without.virtualization_caps == 0


def test_device_metadata_range_in_force() -> None:
    """`hostSupportedVgpuRange` is the range in force, so that a narrowed target is predictable."""
    client = a_client()
    assert client.pgpu().host_supported_vgpu_range == PRESET
    client.set_version(0x120001, 0x130001)
    assert client.pgpu().host_supported_vgpu_range == VersionRange(0x120001, 0x130001)


def test_device_metadata_installed_driver() -> None:
    """The currently installed driver: after another is installed, the record names it."""
    client = a_client()
    client.manager.install_driver("580.126.08")
    record = client.pgpu()
    assert record.host_driver_version == "580.126.08"
    assert record.host_supported_vgpu_range == VersionRange(0x120001, 0x1A0001)


def test_device_metadata_insufficient_size() -> None:
    """The buffer is too small: the required size is returned in `bufferSize`, and nothing else is written."""
    client = a_client()
    for given in (0, 1, 127):
        size, buffer = Size(given), bytearray(b"\xaa" * 200)
        with pytest.raises(InsufficientSizeError):
            client.calls.device_get_vgpu_metadata(DEVICE, buffer, size)
        assert (size.value, bytes(buffer)) == (128, b"\xaa" * 200)


def test_device_metadata_size_query() -> None:
    """Size 0 with a NULL buffer asks for the size: INSUFFICIENT_SIZE, never SUCCESS."""
    size = Size(0)
    with pytest.raises(InsufficientSizeError) as caught:
        a_client().calls.device_get_vgpu_metadata(DEVICE, None, size)
    assert (size.value, caught.value.needed) == (128, 128)


def test_device_metadata_larger_buffer() -> None:
    """A larger buffer gets the record and the true size, and keeps what lies behind."""
    size, buffer = Size(200), bytearray(b"\xaa" * 200)
    a_client().calls.device_get_vgpu_metadata(DEVICE, buffer, size)
    assert (size.value, bytes(buffer[128:])) == (128, b"\xaa" * 72)


def test_device_metadata_size_null() -> None:
    """INVALID_ARGUMENT if `bufferSize` is NULL."""
    with pytest.raises(InvalidArgumentError, match="bufferSize is NULL"):
        a_client().calls.device_get_vgpu_metadata(DEVICE, bytearray(128), None)


def test_device_metadata_device_invalid() -> None:
    """INVALID_ARGUMENT if `device` is invalid, also on a host without a vGPU Manager."""
    for host in (a_host(), a_host(manager=False)):
        with pytest.raises(InvalidArgumentError, match="no gpu GPU-9 on host h01"):
            a_client(host).calls.device_get_vgpu_metadata(GpuId("GPU-9"), bytearray(128), Size(128))


def test_device_metadata_buffer_null() -> None:
    """INVALID_ARGUMENT if `pgpuMetadata` is NULL and the value of `bufferSize` is not 0."""
    with pytest.raises(InvalidArgumentError, match="the buffer is NULL and bufferSize is 128; wanted 0"):
        a_client().calls.device_get_vgpu_metadata(DEVICE, None, Size(128))


@pytest.mark.parametrize(
    "host",
    [a_host(gpus=[a_gpu(vgpu=False)]), a_host(manager=False)],
    ids=["the gpu is not a vGPU host", "there is no vGPU Manager"],
)
def test_device_metadata_not_supported(host: Host) -> None:
    """NOT_SUPPORTED: vGPU is not supported by the system; before the size is looked at."""
    with pytest.raises(NotSupportedError):
        a_client(host).calls.device_get_vgpu_metadata(DEVICE, None, Size(0))


def test_device_metadata_unknown() -> None:
    """UNKNOWN on any unexpected error: what the host says is passed on, and nothing is written."""

    class Broken(VgpuManager):
        def gpu_metadata(self, gpu_id: GpuId) -> bytes:
            raise UnknownError("the device fell off the bus")

    client = Client(Broken(a_client().manager.state))
    size, buffer = Size(128), bytearray(128)
    with pytest.raises(UnknownError):
        client.calls.device_get_vgpu_metadata(DEVICE, buffer, size)
    assert (size.value, bytes(buffer)) == (128, bytes(128))


def test_device_metadata_uninitialized() -> None:
    """UNINITIALIZED before any look at the arguments."""
    client = a_client()
    client.calls.shutdown()
    with pytest.raises(UninitializedError):
        client.calls.device_get_vgpu_metadata(GpuId("GPU-9"), None, None)


def test_device_metadata_unknown_range() -> None:
    """With a driver that is in no table the range in the record is 0-0, which stands for unknown."""
    assert a_client(a_host(driver="999.1", preset=None)).pgpu().host_supported_vgpu_range == (0, 0)
