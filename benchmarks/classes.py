"""A million vgpus against a hundred thousand gpus: who runs where, live, and who runs nowhere.

    python benchmarks/classes.py [--data zipf|adversarial] [--runs 7] [--json]

One process makes the columns of a data set and saves them, one answers with `ClassMatrix`, one with Polars.
The last two report the seconds of each run and their own peak memory, and must agree on both counts.

`zipf` is a fleet: hosts of eight gpus of one board and one driver, vgpus that sit on those gpus, guest drivers
of real releases that negotiated with the real range of their host; everything is Zipf-distributed.
`adversarial` has every attribute uniform and independent over many values, so that hardly two vgpus are alike.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

VGPUS, GPUS, GPUS_PER_HOST = 1_000_000, 100_000, 8
DATA = ("zipf", "adversarial")
SEED = 20261123
LAYOUTS: tuple[tuple[int, ...], ...] = (
    (),
    (3, 3),
    (7,),
    (4, 3),
    (2, 2, 3),
    (1, 1, 1, 1, 1, 1, 1),
    (3, 2, 2),
    (2, 2, 2, 1),
    (4, 2, 1),
    (1, 1, 2, 3),
)
HOSTS_CHANGED = 50

Numbers = npt.NDArray[Any]
Columns = dict[str, Numbers]


# ---- data -------------------------------------------------------------------------------------------------


class Chooser:
    """Seeded choices, Zipf-distributed over the values in the order given, or uniform."""

    def __init__(self, *, seed: int, skewed: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.skewed = skewed

    def index(self, values: int, size: int, exponent: float = 1.3) -> npt.NDArray[np.intp]:
        """Indices of `values` things."""
        if not self.skewed:
            return self.rng.integers(0, values, size)
        weights = 1 / np.arange(1, values + 1) ** exponent
        return self.rng.choice(values, size, p=weights / weights.sum())

    def pick(self, values: Sequence[int] | Numbers, size: int, exponent: float = 1.3) -> Numbers:
        """Some of the values."""
        return np.asarray(values)[self.index(len(values), size, exponent)]

    def flag(self, size: int, share: float) -> npt.NDArray[np.uint8]:
        """Ones with this share, zeros else; half and half where nothing is skewed."""
        return (self.rng.random(size) < (share if self.skewed else 0.5)).astype(np.uint8)


def layout_codes() -> Numbers:
    """The code of each of `LAYOUTS` in the vocabulary of `vocabulary()`."""
    return np.arange(1, len(LAYOUTS) + 1, dtype=np.uint16)


def zipf(vgpus: int, gpus: int) -> tuple[Columns, Columns]:
    """A fleet as one may meet it."""
    from vgpu_migrate import facts

    choose = Chooser(seed=SEED, skewed=True)
    boards = list(facts.boards().values())
    drivers = [
        found
        for name in dict.fromkeys(row.host_linux for row in facts.releases() if row.host_linux)
        if (found := facts.host_driver(name)).preset_range is not None
    ]
    guests = [
        facts.guest_driver(name)
        for name in dict.fromkeys(row.guest_linux for row in facts.releases() if row.guest_linux)
    ]
    hosts = -(-gpus // GPUS_PER_HOST)
    host_of = np.arange(gpus) // GPUS_PER_HOST
    board_order = choose.rng.permutation(len(boards))
    board = board_order[choose.index(len(boards), hosts, 1.1)][host_of]
    driver = choose.index(len(drivers), hosts, 1.1)[host_of]
    has_mig = np.array([item.mig_slices >= 7 for item in boards])[board]
    layout = np.where(has_mig, choose.index(len(LAYOUTS), gpus), 0)
    ranges = np.array([item.preset_range for item in drivers], dtype=np.uint32)[driver]
    gpu = {
        "board": board.astype(np.uint8),
        "mig_enabled": (layout > 0).astype(np.uint8),
        "types": np.zeros(gpus, dtype=np.uint8),
        "range_min": ranges[:, 0],
        "range_max": ranges[:, 1],
        "host_driver": driver.astype(np.uint16),
        "ecc": choose.flag(gpus, 0.93),
        "sriov": np.array([item.sriov_by_default for item in boards], dtype=np.uint8)[board],
        "topology": choose.pick([0, 1, 2, 3], gpus, 2.0).astype(np.uint32),
        "mig": layout_codes()[layout],
        "migration": choose.flag(gpus, 0.99),
        "profile": np.zeros(gpus, dtype=np.uint8),
    }
    at = choose.rng.integers(0, gpus, vgpus)
    types = [
        [[item.row for item in facts.types_of_board(key.key) if item.is_mig_backed == mig] for mig in (False, True)]
        for key in boards
    ]
    table = np.array(
        [
            [(choose.rng.permutation(rows) if rows else [0])[: 10_000].tolist() for rows in pair]
            for pair in [[sum(([row] for row in rows), []) for rows in pair] for pair in types]
        ],
        dtype=object,
    )
    return _zipf_vgpus(choose, at, gpu, table, guests), gpu


def _zipf_vgpus(choose: Chooser, at: Numbers, gpu: Columns, types: Numbers, guests: list[Any]) -> Columns:
    raise NotImplementedError
