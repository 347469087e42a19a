"""Answers in JSON: one line into a pipe, indented on a terminal."""

from __future__ import annotations

import sys
from typing import Any

from vgpu_migrate.cli.visible import visible_json


def write_json(answer: Any) -> None:
    """Write an answer, a msgspec struct or plain data, to stdout."""
    import msgspec

    data = msgspec.json.encode(answer)
    write_bytes(msgspec.json.format(data, indent=2) if sys.stdout.isatty() else data)


def write_bytes(data: bytes) -> None:
    """Write bytes that are text in UTF-8, ended by a newline, to stdout."""
    sys.stdout.flush()
    if sys.stdout.isatty():
        # JSON need not escape all that a terminal would obey: DEL and the C1 codes are such.
        data = visible_json(data.decode()).encode()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(data.decode())
    else:
        binary.write(data)
    if not data.endswith(b"\n"):
        sys.stdout.write("\n")
