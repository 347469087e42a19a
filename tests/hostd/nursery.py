"""Starts hosts as processes of their own, fast: it has imported everything and forks for each.

Reads one JSON object a line: what `run_host` wants, and after how many calls the fuse kills the host (0:
never). Answers each with the process id once programs can reach the host, or with the error.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any

from vgpu_migrate.errors import VgpuMigrateError
from vgpu_migrate.fleetio import read_fleet
from vgpu_migrate.hostd import RunningHost, run_host
from vgpu_migrate.model import HostId


def main() -> None:
    """Serve requests until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            live(json.loads(line), writer)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            said = pipe.read() or "ended before it was ready"
        sys.stdout.write(json.dumps({"pid": pid, "error": "" if said == "ready" else said}) + "\n")
        sys.stdout.flush()


def live(wanted: dict[str, Any], writer: int) -> None:
    """Be the host that is wanted, to the end."""
    fuse = wanted.pop("fuse")

    def ready(_: RunningHost) -> None:
        if fuse:
            ctypes.CDLL(None).fuse_arm(ctypes.c_long(fuse))
        os.write(writer, b"ready")
        os.close(writer)

    status = 0
    try:
        run_host(read_fleet(wanted.pop("fleet")), HostId(wanted.pop("host")), on_ready=ready, **wanted)
    except VgpuMigrateError as error:
        status = 1
        os.write(writer, str(error).encode())
    os._exit(status)


if __name__ == "__main__":
    main()
