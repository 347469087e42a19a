"""Time the page of a large plan: made from a fleet and a plan in memory, loaded and used in Chromium.

    python benchmarks/page.py                 a rolling upgrade of 1,000 hosts, 16,000 VMs
    python benchmarks/page.py --hosts 10000 --vms 160000 --domains 200 --json

The page is opened from a file by a headless Chromium, without a graphics card. `load_s` is from the start of
the navigation until everything is drawn and the browser answers; `time_ms` is one step of the time slider,
`scroll_ms` one screen further down the hosts, both drawn; `search_ms` a search that no name meets.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fleets import Recipe, make_fleet
from tests.pictures.browser import Tab, browsing

from vgpu_migrate.pictures import page, report_of
from vgpu_migrate.planning import upgrade

_TIMED = """new Promise(done => {
  const times = [];
  const once = (left) => {
    if (!left) { done(times); return; }
    const start = performance.now();
    (%s)(left);
    requestAnimationFrame(() => { times.push(performance.now() - start); once(left - 1); });
  };
  requestAnimationFrame(() => once(%d));
})"""


class Row(NamedTuple):
    """What a page costs."""

    hosts: int
    vms: int
    steps: int
    stuck: int
    page_bytes: int
    make_s: float
    load_s: float
    heap_mib: float
    time_ms: float
    scroll_ms: float
    search_ms: float


def drawn(tab: Tab, action: str, times: int) -> float:
    """The median milliseconds of an action in the page, until the next picture."""
    found: list[float] = tab.get(_TIMED % (action, times))
    return statistics.median(found)


def measure(recipe: Recipe, seed: int, runs: int) -> Row:
    """Plan, make the page and open it; medians of `runs`."""
    fleet = make_fleet(recipe, seed)
    plan = upgrade(fleet, "580.126.08").plan
    made, loads = [], []
    html = b""
    for _ in range(runs):
        start = time.perf_counter()
        html = page(report_of(fleet, plan))
        made.append(time.perf_counter() - start)
    with tempfile.TemporaryDirectory() as folder, browsing() as tab:
        path = Path(folder, "plan.html")
        path.write_bytes(html)
        tab.size(1440, 900)
        for _ in range(runs):
            start = time.perf_counter()
            tab.open(path)
            loads.append(time.perf_counter() - start)
        assert tab.complaints == []
        heap = tab.call("Runtime.getHeapUsage")["usedSize"]
        time_ms = drawn(tab, "left => setTime(span * left / 50)", 40)
        scroll_ms = drawn(tab, "left => { gantt.box.scrollTop += 500; gpuLanes.box.scrollTop += 500; }", 20)
        search_ms = drawn(tab, "() => find('no such name', 12)", 10)
    return Row(
        hosts=len(fleet.hosts),
        vms=len(fleet.vms),
        steps=len(plan.steps),
        stuck=len(plan.stuck),
        page_bytes=len(html),
        make_s=round(statistics.median(made), 3),
        load_s=round(statistics.median(loads), 3),
        heap_mib=round(heap / 2**20, 1),
        time_ms=round(time_ms, 1),
        scroll_ms=round(scroll_ms, 1),
        search_ms=round(search_ms, 1),
    )


def main() -> None:
    """Measure one size and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--vms", type=int, default=16_000)
    parser.add_argument("--domains", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    recipe = Recipe(hosts=options.hosts, vms=options.vms, domains=options.domains, varied=0.05)
    row = measure(recipe, options.seed, options.runs)._asdict()
    if options.json:
        print(json.dumps(row))
    else:
        for name, value in row.items():
            print(f"{name:<12} {value:,}")


if __name__ == "__main__":
    main()
