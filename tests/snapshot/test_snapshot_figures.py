"""What a simulated gpu measures follows from the state, and agrees with itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.manager.factories import a_gpu, a_host, a_manager, a_vm, start_vm
from tests.snapshot.hosts import a_full_host, slot_of

from vgpu_migrate import facts
from vgpu_migrate.manager import GuestReport, VgpuHandle, VgpuInstance, VmRecord
from vgpu_migrate.model import GpuId, VmState
from vgpu_migrate.snapshot import cards
from vgpu_migrate.snapshot.figures import (
    IDLE,
    Load,
    draw,
    engine_part,
    process_id,
    readings,
    total,
    vgpu_load,
)
from vgpu_migrate.snapshot.layout import ANY

GUEST = GuestReport("550.54.14", 0x140001, 0x70001, 0x140001)


def a_vgpu(short: str, uuid: str, *, guest: GuestReport | None = GUEST, handle: int = 1) -> VgpuInstance:
    """One vgpu of a type."""
    return VgpuInstance(VgpuHandle(handle), uuid, facts.vgpu_type(short), GpuId("g"), None, guest)


@given(st.sampled_from(sorted(facts.vgpu_types())), st.uuids().map(str))
def test_a_vgpu_stays_within_its_part(short: str, uuid: str) -> None:
    """Framebuffer is an eighth to three quarters of the type's in whole MiB; engines within its part."""
    vgpu = a_vgpu(short, uuid)
    board = facts.board(vgpu.type.board)
    record = VmRecord(a_vm("vm1", short), 1, VmState.RUNNING, vgpus=(vgpu,))
    load = vgpu_load(record, vgpu, board)
    whole = vgpu.type.framebuffer_mib << 20
    assert load.framebuffer_used % cards.MIB == 0
    assert whole // 8 <= load.framebuffer_used <= whole * 3 // 4
    assert 1 <= load.sm <= engine_part(board, vgpu.type)
    assert 0 <= load.memory <= load.sm
    assert 0 <= load.encoder + load.decoder <= load.sm + engine_part(board, vgpu.type)
    assert load == vgpu_load(record, vgpu, board)


@given(st.sampled_from(sorted(facts.vgpu_types())))
def test_the_parts_of_a_full_gpu_stay_within_it(short: str) -> None:
    """As many vgpus of a type as a gpu holds use at most 100 percent together."""
    vgpu_type = facts.vgpu_type(short)
    part = engine_part(facts.board(vgpu_type.board), vgpu_type)
    assert part >= 1
    assert part * vgpu_type.max_instances <= 100


def test_before_the_guest_driver_reports_nothing_is_used() -> None:
    """A vgpu whose guest driver has not reported is idle, even in a running VM."""
    vgpu = a_vgpu("T4-8Q", "u", guest=None)
    record = VmRecord(a_vm("vm1", "T4-8Q"), 1, VmState.RUNNING, vgpus=(vgpu,))
    assert vgpu_load(record, vgpu, facts.board("T4")) == IDLE


def test_a_gpu_uses_what_its_vgpus_use() -> None:
    """The sum, engines at most 100 percent; without vgpus nothing."""
    assert total([]) == IDLE
    assert total([Load(1, 60, 3, 0, 1), Load(2, 50, 4, 0, 0)]) == Load(3, 100, 7, 0, 1)


@given(st.sampled_from(sorted(facts.boards())), st.integers(0, 100), st.uuids().map(str))
def test_power_and_temperature_follow_the_load(key: str, percent: int, uuid: str) -> None:
    """More load is never cooler or thriftier; idle is well above nothing and full load is the limit."""
    board = facts.board(key)
    at, idle, full = (
        readings(board, uuid, Load(0, sm, 0, 0, 0), has_fan=True, vgpus=1) for sm in (percent, 0, 100)
    )
    assert idle.power_mw <= at.power_mw <= full.power_mw == cards.power_limit_mw(board)
    assert idle.temperature <= at.temperature <= full.temperature
    assert (idle.temperature >= 30, full.temperature <= 80, idle.power_mw > 0) == (True, True, True)
    assert idle.fan_speed <= at.fan_speed <= full.fan_speed <= 100


def test_a_gpu_without_vgpus_sleeps() -> None:
    """Performance state 8 without vgpus, 0 with one, even an idle one."""
    board = facts.board("T4")
    states = [readings(board, "u", IDLE, has_fan=False, vgpus=n).performance_state for n in (0, 1)]
    assert states == [8, 0]


def test_only_boards_with_a_fan_show_one() -> None:
    """A workstation board has a fan speed, a passive one none at all."""
    slot = slot_of(a_manager(a_host(gpus=[a_gpu(0, board="RTXA6000"), a_gpu(1, board="A40")])).state)
    assert [gpu["fan_speed"] for gpu in slot["gpus"]] == [20, ANY]


def test_the_same_state_has_the_same_figures_everywhere() -> None:
    """Two managers that went the same way show the same, byte for byte."""
    assert slot_of(a_full_host().state) == slot_of(a_full_host().state)


def test_a_name_leads_to_the_same_bytes_always() -> None:
    """The draw from a name is fixed: figures do not change from one version to the next."""
    assert draw("vm1").hex() == "986ac771a8ee48afb22fa058c70f8721"


def test_a_vms_vgpus_have_addresses_of_their_own_in_the_guest() -> None:
    """The devices from 5 on, in the order of the VM's vgpus."""
    manager = a_manager(a_host(gpus=[a_gpu(0, board="A40")]))
    start_vm(manager, a_vm("vm1", "A40-4C", "A40-4C", "A40-4C"))
    addresses = [one["pci_id"] for one in slot_of(manager.state)["instances"]]
    assert addresses == ["00000000:00:05.0", "00000000:00:06.0", "00000000:00:07.0"]


def test_every_vgpu_has_a_process_of_its_own() -> None:
    """Process ids differ between vgpus and are such as Linux gives."""
    manager = a_manager(a_host(gpus=[a_gpu(0, board="A40"), a_gpu(1, board="A40")]))
    start_vm(manager, a_vm("vm1", "A40-4C"))
    start_vm(manager, a_vm("vm2", "A40-4C", "A40-4C"))
    processes = [(one["process"], one["is_compute"]) for one in slot_of(manager.state)["instances"]]
    assert processes == [(4097, 1), (4098, 1), (4099, 1)]
    assert process_id(a_vgpu("T4-8Q", "u", handle=0xFFFFFFFF)) < 1 << 22
