"""Write tests/compat/cases/simulated.json: what simulated hosts answer on the records of the demo fleet.

    python tools/make_simulated_cases.py

The hosts apply our own rules, so these cases are no driver's word: they say when an answer changes, and show
every row at work. Of answers alike (verdict, rows that hit, profile) two are kept. A case that is there
already keeps its month.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

import yaml

from vgpu_migrate.cli.case_files import cases_of, read
from vgpu_migrate.cli.judge_open import opened_judge, own_records
from vgpu_migrate.compat import classify
from vgpu_migrate.compat.case_file import write_cases
from vgpu_migrate.compat.cases import Case, added, recheck
from vgpu_migrate.compat.judged import judge
from vgpu_migrate.model import Fleet, Profile
from vgpu_migrate.model.fleet_records import FleetRecords
from vgpu_migrate.testing import fleet_of, simulated_hosts

FILE = Path(__file__).resolve().parent.parent / "tests" / "compat" / "cases" / "simulated.json"
MOST_ALIKE = 2

MORE = """
hosts:
  - {id: x1, driver: 550.54.16, gpus: [{board: A40, migration: false}]}
  - {id: x2, driver: 550.54.16, gpus: [{board: A40, types: [A40-4Q]}]}
  - {id: x3, driver: 595.44.03, gpus: [{board: A40}]}
vms:
  - {id: early, host: x1, state: booting, memory_mib: 8192, vgpus: [{type: A40-4Q, gpu: x1/0}]}
  - id: newer
    host: x2
    state: running
    memory_mib: 8192
    guest_driver: 570.133.20
    vgpus: [{type: A40-4Q, gpu: x2/0}]
"""
"""Hosts and VMs beside those of the demo, for rows that nothing in it meets."""


def the_fleet(profile: Profile) -> Fleet:
    """The demo fleet and some hosts more, under a profile."""
    data = yaml.safe_load(resources.files("vgpu_migrate").joinpath("demo", "fleet.yaml").read_bytes())
    for key, more in yaml.safe_load(MORE).items():
        data[key] += more
    data["settings"]["profile"] = profile.value
    return fleet_of(yaml.safe_dump(data))


def asked(profile: Profile) -> tuple[Case, ...]:
    """The cases of one host's verdicts on everything in the fleet."""
    fleet = the_fleet(profile)
    records = FleetRecords({}, {})
    with ExitStack() as stack:
        hosts = stack.enter_context(simulated_hosts(fleet))
        for host in hosts:
            records = records.over(own_records(host, fleet))
        found = stack.enter_context(opened_judge(str(hosts[0].socket)))
        judged = judge(fleet, classify(fleet), records, found.ask, found.profile)
        assert not judged.misfits, judged.misfits
        return cases_of(judged.questions, found.by, found.profile)


def main() -> None:
    """Write the file."""
    kept: list[Case] = []
    alike: Counter[tuple[object, ...]] = Counter()
    for profile in Profile:
        for case in asked(profile):
            rows = recheck(case).rows
            if profile is not Profile.DEFAULT and profile.value not in rows:
                continue
            alike[case.said, rows, profile] += 1
            if alike[case.said, rows, profile] <= MOST_ALIKE:
                kept.append(case)
    before = {
        (case.question, case.said, case.by): case for case in (read(str(FILE)) if FILE.exists() else ())
    }
    kept = [before.get((case.question, case.said, case.by), case) for case in kept]
    FILE.write_bytes(write_cases(added((), kept)))


if __name__ == "__main__":
    main()
