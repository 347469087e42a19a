"""The kernel's FUSE protocol: requests read, answers written. It knows files, not vgpus.

Spoken directly rather than through libfuse, because what a sysfs needs of it is small, and neither a C
library nor a binding has to be there then.

Source: Linux, include/uapi/linux/fuse.h, protocol 7.31.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable
from typing import NamedTuple, Protocol

OLDEST_MINOR, OUR_MINOR = 23, 31
"""7.23 is where the answer to INIT has its present size."""

MOST_WRITTEN = 1 << 16
REQUEST_SIZE = MOST_WRITTEN + 4096
"""Room for one request: the largest write and its head."""

_ROOT = 1
_BLOCK = 4096
_FOPEN_DIRECT_IO = 1
_ATOMIC_O_TRUNC = 1 << 3

_IN_HEADER = struct.Struct("=IIQQIIII")
_OUT_HEADER = struct.Struct("=IiQ")
_INIT_IN = struct.Struct("=IIII")
_INIT_OUT = struct.Struct("=IIIIHHIIHHI7I")
_ATTRIBUTES = struct.Struct("=QQQQQQIIIIIIIIII")
_ENTRY = struct.Struct("=QQQQII")
_ATTR_OUT = struct.Struct("=QII")
_OPEN_IN = struct.Struct("=II")
_OPEN_OUT = struct.Struct("=QII")
_READ_IN = struct.Struct("=QQI")
_WRITE_OUT = struct.Struct("=II")
_HANDLE = struct.Struct("=Q")
_FORGET_ONE = struct.Struct("=QQ")
_STATFS = struct.Struct("=QQQQQIIII6I")
_DIRENT = struct.Struct("=QQII")


class Attributes(NamedTuple):
    """What `stat` says: the file's type with its permission bits, and its size in bytes."""

    mode: int
    size: int


class FileError(Exception):
    """What is asked of a file fails with this `errno`."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(os.strerror(number))


class Files(Protocol):
    """A tree of files, by path below its root, the root's path being empty. Each raises `FileError`."""

    def attributes(self, path: str) -> Attributes:
        """Type, permissions and size."""
        ...

    def names(self, path: str) -> list[tuple[str, int]]:
        """What is in a directory, each with the type bits of its mode."""
        ...

    def target(self, path: str) -> str:
        """Where a symbolic link leads."""
        ...

    def check_open(self, path: str, *, read: bool, write: bool) -> None:
        """Refuse to open a file for what it does not allow."""
        ...

    def read(self, path: str) -> bytes:
        """All that a file holds now."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Do what a write asks for."""
        ...


class FuseSession:
    """One mount: paths and open files as the kernel numbers them.

    Nothing is cached by the kernel, so that each look shows the present state.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._paths = {_ROOT: ""}
        self._numbers = {"": _ROOT}
        self._lookups: dict[int, int] = {}
        self._next_number = _ROOT + 1
        self._open: dict[int, bytes | list[tuple[str, int]] | None] = {}
        self._next_handle = 1
        self._calls: dict[int, Callable[[int, memoryview], bytes]] = {
            1: self._lookup,
            3: self._getattr,
            4: self._getattr,  # SETATTR: a truncation before a write, which means nothing here
            5: self._readlink,
            14: self._open_file,
            15: self._read,
            16: self._write,
            17: self._statfs,
            18: self._release,
            20: _nothing,  # FSYNC
            25: _nothing,  # FLUSH
            26: self._init,
            27: self._open_directory,
            28: self._read_directory,
            29: self._release,
            38: _nothing,  # DESTROY
        }
        refusals = {6: errno.EPERM, 8: errno.EACCES, 9: errno.EPERM, 10: errno.EPERM, 11: errno.EPERM}
        # SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR above; RENAME, LINK, CREATE, RENAME2.
        self._refusals = refusals | {
            12: errno.EPERM,
            13: errno.EPERM,
            35: errno.EACCES,
            45: errno.EPERM,
        }

    def answer(self, request: bytes) -> bytes | None:
        """The answer to one request; None where the kernel wants none."""
        length, code, unique, node, *_ = _IN_HEADER.unpack_from(request)
        assert length == len(request)
        body = memoryview(request)[_IN_HEADER.size :]
        if code == 2:
            self._forget(node, *_HANDLE.unpack_from(body))
            return None
        if code == 42:
            count = struct.unpack_from("=I", body)[0]
            for one in _FORGET_ONE.iter_unpack(body[8 : 8 + count * _FORGET_ONE.size]):
                self._forget(*one)
            return None
        if code == 36:  # INTERRUPT: no request takes long
            return None
        call = self._calls.get(code)
        if call is None:
            return _failed(unique, self._refusals.get(code, errno.ENOSYS))
        try:
            data = call(node, body)
        except FileError as error:
            return _failed(unique, error.number)
        return _OUT_HEADER.pack(_OUT_HEADER.size + len(data), 0, unique) + data

    def _path(self, node: int) -> str:
        path = self._paths.get(node)
        if path is None:
            raise FileError(errno.ESTALE)
        return path

    def _init(self, _: int, body: memoryview) -> bytes:
        major, minor, read_ahead, flags = _INIT_IN.unpack_from(body)
        if major != 7 or minor < OLDEST_MINOR:
            raise FileError(errno.EPROTO)
        return _INIT_OUT.pack(
            7,
            min(minor, OUR_MINOR),
            read_ahead,
            flags & _ATOMIC_O_TRUNC,
            16,
            12,
            MOST_WRITTEN,
            1,
            0,
            0,
            *[0] * 8,
        )

    def _lookup(self, node: int, body: memoryview) -> bytes:
        name = bytes(body).rstrip(b"\0").decode("utf-8", "surrogateescape")
        parent = self._path(node)
        path = f"{parent}/{name}" if parent else name
        attributes = self._files.attributes(path)
        number = self._numbers.get(path)
        if number is None:
            number, self._next_number = self._next_number, self._next_number + 1
            self._numbers[path], self._paths[number] = number, path
        self._lookups[number] = self._lookups.get(number, 0) + 1
        return _ENTRY.pack(number, 0, 0, 0, 0, 0) + _attributes(number, attributes)

    def _forget(self, node: int, count: int) -> None:
        left = self._lookups.get(node, 0) - count
        if left > 0:
            self._lookups[node] = left
        elif node != _ROOT and node in self._paths:
            self._lookups.pop(node, None)
            del self._numbers[self._paths.pop(node)]

    def _getattr(self, node: int, _: memoryview) -> bytes:
        return _ATTR_OUT.pack(0, 0, 0) + _attributes(node, self._files.attributes(self._path(node)))

    def _readlink(self, node: int, _: memoryview) -> bytes:
        return self._files.target(self._path(node)).encode("utf-8", "surrogateescape")

    def _opened(self, content: list[tuple[str, int]] | None, flags: int) -> bytes:
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self._open[handle] = content
        return _OPEN_OUT.pack(handle, flags, 0)

    def _open_file(self, node: int, body: memoryview) -> bytes:
        access = _OPEN_IN.unpack_from(body)[0] & os.O_ACCMODE
        self._files.check_open(self._path(node), read=access != os.O_WRONLY, write=access != os.O_RDONLY)
        # Direct: what is read is never kept, and ends where the content does, whatever size stat shows.
        return self._opened(None, _FOPEN_DIRECT_IO)

    def _read(self, node: int, body: memoryview) -> bytes:
        handle, offset, size = _READ_IN.unpack_from(body)
        content = self._open.get(handle)
        if offset == 0 or not isinstance(content, bytes):
            content = self._open[handle] = self._files.read(self._path(node))
        return content[offset : offset + size]

    def _write(self, node: int, body: memoryview) -> bytes:
        _, _, size = _READ_IN.unpack_from(body)
        data = bytes(body[40 : 40 + size])
        self._files.write(self._path(node), data)
        return _WRITE_OUT.pack(len(data), 0)

    def _release(self, _: int, body: memoryview) -> bytes:
        self._open.pop(_HANDLE.unpack_from(body)[0], None)
        return b""

    def _open_directory(self, node: int, _: memoryview) -> bytes:
        # Kept for as long as it is open, so that a listing in several parts is of one moment.
        listed = [(".", stat.S_IFDIR), ("..", stat.S_IFDIR), *self._files.names(self._path(node))]
        return self._opened(listed, 0)

    def _read_directory(self, _: int, body: memoryview) -> bytes:
        handle, offset, size = _READ_IN.unpack_from(body)
        listed = self._open.get(handle)
        assert isinstance(listed, list)
        answer = bytearray()
        for position, (name, kind) in enumerate(listed[offset:], offset + 1):
            spelled = name.encode("utf-8", "surrogateescape")
            entry = _DIRENT.pack(_UNKNOWN_INODE, position, len(spelled), stat.S_IFMT(kind) >> 12) + spelled
            entry += bytes(-len(entry) % 8)
            if len(answer) + len(entry) > size:
                break
            answer += entry
        return bytes(answer)

    def _statfs(self, _: int, __: memoryview) -> bytes:
        return _STATFS.pack(0, 0, 0, 0, 0, _BLOCK, 255, _BLOCK, *[0] * 7)


_UNKNOWN_INODE = 0xFFFF_FFFF
"""The inode number in a listing where a look-up would tell."""


def _nothing(_: int, __: memoryview) -> bytes:
    return b""


def _failed(unique: int, number: int) -> bytes:
    return _OUT_HEADER.pack(_OUT_HEADER.size, -number, unique)


def _attributes(number: int, one: Attributes) -> bytes:
    links = 2 if stat.S_ISDIR(one.mode) else 1
    return _ATTRIBUTES.pack(
        number, one.size, 0, 0, 0, 0, 0, 0, 0, one.mode, links, os.getuid(), os.getgid(), 0, _BLOCK, 0
    )
