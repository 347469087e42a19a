"""Fleet files on disk: the only place where reading a fleet touches the outside."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from vgpu_migrate.files import STDIN, read_bytes
from vgpu_migrate.model.fleetfile import FileFormat, parse_fleet_bytes
from vgpu_migrate.model.values import Fleet

LARGEST_FLEET = 1 << 30
"""Bytes; a hundred thousand VMs have some 25 million."""
_FORMAT_BY_SUFFIX: dict[str, FileFormat] = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}


def read_fleet(path: str | Path, *, stdin: BinaryIO | None = None) -> Fleet:
    """The fleet in a fleet file.

    Args:
        path: `.json` is JSON, `.yaml` and `.yml` YAML, anything else what it looks like; `-` is standard
            input.
        stdin: the stream that `-` stands for; the process's own by default.

    Raises:
        InputError: there is no such file, or it is no fleet file; every problem at once, in order of place.
        OutsideError: the disk failed.
    """
    is_stdin = str(path) == STDIN
    source = "standard input" if is_stdin else str(path)
    data = read_bytes(path, what="a fleet file", stdin=stdin, most=LARGEST_FLEET)
    file_format = None if is_stdin else _FORMAT_BY_SUFFIX.get(Path(path).suffix.lower())
    return parse_fleet_bytes(data, source=source, format=file_format)
