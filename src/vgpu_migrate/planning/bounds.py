"""What no schedule can better. Proofs are in docs/planner.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def machines_bound(seconds: Iterable[float], machines: int) -> float:
    """The least time in which jobs of these lengths can run on so many equal machines.

    The mean load; the longest job; and for each k the k+1 shortest of the k·machines+1 longest jobs, of which
    one machine must run k+1.
    """
    longest_first = sorted(seconds, reverse=True)
    if not longest_first:
        return 0.0
    bound = max(longest_first[0], sum(longest_first) / machines)
    for k in range(1, (len(longest_first) - 1) // machines + 1):
        last = k * machines
        bound = max(bound, sum(longest_first[last - k : last + 1]))
    return bound


def makespan_bound(
    jobs: Sequence[tuple[int, int, float]], host_limits: Sequence[int], fleet_limit: int
) -> float:
    """The least time for migrations (source, target, seconds) within the limits of hosts and fleet."""
    on_host: dict[int, list[float]] = {}
    for source, target, seconds in jobs:
        on_host.setdefault(source, []).append(seconds)
        on_host.setdefault(target, []).append(seconds)
    bounds = [machines_bound(lengths, host_limits[host]) for host, lengths in on_host.items()]
    return max([*bounds, machines_bound([seconds for _, _, seconds in jobs], fleet_limit)], default=0.0)
