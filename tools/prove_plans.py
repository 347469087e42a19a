"""`make proof`: a thousand seeded random plans, each through the independent replay.

Prints what was planned, by what was asked, and every violation with the seed that gives it again:

    python -m tools.prove_plans --from SEED --plans 1
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor

from tests.planning.random_plans import WAYS_TO_ASK, Tally, tally

PLANS = 1000


def main() -> int:
    """Plan, replay, and say what came of it; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--plans", type=int, default=PLANS, help=f"how many; default {PLANS}")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed; default 0")
    parser.add_argument("--jobs", type=int, default=None, help="processes; default one for each core")
    said = parser.parse_args()
    seeds = range(said.first, said.first + said.plans)
    began = time.perf_counter()
    with ProcessPoolExecutor(said.jobs) as pool:
        futures = {seed: pool.submit(tally, seed) for seed in seeds}
        broken = {seed: error for seed, future in futures.items() if (error := future.exception())}
    seconds = time.perf_counter() - began
    tallies = [future.result() for seed, future in futures.items() if seed not in broken]
    by_kind: dict[str, list[Tally]] = defaultdict(list)
    for each in tallies:
        by_kind[WAYS_TO_ASK[each.seed % len(WAYS_TO_ASK)]].append(each)
    for kind, some in by_kind.items():
        steps, moves, stuck = (sum(getattr(t, name) for t in some) for name in ("steps", "moves", "stuck"))
        wrong = sum(bool(t.violations) for t in some)
        print(
            f"{kind}: {len(some)} plans, {steps} steps, {moves} moves, {stuck} stuck, {wrong} with violations"
        )
    for each in tallies:
        for violation in each.violations:
            print(f"seed {each.seed}, {each.asked}: {violation}")
    for seed, error in broken.items():
        print(f"seed {seed}: {''.join(traceback.format_exception(error))}")
    wrong = sum(bool(each.violations) for each in tallies) + len(broken)
    print(
        f"seeds {seeds.start} to {seeds.stop - 1}: {len(seeds)} plans, {wrong} with violations or errors,"
        f" {seconds:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
