"""Wave sizes dealt out: which pool, or which domain, may take how many hosts in each wave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from vgpu_migrate.planning.rolling.ask import UpgradeAsk

WaveSize = Callable[[int], int | None]


def deal(weights: Sequence[int]) -> list[int]:
    """Who is next, so often as its weight says and as evenly as can be: one round, by number."""
    turns = [
        ((turn + 0.5) / weight, number) for number, weight in enumerate(weights) for turn in range(weight)
    ]
    return [number for _, number in sorted(turns)]


def split(sizes: Sequence[int], weights: Sequence[int], waves: int) -> list[tuple[int, ...]]:
    """Wave sizes, the last of which repeats, dealt out for so many waves; for each weight its own sizes."""
    order = deal(weights)
    whole = [sizes[min(wave, len(sizes) - 1)] for wave in range(waves)]
    found = [[0] * waves for _ in weights]
    starts = accumulate(whole, initial=0)
    for wave, (start, size) in enumerate(zip(starts, whole, strict=False)):
        for turn in range(start, start + size):
            found[order[turn % len(order)]][wave] += 1
    return [tuple(row) for row in found]


def shares(ask: UpgradeAsk, weights: Sequence[int]) -> list[WaveSize]:
    """For each pool, with so many hosts to upgrade, how many it may take in each wave."""
    if not ask.wave_sizes:
        return [ask.wave_size] * len(weights)
    total, order = sum(weights), deal(weights)
    starts = [0]

    def of(number: int) -> WaveSize:
        def size(wave: int) -> int:
            while len(starts) <= wave:
                starts.append(starts[-1] + (ask.wave_size(len(starts)) or 0))
            turns = range(starts[wave - 1], starts[wave])
            return sum(order[turn % total] == number for turn in turns)

        return size

    return [of(number) for number in range(len(weights))]
