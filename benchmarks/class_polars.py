"""The questions of `classes.py` put to Polars: how many pairs go live, and how many vgpus have no target.

    python benchmarks/class_polars.py FOLDER [--runs 7] [--query expression|keys]

Two queries. `expression` groups both sides by the columns that matter, joins on the board, and filters by
the rules as one expression; Polars pushes down and turns into join keys what it can. `keys` is written by
hand for this one question: rows that can never go live are dropped first, what must be equal is a join key,
and vgpus without a source gpu, for which nothing must be equal, are a second join. Both run on all threads.
Neither has rows for listed types or unknown ranges: the data have none. Prints one JSON object.
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
SAME_CONFIGURATION = pl.all_horizontal(col(name) == col(f"{name}_right") for name in EQUAL)
GOES_LIVE = (
    (col("mig_backed") == col("mig_enabled"))
    & (col("guest_info") == 1)
    & (col("migration") == 1)
    & (col("migration_right") == 1)
    & ((col("has_source") == 0) | SAME_CONFIGURATION)
    & VERSIONS_FIT
)


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


def by_expression(vgpus: pl.DataFrame, gpus: pl.DataFrame, types: pl.DataFrame) -> pl.LazyFrame:
    """Join on the board, filter by the rules as one expression."""
    vgpu_classes = (
        vgpus.lazy()
        .join(types.lazy(), on="type")
        .group_by("board", "mig_backed", *VGPU[1:])
        .len("vgpus")
        .with_row_index("id")
    )
    gpu_classes = gpus.lazy().group_by(*GPU).len("gpus")
    return vgpu_classes.join(gpu_classes, on="board").filter(GOES_LIVE).select("id", "vgpus", "gpus")


def by_keys(vgpus: pl.DataFrame, gpus: pl.DataFrame, types: pl.DataFrame) -> pl.LazyFrame:
    """Drop what never goes live, join on all that must be equal, filter by versions."""
    vgpu_classes = (
        vgpus.lazy()
        .filter((col("guest_info") == 1) & (col("migration") == 1))
        .join(types.lazy(), on="type")
        .group_by("board", "mig_backed", "version", "guest_min", "guest_max", "has_source", *EQUAL)
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
    return pl.concat(
        joined.filter(VERSIONS_FIT).select("id", "vgpus", "gpus") for joined in (with_source, without_source)
    )


QUERIES: dict[str, Callable[[pl.DataFrame, pl.DataFrame, pl.DataFrame], pl.LazyFrame]] = {
    "expression": by_expression,
    "keys": by_keys,
}


def main() -> None:
    """Answer some times, and print seconds, peak memory and the two counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--query", choices=sorted(QUERIES), default="expression")
    given = parser.parse_args()
    vgpus, gpus = load(given.folder, "vgpu", VGPU), load(given.folder, "gpu", GPU)
    types, query = boards_of_types(), QUERIES[given.query]
    seconds = []
    for _ in range(given.runs):
        start = time.perf_counter()
        per_class = (
            query(vgpus, gpus, types)
            .group_by("id")
            .agg(col("vgpus").first().cast(pl.Int64), col("gpus").sum().cast(pl.Int64))
            .select((col("vgpus") * col("gpus")).sum().alias("pairs"), col("vgpus").sum())
            .collect(engine="streaming")
        )
        pairs, with_target = per_class.row(0)
        seconds.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "threads": pl.thread_pool_size(),
                "pairs": pairs,
                "without_target": len(vgpus) - with_target,
            }
        )
    )


if __name__ == "__main__":
    main()
