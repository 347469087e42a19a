"""A piece of sealed shared memory."""

from __future__ import annotations

import fcntl
import mmap
import os
from contextlib import suppress

from vgpu_migrate.errors import OutsideError

# Not in Python's fcntl module; the kernel's own number, since 5.1.
F_SEAL_FUTURE_WRITE = 0x10


class SharedMemory:
    """Shared memory without a name in any file system, mapped for writing by its maker.

    Args:
        name: shown by the kernel where it lists maps and descriptors.
        size: bytes, all zero.

    Raises:
        OutsideError: the kernel gives none.
    """

    def __init__(self, name: str, size: int) -> None:
        try:
            self.descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError as error:
            raise OutsideError(f"shared memory {name}: {error.strerror}") from error
        try:
            os.fchmod(self.descriptor, 0o600)
            os.ftruncate(self.descriptor, size)
            self._map = mmap.mmap(self.descriptor, size)
        except OSError as error:
            os.close(self.descriptor)
            raise OutsideError(f"shared memory {name} of {size} bytes: {error.strerror}") from error
        self.name = name
        self.size = size
        self.bytes = memoryview(self._map)
        self.halves = self.bytes.cast("I")
        self.words = self.bytes.cast("Q")

    def seal(self, *, against_writing: bool) -> None:
        """Fix the size for good; with `against_writing`, nobody but the maker's map can write any more.

        Raises:
            OutsideError: the kernel does not have the seal.
        """
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        try:
            fcntl.fcntl(
                self.descriptor, fcntl.F_ADD_SEALS, seals | (F_SEAL_FUTURE_WRITE if against_writing else 0)
            )
        except OSError as error:
            raise OutsideError(
                f"shared memory {self.name} cannot be sealed: {error.strerror}; wanted Linux 5.1 or newer"
            ) from error

    def close(self) -> None:
        """Give back map and descriptor; others who have mapped it keep it. To do it again does nothing."""
        if self.descriptor < 0:
            return
        for view in (self.words, self.halves, self.bytes):
            view.release()
        with suppress(BufferError):  # whoever still holds a view of the map keeps the map until it goes
            self._map.close()
        os.close(self.descriptor)
        self.descriptor = -1
