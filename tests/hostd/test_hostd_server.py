"""The socket of a live host: whom it serves, and what it withstands."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import random
import signal
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hostd.fleets import H1, TWO_HOSTS, VM, a_fleet, a_kept
from tests.hostd.processes import Nursery, wait_until

from vgpu_migrate.errors import InputError, OutsideError
from vgpu_migrate.hostd import RunningHost, running_host
from vgpu_migrate.hostd import server as server_module
from vgpu_migrate.hostd.server import Answer, Server
from vgpu_migrate.hosts import requests, wire
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.model import VmState
from vgpu_migrate.snapshot.layout import ATTACH, CALL, CONTROL, HEADER, MAGIC, MESSAGE, MESSAGE_MAGIC

SHOW = wire.to_json(requests.Show())


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RunningHost]:
    """The first host of the two."""
    with a_kept(tmp_path, H1, a_fleet()) as running:
        yield running


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    """Starts hosts as processes."""
    (tmp_path / "fleet.yaml").write_text(TWO_HOSTS)
    nursery = Nursery(tmp_path)
    yield nursery
    nursery.end()


def ask(connection: socket.socket, kind: int, body: bytes) -> wire.Message:
    """One request on a connection."""
    wire.send(connection, kind, body)
    message = wire.receive(connection, longest=1 << 20, within_s=5)
    assert message is not None
    return message


def test_directories_that_are_made_are_the_owners(tmp_path: Path) -> None:
    """Those of the socket and of what is kept, and all above them that were not there, whatever the umask."""
    before = os.umask(0)
    try:
        with running_host(
            a_fleet(), H1, socket=tmp_path / "a" / "b" / "socket", state_dir=tmp_path / "a" / "b" / "c" / "d"
        ):
            made = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
            assert {stat.S_IMODE(one.stat().st_mode) for one in made} == {0o700}
    finally:
        os.umask(before)


def test_attaching_gives_two_descriptors(host: RunningHost) -> None:
    """Status 0, a sealed snapshot that only the host can write, and counters that clients can."""
    with wire.connect(host.socket, timeout_s=5) as connection:
        message = ask(connection, ATTACH, b"")
    assert struct.unpack("<i", message.body) == (0,)
    snapshot, counters = message.descriptors
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    assert fcntl.fcntl(snapshot, fcntl.F_GET_SEALS) == seals | 0x10
    assert fcntl.fcntl(counters, fcntl.F_GET_SEALS) == seals
    with mmap.mmap(snapshot, 0, prot=mmap.PROT_READ) as seen:
        assert seen[: len(MAGIC)] == MAGIC
        assert seen[HEADER.offset("gone")] == 0
    wire.close_all(message.descriptors)


def test_one_connection_takes_many_requests(host: RunningHost) -> None:
    """Requests of all kinds follow each other on one connection, each answered by its kind."""
    with wire.connect(host.socket, timeout_s=5) as connection:
        for kind, body in ((CONTROL, SHOW), (CALL, b"?"), (ATTACH, b""), (CONTROL, SHOW)):
            message = ask(connection, kind, body)
            wire.close_all(message.descriptors)
            assert message.kind == kind


def test_socket_and_new_directory_are_owner_only(tmp_path: Path) -> None:
    """Socket 600, a directory that had to be made 700, and nothing is left at the end."""
    path = tmp_path / "made" / "host.sock"
    with running_host(a_fleet(), H1, socket=path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == []


def test_without_a_socket_it_has_one_of_its_own() -> None:
    """Several hosts without paths live in one process, each in a directory that goes with it."""
    with running_host(a_fleet(), H1) as first, running_host(a_fleet(), H1) as second:
        assert first.socket != second.socket
        assert first.live.show().incarnation != second.live.show().incarnation
        assert first.state_dir is None
    assert not first.socket.parent.exists()


def test_a_directory_that_others_write_is_refused(tmp_path: Path) -> None:
    """Where others could put a socket in the place of the host's, none is made."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with (
        pytest.raises(InputError, match=r"mode 777; wanted a directory where nobody else can put a socket"),
        running_host(a_fleet(), H1, socket=tmp_path / "shared" / "host.sock"),
    ):
        pass
    (tmp_path / "shared").chmod(0o1777)
    with running_host(a_fleet(), H1, socket=tmp_path / "shared" / "host.sock"):
        pass


def test_a_dead_hosts_socket_is_replaced(nursery: Nursery, tmp_path: Path) -> None:
    """The socket of a killed host is still there, and the next one takes its place."""
    killed = nursery.start(tmp_path / "fleet.yaml", "h01")
    killed.kill()
    assert killed.socket.exists()
    with pytest.raises(OutsideError, match=r"no host can be reached there: connection refused"):
        killed.live.show()
    assert nursery.start(tmp_path / "fleet.yaml", "h01").live.show().id == "h01"


def test_a_live_hosts_socket_is_refused(host: RunningHost, tmp_path: Path) -> None:
    """A second host does not take a path at which one listens, nor a file that is no socket."""
    with pytest.raises(InputError) as caught, running_host(a_fleet(), H1, socket=host.socket):
        pass
    assert str(caught.value) == f"{host.socket}: a host listens there; wanted a path of its own"
    (tmp_path / "file").write_text("mine")
    with (
        pytest.raises(InputError, match=r"something else is there"),
        running_host(a_fleet(), H1, socket=tmp_path / "file"),
    ):
        pass
    assert (tmp_path / "file").read_text() == "mine"
    assert host.live.show().id == "h01"


def test_bad_clients_do_no_harm(host: RunningHost) -> None:
    """Noise, huge lengths, cut and unknown messages and vanishing clients end their own connections only."""
    dice = random.Random(3)
    head = MESSAGE.struct.pack(MESSAGE_MAGIC, CONTROL, len(SHOW), 0)
    texts = [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        MESSAGE.struct.pack(MESSAGE_MAGIC, CONTROL, 0xFFFF_FFFF, 0),
        MESSAGE.struct.pack(MESSAGE_MAGIC, 77, 0, 0),
        head + SHOW[:3],
        head[:5],
        (head + SHOW) * 3,
        *(dice.randbytes(dice.randint(1, 3000)) for _ in range(100)),
        *(MESSAGE.struct.pack(MESSAGE_MAGIC, CONTROL, 50, 0) + dice.randbytes(50) for _ in range(100)),
    ]
    for text in texts:
        with (
            wire.connect(host.socket, timeout_s=5) as connection,
            contextlib.suppress(ConnectionError),  # as the host hangs up on what it has not read
        ):
            connection.sendall(text)
            if dice.random() < 0.5:
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass
    assert host.live.show().id == "h01"


def test_descriptors_from_a_client_are_closed(host: RunningHost, tmp_path: Path) -> None:
    """Descriptors that a client sends along are not kept."""
    with open(tmp_path / "mine", "w") as mine:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            with wire.connect(host.socket, timeout_s=5) as connection:
                wire.send(connection, CONTROL, SHOW, descriptors=[mine.fileno()] * 4)
                wire.receive(connection, longest=1 << 20, within_s=5)
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before, "descriptors are closed")


def test_silent_clients_do_not_keep_others_out(host: RunningHost) -> None:
    """With as many silent connections as are allowed, the longest silent gives way to whoever comes."""
    silent = [wire.connect(host.socket, timeout_s=5) for _ in range(server_module.CONNECTIONS + 20)]
    assert host.live.show().id == "h01"
    assert silent[0].recv(1) == b""
    assert ask(silent[-1], CONTROL, SHOW).kind == CONTROL
    for connection in silent:
        connection.close()


def test_many_clients_at_once(host: RunningHost) -> None:
    """More clients than connections all get their answers, while the host changes."""
    answers: list[str] = []

    def client(number: int) -> None:
        for _ in range(5):
            if number == 0:
                host.live.pause(VM)
                host.live.resume(VM)
            answers.append(host.live.show().id)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["h01"] * 1000


def test_requests_in_flight_are_answered_at_the_end(tmp_path: Path) -> None:
    """A server that is ended answers what was asked, what waits in its backlog too, and then no more."""
    listener = socket.socket(socket.AF_UNIX)
    wire.bind(listener, tmp_path / "socket")
    listener.listen(50)
    may_answer = threading.Event()

    def answer(body: bytes) -> Answer:
        may_answer.wait(30)
        return Answer(body)

    clients = []
    for number in range(10):
        clients.append(wire.connect(tmp_path / "socket", timeout_s=30))
        wire.send(clients[-1], CONTROL, b"%d" % number)
    server = Server(listener, {CONTROL: answer})
    server.begin()
    threading.Timer(0.1, may_answer.set).start()
    assert server.end(within_s=30)
    for number, client in enumerate(clients):
        message = wire.receive(client, longest=10, within_s=5)
        assert message is not None
        assert message.body == b"%d" % number
        client.close()
    with pytest.raises(OutsideError):
        wire.connect(tmp_path / "socket", timeout_s=1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_in_order(nursery: Nursery, tmp_path: Path, number: int) -> None:
    """On SIGTERM and SIGINT the snapshot says gone, the socket is removed, and what was kept is kept."""
    process = nursery.start(tmp_path / "fleet.yaml", "h01")
    process.live.pause(VM)
    with wire.connect(process.socket, timeout_s=5) as connection:
        descriptors = ask(connection, ATTACH, b"").descriptors
    os.kill(process.pid, number)
    wait_until(lambda: not process.is_alive, "the host ends")
    with mmap.mmap(descriptors[0], 0, prot=mmap.PROT_READ) as seen:
        assert seen[HEADER.offset("gone")] == 1
    wire.close_all(descriptors)
    assert not process.socket.exists()
    again = nursery.start(tmp_path / "fleet.yaml", "h01")
    assert again.live.show().vms[0].power is VmState.PAUSED


def test_a_second_process_on_one_directory_is_told(nursery: Nursery, tmp_path: Path) -> None:
    """Another process that keeps the same host's directory is one clear error, and the first lives on."""
    first = nursery.start(tmp_path / "fleet.yaml", "h01")
    with pytest.raises(RuntimeError) as caught:
        nursery.start(tmp_path / "fleet.yaml", "h01")
    assert str(caught.value) == f"{first.state_dir}: another process keeps a host there"
    assert LiveHost(first.socket).show().id == "h01"
