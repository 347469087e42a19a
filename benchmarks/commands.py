"""Whole commands from outside: wall time and peak memory, beside a floor measured in the same run.

    python benchmarks/commands.py [--runs 7] [--json]

`matrix` reads a fleet of 2,000 hosts, 16,000 gpus and 100,000 VMs from JSON; its floor is the standard
library reading the same file. `--help` has an empty Python process as its floor.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
SIZES = ("--hosts", "2000", "--gpus", "8", "--vms", "100000", "--seed", "1")


class Figure(NamedTuple):
    """Medians of one command over several runs."""

    name: str
    wall_s: float
    wall_s_min: float
    wall_s_max: float
    peak_mib: float


def measure(name: str, command: list[str], *, runs: int) -> Figure:
    """Run a command once to warm up and then `runs` times."""
    walls, peaks = [], []
    for turn in range(runs + 1):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            raise SystemExit(f"{name}: exit status {process.returncode}")
        if turn:
            walls.append(wall)
            peaks.append(usage.ru_maxrss / 1024)
    return Figure(name, statistics.median(walls), min(walls), max(walls), statistics.median(peaks))


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    python = sys.executable
    vgpu_migrate = str(Path(python).with_name("vgpu-migrate"))
    with tempfile.TemporaryDirectory() as folder:
        fleet = Path(folder) / "fleet.json"
        make_fleet = [python, str(HERE / "make_fleet.py"), *SIZES, "--out", str(fleet)]
        subprocess.run(make_fleet, check=True)
        size_mib = fleet.stat().st_size / 2**20
        read_it = f"import json; json.load(open({str(fleet)!r}))"
        figures = [
            measure("matrix --json", [vgpu_migrate, "matrix", str(fleet), "--json"], runs=arguments.runs),
            measure("matrix", [vgpu_migrate, "matrix", str(fleet)], runs=arguments.runs),
            measure("floor: json.load of the file", [python, "-c", read_it], runs=arguments.runs),
            measure("--help", [vgpu_migrate, "--help"], runs=arguments.runs),
            measure("floor: python -c pass", [python, "-c", "pass"], runs=arguments.runs),
        ]
    if arguments.json:
        print(json.dumps([figure._asdict() for figure in figures], indent=1))
        return
    print(f"fleet file: {size_mib:.1f} MiB; median (min-max) of {arguments.runs} runs\n")
    for figure in figures:
        spread = f"{figure.wall_s_min:.3f}-{figure.wall_s_max:.3f}"
        print(f"{figure.name:30} {figure.wall_s:7.3f} s ({spread})  {figure.peak_mib:7.1f} MiB")


if __name__ == "__main__":
    main()
