"""Starts with and without saved records: what records give, what they only hint, and what is refused."""

from __future__ import annotations

import pytest
from tests.manager.factories import (
    GUEST,
    OLDER_GUEST,
    VM,
    a_gpu,
    a_host,
    a_manager,
    a_record,
    a_vm,
    refused,
    start_vm,
)

from vgpu_migrate.errors import InputError, UnknownNameError
from vgpu_migrate.manager import Reason, Seat, VgpuManager
from vgpu_migrate.model import GpuId, PlacementMode, VersionRange, VmId, VmState
from vgpu_migrate.nvml import GuestInfoState, Limits, States, VgpuMetadata

WITH_RECORDS = (States.LIVE, States.SLEEP, States.HIBERNATE)


def with_vm(manager: VgpuManager, *types: str) -> VgpuManager:
    """The manager with one VM defined and off."""
    manager.define(a_vm("vm1", *types))
    return manager


@pytest.mark.parametrize("state", WITH_RECORDS)
def test_records_are_required(state: States) -> None:
    """From LIVE, SLEEP and HIBERNATE a start wants the saved records, even of a VM that hibernated here."""
    manager = a_manager()
    start_vm(manager, power=VmState.HIBERNATED if state is States.HIBERNATE else VmState.OFF)
    refusal = refused(lambda: manager.start(VM, state))
    assert refusal.reason is Reason.RECORDS
    assert str(refusal) == f"VM vm1: a start from {state.words[0]} wants its saved records"


@pytest.mark.parametrize("state", WITH_RECORDS)
def test_records_seed_guest_info(state: States) -> None:
    """Version, guest driver and guest bounds come from the records; host driver is this host's."""
    manager = with_vm(a_manager(a_host(driver="580.126.08", preset=VersionRange(0x120001, 0x1A0001))))
    record = a_record(guest=OLDER_GUEST)
    manager.start(VM, state, records=[record])
    now, saved = VgpuMetadata.from_bytes(manager.saved_records(VM)[0]), VgpuMetadata.from_bytes(record)
    assert now.guest_info_state is GuestInfoState.INITIALIZED
    assert (now.guest_vgpu_version, now.guest_driver_version) == (0x120001, "550.54.14")
    assert now.reserved[16:] == saved.reserved[16:]
    assert (now.host_driver_version, saved.host_driver_version) == ("580.126.08", "550.54.16")
    assert manager.state.vm(VM).power is (VmState.SLEEPING if state is States.SLEEP else VmState.RUNNING)


def test_a_hibernated_vm_comes_back() -> None:
    """Records saved at hibernation, given back at the next start, restore what the guest had reported."""
    manager = a_manager()
    start_vm(manager, power=VmState.HIBERNATED)
    saved = manager.saved_records(VM)
    assert not manager.state.is_in_use
    manager.start(VM, States.HIBERNATE, records=saved)
    assert manager.saved_records(VM) == saved


def test_the_verdict_refuses_with_its_evidence() -> None:
    """A record whose version the host does not take is refused, the verdict inside."""
    manager = with_vm(a_manager(a_host(preset=VersionRange(0x130001, 0x140001))))
    before = manager.state
    refusal = refused(lambda: manager.start(VM, States.LIVE, records=[a_record(guest=(0x70001, 0x120001))]))
    assert refusal.reason is Reason.INCOMPATIBLE
    assert refusal.verdict is not None
    assert refusal.verdict.states == States.NONE
    assert refusal.verdict.limits == Limits.GUEST_DRIVER
    assert [piece.rule for piece in refusal.verdict.evidence] == ["guest-older", "guest-driver-older"]
    assert str(refusal) == (
        "VM vm1: runnable on h01/0 from no state, not from live; rules: guest-older, guest-driver-older"
    )
    assert manager.state is before


def test_another_configuration_hibernates_but_does_not_sleep() -> None:
    """A record from a gpu with ECC does not resume from S3 on one without, and does from S4."""
    record = a_record()
    for state in WITH_RECORDS:
        manager = with_vm(a_manager(a_host(gpus=[a_gpu(ecc=False)])))
        if state is States.HIBERNATE:
            manager.start(VM, state, records=[record])
        else:
            refusal = refused(lambda manager=manager, state=state: manager.start(VM, state, records=[record]))  # type: ignore[misc]
            assert refusal.reason is Reason.INCOMPATIBLE


def test_records_before_the_guest_reported_are_cold_only() -> None:
    """A record with guest info UNINITIALIZED allows no start but a cold one."""
    record = a_record(guest=None)
    for state in WITH_RECORDS:
        manager = with_vm(a_manager())
        refusal = refused(lambda manager=manager, state=state: manager.start(VM, state, records=[record]))  # type: ignore[misc]
        assert refusal.verdict is not None
        assert refusal.verdict.states == States.COLD
    manager = with_vm(a_manager())
    manager.start(VM, States.COLD, records=[record])


def test_cold_records_seed_nothing() -> None:
    """At a cold start records are a hint: guest info is UNINITIALIZED and no version is taken."""
    manager = with_vm(a_manager())
    assert manager.start(VM, States.COLD, records=[a_record()]).warnings == ()
    record = VgpuMetadata.from_bytes(manager.saved_records(VM)[0])
    assert (record.guest_info_state, record.guest_vgpu_version) == (GuestInfoState.UNINITIALIZED, 0)


@pytest.mark.parametrize(
    ("guest", "warnings"),
    [
        (GUEST, ()),
        (
            OLDER_GUEST,
            (
                "the guest driver will not load: record 0 says guest 0x70001-0x120001, "
                "range in force 0x130001-0x140001",
            ),
        ),
        (None, ()),
    ],
)
def test_cold_records_warn(guest: tuple[int, int] | None, warnings: tuple[str, ...]) -> None:
    """Guest bounds that miss the range in force warn that the guest driver will not load."""
    manager = with_vm(a_manager(a_host(in_force=VersionRange(0x130001, 0x140001))))
    assert manager.start(VM, States.COLD, records=[a_record(guest=guest)]).warnings == warnings
    assert manager.state.vm(VM).power is VmState.BOOTING


@pytest.mark.parametrize("state", [*WITH_RECORDS, States.COLD])
@pytest.mark.parametrize("what", ["type", "none", "two", "truncated", "over-long", "foreign", "a gpu's"])
def test_wrong_records_are_refused(state: States, what: str) -> None:
    """Wrong type, wrong count or malformed: refused from every state, and nothing has changed."""
    good = a_record()
    foreign = good[:172] + bytes(36) + good[208:]
    records = {
        "type": [a_record(vgpu_type="L40S-12A")],
        "none": [],
        "two": [good, good],
        "truncated": [good[:-1]],
        "over-long": [good + b"\0"],
        "foreign": [foreign],
        "a gpu's": [a_manager().gpu_metadata(GpuId("h01/0"))],
    }[what]
    manager = with_vm(a_manager())
    before = manager.state
    assert refused(lambda: manager.start(VM, state, records=records)).reason is Reason.RECORDS
    assert manager.state is before


def test_first_fit_takes_the_first_gpu_where_both_allow() -> None:
    """Verdict and room are asked gpu by gpu: ECC forbids the first, a full one is passed over."""
    gpus = [a_gpu(0, ecc=False), a_gpu(1), a_gpu(2)]
    manager = a_manager(a_host(gpus=gpus))
    manager.define(a_vm("big", "L40S-48Q"))
    manager.start(VmId("big"), gpus=[Seat(GpuId("h01/1"))])
    manager.define(a_vm())
    manager.start(VM, States.LIVE, records=[a_record()])
    assert [vgpu.gpu for vgpu in manager.state.vm(VM).vgpus] == ["h01/2"]


def test_first_fit_seats_several_vgpus_together() -> None:
    """Vgpus of several types are seated together, however the first choice of one stands in the way."""
    gpus = [a_gpu(0), a_gpu(1, types=("L40S-24Q",))]
    manager = with_vm(a_manager(a_host(gpus=gpus)), "L40S-24Q", "L40S-48Q")
    manager.start(VM)
    assert [vgpu.gpu for vgpu in manager.state.vm(VM).vgpus] == ["h01/1", "h01/0"]


def test_no_room_says_why() -> None:
    """Where the verdict allows gpus and none has room, each says what is in the way."""
    gpus = [a_gpu(0), a_gpu(1), a_gpu(2, vgpu=False)]
    manager = a_manager(a_host(gpus=gpus))
    manager.define(a_vm("full", "L40S-48Q"))
    manager.start(VmId("full"))
    manager.define(a_vm("half", "L40S-24Q"))
    manager.start(VmId("half"))
    manager.define(a_vm("new", "L40S-48Q"))
    refusal = refused(lambda: manager.start(VmId("new")))
    assert refusal.reason is Reason.NO_ROOM
    assert str(refusal) == "VM new: no room: L40S-48Q on h01/0: full; L40S-48Q on h01/1: type-locked"
    manager.define(a_vm("two", "L40S-24Q", "L40S-24Q"))
    assert str(refused(lambda: manager.start(VmId("two")))).startswith("VM two: no room: ")


def test_no_vgpu_host_at_all() -> None:
    """A host whose gpus are no vGPU hosts has no room for anything."""
    manager = with_vm(a_manager(a_host(gpus=[a_gpu(vgpu=False)])))
    assert str(refused(lambda: manager.start(VM))) == "VM vm1: host h01 has no gpu that is a vGPU host"


def test_another_board_is_incompatible() -> None:
    """A type of another board is refused by the verdict, not for want of room."""
    manager = with_vm(a_manager(), "T4-8Q")
    refusal = refused(lambda: manager.start(VM))
    assert refusal.reason is Reason.INCOMPATIBLE
    assert str(refusal) == "VM vm1: runnable on h01/0 from no state, not from cold; rules: board, guest-info"


def test_a_gpu_that_lists_its_types() -> None:
    """A type that is not among those a gpu offers is refused by the verdict."""
    manager = with_vm(a_manager(a_host(gpus=[a_gpu(types=("L40S-24Q",))])))
    refusal = refused(lambda: manager.start(VM))
    assert refusal.verdict is not None
    assert [piece.rule for piece in refusal.verdict.evidence] == ["type", "guest-info"]


def test_gpus_are_given_one_for_each_vgpu() -> None:
    """Another number of gpus, or one that is not the host's, is a caller's mistake."""
    manager = with_vm(a_manager())
    with pytest.raises(InputError, match="2 gpus given; wanted 1, one for each vgpu"):
        manager.start(VM, gpus=[Seat(GpuId("h01/0")), Seat(GpuId("h01/0"))])
    with pytest.raises(UnknownNameError, match="unknown gpu h01/7; did you mean h01/0"):
        manager.start(VM, gpus=[Seat(GpuId("h01/7"))])


def test_a_given_gpu_is_judged_too() -> None:
    """Verdict first, then room: each refused with its own reason."""
    manager = a_manager(a_host(gpus=[a_gpu(0, ecc=False), a_gpu(1)]))
    manager.define(a_vm("full", "L40S-48Q"))
    manager.start(VmId("full"), gpus=[Seat(GpuId("h01/1"))])
    manager.define(a_vm())
    records = [a_record()]
    ecc = refused(lambda: manager.start(VM, States.LIVE, records=records, gpus=[Seat(GpuId("h01/0"))]))
    assert ecc.reason is Reason.INCOMPATIBLE
    room = refused(lambda: manager.start(VM, States.LIVE, records=records, gpus=[Seat(GpuId("h01/1"))]))
    assert str(room) == "VM vm1: no room for L40S-12Q on h01/1: type-locked"


def test_placement_ids() -> None:
    """On a mixed-size gpu a free id is taken as given, and without one the lowest."""
    manager = a_manager(a_host(gpus=[a_gpu(mode=PlacementMode.MIXED)]))
    gpu = GpuId("h01/0")
    manager.define(a_vm("vm1", "L40S-24Q"))
    manager.start(VM, gpus=[Seat(gpu, 24)])
    manager.define(a_vm("vm2", "L40S-8Q"))
    manager.start(VmId("vm2"))
    manager.define(a_vm("vm3", "L40S-24Q"))
    refusal = refused(lambda: manager.start(VmId("vm3"), gpus=[Seat(gpu, 24)]))
    assert refusal.reason is Reason.NO_ROOM
    assert str(refusal) == "VM vm3: no room for L40S-24Q on h01/0: no-placement"
    manager.define(a_vm("vm4", "L40S-8Q"))
    refusal = refused(lambda: manager.start(VmId("vm4"), gpus=[Seat(gpu, 0)]))
    assert str(refusal) == "VM vm4: placement 0 of h01/0 is not free for L40S-8Q; free are 16"
    placements = [vgpu.placement for record in manager.state.vms.values() for vgpu in record.vgpus]
    assert placements == [24, 0]


def test_an_equal_size_gpu_has_no_placement_ids() -> None:
    """A placement id for one is refused."""
    manager = with_vm(a_manager())
    refusal = refused(lambda: manager.start(VM, gpus=[Seat(GpuId("h01/0"), 0)]))
    assert str(refusal) == (
        "VM vm1: placement 0 of h01/0 is not free for L40S-12Q; a gpu in equal mode has no ids"
    )


def test_mig_backed_types_want_a_mig_gpu() -> None:
    """A GPU instance of three slices holds one vgpu of a three-slice type."""
    gpus = [a_gpu(0, board="H100XM"), a_gpu(1, board="H100XM", mig=(3, 3))]
    manager = a_manager(a_host(gpus=gpus))
    for number in (1, 2, 3):
        manager.define(a_vm(f"vm{number}", "H100XM-3-40C"))
    manager.start(VmId("vm1"))
    manager.start(VmId("vm2"))
    assert {vgpu.gpu for record in manager.state.vms.values() for vgpu in record.vgpus} == {"h01/1"}
    assert refused(lambda: manager.start(VmId("vm3"))).reason is Reason.NO_ROOM


def test_records_are_exported_at_any_time() -> None:
    """Current records of a VM with vgpus, the last ones of one without, none of one that never had any."""
    manager = with_vm(a_manager())
    assert refused(lambda: manager.saved_records(VM)).reason is Reason.NO_RECORDS
    start_vm(manager)
    running = manager.saved_records(VM)
    manager.shut_down(VM)
    assert manager.saved_records(VM) == running
    manager.start(VM)
    assert manager.saved_records(VM) != running


def test_a_saved_record_keeps_its_host_driver() -> None:
    """After another host driver is installed, the record saved before still names the old one."""
    manager = a_manager()
    start_vm(manager, power=VmState.HIBERNATED)
    manager.install_driver("580.126.08")
    assert VgpuMetadata.from_bytes(manager.saved_records(VM)[0]).host_driver_version == "550.54.16"
