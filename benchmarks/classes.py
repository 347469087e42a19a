"""A million vgpus against a hundred thousand gpus: who runs where from which state, and who nowhere.

    python benchmarks/classes.py [--data zipf|adversarial] [--runs 7] [--vgpus N] [--gpus N] [--json]

Two questions. `verdict` is what the matrix is for: in each of the four states, how many pairs run and how
many vgpus have no target. `live` asks for the one state that is nearly all equality, which suits a join best.

`class_data.py` makes the columns of a data set in a process of its own. One process then answers with
`ClassMatrix`, others with Polars (`class_polars.py`), on all threads and again on one, as ours does; each
reports the seconds of every run and its own peak memory, interpreter, libraries and data included. All must
give the same counts. Then hosts change, eight gpus at a time, and the matrix so updated must equal one built
afresh.

`zipf` is a fleet: hosts of eight gpus of one board and driver, vgpus that sit on those gpus, guest drivers of
real releases with the version they negotiate there; everything is Zipf-distributed, some VMs are hibernated.
`adversarial` has every attribute uniform and independent over many values: hardly two vgpus are alike.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from vgpu_migrate.compat.columns import GpuColumns, VgpuColumns, Vocabulary
from vgpu_migrate.compat.matrix import ClassMatrix
from vgpu_migrate.nvml import States

HERE = Path(__file__).parent
KINDS = ("zipf", "adversarial")
QUESTIONS = {"verdict": (States.COLD, States.HIBERNATE, States.SLEEP, States.LIVE), "live": (States.LIVE,)}
QUERIES = {"verdict": ("verdict",), "live": ("live", "live-keys")}
GPUS_PER_HOST, HOSTS_CHANGED = 8, 49
NEW_RANGES = ((0x120001, 0x1A0001), (0x180001, 0x1C0001), (0x70001, 0x1B0001))


def load_vgpus(folder: Path) -> VgpuColumns:
    """The vgpus' columns."""
    return VgpuColumns(*[np.load(folder / f"vgpu.{item.name}.npy") for item in fields(VgpuColumns)])


def load_gpus(folder: Path) -> GpuColumns:
    """The gpus' columns."""
    return GpuColumns(*[np.load(folder / f"gpu.{item.name}.npy") for item in fields(GpuColumns)])


def answer(folder: Path, runs: int, question: str) -> dict[str, Any]:
    """Build the matrix and count, some times; then change hosts one by one."""
    vgpus, gpus, words = load_vgpus(folder), load_gpus(folder), Vocabulary()
    seconds = []
    for _ in range(runs):
        matrix = None
        start = time.perf_counter()
        matrix = ClassMatrix(vgpus, gpus, words)
        pairs = {state.words[0]: matrix.compatible_pairs(state) for state in QUESTIONS[question]}
        alone = {state.words[0]: matrix.vgpus_without_target(state) for state in QUESTIONS[question]}
        seconds.append(time.perf_counter() - start)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert matrix is not None
    return {
        "seconds": seconds,
        "peak_mb": peak_mb,
        "vgpu_classes": len(matrix.vgpus.keys),
        "gpu_classes": len(matrix.gpus.keys),
        "pairs": pairs,
        "without_target": alone,
        "change_seconds": change_hosts(matrix, vgpus, gpus, words),
    }


def change_hosts(matrix: ClassMatrix, vgpus: VgpuColumns, gpus: GpuColumns, words: Vocabulary) -> list[float]:
    """Give one host after another a new driver's range; the seconds each took. The result must be right."""
    rng = np.random.default_rng(1)
    seconds = []
    hosts = rng.choice(len(gpus) // GPUS_PER_HOST, HOSTS_CHANGED, replace=False)
    for number, host in enumerate(hosts.tolist()):
        rows = range(host * GPUS_PER_HOST, (host + 1) * GPUS_PER_HOST)
        for column, value in zip(
            (gpus.range_min, gpus.range_max), NEW_RANGES[number % len(NEW_RANGES)], strict=True
        ):
            column[rows.start : rows.stop] = value
        changed = GpuColumns(*[getattr(gpus, item.name)[rows.start : rows.stop] for item in fields(gpus)])
        start = time.perf_counter()
        matrix.change_gpus(rows, changed)
        seconds.append(time.perf_counter() - start)
    fresh = ClassMatrix(vgpus, gpus, words)
    everyone = slice(None)
    for state in (States.LIVE, States.HIBERNATE):
        now = matrix.reach(state)[matrix.vgpus.class_of(everyone)]
        wanted = fresh.reach(state)[fresh.vgpus.class_of(everyone)]
        assert np.array_equal(now, wanted), f"{state.name}: the updated matrix differs from a fresh one"
    return seconds


def in_process(*arguments: str, threads: str = "") -> dict[str, Any]:
    """What a script of this folder prints, run in a process of its own."""
    limited = {**os.environ, "POLARS_MAX_THREADS": threads} if threads else None
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=limited
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return found


def measure(kind: str, *, runs: int, vgpus: int, gpus: int) -> dict[str, Any]:
    """One data set: ours and Polars, each in its own process, the counts compared."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = ("--vgpus", str(vgpus), "--gpus", str(gpus))
        in_process(str(HERE / "class_data.py"), kind, folder, *sizes)
        times = ("--runs", str(runs))
        return {question: ask(question, folder, times) for question in QUESTIONS}


def ask(question: str, folder: str, times: tuple[str, ...]) -> dict[str, Any]:
    """One question to all, the counts compared."""
    ours = ("--answer", folder, "--question", question)
    found = {"ours": in_process(str(HERE / "classes.py"), *ours, *times)}
    for query in QUERIES[question]:
        script = str(HERE / "class_polars.py")
        found[f"polars, {query}"] = in_process(script, folder, "--query", query, *times)
        found[f"polars, {query}, 1"] = in_process(script, folder, "--query", query, *times, threads="1")
    counts = [(each["pairs"], each["without_target"]) for each in found.values()]
    if any(each != counts[0] for each in counts):
        raise SystemExit(f"{question}: the counts differ: {counts}")
    return found


def show(kind: str, found: dict[str, Any], vgpus: int, gpus: int) -> None:
    """One data set as a table."""
    sizes = found["verdict"]["ours"]
    print(f"{kind}: {vgpus:,} vgpus in {sizes['vgpu_classes']:,} classes, ", end="")
    print(f"{gpus:,} gpus in {sizes['gpu_classes']:,} classes")
    for question, answers in found.items():
        ours = answers["ours"]
        said = ", ".join(f"{state} {pairs:,}" for state, pairs in ours["pairs"].items())
        print(f"  {question}: pairs that run: {said}")
        for name, each in answers.items():
            median, worst = statistics.median(each["seconds"]), max(each["seconds"])
            ratio = median / statistics.median(ours["seconds"])
            figures = f"{median:8.3f} s  (worst {worst:.3f}) {each['peak_mb']:6.0f} MB {ratio:6.1f} x"
            print(f"    {name:22}{figures}, {each.get('threads', 1)} threads")
    changes = sizes["change_seconds"]
    print(
        f"  one host changed    {statistics.median(changes) * 1e3:8.2f} ms (worst {max(changes) * 1e3:.2f})"
    )


def main() -> None:
    """Measure the data sets named, or answer one that is made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", choices=KINDS, action="append", help="default: both")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--vgpus", type=int, default=1_000_000)
    parser.add_argument("--gpus", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--answer", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--question", choices=sorted(QUESTIONS), default="verdict", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.answer:
        print(json.dumps(answer(given.answer, given.runs, given.question)))
        return
    results = {
        kind: measure(kind, runs=given.runs, vgpus=given.vgpus, gpus=given.gpus)
        for kind in given.data or KINDS
    }
    if given.json:
        print(json.dumps(results))
        return
    for kind, found in results.items():
        show(kind, found, given.vgpus, given.gpus)


if __name__ == "__main__":
    main()
