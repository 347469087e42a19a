"""What the hook costs a real live migration, and whether it ever errs: in the laboratory, as root.

    python -m benchmarks.live_migration [--runs 200] [--pairs 20] [--migrations 50] [--seed 1] [--json]

Three questions. How long does the hook take, run on a host of the laboratory with the XML that libvirt gives
it in a migration? Do a migration's downtime and whole time change, in pairs with and without us (without: no
script, no record), whose order and direction alternate? Of many migrations in a drawn order, half of them to
a host that does not take the guest: is any passed or refused wrongly? One is enough for exit status 1.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab.lab_guest import LabGuest, hook_line
from tests.lab.lab_host import LabError, LabHost
from tests.lab.laboratory import ROOT, Laboratory, laboratory
from tests.lab.prerequisites import libvirt

from vgpu_migrate.vmm.hook_files import SCRIPT

Figures = dict[str, Any]
ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and largest."""
    return {
        "median": statistics.median(values),
        "p99": statistics.quantiles(values, n=100, method="inclusive")[98],
        "worst": max(values),
    }


def time_hook(xml: Path, runs: int) -> None:
    """Run the installed hook, on the host where this process is, and print each run's milliseconds.

    Beside it `/bin/true`, in turn.
    """
    stdin = xml.read_bytes()
    commands = {"hook": [str(SCRIPT), "guest1", "migrate", "begin", "-"], "/bin/true": ["/bin/true"]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            done = subprocess.run(command, input=stdin, env=ENVIRONMENT, capture_output=True, check=False)
            took = (time.perf_counter() - start) * 1e3
            if done.returncode or done.stderr:
                raise SystemExit(f"{name}: exit status {done.returncode}: {done.stderr.decode()}")
            if number:  # the first fills the caches
                taken[name].append(took)
    print(json.dumps(taken))


def hook_figures(guest: LabGuest, host: LabHost, runs: int) -> Figures:
    """The hook's run time on a host, for the guest's migration to it."""
    xml = host.dir / "run" / "lab" / "timed.xml"
    xml.write_text(guest.domain(guest.host).XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.live_migration", "--time-hook", "/run/lab/timed.xml"]
    done = host.run([*command, "--runs", str(runs)], env={"PYTHONPATH": str(ROOT)}, check=True)
    taken = json.loads(done.stdout)
    return {name: summary(values) for name, values in taken.items()} | {"runs_ms": taken}


def migrated(guest: LabGuest, source: LabHost, target: LabHost) -> tuple[float, float]:
    """Seconds of a whole migration, and milliseconds in which the guest stood."""
    start = time.perf_counter()
    guest.migrate(target)
    took = time.perf_counter() - start
    stats = guest.domain(target).jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
    guest.wait_for_vm(target)
    assert not guest.is_defined(source)
    return took, float(stats["downtime"])


def pair_figures(lab: Laboratory, guest: LabGuest, element: str, pairs: int) -> Figures:
    """Migrations with and without us in turn, which of the two is first alternating too."""
    scripts = {host.name: (host.hooks / SCRIPT.name).read_text() for host in lab.hosts}
    found: dict[str, list[tuple[float, float]]] = {"with": [], "without": []}
    for number in range(pairs):
        for arm in ("with", "without") if number % 2 else ("without", "with"):
            guest.carry(element if arm == "with" else None)
            for host in lab.hosts:
                script = host.hooks / SCRIPT.name
                script.unlink(missing_ok=True)
                if arm == "with":
                    script.write_text(scripts[host.name])
                    script.chmod(0o755)
            source = guest.host
            found[arm].append(migrated(guest, source, lab.other(source)))
    guest.carry(element)
    for host in lab.hosts:
        host.install_hook()
    medians = {
        arm: {
            "total_s": statistics.median(took for took, _ in rows),
            "downtime_ms": statistics.median(stood for _, stood in rows),
        }
        for arm, rows in found.items()
    }
    both = list(zip(found["with"], found["without"], strict=True))
    differences = {
        "total_s": [ours[0] - theirs[0] for ours, theirs in both],
        "downtime_ms": [ours[1] - theirs[1] for ours, theirs in both],
    }
    return {
        **medians,
        "difference": {name: statistics.median(values) for name, values in differences.items()},
        "quartiles_of_difference": {
            name: [statistics.quantiles(values, n=4)[0], statistics.quantiles(values, n=4)[2]]
            for name, values in differences.items()
        },
        "runs": found,
    }


def verdict_figures(lab: Laboratory, guest: LabGuest, migrations: int, seed: int) -> Figures:
    """Migrations in a drawn order, half of them to a host that does not take the guest."""
    wanted = [number % 2 == 0 for number in range(migrations)]
    random.Random(seed).shuffle(wanted)
    wrong, refusals_ms = [], list[float]()
    for number, is_compatible in enumerate(wanted):
        source = guest.host
        target = lab.other(source)
        target.vgpu.lift_range()
        if not is_compatible:
            lab.make_incompatible(target)
        ticks = guest.wait_for_tick(source)
        start = time.perf_counter()
        try:
            guest.migrate(target)
            guest.wait_for_vm(target)
            went = True
        except libvirt.libvirtError as error:
            went = False
            refusals_ms.append((time.perf_counter() - start) * 1e3)
            if "may not go on live" not in hook_line(error):
                raise
        if went != is_compatible or guest.wait_for_tick(guest.host) <= ticks:
            wrong.append(number)
        if not went:
            target.vgpu.lift_range()
    return {
        "migrations": migrations,
        "compatible": sum(wanted),
        "wrong": wrong,
        "refusal_ms": summary(refusals_ms),
        "boots": sum(host.console(guest.name).boots for host in lab.hosts),
    }


def measure(arguments: argparse.Namespace) -> Figures:
    """All three."""
    with laboratory() as lab:
        guest = lab.new_guest("guest1").start(lab.a)
        element = guest.carry_record()
        return {
            "hook": hook_figures(guest, lab.b, arguments.runs),
            "pairs": pair_figures(lab, guest, element, arguments.pairs),
            "verdicts": verdict_figures(lab, guest, arguments.migrations, arguments.seed),
        }


def show(found: Figures) -> None:
    """The figures as text."""
    for name in ("hook", "/bin/true"):
        row = found["hook"][name]
        print(f"{name:10} median {row['median']:6.1f} ms   99 % {row['p99']:6.1f} ms")
    for arm in ("with", "without", "difference"):
        row = found["pairs"][arm]
        print(f"{arm:10} total {row['total_s']:7.3f} s   downtime {row['downtime_ms']:7.1f} ms")
    for name, values in found["pairs"]["quartiles_of_difference"].items():
        print(f"quartiles of the difference, {name}: {values[0]:.3f} to {values[1]:.3f}")
    row = found["verdicts"]
    took = row["refusal_ms"]["median"]
    print(f"{row['migrations']} migrations, {row['compatible']} of them to a host that takes the guest:")
    print(f"{len(row['wrong'])} wrong, {row['boots']} boot; a refusal takes {took:.0f} ms")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--migrations", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--time-hook", type=Path, metavar="XML", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.time_hook:
        time_hook(arguments.time_hook, arguments.runs)
        return 0
    try:
        found = measure(arguments)
    except LabError as error:
        print(error, file=sys.stderr)
        return 3
    print(json.dumps(found)) if arguments.json else show(found)
    return 1 if found["verdicts"]["wrong"] or found["verdicts"]["boots"] != 1 else 0


if __name__ == "__main__":
    sys.exit(main())
