"""Hosts as processes that can be killed, for the tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vgpu_migrate.hosts.live import LiveHost

HERE = Path(__file__).parent
PATIENCE_S = 30.0


@dataclass
class HostProcess:
    """A host as a process: where it is, and its process id."""

    id: str
    socket: Path
    state_dir: Path
    pid: int

    @property
    def live(self) -> LiveHost:
        """A client of it."""
        return LiveHost(self.socket)

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """Kill it, if it is there, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """Tell it to end, and wait until it is gone."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        wait_until(lambda: not self.is_alive, f"host {self.id} ends")


class Nursery:
    """Starts hosts; those still alive at the end are killed."""

    def __init__(self, directory: Path, *, preload: Path | None = None) -> None:
        self.directory = directory
        self.hosts: list[HostProcess] = []
        environment = {**os.environ, "LD_PRELOAD": str(preload)} if preload else dict(os.environ)
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "nursery.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def start(
        self, fleet: Path, host: str, *, name: str = "", fuse: int = 0, fresh: bool = False
    ) -> HostProcess:
        """A host of a fleet file; `name` tells its socket and state from those of other runs."""
        socket, state = self.directory / f"{name}{host}.sock", self.directory / f"{name}{host}.state"
        wanted = {
            "fleet": str(fleet),
            "host": host,
            "socket": str(socket),
            "state_dir": str(state),
            "fuse": fuse,
            "fresh": fresh,
            "settle_s": 0.2,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if answer["error"]:
            raise RuntimeError(answer["error"])
        started = HostProcess(host, socket, state, answer["pid"])
        self.hosts.append(started)
        return started

    def end(self) -> None:
        """Kill what is alive."""
        for host in self.hosts:
            host.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds; a bug if it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)
