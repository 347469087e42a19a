"""Time rolling upgrades of whole fleets, domain by domain in processes: is it linear in domains?

    python benchmarks/scale_out.py                      5, 10 and 20 domains in two processes
    python benchmarks/scale_out.py 20 --jobs 1 2 4      20 domains in one, two and four
    python benchmarks/scale_out.py --runs 3             the median of three counts of each
    python benchmarks/scale_out.py 4 --scheduler tcp://127.0.0.1:8786

Each domain has 500 hosts and 10,000 VMs unless other numbers are given. The fleet is in memory before the
clock starts. `planned` is when the last domain's answer is in, the rest is the coordinator's: timetable,
bounds, one plan. Plans of the same fleet must be the same wherever they are made; that is checked. Bind it
to as many cores as there are processes (`taskset`) for figures to compare.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fleets import Recipe, make_fleet

from vgpu_migrate.model import Fleet
from vgpu_migrate.model.planfile import write_plan
from vgpu_migrate.planning import upgrade
from vgpu_migrate.planning.coordinator import Progress, Terms
from vgpu_migrate.planning.executors import Where

DRIVER = "580.126.08"


class Row(NamedTuple):
    """What one fleet gave, in seconds."""

    domains: int
    hosts: int
    vms: int
    where: str
    planned_s: float
    total_s: float
    per_domain_s: float
    upgraded: int
    moves_over_bound: float
    plan: str
    """The first figures of the plan's SHA-256."""


def measure(fleet: Fleet, domains: int, where: Where) -> Row:
    """Plan one upgrade of a whole fleet."""
    planned_s = 0.0

    def tell(progress: Progress) -> None:
        nonlocal planned_s
        planned_s = time.perf_counter() - start

    # What the fleet remembers of itself is computed anew.
    fresh = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, fleet.vms)
    start = time.perf_counter()
    plan = upgrade(fresh, DRIVER, terms=Terms(where, tell=tell)).plan
    total_s = time.perf_counter() - start
    assert plan.bounds.hosts is not None
    return Row(
        domains=domains,
        hosts=len(fleet.hosts),
        vms=len(fleet.vms),
        where=where.scheduler or f"{where.jobs} process{'es' if where.jobs != 1 else ''}",
        planned_s=planned_s,
        total_s=total_s,
        per_domain_s=total_s / domains,
        upgraded=plan.bounds.hosts.value,
        moves_over_bound=plan.bounds.moves.value / max(1, plan.bounds.moves.lower_bound),
        plan=hashlib.sha256(write_plan(plan)).hexdigest()[:8],
    )


def median(rows: Sequence[Row]) -> Row:
    """One row for several of the same; its times are their medians, each for itself."""
    assert len({row.plan for row in rows}) == 1, "another run, another plan"
    planned_s = statistics.median(row.planned_s for row in rows)
    total_s = statistics.median(row.total_s for row in rows)
    per_domain_s = total_s / rows[0].domains
    return rows[0]._replace(planned_s=planned_s, total_s=total_s, per_domain_s=per_domain_s)


def show(row: Row) -> str:
    """A row of the table."""
    size = f"{row.domains:7} {row.hosts:6} {row.vms:7}  {row.where:26}"
    times = f"{row.planned_s:9.1f} {row.total_s:7.1f} {row.per_domain_s:10.2f}"
    return f"{size} {times} {row.upgraded:9} {row.moves_over_bound:7.4f}  {row.plan}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("domains", nargs="*", type=int, metavar="DOMAINS")
    parser.add_argument("--hosts", type=int, default=500, help="in each domain")
    parser.add_argument("--vms", type=int, default=10_000, help="in each domain")
    parser.add_argument("--jobs", type=int, nargs="*", default=[2])
    parser.add_argument("--scheduler")
    parser.add_argument("--runs", type=int, default=1, help="the median of so many counts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    places = [Where(scheduler=options.scheduler)] if options.scheduler else []
    places += [Where(jobs=jobs) for jobs in options.jobs]
    rows: list[dict[str, Any]] = []
    if not options.json:
        heads = "domains  hosts     VMs  where                      planned s total s"
        print(f"{heads} per domain  upgraded   moves  plan")
    for domains in options.domains or (5, 10, 20):
        recipe = Recipe(hosts=options.hosts * domains, vms=options.vms * domains, domains=domains)
        fleet = make_fleet(recipe, options.seed)
        found = [median([measure(fleet, domains, where) for _ in range(options.runs)]) for where in places]
        assert len({row.plan for row in found}) == 1, "another place, another plan"
        rows += [row._asdict() for row in found]
        if not options.json:
            print(*map(show, found), sep="\n", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
