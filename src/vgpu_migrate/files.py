"""Files: read whole, and written so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from vgpu_migrate.errors import InputError, OutsideError, Problem

STDIN = "-"
_PIECE = 1 << 20
_BAD_PATHS = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENXIO})


def read_bytes(
    path: str | Path, *, what: str = "a file", stdin: BinaryIO | None = None, most: int | None = None
) -> bytes:
    """The bytes of a file, or of standard input where the path is `-`.

    Args:
        path: the file, or `-`.
        what: what was wanted, for messages: "a fleet file".
        stdin: the stream that `-` stands for; the process's own by default.
        most: bytes; no more than one behind them is read, so that a device never fills the memory.

    Raises:
        InputError: there is no such file, it is a directory, it may not be read, or it is larger.
        OutsideError: the disk or the stream failed.
    """
    wanted = f"wanted {what}"
    try:
        if str(path) == STDIN:
            data = _read(_standard_input(stdin), most)
        else:
            with open(path, "rb") as file:
                data = _read(file, most)
    except FileNotFoundError:
        raise InputError(Problem(str(path), "no such file", wanted)) from None
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise InputError(Problem(str(path), (error.strerror or "unreadable").lower(), wanted)) from None
    except ValueError:  # a NUL in the path
        raise InputError(Problem(repr(str(path)), "not a path", wanted)) from None
    except OSError as error:
        if error.filename is not None and error.errno in _BAD_PATHS:
            raise InputError(Problem(str(path), error.strerror or "not a path", wanted)) from None
        raise OutsideError(f"{path}: cannot be read: {error.strerror or error}") from error
    if most is not None and len(data) > most:
        raise InputError(Problem(str(path), f"more than {most} bytes", wanted))
    return data


def _read(file: BinaryIO, most: int | None) -> bytes:
    """All of a stream, or at most one byte more than so many; memory grows with what is there."""
    if most is None:
        return file.read()
    found = io.BytesIO()
    while (left := most + 1 - found.tell()) and (piece := file.read(min(left, _PIECE))):
        found.write(piece)
    return found.getvalue()


def _standard_input(given: BinaryIO | None) -> BinaryIO:
    if given is not None:
        return given
    if sys.stdin is None:
        raise InputError(Problem("standard input", "closed", "wanted something to read there"))
    return sys.stdin.buffer


def atomic_write(path: str | Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all: beside it, to the disk, then in its place.

    What is there and is no regular file (a device, a pipe) stays what it is and is written into.

    Args:
        path: the file; one that is there is replaced, a symbolic link's target rather than the link.
        data: what it shall hold.
        mode: its permission bits, whatever those of the file before and the umask; owner-only by default.

    Raises:
        InputError: its directory does not exist, or the path is a directory.
        OutsideError: it cannot be written; what was there before is still there.
    """
    if _is_special(path):
        _write_into(path, data)
        return
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise InputError(Problem(str(path), f"no directory {target.parent}", "wanted a file to write"))
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        temporary = None
        _sync_directory(target.parent)
    except OSError as error:
        raise OutsideError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _is_special(path: str | Path) -> bool:
    """Whether something is there that is neither a regular file nor a directory, which is refused."""
    try:
        there = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise InputError(Problem(str(path), reason.lower(), "wanted a file to write")) from None
    if stat.S_ISDIR(there.st_mode):
        raise InputError(Problem(str(path), "is a directory", "wanted a file to write"))
    return not stat.S_ISREG(there.st_mode)


def _write_into(path: str | Path, data: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise OutsideError(f"{path}: cannot be written: {error.strerror or error}") from error


def _sync_directory(directory: Path) -> None:
    """Make a rename last through a power failure."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
