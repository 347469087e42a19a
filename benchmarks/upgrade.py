"""Time rolling upgrades of large fleets, each figure beside what no plan can better.

    python benchmarks/upgrade.py                     every scenario of 1,000 hosts
    python benchmarks/upgrade.py even-20000 --json   some of them, as JSON
    python benchmarks/upgrade.py large               10,000 hosts, 200,000 VMs, 20 domains
    python benchmarks/upgrade.py --runs 3            the median of three counts of each
    python benchmarks/upgrade.py --no-replay         times only

The fleet is in memory before the clock starts; the time holds everything else: the fleet's parts to bytes
and back, classes, search, timetable, bounds and reasons. `even`: boards of 48 GiB; `tight`: with a board
of 24 GiB, on which VMs of the same sizes fill nine tenths. `mixed`: all gpus of mixed size. `legacy`: one VM
in twenty holds a version that the new driver does not take. `out`: at most 100 hosts out of service.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fleets import Recipe, make_fleet

from vgpu_migrate.model import Fleet, Vm
from vgpu_migrate.model.planfile import write_plan
from vgpu_migrate.planning import upgrade
from vgpu_migrate.planning.coordinator import Terms
from vgpu_migrate.planning.executors import Where
from vgpu_migrate.replay import replay

SAME_RANGE = "550.90.05"
"""From 550.54.16: guests of that branch stay in its range."""
NEWER_RANGE = "580.65.05"
"""Takes versions from 0x120001 on."""
LEGACY_VERSION, LEGACY_GUEST = 0x110001, "535.161.07"
EVEN = ("A40", "L40S", "L40")


class Scenario(NamedTuple):
    """A fleet and what is asked."""

    recipe: Recipe
    driver: str = SAME_RANGE
    legacy: float = 0.0
    max_unavailable: int | None = None


SCENARIOS = {
    "even-16000": Scenario(Recipe(vms=16_000, boards=EVEN)),
    "even-20000": Scenario(Recipe(vms=20_000, boards=EVEN)),
    "tight-16000": Scenario(Recipe(vms=16_000)),
    "tight-20000": Scenario(Recipe(vms=20_000)),
    "mixed-20000": Scenario(Recipe(vms=20_000, boards=EVEN, mixed=1.0)),
    "legacy-16000": Scenario(Recipe(vms=16_000, boards=EVEN), NEWER_RANGE, legacy=0.05),
    "legacy-20000": Scenario(Recipe(vms=20_000, boards=EVEN), NEWER_RANGE, legacy=0.05),
    "legacy-tight-16000": Scenario(Recipe(vms=16_000), NEWER_RANGE, legacy=0.05),
    "legacy-tight-20000": Scenario(Recipe(vms=20_000), NEWER_RANGE, legacy=0.05),
    "out": Scenario(Recipe(vms=16_000, boards=EVEN), max_unavailable=100),
    "varied": Scenario(Recipe(vms=16_000, boards=EVEN, varied=0.1, groups=2)),
    "large": Scenario(Recipe(hosts=10_000, vms=200_000, boards=EVEN)),
}
USUAL = [name for name in SCENARIOS if name != "large"]


class Row(NamedTuple):
    """What a scenario gave; ratios are to the bound. `blocked`: hosts left old, `blocked_bound` at least."""

    scenario: str
    vms: int
    plan_s: float
    hosts: int
    blocked: int
    blocked_bound: int
    moves: int
    moves_over_bound: float
    moves_per_vm: float
    waves: int
    waves_bound: int
    makespan_h: float
    makespan_over_bound: float
    edges_per_step: float
    violations: int | None
    notes: tuple[str, ...]


def with_legacy(fleet: Fleet, share: float, seed: int) -> Fleet:
    """The fleet with a share of its VMs on an old guest driver and version."""
    rng = random.Random(seed)

    def aged(vm: Vm) -> Vm:
        vgpus = tuple(msgspec.structs.replace(vgpu, vgpu_version=LEGACY_VERSION) for vgpu in vm.vgpus)
        return msgspec.structs.replace(vm, guest_driver=LEGACY_GUEST, vgpus=vgpus)

    vms = {vm_id: aged(vm) if rng.random() < share else vm for vm_id, vm in fleet.vms.items()}
    return replace(fleet, vms=vms)


def measure(name: str, *, seed: int, jobs: int, runs: int, checks: bool) -> Row:
    """Run one scenario; its time is the median of so many runs, which all have to give the same plan."""
    scenario = SCENARIOS[name]
    fleet = make_fleet(scenario.recipe, seed)
    if scenario.legacy:
        fleet = with_legacy(fleet, scenario.legacy, seed)
    times, plans = list[float](), set[bytes]()
    for _ in range(runs):
        # What the fleet remembers of itself is computed anew.
        fleet = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, fleet.vms)
        start = time.perf_counter()
        planned = upgrade(
            fleet,
            scenario.driver,
            max_unavailable=scenario.max_unavailable,
            terms=Terms(where=Where(jobs=jobs)),
        )
        times.append(time.perf_counter() - start)
        plans.add(write_plan(planned.plan))
    assert len(plans) == 1, "another run, another plan"
    plan = planned.plan
    bounds = plan.bounds
    assert bounds.hosts is not None
    hosts = len(fleet.hosts)
    return Row(
        scenario=name,
        vms=len(fleet.vms),
        plan_s=statistics.median(times),
        hosts=bounds.hosts.value,
        blocked=hosts - bounds.hosts.value,
        blocked_bound=hosts - bounds.hosts.upper_bound,
        moves=bounds.moves.value,
        moves_over_bound=bounds.moves.value / max(1, bounds.moves.lower_bound),
        moves_per_vm=bounds.moves.value / len(fleet.vms),
        waves=bounds.waves.value,
        waves_bound=bounds.waves.lower_bound,
        makespan_h=bounds.makespan_s.value / 3600,
        makespan_over_bound=bounds.makespan_s.value / max(1.0, bounds.makespan_s.lower_bound),
        edges_per_step=sum(len(step.after) for step in plan.steps) / max(1, len(plan.steps)),
        violations=len(replay(fleet, plan)) if checks else None,
        notes=tuple([note for note in planned.notes if note.startswith(("no plan", "with no more"))]),
    )


HEADER = (
    "scenario              VMs  plan s  hosts old/least  moves  /bound  a VM"
    " waves/least  hours  /bound replay"
)


def show(row: Row) -> str:
    """A row of the table."""
    old = f"{row.blocked}/{row.blocked_bound}"
    waves = f"{row.waves}/{row.waves_bound}"
    checked = "-" if row.violations is None else str(row.violations)
    return (
        f"{row.scenario:18} {row.vms:6} {row.plan_s:7.1f} {row.hosts:6} {old:>9} {row.moves:6} "
        f"{row.moves_over_bound:7.4f} {row.moves_per_vm:5.3f} {waves:>11} {row.makespan_h:6.2f} "
        f"{row.makespan_over_bound:7.3f} {checked:>6}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    shown = ", ".join(SCENARIOS)
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO", help=shown)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1, help="the median of so many counts")
    parser.add_argument("--no-replay", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    if not options.json:
        print(HEADER)
    for name in options.scenarios or USUAL:
        checks = not options.no_replay
        row = measure(name, seed=options.seed, jobs=options.jobs, runs=options.runs, checks=checks)
        rows.append(row._asdict())
        if not options.json:
            print(show(row), *(f"    {note}" for note in row.notes), sep="\n", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
