"""The socket of a live host: a thread for each connection, none of which can harm the host or each other."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from vgpu_migrate.hosts import wire

MESSAGE_S = 5.0
"""Seconds in which a message must begin, and in which the rest of it must follow."""
CONNECTIONS = 128
"""So many at once; one more, and the one that has kept silent for longest is ended."""
WAITING = 4
"""So many threads wait for connections at least."""
SILENT_S = 0.2
"""Seconds that a connection may keep silent however many others want its place."""
_RETRY_S = 0.05
_CREDENTIALS = struct.Struct("3i")


class Answer(NamedTuple):
    """What is sent back, with descriptors beside it."""

    body: bytes
    descriptors: tuple[int, ...] = ()


class Server:
    """Serves a listening socket until it is ended.

    Whichever thread takes a connection serves it: to hand it to another would double the time that a setter
    takes. A few threads wait for connections; the last of them to get one begins another first.

    Args:
        listener: the socket.
        answers: for each kind of message, what answers it.
    """

    def __init__(self, listener: socket.socket, answers: Mapping[int, Callable[[bytes], Answer]]) -> None:
        self._listener = listener
        self._answers = answers
        self._change = threading.Condition()
        self._connections: dict[socket.socket, float | None] = {}
        self._threads = 0
        self._waiting = 0
        self._is_ending = False

    def begin(self) -> None:
        """Begin to serve."""
        for _ in range(WAITING):
            self._begin_thread()

    def _begin_thread(self) -> None:
        with self._change:
            self._threads += 1
            self._waiting += 1
        threading.Thread(target=self._accept_and_serve, name="server", daemon=True).start()

    def end(self, *, within_s: float) -> bool:
        """Take no more connections, and let requests that came be answered; whether all were in time."""
        with self._change:
            self._is_ending = True
            # Those that had connected before are still accepted.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            deadline = time.monotonic() + within_s
            while self._threads and time.monotonic() < deadline:
                for connection, silent_since in self._connections.items():
                    if silent_since is not None:
                        _hang_up(connection)
                self._change.wait(_RETRY_S)
            is_over = not self._threads
        self._listener.close()
        return is_over

    def _accept_and_serve(self) -> None:
        while True:
            connection = self._accept()
            if connection is None:
                break
            with self._change:
                self._waiting -= 1
                self._make_room()
                self._connections[connection] = time.monotonic()
                is_last = self._waiting == 0
            if is_last:
                self._begin_thread()
            self._serve(connection)
            with self._change:
                if self._waiting >= WAITING:
                    self._threads -= 1
                    self._change.notify_all()
                    return
                self._waiting += 1
        with self._change:
            self._waiting -= 1
            self._threads -= 1
            self._change.notify_all()

    def _accept(self) -> socket.socket | None:
        """The next trusted connection; None at the end, once all that had connected are accepted."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self._is_ending:
                    return None
                time.sleep(_RETRY_S)  # no descriptor is free just now
                continue
            if _is_trusted(connection):
                return connection
            connection.close()

    def _make_room(self) -> None:
        while len(self._connections) >= CONNECTIONS:
            silent = {one: since for one, since in self._connections.items() if since is not None}
            longest = min(silent, key=silent.__getitem__, default=None)
            if longest is not None and silent[longest] < time.monotonic() - SILENT_S:
                self._connections[longest] = None
                _hang_up(longest)
            self._change.wait(_RETRY_S)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                while self._converse(connection):
                    pass
        except wire.MessageError:
            pass  # a bad or lost client; nothing is owed to it
        finally:
            with self._change:
                self._connections.pop(connection, None)
                self._change.notify_all()

    def _converse(self, connection: socket.socket) -> bool:
        """One request and its answer; whether there may be another."""
        message = wire.receive(connection, longest=wire.LONGEST_REQUEST, within_s=MESSAGE_S)
        if message is None:
            return False
        wire.close_all(message.descriptors)
        answer = self._answers.get(message.kind)
        if answer is None:
            return False
        with self._change:
            self._connections[connection] = None
        body, descriptors = answer(message.body)
        connection.settimeout(MESSAGE_S)
        wire.send(connection, message.kind, body, descriptors=descriptors)
        with self._change:
            self._connections[connection] = time.monotonic()
            return not self._is_ending


def _is_trusted(connection: socket.socket) -> bool:
    """Whether the other end is this user's or root's, whatever the file's mode says by now."""
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return False
    return _CREDENTIALS.unpack(data)[1] in (0, os.geteuid())


def _hang_up(connection: socket.socket) -> None:
    """Take nothing more from a client; what it has sent is still read, and answered."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
