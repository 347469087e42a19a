"""What a simulated host keeps on disk, so that it can be killed at any moment and begin again.

One SQLite database in a directory of its own: a row for each VM, each answered migration, each migration
whose end its target has yet to say, and each remaining field of the manager's state. Every write is one
transaction that lasts through a power failure before it returns. Not kept, because a restart is a driver
reload: the range in force, the flags of gpus, and injected faults.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from vgpu_migrate.errors import InputError, OutsideError, Problem
from vgpu_migrate.hostd.private_directory import make_private
from vgpu_migrate.manager import HostState, MigrationId, VmRecord, from_data, to_data
from vgpu_migrate.manager.codec import DATA_VERSION
from vgpu_migrate.model import HostId, VersionRange, VmId

JOURNAL_VERSION = 1
FILE, LOCK = "journal.sqlite3", "lock"
_OWN_FILES = frozenset({FILE, f"{FILE}-journal", LOCK})
_OF_THE_FILE = frozenset({"host", "profile"})
_ROWS_OF_THEIR_OWN = frozenset({"vms", "answers"})

_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE vms (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, data TEXT NOT NULL);
CREATE TABLE answers (migration TEXT PRIMARY KEY, committed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE outgoing (migration TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
"""


class Outgoing(msgspec.Struct, frozen=True):
    """A migration from this host whose end its target has yet to say: the VM, and where the target is."""

    vm: VmId
    target: HostId
    socket: str


class KeptDriver(msgspec.Struct, frozen=True):
    """A host driver installed at run time; it holds as long as the fleet file names the one it named then."""

    driver: str
    preset_range: VersionRange | None
    range_said: str
    in_file: str


class KeptMode(msgspec.Struct, frozen=True):
    """A gpu's placement mode set at run time; it holds as long as the fleet file says what it said then."""

    mode: str
    in_file: str


class KeptHost(msgspec.Struct, frozen=True):
    """What is kept of the host itself, beside its fleet file.

    `vms_in_file` are the VMs that the file had for this host when it was last read.
    """

    id: HostId
    vms_in_file: tuple[VmId, ...] = ()
    driver: KeptDriver | None = None
    modes: dict[str, KeptMode] = {}


class Entry(NamedTuple):
    """Everything that is kept. Of `state`, its host and profile are the fleet file's and are not."""

    host: KeptHost
    state: HostState
    outgoing: Mapping[MigrationId, Outgoing]


class Kept(NamedTuple):
    """What a journal gives back: as `Entry`, with the state's fields by name instead of a state."""

    host: KeptHost
    fields: dict[str, Any]
    outgoing: dict[MigrationId, Outgoing]


class Journal:
    """The journal of one host, held by this process alone for as long as it is open. Not thread-safe."""

    def __init__(self, directory: str | Path, *, fresh: bool = False) -> None:
        """Take the directory, which is made if it is not there.

        Args:
            directory: owner-only; an empty one of ours is made so.
            fresh: forget what is there.

        Raises:
            InputError: it is no directory, not ours alone, or what is there is no journal of this version.
            OutsideError: another process holds it, or the disk failed.
        """
        self.directory = Path(directory)
        self.path = self.directory / FILE
        self.forgotten: tuple[MigrationId, ...] = ()
        """Migrations that were open in what a fresh start forgot: their VMs may be on their targets too."""
        self._is_unsure = False
        with contextlib.ExitStack() as undo:
            with self._disk("taken"):
                _make_owner_only(self.directory)
                self._lock = _lock(self.directory)
                undo.callback(os.close, self._lock)
                if fresh:
                    self._forget()
                self._database = self._open()
            undo.pop_all()

    def close(self) -> None:
        """Let go of the directory; everything that was written stays."""
        self._database.close()
        os.close(self._lock)

    def read(self) -> Kept | None:
        """What was kept; None where nothing ever was.

        Raises:
            InputError: something in it is not what it should be.
            OutsideError: the disk failed.
        """
        with self._disk("read"):
            facts = dict(self._database.execute("SELECT name, data FROM facts"))
            vms = self._database.execute("SELECT id, data FROM vms ORDER BY number").fetchall()
            answers = self._database.execute("SELECT migration, committed FROM answers ORDER BY 1").fetchall()
            outgoing = self._database.execute("SELECT migration, data FROM outgoing ORDER BY 1").fetchall()
        if not facts:
            return None
        place = str(self.path)
        fields: dict[str, Any] = {
            name: _decode(hint, facts[name], place=f"{place}: {name}")
            for name, hint in _field_hints().items()
            if name in facts
        }
        fields["vms"] = {
            VmId(vm_id): _decode(VmRecord, data, place=f"{place}: VM {vm_id}") for vm_id, data in vms
        }
        fields["answers"] = {MigrationId(migration): bool(committed) for migration, committed in answers}
        return Kept(
            _decode(KeptHost, facts.get("host", "null"), place=f"{place}: host"),
            fields,
            {MigrationId(migration): _decode(Outgoing, data, place=place) for migration, data in outgoing},
        )

    def write(self, before: Entry | None, after: Entry) -> None:
        """Write what has changed, whole or not at all; nothing is written where nothing has.

        Args:
            before: what was written last; None: nothing, so that all of it is.
            after: what shall be kept.

        Raises:
            OutsideError: the disk failed. It is then not known whether `after` was written; the next write is
                of everything.
        """
        statements = list(_changes(None if self._is_unsure else before, after))
        if not statements:
            return
        self._is_unsure = True
        with self._disk("written"), contextlib.ExitStack() as undo:
            undo.callback(self._roll_back)
            self._database.execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                self._database.execute(statement, values)
            self._database.execute("COMMIT")
            undo.pop_all()
        self._is_unsure = False

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._database.execute("ROLLBACK")

    @contextlib.contextmanager
    def _disk(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            hint = " (a fresh start forgets it)" if isinstance(error, sqlite3.DatabaseError) else ""
            raise OutsideError(f"{self.path}: cannot be {what}: {error}{hint}") from error
        except OSError as error:
            raise OutsideError(f"{self.directory}: cannot be {what}: {error.strerror or error}") from error

    def _forget(self) -> None:
        if (self.directory / FILE).exists():
            # What is damaged cannot be read; a fresh start is the way out of that too.
            with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self.path)) as old:
                rows = old.execute("SELECT migration FROM outgoing ORDER BY 1").fetchall()
                self.forgotten = tuple(MigrationId(migration) for (migration,) in rows)
        # The database first: SQLite drops a rollback journal that finds none to belong to.
        for name in (FILE, f"{FILE}-journal"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.directory / name)

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.chmod(self.path, 0o600)
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        with contextlib.ExitStack() as undo:
            undo.callback(database.close)
            # The rollback journal's removal is the commit, and EXTRA makes that last too.
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = DELETE", "synchronous = EXTRA"):
                database.execute(f"PRAGMA {pragma}").fetchall()
            version = database.execute("PRAGMA user_version").fetchone()[0]
            wanted = JOURNAL_VERSION << 16 | DATA_VERSION
            if version == 0 and not database.execute("SELECT 1 FROM sqlite_master").fetchone():
                database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {wanted}; COMMIT;")
            elif version != wanted:
                seen, ours = f"data version {_version(version)}", _version(wanted)
                raise InputError(
                    Problem(str(self.path), seen, f"wanted {ours}; a fresh start forgets what is there")
                )
            undo.pop_all()
        return database


def _version(number: int) -> str:
    return f"{number >> 16}.{number & 0xFFFF}"


def _make_owner_only(directory: Path) -> None:
    make_private(directory)
    there = os.stat(directory)
    if not stat.S_ISDIR(there.st_mode):
        raise InputError(Problem(str(directory), "no directory", "wanted a directory for what is kept"))
    if there.st_uid != os.geteuid():
        raise InputError(Problem(str(directory), f"belongs to user {there.st_uid}", f"wanted {os.geteuid()}"))
    if there.st_mode & 0o077:
        if not set(os.listdir(directory)) <= _OWN_FILES:
            seen = f"others may enter it (mode {stat.S_IMODE(there.st_mode):o})"
            raise InputError(Problem(str(directory), seen, "wanted a directory of its own, mode 700"))
        os.chmod(directory, 0o700)


def _lock(directory: Path) -> int:
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise OutsideError(f"{directory}: another process keeps a host there") from None
    return lock


_Statement = tuple[str, tuple[object, ...]]


def _changes(before: Entry | None, after: Entry) -> Iterator[_Statement]:
    if before is None:
        for table in ("facts", "vms", "answers", "outgoing"):
            yield f"DELETE FROM {table}", ()  # noqa: S608 (names of our own)
    yield from _changed_facts(before, after)
    vms = {} if before is None else before.state.vms
    for vm_id in vms.keys() - after.state.vms.keys():
        yield "DELETE FROM vms WHERE id = ?", (vm_id,)
    for vm_id, record in after.state.vms.items():
        if vms.get(vm_id) is not record:
            yield (
                "INSERT INTO vms (id, data) VALUES (?, ?)"
                " ON CONFLICT (id) DO UPDATE SET data = excluded.data",
                (vm_id, _encode(record)),
            )
    answers = {} if before is None else before.state.answers
    if answers is not after.state.answers:
        for migration, committed in after.state.answers.items():
            if migration not in answers:
                yield "INSERT INTO answers VALUES (?, ?)", (migration, int(committed))
    outgoing = {} if before is None else before.outgoing
    for migration in outgoing.keys() - after.outgoing.keys():
        yield "DELETE FROM outgoing WHERE migration = ?", (migration,)
    for migration, one in after.outgoing.items():
        if outgoing.get(migration) != one:
            yield "INSERT OR REPLACE INTO outgoing VALUES (?, ?)", (migration, _encode(one))


def _changed_facts(before: Entry | None, after: Entry) -> Iterator[_Statement]:
    statement = "INSERT OR REPLACE INTO facts VALUES (?, ?)"
    if before is None or before.host != after.host:
        yield statement, ("host", _encode(after.host))
    for name in _field_hints():
        value = getattr(after.state, name)
        if before is None or getattr(before.state, name) != value:
            yield statement, (name, _encode(value))


def _field_hints() -> dict[str, Any]:
    """The fields of a state that have a row each: all but the file's and those with tables of their own."""
    hints = typing.get_type_hints(HostState)
    return {name: hint for name, hint in hints.items() if name not in _OF_THE_FILE | _ROWS_OF_THEIR_OWN}


def _encode(value: object) -> str:
    return msgspec.json.encode(to_data(value)).decode()


def _decode(kind: Any, data: str, *, place: str) -> Any:
    try:
        plain = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise InputError(Problem(place, str(error), "wanted what this program wrote")) from None
    return from_data(kind, plain, place=place)
