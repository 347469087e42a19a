"""The file of a host's socket: owner-only, listening from the start, never taken from a live host."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vgpu_migrate.errors import InputError, OutsideError, Problem
from vgpu_migrate.hostd.private_directory import make_private
from vgpu_migrate.hosts import wire

_ANSWERS_WITHIN_S = 2.0
_BACKLOG = 1024


class SocketFile:
    """A listening socket and its file.

    The file replaces that of a host that has died. It is made owner-only, beside its place, and moved there
    when it listens, so that no program ever finds one that does not.

    Args:
        path: where; a directory that is not there is made owner-only.

    Raises:
        InputError: something else is there, or others may replace what is in its directory.
        OutsideError: a live host listens there, or the file cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.ExitStack() as undo:
            undo.callback(self.listener.close)
            try:
                self._put_in_place()
            except OSError as error:
                raise OutsideError(f"{self.path}: cannot listen there: {error.strerror or error}") from error
            undo.pop_all()

    def _put_in_place(self) -> None:
        folder = self.path.parent
        make_private(folder)
        _require_safe(folder)
        with _locked(folder):
            _require_free(self.path)
            # In a directory of its own, which only its owner may enter, it is never open to others.
            with tempfile.TemporaryDirectory(prefix=".vgpu-migrate-", dir=folder) as private:
                made = Path(private) / "socket"
                wire.bind(self.listener, made)
                os.chmod(made, 0o600)
                self.listener.listen(_BACKLOG)
                there = os.stat(made)
                os.rename(made, self.path)
        self._identity = (there.st_dev, there.st_ino)

    def remove(self) -> None:
        """Remove the file, unless another host has put its own there."""
        with contextlib.suppress(OSError):
            there = os.stat(self.path, follow_symlinks=False)
            if (there.st_dev, there.st_ino) == self._identity:
                os.unlink(self.path)


def _require_safe(folder: Path) -> None:
    there = os.stat(folder)
    if not stat.S_ISDIR(there.st_mode):
        raise InputError(Problem(str(folder), "no directory", "wanted a directory for the socket"))
    others_write = there.st_mode & 0o022 and not there.st_mode & stat.S_ISVTX
    if others_write or there.st_uid not in (0, os.geteuid()):
        seen = f"belongs to user {there.st_uid}, mode {stat.S_IMODE(there.st_mode):o}"
        raise InputError(Problem(str(folder), seen, "wanted a directory where nobody else can put a socket"))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Between hosts that begin at the same time in one directory; the kernel undoes it however this ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _require_free(path: Path) -> None:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(there.st_mode):
        raise InputError(
            Problem(str(path), "something else is there", "wanted no file, or a dead host's socket")
        )
    with contextlib.suppress(OutsideError):
        wire.connect(path, timeout_s=_ANSWERS_WITHIN_S).close()
        raise InputError(Problem(str(path), "a host listens there", "wanted a path of its own"))
