"""Data for `classes.py`: the traits of a million vgpus and a hundred thousand gpus, as columns.

    python benchmarks/class_data.py zipf|adversarial FOLDER [--vgpus N] [--gpus N]

Saves one .npy file a column. The two kinds are described in `classes.py`; both are seeded.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vgpu_migrate import facts
from vgpu_migrate.model.negotiation import negotiate

SEED = 20261123
VGPUS, GPUS, GPUS_PER_HOST = 1_000_000, 100_000, 8
KINDS = ("zipf", "adversarial")
WITHOUT_MIG: tuple[int, ...] = ()
LAYOUTS = (
    WITHOUT_MIG,
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
"""The code of a layout in the vocabulary of both sides is its position here plus one; 0 is "unknown"."""

OF_SOURCE = ("host_driver", "ecc", "sriov", "topology", "mig")

Numbers = npt.NDArray[Any]
Columns = dict[str, Numbers]


class Chooser:
    """Seeded choices of indices, Zipf-distributed or uniform."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def zipf(self, values: int, size: int, exponent: float = 1.1) -> npt.NDArray[np.intp]:
        """Indices below `values`, the first the most frequent."""
        weights = 1 / np.arange(1, values + 1) ** exponent
        return self.rng.choice(values, size, p=weights / weights.sum())

    def uniform(self, values: int, size: int) -> npt.NDArray[np.intp]:
        """Indices below `values`, all alike."""
        return self.rng.integers(0, values, size)

    def flags(self, size: int, share: float) -> npt.NDArray[np.uint8]:
        """Ones with this share, else zeros."""
        return (self.rng.random(size) < share).astype(np.uint8)


def zipf(*, vgpus: int, gpus: int) -> tuple[Columns, Columns]:
    """A fleet as one may meet it: hosts of eight gpus of one board and one driver, vgpus on those gpus."""
    choose = Chooser(SEED)
    gpu, driver = _zipf_gpus(choose, gpus)
    at = choose.uniform(gpus, vgpus)
    has_source = choose.flags(vgpus, 0.97)  # the others are hibernated
    vgpu: Columns = {
        "type": _types_on(choose, gpu["board"][at], gpu["mig"][at].astype(np.intp) - 1),
        "has_source": has_source,
        **{name: gpu[name][at] * has_source for name in OF_SOURCE},
        "migration": gpu["migration"][at] & choose.flags(vgpus, 0.97),
        **_guests(choose, driver[at]),
    }
    return vgpu, gpu


def _zipf_gpus(choose: Chooser, gpus: int) -> tuple[Columns, Numbers]:
    """Gpus, and the number of each one's host driver among `_host_drivers()`."""
    boards = tuple(facts.boards().values())
    host = np.arange(gpus) // GPUS_PER_HOST
    hosts = int(host[-1]) + 1
    board = choose.rng.permutation(len(boards))[choose.zipf(len(boards), hosts)][host]
    driver = choose.zipf(len(_host_drivers()), hosts)[host]
    layout = np.where(
        np.array([item.mig_slices == 7 for item in boards])[board], choose.zipf(len(LAYOUTS), hosts)[host], 0
    )
    ranges = np.array([item.preset_range for item in _host_drivers()], dtype=np.uint32)[driver]
    gpu: Columns = {
        "board": board.astype(np.uint8),
        "mig_enabled": (layout > 0).astype(np.uint8),
        "types": np.zeros(gpus, dtype=np.uint8),
        "range_min": ranges[:, 0].copy(),
        "range_max": ranges[:, 1].copy(),
        "host_driver": (driver + 1).astype(np.uint16),
        "ecc": choose.flags(gpus, 0.93),
        "sriov": np.array([item.sriov_by_default for item in boards], dtype=np.uint8)[board],
        "topology": choose.zipf(4, gpus, 2.0).astype(np.uint32),
        "mig": (layout + 1).astype(np.uint16),
        "migration": choose.flags(gpus, 0.99),
        "profile": np.zeros(gpus, dtype=np.uint8),
    }
    return gpu, driver


def _host_drivers() -> tuple[facts.HostDriver, ...]:
    names = dict.fromkeys(row.host_linux for row in facts.releases() if row.host_linux)
    found = (facts.host_driver(name) for name in names)
    return tuple(driver for driver in found if driver.preset_range is not None)


def _types_on(choose: Chooser, board: Numbers, layout: Numbers) -> Numbers:
    """A type for each vgpu that its gpu could hold, the same few favoured on every board."""
    boards = tuple(facts.boards())
    group = board.astype(np.intp) * len(LAYOUTS) + layout
    chosen = np.zeros(len(board), dtype=np.uint16)
    for number in np.unique(group):
        key, slices = boards[number // len(LAYOUTS)], LAYOUTS[number % len(LAYOUTS)]
        rows = [
            item.row
            for item in facts.types_of_board(key)
            if (item.gi_slices in slices if slices else not item.is_mig_backed)
        ] or [item.row for item in facts.types_of_board(key)]
        members = np.flatnonzero(group == number)
        chosen[members] = np.array(rows)[choose.zipf(len(rows), len(members))]
    return chosen


def _guests(choose: Chooser, host_driver: Numbers) -> Columns:
    """Guest drivers of real releases that load on their host's driver, with the version they negotiate."""
    hosts = _host_drivers()
    names = dict.fromkeys(row.guest_linux for row in facts.releases() if row.guest_linux)
    guests = [facts.guest_driver(name) for name in names]
    held = np.array(
        [
            [
                negotiate(
                    guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=host.preset_range
                )
                or 0
                for guest in guests
            ]
            for host in hosts
        ],
        dtype=np.uint32,
    )
    guest = np.zeros(len(host_driver), dtype=np.intp)
    for number in np.unique(host_driver):
        members, loading = np.flatnonzero(host_driver == number), np.flatnonzero(held[number])
        guest[members] = loading[choose.zipf(len(loading), len(members))]
    version = held[host_driver, guest] * choose.flags(len(guest), 0.98)  # some are booting
    return {
        "guest_info": (version > 0).astype(np.uint8),
        "version": version,
        "guest_min": np.array([item.minimum or 0 for item in guests], dtype=np.uint32)[guest],
        "guest_max": np.array([item.maximum or 0 for item in guests], dtype=np.uint32)[guest],
    }


def adversarial(*, vgpus: int, gpus: int) -> tuple[Columns, Columns]:
    """Every attribute uniform and independent, over many values: hardly two vgpus are alike."""
    choose = Chooser(SEED)
    versions = np.array([major << 16 | 1 for major in range(5, 29)], dtype=np.uint32)
    minima = np.array([0, 0x70001, 0x140001], dtype=np.uint32)

    def common(size: int) -> Columns:
        layout = choose.uniform(len(LAYOUTS), size)
        return {
            "host_driver": (choose.uniform(60, size) + 1).astype(np.uint16),
            "ecc": choose.flags(size, 0.5),
            "sriov": choose.flags(size, 0.5),
            "topology": choose.uniform(8, size).astype(np.uint32),
            "mig": (layout + 1).astype(np.uint16),
            "migration": choose.flags(size, 0.5),
        }

    guest_info = choose.flags(vgpus, 0.5)
    vgpu: Columns = {
        "type": choose.uniform(len(facts.vgpu_types()), vgpus).astype(np.uint16),
        "guest_info": guest_info,
        "version": versions[choose.uniform(len(versions), vgpus)] * guest_info,
        "guest_min": minima[choose.uniform(len(minima), vgpus)],
        "guest_max": versions[choose.uniform(len(versions), vgpus)],
        "has_source": choose.flags(vgpus, 0.9),
        **common(vgpus),
    }
    for name in OF_SOURCE:
        vgpu[name] *= vgpu["has_source"]
    lows = np.array([0x70001, 0x120001, 0x180001], dtype=np.uint32)
    gpu: Columns = {
        "board": choose.uniform(len(facts.boards()), gpus).astype(np.uint8),
        "types": np.zeros(gpus, dtype=np.uint8),
        "range_min": lows[choose.uniform(len(lows), gpus)],
        "range_max": versions[len(versions) // 2 :][choose.uniform(len(versions) // 2, gpus)],
        "profile": np.zeros(gpus, dtype=np.uint8),
        **common(gpus),
    }
    gpu["mig_enabled"] = (gpu["mig"] > 1).astype(np.uint8)
    return vgpu, gpu


def main() -> None:
    """Make the columns and save them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vgpus", type=int, default=VGPUS)
    parser.add_argument("--gpus", type=int, default=GPUS)
    given = parser.parse_args()
    make = zipf if given.kind == "zipf" else adversarial
    vgpu, gpu = make(vgpus=given.vgpus, gpus=given.gpus)
    for side, columns in (("vgpu", vgpu), ("gpu", gpu)):
        for name, column in columns.items():
            np.save(given.folder / f"{side}.{name}.npy", column)


if __name__ == "__main__":
    main()
