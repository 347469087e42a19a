"""A Dask cluster as an executor. The only module that imports Dask, and only when one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from vgpu_migrate import __version__
from vgpu_migrate.errors import InputError, OutsideError, Problem

CONNECT_S = 10.0
SCHEMES = ("tcp://", "tls://")
NOT_UNDERSTOOD = "Error during deserialization"
"""How Dask begins to say that a function's module is not there."""


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """An executor that runs on a Dask cluster, and how many tasks it works on at once.

    Args:
        address: of the scheduler, as in ``tcp://planner:8786``.

    Raises:
        InputError: Dask is not installed, or the address is none.
        OutsideError: the scheduler cannot be reached, has no workers or none that can do our tasks; inside
            too, where a task's answer is awaited.
    """
    if not address.startswith(SCHEMES):
        raise InputError(Problem("--scheduler", address, "wanted an address like tcp://HOST:PORT"))
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        wanted = 'wanted the package dask: pip install "vgpu-migrate[dask]"'
        raise InputError(Problem("--scheduler", "Dask is not installed", wanted)) from None
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise OutsideError(f"Dask scheduler {address}: cannot be reached ({error})") from None
    try:
        size = sum(client.ncores().values())
        if not size:
            raise OutsideError(f"Dask scheduler {address}: it has no workers; start some with `dask worker`")
        # Planning is a pure function, so a task may run again where a worker is lost.
        executor = client.get_executor(retries=2, pure=False)
        try:
            yield executor, size
        except KilledWorker as error:
            raise OutsideError(f"Dask scheduler {address}: its workers die at a task: {error}") from None
        except RuntimeError as error:
            if not str(error).startswith(NOT_UNDERSTOOD):
                raise
            wanted = f"install vgpu-migrate {__version__} there and on its workers"
            raise OutsideError(f"Dask scheduler {address}: it cannot read our tasks: {wanted}") from None
        finally:
            executor.shutdown(wait=False)
    finally:
        client.close()
