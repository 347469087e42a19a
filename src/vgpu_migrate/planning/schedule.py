"""When each migration starts, under the limits of parallel migrations for each host and for the fleet.

List scheduling: whenever a slot is free, the migration whose busier host has most left to do starts.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vgpu_migrate.planning.bounds import makespan_bound

GOOD_ENOUGH = 1.02
"""A schedule this close to the bound is not improved further."""
MOST_ATTEMPTS = 24
JOBS_IN_ALL = 10_000
"""How many jobs are placed in all attempts together: large plans get few attempts, and need few."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Start and end of each job in seconds, and what the makespan cannot be below."""

    starts: list[float]
    ends: list[float]
    lower_bound: float

    @property
    def makespan_s(self) -> float:
        """When the last job ends."""
        return max(self.ends, default=0.0)


def schedule(
    jobs: Sequence[tuple[int, int, float]], host_limits: Sequence[int], fleet_limit: int
) -> Schedule:
    """Schedule migrations (source, target, seconds); hosts are numbers into `host_limits`.

    Where the first schedule is not close to its bound, jobs that ended last are favoured and it is made
    again, some times over; the best one counts. No randomness: the same jobs give the same schedule.
    """
    bound = makespan_bound(jobs, host_limits, fleet_limit)
    if not jobs:
        return Schedule([], [], 0.0)
    favour = np.zeros(len(jobs))
    best: tuple[list[float], list[float]] | None = None
    for attempt in range(max(1, min(MOST_ATTEMPTS, JOBS_IN_ALL // len(jobs)))):
        starts, ends = _list_schedule(jobs, host_limits, fleet_limit, favour)
        if best is None or max(ends) < max(best[1]) - 1e-9:
            best = starts, ends
        if max(best[1]) <= bound * GOOD_ENOUGH:
            break
        late = np.array(ends) > bound * (1 + 0.25 / (attempt + 1)) - 1e-9
        late |= np.array(ends) >= max(ends) - 1e-9
        favour = favour + np.where(late, np.array([seconds for _, _, seconds in jobs]) * 0.5, 0.0)
    assert best is not None
    makespan_s = max(best[1])
    assert makespan_s >= bound - 1e-6, "a schedule below its bound"
    # Sums in another order differ in the last bits.
    return Schedule(best[0], best[1], min(bound, makespan_s))


def _list_schedule(
    jobs: Sequence[tuple[int, int, float]],
    host_limits: Sequence[int],
    fleet_limit: int,
    favour: npt.NDArray[np.float64],
) -> tuple[list[float], list[float]]:
    source = np.array([job[0] for job in jobs], dtype=np.intp)
    target = np.array([job[1] for job in jobs], dtype=np.intp)
    seconds = np.array([job[2] for job in jobs])
    limits = np.array(host_limits, dtype=np.float64)
    free = np.array(host_limits, dtype=np.int64)
    left = np.bincount(source, seconds, len(limits)) + np.bincount(target, seconds, len(limits))
    waiting = np.arange(len(jobs))
    starts, ends = [0.0] * len(jobs), [0.0] * len(jobs)
    running: list[tuple[float, int]] = []
    now = 0.0
    while len(waiting):
        while len(running) < fleet_limit and len(waiting):
            from_, to = source[waiting], target[waiting]
            ready = (free[from_] > 0) & (free[to] > 0)
            if not ready.any():
                break
            from_left, to_left = left[from_] / limits[from_], left[to] / limits[to]
            rank = np.maximum(from_left, to_left) + favour[waiting]
            rank += 1e-3 * np.minimum(from_left, to_left) + 1e-6 * seconds[waiting]
            position = int(np.argmax(np.where(ready, rank, -1.0)))
            job = int(waiting[position])
            waiting = np.delete(waiting, position)
            starts[job], ends[job] = now, now + float(seconds[job])
            heapq.heappush(running, (ends[job], job))
            for host in (source[job], target[job]):
                free[host] -= 1
                left[host] -= seconds[job]
        now = running[0][0]
        while running and running[0][0] <= now:
            _, job = heapq.heappop(running)
            free[source[job]] += 1
            free[target[job]] += 1
    return starts, ends
