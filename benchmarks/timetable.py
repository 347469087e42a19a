"""Time the timetable of whole rolling upgrades and set its makespan beside what no timetable can better.

    python benchmarks/timetable.py               20,000 and 200,000 migrations
    python benchmarks/timetable.py 20000 --json  one of them, as JSON

A fleet of so many VMs, 20 on each host, in domains of 50 hosts: a tenth of the hosts is empty, is upgraded,
takes the VMs of as many others, which are upgraded, and so on. Times of migrations and upgrades are those of
the defaults. The bound is that of the very same steps: the longest way through them, hosts, fleet, and hosts
out of service.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vgpu_migrate.planning.precedence import Item, Limits
from vgpu_migrate.planning.timetable import timetable

VMS_PER_HOST = 20
HOSTS_PER_DOMAIN = 50
SPARE = 0.1
UPGRADE_S = 1800.0
MIGRATION_S = (9.1, 13.2, 14.6, 21.4)
PER_HOST = 2


class Row(NamedTuple):
    """What one timetable gave."""

    migrations: int
    fleet_limit: int
    max_unavailable: int | None
    seconds: float
    makespan_h: float
    bound_h: float
    over_bound: float


def rolling(hosts: int, seed: int) -> list[Item]:
    """The steps of a rolling upgrade, domain by domain."""
    rng = random.Random(seed)
    items: list[Item] = []
    for first in range(0, hosts, HOSTS_PER_DOMAIN):
        there = range(first, min(first + HOSTS_PER_DOMAIN, hosts))
        at_once = max(1, int(len(there) * SPARE))
        upgraded: dict[int, int] = {}
        for start in range(0, len(there), at_once):
            group = there[start : start + at_once]
            before = there[max(0, start - at_once) : start]
            for host in group:
                moves = []
                for _ in range(VMS_PER_HOST if before else 0):
                    target = rng.choice(before)
                    moves.append(len(items))
                    items.append(Item(rng.choice(MIGRATION_S), (host, target), (upgraded[target],), host))
                upgraded[host] = len(items)
                items.append(Item(UPGRADE_S, (), tuple(moves), host))
    return items


def measure(vms: int, *, fleet_limit: int, max_unavailable: int | None, seed: int) -> Row:
    """Run one scenario."""
    hosts = vms // VMS_PER_HOST
    items = rolling(hosts, seed)
    limits = Limits([PER_HOST] * hosts, fleet_limit, max_unavailable)
    start = time.perf_counter()
    found = timetable(items, limits)
    seconds = time.perf_counter() - start
    migrations = sum(bool(item.hosts) for item in items)
    makespan, bound = found.makespan_s / 3600, found.lower_bound / 3600
    return Row(migrations, fleet_limit, max_unavailable, seconds, makespan, bound, makespan / bound)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("vms", nargs="*", type=int, metavar="VMS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    if not options.json:
        print("migrations  at once  out at once  seconds  makespan h  bound h   over")
    for vms in options.vms or (20_000, 200_000):
        hosts = vms // VMS_PER_HOST
        for fleet_limit, share in ((32, None), (hosts // 10, None), (hosts // 10, 20), (hosts // 10, 50)):
            most = None if share is None else max(1, hosts // share)
            row = measure(vms, fleet_limit=max(1, fleet_limit), max_unavailable=most, seed=options.seed)
            rows.append(row._asdict())
            if not options.json:
                out = "any" if most is None else str(most)
                figures = (
                    f"{row.seconds:8.2f} {row.makespan_h:11.2f} {row.bound_h:8.2f} {row.over_bound:6.3f}"
                )
                print(f"{row.migrations:10} {row.fleet_limit:8} {out:>12} {figures}", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
