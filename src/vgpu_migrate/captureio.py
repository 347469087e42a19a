"""Folders of captures on disk: the only place where importing reads the outside."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from vgpu_migrate.captures import (
    LARGEST_CAPTURE,
    LARGEST_FILE,
    CaptureFile,
    Entry,
    Findings,
    HostCaptures,
    file_entries,
    is_of_a_tree,
    read_capture,
    tree,
)
from vgpu_migrate.errors import InputError, OutsideError, Problem

MOST_FILES = 1000
MOST_ENTRIES = 100_000
WANTED_FOLDER = "wanted a folder with the captures of one host"


def read_host(folder: str | Path, *, driver: str | None = None) -> HostCaptures:
    """The captures of one host, which is called as its folder is.

    Args:
        folder: holds captures, and as folders below it trees of sysfs.
        driver: the host driver, whatever the captures say.

    Raises:
        InputError: the folder is not there or empty, or a file in it is too large, binary or damaged.
        OutsideError: the disk failed.
    """
    path = Path(folder)
    host = Path(os.path.abspath(path)).name
    try:
        names = sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not a path").lower()
        raise InputError(Problem(str(folder), reason, WANTED_FOLDER)) from None
    except OSError as error:
        raise OutsideError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if not host or not names:
        raise InputError(Problem(str(folder), "an empty folder" if host else "no name", WANTED_FOLDER))
    if len(names) > MOST_FILES:
        raise InputError(Problem(str(folder), f"{len(names)} files", f"wanted at most {MOST_FILES}"))
    files = []
    problems: list[Problem] = []
    for name in names:
        try:
            files.append(_file(path / name, _shown(f"{host}/{name}")))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    if all(file.kind is None for file in files):
        seen = f"none of {len(files)} files is a known capture"
        raise InputError(Problem(str(folder), seen, WANTED_FOLDER))
    return HostCaptures(host, tuple(files), driver)


def _file(path: Path, name: str) -> CaptureFile:
    try:
        if path.is_dir() and not path.is_symlink():
            entries = list(_entries(path, name))
            return CaptureFile(name, "a sysfs tree" if entries else None, tree(entries))
        found = read_capture(_bytes(path, name, LARGEST_CAPTURE), file=name)
    except OSError as error:
        raise OutsideError(f"{path}: cannot be read: {error.strerror or error}") from error
    return CaptureFile(name, None, Findings()) if found is None else CaptureFile(name, *found)


def _shown(name: str) -> str:
    """A file's name as text; bytes that are none are spelled out."""
    return name.encode("utf-8", "backslashreplace").decode()


def _bytes(path: Path, name: str, most: int) -> bytes:
    """A regular file's bytes, at most so many; a pipe or a device is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError) as error:
        reason = (error.strerror or "unreadable").lower()
        raise InputError(Problem(name, reason, "wanted a capture")) from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(Problem(name, "no regular file", "wanted a capture"))
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(Problem(name, f"more than {most} bytes", f"wanted at most {most}"))
    return data


def _entries(folder: Path, name: str) -> Iterator[Entry]:
    """The entries of a tree; no link is followed."""
    count = 0
    for directory, subfolders, files in os.walk(folder, followlinks=False):
        subfolders.sort()
        for file in sorted([*files, *subfolders]):
            count += 1
            if count > MOST_ENTRIES:
                raise InputError(Problem(name, f"{count} files and more", f"wanted at most {MOST_ENTRIES}"))
            path = Path(directory) / file
            inside = _shown(f"{name}/{path.relative_to(folder)}")
            if not is_of_a_tree(inside):
                continue
            if path.is_symlink():
                yield Entry(inside, _shown(os.path.basename(os.readlink(path))), inside)
            elif not path.is_dir():
                yield from file_entries(inside, _bytes(path, inside, LARGEST_FILE), inside)
