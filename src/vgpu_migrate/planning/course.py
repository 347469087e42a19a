"""What planning one migration domain gives: steps in order, not yet timed among those of other domains."""

from __future__ import annotations

import msgspec

from vgpu_migrate.model.planfile import Step, Stuck


class CourseBounds(msgspec.Struct, frozen=True):
    """What no plan for this domain can better; parts of the plan's bounds.

    `migrations_s` and `out_s` let limits of the whole fleet bound its makespan: leave them empty where
    nothing is proved.
    """

    moves: int
    """No fewer moves."""
    waves: int
    """No fewer waves that upgrade something."""
    makespan_s: float
    """No sooner, were the domain alone."""
    hosts: int | None = None
    """No more hosts upgraded or pinned; None for a drain."""
    stuck: int | None = None
    """No fewer VMs stuck, None where nothing is proved."""
    migrations_s: tuple[float, ...] = ()
    """Seconds of migrations that every plan makes, one number each."""
    out_s: tuple[float, ...] = ()
    """Seconds that hosts are out of service in every plan, at the least, one number for each host."""
    moves_by_waves: tuple[tuple[int, int], ...] = ()
    """In so many waves no fewer moves, for numbers of waves below the course's; those left out cannot be."""
    left_s: tuple[float, ...] = ()
    """When so many times the seconds of one upgrade have passed (0, 1, …), no fewer seconds of migrations
    are left, in a plan with no more moves in each pool than the course; each is before some upgrade."""


class Remark(msgspec.Struct, frozen=True):
    """What holds for several things, hosts or others, and is said once for those of all domains."""

    said: str
    """`{}` stands for the names."""
    names: tuple[str, ...]


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
    """What the plan's reader should know that the file format has no place for; the same is said once."""
    remarks: tuple[Remark, ...] = ()
