"""A host for the library to attach to: a publisher behind a socket, and what clients asked of it."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from vgpu_migrate.snapshot import Publisher
from vgpu_migrate.snapshot.layout import ATTACH, CALL, CALL_ANSWER, CALL_BODY, MESSAGE, MESSAGE_MAGIC


class Call(NamedTuple):
    """A setter as it came: function and gpu by number, and its four arguments."""

    function: int
    gpu: int
    arguments: tuple[int, ...]


class ServingHost:
    """Serves two descriptors at a path until it is closed. `answer` is what every setter is told."""

    def __init__(self, path: Path, descriptors: tuple[int, ...]) -> None:
        self.path = path
        self.descriptors = descriptors
        self.calls: list[Call] = []
        self.answer: Callable[[Call], int] = lambda call: 0
        self.attach_answer: bytes | None = None
        self.on_attach: Callable[[], object] = lambda: None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, suppress(OSError, struct.error):
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        _, kind, length, _ = MESSAGE.struct.unpack(_exactly(client, MESSAGE.size))
        body = _exactly(client, length)
        if kind == ATTACH:
            data = MESSAGE.struct.pack(MESSAGE_MAGIC, ATTACH, 4, 0) + struct.pack("<i", 0)
            data = data if self.attach_answer is None else self.attach_answer
            self.on_attach()
            socket.send_fds(client, [data], list(self.descriptors))
        elif kind == CALL:
            function, gpu, *arguments = CALL_BODY.struct.unpack(body)
            call = Call(function, gpu, tuple(arguments))
            self.calls.append(call)
            head = MESSAGE.struct.pack(MESSAGE_MAGIC, CALL, CALL_ANSWER.size, 0)
            client.sendall(head + CALL_ANSWER.struct.pack(self.answer(call), 0, 0))

    def close(self) -> None:
        """Serve no more and take the path away."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = client.recv(size - len(data))
        if not part:
            raise OSError("the client has gone")
        data += part
    return data


@contextmanager
def serving(publisher: Publisher, path: Path) -> Iterator[ServingHost]:
    """A publisher served at a path, which `VGPU_MIGRATE_HOST` names meanwhile."""
    before = os.environ.get("VGPU_MIGRATE_HOST")
    with ServingHost(path, publisher.descriptors()) as host:
        host.on_attach = publisher.descriptors  # as hostd asks for them each time
        os.environ["VGPU_MIGRATE_HOST"] = str(path)
        try:
            yield host
        finally:
            if before is None:
                del os.environ["VGPU_MIGRATE_HOST"]
            else:
                os.environ["VGPU_MIGRATE_HOST"] = before


def load(library: Path, folder: Path) -> ctypes.CDLL:
    """The library loaded anew, with a state of its own: a copy, because one file is loaded once a process."""
    number = sum(1 for _ in folder.iterdir())
    copy = folder / f"{number}-{library.name}"
    shutil.copy(library, copy)
    return ctypes.CDLL(str(copy))
