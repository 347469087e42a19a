"""Keep a simulated host alive: as this process until it is told to end, or beside other work."""

from __future__ import annotations

import contextlib
import secrets
import signal
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from vgpu_migrate.hostd import restore, setters
from vgpu_migrate.hostd.control import Controls
from vgpu_migrate.hostd.journal import Journal, KeptHost
from vgpu_migrate.hostd.keeper import HostKeeper
from vgpu_migrate.hostd.migration import PEER_S, SETTLE_S, Migrations
from vgpu_migrate.hostd.server import Answer, Server
from vgpu_migrate.hostd.socket_file import SocketFile
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.manager import HostState
from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.snapshot.layout import ATTACH, CALL, CONTROL

ENDING_S = 30.0
"""Seconds that requests in flight have to be answered when the host ends."""
_ATTACHED = struct.pack("<i", 0)


@dataclass(frozen=True)
class RunningHost:
    """A host that is alive.

    Attributes:
        id: the host.
        socket: where programs reach it: what VGPU_MIGRATE_HOST names.
        state_dir: where its journal is, None where nothing is kept.
        live: a client of it.
        notices: what an operator should know of its start, sentence by sentence.
        keeper: its state, for other parts of this process that show or change it.
    """

    id: HostId
    socket: Path
    state_dir: Path | None
    live: LiveHost
    notices: tuple[str, ...]
    keeper: HostKeeper


def run_host(
    fleet: Fleet,
    host_id: HostId,
    *,
    socket: str | Path,
    state_dir: str | Path | None = None,
    fresh: bool = False,
    settle_s: float = SETTLE_S,
    on_ready: Callable[[RunningHost], None] | None = None,
) -> None:
    """Keep a host alive until SIGTERM or SIGINT; requests in flight are finished first.

    To be called from the main thread. The range of the fleet file, if it names one, is in force from the
    start, whatever was set before.

    Args:
        fleet: a fleet file that was read; it is never written.
        host_id: the host of it.
        socket: where to listen; made owner-only, its directory too if it has to be made.
        state_dir: where VMs, saved records and open migrations are kept; by default `<socket>.state`.
        fresh: forget what was kept and begin as the file says.
        settle_s: seconds that a migration's command waits for a target lost after the hand-over.
        on_ready: called once programs can reach the host.

    Raises:
        InputError: the fleet has no such host, or what was kept does not fit it.
        OutsideError: socket or directory cannot be had, or another process keeps this host.
    """
    directory = state_dir or f"{socket}.state"
    with (
        _told_to_end() as told,
        running_host(
            fleet, host_id, socket=socket, state_dir=directory, fresh=fresh, settle_s=settle_s
        ) as host,
    ):
        if on_ready is not None:
            on_ready(host)
        told.wait()


@contextmanager
def running_host(
    fleet: Fleet,
    host_id: HostId,
    *,
    socket: str | Path | None = None,
    state_dir: str | Path | None = None,
    fresh: bool = False,
    peer_s: float = PEER_S,
    settle_s: float = SETTLE_S,
) -> Iterator[RunningHost]:
    """Keep a host alive in threads of this process for as long as the `with` block lasts.

    Args:
        fleet: a fleet that was read.
        host_id: the host of it.
        socket: where to listen; None: in a directory of its own under the temporary one, removed at the end.
        state_dir: where its state is kept; None: nowhere, it begins as the file says and is forgotten.
        fresh: forget what was kept in `state_dir`.
        peer_s: seconds that another host has for a step of a migration.
        settle_s: seconds that a migration's command waits for a target lost after the hand-over.

    Raises:
        InputError, OutsideError: as `run_host`.
    """
    with contextlib.ExitStack() as parts:
        if socket is None:
            private = parts.enter_context(tempfile.TemporaryDirectory(prefix="vgpu-migrate-"))
            socket = Path(private) / "host"
        keeper, notices = _begin(fleet, host_id, state_dir=state_dir, fresh=fresh)
        parts.callback(keeper.close)
        file = SocketFile(socket)
        parts.callback(file.listener.close)
        parts.callback(file.remove)
        migrations = Migrations(keeper, peer_s=peer_s, settle_s=settle_s)
        controls = Controls(keeper, migrations, notices=notices)
        server = Server(
            file.listener,
            {
                ATTACH: lambda _: Answer(_ATTACHED, keeper.publisher.descriptors()),
                CALL: lambda body: Answer(setters.answer_call(keeper, body)),
                CONTROL: lambda body: Answer(controls.answer(body)),
            },
        )
        migrations.begin()
        server.begin()
        parts.callback(_end, server, migrations)
        yield RunningHost(
            id=host_id,
            socket=file.path,
            state_dir=None if state_dir is None else Path(state_dir),
            live=LiveHost(file.path),
            notices=notices,
            keeper=keeper,
        )


def _end(server: Server, migrations: Migrations) -> None:
    # First whoever waits for another host is let go, then all that came is answered.
    migrations.end()
    server.end(within_s=ENDING_S)


def _begin(
    fleet: Fleet, host_id: HostId, *, state_dir: str | Path | None, fresh: bool
) -> tuple[HostKeeper, tuple[str, ...]]:
    """The keeper of a host, with what was kept if anything was."""

    def keep(state: HostState) -> KeptHost:
        return restore.kept_host(fleet, state, before=entry.host)

    with contextlib.ExitStack() as undo:
        journal = None
        kept = None
        forgotten: tuple[str, ...] = ()
        if state_dir is not None:
            journal = Journal(state_dir, fresh=fresh)
            undo.callback(journal.close)
            kept = journal.read()
            if journal.forgotten:
                open_ones = ", ".join(journal.forgotten)
                forgotten = (
                    f"forgotten while open: migration {open_ones}; its VM may be running on its target too",
                )
        if kept is None:
            entry, notices = restore.from_file(fleet, host_id, incarnation=secrets.token_hex(4))
        else:
            entry, notices = restore.from_kept(fleet, host_id, kept)
        keeper = HostKeeper(entry, keep=keep, journal=journal)
        undo.pop_all()
    return keeper, (*forgotten, *notices)


@contextmanager
def _told_to_end() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set instead of ending this process."""
    told = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        told.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
