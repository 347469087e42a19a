"""The one thing of a live host that changes: its state, and with it the journal and the programs' view.

Everything that changes a host goes through `HostKeeper.changing`: one change at a time, journaled before it
is in force, published before it is answered.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vgpu_migrate.hostd.journal import Entry, Journal, KeptHost, Outgoing
from vgpu_migrate.manager import HostState, MigrationId, VgpuManager
from vgpu_migrate.snapshot import Fault, Publisher, Runtime


@dataclass(frozen=True)
class LiveState:
    """A live host at one moment: the manager's state, open migrations, and what a reload would lose.

    `faults` are those injected, by number; `next_fault` is the number of the next.
    """

    state: HostState
    outgoing: dict[MigrationId, Outgoing] = field(default_factory=dict)
    runtime: Runtime = field(default_factory=Runtime)
    faults: dict[int, Fault] = field(default_factory=dict)
    next_fault: int = 1


class Draft:
    """A change in the making: whoever makes it alters these, and all of it comes into force at once."""

    def __init__(self, now: LiveState) -> None:
        self.manager = VgpuManager(now.state)
        self.outgoing = dict(now.outgoing)
        self.runtime = now.runtime
        self.faults = dict(now.faults)
        self.next_fault = now.next_fault

    def finished(self) -> LiveState:
        """What it has become."""
        return LiveState(self.manager.state, self.outgoing, self.runtime, self.faults, self.next_fault)


class HostKeeper:
    """Keeps one host: in memory, on disk where there is a journal, and in the programs' view.

    Args:
        beginning: what the host begins with; it is written and published at once.
        keep: gives what is to be kept of the host itself for a state of it.
        journal: None: nothing is kept.

    Raises:
        InputError: a program could not be shown this host.
        OutsideError: the disk failed, or there is no shared memory.
    """

    def __init__(
        self, beginning: Entry, *, keep: Callable[[HostState], KeptHost], journal: Journal | None
    ) -> None:
        self._keep = keep
        self._journal = journal
        self._lock = threading.Condition(threading.Lock())
        self._now = LiveState(beginning.state, dict(beginning.outgoing))
        self._written = beginning
        if journal is not None:
            journal.write(None, beginning)
        self.publisher = Publisher(beginning.state)

    @property
    def now(self) -> LiveState:
        """The host at this moment; what is read from it belongs together."""
        return self._now

    @contextlib.contextmanager
    def changing(self) -> Iterator[Draft]:
        """Change the host: the draft is in force, kept and published when the block ends, or not at all.

        Blocks are short and never wait for anybody else: no other change can be made meanwhile.

        Raises:
            OutsideError: the journal's disk failed; what was there before is in force.
        """
        with self._lock:
            draft = Draft(self._now)
            yield draft
            after = draft.finished()
            if after != self._now:
                self._put_in_force(after)

    def _put_in_force(self, after: LiveState) -> None:
        # What programs cannot be shown is refused before it is written.
        faults = tuple(after.faults.values())
        prepared = self.publisher.prepare(after.state, faults=faults, runtime=after.runtime)
        host = self._keep(after.state) if after.state.host is not self._now.state.host else self._written.host
        entry = Entry(host, after.state, after.outgoing)
        if self._journal is not None:
            self._journal.write(self._written, entry)
        self._written = entry
        self._now = after
        self.publisher.put(prepared)
        self._lock.notify_all()

    @property
    def generation(self) -> int:
        """Of what programs see now."""
        return self.publisher.generation

    def wait_until(self, holds: Callable[[LiveState], bool], *, timeout_s: float) -> bool:
        """Wait until something holds of the host; whether it does."""
        with self._lock:
            return self._lock.wait_for(lambda: holds(self._now), timeout_s)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._lock:
            self._lock.notify_all()

    def close(self) -> None:
        """Stop keeping: programs are told that the host is gone, and the journal is let go.

        A change that is under way ends first; none may begin.
        """
        with self._lock:
            self.publisher.close()
            if self._journal is not None:
                self._journal.close()
