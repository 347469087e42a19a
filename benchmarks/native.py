"""The drop-in library as its clients see it: calls, inits, setters, memory, beside a bare copy of 128 bytes.

    python benchmarks/native.py [--calls 1000000] [--runs 3] [--json]

A small host (8 A40, 4 vgpus each) and a large one (16 A40, 32 vgpus each) live in processes of their own, as
`hostd` keeps them. The C program beside this file times single calls, quiet and while another process sets
100 times a second; each figure is the median of the runs. Python's calls are timed in a process of their own,
by ctypes (its floor: the C library's `abs`) and, where `tools/make_clients.py` has made its folder, by
nvidia-ml-py. Every timed call must succeed, or the run ends.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vgpu_migrate import dropin

HERE = Path(__file__).parent
CLIENTS = Path(sys.prefix) / "clients"
HOSTS = {"8 gpus x 4 vgpus": (8, 4), "16 gpus x 32 vgpus": (16, 32)}
CLOCK, COPY = "clock", "memcpy-128"

CTYPES = """
import ctypes, sys, time
library, name = sys.argv[1:]
argument = ctypes.c_uint()
call, where = ctypes.CDLL(library or None)[name], ctypes.byref(argument)
if library:
    assert ctypes.CDLL(library).nvmlInit_v2() == 0
else:
    where = 0  # abs(0)
def once(n=1_000_000):
    start = time.perf_counter()
    for _ in range(n):
        call(where)
    return n / (time.perf_counter() - start)
for _ in range(100_000):  # what is timed below answers, and answers rightly
    argument.value = 0
    assert call(where) == 0
    assert not library or argument.value > 0
print(max(once() for _ in range(5)))
"""
NVIDIA_ML_PY = """
import time, pynvml
pynvml.nvmlInit()
call = pynvml.nvmlDeviceGetCount
def once(n=200_000):
    start = time.perf_counter()
    for _ in range(n):
        call()
    return n / (time.perf_counter() - start)
assert all(call() > 0 for _ in range(20_000))
print(max(once() for _ in range(5)))
"""


def fleet(gpus: int, vgpus: int) -> dict[str, Any]:
    """A fleet file with one host, full of running A40-1Q."""
    return {
        "fleetfile_version": 1,
        "hosts": [{"id": "h", "driver": "580.126.08", "gpus": [{"board": "A40"} for _ in range(gpus)]}],
        "vms": [
            {
                "id": f"vm-{gpu}-{number}",
                "host": "h",
                "state": "running",
                "memory_mib": 4096,
                "guest_driver": "580.65.06",
                "vgpus": [{"type": "A40-1Q", "gpu": f"h/{gpu}"}],
            }
            for gpu in range(gpus)
            for number in range(vgpus)
        ],
    }


@contextlib.contextmanager
def hostd(data: dict[str, Any], folder: Path) -> Iterator[dict[str, str]]:
    """A host in a process of its own; the environment in which programs find it."""
    file, socket = folder / "fleet.json", folder / "socket"
    file.write_text(json.dumps(data), encoding="utf-8")
    command = [sys.executable, "-m", "vgpu_migrate", "hostd", str(file), "--socket", str(socket)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        while "is ready" not in (line := process.stderr.readline()):
            assert line, "hostd ended"
        found = {"LD_LIBRARY_PATH": str(dropin.library_dir()), "VGPU_MIGRATE_HOST": str(socket)}
        yield os.environ | found
    finally:
        process.terminate()
        process.communicate()


def figures(program: Path, env: dict[str, str], *arguments: str) -> dict[str, list[float]]:
    """The lines that the C program prints."""
    done = subprocess.run([program, *arguments], env=env, check=True, capture_output=True, text=True)
    return {name: list(map(float, rest)) for name, *rest in map(str.split, done.stdout.splitlines())}


def medians(runs: Sequence[dict[str, list[float]]]) -> dict[str, list[float]]:
    """The median of each number over the runs."""
    return {
        name: [statistics.median(column) for column in zip(*(run[name] for run in runs), strict=True)]
        for name in runs[0]
    }


@contextlib.contextmanager
def publishing(program: Path, env: dict[str, str]) -> Iterator[None]:
    """Meanwhile another process sets 100 times a second."""
    process = subprocess.Popen([program, "publish"], env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "publishing\n"
    try:
        yield
    finally:
        process.terminate()
        process.communicate()


def python_calls(program: str, env: dict[str, str], *arguments: str, **more: str) -> float:
    """Calls per second of a Python program that prints them."""
    command = [sys.executable, "-c", program, *arguments]
    return float(subprocess.run(command, env=env | more, check=True, capture_output=True, text=True).stdout)


def measure(program: Path, env: dict[str, str], *, calls: int, runs: int) -> dict[str, Any]:
    """Everything about one host."""
    count = str(calls)
    starts = [figures(program, env, "start")["init"][0] for _ in range(50)]
    found: dict[str, Any] = {"first init": [statistics.median(starts), sorted(starts)[-1]]}
    found["quiet"] = medians([figures(program, env, "calls", count) for _ in range(runs)])
    with publishing(program, env):
        found["publishing"] = medians([figures(program, env, "calls", count) for _ in range(runs)])
    found |= medians([figures(program, env, "round", "2000") for _ in range(runs)])
    found |= medians([figures(program, env, "seen", "300") for _ in range(runs)])
    found |= medians([figures(program, env, "memory") for _ in range(runs)])
    found["ctypes"] = python_calls(CTYPES, env, "libnvidia-ml.so.1", "nvmlDeviceGetCount_v2")
    found["ctypes floor"] = python_calls(CTYPES, env, "", "abs")
    folder = CLIENTS / "nvidia-ml-py"
    if folder.is_dir():
        found["nvidia-ml-py"] = python_calls(NVIDIA_ML_PY, env, PYTHONPATH=str(folder))
    return found


def table(name: str, found: dict[str, Any]) -> None:
    """Print the figures of one host as the page of figures has them."""
    print(f"\n{name}\n\n| single call, ns | median | 99th percentile | while a setter publishes 100/s | |")
    print("|---|---|---|---|---|")
    for function, (median, tail, mean) in found["quiet"].items():
        busy, busy_tail, _ = found["publishing"][function]
        print(
            f"| `{function}` | {median:.0f} (mean {mean:.1f}) | {tail:.0f} | {busy:.0f} | {busy_tail:.0f} |"
        )
    us = 1000.0
    first, worst = found["first init"]
    print("\n| | |\n|---|---|")
    print(f"| first init of a process | {first / us:.0f} us (worst of 50: {worst / us:.0f}) |")
    print(f"| init, all gpus, shutdown, first | {found['first-round'][0] / us:.0f} us |")
    print(f"| the same again, median (99th percentile) | {show(found['round'])} |")
    print(f"| a setting seen by another process | {show(found['seen'])} |")
    print(f"| a setter's own call | {show(found['set'])} |")
    resident, proportional, private = (part / 1024 for part in found["memory"])
    memory = f"{resident:.0f} KiB ({proportional:.0f}, {private:.0f})"
    print(f"| added memory: resident (proportional, private) | {memory} |")
    floor = f"the C library's abs: {found['ctypes floor'] / 1e6:.2f}"
    print(f"| raw ctypes | {found['ctypes'] / 1e6:.2f} M calls/s ({floor}) |")
    if "nvidia-ml-py" in found:
        print(f"| nvidia-ml-py | {found['nvidia-ml-py'] / 1e3:.0f} k calls/s |")


def show(pair: list[float]) -> str:
    """Median and 99th percentile in microseconds."""
    return f"{pair[0] / 1000:.1f} us ({pair[1] / 1000:.1f})"


def main() -> None:
    """Measure both hosts and print tables, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000_000, help="single calls of each function and run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as work:
        program = Path(work) / "native_calls"
        cc = ["cc", "-O2", "-std=gnu11", "-Wall", str(HERE / "native_calls.c"), "-ldl", "-o", str(program)]
        subprocess.run(cc, check=True)
        for name, (gpus, vgpus) in HOSTS.items():
            folder = Path(work) / str(gpus)
            folder.mkdir(mode=0o700)
            with hostd(fleet(gpus, vgpus), folder) as env:
                found[name] = measure(program, env, calls=arguments.calls, runs=arguments.runs)
    if arguments.json:
        json.dump(found, sys.stdout, indent=1)
        return
    for name, one in found.items():
        table(name, one)


if __name__ == "__main__":
    main()
