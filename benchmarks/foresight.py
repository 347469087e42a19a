"""Time the questions asked before it hurts, on a large fleet: pin, place, resilience, what-if.

    python benchmarks/foresight.py           1,000 hosts, 20,000 VMs, 20 domains, two drivers
    python benchmarks/foresight.py --runs 3  the median of three counts of each question
    python benchmarks/foresight.py --json    as JSON

The fleet is in memory before each clock starts; every host with an odd twenty of numbers has a newer driver.
The plan of pin is replayed, and the run stops if a promise is broken.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fleets import Recipe, make_fleet
from msgspec.structs import replace

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, VersionRange
from vgpu_migrate.model.what_if import parse_change, what_if
from vgpu_migrate.planning.new_vm import NewVm, homes
from vgpu_migrate.planning.pin_fleet import pin_fleet
from vgpu_migrate.planning.pins import recommend
from vgpu_migrate.planning.reach import compare
from vgpu_migrate.planning.resilience import resilience
from vgpu_migrate.replay import replay

NEWER = VersionRange(0x70001, 0x150001)


def two_drivers(recipe: Recipe) -> Fleet:
    """A fleet in which half of each domain's hosts know a newer version."""
    fleet = make_fleet(recipe, 1)
    hosts = {
        host.id: replace(host, driver="550.90.05", preset_range=NEWER, range_in_force=NEWER)
        if number // recipe.domains % 2
        else host
        for number, host in enumerate(fleet.hosts.values())
    }
    return dataclasses.replace(fleet, hosts=hosts)


def anew(fleet: Fleet) -> Fleet:
    """The fleet without what it remembers of itself."""
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, fleet.vms)


def timed(fleet: Fleet, ask: Callable[[Fleet], Any], runs: int) -> tuple[float, Any]:
    """The median of seconds over so many runs, each on a fleet that remembers nothing, and the answer."""
    times = []
    for _ in range(runs):
        fresh = anew(fleet)
        start = time.perf_counter()
        answer = ask(fresh)
        times.append(time.perf_counter() - start)
    return round(statistics.median(times), 2), answer


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=1, help="the median of so many counts")
    options = parser.parse_args()
    fleet, runs = two_drivers(Recipe()), options.runs
    rows: dict[str, Any] = {}
    rows["ranges_s"], found = timed(fleet, recommend, runs)
    rows["pin_plan_s"], planned = timed(fleet, lambda one: pin_fleet(one, found.wanted), runs)
    plan = planned.plan
    assert replay(fleet, plan) == (), "the plan breaks a promise"
    rows |= {"pinned": plan.bounds.hosts.value, "at_most": plan.bounds.hosts.upper_bound}
    rows |= {"moves": plan.bounds.moves.value, "moves_bound": plan.bounds.moves.lower_bound}
    new = NewVm(facts.vgpu_type("A40-8Q"), "550.54.14")
    rows["place_s"], _ = timed(fleet, lambda one: homes(one, new), runs)
    rows["resilience_alone_s"], alone = timed(fleet, lambda one: resilience(one, defrag=False), runs)
    rows["resilience_s"], whole = timed(fleet, resilience, runs)
    rows["drainable_alone"] = sum(one.is_drainable for one in alone)
    rows["drainable"] = sum(one.is_drainable for one in whole)
    changes = [parse_change("h0001:driver=580.126.08")]
    rows["what_if_s"], then = timed(fleet, lambda one: what_if(one, changes, ["h0007"]), runs)
    rows["compare_s"], _ = timed(fleet, lambda one: compare(one, anew(then)), runs)
    as_json = options.json
    print(json.dumps(rows) if as_json else "\n".join(f"{name:20} {value:>8}" for name, value in rows.items()))


if __name__ == "__main__":
    main()
