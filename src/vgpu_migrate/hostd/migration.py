"""Migrations between two live hosts, settled whatever happens to either.

The source drives: each step is in its journal before the message that follows from it leaves. The target's
commit is the entry that decides. What goes wrong before the VM is handed over ends the migration at once;
after that the VM stays stopped until the target has answered. Either way the target is asked in the
background until it does, and what it has not committed by then it never will.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from vgpu_migrate.errors import InputError, OutsideError, Problem, VgpuMigrateError
from vgpu_migrate.hostd.journal import Outgoing
from vgpu_migrate.hostd.keeper import HostKeeper
from vgpu_migrate.hostd.view import Asked
from vgpu_migrate.hosts import requests
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.manager import (
    Acceptance,
    Handover,
    HostState,
    MigrationId,
    MigrationOffer,
    Receipt,
    Role,
    VmRecord,
    to_data,
)
from vgpu_migrate.manager.refusal import Reason, refuse
from vgpu_migrate.model import HostId, VmId

PEER_S = 5.0
"""Seconds in which a peer answers a step."""
SETTLE_S = 5.0
"""Seconds for which a command waits for a target that was lost after the hand-over."""
AT_ONCE = 32
"""So many migrations from one host may be under way."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_LONGEST_WAIT_S = 3600.0


class Peer:
    """The other host of a migration, as its source speaks to it."""

    def __init__(self, socket: str | Path, *, answer_s: float = PEER_S) -> None:
        self._host = LiveHost(socket, timeout_s=answer_s)

    def identify(self) -> HostId:
        """Who is there."""
        return HostId(self._host.request(requests.Identify(), str))

    def migrate_in(self, offer: MigrationOffer, seats: requests.Seats) -> Acceptance:
        """Offer it a VM."""
        return self._host.request(requests.MigrateIn(to_data(offer), seats), Acceptance)

    def commit(self, handover: Handover) -> Receipt:
        """Hand it the VM."""
        return self._host.request(requests.Commit(to_data(handover)), Receipt)

    def settle(self, migration: MigrationId, target: HostId) -> Receipt:
        """Ask how a migration has ended: committed, or from now on never."""
        receipt = self._host.request(requests.Settle(migration, target), Receipt)
        if (receipt.migration, receipt.target) != (migration, target):
            raise OutsideError(f"{self._host.path}: the host answers for another migration")
        return receipt


class Migrations:
    """The migrations of one host, out of it and into it."""

    def __init__(self, keeper: HostKeeper, *, peer_s: float = PEER_S, settle_s: float = SETTLE_S) -> None:
        self._keeper = keeper
        self._peer_s = peer_s
        self._settle_s = settle_s
        self._lock = threading.Lock()
        self._driven: set[MigrationId] = set()
        self._waited: set[MigrationId] = set()
        self._under_way = 0
        self._ended: dict[MigrationId, Receipt] = {}
        self._asked: dict[MigrationId, Asked] = {}
        self._next_try: dict[MigrationId, float] = {}
        self._is_ending = False
        self._settler = threading.Thread(target=self._settle_until_ended, name="settler", daemon=True)

    def begin(self) -> None:
        """Begin to settle what is open."""
        self._settler.start()

    def end(self) -> None:
        """Stop settling, and let whoever waits for a target go."""
        self._is_ending = True
        self._keeper.wake()
        if self._settler.ident is not None:
            self._settler.join()

    @property
    def asked(self) -> dict[MigrationId, Asked]:
        """What came of asking the targets of open migrations."""
        return dict(self._asked)

    def migrate(self, vm: VmId, *, to: str, seats: requests.Seats) -> Receipt:
        """Migrate a VM of this host; see `LiveHost.migrate`."""
        peer = Peer(to, answer_s=self._peer_s)
        with self._lock:
            if self._under_way >= AT_ONCE:
                refuse(Reason.MIGRATING, f"VM {vm}", f"{AT_ONCE} migrations from this host are under way")
            self._under_way += 1
        try:
            self._keeper.now.state.vm(vm)
            target = peer.identify()
            if target == self._keeper.now.state.host.id:
                raise InputError(Problem("to", f"host {target} at {to}", "wanted another host than the VM's"))
            return self._migrate(vm, Outgoing(vm, target, to), peer, seats)
        finally:
            with self._lock:
                self._under_way -= 1

    def _migrate(self, vm: VmId, going: Outgoing, peer: Peer, seats: requests.Seats) -> Receipt:
        with self._keeper.changing() as draft:
            offer = draft.manager.migrate_out(vm)
            draft.outgoing[offer.migration] = going
            self._driven.add(offer.migration)
        self._waited.add(offer.migration)
        try:
            try:
                handover = self._offer(offer, going, peer, seats)
                receipt = self._hand_over(handover, peer)
            finally:
                self._driven.discard(offer.migration)
                self._keeper.wake()
            return self._wait(handover, going) if receipt is None else receipt
        finally:
            self._waited.discard(offer.migration)
            self._ended.pop(offer.migration, None)

    def _offer(self, offer: MigrationOffer, going: Outgoing, peer: Peer, seats: requests.Seats) -> Handover:
        """Up to the hand-over: whatever goes wrong, the VM runs on here."""
        try:
            acceptance = peer.migrate_in(offer, seats)
            if acceptance.target != going.target:
                raise OutsideError(f"host {acceptance.target} answers; wanted {going.target}")
        except OutsideError as error:
            self._take_back(offer.migration, is_settled=False)
            raise OutsideError(
                f"VM {going.vm}: host {going.target} was lost before the hand-over, so it stays here: {error}"
            ) from error
        except VgpuMigrateError:
            self._take_back(offer.migration, is_settled=True)
            raise
        with self._keeper.changing() as draft:
            return draft.manager.hand_over(acceptance)

    def _take_back(self, migration: MigrationId, *, is_settled: bool) -> None:
        with self._keeper.changing() as draft:
            record = _part_of(draft.manager.state, migration)
            if record is not None and record.role is Role.OUTGOING:
                draft.manager.abort(record.definition.id)
            if is_settled:
                draft.outgoing.pop(migration, None)

    def _hand_over(self, handover: Handover, peer: Peer) -> Receipt | None:
        """The receipt of a VM that moved; None: the target was lost, and is to be asked."""
        try:
            receipt = peer.commit(handover)
            if (receipt.migration, receipt.target) != (handover.migration, handover.target):
                return None
            self._conclude(receipt)
            return receipt
        except OutsideError as error:
            self._asked[handover.migration] = Asked(0, str(error))
            return None
        except VgpuMigrateError:
            # The target says no; only its receipt lets the VM run here again.
            try:
                receipt = peer.settle(handover.migration, handover.target)
                self._conclude(receipt)
            except OutsideError:
                return None
            if receipt.committed:
                return receipt
            raise

    def _wait(self, handover: Handover, going: Outgoing) -> Receipt:
        migration, vm = handover.migration, f"VM {going.vm}"
        self._keeper.wait_until(
            lambda now: migration not in now.outgoing or self._is_ending, timeout_s=self._settle_s
        )
        receipt = self._ended.get(migration)
        if receipt is None:
            said = self._asked.get(migration, Asked(0, "")).said
            raise OutsideError(
                f"{vm}: host {going.target} was lost after the hand-over; the VM stays stopped here until "
                f"that host, asked again and again, answers at {going.socket}: {said or 'no answer yet'}"
            )
        if not receipt.committed:
            raise OutsideError(
                f"{vm}: host {going.target} was lost after the hand-over and has declined since, so it is "
                f"here again"
            )
        return receipt

    def accept(self, offer: MigrationOffer, seats: requests.Seats) -> Acceptance:
        """As a target: hold vgpus for an offered VM."""
        with self._keeper.changing() as draft:
            return draft.manager.migrate_in(offer, gpus=seats)

    def commit(self, handover: Handover) -> Receipt:
        """As a target: make a held VM active here, which decides its migration."""
        with self._keeper.changing() as draft:
            return draft.manager.commit(handover)

    def settle(self, migration: MigrationId, target: HostId) -> Receipt:
        """As a target: say how a migration has ended, and let it have ended."""
        with self._keeper.changing() as draft:
            here = draft.manager.state.host.id
            if target != here:
                refuse(Reason.STALE_TOKEN, f"host {here}", f"migration {migration} is with host {target}")
            return draft.manager.answer(migration)

    def abort(self, vm: VmId) -> None:
        """End a VM's migration without moving it; see `LiveHost.abort`."""
        with self._keeper.changing() as draft:
            record = draft.manager.state.vm(vm)
            if record.role is not Role.HANDED_OVER:
                draft.manager.abort(vm)
                return
            assert record.migration is not None
            migration = record.migration.id
            going = draft.outgoing[migration]
        receipt = Peer(going.socket, answer_s=self._peer_s).settle(migration, going.target)
        self._conclude(receipt)
        if receipt.committed:
            refuse(Reason.STALE_TOKEN, f"VM {vm}", f"host {going.target} has committed it: it is there")

    def _conclude(self, receipt: Receipt) -> None:
        """Do on the source what the target's answer means; once is as good as twice."""
        migration = receipt.migration
        with self._keeper.changing() as draft:
            record = _part_of(draft.manager.state, migration)
            if record is not None and receipt.committed:
                draft.manager.finish(receipt)
            elif record is not None:
                draft.manager.abort(record.definition.id, receipt)
            if draft.outgoing.pop(migration, None) is not None and migration in self._waited:
                self._ended[migration] = receipt
        self._asked.pop(migration, None)
        self._next_try.pop(migration, None)

    def _settle_until_ended(self) -> None:
        while not self._is_ending:
            due = self._due()
            for going, migrations in due.items():
                self._ask(going, migrations)
            self._pause()

    def _pause(self) -> None:
        """Wait until a target is to be asked again, or a migration needs it that did not."""
        known = frozenset(self._undriven())
        next_try = min((self._next_try.get(one, 0.0) for one in known), default=None)
        self._keeper.wait_until(
            lambda _: self._is_ending or not known.issuperset(self._undriven()),
            timeout_s=_LONGEST_WAIT_S if next_try is None else max(0.0, next_try - time.monotonic()),
        )

    def _undriven(self) -> list[MigrationId]:
        return [one for one in self._keeper.now.outgoing if one not in self._driven]

    def _due(self) -> dict[tuple[str, HostId], list[MigrationId]]:
        """Open migrations that nobody drives and whose turn it is, by target."""
        now = time.monotonic()
        due: dict[tuple[str, HostId], list[MigrationId]] = {}
        outgoing = self._keeper.now.outgoing
        for migration in self._undriven():
            if migration in outgoing and self._next_try.get(migration, 0.0) <= now:
                one = outgoing[migration]
                due.setdefault((one.socket, one.target), []).append(migration)
        return due

    def _ask(self, target: tuple[str, HostId], migrations: list[MigrationId]) -> None:
        """Ask one target for the end of these; where it does not answer, all of them wait longer."""
        socket, host = target
        peer = Peer(socket, answer_s=min(2.0, self._peer_s))
        for position, migration in enumerate(migrations):
            if self._is_ending:
                return
            try:
                self._conclude(peer.settle(migration, host))
            except VgpuMigrateError as error:
                for waiting in migrations[position:]:
                    times = self._asked.get(waiting, Asked(0, "")).times + 1
                    self._asked[waiting] = Asked(times, str(error))
                    pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(times, 10))
                    self._next_try[waiting] = time.monotonic() + pause
                return


def _part_of(state: HostState, migration: MigrationId) -> VmRecord | None:
    """The VM of this host that goes by a migration."""
    for record in state.vms.values():
        is_leaving = record.role in (Role.OUTGOING, Role.HANDED_OVER)
        if is_leaving and record.migration is not None and record.migration.id == migration:
            return record
    return None
