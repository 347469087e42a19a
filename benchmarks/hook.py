"""What the destination hook adds to the start of a migration: run as libvirt runs it, against a live host.

    python benchmarks/hook.py [--runs 200] [--json]

The installed script is timed from start to exit, on a guest with a vGPU, on one without, and for an operation
that is not its own; beside it, as the floor, the interpreter that does nothing, and `/bin/true`. All are run
in turn. Every run must end as it should, or the benchmark does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vgpu_migrate.dropin import LIBRARY, library_dir
from vgpu_migrate.model import VmId
from vgpu_migrate.testing import ONE_HOST, simulated_host
from vgpu_migrate.vmm.domain_element import SavedRecords, SavedVgpu, read_time, write_element
from vgpu_migrate.vmm.hook_files import script

ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
DISKS = 40


class Case(NamedTuple):
    """A command and what it is given."""

    name: str
    command: Sequence[str]
    stdin: bytes


def a_domain(record: bytes | None) -> bytes:
    """A guest's XML of an ordinary size."""
    element = b""
    if record is not None:
        boot, taken = read_time("2026-11-23T09:12:44Z"), read_time("2026-11-23T17:30:00Z")
        element = write_element(SavedRecords((SavedVgpu(record, "L40S-12Q"),), taken, boot, boot))
    disk = b"<disk type='file' device='disk'><source file='/x'/><target dev='vda' bus='virtio'/></disk>\n"
    return (
        b"<domain type='kvm'><name>g</name><metadata>"
        + element
        + b"</metadata><devices>"
        + disk * DISKS
        + b"</devices></domain>"
    )


def seconds(case: Case) -> float:
    """One run from start to exit."""
    start = time.perf_counter()
    done = subprocess.run(case.command, input=case.stdin, env=ENVIRONMENT, capture_output=True, check=False)
    took = time.perf_counter() - start
    if (done.returncode, done.stderr) != (0, b""):
        raise SystemExit(f"{case.name}: exit status {done.returncode}: {done.stderr.decode()}")
    return took


def measure(runs: int) -> dict[str, dict[str, float]]:
    """Median and 99th percentile of each case, in milliseconds."""
    with tempfile.TemporaryDirectory() as name, simulated_host(ONE_HOST) as host:
        folder = Path(name)
        settings = folder / "hook.toml"
        settings.write_text(f'[driver]\nlibrary = "{library_dir() / LIBRARY}"\nsocket = "{host.socket}"\n')
        settings.chmod(0o600)
        installed = folder / "50-vgpu-migrate"
        installed.write_text(script(Path(sys.executable), settings))
        installed.chmod(0o755)
        record = host.saved_records(VmId("vm1"))[0]
        cases = (
            Case("guest with a vGPU", [str(installed), "g", "migrate", "begin", "-"], a_domain(record)),
            Case("guest without", [str(installed), "g", "migrate", "begin", "-"], a_domain(None)),
            Case("another operation", [str(installed), "g", "prepare", "begin", "-"], b""),
            Case("floor: python -I -c pass", [sys.executable, "-I", "-c", "pass"], b""),
            Case("floor: /bin/true", ["/bin/true"], b""),
        )
        taken: dict[str, list[float]] = {case.name: [] for case in cases}
        for number in range(runs + 1):
            for case in cases:
                took = seconds(case)
                if number:  # the first fills the caches
                    taken[case.name].append(took)
    return {
        name: {
            "median_ms": statistics.median(times) * 1e3,
            "p99_ms": statistics.quantiles(times, n=100, method="inclusive")[98] * 1e3,
            "worst_ms": max(times) * 1e3,
        }
        for name, times in taken.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found: dict[str, Any] = measure(arguments.runs)
    if arguments.json:
        print(json.dumps({"runs": arguments.runs, "cases": found}))
        return
    for name, row in found.items():
        print(f"{name:28} median {row['median_ms']:7.1f} ms   99 % {row['p99_ms']:7.1f} ms")


if __name__ == "__main__":
    main()
