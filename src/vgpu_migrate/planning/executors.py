"""Where domains are planned: in this process, in processes beside it, or on a Dask cluster.

The plan is the same wherever that is. Every executor is one of `concurrent.futures`, and is handed nothing
but functions by name and bytes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from vgpu_migrate.errors import OutsideError

LEAST_VMS = 1_000
"""In a fleet with fewer VMs to plan for, processes take longer to start than they save."""


class Where(msgspec.Struct, frozen=True):
    """Where domains are planned.

    `jobs`: in so many processes, 1: in this one; None: as many as there are cores, and in this one where
    there is little to do. `scheduler`: on the Dask cluster with this address.
    """

    jobs: int | None = None
    scheduler: str | None = None


HERE = Where(jobs=1)


@dataclass(frozen=True)
class Crew:
    """An executor, and how many tasks it works on at once."""

    executor: Executor
    size: int


@contextmanager
def crew(where: Where, *, tasks: int, vms: int) -> Iterator[Crew | None]:
    """The executor for so many tasks about so many VMs; None: this process is the place.

    What it still works on is abandoned in the end: processes are ended, tasks of a cluster cancelled.

    Raises:
        InputError: a scheduler is named and Dask is not installed, or the address is none.
        OutsideError: the scheduler cannot be reached or has no workers, or processes cannot be started.
    """
    if where.scheduler is not None:
        from vgpu_migrate.planning.dask_cluster import cluster

        with cluster(where.scheduler) as (executor, size):
            yield Crew(executor, size)
        return
    jobs = where.jobs
    if jobs is None:
        jobs = cores() if vms >= LEAST_VMS else 1
    jobs = min(jobs, tasks)
    if jobs <= 1:
        yield None
        return
    before = set(multiprocessing.active_children())
    try:
        executor = _processes(jobs)
    except (OSError, ImportError) as error:
        # Some containers have no semaphores.
        if where.jobs is not None:
            raise OutsideError(f"processes cannot be started here ({error}): try --jobs 1") from None
        yield None
        return
    try:
        yield Crew(executor, jobs)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
            child.join()


def _processes(jobs: int) -> ProcessPoolExecutor:
    # Not fork: a program that uses this package may have threads. The main module is not run again for
    # its effects as long as it is written as modules are.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vgpu_migrate.planning"])
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_interrupts_to_parent)


def _leave_interrupts_to_parent() -> None:
    """A terminal sends Ctrl-C to all; the parent decides what becomes of these processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
