"""The tree as files: the present state at each look, and beside it, if wanted, the rest of a real sysfs."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from typing import TypeVar

from vgpu_migrate.manager import HostState
from vgpu_migrate.sysfs.fuse import Attributes, FileError
from vgpu_migrate.sysfs.inventory import SysfsModel
from vgpu_migrate.sysfs.nodes import Action, Directory, File, Link, Node
from vgpu_migrate.sysfs.tree import sysfs_tree
from vgpu_migrate.sysfs.writes import Callbacks, do_write

T = TypeVar("T")

ATTRIBUTE_SIZE = 4096
"""What the kernel says of every attribute's size, whatever is in it."""


class HostFiles:
    """The files of one host. Each look is at the state of that moment."""

    def __init__(
        self,
        *,
        state: Callable[[], HostState],
        host: Callbacks,
        model: SysfsModel = SysfsModel.AUTO,
        rest: RestOfSysfs | None = None,
    ) -> None:
        self._state = state
        self._host = host
        self._model = model
        self._rest = rest
        self._shown: tuple[HostState, Directory] | None = None

    def _tree(self) -> Directory:
        state = self._state()
        if self._shown is None or self._shown[0] is not state:
            self._shown = (state, sysfs_tree(state, self._model))
        return self._shown[1]

    def _ours(self, path: str) -> Node:
        node = self._tree().find(path)
        if node is None:
            raise FileError(errno.ENOENT)
        return node

    def attributes(self, path: str) -> Attributes:
        """Type, permissions and size as sysfs has them."""
        node = self._tree().find(path)
        if node is None and self._rest is not None:
            return self._rest.attributes(path)
        match node:
            case None:
                raise FileError(errno.ENOENT)
            case Directory():
                return Attributes(stat.S_IFDIR | 0o755, 0)
            case Link():
                return Attributes(stat.S_IFLNK | 0o777, len(node.target))
            case File():
                return Attributes(stat.S_IFREG | node.mode, ATTRIBUTE_SIZE)

    def names(self, path: str) -> list[tuple[str, int]]:
        """What is in a directory: ours first, then what else the real one has."""
        node = self._tree().find(path)
        if node is None and self._rest is not None:
            return self._rest.names(path)
        if node is None:
            raise FileError(errno.ENOENT)
        if not isinstance(node, Directory):
            raise FileError(errno.ENOTDIR)
        listed = {name: _type(one) for name, one in node.entries.items()}
        if self._rest is not None:
            with contextlib.suppress(FileError):
                listed = {**dict(self._rest.names(path)), **listed}
        return list(listed.items())

    def target(self, path: str) -> str:
        """Where a link leads."""
        node = self._tree().find(path)
        if node is None and self._rest is not None:
            return self._rest.target(path)
        if not isinstance(node, Link):
            raise FileError(errno.ENOENT if node is None else errno.EINVAL)
        return node.target

    def check_open(self, path: str, *, read: bool, write: bool) -> None:
        """Refuse what the mode refuses, to root as well: so does sysfs."""
        mode = self.attributes(path).mode
        if (read and not mode & 0o444) or (write and not mode & 0o222):
            raise FileError(errno.EACCES)

    def read(self, path: str) -> bytes:
        """What an attribute holds now."""
        node = self._tree().find(path)
        if node is None and self._rest is not None:
            return self._rest.read(path)
        if not isinstance(node, File):
            raise FileError(errno.ENODEV if node is None else errno.EISDIR)
        return node.content

    def write(self, path: str, data: bytes) -> None:
        """Hand a write to the host."""
        action: Action | None = None
        node = self._ours(path)
        if isinstance(node, File):
            action = node.action
        if action is None:
            raise FileError(errno.EACCES)
        do_write(action, data, self._host)


def _type(node: Node) -> int:
    match node:
        case Directory():
            return stat.S_IFDIR
        case Link():
            return stat.S_IFLNK
        case File():
            return stat.S_IFREG


class RestOfSysfs:
    """A real sysfs to look at, never to write to; what is mounted below it stays hidden.

    It is kept open, so that it can be read after something was bound over its path.
    """

    MOST_READ = 1 << 20

    def __init__(self, path: str = "/sys") -> None:
        self._descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._device = os.fstat(self._descriptor).st_dev

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def _stat(self, path: str) -> os.stat_result:
        found = _try(lambda: os.stat(path or ".", dir_fd=self._descriptor, follow_symlinks=False))
        if found.st_dev != self._device:
            # Other filesystems hang there, some with files whose reading changes or waits for something.
            raise FileError(errno.ENOENT)
        return found

    def attributes(self, path: str) -> Attributes:
        """Its own, without the right to write."""
        found = self._stat(path)
        return Attributes(
            found.st_mode if stat.S_ISLNK(found.st_mode) else found.st_mode & ~0o222, found.st_size
        )

    def names(self, path: str) -> list[tuple[str, int]]:
        """What is in a directory."""
        self._stat(path)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = _try(lambda: os.open(path or ".", flags, dir_fd=self._descriptor))
        try:
            with os.scandir(descriptor) as entries:
                return [(entry.name, _type_of_entry(entry)) for entry in entries]
        finally:
            os.close(descriptor)

    def target(self, path: str) -> str:
        """Where a link leads."""
        self._stat(path)
        return _try(lambda: os.readlink(path, dir_fd=self._descriptor))

    def read(self, path: str) -> bytes:
        """What a file holds, up to a limit."""
        self._stat(path)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = _try(lambda: os.open(path, flags, dir_fd=self._descriptor))
        try:
            parts: list[bytes] = []
            while part := _try(lambda: os.read(descriptor, self.MOST_READ)):
                parts.append(part)
                if sum(map(len, parts)) >= self.MOST_READ:
                    break
            return b"".join(parts)
        finally:
            os.close(descriptor)


def _type_of_entry(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK
    return stat.S_IFDIR if entry.is_dir(follow_symlinks=False) else stat.S_IFREG


def _try(call: Callable[[], T]) -> T:
    try:
        return call()
    except OSError as error:
        raise FileError(error.errno or errno.EIO) from error
