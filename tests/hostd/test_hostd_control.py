"""Every verb of the control protocol, as its client gives and gets it."""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.hostd.fleets import H1, OFF, VM, a_fleet, a_kept

from vgpu_migrate.compat import check, read_gpu_record, read_vgpu_record
from vgpu_migrate.errors import InputError, OutsideError, RefusedError
from vgpu_migrate.facts import vgpu_type
from vgpu_migrate.hostd import RunningHost
from vgpu_migrate.hosts import SimulatedHost, Size, VgpuMigrationCalls, requests, wire
from vgpu_migrate.hosts.failures import failure_from_data, failure_to_data
from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.manager import DeviceId, Reason, Refusal, Role, Seat, VgpuManager, define_vm
from vgpu_migrate.model import GpuId, VersionRange, VmId, VmState
from vgpu_migrate.nvml import InsufficientSizeError, InUseError, InvalidArgumentError, NotFoundError, States
from vgpu_migrate.snapshot.layout import CONTROL

MIXED = "gpus: [{board: L40S}, {board: L40S, mode: mixed}]}\n  - {id: h02"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RunningHost]:
    """The first host of the two."""
    with a_kept(tmp_path, H1, a_fleet()) as running:
        yield running


def test_the_five_calls_answer_as_the_simulated_host(host: RunningHost) -> None:
    """Over the socket each of the five calls gives what it gives in the host's process."""
    here, live = SimulatedHost(VgpuManager(host.keeper.now.state)), host.live
    gpu = live.gpus()[0].id
    (vgpu,) = live.active_vgpus(gpu)
    record, physical = live.instance_metadata(vgpu.instance), live.gpu_metadata(gpu)
    assert live.gpus() == here.gpus()
    assert (vgpu,) == here.active_vgpus(gpu)
    assert (record, physical) == (here.instance_metadata(vgpu.instance), here.gpu_metadata(gpu))
    assert live.compatibility(record, physical) == here.compatibility(record, physical)
    assert live.verdict(record, physical) == check(read_vgpu_record(record), read_gpu_record(physical))
    assert live.vgpu_versions() == here.vgpu_versions()
    live.shut_down(VM)
    live.set_vgpu_version(VersionRange(0x70001, 0x120001))
    assert live.vgpu_versions()[1] == VersionRange(0x70001, 0x120001)
    live.lift_range()
    assert live.vgpu_versions()[1] == live.vgpu_versions()[0]


def test_a_live_host_is_a_host(host: RunningHost) -> None:
    """The page's calling convention works on it: size first, then the record."""
    calls, size = VgpuMigrationCalls(host.live), Size()
    calls.init()
    with pytest.raises(InsufficientSizeError):
        calls.vgpu_instance_get_metadata(1, None, size)
    buffer = bytearray(size.value)
    calls.vgpu_instance_get_metadata(1, buffer, size)
    assert bytes(buffer) == host.live.instance_metadata(1)


def test_the_life_of_a_vm(host: RunningHost) -> None:
    """Each verb leads to the state that the manager's method leads to, and `show` shows it."""
    live = host.live

    def power() -> VmState:
        (vm,) = (vm for vm in live.show().vms if vm.id == "new")
        return vm.power

    new = VmId("new")
    live.define(define_vm(new, [vgpu_type("L40S-4Q")], memory_mib=64, guest_driver="550.54.14"))
    assert power() is VmState.OFF
    started = live.start(new, gpus=[Seat(GpuId("h01/1"))])
    assert started.warnings == ()
    assert live.show().gpus[1].instances == started.instances
    assert power() is VmState.BOOTING
    outcome = live.load_guest_driver(new)
    assert (
        str(outcome)
        == "guest driver 550.54.14 loaded with 0x140001: guest 0x140001-0x140001, host 0x70001-0x140001"
    )
    live.guest_driver_fails(new)
    live.reboot_guest(new)
    assert not live.load_guest_driver(new, "550.54.14", bounds=(0x150001, None)).has_loaded
    assert live.load_guest_driver(new, bounds=(0x70001, 0x120001)).vgpu_version == 0x120001
    for verb, state in (
        (live.pause, VmState.PAUSED),
        (live.resume, VmState.RUNNING),
        (live.sleep, VmState.SLEEPING),
        (live.wake, VmState.RUNNING),
        (live.hibernate, VmState.HIBERNATED),
    ):
        verb(new)
        assert power() is state
    records = live.saved_records(new)
    with pytest.raises(RefusedError, match=r"a start from hibernate wants its saved records"):
        live.start(new, States.HIBERNATE)
    live.start(new, States.HIBERNATE, records=records)
    assert live.saved_records(new) == records
    live.set_migration(new, [False])
    live.shut_down(new)
    live.undefine(new)
    assert [vm.id for vm in live.show().vms] == [VM, OFF]


def test_the_life_of_a_device(tmp_path: Path) -> None:
    """Made, moved, used by a VM that is started on it, refused to go meanwhile, and kept over a restart."""
    fleet = a_fleet(("gpus: [{board: L40S}, {board: L40S}]}\n  - {id: h02", MIXED))
    small, mine, gpu = vgpu_type("L40S-4Q"), DeviceId("mine"), GpuId("h01/1")
    with a_kept(tmp_path, H1, fleet) as host:
        live = host.live
        made = live.create_device(gpu, small, mine, placement=8, function=3)
        assert msgspec.structs.asdict(made) == {
            "id": "mine",
            "type": "L40S-4Q",
            "gpu": "h01/1",
            "placement": 8,
            "function": 3,
            "vm": None,
            "instance": None,
        }
        live.place_device(mine, 12)
        random = live.create_device(gpu, small).id
        assert str(uuid.UUID(random)) == random
        live.remove_device(DeviceId(random))
        with pytest.raises(RefusedError, match=r"device mine: gpu h01/1 has a device of this id"):
            live.create_device(gpu, small, mine)
        (instance,) = live.start(OFF, gpus=[Seat(gpu, device=mine)]).instances
        with pytest.raises(RefusedError, match=r"device mine: it is used by VM off1"):
            live.remove_device(mine)
        with pytest.raises(RefusedError, match=r"device mine: it is used by VM off1"):
            live.place_device(mine, 0)
    with a_kept(tmp_path, H1, fleet) as host:
        live = host.live
        assert live.show().devices == (
            msgspec.structs.replace(made, placement=12, vm="off1", instance=instance),
        )
        assert [vgpu.device for vm in live.show().vms for vgpu in vm.vgpus] == [None, "mine"]
        live.shut_down(OFF)
        live.remove_device(mine)
        assert live.show().devices == ()
        with pytest.raises(InputError, match=r"unknown device mine"):
            live.remove_device(mine)
        with pytest.raises(InputError, match=r"unknown vgpu type L40S-4Z"):
            live.request(requests.CreateDevice(gpu, "L40S-4Z", "mine", None, None), object)


def test_what_is_done_to_a_host(host: RunningHost) -> None:
    """Reload, reboot and another driver, and what they are refused for."""
    live = host.live
    with pytest.raises(
        RefusedError, match=r"host h01: cannot reload the driver while VMs run: vm1"
    ) as caught:
        live.reload_driver()
    assert isinstance(caught.value.refusal, Refusal)
    assert caught.value.refusal.reason is Reason.IN_USE
    live.reboot()
    assert live.show().vms[0].power is VmState.OFF
    live.reload_driver()
    live.install_driver("570.124.03", preset_range=VersionRange(0x70001, 0x150001))
    view = live.show()
    assert (view.driver, view.preset_range) == ("570.124.03", VersionRange(0x70001, 0x150001))
    with pytest.raises(InputError, match=r"wanted a minimum not above the maximum"):
        live.install_driver("570.124.03", preset_range=VersionRange(2, 1))


def test_the_state_is_the_managers(host: RunningHost) -> None:
    """`state` is the manager's own, and `show` says of it what its fields say."""
    assert host.live.state() == host.keeper.now.state
    view = host.live.show()
    assert (view.id, view.driver, view.range_is_override) == ("h01", "550.54.16", False)
    assert [(vm.id, vm.role, vm.is_active, vm.types) for vm in view.vms] == [
        ("vm1", Role.RESIDENT, True, ("L40S-12Q",)),
        ("off1", Role.RESIDENT, False, ("L40S-4Q",)),
    ]
    assert [(gpu.id, gpu.used_mib, gpu.instances) for gpu in view.gpus] == [
        ("h01/0", 12288, (1,)),
        ("h01/1", 0, ()),
    ]


def test_faults_are_set_counted_and_cleared(host: RunningHost) -> None:
    """A fault has a number, shows what was asked for, and goes when it is cleared or its time is over."""
    live = host.live
    spec = FaultSpec(function="nvmlDeviceGetCount_v2", code=15, after=3, probability=0.5, seed=7)
    assert live.inject(spec) == 1
    assert live.inject(FaultSpec(gpu="h01/1", instance=None, delay_s=0.25, for_s=3600)) == 2
    assert live.inject(FaultSpec(code=9, for_s=0)) == 3
    first, second = live.show().faults
    assert msgspec.structs.asdict(first) == {
        "number": 1,
        "function": "nvmlDeviceGetCount_v2",
        "gpu": None,
        "instance": None,
        "code": 15,
        "after": 3,
        "probability": 0.5,
        "seed": 7,
        "delay_s": 0.0,
        "left_s": None,
        "calls": 0,
    }
    assert (second.gpu, second.code, second.delay_s) == ("h01/1", 0, 0.25)
    assert second.left_s is not None
    assert 3500 < second.left_s <= 3600
    assert live.clear(1) == 1
    with pytest.raises(InputError, match=r"unknown fault 1"):
        live.clear(1)
    assert live.clear() == 1
    assert live.show().faults == ()


def test_a_counter_begins_anew(host: RunningHost) -> None:
    """A fault that takes another's counter does not inherit its calls."""
    host.live.inject(FaultSpec(code=9))
    os.pwrite(host.keeper.publisher.descriptors()[1], struct.pack("<Q", 5), 0)
    assert host.live.show().faults[0].calls == 5
    host.live.clear()
    host.live.inject(FaultSpec(code=9))
    assert host.live.show().faults[0].calls == 0


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (FaultSpec(), "fault: neither a code nor a delay; wanted at least one of them"),
        (
            FaultSpec(function="nvmlDeviceGetCuont_v2", code=1),
            "unknown NVML function nvmlDeviceGetCuont_v2; did you mean nvmlDeviceGetCount_v2 or "
            "nvmlDeviceGetCount?",
        ),
        (
            FaultSpec(function="nvmlShutdown", code=1),
            "fault.function: nvmlShutdown; wanted a function that asks the host: this one works without",
        ),
        (FaultSpec(gpu="h01/9", code=1), "unknown gpu h01/9; did you mean h01/1 or h01/0?"),
        (FaultSpec(instance=9, code=1), "unknown vgpu instance 9; wanted one of 1"),
        (FaultSpec(code=1, probability=1.5), "fault.probability: 1.5; wanted 0 to 1"),
        (FaultSpec(code=1, for_s=-1), "fault.for_s: -1.0; wanted 0 to 3.1536e+08 seconds"),
    ],
    ids=["nothing", "function", "never fails", "gpu", "instance", "probability", "time"],
)
def test_a_fault_that_makes_no_sense_is_refused(host: RunningHost, spec: FaultSpec, said: str) -> None:
    """Unknown names and numbers out of bounds name what was given and what is wanted."""
    with pytest.raises(InputError) as caught:
        host.live.inject(spec)
    assert str(caught.value) == said
    assert host.live.show().faults == ()


def test_errors_come_back_as_what_they_were(host: RunningHost) -> None:
    """A refusal with its verdict, an NVML code, and a caller's mistake arrive as their own classes."""
    live = host.live
    with pytest.raises(InUseError, match=r"running on host h01: vm1"):
        live.set_vgpu_version(VersionRange(0x70001, 0x120001))
    with pytest.raises(InvalidArgumentError, match=r"no gpu nowhere on host h01"):
        live.gpu_metadata(GpuId("nowhere"))
    with pytest.raises(NotFoundError):
        live.instance_metadata(9)
    with pytest.raises(InputError) as caught:
        live.pause(VmId("vm2"))
    assert str(caught.value) == "unknown VM vm2; did you mean vm1?"
    records = live.saved_records(VM)
    live.shut_down(VM)
    live.set_vgpu_version(VersionRange(0x70001, 0x120001))
    before = live.state()
    with pytest.raises(RefusedError) as refused:
        live.start(VM, States.LIVE, records=records)
    refusal = refused.value.refusal
    assert isinstance(refusal, Refusal)
    assert refusal.verdict is not None
    assert refusal.verdict.evidence[0].rule == "guest-newer"
    assert str(refused.value) == str(refusal)
    assert live.state() == before


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"kind": "input"},
        {"kind": "refused", "text": "", "evidence": {"reason": "new"}},
        [1],
        "text",
    ],
)
def test_an_error_that_cannot_be_read_is_the_hosts(data: Any) -> None:
    """What no host of this version would answer is an `OutsideError` that names the host."""
    error = failure_from_data(data, source="/run/host")
    assert isinstance(error, OutsideError)
    assert str(error).startswith("/run/host: the host answers an error that cannot be read")


def test_other_errors_keep_their_sentence() -> None:
    """An `OutsideError` of the host is one here too."""
    told = failure_from_data(failure_to_data(OutsideError("the disk is full")), source="/run/host")
    assert type(told) is OutsideError
    assert str(told) == "the disk is full"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"do":"fly"}', "Invalid value 'fly'"),
        (b'{"do":"pause"}', "missing required field `vm`"),
        (b'{"do":"pause","vm":1}', "Expected `str`, got `int`"),
        (b'{"do":"pause","vm":"vm1","force":true}', "unknown field `force`"),
        (b'{"do":"define","definition":{"id":1}}', "missing or unknown"),
        (b"[" * 100_000, "wanted a request"),
        (b"\xff\xfe", "wanted a request"),
    ],
    ids=["empty", "array", "verb", "missing", "type", "unknown", "definition", "deep", "bytes"],
)
def test_a_bad_request_is_answered(host: RunningHost, body: bytes, said: str) -> None:
    """Whatever is asked, the answer is an error of kind input, and the host lives on."""
    with wire.connect(host.socket, timeout_s=5) as connection:
        wire.send(connection, CONTROL, body)
        message = wire.receive(connection, longest=1 << 20, within_s=5)
    assert message is not None
    answer = wire.from_json(message.body)
    assert answer["ok"] is False
    assert answer["error"]["kind"] == "input"
    assert said in answer["error"]["text"]
    assert host.live.show().id == "h01"


def test_an_answer_that_makes_no_sense_is_said(host: RunningHost) -> None:
    """An answer of another type than the verb's is the host's fault, and names it."""
    with pytest.raises(OutsideError, match=r"the host's answer to gpus makes no sense"):
        host.live.request(requests.Gpus(), int)


def test_a_host_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Every method of a client of nobody is an `OutsideError`."""
    with pytest.raises(OutsideError, match=r"no host can be reached there: no such file or directory"):
        LiveHost(tmp_path / "nobody").show()
