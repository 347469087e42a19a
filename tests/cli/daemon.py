"""A host that `hostd` keeps alive, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.program import clean_environment


@contextmanager
def a_hostd(
    socket: Path, *args: str, fleet: str | Path = "demo", host: str = "a1"
) -> Iterator[subprocess.Popen[str]]:
    """A daemon that has been started; it is killed at the end if it is there still."""
    line = ["hostd", str(fleet), "--host", host, "--socket", str(socket), *args]
    with subprocess.Popen(
        [sys.executable, "-m", "vgpu_migrate", *line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_ready(process: subprocess.Popen[str]) -> list[str]:
    """The lines it says up to the one that says that it is ready."""
    assert process.stderr is not None
    said: list[str] = []
    while not said or " is ready: " not in said[-1]:
        line = process.stderr.readline()
        assert line, said
        said.append(line.rstrip("\n"))
    return said
