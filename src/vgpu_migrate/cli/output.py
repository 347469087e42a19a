"""Answers in JSON: one line into a pipe, indented on a terminal."""

from __future__ import annotations

import sys
from typing import Any


def write_json(answer: Any) -> None:
    """Write an answer, a msgspec struct or plain data, to stdout."""
    import msgspec

    data = msgspec.json.encode(answer)
    write_bytes(msgspec.json.format(data, indent=2) if sys.stdout.isatty() else data)


def write_bytes(data: bytes) -> None:
    """Write bytes that are text in UTF-8, ended by a newline, to stdout."""
    sys.stdout.flush()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(data.decode())
    else:
        binary.write(data)
    if not data.endswith(b"\n"):
        sys.stdout.write("\n")
