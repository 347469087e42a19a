"""`matrix`: classes of VMs against classes of gpus."""

from __future__ import annotations

import click

from vgpu_migrate.cli.options import FileName, all_option, fleet_argument, json_option, single_option
from vgpu_migrate.cli.what_if import Imagined, what_if_options


@click.command("matrix")
@fleet_argument
@single_option(
    "--judge",
    metavar="HOST",
    type=FileName(),
    help="Send real records to this host: `driver` for this machine's, or a simulated one's socket.",
)
@single_option(
    "--records",
    metavar="DIR",
    type=FileName(),
    help="Raw records as `host record --records` writes them, or one such directory for each host.",
)
@single_option(
    "--save-cases", metavar="FILE", type=FileName(), help="Add the differences to this file of cases."
)
@what_if_options
@all_option
@json_option
def command(
    fleet: str,
    judge: str | None,
    records: str | None,
    save_cases: str | None,
    imagined: Imagined,
    show_all: bool,
    as_json: bool,
) -> int:
    """Classes of VMs against classes of gpus: every verdict in the fleet, each told once.

    VMs whose vgpus look alike to the rules are one class, and so are gpus. Migration domains and free room
    are no part of it: see `check` for one VM.

    With --judge every pair of real records goes to one driver, whose verdict fills the cell; where our rules
    predict something else, the cell is marked and the difference listed. Records come from --records, from
    the fleet file, and fresh from the judge's own host.

    With --with and --without the classes are those of the fleet as it would be, and its VMs are compared with
    today.

    Exit status: 0; with --judge 1 where some verdict is not our prediction.

    \b
    Examples:
      vgpu-migrate matrix demo
      vgpu-migrate matrix fleet.json --json | jq '.cells | length'
      vgpu-migrate matrix fleet.yaml --judge driver --records records/ --save-cases cases.json
    """
    if judge is not None:
        if not imagined.is_today:
            raise click.UsageError("--judge asks a driver about what is; leave out --with and --without")
        return _judged(fleet, judge, records, save_cases, show_all=show_all, as_json=as_json)
    for option, value in (("--records", records), ("--save-cases", save_cases)):
        if value is not None:
            raise click.UsageError(f"{option} goes with --judge HOST: without a judge there is no verdict")
    return _predicted(fleet, imagined, show_all=show_all, as_json=as_json)


def _predicted(fleet: str, imagined: Imagined, *, show_all: bool, as_json: bool) -> int:
    from vgpu_migrate.cli import fleets, matrix_view
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.progress import LARGE_FLEET_VMS, long_work
    from vgpu_migrate.cli.screen import Screen
    from vgpu_migrate.cli.what_if import compared_with, imagine, show_compared
    from vgpu_migrate.compat import classify

    today = fleets.read(fleet)
    known = imagine(today, imagined)
    with long_work("judging every class on every class", is_long=len(known.vms) > LARGE_FLEET_VMS):
        classes = classify(known)
        compared = None if imagined.is_today else compared_with(today, known, imagined)
    if as_json:
        write_json(matrix_view.answer(classes, compared))
    else:
        matrix_view.show(known, classes, show_all=show_all)
        if compared is not None:
            show_compared(Screen(), compared, show_all=show_all)
    return 0


def _judged(
    fleet: str, judge: str, records: str | None, save_cases: str | None, *, show_all: bool, as_json: bool
) -> int:
    from vgpu_migrate.cli import case_files, judged_view, judging
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.output import write_json

    found = judging.judge_fleet(fleet, judge, records)
    differing = [one for one in found.judged.questions if one.differs]
    if save_cases is not None:
        case_files.add(save_cases, case_files.cases_of(differing, found.judge.by, found.judge.profile))
    if as_json:
        write_json(judged_view.answer(found))
    else:
        judged_view.show(found, show_all=show_all)
    return NO if differing else 0
