"""The entry point: the table of commands, and how a run becomes an exit status.

Only click is imported here; see `lazy`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from vgpu_migrate import __version__
from vgpu_migrate.cli.lazy import LazyGroup, Row

PROGRAM = "vgpu-migrate"
COMPLETE_VARIABLE = "_VGPU_MIGRATE_COMPLETE"

COMMANDS = {
    "demo": Row("vgpu_migrate.cli.demo", "The whole story on an embedded simulated fleet."),
    "check": Row("vgpu_migrate.cli.check", "Where a VM may go, in which state, and what stops it elsewhere."),
    "matrix": Row("vgpu_migrate.cli.matrix", "Classes of VMs against classes of gpus."),
    "drain": Row("vgpu_migrate.cli.drain", "A plan that empties hosts."),
    "upgrade": Row("vgpu_migrate.cli.upgrade", "A plan that installs another host driver, host by host."),
    "pin": Row("vgpu_migrate.cli.pin", "The range that keeps a fleet migratable, and whom it costs what."),
    "place": Row("vgpu_migrate.cli.place", "Where a new VM should start so that it stays movable."),
    "resilience": Row("vgpu_migrate.cli.resilience", "Which hosts can be drained live now; what forbids it."),
    "replay": Row("vgpu_migrate.cli.replay", "Check a plan, independently of what made it."),
    "import": Row("vgpu_migrate.cli.import_", "A fleet file from captures, one folder per host."),
    "truth": Row("vgpu_migrate.cli.truth", "A driver's verdicts as cases, and the rules checked by them."),
    "rules": Row("vgpu_migrate.cli.rules", "The compatibility rules, with their sources."),
    "catalog": Row("vgpu_migrate.cli.catalog", "Boards, vgpu types and drivers, with their sources."),
    "schema": Row("vgpu_migrate.cli.schema", "The JSON Schema of a file or of an answer."),
    "sim": Row("vgpu_migrate.cli.sim", "Run a program on a simulated host."),
    "hostd": Row("vgpu_migrate.cli.hostd", "Keep a simulated host alive for many programs."),
    "host": Row("vgpu_migrate.cli.host", "One live host: look at it, and change it."),
    "vm": Row("vgpu_migrate.cli.vm", "Guests of libvirt: their saved records, and the destination's hook."),
    "completion": Row("vgpu_migrate.cli.completion", "The script that completes this command in a shell."),
}


@click.group(
    PROGRAM,
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Exit status: 0 yes or done, 1 a clear no, 2 bad usage or bad input, 3 a failure outside.",
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Where each VM with an NVIDIA vGPU may go, in which state, what exactly stops it elsewhere, and the plan
    that takes it there.

    FLEET is a fleet file (YAML or JSON), `-` for standard input, or the word `demo` for the embedded
    fleet, unless a file has that name. Try `vgpu-migrate demo`.
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the program and leave with its exit status."""
    if COMPLETE_VARIABLE in os.environ:
        cli.main(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE)
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: Sequence[str]) -> int:
    """Run one command line and give its exit status; answers go to stdout, messages to stderr."""
    from vgpu_migrate.cli import endings

    try:
        endings.make_streams_safe()
        status = _invoke(list(args))
        sys.stdout.flush()
    except endings.ENDINGS as error:
        return endings.ending(error)
    return status


def _invoke(args: list[str]) -> int:
    # Not `cli.main`, which would turn a broken pipe into status 1 and Ctrl-C into "Aborted!".
    with cli.make_context(PROGRAM, args) as context:
        status = cli.invoke(context)
    assert isinstance(status, int), "every command gives its exit status"
    return status
