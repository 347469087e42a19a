"""One migration under way: libvirt moves the guest in a thread of its own, the caller's thread watches.

The watcher gives it up at the deadline or when it is told to stop, and never leaves before libvirt has.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from vgpu_migrate.vmm.libvirt_values import ErrorCode, JobStatistics, LibvirtError

POLL_S = 0.25
"""Seconds between two looks at the job."""
ABORT_AGAIN_S = 1.0
"""Seconds after which libvirt is told again to give up: before the job has begun it does not hear it."""

_HOOK_STATUS = "unexpected exit status "


class Ending(StrEnum):
    """How a migration ended."""

    MIGRATED = "migrated"
    VETOED = "vetoed"
    """The destination's hook refused the guest."""
    DEADLINE = "deadline"
    """It was given up when its time had passed."""
    STOPPED = "stopped"
    """It was given up because the operator said so."""
    FAILED = "failed"
    """libvirt or QEMU refused or failed."""


class Progress(NamedTuple):
    """How far it is; `job` None where libvirt does not say at the moment."""

    seconds: float
    job: JobStatistics | None
    is_ending: bool
    """It has been given up, and libvirt is still at it."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """The end of it: how, libvirt's or the hook's sentence ("" where it went well), and how long it took."""

    ending: Ending
    said: str
    seconds: float


class Moving(Protocol):
    """What is asked of the guest meanwhile; `libvirt_domain.Domain` has it."""

    def job(self) -> JobStatistics:
        """The job that it is in."""
        ...

    def abort_job(self) -> None:
        """Give it up."""
        ...


class _Thread(threading.Thread):
    """Runs the call, and keeps what libvirt said to it."""

    def __init__(self, call: Callable[[], object]) -> None:
        # A daemon: where this program is killed in earnest, nothing waits for libvirt.
        super().__init__(name="migration", daemon=True)
        self._call = call
        self.error: LibvirtError | None = None
        self.has_arrived = False
        self.is_done = threading.Event()

    def run(self) -> None:
        try:
            self._call()
            self.has_arrived = True
        except LibvirtError as error:
            self.error = error
        finally:
            self.is_done.set()


def transfer(
    guest: Moving,
    call: Callable[[], object],
    *,
    deadline_s: float | None,
    stop: threading.Event,
    show: Callable[[Progress], None],
) -> Transferred:
    """Run a migration to its end, whatever that is.

    Args:
        guest: the guest on its source.
        call: what migrates it and returns when it is there; it raises `LibvirtError`.
        deadline_s: seconds after which it is given up; None: never.
        stop: set by whoever wants it given up.
        show: called a few times a second with how far it is.
    """
    began = time.monotonic()
    thread = _Thread(call)
    thread.start()
    given_up: Ending | None = None
    told_at = 0.0
    while not thread.is_done.wait(POLL_S):
        seconds = time.monotonic() - began
        if given_up is None:
            given_up = _wants_end(seconds, deadline_s, stop)
        if given_up is not None and time.monotonic() - told_at > ABORT_AGAIN_S:
            told_at = time.monotonic()
            with contextlib.suppress(LibvirtError):
                guest.abort_job()
        show(Progress(seconds, _job(guest), given_up is not None))
    return _ended(thread, given_up, time.monotonic() - began, deadline_s)


def _wants_end(seconds: float, deadline_s: float | None, stop: threading.Event) -> Ending | None:
    if stop.is_set():
        return Ending.STOPPED
    if deadline_s is not None and seconds >= deadline_s:
        return Ending.DEADLINE
    return None


def _job(guest: Moving) -> JobStatistics | None:
    try:
        found = guest.job()
    except LibvirtError:
        return None  # it has not begun, or the guest has gone already
    return found if found.is_running else None


def _ended(thread: _Thread, given_up: Ending | None, seconds: float, deadline_s: float | None) -> Transferred:
    if thread.has_arrived:
        return Transferred(Ending.MIGRATED, "", seconds)
    error = thread.error
    if error is None:  # an error of this program, whose traceback the thread has written
        return Transferred(Ending.FAILED, "vgpu-migrate itself failed", seconds)
    if error.code == ErrorCode.HOOK_SCRIPT_FAILED:
        return Transferred(Ending.VETOED, hook_line(error.said), seconds)
    if given_up is None:
        return Transferred(Ending.FAILED, error.said, seconds)
    said = f"it was not there within {deadline_s:g} s" if given_up is Ending.DEADLINE else "it was stopped"
    if error.code != ErrorCode.OPERATION_ABORTED:
        said += f"; libvirt: {error.said}"
    return Transferred(given_up, said, seconds)


def hook_line(said: str) -> str:
    """The hook's own line, out of libvirt's sentence about it.

    libvirt says: ``Hook script execution failed: … Child process (…) unexpected exit status 1: THE LINE``.
    """
    _, found, rest = said.partition(_HOOK_STATUS)
    line = rest.partition(": ")[2].strip()
    return line if found and line else said
