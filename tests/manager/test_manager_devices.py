"""Devices that an administrator makes: what they take, who may use them, and when they go."""

from __future__ import annotations

import pytest
from tests.manager.factories import PRESET, VM, a_gpu, a_host, a_manager, a_vm, refused, start_vm

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError, UnknownNameError
from vgpu_migrate.manager import (
    Device,
    DeviceId,
    Reason,
    Seat,
    VgpuManager,
    function_count,
    migrate,
)
from vgpu_migrate.model import Gpu, GpuId, PlacementMode
from vgpu_migrate.model.placement import NoRoom, find_room

ONE, TWO = DeviceId("11111111-2222-3333-4444-555555555555"), DeviceId("0000:01:00.9")
GPU = GpuId("h01/0")
Q12, Q24, Q16, Q48 = (facts.vgpu_type(f"L40S-{size}Q") for size in (12, 24, 16, 48))


def mixed() -> VgpuManager:
    """A host whose one gpu is mixed-size."""
    return a_manager(a_host(gpus=[a_gpu(mode=PlacementMode.MIXED)]))


def test_a_device_takes_room_and_is_no_active_vgpu() -> None:
    """It counts for capacity, locks an equal-size gpu to its type, and NVML lists nothing."""
    manager = a_manager()
    made = manager.create_device(GPU, Q24, ONE)
    assert made == Device(ONE, GPU, Q24, None, 0)
    assert manager.state.devices == {ONE: made}
    gpu = manager.state.gpu(GPU)
    assert [tenant.type for tenant in manager.state.tenants(GPU)] == [Q24]
    assert find_room(gpu, manager.state.tenants(GPU), Q12) is NoRoom.TYPE_LOCKED
    assert manager.active_vgpus(GPU) == ()
    assert refused(lambda: start_vm(manager)).reason is Reason.NO_ROOM


def test_a_device_alone_makes_no_host_in_use() -> None:
    """Our assumption: IN_USE means a VM, so the range can be set beside an unused device."""
    manager = a_manager()
    manager.create_device(GPU, Q12, ONE)
    assert not manager.state.is_in_use
    manager.set_range(PRESET)


def test_devices_take_the_lowest_function_or_the_one_asked_for() -> None:
    """Functions are counted from 0; one that a device or a VM's vgpu has is not given again."""
    manager = a_manager()
    start_vm(manager)
    assert manager.create_device(GPU, Q12, ONE, function=2).function == 2
    assert manager.create_device(GPU, Q12, TWO).function == 1
    taken = refused(lambda: manager.create_device(GPU, Q12, DeviceId("more"), function=0))
    assert (taken.reason, str(taken)) == (
        Reason.NO_ROOM,
        "device more: virtual function 0 of h01/0 is not free",
    )


def test_a_gpu_without_sriov_has_no_functions() -> None:
    """A device of such a gpu sits on the gpu itself, and asking for a function is a mistake."""
    manager = a_manager(a_host(gpus=[a_gpu(board="T4")]))
    vgpu_type = facts.vgpu_type("T4-4Q")
    assert manager.create_device(GPU, vgpu_type, ONE).function is None
    with pytest.raises(InputError, match="function: 0; gpu h01/0 has no virtual functions"):
        manager.create_device(GPU, vgpu_type, TWO, function=0)


@pytest.mark.parametrize(("board", "count"), [("T4", 0), ("A2", 16), ("A40", 32), ("L40S", 32), ("A30", 24)])
def test_a_gpu_has_a_function_for_each_vgpu_it_can_hold(board: str, count: int) -> None:
    """Our assumption: as many as vgpus fit in any mode, none without SR-IOV."""
    assert function_count(a_gpu(board=board)) == count


def test_every_board_has_functions_for_all_its_vgpus() -> None:
    """However a gpu is filled, in equal-size mode, mixed-size mode or MIG, functions last as long as room."""
    for board in facts.boards():
        row = facts.board(board) if isinstance(board, str) else board
        most = max(one.max_instances for one in facts.types_of_board(row.key))
        gpus = [a_gpu(board=row.key), a_gpu(board=row.key, vgpu=False)]
        assert function_count(gpus[0]) >= most * row.sriov_by_default
        assert function_count(gpus[1]) == 0


def test_placement_of_a_device() -> None:
    """On a mixed-size gpu it has the lowest free id, or the one asked for if that is free."""
    manager = mixed()
    assert manager.create_device(GPU, Q24, ONE, placement=24).placement == 24
    no = refused(lambda: manager.create_device(GPU, Q16, TWO, placement=32))
    assert (no.reason, no.detail) == (
        Reason.NO_ROOM,
        "placement 32 of h01/0 is not free for L40S-16Q; free are 0",
    )
    assert manager.create_device(GPU, Q16, TWO).placement == 0


def test_an_unused_device_can_be_placed_elsewhere() -> None:
    """Where it is free beside the others; its own place does not count against it."""
    manager = mixed()
    manager.create_device(GPU, Q24, ONE)
    manager.create_device(GPU, Q16, TWO)
    assert [device.placement for device in manager.state.devices.values()] == [0, 32]
    no = refused(lambda: manager.place_device(ONE, 24))
    assert no.detail == "placement 24 of h01/0 is not free for L40S-24Q; free are 0"
    manager.remove_device(TWO)
    manager.place_device(ONE, 24)
    assert manager.state.device(ONE).placement == 24
    manager.define(a_vm("vm1", "L40S-24Q"))
    manager.start(VM, gpus=[Seat(GPU, device=ONE)])
    assert refused(lambda: manager.place_device(ONE, 0)).reason is Reason.IN_USE


def test_an_equal_size_gpu_has_no_placement_ids() -> None:
    """Asking for one there is refused."""
    no = refused(lambda: a_manager().create_device(GPU, Q24, ONE, placement=0))
    assert (no.reason, no.detail) == (
        Reason.NO_ROOM,
        "placement 0 on h01/0; a gpu in equal mode has no ids",
    )


def test_an_id_is_given_once() -> None:
    """Neither another device's id nor that of a VM's own device."""
    manager = a_manager()
    manager.create_device(GPU, Q12, ONE)
    assert refused(lambda: manager.create_device(GPU, Q12, ONE)).reason is Reason.ALREADY_THERE
    start_vm(manager)
    own = manager.state.vm(VM).vgpus[0].device_id
    no = refused(lambda: manager.create_device(GPU, Q12, own))
    assert (no.reason, no.detail) == (
        Reason.ALREADY_THERE,
        "gpu h01/0 has a device of this id, used by VM vm1",
    )


@pytest.mark.parametrize("odd", ["", "x" * 81, "a\nb", "ä"])
def test_an_id_is_a_short_printable_name(odd: str) -> None:
    """Anything else is a mistake of the caller's."""
    with pytest.raises(InputError, match="wanted 1 to 80 printable ASCII characters"):
        a_manager().create_device(GPU, Q12, DeviceId(odd))


@pytest.mark.parametrize(
    ("gpu", "type_name", "reason"),
    [(a_gpu(), "T4-4Q", Reason.NO_ROOM), (a_gpu(vgpu=False), "L40S-12Q", Reason.NO_ROOM)],
)
def test_a_device_that_does_not_fit_is_refused(gpu: Gpu, type_name: str, reason: Reason) -> None:
    """Another board's type, or a gpu that is no vGPU host; the state is unchanged."""
    manager = a_manager(a_host(gpus=[gpu]))
    before = manager.state
    no = refused(lambda: manager.create_device(GPU, facts.vgpu_type(type_name), ONE))
    assert no.reason is reason
    assert manager.state is before


def test_no_device_without_a_manager() -> None:
    """A plain driver makes none."""
    manager = a_manager(a_host(manager=False))
    assert refused(lambda: manager.create_device(GPU, Q12, ONE)).reason is Reason.NO_MANAGER


def test_a_vm_started_on_a_device_uses_it_and_leaves_it() -> None:
    """It takes no more room, has the device's place and id, and the device stays when it stops."""
    manager = mixed()
    made = manager.create_device(GPU, Q12, ONE, placement=24, function=7)
    manager.define(a_vm())
    (vgpu,) = manager.start(VM, gpus=[Seat(GPU, device=ONE)]).vgpus
    assert (vgpu.device_id, vgpu.placement, vgpu.function, vgpu.gpu) == (ONE, 24, 7, GPU)
    assert vgpu.uuid != ONE
    assert len(manager.state.tenants(GPU)) == 1
    assert [(device, record and record.definition.id) for device, record in manager.state.all_devices()] == [
        (made, VM)
    ]
    manager.shut_down(VM)
    assert list(manager.state.all_devices()) == [(made, None)]


def test_a_vm_started_without_a_device_has_one_of_its_own_while_it_lives() -> None:
    """Its UUID is the vgpu's; it cannot be removed, and goes when the VM stops."""
    manager = a_manager()
    start_vm(manager)
    (vgpu,) = manager.state.vm(VM).vgpus
    assert [device.id for device, _ in manager.state.all_devices()] == [vgpu.uuid]
    no = refused(lambda: manager.remove_device(DeviceId(vgpu.uuid)))
    assert (no.reason, no.detail) == (Reason.IN_USE, "it is used by VM vm1 and goes when that stops")
    manager.shut_down(VM)
    assert list(manager.state.all_devices()) == []


def test_a_device_is_used_once_and_for_what_it_is() -> None:
    """One that a VM uses, of another type, on another gpu or at another placement is refused."""
    manager = a_manager(a_host(gpus=[a_gpu(0), a_gpu(1)]))
    manager.create_device(GPU, Q12, ONE)
    manager.define(a_vm("vm1"))
    manager.define(a_vm("vm2"))
    manager.define(a_vm("vm3", "L40S-24Q"))
    before = manager.state

    def start(vm: str, *seats: Seat) -> str:
        no = refused(lambda: manager.start(type(VM)(vm), gpus=seats))
        assert manager.state is before
        return f"{no.reason}: {no.detail}"

    assert start("vm3", Seat(GPU, device=ONE)) == (
        f"wrong-device: device {ONE} has type L40S-12Q; wanted L40S-24Q"
    )
    assert start("vm1", Seat(GpuId("h01/1"), device=ONE)) == (
        f"wrong-device: device {ONE} has gpu h01/0; wanted h01/1"
    )
    assert start("vm1", Seat(GPU, 3, ONE)) == f"wrong-device: device {ONE} has placement None; wanted 3"
    with pytest.raises(UnknownNameError, match=f"unknown device {TWO}"):
        manager.start(VM, gpus=[Seat(GPU, device=TWO)])
    manager.start(VM, gpus=[Seat(GPU, device=ONE)])
    before = manager.state
    assert start("vm2", Seat(GPU, device=ONE)) == f"in-use: device {ONE} is used by VM vm1"


def test_one_vm_cannot_use_a_device_twice() -> None:
    """Each of its vgpus wants a device of its own."""
    manager = a_manager()
    manager.create_device(GPU, Q12, ONE)
    manager.define(a_vm("vm1", "L40S-12Q", "L40S-12Q"))
    seat = Seat(GPU, device=ONE)
    assert refused(lambda: manager.start(VM, gpus=[seat, seat])).reason is Reason.IN_USE
    mixed_seats = manager.start(VM, gpus=[Seat(GPU), seat]).vgpus
    assert [vgpu.function for vgpu in mixed_seats] == [1, 0]


def test_a_device_with_the_uuid_of_a_vgpu_to_come_is_in_its_way() -> None:
    """The VM is refused unless it is started on that device."""
    manager = a_manager()
    start_vm(manager)
    own = manager.state.vm(VM).vgpus[0].device_id
    manager.shut_down(VM)
    manager.create_device(GPU, Q12, own)
    assert refused(lambda: manager.start(VM)).reason is Reason.ALREADY_THERE
    manager.start(VM, gpus=[Seat(GPU, device=own)])
    assert manager.state.vm(VM).vgpus[0].device == own


def test_removing_a_device() -> None:
    """Its room is free again; one that a VM uses is refused, one that is not there a mistake."""
    manager = a_manager()
    manager.create_device(GPU, Q24, ONE)
    manager.remove_device(ONE)
    assert manager.state.devices == {}
    with pytest.raises(UnknownNameError, match=f"unknown device {ONE}"):
        manager.remove_device(ONE)
    manager.create_device(GPU, Q12, ONE)
    manager.define(a_vm())
    manager.start(VM, gpus=[Seat(GPU, device=ONE)])
    before = manager.state
    assert refused(lambda: manager.remove_device(ONE)).detail == "it is used by VM vm1"
    assert manager.state is before


@pytest.mark.parametrize("operation", ["reload_driver", "reboot", "install"])
def test_devices_go_with_the_driver(operation: str) -> None:
    """A reload, another driver and a reboot end all devices."""
    manager = a_manager()
    manager.create_device(GPU, Q12, ONE)
    if operation == "install":
        manager.install_driver("580.126.08")
    else:
        getattr(manager, operation)()
    assert manager.state.devices == {}


def test_a_reboot_ends_the_device_of_a_running_vm_too() -> None:
    """The VM is off, and its device gone."""
    manager = a_manager()
    manager.create_device(GPU, Q12, ONE)
    manager.define(a_vm())
    manager.start(VM, gpus=[Seat(GPU, device=ONE)])
    manager.reboot()
    assert list(manager.state.all_devices()) == []


def test_devices_stay_when_the_process_begins_again() -> None:
    """VMs survive it, and so does what they run on, used or not."""
    manager = a_manager()
    manager.create_device(GPU, Q12, ONE)
    manager.restart()
    assert list(manager.state.devices) == [ONE]


def test_a_vm_moves_between_devices() -> None:
    """From its device here to the target's, which fills its gpu; the one here is free then."""
    source, target = a_manager(), a_manager(a_host("h02"))
    source.create_device(GPU, Q48, ONE)
    target.create_device(GpuId("h02/0"), Q48, TWO)
    source.define(a_vm("vm1", "L40S-48Q"))
    source.start(VM, gpus=[Seat(GPU, device=ONE)])
    source.load_guest_driver(VM, "550.54.14", bounds=(0x70001, 0x140001))
    migrate(source, target, VM, gpus=[Seat(GpuId("h02/0"), device=TWO)])
    assert [(device.id, record) for device, record in source.state.all_devices()] == [(ONE, None)]
    assert target.state.vm(VM).vgpus[0].device == TWO
    assert len(target.state.tenants(GpuId("h02/0"))) == 1


def test_devices_survive_json() -> None:
    """With and without a VM on them."""
    manager = mixed()
    manager.create_device(GPU, Q12, ONE)
    manager.create_device(GPU, Q12, TWO)
    manager.define(a_vm())
    manager.start(VM, gpus=[Seat(GPU, device=ONE)])
    assert VgpuManager.from_data(manager.to_data()).state == manager.state
