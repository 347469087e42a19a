"""Hosts and programs as processes that a test can stop, kill and talk to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from vgpu_migrate.model import Fleet
from vgpu_migrate.model.fleet_write import fleet_to_data


class HostProcess:
    """A host as `vgpu-migrate hostd` keeps it; killed at the end if it is still there."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.socket = folder / "host.sock"
        self._file = folder / "fleet.json"
        self._file.write_text(json.dumps(fleet_to_data(fleet)), encoding="utf-8")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        command = [
            sys.executable,
            "-m",
            "vgpu_migrate",
            "hostd",
            str(self._file),
            "--socket",
            str(self.socket),
        ]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = [""]
        while "is ready" not in said[-1]:
            said.append(self._process.stderr.readline())
            assert said[-1], "".join(said)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that stops it has stopped all its threads by the time this returns."""
        assert self._process is not None
        os.kill(self._process.pid, number)
        if number is signal.SIGSTOP:
            os.waitpid(self._process.pid, os.WUNTRACED)

    def wait(self) -> int:
        """Wait until it is gone; its exit status."""
        assert self._process is not None
        assert self._process.stderr is not None
        self._process.stderr.close()
        return self._process.wait(30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self.wait()


class Talk:
    """A C program that stays initialised between the words it is told."""

    def __init__(self, program: Path, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [program], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, word: str) -> str:
        """What it answers to a word."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        status = self._process.wait(30)
        self._process.stdout.close()
        assert status == 0 or error is not None
