"""`upgrade`: a plan that installs another host driver, host by host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from vgpu_migrate.cli.options import (
    PlanningChoices,
    TextParameter,
    all_option,
    complete_host,
    fleet_argument,
    json_option,
    plan_output_option,
    planning_options,
    report_option,
    resume_option,
    single_option,
)

REMEDIES = 12_000
"""How many VMs may be planned anew to find out what would free hosts that stay old."""


class WaveSizes(TextParameter):
    """Numbers of hosts, with commas between."""

    name = "sizes"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The same text, of whole numbers from 1 on."""
        parts = str(value).split(",")
        if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"{value}: wanted numbers of hosts from 1 on, such as 1,4,10", param, ctx)
        return str(value)


def _asked(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is wanted."""
    options = (
        single_option(
            "--driver",
            metavar="VERSION",
            required=True,
            help="The host driver to install, such as 580.126.08.",
        ),
        click.option(
            "--host",
            "hosts",
            metavar="HOST",
            multiple=True,
            shell_complete=complete_host,
            help="Upgrade this host; may be given several times. Else all.",
        ),
        single_option(
            "--max-unavailable",
            metavar="N",
            type=click.IntRange(1),
            help="At most so many hosts out of service at once.",
        ),
        single_option(
            "--waves",
            metavar="N,N,...",
            type=WaveSizes(),
            help="At most so many hosts in the first, second, ... wave; the last number holds for the rest.",
        ),
        single_option(
            "--pins",
            type=click.Choice(["auto", "always", "never"]),
            help="Pin upgraded hosts to versions that the old ones run, until none is old: only where a VM "
            "that boots meanwhile could get another (auto, the default), always, or never.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("upgrade")
@fleet_argument
@_asked
@resume_option
@plan_output_option
@report_option
@planning_options
@all_option
@json_option
def command(
    fleet: str,
    driver: str,
    hosts: tuple[str, ...],
    max_unavailable: int | None,
    waves: str | None,
    pins: str | None,
    resume: str | None,
    output: str | None,
    report: str | None,
    choices: PlanningChoices,
    show_all: bool,
    as_json: bool,
) -> int:
    """A plan that installs a host driver on every host, or on those named, each while it is empty.

    At every step every VM has a host that it may be on, and moves only in ways that its owner accepts. As
    many hosts as can be upgraded come first, then fewest interruptions, then fewest moves, then time. VMs
    that the new driver cannot take gather on few hosts, which stay as they are; the plan names them and what
    would free each. Beside each figure stands what no plan can better.

    With --waves, nothing of a wave begins in any domain before all upgrades of the wave before have ended.

    Exit status: 0 if every host is upgraded, 1 if any stays as it is, 130 after Ctrl-C.

    \b
    Examples:
      vgpu-migrate upgrade demo --driver 580.126.08
      vgpu-migrate upgrade fleet.yaml --driver 580.126.08 --waves 1,4,10 -o plan.json
      vgpu-migrate upgrade now.yaml --driver 580.126.08 --waves 1,4,10 --resume plan.json
    """
    from vgpu_migrate.cli import fleets, plan_answer, upgrade_view
    from vgpu_migrate.cli.plan_input import going_on
    from vgpu_migrate.cli.planning_terms import planning_terms
    from vgpu_migrate.cli.progress import LARGE_FLEET_VMS
    from vgpu_migrate.planning import Pins, resume_upgrade, upgrade

    make = going_on(upgrade, resume_upgrade, resume, fleet=fleet)
    known = fleets.read(fleet)
    named = [fleets.find_host(known, host) for host in dict.fromkeys(hosts)]
    with planning_terms("planning", choices, is_long=len(known.vms) > LARGE_FLEET_VMS) as terms:
        planned = make(
            known,
            driver,
            hosts=named or None,
            max_unavailable=max_unavailable,
            waves=[int(size) for size in waves.split(",")] if waves else (),
            pins=Pins(pins or "auto"),
            remedies=REMEDIES,
            terms=terms,
        )
    return plan_answer.give(
        planned,
        fleet=fleet,
        known=known,
        output=output,
        report=report,
        as_json=as_json,
        show=lambda plan: upgrade_view.show(plan, known, named, driver=driver, show_all=show_all),
    )
