"""What is seen of a migration under way, and how signals give it up."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from vgpu_migrate.cli.endings import say
from vgpu_migrate.cli.screen import seconds
from vgpu_migrate.vmm.libvirt_values import JobStatistics
from vgpu_migrate.vmm.transfer import Progress

LINE_EVERY_S = 1.0
"""Seconds between two lines where there is no terminal to draw on."""
_MIB = 1 << 20
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stops_on_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and the signals that end programs set, meanwhile, instead of what they do else."""
    stop = threading.Event()

    def give_up(_number: int, _frame: FrameType | None) -> None:
        if not stop.is_set():
            say("asked to stop: what has begun is brought to its end, or put back")
        stop.set()

    before = {number: signal.signal(number, give_up) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def shown_progress(guest: str, *, is_wanted: bool | None) -> Iterator[Callable[[Progress], None]]:
    """What shows how far it is: a bar on a terminal, else a line a second.

    Args:
        guest: its name.
        is_wanted: None: only on a terminal.
    """
    is_terminal = sys.stderr.isatty()
    if is_wanted is False or (is_wanted is None and not is_terminal):
        yield lambda _: None
    elif is_terminal:
        with _bar(guest) as show:
            yield show
    else:
        yield _lines(guest)


def _lines(guest: str) -> Callable[[Progress], None]:
    last = 0.0

    def show(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY_S:
            last = now
            say(f"{guest}: {seconds(progress.seconds)}: {spell_progress(progress)}")

    return show


@contextmanager
def _bar(guest: str) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from vgpu_migrate.cli.visible import visible

    columns = (TextColumn("{task.fields[guest]}", markup=False), BarColumn(20), TimeElapsedColumn())
    words = TextColumn("{task.description}", markup=False)
    with Bars(*columns, words, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None, guest=visible(guest))

        def show(progress: Progress) -> None:
            job = progress.job
            # Without a total the bar only moves: libvirt says 0 until it has begun to count.
            total = None if job is None else job.memory_total or None
            done = 0 if job is None else (total or 0) - (job.memory_remaining or 0)
            bars.update(task, total=total, completed=done, description=spell_progress(progress))

        yield show


def spell_progress(progress: Progress) -> str:
    """How far it is: memory, rates, expected downtime."""
    job = progress.job
    if progress.is_ending:
        return "giving it up"
    if job is None or not job.memory_total:
        return "no figures yet"
    return ", ".join(_said(job)) or "under way"


def _said(job: JobStatistics) -> Iterator[str]:
    if job.memory_processed is not None and job.memory_total is not None:
        yield f"{job.memory_processed / _MIB:,.0f} MiB sent of {job.memory_total / _MIB:,.0f}"
    if job.memory_remaining is not None:
        yield f"{job.memory_remaining / _MIB:,.0f} MiB left"
    if job.memory_bytes_per_s is not None:
        yield f"{job.memory_bytes_per_s / _MIB:,.1f} MiB/s"
    if job.dirty_bytes_per_s is not None:
        yield f"guest writes {job.dirty_bytes_per_s / _MIB:,.1f} MiB/s"
    if job.downtime_ms is not None:
        yield f"expected downtime {job.downtime_ms:,} ms"
    if job.iteration is not None:
        yield f"pass {job.iteration}"
