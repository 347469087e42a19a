"""Trees in a tar: read from its bytes, a header at a time, and never unpacked."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from vgpu_migrate.captures.sysfs_tree import Entry, is_of_a_tree
from vgpu_migrate.errors import InputError, Problem

MOST_MEMBERS = 100_000
MOST_BYTES = 64 * 2**20
LARGEST_FILE = 65_536
"""A file of sysfs is at most a page; a page of 64 KiB is the largest there is."""

_MAGIC = ((0, b"\x1f\x8b"), (0, b"BZh"), (0, b"\xfd7zXZ\x00"), (257, b"ustar"))


def is_tar(data: bytes) -> bool:
    """Whether bytes begin as a tar does, packed or plain."""
    return any(data[at : at + len(magic)] == magic for at, magic in _MAGIC)


def tar_entries(data: bytes, *, file: str) -> list[Entry]:
    """The entries of the trees in a tar. Links are read as words; none is followed.

    Raises:
        InputError: it is no tar, too large, or has a member that has no place in a tree.
    """
    try:
        return list(_entries(data, file))
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise InputError(Problem(file, f"a damaged archive ({error})"[:200], "wanted a tar")) from None


def _entries(data: bytes, file: str) -> Iterator[Entry]:
    total = 0
    # A stream: it is unpacked as far as it is read, and sizes are known before what they are of.
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|*", errors="surrogateescape") as archive:
        for count, member in enumerate(archive, 1):
            total += member.size
            if count > MOST_MEMBERS or total > MOST_BYTES:
                limit = f"wanted at most {MOST_MEMBERS} members and {MOST_BYTES // 2**20} MiB"
                raise InputError(Problem(file, f"{count} members, {total} bytes and more", limit))
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or not member.name.isprintable():
                shown = ascii(member.name[:100])
                raise InputError(
                    Problem(file, f"member {shown}", "wanted names inside the archive, without ..")
                )
            if member.isdir():
                continue
            if not (member.isreg() or member.issym()):
                shown = ascii(member.name[:100])
                raise InputError(Problem(file, f"member {shown}", "wanted files, directories and links"))
            place = f"{file}/{path}"
            if not is_of_a_tree(str(path)):
                continue
            if member.issym():
                target = PurePosixPath(member.linkname).name
                yield Entry(str(path), target if target.isprintable() else "", place)
                continue
            if member.size > LARGEST_FILE:
                raise InputError(Problem(place, f"{member.size} bytes", f"wanted at most {LARGEST_FILE}"))
            content = archive.extractfile(member)
            assert content is not None, "a regular file has content"
            yield from file_entries(str(path), content.read(), place)


def file_entries(path: str, data: bytes, place: str) -> Iterator[Entry]:
    """The lines of a file of a tree."""
    for line in data.decode("utf-8", "replace").splitlines():
        yield Entry(path, line, place)
