"""One vgpu on one gpu, with evidence: microseconds of `check` over many different pairs.

    python benchmarks/pair.py [--pairs N] [--seed N] [--json]

Every pair is another one and is judged once, so nothing is warm but the code. Pairs on which no row hits,
pairs with one obstacle, and pairs whose attributes are all drawn at random; for each the median, the mean and
the 99th percentile of single calls, the clock's own cost included.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.compat import GpuTraits, VgpuTraits, check
from vgpu_migrate.model import Profile

Pair = tuple[VgpuTraits, GpuTraits]
DRIVERS = ("535.161.05", "550.54.16", "550.90.05", "570.124.03", "580.65.05", "595.58.02")
VERSIONS = tuple(major << 16 | 1 for major in (7, 0xB, 0xD, 0x10, 0x12, 0x14, 0x18, 0x1A, 0x1C))


def a_pair_without_obstacle(rng: random.Random) -> Pair:
    """A vgpu and a gpu that suits it, all values drawn."""
    row = facts.vgpu_type_by_row(rng.randrange(len(facts.vgpu_types())))
    low, middle, high = sorted(rng.choices(VERSIONS, k=3))
    same: dict[str, Any] = {
        "board": row.board,
        "host_driver": rng.choice(DRIVERS),
        "ecc": rng.random() < 0.5,
        "sriov": rng.random() < 0.5,
        "topology": rng.randrange(8),
        "mig": (rng.randrange(1, 8),) if row.is_mig_backed else (),
        "migration": True,
    }
    vgpu = VgpuTraits(
        type=row.short,
        mig_backed=row.is_mig_backed,
        guest_info=True,
        version=middle,
        guest_min=low,
        guest_max=middle,
        **same,
    )
    gpu = GpuTraits(
        mig_enabled=row.is_mig_backed,
        types=None,
        range_min=low,
        range_max=high,
        preset_min=low,
        preset_max=high,
        **same,
    )
    return vgpu, gpu


def a_pair_with_one_obstacle(rng: random.Random) -> Pair:
    """The same, but for one thing."""
    vgpu, gpu = a_pair_without_obstacle(rng)
    assert vgpu.version is not None
    changed: list[dict[str, Any]] = [
        {"ecc": not gpu.ecc},
        {"sriov": not gpu.sriov},
        {"topology": gpu.topology + 1},
        {"migration": False},
        {"types": frozenset()},
        {"range_min": vgpu.version + 1, "range_max": vgpu.version + 9},
        {"range_max": vgpu.version - 1, "range_min": 1},
    ]
    return vgpu, msgspec.structs.replace(gpu, **rng.choice(changed))


def a_pair_at_random(rng: random.Random) -> Pair:
    """A vgpu and a gpu that have nothing to do with each other, mostly of one board."""
    vgpu, gpu = a_pair_without_obstacle(rng)[0], a_pair_without_obstacle(rng)[1]
    board = vgpu.board if rng.random() < 0.8 else gpu.board
    return vgpu, msgspec.structs.replace(gpu, board=board)


CASES: dict[str, Callable[[random.Random], Pair]] = {
    "no row hits": a_pair_without_obstacle,
    "one obstacle": a_pair_with_one_obstacle,
    "all at random": a_pair_at_random,
}


def measure(make: Callable[[random.Random], Pair], *, pairs: int, seed: int) -> dict[str, float]:
    """Microseconds of single calls over that many pairs."""
    rng = random.Random(seed)
    made = [make(rng) for _ in range(pairs)]
    for profile in Profile:
        check(*made[0], profile)  # the table is compiled at the first call
    nanoseconds, pieces = [], 0
    clock = time.perf_counter_ns
    for vgpu, gpu in made:
        start = clock()
        verdict = check(vgpu, gpu)
        nanoseconds.append(clock() - start)
        pieces += len(verdict.evidence)
    nanoseconds.sort()
    return {
        "median_us": statistics.median(nanoseconds) / 1e3,
        "mean_us": statistics.fmean(nanoseconds) / 1e3,
        "p99_us": nanoseconds[len(nanoseconds) * 99 // 100] / 1e3,
        "pieces_of_evidence": pieces / pairs,
    }


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = {name: measure(make, pairs=given.pairs, seed=given.seed) for name, make in CASES.items()}
    if given.json:
        print(json.dumps(found))
        return
    for name, each in found.items():
        print(
            f"{name:14} median {each['median_us']:5.2f} µs  mean {each['mean_us']:5.2f}  "
            f"p99 {each['p99_us']:5.2f}  evidence {each['pieces_of_evidence']:.2f} a pair"
        )


if __name__ == "__main__":
    main()
