"""A migration step by step: what each host shows in between, what is undone, which tokens are refused."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from tests.manager.factories import GUEST, OLDER_GUEST, VM, a_gpu, a_host, a_manager, a_vm, refused, start_vm

from vgpu_migrate.errors import InputError
from vgpu_migrate.manager import Handover, Reason, Receipt, Role, Seat, VgpuManager, migrate
from vgpu_migrate.model import GpuId, Host, HostId, Profile, VersionRange, VmId, VmState
from vgpu_migrate.nvml import GuestInfoState, InUseError, NotFoundError, States, VgpuMetadata

NEWER = VersionRange(0x120001, 0x1A0001)


def two_hosts(*, power: VmState = VmState.RUNNING) -> tuple[VgpuManager, VgpuManager]:
    """A host with a VM, and an empty one with a newer driver."""
    source, target = a_manager(), a_manager(a_host("h02", driver="580.126.08", preset=NEWER))
    start_vm(source, power=power)
    return source, target


def listed(manager: VgpuManager) -> list[VmId]:
    """The VMs whose vgpus a host lists."""
    return [
        record.definition.id for gpu in manager.state.host.gpus for record, _ in manager.active_vgpus(gpu.id)
    ]


def metadata(manager: VgpuManager) -> VgpuMetadata:
    """The record of the VM's first vgpu."""
    return VgpuMetadata.from_bytes(manager.saved_records(VM)[0])


@pytest.mark.parametrize("power", [VmState.RUNNING, VmState.PAUSED, VmState.SLEEPING])
def test_a_migration_carries_the_vm_over(power: VmState) -> None:
    """Power state and version are the same there; the host driver is the target's; the source has nothing."""
    source, target = two_hosts(power=power)
    before = metadata(source)
    receipt = migrate(source, target, VM)
    assert receipt == Receipt(receipt.migration, HostId("h02"), True)
    assert source.state.vms == {}
    assert target.state.vm(VM).power is power
    after = metadata(target)
    assert (after.host_driver_version, before.host_driver_version) == ("580.126.08", "550.54.16")
    assert after.guest_vgpu_version == before.guest_vgpu_version == 0x140001
    assert after.guest_info_state is GuestInfoState.INITIALIZED


def test_what_each_host_shows_on_the_way() -> None:
    """The VM is active here until it is handed over, nowhere until the commit, and then there."""
    source, target = two_hosts()
    handle = source.state.vm(VM).vgpus[0].handle
    shows = []

    def show() -> None:
        shows.append((listed(source), listed(target), source.state.is_in_use, target.state.is_in_use))

    show()
    offer = source.migrate_out(VM)
    show()
    acceptance = target.migrate_in(offer)
    show()
    held = target.state.vm(VM).vgpus[0].handle
    with pytest.raises(NotFoundError):
        target.instance_metadata(held)
    assert source.instance_metadata(handle)
    handover = source.hand_over(acceptance)
    show()
    with pytest.raises(NotFoundError):
        source.instance_metadata(handle)
    with pytest.raises(InUseError):
        source.set_range(VersionRange(0x120001, 0x140001))
    receipt = target.commit(handover)
    show()
    assert target.instance_metadata(held)
    source.finish(receipt)
    show()
    assert shows == [
        ([VM], [], True, False),
        ([VM], [], True, False),
        ([VM], [], True, True),
        ([], [], True, True),
        ([], [VM], True, True),
        ([], [VM], False, True),
    ]


def test_what_is_held_counts_for_capacity() -> None:
    """A gpu that an incoming VM fills has no room for another, on either host until it is answered."""
    source, target = a_manager(), a_manager(a_host("h02"))
    start_vm(source, a_vm("vm1", "L40S-48Q"))
    acceptance = target.migrate_in(source.migrate_out(VM))
    source.hand_over(acceptance)
    for manager in (source, target):
        manager.define(a_vm("vm2", "L40S-48Q"))
        assert refused(lambda manager=manager: manager.start(VmId("vm2"))).reason is Reason.NO_ROOM  # type: ignore[misc]


@pytest.mark.parametrize("power", [VmState.RUNNING, VmState.SLEEPING])
def test_the_verdict_must_hold_what_the_vm_needs(power: VmState) -> None:
    """Under a profile that forbids resuming, a sleeping VM is refused where a running one may go."""
    source = a_manager()
    start_vm(source, guest=OLDER_GUEST, power=power)
    host = a_host("h02", preset=VersionRange(0x70001, 0x110001))
    assert refused(lambda: migrate(source, a_manager(host), VM)).reason is Reason.INCOMPATIBLE
    renegotiating = Profile.RENEGOTIATING_RESUME
    start_vm(wider := a_manager(a_host(in_force=VersionRange(0x70001, 0x110001))), power=power)
    target = a_manager(a_host("h02"), profile=renegotiating)
    if power is VmState.RUNNING:
        migrate(wider, target, VM)
        assert metadata(target).guest_vgpu_version == 0x110001
    else:
        refusal = refused(lambda: migrate(wider, target, VM))
        assert refusal.verdict is not None
        assert refusal.verdict.states == States.LIVE | States.COLD


def test_a_booting_vm_does_not_migrate() -> None:
    """It needs COLD: it is not offered; one without guest info is refused by the target's verdict."""
    source, target = two_hosts(power=VmState.BOOTING)
    assert refused(lambda: migrate(source, target, VM)).reason is Reason.WRONG_STATE
    source.guest_driver_fails(VM)
    refusal = refused(lambda: migrate(source, target, VM))
    assert refusal.verdict is not None
    assert [piece.rule for piece in refusal.verdict.evidence] == ["guest-info"]


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (a_host("h02", domain="other"), Reason.NOT_A_TARGET),
        (a_host("h02", schedulable=False), Reason.NOT_A_TARGET),
        (a_host("h02", manager=False), Reason.NO_MANAGER),
        (a_host("h02", gpus=[a_gpu(host="h02", ecc=False)]), Reason.INCOMPATIBLE),
        (a_host("h02", gpus=[]), Reason.NO_ROOM),
    ],
)
def test_a_refusal_leaves_both_hosts_as_they_were(host: Host, reason: Reason) -> None:
    """Where the target refuses, the VM runs on at its source, and the target is unchanged."""
    source, target = a_manager(), a_manager(host)
    start_vm(source)
    vms, before = source.state.vms, target.state
    assert refused(lambda: migrate(source, target, VM)).reason is reason
    assert (source.state.vms, target.state) == (vms, before)


def test_a_mistaken_gpu_undoes_the_offer() -> None:
    """A gpu that is not the target's is the caller's mistake; the VM is taken back."""
    source, target = two_hosts()
    with pytest.raises(InputError):
        migrate(source, target, VM, gpus=[Seat(GpuId("h02/9"))])
    assert source.state.vm(VM).role is Role.RESIDENT


def test_a_vm_does_not_migrate_onto_itself() -> None:
    """A host that has the VM holds nothing more for it."""
    source, _ = two_hosts()
    assert refused(lambda: migrate(source, source, VM)).reason is Reason.ALREADY_THERE
    assert source.state.vm(VM).role is Role.RESIDENT


def test_abort_before_the_hand_over() -> None:
    """The source needs nobody to take its VM back; what the target holds can never be committed."""
    source, target = two_hosts()
    acceptance = target.migrate_in(source.migrate_out(VM))
    source.abort(VM)
    assert listed(source) == [VM]
    assert refused(lambda: source.hand_over(acceptance)).reason is Reason.STALE_TOKEN
    target.abort(VM)
    assert target.state.vms == {}


def test_abort_after_the_hand_over_wants_a_receipt() -> None:
    """Only the target's receipt that says declined brings the VM back, active as it was."""
    source, target = two_hosts(power=VmState.SLEEPING)
    record = source.state.vm(VM)
    handover = source.hand_over(target.migrate_in(source.migrate_out(VM)))
    assert refused(lambda: source.abort(VM)).reason is Reason.NOT_ANSWERED
    declined = target.abort(VM)
    assert declined == Receipt(handover.migration, HostId("h02"), False)
    assert refused(lambda: source.finish(declined)).reason is Reason.STALE_TOKEN
    source.abort(VM, declined)
    assert source.state.vm(VM) == record
    assert refused(lambda: target.commit(handover)).reason is Reason.STALE_TOKEN


def test_a_declined_migration_is_declined_for_good() -> None:
    """Neither its offer nor its hand-over is taken again, however late they come."""
    source, target = two_hosts()
    offer = source.migrate_out(VM)
    handover = source.hand_over(target.migrate_in(offer))
    source.abort(VM, target.abort(VM))
    assert refused(lambda: target.migrate_in(offer)).reason is Reason.STALE_TOKEN
    assert refused(lambda: target.commit(handover)).reason is Reason.STALE_TOKEN


def test_an_offer_shown_to_two_targets_is_committed_by_one() -> None:
    """From the acceptance on a migration is bound to its target."""
    source, target = two_hosts()
    other = a_manager(a_host("h03"))
    offer = source.migrate_out(VM)
    acceptance = target.migrate_in(offer)
    other.migrate_in(offer)
    handover = source.hand_over(acceptance)
    assert refused(lambda: other.commit(handover)).reason is Reason.STALE_TOKEN
    declined = other.abort(VM)
    assert declined is not None
    assert refused(lambda: source.abort(VM, declined)).reason is Reason.STALE_TOKEN
    source.finish(target.commit(handover))
    assert listed(target) == [VM]


def test_a_committed_receipt_does_not_bring_the_vm_back() -> None:
    """The source cannot abort what its target has committed."""
    source, target = two_hosts()
    receipt = target.commit(source.hand_over(target.migrate_in(source.migrate_out(VM))))
    assert refused(lambda: source.abort(VM, receipt)).reason is Reason.STALE_TOKEN
    source.finish(receipt)
    assert refused(lambda: source.finish(receipt)).reason is Reason.STALE_TOKEN


def test_receipts_are_of_one_migration() -> None:
    """A receipt of an earlier migration of the same VM is refused."""
    source, target = two_hosts()
    source.hand_over(target.migrate_in(source.migrate_out(VM)))
    first = target.abort(VM)
    source.abort(VM, first)
    source.hand_over(target.migrate_in(source.migrate_out(VM)))
    assert refused(lambda: source.abort(VM, first)).reason is Reason.STALE_TOKEN


def test_ids_of_a_host_that_began_anew_differ() -> None:
    """An incarnation that is handed in keeps a journal elsewhere from taking new offers for old ones."""
    source, target = two_hosts()
    migrate(source, target, VM)
    target.shut_down(VM)
    target.undefine(VM)
    again = VgpuManager(msgspec.structs.replace(a_manager().state, incarnation="b"))
    start_vm(again)
    assert again.migrate_out(VM).migration == "h01/b/1"
    again.abort(VM)
    migrate(again, target, VM)


def test_a_source_that_reboots_after_the_hand_over() -> None:
    """Its VM is stopped without capacity until the receipt: gone if committed, off if declined."""
    for committed in (True, False):
        source, target = two_hosts()
        handover = source.hand_over(target.migrate_in(source.migrate_out(VM)))
        source.reboot()
        record = source.state.vm(VM)
        assert (record.role, record.power, record.vgpus) == (Role.HANDED_OVER, VmState.OFF, ())
        assert not source.state.is_in_use
        assert refused(lambda source=source: source.start(VM)).reason is Reason.MIGRATING  # type: ignore[misc]
        if committed:
            source.finish(target.commit(handover))
            assert source.state.vms == {}
        else:
            source.abort(VM, target.abort(VM))
            assert (source.state.vm(VM).role, source.state.vm(VM).power) == (Role.RESIDENT, VmState.OFF)
            assert source.saved_records(VM) == handover.records


def test_a_source_that_reboots_before_the_hand_over() -> None:
    """Its VM is off, its offer void."""
    source, target = two_hosts()
    acceptance = target.migrate_in(source.migrate_out(VM))
    source.reboot()
    assert source.state.vm(VM).power is VmState.OFF
    assert refused(lambda: source.hand_over(acceptance)).reason is Reason.STALE_TOKEN


def test_a_target_that_reboots_declines() -> None:
    """What it held is dropped, a hand-over comes too late, and asked for its answer it says declined."""
    source, target = two_hosts()
    handover = source.hand_over(target.migrate_in(source.migrate_out(VM)))
    target.reboot()
    assert target.state.vms == {}
    assert refused(lambda: target.commit(handover)).reason is Reason.STALE_TOKEN
    receipt = target.answer(handover.migration)
    assert not receipt.committed
    source.abort(VM, receipt)
    assert listed(source) == [VM]


@pytest.mark.parametrize("state", ["unheard", "held", "committed"])
def test_a_source_can_ask(state: str) -> None:
    """Asked for a migration, a target says what it answered, else it declines it from then on."""
    source, target = two_hosts()
    offer = source.migrate_out(VM)
    if state != "unheard":
        acceptance = target.migrate_in(offer)
        if state == "committed":
            target.commit(source.hand_over(acceptance))
    receipt = target.answer(offer.migration)
    assert receipt == Receipt(offer.migration, HostId("h02"), state == "committed")
    assert target.answer(offer.migration) == receipt
    if state != "committed":
        assert refused(lambda: target.migrate_in(offer)).reason is Reason.STALE_TOKEN


def changed(name: str) -> Callable[[VgpuManager, VgpuManager], object]:
    """One call with one field of its token changed."""

    def acceptance(source: VgpuManager, target: VgpuManager) -> object:
        good = target.migrate_in(source.migrate_out(VM))
        wrong = {"source": HostId("h09"), "vm": VmId("vm9"), "migration": "h01/9"}[name.split()[1]]
        return source.hand_over(msgspec.structs.replace(good, **{name.split()[1]: wrong}))

    def handover(source: VgpuManager, target: VgpuManager) -> object:
        good = source.hand_over(target.migrate_in(source.migrate_out(VM)))
        wrong = {"target": HostId("h09"), "vm": VmId("vm9"), "migration": "h01/9"}[name.split()[1]]
        return target.commit(msgspec.structs.replace(good, **{name.split()[1]: wrong}))

    return acceptance if name.startswith("acceptance") else handover


@pytest.mark.parametrize(
    "name",
    [
        "acceptance source",
        "acceptance vm",
        "acceptance migration",
        "handover target",
        "handover vm",
        "handover migration",
    ],
)
def test_foreign_tokens_are_refused(name: str) -> None:
    """A token that names another migration, VM or host opens nothing."""
    source, target = two_hosts()
    assert refused(lambda: changed(name)(source, target)).reason is Reason.STALE_TOKEN


def test_final_records_are_judged_again() -> None:
    """A hand-over whose records this host cannot run is refused; what is held stays held."""
    source, target = two_hosts()
    handover = source.hand_over(target.migrate_in(source.migrate_out(VM)))
    elsewhere = a_manager(a_host("h01", gpus=[a_gpu(ecc=False)]))
    start_vm(elsewhere, guest=GUEST)
    wrong = msgspec.structs.replace(handover, records=elsewhere.saved_records(VM))
    assert refused(lambda: target.commit(wrong)).reason is Reason.INCOMPATIBLE
    assert target.state.vm(VM).role is Role.INCOMING
    source.abort(VM, target.abort(VM))
    assert listed(source) == [VM]


def test_migrate_undoes_a_commit_that_fails() -> None:
    """Where the target loses what it held before the commit, the VM is active on its source again."""

    class Rebooting(VgpuManager):
        def commit(self, handover: Handover) -> Receipt:
            self.reboot()
            return super().commit(handover)

    source, plain = two_hosts()
    target = Rebooting(plain.state)
    assert refused(lambda: migrate(source, target, VM)).reason is Reason.STALE_TOKEN
    assert listed(source) == [VM]
    assert listed(target) == []


def test_what_was_offered_stays() -> None:
    """While a migration is open, what the guest uses is not changed."""
    source, _ = two_hosts()
    source.migrate_out(VM)
    assert refused(lambda: source.set_migration(VM, [False])).reason is Reason.MIGRATING


def test_records_of_an_incoming_vm_are_its_sources() -> None:
    """The target exports none before the commit; the source does to the end."""
    source, target = two_hosts()
    handover = source.hand_over(target.migrate_in(source.migrate_out(VM)))
    assert refused(lambda: target.saved_records(VM)).reason is Reason.MIGRATING
    assert source.saved_records(VM) == handover.records
