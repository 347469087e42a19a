"""Time drains of large fleets and compare what stays stuck with the exact optimum.

    python benchmarks/drain.py                    every scenario, beside the exact model
    python benchmarks/drain.py even mixed --json  some of them, as JSON
    python benchmarks/drain.py --no-exact         times only
    python benchmarks/drain.py --defrag           with defragmentation, a process for each core

A scenario drains a tenth of its hosts. The fleet is in memory before the clock starts; the time holds
everything else: classes, search, repair, schedule, bounds and explanations. The exact model (CP-SAT)
places as many VMs as can be without moving anyone else, then with least interruption. With defragmentation
the planner itself asks an exact model and says how many are stuck in every plan, as far as proved.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.exact_drain import Exact, exact
from benchmarks.fleets import Recipe, make_fleet
from benchmarks.make_fleet import make_fleet_data

from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.fleetfile import parse_fleet
from vgpu_migrate.model.planfile import MigrateStep
from vgpu_migrate.planning import drain
from vgpu_migrate.planning.cast import cast_of
from vgpu_migrate.planning.classes import state_table
from vgpu_migrate.planning.coordinator import Terms
from vgpu_migrate.planning.executors import Where
from vgpu_migrate.planning.floor import floor_of
from vgpu_migrate.planning.moves import WAYS
from vgpu_migrate.replay import replay

RECIPES = {
    "even": Recipe(mixed=0.3, lumpiness=0.95),
    "fragmented": Recipe(mixed=0.3, lumpiness=0.3),
    "equal": Recipe(mixed=0.0),
    "mixed": Recipe(mixed=1.0),
    "varied": Recipe(varied=0.2),
    "one-domain": Recipe(domains=1, varied=0.1),
    "groups": Recipe(groups=3, varied=0.1),
    "several": Recipe(several=0.1, vms=14_000),
    "memory": Recipe(memory=True, vms=14_000, groups=2, several=0.05),
}


class Row(NamedTuple):
    """What a scenario gave, in seconds. `interruption` sums 0 for a live move up to 3 for a cold one."""

    scenario: str
    vms: int
    movers: int
    stuck: int
    stuck_found: int | None
    """The fewest that CP-SAT found."""
    stuck_bound: int | None
    """The fewest possible, as far as proved in the time given."""
    interruption: int
    interruption_found: int | None
    plan_s: float
    makespan_over_bound: float
    violations: int


class Defrag(NamedTuple):
    """What a scenario gave with defragmentation, in seconds; `aside`: moves that make room."""

    scenario: str
    vms: int
    movers: int
    stuck_without: int
    stuck: int
    stuck_bound: int
    interruption: int
    aside: int
    plan_s: float
    makespan_over_bound: float
    violations: int


def scenario_fleet(name: str, seed: int) -> Fleet:
    """The fleet of a scenario; `file` is that of `make_fleet.py`, read as a fleet file is."""
    if name == "file":
        return parse_fleet(make_fleet_data(1000, 8, 20_000, seed), source="make_fleet")
    return make_fleet(RECIPES[name], seed)


def exact_of(fleet: Fleet, hosts: Sequence[HostId], seconds: float) -> list[Exact]:
    """The exact answer of every domain that has VMs to move."""
    named = set(hosts)
    targets = [h for h in fleet.hosts.values() if h.schedulable and h.has_manager and h.id not in named]
    movers = [vm for host_id in fleet.hosts if host_id in named for vm in fleet.residents[host_id]]
    table = state_table(fleet, movers, [gpu for host in targets for gpu in host.gpus if gpu.is_vgpu_host])
    answers = []
    for domain in sorted({fleet.hosts[host_id].domain for host_id in hosts}):
        leaving = [vm for vm in movers if fleet.domain_of(vm) == domain]
        if leaving:
            there = [host for host in targets if host.domain == domain]
            floor = floor_of(fleet, there, table.gpu_classes)
            answers.append(exact(floor, cast_of(fleet, leaving, table), seconds=seconds))
    return answers


def measure(name: str, *, seed: int, runs: int, exact_seconds: float) -> Row:
    """Run one scenario."""
    fleet = scenario_fleet(name, seed)
    hosts = drained_hosts(fleet, seed)
    movers = sum(len(fleet.residents[host_id]) for host_id in hosts)
    times = []
    for _ in range(runs):
        # What the fleet remembers of itself is computed anew in each run.
        fresh = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, fleet.vms)
        start = time.perf_counter()
        plan = drain(fresh, hosts).plan
        times.append(time.perf_counter() - start)
    answers = exact_of(fleet, hosts, exact_seconds) if exact_seconds else []
    makespan = plan.bounds.makespan_s
    return Row(
        scenario=name,
        vms=len(fleet.vms),
        movers=movers,
        stuck=len(plan.stuck),
        stuck_found=movers - sum(answer.placed for answer in answers) if answers else None,
        stuck_bound=movers - sum(answer.placed_bound for answer in answers) if answers else None,
        interruption=sum(WAYS.index(step.how) for step in plan.steps if isinstance(step, MigrateStep)),
        interruption_found=sum(answer.interruption for answer in answers) if answers else None,
        plan_s=statistics.median(times),
        makespan_over_bound=makespan.value / makespan.lower_bound if makespan.lower_bound else 1.0,
        violations=len(replay(fleet, plan)),
    )


def measure_defrag(name: str, *, seed: int, runs: int) -> Defrag:
    """Run one scenario with defragmentation."""
    fleet = scenario_fleet(name, seed)
    hosts = drained_hosts(fleet, seed)
    movers = sum(len(fleet.residents[host_id]) for host_id in hosts)
    times = []
    for _ in range(runs):
        fresh = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, fleet.vms)
        start = time.perf_counter()
        plan, notes, _ = drain(fresh, hosts, defrag=True, terms=Terms(where=Where()))
        times.append(time.perf_counter() - start)
    bound = 0
    if plan.stuck:
        least = re.search(r"fewer than ([\d,]+)", notes[-1])
        bound = int(least[1].replace(",", "")) if least else len(plan.stuck)
    named = set(hosts)
    moves = [step for step in plan.steps if isinstance(step, MigrateStep)]
    makespan = plan.bounds.makespan_s
    return Defrag(
        scenario=name,
        vms=len(fleet.vms),
        movers=movers,
        stuck_without=len(drain(fleet, hosts).plan.stuck),
        stuck=len(plan.stuck),
        stuck_bound=bound,
        interruption=sum(WAYS.index(step.how) for step in moves),
        aside=sum(step.source not in named for step in moves),
        plan_s=statistics.median(times),
        makespan_over_bound=makespan.value / makespan.lower_bound if makespan.lower_bound else 1.0,
        violations=len(replay(fleet, plan)),
    )


def show_defrag(row: Defrag) -> str:
    """A row of the table."""
    figures = f"{row.vms:6} {row.movers:6} {row.stuck_without:7} {row.stuck:6} {row.stuck_bound:6}"
    rest = f"{row.interruption:6} {row.aside:6} {row.plan_s:7.2f} {row.makespan_over_bound:9.4f}"
    return f"{row.scenario:11} {figures} {rest} {row.violations:6}"


def drained_hosts(fleet: Fleet, seed: int) -> list[HostId]:
    """A tenth of the hosts."""
    return sorted(random.Random(seed).sample(sorted(fleet.hosts), len(fleet.hosts) // 10))


def show(row: Row) -> str:
    """A row of the table."""
    exact_figures = (row.stuck_found, row.stuck_bound, row.interruption_found)
    found, bound, less = ("-" if figure is None else str(figure) for figure in exact_figures)
    placed = f"{row.vms:6} {row.movers:6} {row.stuck:6} {found:>6} {bound:>6} {row.interruption:6} {less:>6}"
    return f"{row.scenario:11} {placed} {row.plan_s:7.3f} {row.makespan_over_bound:9.4f} {row.violations:6}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    names = [*RECIPES, "file"]
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    shown = ", ".join(names)
    parser.add_argument("scenarios", nargs="*", choices=[[], *names], metavar="SCENARIO", help=shown)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5, help="the median of so many counts")
    parser.add_argument("--exact-seconds", type=float, default=20.0, help="for each domain")
    parser.add_argument("--no-exact", action="store_true")
    parser.add_argument("--defrag", action="store_true", help="only the plans with defragmentation")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    if options.defrag:
        if not options.json:
            print("scenario       VMs movers without  stuck  bound  inter  aside  plan s  makespan replay")
        for name in options.scenarios or names:
            found = measure_defrag(name, seed=options.seed, runs=options.runs)
            rows.append(found._asdict())
            if not options.json:
                print(show_defrag(found), flush=True)
    elif not options.json:
        print("scenario       VMs movers  stuck  exact  bound  inter  exact  plan s  makespan replay")
    for name in [] if options.defrag else options.scenarios or names:
        seconds = 0.0 if options.no_exact else options.exact_seconds
        row = measure(name, seed=options.seed, runs=options.runs, exact_seconds=seconds)
        rows.append(row._asdict())
        if not options.json:
            print(show(row), flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
