"""How the hook ends: its answer, its one line, and that nothing comes between, at its deadline neither."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from vgpu_migrate.errors import InputError
from vgpu_migrate.vmm.hook_settings import HookSettings, Policy, read_settings

LONGEST_LINE = 1000


class Answer(NamedTuple):
    """What the hook does: exit status, what it writes to stdout, and its line on stderr ("" for none)."""

    status: int
    out: bytes = b""
    said: str = ""


def one_line(text: str) -> str:
    """A text as one line that a terminal shows as it is, cut where it is long."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= LONGEST_LINE else shown[: LONGEST_LINE - 1] + "…"


class WayOut:
    """The end of the process, for the first that takes it: an answer begun is never overtaken by another."""

    def __init__(self, refusal: int) -> None:
        self._refusal = refusal
        self._taken = threading.Lock()

    def leave(self, found: Answer) -> NoReturn:
        """Say it and end the process; who comes second waits for that end."""
        self._taken.acquire()
        status = found.status
        try:
            if found.said:
                _write(2, found.said.encode("utf-8", "backslashreplace") + b"\n")
            _write(1, found.out)
        except OSError:
            status = found.status or int(bool(found.out))  # half an XML must not be taken for a whole one
        os._exit(self._refusal if status else 0)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def leave_at_deadline(given: Sequence[str], path: Path, way_out: WayOut) -> threading.Timer:
    """Leave when the deadline has passed: a driver that hangs must not hold libvirt."""
    try:
        settings = read_settings(path)
    except InputError:
        settings = HookSettings()

    def late() -> None:
        what = f"vgpu-migrate: guest {given[0]}, {given[1]} {given[2]}"
        passes = settings.driver_unreachable is Policy.PASS
        verb = "not judged, passed as the settings say" if passes else "refused"
        reason = f"no answer within {settings.deadline_s:g} s"
        way_out.leave(Answer(0 if passes else 1, said=one_line(f"{what}: {verb}: {reason}")))

    timer = threading.Timer(settings.deadline_s, late)
    timer.daemon = True
    timer.start()
    return timer
