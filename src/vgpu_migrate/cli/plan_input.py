"""Plan files that an argument or an option names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.files import STDIN
from vgpu_migrate.model.planfile import Plan
from vgpu_migrate.planio import read_plan

if TYPE_CHECKING:
    from vgpu_migrate.planning import Planned


def going_on(
    make: Callable[..., Planned], resume: Callable[..., Planned], name: str | None, *, fleet: str
) -> Callable[..., Planned]:
    """How to plan: `make`, or where `--resume` names a plan, `resume` with that plan.

    Args:
        make: plans from nothing.
        resume: plans from an `old` plan.
        name: the file of the plan to resume, if any.
        fleet: the fleet file's name.
    """
    if name is None:
        return make
    if name == fleet == STDIN:
        raise click.UsageError("FLEET and the plan to resume cannot both be standard input")
    return partial(resume, old=read_plan_file(name))


def read_plan_file(name: str) -> Plan:
    """The plan in a file; where the file is of another kind altogether, that is all an error says."""
    try:
        return read_plan(name)
    except InputError as error:
        if error.source is None:
            raise
        wanted = "wanted a plan file, as `drain -o` writes"
        for problem in error.problems:
            if problem.seen.startswith("not JSON"):
                raise InputError(Problem(problem.place, problem.seen, wanted), source=error.source) from None
            if problem.place == "fleetfile_version":
                raise InputError(Problem(error.source, "a fleet file", wanted), source=error.source) from None
        raise
