"""Migrations between two live hosts: what is refused, what is lost on the way, what happens at once."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.hostd.fleets import H1, H2, OTHER, TWO_HOSTS, VM, a_fleet, a_kept, a_pair
from tests.hostd.processes import Nursery, wait_until

from vgpu_migrate.errors import InputError, OutsideError, RefusedError
from vgpu_migrate.hostd import RunningHost
from vgpu_migrate.hostd.journal import Outgoing
from vgpu_migrate.hostd.server import Answer, Server
from vgpu_migrate.hosts import requests, wire
from vgpu_migrate.hosts.failures import failure_to_data
from vgpu_migrate.manager import (
    Acceptance,
    Handover,
    MigrationId,
    Reason,
    Receipt,
    Refusal,
    Role,
    Seat,
    from_data,
    to_data,
)
from vgpu_migrate.manager.migration import MigrationOffer
from vgpu_migrate.model import GpuId, HostId, VmId, VmState
from vgpu_migrate.snapshot.layout import CONTROL

Step = Callable[[requests.Request], object]


def settled(*hosts: RunningHost) -> bool:
    """Whether no migration is open on any of them."""
    return not any(host.live.show().migrations for host in hosts)


def role(host: RunningHost, vm: VmId = VM) -> Role | None:
    """The part a VM plays on a host, None where it is not there."""
    record = host.keeper.now.state.vms.get(vm)
    return None if record is None else record.role


@contextlib.contextmanager
def a_target(path: Path, answer: Step) -> Iterator[None]:
    """Something at a socket that speaks the protocol, whose answers are the test's; None: it hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    wire.bind(listener, path)
    listener.listen()

    def reply(body: bytes) -> Answer:
        asked = msgspec.json.decode(body, type=requests.AnyRequest)
        answered = answer(asked)
        if answered is None:
            raise wire.MessageError("it hangs up")
        if isinstance(answered, RefusedError):
            return Answer(wire.to_json({"ok": False, "error": failure_to_data(answered)}))
        return Answer(wire.to_json({"ok": True, "answer": answered}))

    server = Server(listener, {CONTROL: reply})
    server.begin()
    try:
        yield
    finally:
        server.end(within_s=5)
        path.unlink()


def accept(asked: requests.MigrateIn) -> Acceptance:
    """An acceptance as host h02 would give it."""
    offer = from_data(MigrationOffer, asked.offer)
    return Acceptance(offer.migration, H1, H2, VM, (Seat(GpuId("h02/1")),))


def test_a_vm_moves_with_everything_it_has(tmp_path: Path) -> None:
    """Active on the source before and on the target after, with its power state and records; both settled."""
    with a_pair(tmp_path) as (source, target):
        source.live.pause(VM)
        records = source.live.saved_records(VM)
        receipt = source.live.migrate(VM, to=target.socket, gpus=[Seat(GpuId("h02/1"))])
        assert receipt.committed
        assert receipt.target == H2
        assert role(source) is None
        record = target.live.state().vms[VM]
        assert (record.role, record.power, record.vgpus[0].gpu) == (Role.RESIDENT, VmState.PAUSED, "h02/1")
        assert target.live.saved_records(VM) == records
        assert settled(source, target)
        target.live.migrate(VM, to=source.socket)
        assert (role(source), role(target)) == (Role.RESIDENT, None)


def test_a_refusal_carries_the_evidence_and_changes_nothing(tmp_path: Path) -> None:
    """Where the rules say no, the verdict names the rules, and both hosts are as they were."""
    older = a_fleet(
        ("{id: h02, driver: 550.54.16,", "{id: h02, driver: 550.54.16, range: [0x70001, 0x120001],")
    )
    with a_pair(tmp_path, older) as (source, target):
        before = [host.live.state() for host in (source, target)]
        with pytest.raises(
            RefusedError, match=r"VM vm1: runnable on h02/0 from no state, not from live"
        ) as caught:
            source.live.migrate(VM, to=target.socket)
        refusal = caught.value.refusal
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.INCOMPATIBLE
        assert refusal.verdict is not None
        assert "guest-newer" in [piece.rule for piece in refusal.verdict.evidence]
        after = [host.live.state() for host in (source, target)]
        assert after[1] == before[1]
        assert after[0] == msgspec.structs.replace(before[0], next_migration=2)
        assert settled(source, target)


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    """An unknown VM or gpu, one without vgpus, and the host itself as target change nothing."""
    with a_pair(tmp_path) as (source, target):
        with pytest.raises(InputError, match=r"^unknown VM vm9"):
            source.live.migrate(VmId("vm9"), to=target.socket)
        with pytest.raises(InputError, match=r"unknown gpu h02/7"):
            source.live.migrate(VM, to=target.socket, gpus=[Seat(GpuId("h02/7"))])
        with pytest.raises(InputError, match=r"wanted another host than the VM's"):
            source.live.migrate(VM, to=source.socket)
        with pytest.raises(OutsideError, match=r"no host can be reached there"):
            source.live.migrate(VM, to=tmp_path / "nobody")
        source.live.shut_down(VM)
        with pytest.raises(RefusedError, match=r"it is off; migrate-out wants running or paused or sleeping"):
            source.live.migrate(VM, to=target.socket)
        assert settled(source, target)
        assert role(source) is Role.RESIDENT


def test_a_vm_migrates_once_at_a_time(tmp_path: Path) -> None:
    """While a VM is on its way another migration of it, and any change of it, is refused."""
    entered, leave = threading.Event(), threading.Event()

    def answer(asked: requests.Request) -> object:
        if isinstance(asked, requests.Identify):
            return "h02"
        if isinstance(asked, requests.Settle):
            return Receipt(MigrationId(asked.migration), H2, committed=False)
        entered.set()
        leave.wait(0.3)
        return None

    with a_kept(tmp_path, H1) as source, a_target(tmp_path / "slow", answer):
        first = threading.Thread(target=_expect_outside, args=(source, tmp_path / "slow"))
        first.start()
        entered.wait(30)
        (open_now,) = source.live.show().migrations
        assert (open_now.stage, open_now.peer, open_now.vm) == ("offered", "h02", VM)
        for again in (lambda: source.live.migrate(VM, to=tmp_path / "slow"), lambda: source.live.pause(VM)):
            with pytest.raises(
                RefusedError, match=r"it is outgoing; .* waits until its migration is answered"
            ):
                again()
        leave.set()
        first.join()
        wait_until(lambda: settled(source), "the source settles")


def _expect_outside(source: RunningHost, to: Path) -> None:
    with pytest.raises(OutsideError):
        source.live.migrate(VM, to=to)


def test_a_target_lost_before_the_hand_over_costs_nothing(tmp_path: Path) -> None:
    """The VM runs on at once; the target is asked until it drops what it may hold."""
    settles: list[str] = []
    is_back = threading.Event()

    def answer(asked: requests.Request) -> object:
        if isinstance(asked, requests.Identify):
            return "h02"
        if isinstance(asked, requests.Settle) and is_back.is_set():
            settles.append(asked.migration)
            return Receipt(MigrationId(asked.migration), H2, committed=False)
        return None

    with a_kept(tmp_path, H1) as source, a_target(tmp_path / "lost", answer):
        with pytest.raises(
            OutsideError, match=r"^VM vm1: host h02 was lost before the hand-over, so it stays here: "
        ):
            source.live.migrate(VM, to=tmp_path / "lost")
        assert role(source) is Role.RESIDENT
        source.live.pause(VM)
        wait_until(lambda: any(one.asks for one in source.live.show().migrations), "the target is asked")
        (withdrawn,) = source.live.show().migrations
        assert withdrawn.stage == "withdrawn"
        assert withdrawn.said.startswith(f"{tmp_path / 'lost'}: no answer to settle")
        is_back.set()
        wait_until(lambda: settled(source), "the source settles")
        assert settles == [withdrawn.id]


@pytest.mark.parametrize("has_committed", [True, False])
def test_a_target_lost_after_the_hand_over_decides(tmp_path: Path, has_committed: bool) -> None:
    """The VM stays stopped, through a restart too, until the target says committed or declined."""
    is_back = threading.Event()

    def answer(asked: requests.Request) -> object:
        if isinstance(asked, requests.Identify):
            return "h02"
        if isinstance(asked, requests.MigrateIn):
            return accept(asked)
        if isinstance(asked, requests.Settle) and is_back.is_set():
            return Receipt(MigrationId(asked.migration), H2, committed=has_committed)
        return None

    with a_target(tmp_path / "lost", answer):
        with a_kept(tmp_path, H1) as source:
            said = (
                "VM vm1: host h02 was lost after the hand-over; the VM stays stopped here until that host, "
            )
            with pytest.raises(OutsideError, match=rf"^{said}asked again and again, answers at "):
                source.live.migrate(VM, to=tmp_path / "lost")
            assert role(source) is Role.HANDED_OVER
            assert not source.live.show().vms[0].is_active
            with pytest.raises(OutsideError, match=r"no answer to settle"):
                source.live.abort(VM)
        with a_kept(tmp_path, H1) as source:
            assert source.notices == (
                f"migrations to be settled with their targets: {source.live.show().migrations[0].id}",
            )
            assert role(source) is Role.HANDED_OVER
            is_back.set()
            wait_until(lambda: settled(source), "the source settles")
            assert role(source) is (None if has_committed else Role.RESIDENT)


def test_a_commit_whose_answer_was_lost_is_found_out(tmp_path: Path) -> None:
    """Asked within the command's patience, the target's late word is the command's answer."""

    def answer(asked: requests.Request) -> object:
        if isinstance(asked, requests.Identify):
            return "h02"
        if isinstance(asked, requests.MigrateIn):
            return accept(asked)
        if isinstance(asked, requests.Settle):
            return Receipt(MigrationId(asked.migration), H2, committed=True)
        return None

    with a_kept(tmp_path, H1) as source, a_target(tmp_path / "lossy", answer):
        assert source.live.migrate(VM, to=tmp_path / "lossy").committed
        assert role(source) is None


def test_a_commit_that_is_refused_brings_the_vm_back(tmp_path: Path) -> None:
    """A target that cannot run the final records declines, and the refusal is the command's answer."""

    def answer(asked: requests.Request) -> object:
        if isinstance(asked, requests.Identify):
            return "h02"
        if isinstance(asked, requests.MigrateIn):
            return accept(asked)
        if isinstance(asked, requests.Commit):
            handover = from_data(Handover, asked.handover)
            return RefusedError(Refusal(Reason.RECORDS, f"VM {handover.vm}", "its records do not do"))
        assert isinstance(asked, requests.Settle)
        return Receipt(MigrationId(asked.migration), H2, committed=False)

    with a_kept(tmp_path, H1) as source, a_target(tmp_path / "strict", answer):
        with pytest.raises(RefusedError, match=r"VM vm1: its records do not do"):
            source.live.migrate(VM, to=tmp_path / "strict")
        assert role(source) is Role.RESIDENT
        assert settled(source)


def test_another_host_at_the_targets_socket_does_not_decide(tmp_path: Path) -> None:
    """Whoever else answers at the path, the VM stays stopped until the host that was asked does."""

    def answer(asked: requests.Request) -> object:
        if isinstance(asked, requests.Identify):
            return "h02"
        return accept(asked) if isinstance(asked, requests.MigrateIn) else None

    with a_kept(tmp_path, H1) as source:
        with a_target(tmp_path / "path", answer), pytest.raises(OutsideError):
            source.live.migrate(VM, to=tmp_path / "path")
        os.symlink(source.socket, tmp_path / "path")
        wait_until(
            lambda: "is with host h02" in source.live.show().migrations[0].said, "another host was asked"
        )
        assert role(source) is Role.HANDED_OVER
        os.unlink(tmp_path / "path")
        with a_kept(tmp_path, H2) as target:
            os.symlink(target.socket, tmp_path / "path")
            wait_until(lambda: settled(source, target), "both settle")
        assert role(source) is Role.RESIDENT


def test_both_ways_at_once(tmp_path: Path) -> None:
    """VMs that pass each other on the way arrive, again and again; nobody waits for anybody for ever."""
    with a_pair(tmp_path) as (one, two):
        for turn in range(5):
            here, there = (one, two) if turn % 2 == 0 else (two, one)
            threads = [
                threading.Thread(target=here.live.migrate, args=(VM,), kwargs={"to": there.socket}),
                threading.Thread(target=there.live.migrate, args=(OTHER,), kwargs={"to": here.socket}),
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (role(here, VM), role(there, VM)) == (None, Role.RESIDENT)
            assert (role(here, OTHER), role(there, OTHER)) == (Role.RESIDENT, None)
        assert settled(one, two)


def test_two_sources_of_one_vm_id(tmp_path: Path) -> None:
    """Of two VMs of one id from two hosts a target takes the first; the other stays where it is."""
    third = ("- {id: h02,", "- {id: h03, driver: 550.54.16, gpus: [{board: L40S}]}\n  - {id: h02,")
    second = a_fleet(
        third, ("host: h01, state: running", "host: h03, state: running"), ("gpu: h01/0", "gpu: h03/0")
    )
    with (
        a_pair(tmp_path, a_fleet(third)) as (one, target),
        a_kept(tmp_path, HostId("h03"), second) as two,
    ):
        assert one.live.migrate(VM, to=target.socket).committed
        with pytest.raises(RefusedError, match=r"VM vm1: host h02 has a VM of this id"):
            two.live.migrate(VM, to=target.socket)
        assert (role(one), role(two), role(target)) == (None, Role.RESIDENT, Role.RESIDENT)
        assert settled(one, two, target)


def test_a_held_vm_stays_until_its_source_settles(tmp_path: Path) -> None:
    """A target keeps what it holds through a restart; `abort` there declines for good, late tokens too."""
    with a_kept(tmp_path, H1) as source:
        with source.keeper.changing() as draft:
            offer = draft.manager.migrate_out(VM)
        with a_kept(tmp_path, H2) as target, target.keeper.changing() as draft:
            acceptance = draft.manager.migrate_in(offer)
        with a_kept(tmp_path, H2) as target:
            (held,) = target.live.show().migrations
            assert (held.direction, held.stage, held.peer, held.vm) == ("in", "held", "h01", VM)
            assert target.live.show().gpus[0].used_mib == 2 * 12288
            target.live.abort(VM)
            assert role(target) is None
            with source.keeper.changing() as draft:
                handover = draft.manager.hand_over(acceptance)
            for late in (
                lambda: target.live.request(requests.Commit(to_data(handover)), Receipt),
                lambda: target.live.request(requests.MigrateIn(to_data(offer), None), Acceptance),
            ):
                with pytest.raises(RefusedError):
                    late()


def test_a_vm_that_was_only_offered_waits_for_the_answer(tmp_path: Path) -> None:
    """After a restart it is stopped until the target has answered; one that heard nothing declines."""
    with a_kept(tmp_path, H1) as source, source.keeper.changing() as draft:
        offer = draft.manager.migrate_out(VM)
        draft.outgoing[offer.migration] = Outgoing(VM, H2, str(tmp_path / "h02.sock"))
    with a_kept(tmp_path, H1) as source:
        assert role(source) is Role.HANDED_OVER
        assert source.live.active_vgpus(source.live.gpus()[0].id) == ()
        with a_kept(tmp_path, H2) as target:
            wait_until(lambda: settled(source, target), "both settle")
            assert target.keeper.now.state.answers == {offer.migration: False}
        assert role(source) is Role.RESIDENT


def test_a_fresh_start_says_which_migrations_it_forgets(tmp_path: Path) -> None:
    """A VM whose migration was open may be running on its target too, which an operator must know."""
    with a_kept(tmp_path, H1) as source, source.keeper.changing() as draft:
        offer = draft.manager.migrate_out(VM)
        draft.outgoing[offer.migration] = Outgoing(VM, H2, str(tmp_path / "h02.sock"))
    with a_kept(tmp_path, H1, fresh=True) as source:
        assert source.notices == (
            f"forgotten while open: migration {offer.migration}; its VM may be running on its target too",
        )
    with a_kept(tmp_path, H1, fresh=True) as source:
        assert source.notices == ()


def test_abort_on_the_source_while_the_target_is_silent(tmp_path: Path) -> None:
    """An offered VM is taken back at once, and the command that was moving it says so."""
    entered, leave = threading.Event(), threading.Event()

    def answer(asked: requests.Request) -> object:
        if isinstance(asked, requests.Identify):
            return "h02"
        if isinstance(asked, requests.Settle):
            return Receipt(MigrationId(asked.migration), H2, committed=False)
        entered.set()
        leave.wait(30)
        assert isinstance(asked, requests.MigrateIn)
        return accept(asked)

    with a_kept(tmp_path, H1) as source, a_target(tmp_path / "slow", answer):
        failed: list[RefusedError] = []

        def move() -> None:
            try:
                source.live.migrate(VM, to=tmp_path / "slow")
            except RefusedError as error:
                failed.append(error)

        mover = threading.Thread(target=move)
        mover.start()
        entered.wait(30)
        source.live.abort(VM)
        assert role(source) is Role.RESIDENT
        leave.set()
        mover.join()
        assert [error.refusal.reason for error in failed if isinstance(error.refusal, Refusal)] == [
            Reason.STALE_TOKEN
        ]
        wait_until(lambda: settled(source), "the source settles")
        assert role(source) is Role.RESIDENT


def is_stopped(pid: int) -> bool:
    """Whether every thread of a process stands still."""
    tasks = Path("/proc", str(pid), "task").iterdir()
    return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


def test_a_stopped_target_is_not_waited_for(tmp_path: Path) -> None:
    """A target process that is stopped costs the command its patience, and a later one moves the VM."""
    (tmp_path / "fleet.yaml").write_text(TWO_HOSTS)
    nursery = Nursery(tmp_path)
    try:
        target = nursery.start(tmp_path / "fleet.yaml", "h02")
        with a_kept(tmp_path, H1) as source:
            os.kill(target.pid, signal.SIGSTOP)
            # The signal is on its way when `kill` comes back: until it has arrived the target answers.
            wait_until(lambda: is_stopped(target.pid), "the target stops")
            with pytest.raises(OutsideError, match=re.escape(f"{target.socket}: no answer to identify")):
                source.live.migrate(VM, to=target.socket)
            assert role(source) is Role.RESIDENT
            os.kill(target.pid, signal.SIGCONT)
            assert source.live.migrate(VM, to=target.socket).committed
    finally:
        nursery.end()
