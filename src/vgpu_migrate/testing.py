"""Simulated hosts for a test suite: alive for a test, with the library in place for the programs it starts.

The pytest plugin's fixtures are these; any other framework can use them as context managers.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from vgpu_migrate import dropin
from vgpu_migrate.dropin.environment import HOST_VARIABLE, variables
from vgpu_migrate.errors import InputError, Problem, UnknownNameError
from vgpu_migrate.fleetio import read_fleet
from vgpu_migrate.hostd import RunningHost, running_host
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.fleetfile import parse_fleet_bytes

ONE_HOST = """\
fleetfile_version: 1
hosts:
  - {id: h1, driver: 550.54.16, gpus: [{board: L40S}]}
vms:
  - {id: vm1, host: h1, state: running, memory_mib: 4096, guest_driver: 550.54.14,
     vgpus: [{type: L40S-12Q, gpu: h1/0}]}
"""
"""The host of a test that describes none: an L40S, and a VM with a vgpu on it."""

TWO_HOSTS = ONE_HOST.replace("vms:\n", "  - {id: h2, driver: 550.54.16, gpus: [{board: L40S}]}\nvms:\n", 1)
"""The same and a second host like it, to which the VM can move live."""


class VgpuHost(LiveHost):
    """A live simulated host, with everything that `LiveHost` can ask of it and do to it.

    Attributes:
        id: its id in the fleet.
        socket: where it listens.
    """

    def __init__(self, running: RunningHost) -> None:
        super().__init__(running.socket)
        self.id = running.id
        self.socket = running.socket

    @property
    def env(self) -> dict[str, str]:
        """The environment in which a program sees this host: this process's, and two variables."""
        return {**os.environ, **variables(self.socket)}

    def run(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on this host to its end, as `subprocess.run`; its output is captured as text.

        Args:
            command: the program and its arguments.
            env: more variables for it.
            options: further arguments of `subprocess.run`.
        """
        settings: dict[str, Any] = {"capture_output": True, "text": True, "check": False, **options}
        return subprocess.run(  # noqa: S603 (the caller's program; `check` is the caller's choice)
            [str(word) for word in command], env={**self.env, **(env or {})}, **settings
        )

    @contextmanager
    def here(self) -> Iterator[ctypes.CDLL]:
        """NVML in this very process sees this host meanwhile: `import pynvml; pynvml.nvmlInit()`.

        The library stays loaded until the process ends, and another one that was loaded before stays in
        front. Gives the library.
        """
        library = ctypes.CDLL(str(dropin.library_dir() / dropin.LIBRARY), mode=ctypes.RTLD_GLOBAL)
        before = os.environ.get(HOST_VARIABLE)
        os.environ[HOST_VARIABLE] = str(self.socket)
        try:
            yield library
        finally:
            if before is None:
                del os.environ[HOST_VARIABLE]
            else:
                os.environ[HOST_VARIABLE] = before


def fleet_of(source: str | Path | Fleet) -> Fleet:
    """A fleet from YAML or JSON text, from a file's path, or as it is.

    In text the line `fleetfile_version: 1` may be left out.

    Raises:
        InputError: it is no fleet file; every problem at once.
        OutsideError: the file cannot be read.
    """
    if isinstance(source, Fleet):
        return source
    if isinstance(source, Path):
        return read_fleet(source)
    text = source
    if "fleetfile_version" not in text and not text.lstrip().startswith("{"):
        text = f"fleetfile_version: 1\n{_dedented(text)}"
    return parse_fleet_bytes(text.encode(), source="the fleet of the test", format="yaml")


def _dedented(text: str) -> str:
    from textwrap import dedent

    return dedent(text)


@contextmanager
def simulated_host(source: str | Path | Fleet = ONE_HOST, *, host: str | None = None) -> Iterator[VgpuHost]:
    """One host, alive for as long as the `with` block lasts; nothing is kept of it.

    Args:
        source: as `fleet_of` takes it.
        host: which host of the fleet; not needed where it has one.

    Raises:
        InputError: it is no fleet, or not clear which host is meant.
        OutsideError: the host cannot be started.
    """
    fleet = fleet_of(source)
    with running_host(fleet, _choose(fleet, host)) as running:
        yield VgpuHost(running)


def _choose(fleet: Fleet, host: str | None) -> HostId:
    if host is None and len(fleet.hosts) != 1:
        seen = f"{len(fleet.hosts)} hosts: {', '.join(fleet.hosts)}" if fleet.hosts else "no host"
        raise InputError(Problem("the fleet of the test", f"it has {seen}", "wanted one, or host=ID"))
    chosen = next(iter(fleet.hosts)) if host is None else HostId(host)
    if chosen not in fleet.hosts:
        raise UnknownNameError("host", chosen, fleet.hosts)
    return chosen


@contextmanager
def simulated_hosts(source: str | Path | Fleet = TWO_HOSTS) -> Iterator[tuple[VgpuHost, ...]]:
    """Every host of a fleet, in its order, alive for as long as the `with` block lasts.

    Raises:
        InputError: it is no fleet.
        OutsideError: a host cannot be started.
    """
    fleet = fleet_of(source)
    with ExitStack() as alive:
        yield tuple(VgpuHost(alive.enter_context(running_host(fleet, host_id))) for host_id in fleet.hosts)
