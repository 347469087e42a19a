"""`nvmlGetVgpuCompatibility`, statement by statement."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.client import Client, a_client
from tests.manager.factories import a_gpu, a_host, a_manager, a_record, a_vm, start_vm

from vgpu_migrate.hosts import SimulatedHost, VgpuMigrationCalls
from vgpu_migrate.model import Profile, VersionRange
from vgpu_migrate.nvml import (
    ALL_STATES,
    Compatibility,
    InvalidArgumentError,
    Limits,
    NvmlError,
    States,
    UninitializedError,
    UnknownError,
)
from vgpu_migrate.nvml.layout import VGPU_METADATA

VGPU = a_record()
PGPU = a_client().pgpu_record()


def changed(record: bytes, offset: int, value: bytes) -> bytes:
    """A record with some of its bytes changed."""
    return record[:offset] + value + record[offset + len(value) :]


def test_compatibility_success() -> None:
    """Compatibility information of the vGPU instance and the physical GPU is written."""
    assert a_client().compatibility(VGPU, PGPU) == Compatibility(ALL_STATES, Limits.NONE)


def test_compatibility_takes_records_as_read() -> None:
    """It takes the structures read from the two functions, from whatever hosts they were read on."""
    source = a_manager(a_host("h02", driver="535.161.05", preset=VersionRange(0x70001, 0x120001)))
    start_vm(source)
    target, third = a_client(), a_client(a_host("h03", gpus=[]))
    record = Client(source).vgpu_record()
    assert third.compatibility(record, target.pgpu_record()) == Compatibility(ALL_STATES, Limits.NONE)


def test_compatibility_buffer() -> None:
    """Into the caller's buffer a compatibility information structure is written, and nothing behind it."""
    buffer = bytearray(b"\xaa" * 12)
    a_client().calls.get_vgpu_compatibility(VGPU, PGPU, buffer)
    assert buffer == struct.pack("<II", 15, 0) + b"\xaa" * 4


def test_compatibility_states_and_limit() -> None:
    """The states in which the vGPU may be booted there; if they are limited, a limit code says by what."""
    without_ecc = a_client(a_host(gpus=[a_gpu(ecc=False)])).pgpu_record()
    answer = a_client().compatibility(VGPU, without_ecc)
    assert answer == Compatibility(States.COLD | States.HIBERNATE, Limits.GPU)


def test_compatibility_ignores_capacity() -> None:
    """Dynamic capacity conditions are not taken into account: a full gpu answers as an empty one."""
    manager = a_manager()
    start_vm(manager, a_vm("big", "L40S-48Q"))
    client = Client(manager)
    assert client.compatibility(VGPU, client.pgpu_record()) == Compatibility(ALL_STATES, Limits.NONE)


@pytest.mark.parametrize("null", [0, 1, 2], ids=["vgpuMetadata", "pgpuMetadata", "compatibilityInfo"])
def test_compatibility_null(null: int) -> None:
    """INVALID_ARGUMENT if `vgpuMetadata`, `pgpuMetadata` or `compatibilityInfo` is NULL."""
    client = a_client()
    with pytest.raises(InvalidArgumentError, match="is NULL"):
        client.calls.get_vgpu_compatibility(
            None if null == 0 else VGPU, None if null == 1 else PGPU, None if null == 2 else bytearray(8)
        )


@pytest.mark.parametrize(
    "make",
    [
        lambda: (PGPU.ljust(212, b"\0"), VGPU),
        lambda: (VGPU[:211], PGPU),
        lambda: (VGPU, PGPU[:127]),
        lambda: (changed(VGPU, 172, bytes(4)), PGPU),
        lambda: (VGPU, changed(PGPU, 92, bytes(4))),
        lambda: (changed(VGPU, 0, b"\2"), PGPU),
        lambda: (VGPU, changed(PGPU, 0, b"\2")),
        lambda: (changed(VGPU, 12, b"5" * 80), PGPU),
        lambda: (changed(VGPU, 92, b"5" * 80), PGPU),
        lambda: (VGPU, changed(PGPU, 8, b"5" * 80)),
        lambda: (changed(VGPU, 8, b"\2"), PGPU),
        lambda: (changed(VGPU, 176, b"\xff" * 4), PGPU),
        lambda: (VGPU, changed(PGPU, 99, b"\xff")),
    ],
    ids=[
        "swapped",
        "vgpu truncated",
        "gpu truncated",
        "vgpu foreign",
        "gpu foreign",
        "vgpu record version",
        "gpu record version",
        "guest driver without NUL",
        "host driver without NUL",
        "gpu's driver without NUL",
        "guest info 2",
        "no such type",
        "no such board",
    ],
)
def test_compatibility_not_our_record(make: Callable[[], tuple[bytes, bytes]]) -> None:
    """INVALID_ARGUMENT for a record that is not ours or malformed, and nothing is written."""
    vgpu, pgpu = make()
    buffer = bytearray(b"\xaa" * 8)
    with pytest.raises(InvalidArgumentError):
        a_client().calls.get_vgpu_compatibility(vgpu, pgpu, buffer)
    assert buffer == b"\xaa" * 8


def test_compatibility_reads_the_fixed_part_only() -> None:
    """`opaqueDataSize` is not looked at, nor what lies behind the fixed 212 and 128 bytes."""
    client = a_client()
    vgpu = changed(VGPU, 204, b"\xff" * 8) + b"behind"
    pgpu = changed(PGPU, 120, b"\xff" * 8) + b"behind"
    assert client.compatibility(vgpu, pgpu) == client.compatibility(VGPU, PGPU)


@given(offset=st.integers(0, 203), value=st.binary(min_size=1, max_size=4))
def test_compatibility_any_bytes(offset: int, value: bytes) -> None:
    """Whatever a record holds, limit NONE is answered if and only if all four states are."""
    try:
        answer = a_client().compatibility(changed(VGPU, offset, value)[: VGPU_METADATA.size], PGPU)
    except InvalidArgumentError:
        return
    assert (answer.limits == Limits.NONE) == (answer.states == ALL_STATES)


def test_compatibility_profile() -> None:
    """The profile applied is that of the serving host's domain."""
    newer = a_manager(a_host(driver="580.126.08"), profile=Profile.IDENTICAL_HOST_DRIVERS)
    answer = Client(newer).compatibility(VGPU, Client(newer).pgpu_record())
    assert answer == Compatibility(States.COLD | States.HIBERNATE, Limits.HOST_DRIVER)


def test_compatibility_without_a_manager() -> None:
    """The page names no NOT_SUPPORTED here: a host without a vGPU Manager judges records of others."""
    assert a_client(a_host(manager=False)).compatibility(VGPU, PGPU).limits == Limits.NONE


def test_compatibility_unknown() -> None:
    """UNKNOWN on any unexpected error: what the host says is passed on, and nothing is written."""

    class Broken(SimulatedHost):
        def compatibility(self, *records: object) -> Compatibility:
            raise UnknownError("the driver does not answer")

    calls = VgpuMigrationCalls(Broken(a_manager()))
    calls.init()
    buffer = bytearray(8)
    with pytest.raises(UnknownError):
        calls.get_vgpu_compatibility(VGPU, PGPU, buffer)
    assert buffer == bytes(8)


def test_compatibility_uninitialized() -> None:
    """UNINITIALIZED before any look at the arguments."""
    client = a_client()
    client.calls.shutdown()
    with pytest.raises(UninitializedError):
        client.calls.get_vgpu_compatibility(None, None, None)


def test_compatibility_short_buffer() -> None:
    """A buffer that cannot hold the eight bytes is INVALID_ARGUMENT, where C could not tell."""
    with pytest.raises(NvmlError, match="compatibilityInfo has 7 bytes; wanted 8"):
        a_client().calls.get_vgpu_compatibility(VGPU, PGPU, bytearray(7))


def test_compatibility_range_unknown() -> None:
    """With an unknown range on the target, rows that compare with it are silent."""
    unknown = a_client(a_host(driver="999.1", preset=None)).pgpu_record()
    assert a_client().compatibility(VGPU, unknown) == Compatibility(ALL_STATES, Limits.NONE)
