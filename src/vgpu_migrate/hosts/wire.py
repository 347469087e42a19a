"""Messages on a simulated host's Unix socket: a head, then what follows it; descriptors beside it.

The head is `snapshot.layout.MESSAGE`. Every wait has an end and every length a limit, on both sides, so that
neither a slow nor a broken peer holds the other.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from vgpu_migrate.errors import OutsideError
from vgpu_migrate.snapshot.layout import MESSAGE, MESSAGE_MAGIC

LONGEST_REQUEST = 4 << 20
"""Bytes of a request at most: a VM with its records needs some thousands."""
LONGEST_ANSWER = 64 << 20
"""Bytes of an answer at most: the view of a host with 512 vgpus is under one million."""
DESCRIPTORS_AT_MOST = 4
LONGEST_PATH = 107
"""Bytes of a Unix socket's path at most; longer ones are reached through their directory's descriptor."""

_INT = array.array("i").itemsize


class MessageError(OutsideError):
    """The peer's bytes are no message of ours, too long, too late, or end in the middle."""


class Message(NamedTuple):
    """What came: its kind, what followed the head, and the descriptors beside it (the caller's to close)."""

    kind: int
    body: bytes
    descriptors: tuple[int, ...] = ()


def connect(path: str | Path, *, timeout_s: float) -> socket.socket:
    """A connection to the host at a socket; its later waits end after the same time.

    Raises:
        OutsideError: nobody listens there, it is no socket, or it may not be reached.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with _Address(path) as address:
            connection.connect(address)
    except TimeoutError:
        connection.close()
        raise OutsideError(f"{path}: the host there does not take the call in {timeout_s:g} s") from None
    except OSError as error:
        connection.close()
        raise OutsideError(f"{path}: no host can be reached there: {_reason(error)}") from None
    return connection


def bind(listener: socket.socket, path: str | Path) -> None:
    """Bind a socket to a path of any length; raises what `socket.bind` raises."""
    with _Address(path) as address:
        listener.bind(address)


class _Address:
    """A path as a Unix socket's address: one that is too long goes through a descriptor of its directory."""

    def __init__(self, path: str | Path) -> None:
        self._path = os.fspath(path)
        self._directory: int | None = None

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) <= LONGEST_PATH:
            return self._path
        folder, name = os.path.split(self._path)
        self._directory = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._directory}/{name}"

    def __exit__(self, *_: object) -> None:
        if self._directory is not None:
            os.close(self._directory)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def send(connection: socket.socket, kind: int, body: bytes = b"", *, descriptors: Sequence[int] = ()) -> None:
    """Send one message.

    Raises:
        MessageError: the peer is gone, or does not read in time.
    """
    data = memoryview(MESSAGE.struct.pack(MESSAGE_MAGIC, kind, len(body), 0) + body)
    beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    try:
        # The descriptors go with the first bytes, and once.
        sent = connection.sendmsg([data], beside, socket.MSG_NOSIGNAL)
        if sent < len(data):
            connection.sendall(data[sent:], socket.MSG_NOSIGNAL)
    except TimeoutError:
        raise MessageError("the peer does not read what is sent to it") from None
    except OSError as error:
        raise MessageError(f"the connection broke: {_reason(error)}") from None


def receive(
    connection: socket.socket, *, longest: int, within_s: float, idle_s: float | None = None
) -> Message | None:
    """The next message, or None where the peer has ended the conversation between two messages.

    Args:
        connection: where it comes from.
        longest: bytes that may follow the head.
        within_s: seconds for the whole message, from its first byte on.
        idle_s: seconds to wait for its first byte; as long as for the message by default.

    Raises:
        MessageError: what came is no message, or not in time.
    """
    descriptors: list[int] = []
    with contextlib.ExitStack() as undo:
        undo.callback(close_all, descriptors)
        connection.settimeout(within_s if idle_s is None else idle_s)
        first = _receive_some(connection, MESSAGE.size, descriptors)
        if not first:
            return None
        deadline = time.monotonic() + within_s
        head = first + _receive_exactly(connection, MESSAGE.size - len(first), deadline, descriptors)
        magic, kind, length, _ = MESSAGE.struct.unpack(head)
        if magic != MESSAGE_MAGIC:
            raise MessageError(f"the peer sends no message of ours: it starts with {head[:4]!r}")
        if length > longest:
            raise MessageError(f"the peer announces {length} bytes; wanted at most {longest}")
        body = _receive_exactly(connection, length, deadline, descriptors)
        undo.pop_all()
    return Message(kind, body, tuple(descriptors))


def _receive_exactly(connection: socket.socket, count: int, deadline: float, descriptors: list[int]) -> bytes:
    parts: list[bytes] = []
    while count > 0:
        left = deadline - time.monotonic()
        if left <= 0:
            raise MessageError("the peer does not end its message in time")
        connection.settimeout(left)
        part = _receive_some(connection, min(count, 1 << 20), descriptors)
        if not part:
            raise MessageError("the peer ended in the middle of a message")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _receive_some(connection: socket.socket, most: int, descriptors: list[int]) -> bytes:
    try:
        data, beside, _, _ = connection.recvmsg(
            most, socket.CMSG_SPACE(DESCRIPTORS_AT_MOST * _INT), socket.MSG_CMSG_CLOEXEC
        )
    except TimeoutError:
        raise MessageError("the peer says nothing in time") from None
    except OSError as error:
        raise MessageError(f"the connection broke: {_reason(error)}") from None
    for level, kind, content in beside:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found = array.array("i")
            found.frombytes(content[: len(content) - len(content) % _INT])
            descriptors.extend(found)
    return data


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that came with a message."""
    for descriptor in descriptors:
        os.close(descriptor)


def to_json(value: object) -> bytes:
    """Plain data as JSON."""
    return msgspec.json.encode(value)


def from_json(data: bytes) -> dict[str, Any]:
    """The JSON object that followed a head.

    Raises:
        MessageError: it is no JSON, or no object.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MessageError(f"the peer sends no JSON: {error}") from None
    if not isinstance(value, dict):
        raise MessageError(f"the peer sends a JSON {type(value).__name__}; wanted an object")
    return value
