"""Settings that root's programs go by: read only where nobody else may write them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vgpu_migrate.errors import InputError, Problem

MOST_BYTES = 64 << 10


def read_settings_file(path: Path) -> bytes | None:
    """The bytes of a settings file; None where there is none.

    Raises:
        InputError: it cannot be read, is too large, or others than root and the reader may write it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        # Before Python makes a file of it: that refuses a directory in words of its own.
        _check_owner(path, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(descriptor)
    if len(data) > MOST_BYTES:
        raise InputError(Problem(str(path), f"more than {MOST_BYTES} bytes", "wanted settings"))
    return data


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(Problem(str(path), error.strerror or "unreadable", "wanted settings"))


def _check_owner(path: Path, there: os.stat_result) -> None:
    if not stat.S_ISREG(there.st_mode):
        raise InputError(Problem(str(path), "no regular file", "wanted settings"))
    if there.st_uid not in (0, os.geteuid()) or there.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        seen = f"owner {there.st_uid}, mode {stat.S_IMODE(there.st_mode):o}"
        raise InputError(Problem(str(path), seen, "only root, or who runs this, may write it: chmod go-w"))
