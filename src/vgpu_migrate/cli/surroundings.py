"""The host of FLEET that `sim` and `hostd` keep alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vgpu_migrate import dropin
from vgpu_migrate.cli import fleets
from vgpu_migrate.cli.endings import say
from vgpu_migrate.errors import InputError, Problem

if TYPE_CHECKING:
    # Not imported to read a file: it brings NumPy, and NumPy brings threads, before `sim` holds signals back.
    from vgpu_migrate.hostd import RunningHost
    from vgpu_migrate.model import Fleet, HostId


def read_host(fleet: str, host: str | None) -> tuple[Fleet, HostId]:
    """The fleet that an argument names, and the host of it that was asked for.

    Raises:
        InputError: it is no fleet file, has no host of that id, or several where none was named.
        OutsideError: it cannot be read.
    """
    known = fleets.read(fleet)
    return known, choose_host(known, host, source=fleet)


def choose_host(fleet: Fleet, host: str | None, *, source: str) -> HostId:
    """The host named, or the only one.

    Raises:
        InputError: there is none of that id, or several where none was named.
    """
    if host is not None:
        return fleets.find_host(fleet, host)
    if len(fleet.hosts) == 1:
        return next(iter(fleet.hosts))
    if not fleet.hosts:
        raise InputError(Problem(source, "it has no host", "wanted one"))
    from vgpu_migrate.cli.screen import some

    seen = f"it has {len(fleet.hosts)} hosts: {some(list(fleet.hosts), 12)}"
    raise InputError(Problem(source, seen, "wanted --host ID"))


@contextmanager
def simulated(fleet: Fleet, host_id: HostId) -> Iterator[RunningHost]:
    """A host alive in this process, reached in a private directory that goes with it.

    Raises:
        OutsideError: the library has not been built here, or there is no room for the host.
    """
    from vgpu_migrate.hostd import running_host

    dropin.library_dir()
    with running_host(fleet, host_id) as running:
        for notice in running.notices:
            say(f"note: {notice}")
        yield running
