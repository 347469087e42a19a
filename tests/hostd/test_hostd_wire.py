"""Messages on the socket: framing, limits, descriptors."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgpu_migrate.errors import OutsideError
from vgpu_migrate.hosts import wire
from vgpu_migrate.snapshot.layout import CONTROL, MESSAGE, MESSAGE_MAGIC

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The two ends of a connection."""
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def read(end: socket.socket, *, longest: int = 100, within_s: float = 0.1) -> wire.Message | None:
    """The next message."""
    return wire.receive(end, longest=longest, within_s=within_s)


def test_a_message_arrives_as_it_was_sent(ends: Ends) -> None:
    """Kind and body arrive, and the next message begins where this one ends."""
    wire.send(ends[0], CONTROL, b"first")
    wire.send(ends[0], CONTROL + 1, b"")
    assert read(ends[1]) == (CONTROL, b"first", ())
    assert read(ends[1]) == (CONTROL + 1, b"", ())


@given(st.binary(max_size=50), st.lists(st.integers(1, 10), min_size=1, max_size=5))
def test_a_message_may_come_in_any_pieces(body: bytes, sizes: list[int]) -> None:
    """However the bytes are cut, the same message is read."""
    left, right = socket.socketpair()
    with left, right:
        data = MESSAGE.struct.pack(MESSAGE_MAGIC, CONTROL, len(body), 0) + body

        def send() -> None:
            start, turn = 0, 0
            while start < len(data):
                size = sizes[turn % len(sizes)]
                left.sendall(data[start : start + size])
                start, turn = start + size, turn + 1

        sender = threading.Thread(target=send)
        sender.start()
        assert read(right, within_s=5) == (CONTROL, body, ())
        sender.join()


def test_descriptors_come_beside_a_message(ends: Ends, tmp_path: Path) -> None:
    """A descriptor sent with a message is another one of the same file, not inherited by children."""
    (tmp_path / "file").write_text("seen")
    with open(tmp_path / "file") as file:
        wire.send(ends[0], CONTROL, b"with it", descriptors=[file.fileno()])
    message = read(ends[1])
    assert message is not None
    (descriptor,) = message.descriptors
    assert not os.get_inheritable(descriptor)
    assert os.pread(descriptor, 10, 0) == b"seen"
    wire.close_all(message.descriptors)


def test_the_end_between_messages_is_no_error(ends: Ends) -> None:
    """A peer that ends between two messages has nothing more to say."""
    ends[0].close()
    assert read(ends[1]) is None


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "the peer sends no message of ours: it starts with b'GET '"),
        (MESSAGE.struct.pack(MESSAGE_MAGIC, 1, 101, 0), "the peer announces 101 bytes; wanted at most 100"),
        (MESSAGE.struct.pack(MESSAGE_MAGIC, 1, 10, 0) + b"half", "the peer ended in the middle of a message"),
        (b"VGMm", "the peer ended in the middle of a message"),
    ],
    ids=["foreign", "too long", "cut body", "cut head"],
)
def test_what_is_no_message_is_an_error(ends: Ends, sent: bytes, said: str) -> None:
    """Foreign bytes, a length over the limit and an end in the middle are told apart."""
    ends[0].sendall(sent)
    ends[0].close()
    with pytest.raises(wire.MessageError, match=f"^{re.escape(said)}$"):
        read(ends[1])


def test_a_silent_peer_is_not_waited_for(ends: Ends) -> None:
    """No first byte in time, or a message that does not end in time, is an error."""
    with pytest.raises(wire.MessageError, match=r"^the peer says nothing in time$"):
        read(ends[1])
    ends[0].sendall(b"VGMm")
    with pytest.raises(wire.MessageError, match=r"^the peer says nothing in time$"):
        read(ends[1])


def test_a_peer_that_does_not_read_is_not_waited_for(ends: Ends) -> None:
    """An answer that nobody takes ends with an error once the kernel's buffer is full."""
    ends[0].settimeout(0.1)
    with pytest.raises(wire.MessageError, match=r"^the peer does not read what is sent to it$"):
        wire.send(ends[0], CONTROL, b"x" * (8 << 20))


def test_a_path_of_any_length_is_reached(tmp_path: Path) -> None:
    """A socket whose path is too long for the kernel is bound and connected through its directory."""
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        wire.bind(listener, folder / "socket")
        listener.listen()
        wire.connect(folder / "socket", timeout_s=1).close()


def test_nobody_there_is_said(tmp_path: Path) -> None:
    """A path without a host is an `OutsideError` that names the path and the reason."""
    path = tmp_path / "nobody"
    with pytest.raises(OutsideError) as caught:
        wire.connect(path, timeout_s=1)
    assert str(caught.value) == f"{path}: no host can be reached there: no such file or directory"


@pytest.mark.parametrize("data", [b"", b"[1]", b"\xff", b"[" * 100_000, b'{"a":'])
def test_what_is_no_json_object_is_an_error(data: bytes) -> None:
    """Broken, deep and other JSON is a message error, never anything else."""
    with pytest.raises(wire.MessageError):
        wire.from_json(data)
