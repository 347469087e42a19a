"""Attaching and letting go: counts, hosts that come and go, forks, threads, damaged snapshots, faults."""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from native.build import NAME, SANITIZE, build, compiler
from tests.manager.factories import a_host, a_vm, start_vm
from tests.native.client import Client
from tests.native.host import ServingHost, serving
from tests.snapshot.hosts import a_full_host

from vgpu_migrate.manager import HostState, VgpuManager
from vgpu_migrate.nvml.symbols import symbols
from vgpu_migrate.snapshot import Publisher
from vgpu_migrate.snapshot.faults import Fault
from vgpu_migrate.snapshot.layout import COUNTERS, HEADER, HEARTBEAT_LIMIT_MS

ROOT = Path(__file__).resolve().parents[2]
Load = Callable[[], ctypes.CDLL]
COUNT = "nvmlDeviceGetCount_v2"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """A host with two full gpus."""
    with Publisher(a_full_host().state) as one:
        yield one


@pytest.fixture
def host(publisher: Publisher, tmp_path: Path) -> Iterator[ServingHost]:
    """The same host, served."""
    with serving(publisher, tmp_path / "socket") as one:
        yield one


def memory(data: bytes, *, seals: int = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL) -> int:
    """Sealed memory with this content."""
    descriptor = os.memfd_create("damaged", os.MFD_ALLOW_SEALING)
    os.write(descriptor, data)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def alive(data: bytes | bytearray) -> bytes:
    """A snapshot whose heartbeat is of now."""
    fresh = bytearray(data)
    struct.pack_into("<Q", fresh, HEADER.offset("heartbeat_ms"), time.monotonic_ns() // 1_000_000)
    return bytes(fresh)


def content(publisher: Publisher) -> bytes:
    """The snapshot's bytes."""
    return os.pread(publisher.descriptors()[0], publisher.size, 0)


def test_inits_are_counted(host: ServingHost, load_again: Load) -> None:
    """So many shutdowns as inits; one more answers UNINITIALIZED, and so does every call after the last."""
    client = Client(load_again())
    assert client.code("nvmlShutdown") == 1
    assert [client.code(name) for name in ("nvmlInit", "nvmlInit_v2")] == [0, 0]
    assert client.code("nvmlInitWithFlags", 2) == 0
    assert [client.code("nvmlShutdown") for _ in range(4)] == [0, 0, 0, 1]
    assert client.code(COUNT, None) == 1


def test_a_thousand_cycles_leave_nothing_behind(host: ServingHost, load_again: Load) -> None:
    """Init and shutdown a thousand times open no descriptor and map no memory twice."""
    client = Client(load_again()).start()
    descriptors = len(os.listdir("/proc/self/fd"))
    maps = Path("/proc/self/maps").read_text().count("vgpu-migrate")
    for _ in range(1000):
        assert client.code("nvmlShutdown") == 0
        assert client.code("nvmlInit_v2") == 0
    # The host is in this process too, and may have had its end of the first init still open.
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert Path("/proc/self/maps").read_text().count("vgpu-migrate") == maps


def test_a_host_that_ended_is_lost_until_the_next_init(
    publisher: Publisher, host: ServingHost, load_again: Load, tmp_path: Path
) -> None:
    """All but the texts and shutdown answers DRIVER_NOT_LOADED, even when another host has come."""
    client = Client(load_again()).start()
    assert client.number(COUNT) == 2
    publisher.gone()
    count = ctypes.c_uint()
    assert client.code(COUNT, ctypes.byref(count)) == client.code("nvmlSetVgpuVersion", None) == 9
    assert client.code("nvmlSystemGetNVMLVersion", ctypes.create_string_buffer(80), 80) == 9
    host.close()
    assert client.code("nvmlInit_v2") == 9
    with Publisher(HostState(host=a_host())) as other, serving(other, host.path):
        assert client.code(COUNT, ctypes.byref(count)) == 9
        assert client.code("nvmlInit_v2") == 0
        assert client.number(COUNT) == 1
        assert [client.code("nvmlShutdown") for _ in range(3)] == [0, 0, 1]


def test_a_socket_of_any_path_is_reached(
    publisher: Publisher, load_again: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path longer than a socket's address holds leads to the host, for attaching and for setters."""
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    monkeypatch.chdir(folder)
    with serving(publisher, Path("socket")) as host, monkeypatch.context() as patch:
        patch.setenv("VGPU_MIGRATE_HOST", str(folder / "socket"))
        client = Client(load_again()).start()
        assert client.number(COUNT) == 2
        assert client.code("nvmlDeviceSetPersistenceMode", client.gpu(), 1) == 0
        assert len(host.calls) == 1
        assert client.code("nvmlShutdown") == 0
        patch.setenv("VGPU_MIGRATE_HOST", str(folder / ("n" * 100)))
        assert client.code("nvmlInit_v2") == 9


def test_setters_go_to_the_host_attached_to(
    publisher: Publisher, load_again: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another word in the environment, or another working directory, sends a setter nowhere else."""
    monkeypatch.chdir(tmp_path)
    with serving(publisher, Path("socket")) as host, monkeypatch.context() as patch:
        client = Client(load_again()).start()
        (tmp_path / "elsewhere").mkdir()
        patch.chdir(tmp_path / "elsewhere")
        assert client.code("nvmlDeviceSetPersistenceMode", client.gpu(), 1) == 0
        patch.setenv("VGPU_MIGRATE_HOST", str(tmp_path / "none"))
        assert client.code("nvmlDeviceSetPersistenceMode", client.gpu(), 0) == 0
        assert [call.arguments[0] for call in host.calls] == [1, 0]


def test_a_host_without_a_heartbeat_is_lost(
    host: ServingHost, publisher: Publisher, load_again: Load
) -> None:
    """A heartbeat older than the limit, or from the future, or none, is a host that is gone."""
    counters = publisher.descriptors()[1]
    for age_ms, code in ((0, 0), (HEARTBEAT_LIMIT_MS * 2, 9), (-HEARTBEAT_LIMIT_MS * 2, 9)):
        data = bytearray(content(publisher))
        beat = time.monotonic_ns() // 1_000_000 - age_ms
        struct.pack_into("<Q", data, HEADER.offset("heartbeat_ms"), beat)
        host.descriptors = (memory(bytes(data)), counters)
        assert load_again().nvmlInit_v2() == code


def test_another_host_at_the_path_is_attached_to_by_the_next_init(load_again: Load, tmp_path: Path) -> None:
    """After the last shutdown the next init goes where the path leads, though the old host lives on."""
    client = Client(load_again())
    manager = a_full_host(2)
    with Publisher(manager.state) as old, Publisher(HostState(host=a_host())) as new:
        with serving(old, tmp_path / "socket"):
            assert client.start().number(COUNT) == 2
        with serving(new, tmp_path / "socket"):
            assert client.number(COUNT) == 2
            assert client.code("nvmlShutdown") == 0
            assert client.start().number(COUNT) == 1


def test_a_child_inherits_the_session(host: ServingHost, library: Path) -> None:
    """After fork, even while other threads call and initialise, the child calls and shuts down by itself."""
    program = (
        "import ctypes, os, sys, threading\n"
        "nvml = ctypes.CDLL(sys.argv[1]); assert nvml.nvmlInit_v2() == 0\n"
        "def work():\n"
        "    count = ctypes.c_uint()\n"
        "    while True:\n"
        "        nvml.nvmlInit_v2(); nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)); nvml.nvmlShutdown()\n"
        "for _ in range(4): threading.Thread(target=work, daemon=True).start()\n"
        "for _ in range(50):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        count = ctypes.c_uint()\n"
        "        codes = [nvml.nvmlInit_v2(), nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))]\n"
        "        codes.append(nvml.nvmlShutdown())\n"
        "        os._exit(0 if (codes, count.value) == ([0, 0, 0], 2) else 1)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, library], check=True, timeout=60)


def test_readers_never_see_two_states_mixed(load_again: Load, tmp_path: Path) -> None:
    """While a host publishes without a pause, each answer is of one state: as many vgpus as were started."""
    manager = VgpuManager(HostState(host=a_host()))
    states = [manager.state]
    for number in range(4):
        start_vm(manager, a_vm(f"vm{number}", "L40S-12Q"))
        states.append(manager.state)
    with Publisher(states[0]) as publisher, serving(publisher, tmp_path / "socket"):
        client = Client(load_again()).start()
        gpu = client.gpu()
        is_over = threading.Event()

        def publish() -> None:
            while not is_over.is_set():
                for state in states:
                    publisher.publish(state)

        writer = threading.Thread(target=publish)
        writer.start()
        count, array = ctypes.c_uint(), (ctypes.c_uint * 8)()
        first, last = ctypes.c_uint(), ctypes.c_ulonglong()
        for _ in range(20_000):
            count.value = 8
            assert client.code("nvmlDeviceGetActiveVgpus", gpu, ctypes.byref(count), array) == 0
            assert list(array[: count.value]) == list(range(1, count.value + 1))
            assert client.code("nvmlVgpuInstanceGetType", 1, ctypes.byref(first)) in (0, 6)
            assert client.code("nvmlVgpuInstanceGetFbUsage", 4, ctypes.byref(last)) in (0, 6)
        is_over.set()
        writer.join()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:100],
        lambda data: data[:4096],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: b"X" + data[1:],
        lambda data: bytes(len(data)),
        lambda data: data[:8] + struct.pack("<I", 99) + data[12:],
        lambda data: data[:24] + struct.pack("<Q", 1 << 63) + data[32:],
        lambda data: data[:40] + struct.pack("<Q", len(data) - 8) + data[48:],
    ],
    ids=["empty", "short", "header", "half", "truncated", "magic", "zeros", "version", "static", "slot"],
)
def test_a_damaged_snapshot_is_no_host(
    host: ServingHost, publisher: Publisher, load_again: Load, damage: Callable[[bytes], bytes]
) -> None:
    """One that is not whole, or not a snapshot of this layout, answers DRIVER_NOT_LOADED at init."""
    data = damage(alive(content(publisher)))
    host.descriptors = (memory(data), publisher.descriptors()[1])
    assert load_again().nvmlInit_v2() == 9


def test_memory_that_might_shrink_is_not_mapped(
    host: ServingHost, publisher: Publisher, load_again: Load
) -> None:
    """Snapshot and counters must be sealed, both there, and long enough."""
    data, counters = alive(content(publisher)), bytes(COUNTERS * 8)
    for descriptors in (
        (memory(data, seals=0), memory(counters)),
        (memory(data), memory(counters, seals=fcntl.F_SEAL_SHRINK)),
        (memory(data), memory(counters[:-8])),
        (memory(data),),
        (memory(data), memory(counters), memory(counters)),
        (),
    ):
        host.descriptors = descriptors
        before = len(os.listdir("/proc/self/fd"))
        assert load_again().nvmlInit_v2() == 9
        assert len(os.listdir("/proc/self/fd")) <= before + 1  # the server may not have closed its end yet


@pytest.mark.parametrize("answer", [b"", b"X" * 20, b"X" * 19, b"VGMm" + bytes(16)])
def test_a_host_that_answers_nonsense_is_no_host(host: ServingHost, load_again: Load, answer: bytes) -> None:
    """Whatever is not the answer to an attach answers DRIVER_NOT_LOADED."""
    host.attach_answer = answer
    assert load_again().nvmlInit_v2() == 9


CALL_ALL = """
import ctypes, struct, sys
ROOM = 1 << 16
nvml = ctypes.CDLL(sys.argv[1])
outs = [ctypes.create_string_buffer(ROOM) for _ in range(4)]
words = [0, 64, 1024, *(size | version << 24 for size, version in eval(sys.argv[3]))]
if nvml.nvmlInit_v2() == 0:
    handle = ctypes.c_void_p()
    nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle))
    for name in open(sys.argv[2]).read().split():
        for first in (handle, 1, 5, 1157, 1158, outs[3]):
            for word in words:
                for out in outs:
                    ctypes.memset(out, 0, 64)
                    struct.pack_into("<I", out, 0, word)
                is_pointer = name.startswith(("nvmlSystem", "nvmlGet", "nvmlDeviceGetCount"))
                if is_pointer != (first is outs[3]):
                    continue
                nvml[name](first, outs[0], outs[1], outs[2], outs[3])
"""
# Sizes and versions of the structures that say their version.
STRUCTURES = ((40, 2), (84, 1), (8, 1), (16, 1), (24, 1), (32, 2), (32, 1), (64, 1), (12, 1))


@pytest.mark.parametrize("seed", range(8))
def test_a_snapshot_of_random_damage_crashes_nobody(
    host: ServingHost, publisher: Publisher, seed: int, tmp_path: Path, sanitized: Path
) -> None:
    """Whatever words of a snapshot are wrong, every call answers a code: under sanitizers, no report."""
    chance = random.Random(seed)
    names = tmp_path / "names"
    names.write_text(
        "\n".join(
            one.name for one in symbols() if one.answers and "Get" in one.name and "HandleBy" not in one.name
        )
    )
    runtime = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = {**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"}
    for _ in range(4):
        data = bytearray(content(publisher))
        for _ in range(chance.choice((1, 3, 30, 300))):
            at = chance.randrange(HEADER.size if chance.random() < 0.9 else 8, len(data) - 8) & ~3
            struct.pack_into(
                "<I", data, at, chance.choice((0, 1, 0xFFFFFFFF, 0x7FFFFFFF, chance.getrandbits(32)))
            )
        host.descriptors = (memory(alive(data)), publisher.descriptors()[1])
        done = subprocess.run(
            [sys.executable, "-c", CALL_ALL, sanitized, names, str(STRUCTURES)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library with gcc's sanitizers."""
    if compiler() is None:
        pytest.skip("no C compiler")
    return build(tmp_path_factory.mktemp("sanitized") / NAME, cc=["gcc"], flags=SANITIZE)


def test_faults_fire_as_python_says(load_again: Load, tmp_path: Path) -> None:
    """Which of many calls a fault hits follows from its seed, and is the same in C and Python."""
    state = a_full_host().state
    faults = [
        Fault(function=COUNT, code=15, after=3, probability=0.3, seed=7, counter=0),
        Fault(function=COUNT, code=999, after=10, probability=0.5, seed=8, counter=1),
    ]
    with Publisher(state) as publisher, serving(publisher, tmp_path / "socket"):
        publisher.publish(state, faults=faults)
        client = Client(load_again()).start()
        seen = [client.code(COUNT, ctypes.byref(ctypes.c_uint())) for _ in range(200)]
        asked = 0
        wanted = []
        for number in range(200):
            code = 15 if faults[0].fires(number) else 0
            if code == 0:
                code = 999 if faults[1].fires(asked) else 0
                asked += 1
            wanted.append(code)
        assert seen == wanted
        assert {15, 999, 0} == set(seen)
        assert (publisher.counter(0), publisher.counter(1)) == (200, asked)


def test_faults_concern_what_they_name(load_again: Load, tmp_path: Path) -> None:
    """One of a gpu hits its vgpus too, one of a vgpu no gpu, one of nothing all; none does after its end."""
    state = a_full_host().state
    gpu_ids = [gpu.id for gpu in state.host.gpus]
    ended = time.monotonic_ns() // 1_000_000 - 100  # the library reads a coarse clock
    with Publisher(state) as publisher, serving(publisher, tmp_path / "socket"):
        client = Client(load_again()).start()
        handles = [client.gpu(number) for number in range(2)]
        instances = [client.list("nvmlDeviceGetActiveVgpus", gpu)[0] for gpu in handles]

        def codes(*faults: Fault) -> tuple[int, ...]:
            publisher.publish(state, faults=faults)
            value = ctypes.byref(ctypes.c_ulonglong())
            return (
                client.code(COUNT, value),
                *(client.code("nvmlDeviceGetIndex", gpu, value) for gpu in handles),
                *(client.code("nvmlVgpuInstanceGetFbUsage", one, value) for one in instances),
                load_again().nvmlInit_v2(),
            )

        assert codes() == (0, 0, 0, 0, 0, 0)
        assert codes(Fault(gpu=gpu_ids[1], code=15)) == (0, 0, 15, 0, 15, 0)
        assert codes(Fault(instance=instances[0], code=6)) == (0, 0, 0, 6, 0, 0)
        assert codes(Fault(code=9)) == (9, 9, 9, 9, 9, 9)
        assert codes(Fault(code=9, until_ms=ended)) == (0, 0, 0, 0, 0, 0)
        assert codes(Fault(delay_us=1)) == (0, 0, 0, 0, 0, 0)
        assert client.code("nvmlShutdown") == 0


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (None, "VGPU_MIGRATE_HOST: not set; it names the socket of a simulated host"),
        ("nowhere", "VGPU_MIGRATE_HOST={path}: No such file or directory"),
        ("file", "VGPU_MIGRATE_HOST={path}: no host answered there"),
    ],
)
def test_an_init_without_a_host_says_why_where_it_is_asked_to(
    library: Path, tmp_path: Path, path: str | None, why: str
) -> None:
    """`VGPU_MIGRATE_EXPLAIN` brings one line on stderr; without it there is none."""
    (tmp_path / "file").write_bytes(b"")
    code = f"import ctypes; print(ctypes.CDLL({str(library)!r}).nvmlInit_v2())"
    env = {} if path is None else {"VGPU_MIGRATE_HOST": str(tmp_path / path)}
    for explain, said in ({}, ""), ({"VGPU_MIGRATE_EXPLAIN": "1"}, why.format(path=tmp_path / str(path))):
        done = subprocess.run(
            [sys.executable, "-S", "-c", code],
            env=env | explain,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "9\n"
        assert done.stderr == (f"libnvidia-ml.so.1 of vgpu-migrate: {said}\n" if said else "")
