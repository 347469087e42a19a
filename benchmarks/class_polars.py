"""The questions of `classes.py` put to Polars: how many pairs run, and how many vgpus have no target.

    python benchmarks/class_polars.py FOLDER [--runs 7] [--query verdict|live|live-keys]

`verdict` asks what the matrix answers, for the same classes all four states: it groups both sides by the
columns that make a class, joins on the board, and has one expression for each state. `live` asks for one
state alone, as a filter, and leaves out the type, of which only the board then matters; Polars pushes down
and turns into join keys what it can. `live-keys` is written by hand for that one question: rows that can
never go live are dropped first, what must be equal is a join key, and vgpus without a source gpu, for which
nothing must be equal, are a second join. All run on the streaming engine. None has rows for listed types or
unknown ranges: the data have none. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from vgpu_migrate import facts

VGPU = (
    "type",
    "guest_info",
    "version",
    "guest_min",
    "guest_max",
    "has_source",
    "ecc",
    "sriov",
    "topology",
    "mig",
    "migration",
)
GPU = ("board", "mig_enabled", "range_min", "range_max", "ecc", "sriov", "topology", "mig", "migration")
EQUAL = ("ecc", "sriov", "topology", "mig")

col = pl.col
VERSIONS_FIT = (
    (col("version") >= col("range_min"))
    & (col("version") <= col("range_max"))
    & ((col("guest_max") == 0) | (col("guest_max") >= col("range_min")))
    & ((col("guest_min") == 0) | (col("guest_min") <= col("range_max")))
)
# The version held is looked at only where there is one; the guest driver's bounds always.
VERSION_HELD_FITS = (col("guest_info") == 1) & (
    (col("version") >= col("range_min")) & (col("version") <= col("range_max"))
)
GUEST_LOADS = ((col("guest_max") == 0) | (col("guest_max") >= col("range_min"))) & (
    (col("guest_min") == 0) | (col("guest_min") <= col("range_max"))
)
SAME_CONFIGURATION = pl.all_horizontal(col(name) == col(f"{name}_right") for name in EQUAL)
RUNS_COLD = (col("mig_backed") == col("mig_enabled")) & GUEST_LOADS
RUNS_HIBERNATED = RUNS_COLD & VERSION_HELD_FITS
GOES_LIVE = (
    RUNS_HIBERNATED
    & (col("migration") == 1)
    & (col("migration_right") == 1)
    & ((col("has_source") == 0) | SAME_CONFIGURATION)
)
STATES = {"cold": RUNS_COLD, "hibernate": RUNS_HIBERNATED, "sleep": GOES_LIVE, "live": GOES_LIVE}


def load(folder: Path, side: str, names: tuple[str, ...]) -> pl.DataFrame:
    """Some columns of one side."""
    return pl.DataFrame({name: np.load(folder / f"{side}.{name}.npy") for name in names})


def boards_of_types() -> pl.DataFrame:
    """Each type's board and whether it is MIG-backed."""
    types = tuple(facts.vgpu_types().values())
    return pl.DataFrame(
        {
            "type": np.array([item.row for item in types], dtype=np.uint16),
            "board": np.array([facts.board(item.board).row for item in types], dtype=np.uint8),
            "mig_backed": np.array([item.is_mig_backed for item in types], dtype=np.uint8),
        }
    )


def joined_on_board(
    vgpus: pl.DataFrame, gpus: pl.DataFrame, types: pl.DataFrame, columns: tuple[str, ...]
) -> pl.LazyFrame:
    """The classes of both sides, every pair of one board."""
    vgpu_classes = (
        vgpus.lazy()
        .join(types.lazy(), on="type")
        .group_by("board", "mig_backed", *columns)
        .len("vgpus")
        .with_row_index("id")
    )
    gpu_classes = gpus.lazy().group_by(*GPU).len("gpus")
    return vgpu_classes.join(gpu_classes, on="board")


def verdict(vgpus: pl.DataFrame, gpus: pl.DataFrame, types: pl.DataFrame) -> pl.LazyFrame:
    """For each vgpu class the gpus on which it runs, state by state."""
    return (
        joined_on_board(vgpus, gpus, types, VGPU)
        .select("id", "vgpus", *((col("gpus") * runs).alias(state) for state, runs in STATES.items()))
        .group_by("id")
        .agg(col("vgpus").first().cast(pl.Int64), *(col(state).cast(pl.Int64).sum() for state in STATES))
    )


def live(vgpus: pl.DataFrame, gpus: pl.DataFrame, types: pl.DataFrame) -> pl.LazyFrame:
    """For each vgpu class that goes live somewhere, the gpus to which it does."""
    return summed(
        joined_on_board(vgpus, gpus, types, VGPU[1:]).filter(GOES_LIVE).select("id", "vgpus", "gpus")
    )


def summed(pairs: pl.LazyFrame) -> pl.LazyFrame:
    """Gpus by vgpu class."""
    sums = col("vgpus").first().cast(pl.Int64), col("gpus").sum().cast(pl.Int64).alias("live")
    return pairs.group_by("id").agg(*sums)


def live_keys(vgpus: pl.DataFrame, gpus: pl.DataFrame, types: pl.DataFrame) -> pl.LazyFrame:
    """Drop what never goes live, join on all that must be equal, filter by versions."""
    vgpu_classes = (
        vgpus.lazy()
        .filter((col("guest_info") == 1) & (col("migration") == 1))
        .join(types.lazy(), on="type")
        .group_by("board", "mig_backed", *VGPU[1:6], *EQUAL)
        .len("vgpus")
        .with_row_index("id")
    )
    ranges = ("board", "mig_enabled", "range_min", "range_max")
    gpu_classes = gpus.lazy().filter(col("migration") == 1).group_by(*ranges, *EQUAL).len("gpus")
    with_source = vgpu_classes.filter(col("has_source") == 1).join(
        gpu_classes, left_on=["board", "mig_backed", *EQUAL], right_on=["board", "mig_enabled", *EQUAL]
    )
    without_source = vgpu_classes.filter(col("has_source") == 0).join(
        gpu_classes.group_by(*ranges).agg(col("gpus").sum()),
        left_on=["board", "mig_backed"],
        right_on=["board", "mig_enabled"],
    )
    fits = VERSION_HELD_FITS & GUEST_LOADS
    return summed(
        pl.concat(
            joined.filter(fits).select("id", "vgpus", "gpus") for joined in (with_source, without_source)
        )
    )


QUERIES: dict[str, Callable[[pl.DataFrame, pl.DataFrame, pl.DataFrame], pl.LazyFrame]] = {
    "verdict": verdict,
    "live": live,
    "live-keys": live_keys,
}


def main() -> None:
    """Answer some times, and print seconds, peak memory and the two counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--query", choices=sorted(QUERIES), default="verdict")
    given = parser.parse_args()
    vgpus, gpus = load(given.folder, "vgpu", VGPU), load(given.folder, "gpu", GPU)
    types, query = boards_of_types(), QUERIES[given.query]
    states = STATES if given.query == "verdict" else ("live",)
    seconds = []
    for _ in range(given.runs):
        start = time.perf_counter()
        counted = (
            query(vgpus, gpus, types)
            .select(
                *((col("vgpus") * col(state)).sum().alias(f"{state} pairs") for state in states),
                *(col("vgpus").filter(col(state) > 0).sum().alias(f"{state} vgpus") for state in states),
            )
            .collect(engine="streaming")
            .row(0, named=True)
        )
        seconds.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "threads": pl.thread_pool_size(),
                "pairs": {state: counted[f"{state} pairs"] for state in states},
                "without_target": {state: len(vgpus) - counted[f"{state} vgpus"] for state in states},
            }
        )
    )


if __name__ == "__main__":
    main()
