"""`truth`: a driver's verdicts as cases that can be given away, and the rules checked by them."""

from __future__ import annotations

import click

from vgpu_migrate.cli.lazy import NearGroup
from vgpu_migrate.cli.options import FileName, all_option, fleet_argument, json_option, single_option


@click.group("truth", cls=NearGroup)
def command() -> None:
    """A driver's verdicts as anonymous cases, and the rules checked by them.

    A case has the fields that the rules look at, the verdict, the driver that gave it and the month: no UUID,
    no host name, no address, no serial number, no raw record.

    \b
    Examples:
      vgpu-migrate truth export fleet.yaml --judge driver --records records/ -o cases.json
      vgpu-migrate truth verify cases.json
    """


@click.command("export", short_help="A judge's verdicts on a fleet's records, as cases.")
@fleet_argument
@single_option(
    "--judge",
    metavar="HOST",
    type=FileName(),
    required=True,
    help="`driver` for this machine's, or a simulated host's socket.",
)
@single_option(
    "--records",
    metavar="DIR",
    type=FileName(),
    help="Raw records as `host record --records` writes them, or one such directory for each host.",
)
@single_option(
    "-o", "--output", metavar="FILE", type=FileName(), help="Write the cases here; else to stdout."
)
@click.option("--differences", is_flag=True, help="Only verdicts that are not our prediction.")
def export(fleet: str, judge: str, records: str | None, output: str | None, differences: bool) -> int:
    """Send every pair of a fleet's real records to a judge and write its verdicts as cases, in JSON.

    The same question with the same answer is one case. Refused records make none. `vgpu-migrate schema
    cases` says in which form.

    \b
    Example:
      vgpu-migrate truth export fleet.yaml --judge driver --records records/ -o cases.json
    """
    from vgpu_migrate.cli import case_files, judging
    from vgpu_migrate.compat.cases import added

    found = judging.judge_fleet(fleet, judge, records)
    asked = [one for one in found.judged.questions if one.differs or not differences]
    cases = case_files.cases_of(asked, found.judge.by, found.judge.profile)
    case_files.write(output, added((), cases))
    return 0


@click.command("verify", short_help="Judge cases again, by today's rules.")
@click.argument("files", metavar="CASES...", nargs=-1, required=True, type=FileName())
@all_option
@json_option
def verify(files: tuple[str, ...], show_all: bool, as_json: bool) -> int:
    """Judge every case of some files by the rules of this version, and tell where they say something else.

    For each difference: the rows that hit, those that are stricter than the judge, and the states and limits
    that no row explains.

    Exit status: 0 if the rules agree with every case, 1 if not.

    \b
    Example:
      vgpu-migrate truth verify cases.json more.json
    """
    from vgpu_migrate.cli import truth_view
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.screen import Screen

    found = truth_view.answer(files)
    if as_json:
        write_json(found)
    else:
        truth_view.show(Screen(), found, show_all=show_all)
    return NO if found.differ else 0


command.add_command(export)
command.add_command(verify)
