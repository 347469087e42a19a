"""A plan's page on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.files import atomic_write, read_bytes

if TYPE_CHECKING:
    from vgpu_migrate.model import Fleet
    from vgpu_migrate.model.planfile import Plan
    from vgpu_migrate.replay import Violation

_PAGE_BEGINS = b"<!DOCTYPE html>"


def save(
    fleet: Fleet,
    plan: Plan,
    path: str,
    *,
    notes: Iterable[str] = (),
    violations: Iterable[Violation] = (),
) -> None:
    """Write the page of a plan, whole or not at all, readable by its owner only.

    Args:
        fleet: as it is before the plan.
        plan: of this fleet.
        path: the page. A file there that is no page, such as the fleet's or the plan's, is not replaced.
        notes: what the planner says beside it.
        violations: what the replay found.

    Raises:
        InputError: there is no such directory, another file is there, or the plan is for another revision
            of the fleet.
        OutsideError: it cannot be written.
    """
    from vgpu_migrate.pictures import Remark, page, report_of

    there = read_bytes(path) if Path(path).is_file() else b""
    if there and not there.startswith(_PAGE_BEGINS):
        raise InputError(Problem(path, "a file that is no page", "wanted a new file, or a page to replace"))
    remarks = [Remark(item.step, item.kind.value, item.text) for item in violations]
    atomic_write(path, page(report_of(fleet, plan, notes=tuple(notes), remarks=remarks)))
