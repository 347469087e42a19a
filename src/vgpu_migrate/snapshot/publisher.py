"""The shared memory that a host publishes itself in: written here, read by any number of programs.

Order of stores. A reader must never see a generation before the slot that it puts in force, nor a slot being
filled again under the generation that still has it in force. The generation is one aligned store of eight
bytes: CPython packs a value into a memoryview cast to "Q" by one such move. x86-64 keeps stores in order, and
its memcpy fences the streaming stores of large copies itself. arm64 does not keep them, so before each of
the two kinds of store a lock is released and taken again: a release followed by an acquire, which nothing
passes.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Self

from vgpu_migrate.manager import HostState
from vgpu_migrate.snapshot.encoder import NO_RUNTIME, Encoder
from vgpu_migrate.snapshot.faults import Fault
from vgpu_migrate.snapshot.layout import (
    COUNTERS,
    HEADER,
    HEARTBEAT_PERIOD_MS,
    LAYOUT_VERSION,
    MAGIC,
    PAGE,
)
from vgpu_migrate.snapshot.runtime import Runtime
from vgpu_migrate.snapshot.shared import SharedMemory
from vgpu_migrate.snapshot.static import encode_static

NAME, COUNTERS_NAME = "vgpu-migrate-snapshot", "vgpu-migrate-counters"
COUNTER_SIZE = 8

_GENERATION = HEADER.offset("generation") // 8
_HEARTBEAT = HEADER.offset("heartbeat_ms") // 8
_GONE = HEADER.offset("gone") // 4


class Prepared(NamedTuple):
    """A slot's bytes in pieces, encoded for the slot that is not in force now."""

    generation: int
    sections: tuple[bytes, ...]


class Publisher:
    """Publishes the states of one host, from its first one on; its heartbeat says that the host is alive.

    A state is encoded by `prepare`, which may raise and then has changed nothing that a reader sees, and
    put in force by `put`, which cannot fail; `publish` is both. One thread at a time may call these.

    Args:
        state: the first state, published at once. Its gpus are those of all later ones.
        incarnation: tells this host's snapshot from another's; None: chance.

    Raises:
        InputError: the host has more gpus than a snapshot can hold, or a text does not fit.
        OutsideError: the kernel gives no sealed shared memory (Linux 5.1 or newer has it).
    """

    def __init__(self, state: HostState, *, incarnation: int | None = None) -> None:
        self._encoder = Encoder(state.host)
        static = encode_static(state.host, state.profile, base=PAGE)
        self._slot_size = _pages(self._encoder.slot_size)
        first = PAGE + _pages(len(static))
        self._slots = (first, first + self._slot_size)
        self._written: list[dict[int, bytes]] = [{}, {}]
        self.generation = 0
        prepared = self.prepare(state)
        self._fence = threading.Lock()
        self._fence.acquire()
        with ExitStack() as undo:
            self._memory = SharedMemory(NAME, first + 2 * self._slot_size)
            undo.callback(self._memory.close)
            self._counters = SharedMemory(COUNTERS_NAME, COUNTERS * COUNTER_SIZE)
            undo.callback(self._counters.close)
            chosen = secrets.randbits(64) if incarnation is None else incarnation
            self._memory.bytes[PAGE : PAGE + len(static)] = static
            self._memory.bytes[: HEADER.size] = self._header(len(static), chosen)
            self.put(prepared)
            self.beat()
            self._memory.seal(against_writing=True)
            self._counters.seal(against_writing=False)
            self._stop = threading.Event()
            self._heart = threading.Thread(target=self._beat_until_stopped, name="heartbeat", daemon=True)
            self._heart.start()
            undo.pop_all()

    @property
    def size(self) -> int:
        """The bytes of the whole snapshot."""
        return self._memory.size

    def _header(self, static_size: int, incarnation: int) -> bytes:
        return HEADER.struct.pack(
            MAGIC,
            LAYOUT_VERSION,
            HEADER.size,
            self.size,
            PAGE,
            static_size,
            *self._slots,
            self._slot_size,
            incarnation,
            b"",
            0,
            b"",
            0,
            0,
            b"",
        )

    def prepare(
        self, state: HostState, *, faults: Sequence[Fault] = (), runtime: Runtime = NO_RUNTIME
    ) -> Prepared:
        """Encode a state for the slot that is not in force. Nothing that a reader sees changes.

        Raises:
            InputError: a text does not fit, or there are too many faults.
            UnknownNameError: a fault names a function or a gpu that there is not.
        """
        generation = self.generation + 1
        base = self._slots[generation & 1]
        return Prepared(generation, self._encoder.sections(state, base=base, faults=faults, runtime=runtime))

    def put(self, prepared: Prepared) -> int:
        """Put in force what was prepared last; gives the generation that it is seen from."""
        assert prepared.generation == self.generation + 1, "something was published since it was prepared"
        assert sum(map(len, prepared.sections)) <= self._slot_size
        self._order_stores()
        self._fill(prepared.generation & 1, prepared.sections)
        self._order_stores()
        self._memory.words[_GENERATION] = prepared.generation
        self.generation = prepared.generation
        return prepared.generation

    def publish(
        self, state: HostState, *, faults: Sequence[Fault] = (), runtime: Runtime = NO_RUNTIME
    ) -> int:
        """Prepare a state and put it in force; gives the generation that it is seen from."""
        return self.put(self.prepare(state, faults=faults, runtime=runtime))

    def _fill(self, slot: int, sections: tuple[bytes, ...]) -> None:
        """Write the pieces that are not the slot's already: the same object at the same place is."""
        there, written = self._written[slot], {}
        position = self._slots[slot]
        for section in sections:
            if there.get(position) is not section:
                self._memory.bytes[position : position + len(section)] = section
            if section:
                written[position] = section
            position += len(section)
        self._written[slot] = written

    def _order_stores(self) -> None:
        self._fence.release()
        self._fence.acquire()

    def beat(self) -> None:
        """Say that the host is alive now."""
        self._memory.words[_HEARTBEAT] = time.monotonic_ns() // 1_000_000

    def _beat_until_stopped(self) -> None:
        while not self._stop.wait(HEARTBEAT_PERIOD_MS / 1000):
            self.beat()

    def gone(self) -> None:
        """Say that the host has ended, and stop the heartbeat. What is mapped stays readable."""
        self._stop.set()
        self._heart.join()
        self._memory.halves[_GONE] = 1

    def descriptors(self) -> tuple[int, int]:
        """The file descriptors of snapshot and counters, to be passed on; they stay this object's.

        A program that asks for them finds a heartbeat of now: a host that answers lives, though it may have
        stood still for a moment before.
        """
        if not self._stop.is_set():
            self.beat()
        return self._memory.descriptor, self._counters.descriptor

    def counter(self, number: int) -> int:
        """How many calls a fault's counter has counted."""
        return int(self._counters.words[number])

    def reset_counter(self, number: int) -> None:
        """Let a counter begin at 0 again, before another fault takes its place."""
        self._counters.words[number] = 0

    def close(self) -> None:
        """Say that the host has ended and give back memory and descriptors. Twice is as good as once."""
        if self._memory.descriptor < 0:
            return
        self.gone()
        self._memory.close()
        self._counters.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE
