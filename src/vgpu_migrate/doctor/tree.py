"""Files below a root directory: a machine's own, or a tree that was captured on another one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from vgpu_migrate.errors import InputError, Problem

MOST_BYTES = 64 << 10
"""Bytes that are read of a file; those of sysfs have less than a page."""
MOST_LINE_BYTES = 64 << 20
"""Bytes that are read of a long list, such as the kernel's symbols."""


class HostTree:
    """A host's files, named by their absolute paths there. What cannot be read is None.

    No link leads out of the root: a captured tree may come from anywhere.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = os.path.realpath(root)
        self.is_this_machine = self._root == "/"

    def path(self, path: str) -> Path:
        """Where a file of the host lies here."""
        return Path(self._root + path) if not self.is_this_machine else Path(path)

    def file(self, path: str) -> Path:
        """Where a file of the host lies here, for a reader of its own.

        Raises:
            InputError: it is a link that leads out of the root.
        """
        if self._inside(path) is None:
            raise InputError(Problem(str(self.path(path)), "a link out of the tree", "wanted a file in it"))
        return self.path(path)

    def text(self, path: str) -> str | None:
        """The text of a small file, without blanks around it."""
        found = b"".join(self._blocks(path, MOST_BYTES))
        return found.decode("utf-8", "backslashreplace").strip() if self.is_file(path) else None

    def number(self, path: str) -> int | None:
        """The number that a small file holds."""
        said = self.text(path)
        return int(said) if said is not None and said.isascii() and said.isdigit() else None

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of a long file, without their ends; none where it cannot be read."""
        rest = b""
        for block in self._blocks(path, MOST_LINE_BYTES):
            *whole, rest = (rest + block).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a directory, in order."""
        inside = self._inside(path)
        try:
            return tuple(sorted(os.listdir(inside))) if inside is not None else ()
        except OSError:
            return ()

    def is_file(self, path: str) -> bool:
        """Whether a regular file can be read there."""
        inside = self._inside(path)
        return inside is not None and os.path.isfile(inside) and os.access(inside, os.R_OK)

    def is_there(self, path: str) -> bool:
        """Whether anything is there."""
        inside = self._inside(path)
        return inside is not None and os.path.exists(inside)

    def link(self, path: str) -> str | None:
        """The last part of what a link points to."""
        try:
            return os.path.basename(os.readlink(self.path(path)))
        except OSError:
            return None

    def _inside(self, path: str) -> str | None:
        """The file behind all links, if it is below the root."""
        found = os.path.realpath(self.path(path))
        return found if self.is_this_machine or found.startswith(self._root + os.sep) else None

    def _blocks(self, path: str, most: int) -> Iterator[bytes]:
        inside = self._inside(path)
        if inside is None:
            return
        try:
            descriptor = os.open(inside, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return
            left = most
            while left > 0 and (block := os.read(descriptor, min(left, 1 << 20))):
                left -= len(block)
                yield block
        except OSError:
            return
        finally:
            os.close(descriptor)
