"""How a command that plans answers: the plan in a file, on the screen or as JSON, the notes, the status."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vgpu_migrate.cli import plan_view, report_file
from vgpu_migrate.cli.endings import say
from vgpu_migrate.cli.exit_status import INTERRUPTED, NO
from vgpu_migrate.cli.output import write_bytes
from vgpu_migrate.model import Fleet
from vgpu_migrate.model.planfile import Plan, write_plan
from vgpu_migrate.planning import Planned


def give(
    planned: Planned,
    *,
    fleet: str,
    known: Fleet,
    output: str | None,
    report: str | None,
    as_json: bool,
    show: Callable[[Plan], None],
) -> int:
    """Answer with a plan and give the exit status.

    Args:
        planned: the plan and its notes.
        fleet: the fleet file's name, which is never overwritten.
        known: the fleet itself, as it is before the plan.
        output: the file to write the plan to, if any.
        report: the file to write the plan's page to, if any.
        as_json: whether the plan itself is the answer.
        show: tells the plan to people.
    """
    plan = planned.plan
    write_files(planned, fleet=fleet, known=known, output=output, report=report)
    if as_json:
        write_bytes(write_plan(plan))
    else:
        show(plan)
    say_beside(planned.notes, output=output, report=report)
    if planned.is_interrupted:
        return INTERRUPTED
    return NO if plan.stuck else 0


def write_files(
    planned: Planned, *, fleet: str, known: Fleet, output: str | None, report: str | None
) -> None:
    """Write the plan and its page to the files named, if any."""
    if output is not None:
        plan_view.save(planned.plan, output, fleet=fleet)
    if report is not None:
        report_file.save(known, planned.plan, report, notes=planned.notes)


def say_beside(notes: Iterable[str], *, output: str | None, report: str | None) -> None:
    """Say which files were written, and the notes: messages, not the answer."""
    if output is not None:
        say(f"plan written to {output}")
    if report is not None:
        say(f"page written to {report}")
    for note in notes:
        say(f"note: {note}")
