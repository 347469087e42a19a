"""A state encoded and read again says the state's facts; a change costs only what it touches."""

from __future__ import annotations

import struct
from collections import Counter

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.manager.factories import GUEST, a_gpu, a_host, a_manager, a_vm, start_vm
from tests.snapshot.hosts import a_full_host, begin, happen, hosts, slot_of

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError
from vgpu_migrate.manager import DeviceId, HostState, Role, Seat, VgpuManager, VmRecord, records
from vgpu_migrate.manager.records import instance_record, physical_record
from vgpu_migrate.model import Gpu, GpuId, PlacementMode, VersionRange, VmId, VmState
from vgpu_migrate.model.placement import (
    Place,
    creatable_placements,
    find_room,
    instances_per_gpu_instance,
)
from vgpu_migrate.nvml import INVALID_PLACEMENT_ID
from vgpu_migrate.snapshot import Encoder, Fault, GpuRuntime, Runtime, gpus, instances
from vgpu_migrate.snapshot.encoder import encode_index, index_size
from vgpu_migrate.snapshot.gpus import Contents, Frame
from vgpu_migrate.snapshot.layout import (
    ANY,
    COUNTERS,
    FAULT,
    GPU,
    HOST,
    INSTANCE,
    PAGE,
    TYPE_ROOM,
)
from vgpu_migrate.snapshot.reader import Row, find_instance

SLOW = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def the_stories(draw: st.DrawFn) -> list[HostState]:
    """A host, and its states while things happen to it."""
    manager = VgpuManager(HostState(host=draw(hosts())))
    begin(manager, draw)
    states = [manager.state]
    for _ in range(draw(st.integers(0, 12))):
        happen(manager, draw)
        states.append(manager.state)
    return states


stories = st.composite(the_stories)()


@SLOW
@given(stories)
def test_a_slot_says_what_the_state_says(states: list[HostState]) -> None:
    """Every gpu and vgpu, its records, its room and its sums are in the slot as the manager has them."""
    state = states[-1]
    slot = slot_of(state)
    assert_host(state, slot)
    for gpu, row in zip(state.host.gpus, slot["gpus"], strict=True):
        assert_gpu(state, gpu, row, slot)
    assert_instances(state, slot)


@SLOW
@given(stories)
def test_what_is_remembered_changes_nothing(states: list[HostState]) -> None:
    """An encoder that has seen every state before gives the slot that a fresh one gives."""
    encoder = Encoder(states[0].host)
    for state in states:
        slot, fresh = slot_of(state, encoder=encoder), slot_of(state)
        for one in (*slot["instances"], *fresh["instances"]):
            if state.host.gpus[one["gpu"]].mig:
                del one["gpu_instance"]  # where a vgpu was before is all that may be remembered
        assert slot == fresh


def assert_host(state: HostState, slot: Row) -> None:
    """The head of the slot."""
    host = state.host
    known = host.has_manager and host.preset_range is not None
    assert slot["driver"] == host.driver
    assert slot["has_manager"] == host.has_manager
    assert slot["range_known"] == known
    if known:
        assert (slot["preset_min"], slot["preset_max"]) == host.preset_range
        assert (slot["range_min"], slot["range_max"]) == host.range_in_force


def assert_gpu(state: HostState, gpu: Gpu, row: Row, slot: Row) -> None:
    """One gpu, beside what the manager and placement say of it."""
    is_host = gpu.is_vgpu_host and state.host.has_manager
    there = [vgpu for record in state.vms.values() for vgpu in record.vgpus if vgpu.gpu == gpu.id]
    active = sorted(vgpu.handle for _, vgpu in state.active() if vgpu.gpu == gpu.id)
    mine = [one for one in slot["instances"] if one["handle"] in active]
    assert row["record"] == physical_record(state, gpu)
    assert row["active"] == active
    assert (row["is_vgpu_host"], row["virtualization_mode"]) == (is_host, 3 if is_host else 0)
    assert (row["ecc_enabled"], row["host_vgpu_mode"]) == (gpu.ecc, gpu.sriov)
    assert (row["mig_enabled"], row["mig_capable"]) == (bool(gpu.mig), gpu.board.mig_slices > 0)
    assert row["memory_total"] == gpu.board.framebuffer_mib << 20
    assert (row["memory_reserved"], row["memory_used"] <= row["memory_total"]) == (0, True)
    assert row["metadata_string"] == ("" if not is_host else row["metadata_string"])
    if len(active) == len(there):
        assert row["memory_used"] == sum(one["framebuffer_used"] for one in mine)
    for name, sums in (("gpu", "sm"), ("memory", "memory"), ("encoder", "encoder"), ("decoder", "decoder")):
        assert row[f"utilization_{name}"] == sum(one[f"utilization_{sums}"] for one in mine) <= 100
    offered = sorted(gpu.types or facts.types_of_board(gpu.board.key), key=lambda one: one.type_id)
    tenants = state.tenants(gpu.id)
    assert row["supported"] == [one.type_id for one in offered if is_host]
    free = [one for one in offered if isinstance(find_room(gpu, tenants, one), Place) and is_host]
    assert row["creatable"] == [one.type_id for one in free]
    mixed = gpu.mode is PlacementMode.MIXED and not gpu.mig
    assert row["rooms"] == [
        {
            "type_id": one.type_id,
            "fill": 0,
            "creatable": list(creatable_placements(gpu, tenants, one)) if mixed and one in free else [],
        }
        for one in offered
        if is_host
    ]


def assert_instances(state: HostState, slot: Row) -> None:
    """The active vgpus, and no other, by handle and through the index."""
    active = {vgpu.handle: (record, vgpu) for record, vgpu in state.active()}
    assert [one["handle"] for one in slot["instances"]] == sorted(active)
    assert len(slot["index"]) >= max(2, 2 * len(active))
    numbers = {gpu.id: number for number, gpu in enumerate(state.host.gpus)}
    inside: dict[tuple[int, int], list[str]] = {}
    for handle, (record, vgpu) in active.items():
        row = find_instance(slot, handle)
        assert row is not None
        is_xen = state.host.hypervisor == "xen"
        gpu = state.gpu(vgpu.gpu)
        assert row["record"] == instance_record(state, record, vgpu)
        assert (row["gpu"], row["type_id"]) == (numbers[vgpu.gpu], vgpu.type.type_id)
        assert (row["vm_id_type"], row["vm_id"]) == (
            (0, str(record.domid)) if is_xen else (1, record.definition.uuid)
        )
        assert row["placement"] == (INVALID_PLACEMENT_ID if vgpu.placement is None else vgpu.placement)
        assert row["guest_driver"] == (vgpu.guest.driver if vgpu.guest else "")
        assert row["licensed"] == (vgpu.guest is not None)
        assert (row["framebuffer_used"] > 0) == (vgpu.guest is not None)
        assert row["framebuffer_used"] <= vgpu.type.framebuffer_mib << 20
        assert row["uuid"] == vgpu.uuid
        assert (row["gpu_instance"] == ANY) == (not gpu.mig)
        if gpu.mig:
            inside.setdefault((row["gpu"], row["gpu_instance"]), []).append(vgpu.type.short)
    for (number, instance), types in inside.items():
        gpu = state.host.gpus[number]
        (short,) = set(types)
        vgpu_type = facts.vgpu_type(short)
        assert gpu.mig[instance] == vgpu_type.gi_slices
        assert len(types) <= instances_per_gpu_instance(gpu.board, vgpu_type)
    processes = Counter(one["process"] for one in slot["instances"])
    assert all(count == 1 for count in processes.values())


def test_a_held_vgpu_takes_memory_and_is_not_listed() -> None:
    """An incoming vgpu counts in the gpu's framebuffer and room and is no instance until the commit."""
    source, target = a_manager(a_host("h01")), a_manager(a_host("h02"))
    vm = start_vm(source, a_vm("vm1", "L40S-48Q"))
    used = slot_of(source.state)["instances"][0]["framebuffer_used"]
    acceptance = target.migrate_in(source.migrate_out(vm))
    (gpu,) = (held := slot_of(target.state))["gpus"]
    assert (held["instances"], gpu["active"], gpu["creatable"]) == ([], [], [])
    receipt = target.commit(source.hand_over(acceptance))
    (gpu,) = (here := slot_of(target.state))["gpus"]
    assert [one["handle"] for one in here["instances"]] == gpu["active"]
    assert gpu["memory_used"] == here["instances"][0]["framebuffer_used"] == used
    encoder = Encoder(source.state.host)
    (gpu,) = (handed_over := slot_of(source.state, encoder=encoder))["gpus"]
    assert (handed_over["instances"], gpu["active"], gpu["memory_used"]) == ([], [], used)
    assert source.state.vms[vm].role is Role.HANDED_OVER
    source.finish(receipt)
    (gpu,) = slot_of(source.state, encoder=encoder)["gpus"]
    assert (vm in source.state.vms, gpu["memory_used"], len(gpu["creatable"])) == (False, 0, 30)


def test_a_plain_driver_shows_gpus_and_no_vgpus() -> None:
    """On a host without a vGPU Manager nothing is a vGPU host and every list is empty."""
    slot = slot_of(a_manager(a_host(manager=False)).state)
    (gpu,) = slot["gpus"]
    assert (slot["has_manager"], slot["range_known"], slot["driver_capabilities"]) == (0, 0, 0)
    assert (gpu["is_vgpu_host"], gpu["virtualization_mode"], gpu["capabilities"]) == (0, 0, 0)
    assert (gpu["supported"], gpu["creatable"], gpu["active"], gpu["rooms"]) == ([], [], [], [])
    assert gpu["name"] == "NVIDIA L40S"


def test_an_unknown_range_is_said_to_be_unknown() -> None:
    """A driver without a preset range in the facts has no range, which is not a range of zeros."""
    slot = slot_of(a_manager(a_host(preset=None)).state)
    assert (slot["has_manager"], slot["range_known"]) == (1, 0)
    assert [slot[name] for name in ("preset_min", "preset_max", "range_min", "range_max")] == [0, 0, 0, 0]


def test_setters_of_a_gpu_are_shown() -> None:
    """Persistence, capabilities set either way and the virtualization mode come from the runtime."""
    manager = a_manager()
    (before,) = slot_of(manager.state)["gpus"]
    changed = GpuRuntime(persistence=True, capabilities_on=1 << 6, capabilities_off=1, virtualization_mode=0)
    runtime = Runtime().with_gpu(manager.state.host.gpus[0].id, changed)
    (after,) = slot_of(manager.state, runtime=runtime)["gpus"]
    assert before["capabilities"] == 0b111111
    assert {name for name in before if before[name] != after[name]} == {
        "persistence",
        "capabilities",
        "virtualization_mode",
    }
    assert (after["persistence"], after["capabilities"], after["virtualization_mode"]) == (1, 0b1111110, 0)


def test_what_a_runtime_says_is_forgotten_with_it() -> None:
    """The same state under another runtime is encoded anew."""
    manager = a_manager()
    encoder = Encoder(manager.state.host)
    runtime = Runtime().with_gpu(manager.state.host.gpus[0].id, GpuRuntime(persistence=True))
    seen = [
        slot_of(manager.state, encoder=encoder, runtime=one)["gpus"][0]["persistence"]
        for one in (Runtime(), runtime, Runtime())
    ]
    assert seen == [0, 1, 0]


def test_the_range_in_force_reaches_every_record() -> None:
    """After the range is set, the head and each gpu's record have the new one."""
    manager = a_manager(a_host(gpus=[a_gpu(0), a_gpu(1)]))
    encoder = Encoder(manager.state.host)
    slot_of(manager.state, encoder=encoder)
    manager.state = msgspec.structs.replace(
        manager.state,
        host=msgspec.structs.replace(manager.state.host, range_in_force=VersionRange(0x120001, 0x130001)),
    )
    slot = slot_of(manager.state, encoder=encoder)
    assert (slot["range_min"], slot["range_max"]) == (0x120001, 0x130001)
    assert {gpu["record"][112:120] for gpu in slot["gpus"]} == {struct.pack("<2I", 0x120001, 0x130001)}


def test_power_and_guest_driver_decide_what_a_vgpu_uses() -> None:
    """No framebuffer before the guest driver, engines only while running, framebuffer also in sleep."""
    manager = a_manager()
    vm = start_vm(manager, power=VmState.BOOTING)
    seen = {}
    for name, call in (
        ("booting", lambda: None),
        ("running", lambda: manager.load_guest_driver(vm, "550.54.14", bounds=GUEST)),
        ("paused", lambda: manager.pause(vm)),
        ("running again", lambda: manager.resume(vm)),
        ("sleeping", lambda: manager.sleep(vm)),
    ):
        call()
        (row,) = slot_of(manager.state)["instances"]
        seen[name] = (row["framebuffer_used"] > 0, row["utilization_sm"] > 0, row["pci_id"])
    nowhere, there = "00000000:00:00.0", "00000000:00:05.0"
    assert seen == {
        "booting": (False, False, nowhere),
        "running": (True, True, there),
        "paused": (True, False, there),
        "running again": (True, True, there),
        "sleeping": (True, False, there),
    }


def test_a_vgpu_keeps_its_gpu_instance() -> None:
    """When another one ends, a vgpu stays in its GPU instance, and the next one takes the empty one."""
    manager = a_manager(a_host(gpus=[a_gpu(board="A100", mig=(3, 3))]))
    encoder = Encoder(manager.state.host)
    first, second, third = (a_vm(f"vm{n}", "A100-3-20C") for n in (1, 2, 3))
    start_vm(manager, first)
    start_vm(manager, second)
    seats = [
        (one["handle"], one["gpu_instance"]) for one in slot_of(manager.state, encoder=encoder)["instances"]
    ]
    manager.shut_down(first.id)
    start_vm(manager, third)
    after = [
        (one["handle"], one["gpu_instance"]) for one in slot_of(manager.state, encoder=encoder)["instances"]
    ]
    assert (seats, after) == ([(1, 0), (2, 1)], [(2, 1), (3, 0)])


def test_a_device_without_a_vm_takes_room() -> None:
    """A device that an administrator made locks an equal-size gpu to its type, and is no instance."""
    manager = a_manager()
    encoder = Encoder(manager.state.host)
    slot_of(manager.state, encoder=encoder)
    manager.create_device(manager.state.host.gpus[0].id, facts.vgpu_type("L40S-24Q"), DeviceId("a-device"))
    slot = slot_of(manager.state, encoder=encoder)
    assert slot["gpus"][0]["creatable"] == [facts.vgpu_type("L40S-24Q").type_id]
    assert slot["instances"] == []
    manager.define(a_vm("vm1", "L40S-24Q"))
    manager.start(VmId("vm1"), gpus=[Seat(manager.state.host.gpus[0].id, device=DeviceId("a-device"))])
    (row,) = slot_of(manager.state, encoder=encoder)["instances"]
    assert row["mdev_uuid"] == "036ca108-ea47-5dd2-aa2c-8015873c2e3a"


def test_under_kvm_a_vgpu_has_its_device_id() -> None:
    """The mediated device of a vgpu that brought its own has the vgpu's UUID; under Xen there is none."""
    seen = {}
    for hypervisor in ("kvm", "xen"):
        manager = a_manager(a_host(hypervisor=hypervisor))
        start_vm(manager)
        (row,) = slot_of(manager.state)["instances"]
        seen[hypervisor] = (row["mdev_uuid"] == row["uuid"], row["mdev_uuid"] == "", row["vm_id"])
    assert seen == {"kvm": (True, False, a_vm().uuid), "xen": (False, True, "1")}


def test_a_text_that_does_not_fit_is_refused_and_forgotten() -> None:
    """A driver's name that no record can hold is an error, after which the encoder is as new."""
    manager = a_manager()
    encoder = Encoder(manager.state.host)
    good = encoder.encode(manager.state, base=PAGE)
    host = msgspec.structs.replace(manager.state.host, driver="5" * 64)
    with pytest.raises(InputError, match=r"host h01: driver: '5{64}'; wanted at most 63 ASCII"):
        encoder.encode(msgspec.structs.replace(manager.state, host=host), base=PAGE)
    assert encoder.encode(manager.state, base=PAGE) == good


def test_a_vm_whose_uuid_does_not_fit_is_refused() -> None:
    """A UUID of a hundred characters is named with its VM and the size that is wanted."""
    manager = a_manager()
    vm = start_vm(manager)
    record = manager.state.vm(vm)
    definition = msgspec.structs.replace(record.definition, uuid="u" * 100)
    state = manager.state.with_vm(msgspec.structs.replace(record, definition=definition))
    with pytest.raises(InputError, match=r"VM vm1: uuid: 'u+'; wanted at most 79 ASCII characters"):
        slot_of(state)


def test_a_host_may_have_256_gpus() -> None:
    """257 gpus are refused with the number seen and the number wanted."""
    many = [msgspec.structs.replace(a_gpu(0), id=GpuId(f"g{n}"), index=n) for n in range(257)]
    slot = slot_of(a_manager(a_host(gpus=many[:256])).state)
    assert len(slot["gpus"]) == len({(gpu["pci_domain"], gpu["pci_bus"]) for gpu in slot["gpus"]}) == 256
    with pytest.raises(InputError, match="host h01: 257 gpus; wanted at most 256"):
        Encoder(a_host(gpus=many))


def test_a_slot_has_room_for_all_that_a_gpu_can_hold() -> None:
    """Each gpu more brings room for itself, 48 vgpus and its lists; without gpus there are only faults."""
    none, one, two = (
        Encoder(a_host(gpus=[a_gpu(n, board="T4") for n in range(count)])).slot_size for count in range(3)
    )
    types = len(facts.types_of_board("T4"))
    lists = 4 * (48 + 2 * types)  # its active vgpus, supported and creatable types; a T4 has no placement ids
    a_gpu_more = GPU.size + types * TYPE_ROOM.size + lists + 48 * INSTANCE.size
    assert none == HOST.size + COUNTERS * FAULT.size + 2 * 4
    assert (one - none, two - one) == (a_gpu_more + 126 * 4, a_gpu_more + 128 * 4)


def test_a_full_host_fits_its_slot() -> None:
    """Gpus full of vgpus and as many faults as there are counters need no more than the slot has."""
    manager = a_full_host(2, board="L40S", vgpu_type="L40S-1Q")
    faults = [Fault(counter=number, delay_us=1) for number in range(256)]
    slot = slot_of(manager.state, faults=faults)
    assert (len(slot["instances"]), len(slot["faults"])) == (64, 256)
    with pytest.raises(InputError, match="faults: 257; wanted at most 256"):
        slot_of(manager.state, faults=[*faults, Fault()])


@given(st.lists(st.integers(1, ANY), unique=True, max_size=100).map(sorted))
def test_the_index_finds_every_handle(handles: list[int]) -> None:
    """Whatever the handles are, probing from the handle's word comes to its number before an empty word."""
    size = index_size(len(handles))
    words = struct.unpack(f"<{size}I", encode_index(handles))
    assert size >= max(2, 2 * len(handles))
    assert size & (size - 1) == 0
    for number, handle in enumerate(handles, start=1):
        position = handle & (size - 1)
        while words[position] != number:
            assert words[position] != 0
            position = (position + 1) & (size - 1)
    assert sorted(words)[-len(handles) :] == list(range(1, len(handles) + 1)) or not handles


def test_a_change_touches_only_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one VM has changed, one vgpu and its gpu are encoded; after a set range, gpu records alone."""
    manager = a_full_host(2)
    encoder = Encoder(manager.state.host)
    slot_of(manager.state, encoder=encoder)
    seen: list[object] = []

    def seat(state: HostState, record: VmRecord, position: int, *, gpu: int) -> instances.Seated:
        seen.append((record.definition.id, position))
        return instances.seat(state, record, position, gpu=gpu)

    def encode_gpu(state: HostState, frame: Frame, contents: Contents, runtime: GpuRuntime) -> bytes:
        seen.append(frame.number)
        return gpus.encode_gpu(state, frame, contents, runtime)

    def physical_record(state: HostState, gpu: Gpu) -> bytes:
        seen.append(gpu.id)
        return records.physical_record(state, gpu)

    monkeypatch.setattr("vgpu_migrate.snapshot.encoder.physical_record", physical_record)
    monkeypatch.setattr("vgpu_migrate.snapshot.encoder.seat", seat)
    monkeypatch.setattr("vgpu_migrate.snapshot.encoder.encode_gpu", encode_gpu)
    manager.pause(VmId("vm5"))
    slot_of(manager.state, encoder=encoder)
    assert seen == [("vm5", 0), 1]
    seen.clear()
    in_force = msgspec.structs.replace(manager.state.host, range_in_force=VersionRange(0x120001, 0x130001))
    slot_of(msgspec.structs.replace(manager.state, host=in_force), encoder=encoder)
    assert seen == [gpu.id for gpu in manager.state.host.gpus]
