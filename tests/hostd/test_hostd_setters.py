"""What programs set through NVML: the codes the library is answered, and what they change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hostd.fleets import H1, OFF, VM, a_fleet, a_kept

from vgpu_migrate.hostd import RunningHost
from vgpu_migrate.hosts import wire
from vgpu_migrate.manager import Seat
from vgpu_migrate.model import GpuId, PlacementMode, VersionRange
from vgpu_migrate.nvml.symbols import symbol
from vgpu_migrate.snapshot.layout import ANY, CALL, CALL_ANSWER, CALL_BODY

SUCCESS, INVALID_ARGUMENT, NOT_SUPPORTED, IN_USE = 0, 2, 3, 19
HETEROGENEOUS, PERSISTENCE = "nvmlDeviceSetVgpuHeterogeneousMode", "nvmlDeviceSetPersistenceMode"
VIRTUALIZATION, CAPABILITIES = "nvmlDeviceSetVirtualizationMode", "nvmlDeviceSetVgpuCapabilities"
RANGE = "nvmlSetVgpuVersion"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RunningHost]:
    """A host with a VM on gpu 0, an empty gpu 1, one of an older board, one in MIG mode, and no vGPU host."""
    others = "{board: T4}, {board: A100, mig: [3, 3]}, {board: L40S, vgpu: false}"
    gpus = f"gpus: [{{board: L40S}}, {{board: L40S}}, {others}]"
    fleet = a_fleet(("gpus: [{board: L40S}, {board: L40S}]}\n  - {id: h02", f"{gpus}}}\n  - {{id: h02"))
    with a_kept(tmp_path, H1, fleet) as running:
        yield running


def call(host: RunningHost, function: str, *arguments: int, gpu: int = ANY) -> int:
    """The code that the library is answered; the generation in the answer is the one in force."""
    words = (*arguments, 0, 0, 0, 0)[:4]
    with wire.connect(host.socket, timeout_s=5) as connection:
        wire.send(connection, CALL, CALL_BODY.struct.pack(symbol(function).number, gpu, *words))
        message = wire.receive(connection, longest=100, within_s=5)
    assert message is not None
    assert message.kind == CALL
    code, _, generation = CALL_ANSWER.struct.unpack(message.body)
    assert generation == host.keeper.generation
    return int(code)


def test_the_range_is_set_while_no_vm_runs(host: RunningHost) -> None:
    """A range is judged first, then IN_USE; in force it is seen by the next call of everybody."""
    assert call(host, RANGE, 2, 1) == INVALID_ARGUMENT
    assert call(host, RANGE, 0x1, 0x140001) == INVALID_ARGUMENT
    assert call(host, RANGE, 0x70001, 0x120001) == IN_USE
    host.live.shut_down(VM)
    assert call(host, RANGE, 0x70001, 0x120001) == SUCCESS
    assert host.live.vgpu_versions()[1] == VersionRange(0x70001, 0x120001)


def test_mixed_size_mode_wants_an_empty_gpu_that_has_it(host: RunningHost) -> None:
    """IN_USE with a vgpu on it, NOT_SUPPORTED on older boards, in MIG mode and on no vGPU host."""
    assert call(host, HETEROGENEOUS, 1, gpu=0) == IN_USE
    assert call(host, HETEROGENEOUS, 0, gpu=0) == SUCCESS
    assert call(host, HETEROGENEOUS, 2, gpu=1) == INVALID_ARGUMENT
    assert [call(host, HETEROGENEOUS, 1, gpu=gpu) for gpu in (2, 3, 4, 5, ANY)] == [
        NOT_SUPPORTED,
        NOT_SUPPORTED,
        NOT_SUPPORTED,
        INVALID_ARGUMENT,
        INVALID_ARGUMENT,
    ]
    assert call(host, HETEROGENEOUS, 1, gpu=1) == SUCCESS
    assert host.live.show().gpus[1].mode is PlacementMode.MIXED
    host.live.start(OFF, gpus=[Seat(GpuId("h01/1"), 8)])
    assert call(host, HETEROGENEOUS, 0, gpu=1) == IN_USE


def test_persistence_mode_is_a_flag_until_the_driver_is_reloaded(host: RunningHost) -> None:
    """Any gpu takes it, and a driver reload puts it out."""
    assert call(host, PERSISTENCE, 2, gpu=4) == INVALID_ARGUMENT
    assert call(host, PERSISTENCE, 1, gpu=4) == SUCCESS
    assert [gpu.persistence for gpu in host.live.show().gpus] == [False, False, False, False, True]
    host.live.shut_down(VM)
    host.live.reload_driver()
    assert not host.live.show().gpus[4].persistence


def test_virtualization_modes_of_a_host(host: RunningHost) -> None:
    """Host vGPU and, on an empty gpu, host vSGA can be set; other modes and other gpus cannot."""
    codes = [call(host, VIRTUALIZATION, mode, gpu=1) for mode in range(6)]
    assert codes == [NOT_SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED, SUCCESS, SUCCESS, INVALID_ARGUMENT]
    assert call(host, VIRTUALIZATION, 4, gpu=0) == IN_USE
    assert call(host, VIRTUALIZATION, 3, gpu=4) == NOT_SUPPORTED


def test_capabilities_that_the_header_calls_settable(host: RunningHost) -> None:
    """6, 7 and 11 are set and taken back, the others are NOT_SUPPORTED, and there is no 13th."""
    codes = [call(host, CAPABILITIES, capability, 1, gpu=1) for capability in range(14)]
    settable = {6, 7, 11}
    expected = [SUCCESS if number in settable else NOT_SUPPORTED for number in range(13)]
    assert codes == [*expected, INVALID_ARGUMENT]
    gpu = GpuId("h01/1")
    assert host.keeper.now.runtime.of(gpu).capabilities_on == 1 << 6 | 1 << 7 | 1 << 11
    assert call(host, CAPABILITIES, 6, 0, gpu=1) == SUCCESS
    assert host.keeper.now.runtime.of(gpu).capabilities_off == 1 << 6
    assert call(host, CAPABILITIES, 6, 2, gpu=1) == INVALID_ARGUMENT


def test_what_is_no_setter_is_not_supported(host: RunningHost) -> None:
    """A getter, an unknown number and a body of another size are answered, and change nothing."""
    before = host.keeper.generation
    assert call(host, "nvmlDeviceGetCount_v2") == NOT_SUPPORTED
    for body, code in (
        (CALL_BODY.struct.pack(ANY, ANY, 0, 0, 0, 0), NOT_SUPPORTED),
        (b"short", INVALID_ARGUMENT),
    ):
        with wire.connect(host.socket, timeout_s=5) as connection:
            wire.send(connection, CALL, body)
            message = wire.receive(connection, longest=100, within_s=5)
        assert message is not None
        assert CALL_ANSWER.struct.unpack(message.body)[0] == code
    assert host.keeper.generation == before
