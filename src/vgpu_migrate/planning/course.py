"""What planning one migration domain gives: steps in order, not yet timed among those of other domains."""

from __future__ import annotations

import msgspec

from vgpu_migrate.model.planfile import Step, Stuck


class CourseBounds(msgspec.Struct, frozen=True):
    """What no plan for this domain can better; parts of the plan's bounds."""

    moves: int
    """No fewer moves."""
    waves: int
    """No fewer waves that upgrade something."""
    makespan_s: float
    """No sooner, were the domain alone."""
    hosts: int | None = None
    """No more hosts upgraded or pinned; None for a drain."""


class Course(msgspec.Struct, frozen=True):
    """The steps for one domain.

    Step ids count from 1 in this course, `after` names such ids, and times are all 0: the timetable of the
    whole fleet gives both. Steps stand in an order in which they could be done one by one.
    """

    domain: str
    steps: tuple[Step, ...]
    stuck: tuple[Stuck, ...]
    bounds: CourseBounds
    notes: tuple[str, ...] = ()
    """What the plan's reader should know that the file format has no place for."""
