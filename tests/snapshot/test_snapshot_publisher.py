"""The published memory: sealed, seen through its descriptors, whole at every moment."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.manager.factories import a_gpu, a_host, a_manager, a_vm, start_vm
from tests.snapshot.hosts import a_full_host, content, in_force

from vgpu_migrate.errors import InputError, OutsideError
from vgpu_migrate.manager import HostState, VgpuManager
from vgpu_migrate.model import GpuId
from vgpu_migrate.snapshot import Fault, Publisher, Runtime
from vgpu_migrate.snapshot.encoder import Encoder
from vgpu_migrate.snapshot.layout import COUNTERS, HEADER, HEARTBEAT_LIMIT_MS, LAYOUT_VERSION, MAGIC, PAGE
from vgpu_migrate.snapshot.reader import read_header, read_slot, read_static
from vgpu_migrate.snapshot.shared import SharedMemory


@pytest.fixture
def manager() -> VgpuManager:
    """A manager of a host with one L40S."""
    return a_manager()


@pytest.fixture
def publisher(manager: VgpuManager) -> Iterator[Publisher]:
    """What it has published first."""
    with Publisher(manager.state, incarnation=77) as made:
        yield made


def test_the_header_leads_to_everything(publisher: Publisher) -> None:
    """Parts follow each other in whole pages up to the size, and the static part is where it says."""
    data = content(publisher)
    header = read_header(data)
    assert (header["magic"], header["layout_version"], header["header_size"]) == (MAGIC, LAYOUT_VERSION, 256)
    assert (header["total_size"], header["incarnation"]) == (len(data), 77)
    assert len(data) == os.fstat(publisher.descriptors()[0]).st_size
    first, second = header["slot_offset"]
    assert header["static_offset"] == PAGE
    assert PAGE + header["static_size"] <= first
    assert (second - first, len(data) - second) == (header["slot_size"], header["slot_size"])
    assert all(header[name] % PAGE == 0 for name in ("static_offset", "slot_size", "total_size"))
    assert len(read_static(data, PAGE)["words"]) == 1236


def test_the_first_state_is_there_at_once(publisher: Publisher, manager: VgpuManager) -> None:
    """Generation 1 is in force when the publisher is made."""
    assert read_header(content(publisher))["generation"] == publisher.generation == 1
    assert in_force(publisher)["driver"] == manager.state.host.driver


def test_each_state_goes_into_the_slot_not_in_force(publisher: Publisher, manager: VgpuManager) -> None:
    """The generation rises by one, its last bit names the slot, and the other slot stays as it was."""
    offsets = read_header(content(publisher))["slot_offset"]
    seen = [[], [1], [1, 2]]
    for number in (2, 3):
        start_vm(manager, a_vm(f"vm{number}"))
        before = content(publisher)
        assert publisher.publish(manager.state) == number
        after = content(publisher)
        assert read_header(after)["generation"] == number
        assert read_slot(after, offsets[number & 1])["gpus"][0]["active"] == seen[number - 1]
        assert read_slot(after, offsets[1 - number & 1])["gpus"][0]["active"] == seen[number - 2]
        start, size = offsets[1 - number & 1], read_header(after)["slot_size"]
        assert after[start : start + size] == before[start : start + size]


def test_preparing_shows_nothing(publisher: Publisher, manager: VgpuManager) -> None:
    """What is prepared is seen only when it is put; a state that cannot be told leaves all as it was."""
    start_vm(manager)
    before = content(publisher)[HEADER.size :]
    prepared = publisher.prepare(manager.state)
    with pytest.raises(InputError, match="unknown gpu"):
        publisher.prepare(manager.state, faults=[Fault(gpu=GpuId("h01/9"))])
    assert content(publisher)[HEADER.size :] == before
    assert publisher.put(prepared) == 2
    assert [one["handle"] for one in in_force(publisher)["instances"]] == [1]


def test_what_was_prepared_before_another_put_is_a_bug(publisher: Publisher, manager: VgpuManager) -> None:
    """A slot is encoded for one generation and cannot be put in another."""
    prepared = publisher.prepare(manager.state)
    publisher.publish(manager.state)
    with pytest.raises(AssertionError):
        publisher.put(prepared)


def test_a_slot_is_what_the_encoder_gives(publisher: Publisher, manager: VgpuManager) -> None:
    """Faults and runtime included, the slot in force has the encoder's bytes at its place."""
    start_vm(manager)
    faults = (Fault(code=15),)
    publisher.publish(manager.state, faults=faults, runtime=Runtime())
    data = content(publisher)
    base = read_header(data)["slot_offset"][0]
    wanted = Encoder(manager.state.host).encode(manager.state, base=base, faults=faults)
    assert data[base : base + len(wanted)] == wanted


def test_the_snapshot_is_sealed_against_every_client(publisher: Publisher) -> None:
    """Nobody can write it, map it for writing, shrink or grow it, or add seals; a read-only map is given."""
    descriptor, _ = publisher.descriptors()
    seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    future_write = 0x10
    assert seals == fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | future_write
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 0)
    with pytest.raises(PermissionError):
        mmap.mmap(descriptor, publisher.size)
    for size in (0, publisher.size * 2):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size)
    with mmap.mmap(descriptor, publisher.size, prot=mmap.PROT_READ) as mapped:
        assert mapped[:8] == MAGIC
    assert os.fstat(descriptor).st_mode & 0o777 == 0o600


def test_counters_are_written_by_clients_and_have_their_size(publisher: Publisher) -> None:
    """A client counts in the second memory, the host reads and resets; neither can change its size."""
    _, descriptor = publisher.descriptors()
    with mmap.mmap(descriptor, COUNTERS * 8) as mapped:
        mapped[8:16] = (41).to_bytes(8, "little")
        assert publisher.counter(1) == 41
        publisher.reset_counter(1)
        assert mapped[8:16] == bytes(8)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)
    assert os.fstat(descriptor).st_mode & 0o777 == 0o600


def test_the_heart_beats_on_the_monotonic_clock(publisher: Publisher) -> None:
    """Without any publishing the heartbeat goes on, and it is now."""

    def beat() -> int:
        return int(read_header(content(publisher))["heartbeat_ms"])

    first = beat()
    until = time.monotonic() + 10
    while beat() == first and time.monotonic() < until:
        time.sleep(0.01)
    assert first < beat() <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000_000


def test_an_orderly_end_is_told_and_the_heart_stops(manager: VgpuManager) -> None:
    """After `gone` the word is 1, the thread has ended, and what was published can still be read."""
    with Publisher(manager.state) as publisher:
        assert read_header(content(publisher))["gone"] == 0
        publisher.gone()
        assert read_header(content(publisher))["gone"] == 1
        assert not publisher._heart.is_alive()
        assert in_force(publisher)["driver"] == manager.state.host.driver
        publisher.gone()


def test_closing_leaves_a_clients_map_and_no_thread_or_descriptor(manager: VgpuManager) -> None:
    """A client keeps what it has mapped, and learns that the host is gone; to close twice does nothing."""
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    publisher = Publisher(manager.state)
    with mmap.mmap(publisher.descriptors()[0], publisher.size, prot=mmap.PROT_READ) as mapped:
        publisher.close()
        publisher.close()
        assert read_header(mapped[:])["gone"] == 1
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, descriptors)


def test_a_killed_host_leaves_a_heartbeat_that_grows_old() -> None:
    """A process that dies without a word leaves its last whole snapshot, `gone` 0 and an old heartbeat."""
    code = (
        "import os, socket, sys, time\n"
        "from tests.manager.factories import a_manager\n"
        "from vgpu_migrate.snapshot import Publisher\n"
        "publisher = Publisher(a_manager().state)\n"
        "channel = socket.socket(fileno=int(sys.argv[1]))\n"
        "socket.send_fds(channel, [b'x'], list(publisher.descriptors()))\n"
        "time.sleep(600)\n"
    )
    here, there = socket.socketpair()
    with here, there:
        host = subprocess.Popen(
            [sys.executable, "-c", code, str(there.fileno())],
            pass_fds=[there.fileno()],
            cwd=Path(__file__).parents[2],
        )
        try:
            _, descriptors, _, _ = socket.recv_fds(here, 1, 2)
        finally:
            host.kill()
            host.wait()
    size = os.fstat(descriptors[0]).st_size
    data = os.pread(descriptors[0], size, 0)
    header = read_header(data)
    for descriptor in descriptors:
        os.close(descriptor)
    time.sleep(HEARTBEAT_LIMIT_MS / 1000 + 0.1)
    age = time.monotonic_ns() // 1_000_000 - header["heartbeat_ms"]
    assert (header["gone"], header["generation"], age > HEARTBEAT_LIMIT_MS) == (0, 1, True)


def test_readers_see_whole_states_only() -> None:
    """While a host publishes without a pause, no reader that checks the generation sees two states mixed."""
    manager = a_full_host(2)
    states = states_of_a_pause(manager)
    with Publisher(states[0]) as publisher:
        stop = threading.Event()

        def publish() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                publisher.publish(states[number % len(states)])

        wanted = {fingerprint(Publisher, state) for state in states}
        thread = threading.Thread(target=publish)
        thread.start()
        try:
            seen = set()
            for _ in range(200):
                data = content(publisher)
                if read_header(content(publisher))["generation"] == read_header(data)["generation"]:
                    slot = read_slot(
                        data, read_header(data)["slot_offset"][read_header(data)["generation"] & 1]
                    )
                    seen.add(tuple(one["utilization_sm"] for one in slot["instances"]))
        finally:
            stop.set()
            thread.join()
    assert seen <= wanted


def states_of_a_pause(manager: VgpuManager) -> list[HostState]:
    """All VMs running, and all of them paused."""
    running = manager.state
    for vm in running.vms:
        manager.pause(vm)
    return [running, manager.state]


def fingerprint(made: type[Publisher], state: HostState) -> tuple[int, ...]:
    """What tells one of the states from the other, and from a mixture."""
    with made(state) as publisher:
        return tuple(one["utilization_sm"] for one in in_force(publisher)["instances"])


def test_a_host_without_gpus_is_published() -> None:
    """No gpus, no lists, and an index that finds nothing."""
    with Publisher(a_manager(a_host(gpus=[])).state) as publisher:
        slot = in_force(publisher)
    assert (slot["gpus"], slot["instances"], slot["index"]) == ([], [], (0, 0))


def test_the_word_of_the_generation_is_aligned(publisher: Publisher) -> None:
    """Generation and heartbeat lie at multiples of eight in memory, so that a store is one."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(publisher._memory._map))
    assert address % PAGE == 0
    assert HEADER.offset("generation") % 64 == HEADER.offset("heartbeat_ms") % 64 == 0


def test_many_gpus_cost_memory_only_where_used() -> None:
    """A host with 256 gpus is published; its pages are those that were written."""
    gpus = [msgspec.structs.replace(a_gpu(0), id=GpuId(f"g{n}"), index=n) for n in range(256)]
    with Publisher(a_manager(a_host(gpus=gpus)).state) as publisher:
        assert len(in_force(publisher)["gpus"]) == 256
        used = os.fstat(publisher.descriptors()[0]).st_blocks * 512
        assert used < publisher.size // 4


def test_a_kernel_that_gives_no_memory_is_told_apart_and_nothing_leaks() -> None:
    """Without room for the memory, or descriptors for it, it is an error of the outside that says which."""
    state = a_manager().state
    before = len(os.listdir("/proc/self/fd"))
    for limit, value, text in (
        (resource.RLIMIT_FSIZE, PAGE, r"shared memory vgpu-migrate-snapshot of \d+ bytes: File too large"),
        (resource.RLIMIT_NOFILE, 0, "shared memory vgpu-migrate-snapshot: Too many open files"),
    ):
        soft, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (value, hard))
        try:
            with pytest.raises(OutsideError, match=text):
                Publisher(state)
        finally:
            resource.setrlimit(limit, (soft, hard))
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_sealed_cannot_be_sealed_again() -> None:
    """A refused seal is an error of the outside that says what kernel is wanted."""
    memory = SharedMemory("once", PAGE)
    memory.seal(against_writing=True)
    with pytest.raises(OutsideError, match=r"memory once cannot be sealed: .+; wanted Linux 5\.1 or newer"):
        memory.seal(against_writing=True)
    memory.close()


def test_who_looks_at_closed_memory_keeps_it() -> None:
    """A view that another part still holds stays readable after the close."""
    memory = SharedMemory("seen", PAGE)
    memory.bytes[:4] = b"here"
    view = memoryview(memory._map)
    memory.close()
    assert bytes(view[:4]) == b"here"
    view.release()


def test_who_asks_for_the_descriptors_finds_a_heartbeat_of_now() -> None:
    """A host that answers lives, even if it has just stood still for longer than a heartbeat may be old."""
    with Publisher(a_full_host().state) as publisher:
        publisher._stop.set()
        publisher._heart.join()
        publisher._stop.clear()
        offset = HEADER.offset("heartbeat_ms")
        publisher._memory.words[offset // 8] = 1
        (descriptor, _), now = publisher.descriptors(), time.monotonic_ns() // 1_000_000
        beat = int.from_bytes(os.pread(descriptor, 8, offset), "little")
        assert now - 1000 < beat <= now
        publisher._stop.set()
