"""Directories of a host's own."""

from __future__ import annotations

import contextlib
from pathlib import Path


def make_private(directory: Path) -> None:
    """Make a directory, and those above it that are not there, for their owner alone.

    What is there already stays as it is. Raises OSError where one cannot be made.
    """
    if not directory.exists():
        make_private(directory.parent)
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
