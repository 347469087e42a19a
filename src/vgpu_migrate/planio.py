"""Plan files on disk: the only place where reading a plan touches the outside."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from vgpu_migrate.files import STDIN, read_bytes
from vgpu_migrate.model.planfile import Plan, parse_plan

LARGEST_PLAN = 1 << 30


def read_plan(path: str | Path, *, stdin: BinaryIO | None = None) -> Plan:
    """The plan in a plan file.

    Args:
        path: the file; `-` is standard input.
        stdin: the stream that `-` stands for; the process's own by default.

    Raises:
        InputError: there is no such file, or it is no plan; every problem at once, in order of place.
        OutsideError: the disk failed.
    """
    source = "standard input" if str(path) == STDIN else str(path)
    return parse_plan(read_bytes(path, what="a plan file", stdin=stdin, most=LARGEST_PLAN), source=source)
