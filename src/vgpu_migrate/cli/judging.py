"""A fleet's real records sent to one judge: what `matrix --judge` and `truth export` have in common."""

from __future__ import annotations

from typing import NamedTuple

from vgpu_migrate.cli import fleets
from vgpu_migrate.cli.endings import say
from vgpu_migrate.cli.judge_open import Judge, opened_judge, own_records
from vgpu_migrate.cli.progress import long_work
from vgpu_migrate.cli.screen import count
from vgpu_migrate.compat import FleetClasses, classify
from vgpu_migrate.compat.judged import JudgedFleet, judge
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model import Fleet
from vgpu_migrate.model.fleet_records import saved_in
from vgpu_migrate.recordsio import read_records

LARGE_PAIRS = 5_000
MOST_MISFITS = 10


class Judgement(NamedTuple):
    """A fleet, its classes, who judged it, and what was answered."""

    fleet: Fleet
    classes: FleetClasses
    judge: Judge
    judged: JudgedFleet


def judge_fleet(fleet_name: str, judge_name: str, directory: str | None) -> Judgement:
    """Send what records there are of a fleet to a judge; what does not fit together is told on stderr.

    Records come from the directory, else from the fleet file itself, else fresh from the judge's own host.

    Raises:
        InputError: no fleet file, no records in the directory, or no pair of records at all.
        OutsideError: the judge cannot be reached, or the disk failed.
    """
    fleet = fleets.read(fleet_name)
    given = saved_in(fleet) if directory is None else read_records(directory).over(saved_in(fleet))
    classes = classify(fleet)
    with opened_judge(judge_name) as found:
        records = given.over(own_records(found.host, fleet))
        pairs = len(set(records.gpus.values())) * len(
            {one for of_vm in records.vgpus.values() for one in of_vm.values()}
        )
        with long_work(f"asking {found.name}", is_long=pairs > LARGE_PAIRS):
            judged = judge(fleet, classes, records, found.ask, found.profile)
    for line in judged.misfits[:MOST_MISFITS]:
        say(line)
    if len(judged.misfits) > MOST_MISFITS:
        say(f"and {len(judged.misfits) - MOST_MISFITS} more that do not fit the fleet file")
    if not judged.questions:
        vgpus, gpus = len(records.vgpus), len(records.gpus)
        seen = f"there are records of {count(vgpus, 'VM')} and of {count(gpus, 'gpu')} of the fleet"
        raise InputError(Problem("--records", seen, "wanted both: see `vgpu-migrate host record --records`"))
    return Judgement(fleet, classes, found, judged)
