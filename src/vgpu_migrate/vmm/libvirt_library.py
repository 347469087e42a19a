"""libvirt-python: loaded and quiet, its errors as ours, its event loop. No other module imports it."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from vgpu_migrate.errors import OutsideError
from vgpu_migrate.vmm.libvirt_values import ErrorCode, LibvirtError


@cache
def library() -> Any:
    """libvirt-python's module, which prints nothing by itself.

    Raises:
        OutsideError: it is not installed; the sentence says how to get it.
    """
    try:
        import libvirt
    except ImportError as error:
        raise OutsideError(
            f"libvirt cannot be asked: {error}; wanted libvirt-python: pip install 'vgpu-migrate[libvirt]' "
            "(with pkg-config, gcc and libvirt-dev), or on Debian apt-get install python3-libvirt"
        ) from None
    libvirt.registerErrorHandler(_quiet, None)
    return libvirt


def _quiet(_context: object, _error: object) -> None:
    """libvirt prints each error to stderr where nobody takes it."""


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Ask libvirt something.

    Raises:
        LibvirtError: it says no: what was asked, and its own sentence.
    """
    libvirt = library()
    try:
        yield
    except libvirt.libvirtError as error:
        raise LibvirtError(
            what,
            code=error.get_error_code() or ErrorCode.INTERNAL,
            from_domain=error.get_error_domain() or 0,
            said=" ".join(str(error).split()),
        ) from None


def constant_name(prefix: str, number: int) -> str:
    """The rest of libvirt's constant of that number, ``from-snapshot``; else the number itself."""
    for name, value in vars(library()).items():
        if name.startswith(prefix) and value == number:
            return str(name).removeprefix(prefix).lower().replace("_", "-")
    return str(number)


_events_lock = threading.Lock()
_events_thread: threading.Thread | None = None


def start_events() -> None:
    """Let a thread run libvirt's event loop; it has to be there before the first connection is.

    libvirt has one loop in a process.
    """
    global _events_thread
    libvirt = library()
    with _events_lock:
        if _events_thread is not None:
            return
        with asking("libvirt's events"):
            libvirt.virEventRegisterDefaultImpl()
            ending = threading.Event()
            # A timer that never fires by itself, to wake the loop when the process ends.
            timer = libvirt.virEventAddTimeout(-1, lambda *_: None, None)
        _events_thread = threading.Thread(
            target=_run_events, args=(libvirt, ending), name="libvirt events", daemon=True
        )
        _events_thread.start()
        atexit.register(_end_events, libvirt, ending, timer, _events_thread)


def _run_events(libvirt: Any, ending: threading.Event) -> None:
    while not ending.is_set():
        with contextlib.suppress(LibvirtError), asking("libvirt's events"):
            libvirt.virEventRunDefaultImpl()


def _end_events(libvirt: Any, ending: threading.Event, timer: int, thread: threading.Thread) -> None:
    ending.set()
    libvirt.virEventUpdateTimeout(timer, 0)
    thread.join(1.0)
