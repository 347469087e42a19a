"""A VM's life on one host: every operation from every power state, and what becomes of guest info."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.manager.factories import (
    GUEST,
    OLDER_GUEST,
    PRESET,
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
from vgpu_migrate.manager import TRANSITIONS, Operation, Reason, Role, Seat, VgpuManager
from vgpu_migrate.model import VersionRange, VmId, VmState
from vgpu_migrate.nvml import GuestInfoState, States, VgpuMetadata

RECORD = a_record()

CALLS: dict[Operation, Callable[[VgpuManager], object]] = {
    Operation.START_COLD: lambda manager: manager.start(VM, States.COLD),
    Operation.START_HIBERNATE: lambda manager: manager.start(VM, States.HIBERNATE, records=[RECORD]),
    Operation.START_SLEEP: lambda manager: manager.start(VM, States.SLEEP, records=[RECORD]),
    Operation.START_LIVE: lambda manager: manager.start(VM, States.LIVE, records=[RECORD]),
    Operation.LOAD_GUEST_DRIVER: lambda manager: manager.load_guest_driver(VM, "550.54.14"),
    Operation.GUEST_DRIVER_FAILS: lambda manager: manager.guest_driver_fails(VM),
    Operation.REBOOT_GUEST: lambda manager: manager.reboot_guest(VM),
    Operation.PAUSE: lambda manager: manager.pause(VM),
    Operation.RESUME: lambda manager: manager.resume(VM),
    Operation.SLEEP: lambda manager: manager.sleep(VM),
    Operation.WAKE: lambda manager: manager.wake(VM),
    Operation.HIBERNATE: lambda manager: manager.hibernate(VM),
    Operation.SHUT_DOWN: lambda manager: manager.shut_down(VM),
    Operation.MIGRATE_OUT: lambda manager: manager.migrate_out(VM),
    Operation.UNDEFINE: lambda manager: manager.undefine(VM),
}


def metadata(manager: VgpuManager, vm_id: VmId = VM) -> VgpuMetadata:
    """The record of a VM's first vgpu, read."""
    return VgpuMetadata.from_bytes(manager.saved_records(vm_id)[0])


def test_the_table_has_every_operation() -> None:
    """Every operation has a row, and this file a call."""
    assert set(TRANSITIONS) == set(Operation) == set(CALLS)


@pytest.mark.parametrize(("operation", "power"), list(itertools.product(Operation, VmState)))
def test_each_operation_follows_the_table(operation: Operation, power: VmState) -> None:
    """An operation leads from its row's sources to its target; from anywhere else it changes nothing."""
    manager = a_manager()
    start_vm(manager, power=power)
    before = manager.state
    row = TRANSITIONS[operation]
    if power not in row.sources:
        assert refused(lambda: CALLS[operation](manager)).reason is Reason.WRONG_STATE
        assert manager.state is before
        return
    CALLS[operation](manager)
    if operation is Operation.UNDEFINE:
        assert manager.state.vms == {}
    else:
        after = manager.state.vms[VM]
        assert after.power is (row.target or power)
        assert bool(after.vgpus) is after.power.holds_vgpus


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("role", [Role.OUTGOING, Role.HANDED_OVER, Role.INCOMING])
def test_nothing_else_happens_to_a_vm_that_migrates(operation: Operation, role: Role) -> None:
    """While a migration is open, every operation on the VM's life is refused on both hosts."""
    source, target = a_manager(), a_manager(a_host("h02"))
    start_vm(source)
    acceptance = target.migrate_in(source.migrate_out(VM))
    if role is Role.HANDED_OVER:
        source.hand_over(acceptance)
    manager = target if role is Role.INCOMING else source
    before = manager.state
    assert refused(lambda: CALLS[operation](manager)).reason is Reason.MIGRATING
    assert manager.state is before


def test_a_cold_start_has_no_guest_info() -> None:
    """Until the guest driver reports: UNINITIALIZED, no driver string, version 0, bounds unknown."""
    manager = a_manager()
    start_vm(manager, power=VmState.BOOTING)
    record = metadata(manager)
    assert record.guest_info_state is GuestInfoState.UNINITIALIZED
    assert (record.guest_driver_version, record.guest_vgpu_version) == ("", 0)
    assert record.reserved[16:] == bytes(8)
    assert record.host_driver_version == "550.54.16"


def test_a_guest_driver_that_loads_reports() -> None:
    """Guest info is there, with the maximum of the ranges' overlap and the guest's bounds."""
    manager = a_manager()
    start_vm(manager, power=VmState.BOOTING)
    outcome = manager.load_guest_driver(VM, "535.54.03", bounds=OLDER_GUEST)
    record = metadata(manager)
    assert record.guest_info_state is GuestInfoState.INITIALIZED
    assert (record.guest_driver_version, record.guest_vgpu_version) == ("535.54.03", 0x120001)
    assert outcome.has_loaded
    assert (
        str(outcome)
        == "guest driver 535.54.03 loaded with 0x120001: guest 0x70001-0x120001, host 0x70001-0x140001"
    )


def test_bounds_come_from_the_facts() -> None:
    """Without bounds given, those of the driver in the tables are negotiated."""
    manager = a_manager()
    start_vm(manager, power=VmState.BOOTING)
    outcome = manager.load_guest_driver(VM, "550.54.14")
    assert (outcome.guest_minimum, outcome.guest_maximum, outcome.vgpu_version) == (
        0x140001,
        0x140001,
        0x140001,
    )


def test_without_overlap_the_guest_driver_does_not_load() -> None:
    """The VM runs on with its vgpu, guest info UNINITIALIZED, and both ranges are shown."""
    manager = a_manager(a_host(in_force=VersionRange(0x130001, 0x140001)))
    start_vm(manager, power=VmState.BOOTING)
    handle = manager.state.vm(VM).vgpus[0].handle
    outcome = manager.load_guest_driver(VM, "535.54.03", bounds=OLDER_GUEST)
    assert not outcome.has_loaded
    assert (outcome.guest_minimum, outcome.guest_maximum) == OLDER_GUEST
    assert outcome.host_range == VersionRange(0x130001, 0x140001)
    assert str(outcome) == (
        "guest driver 535.54.03 does not load: guest 0x70001-0x120001, host 0x130001-0x140001"
    )
    record = manager.state.vm(VM)
    assert (record.power, record.vgpus[0].handle) == (VmState.RUNNING, handle)
    assert manager.state.is_in_use
    assert metadata(manager).guest_info_state is GuestInfoState.UNINITIALIZED


@pytest.mark.parametrize(
    ("bounds", "preset", "expected"),
    [
        ((None, 0x120001), PRESET, 0x120001),
        ((0x70001, None), PRESET, None),
        ((None, None), PRESET, None),
        (GUEST, None, None),
    ],
)
def test_unknown_bounds(
    bounds: tuple[int | None, int | None], preset: VersionRange | None, expected: int | None
) -> None:
    """An unknown minimum is low enough; an unknown maximum or host range gives no version."""
    manager = a_manager(a_host(preset=preset))
    start_vm(manager, power=VmState.BOOTING)
    assert manager.load_guest_driver(VM, "1.2", bounds=bounds).vgpu_version == expected


def test_the_definition_names_the_guest_driver() -> None:
    """A driver that is loaded becomes what the guest has installed, and is the one loaded next."""
    manager = a_manager()
    start_vm(manager)
    manager.reboot_guest(VM)
    assert manager.load_guest_driver(VM).driver == "550.54.14"


def test_no_driver_to_load() -> None:
    """Without a driver given or defined, loading one is a caller's mistake."""
    manager = a_manager()
    start_vm(manager, power=VmState.BOOTING)
    with pytest.raises(InputError, match="VM vm1: its definition names no guest driver; wanted a driver"):
        manager.load_guest_driver(VM)
    with pytest.raises(InputError, match="wanted a minimum not above the maximum"):
        manager.load_guest_driver(VM, "1", bounds=(2, 1))


@pytest.mark.parametrize("driver", ["5" * 64, "550 54", "550é", "550.54.14\n"])
def test_a_guest_driver_that_no_record_can_hold_does_not_load(driver: str) -> None:
    """A text that NVML programs could not be given is a caller's mistake; the VM can still be stopped."""
    manager = a_manager()
    start_vm(manager, power=VmState.BOOTING)
    before = manager.state
    with pytest.raises(InputError, match=r"VM vm1: guest driver: .*; wanted a driver such as 550\.54\.16"):
        manager.load_guest_driver(VM, driver, bounds=GUEST)
    assert manager.state is before
    manager.shut_down(VM)


def test_a_guest_reboot_resets_guest_info() -> None:
    """Guest info goes until the driver loads again; the vgpu and its handle stay."""
    manager = a_manager()
    start_vm(manager)
    handle = manager.state.vm(VM).vgpus[0].handle
    manager.reboot_guest(VM)
    assert metadata(manager).guest_info_state is GuestInfoState.UNINITIALIZED
    assert manager.state.vm(VM).vgpus[0].handle == handle


@pytest.mark.parametrize("power", [VmState.PAUSED, VmState.SLEEPING])
def test_pause_and_sleep_keep_guest_info(power: VmState) -> None:
    """A paused or sleeping VM's record is the running one's, and so it is when it runs again."""
    manager = a_manager()
    start_vm(manager)
    running = manager.saved_records(VM)
    if power is VmState.PAUSED:
        manager.pause(VM)
        assert manager.saved_records(VM) == running
        manager.resume(VM)
    else:
        manager.sleep(VM)
        assert manager.saved_records(VM) == running
        manager.wake(VM)
    assert manager.saved_records(VM) == running


def test_a_driver_that_fails_leaves_the_vm_running() -> None:
    """The guest runs without its driver: guest info UNINITIALIZED, vgpu kept."""
    manager = a_manager()
    start_vm(manager)
    manager.guest_driver_fails(VM)
    assert manager.state.vm(VM).power is VmState.RUNNING
    assert metadata(manager).guest_info_state is GuestInfoState.UNINITIALIZED


def test_handles_are_never_used_twice() -> None:
    """A VM's next instance has another handle, also after a host reboot; its vgpu's UUID stays."""
    manager = a_manager()
    start_vm(manager)
    seen = [manager.state.vm(VM).vgpus[0]]
    manager.shut_down(VM)
    manager.start(VM)
    seen += manager.state.vm(VM).vgpus
    manager.reboot()
    manager.start(VM)
    seen += manager.state.vm(VM).vgpus
    assert [vgpu.handle for vgpu in seen] == [1, 2, 3]
    assert len({vgpu.uuid for vgpu in seen}) == 1


def test_a_vm_is_defined_once() -> None:
    """A second VM of the same id or UUID is refused; so is one without a vgpu."""
    manager = a_manager()
    manager.define(a_vm())
    assert refused(lambda: manager.define(a_vm())).reason is Reason.ALREADY_THERE
    other = a_vm("vm2")
    same_uuid = type(other)(id=other.id, uuid=a_vm().uuid, vgpus=other.vgpus)
    assert refused(lambda: manager.define(same_uuid)).reason is Reason.ALREADY_THERE
    with pytest.raises(InputError, match="VM vm3: no vgpus; wanted at least one"):
        manager.define(type(other)(id=VmId("vm3"), uuid=other.uuid, vgpus=()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": VmId("")}, "VM id: 0 characters; wanted 1 to 255"),
        ({"id": VmId("a\nb")}, r'VM id: "a\\nb"; wanted printable characters, without a space at either end'),
        ({"uuid": "zz"}, "VM vm1: UUID: zz; wanted a UUID such as"),
        ({"guest_driver": "5 5"}, "VM vm1: guest driver: 5 5; wanted a driver such as"),
    ],
)
def test_a_vm_is_defined_as_a_file_could(changes: dict[str, Any], said: str) -> None:
    """An id that no line can show, a UUID or driver that is none: refused, as in a fleet file."""
    manager = a_manager()
    with pytest.raises(InputError, match=said):
        manager.define(msgspec.structs.replace(a_vm(), **changes))
    assert manager.state.vms == {}


def test_a_uuid_is_kept_in_lower_case() -> None:
    """As NVML answers it; two spellings are one UUID."""
    manager = a_manager()
    manager.define(msgspec.structs.replace(a_vm(), uuid=a_vm().uuid.upper()))
    assert manager.state.vm(a_vm().id).definition.uuid == a_vm().uuid


def test_an_unknown_vm_is_a_mistake() -> None:
    """A name that no VM carries is the caller's mistake, with the nearest one there is."""
    manager = a_manager()
    manager.define(a_vm())
    with pytest.raises(UnknownNameError, match="unknown VM vm11; did you mean vm1"):
        manager.pause(VmId("vm11"))


def test_domain_ids_are_numbered() -> None:
    """A VM without a domain id gets the first that is free; one that is taken is numbered anew."""
    manager = a_manager()
    for number, domid in enumerate([None, 1, 7, None]):
        definition = a_vm(f"vm{number}")
        manager.define(
            type(definition)(id=definition.id, uuid=definition.uuid, vgpus=definition.vgpus, domid=domid)
        )
    assert [record.domid for record in manager.state.vms.values()] == [1, 2, 7, 3]


def test_a_plain_driver_creates_no_vgpu() -> None:
    """On a host without a vGPU Manager a start is refused."""
    manager = a_manager(a_host(manager=False))
    manager.define(a_vm())
    assert refused(lambda: manager.start(VM)).reason is Reason.NO_MANAGER


def test_a_state_to_start_from_is_exactly_one() -> None:
    """NONE and two states at once are a caller's mistake."""
    manager = a_manager()
    manager.define(a_vm())
    for state in (States.NONE, States.COLD | States.LIVE):
        with pytest.raises(InputError, match="wanted one of cold, hibernate, sleep, live"):
            manager.start(VM, state)


def test_migration_can_be_switched_off_and_on() -> None:
    """A vgpu whose guest uses a debugger has no MIGRATION capability, and so has one on a gpu without."""
    manager = a_manager(a_host(gpus=[a_gpu(0), a_gpu(1, migration=False)]))
    start_vm(manager)
    assert metadata(manager).virtualization_caps == 1
    manager.set_migration(VM, [False])
    assert metadata(manager).virtualization_caps == 0
    with pytest.raises(InputError, match="2 flags given; wanted 1"):
        manager.set_migration(VM, [True, True])
    manager.set_migration(VM, [True])
    assert metadata(manager).virtualization_caps == 1
    manager.define(a_vm("vm2"))
    manager.start(VmId("vm2"), gpus=[Seat(manager.state.host.gpus[1].id)])
    assert metadata(manager, VmId("vm2")).virtualization_caps == 0
