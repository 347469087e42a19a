"""When each step starts: what waits for what, parallel migrations per host and fleet, hosts out of service.

List scheduling, event by event: whenever slots are free, the migration starts that has the longest way to
go behind it. Times are exact here; rounding them, which keeps their order, breaks no promise.

An *outage* is a host's time out of service. It begins with the first of its steps and ends with the last.
Where outages are limited, one is let in only when all that its steps wait for outside it has ended: it
then ends by itself, so the oldest one can always go on and nothing ever waits in a circle. Outages whose
steps wait for each other's are let in together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vgpu_migrate.planning.list_schedule import Run
from vgpu_migrate.planning.precedence import Item, Limits, Web

GOOD_ENOUGH = 1.02
"""A timetable this close to its bound is not improved further."""
MOST_ATTEMPTS = 24
ITEMS_IN_ALL = 60_000
"""How many items are placed in all attempts together: large plans get few attempts, and need few."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Start and end of each item in seconds, and what the makespan of these items cannot be below."""

    starts: list[float]
    ends: list[float]
    lower_bound: float

    @property
    def makespan_s(self) -> float:
        """When the last item ends."""
        return max(self.ends, default=0.0)


def timetable(items: Sequence[Item], limits: Limits) -> Timetable:
    """Give each item its time.

    Where the first timetable is not close to its bound, migrations that ended last are favoured and it is
    made again, some times over; the best one counts. No randomness: the same items give the same times.

    Raises:
        ValueError: an item waits for a later one, or more outages than the limit can only go together.
    """
    if not items:
        return Timetable([], [], 0.0)
    web = Web(items, limits)
    bound = web.lower_bound
    favour = [0.0] * len(items)
    best: tuple[list[float], list[float]] | None = None
    for attempt in range(max(1, min(MOST_ATTEMPTS, ITEMS_IN_ALL // len(items)))):
        starts, ends = Run(web, favour).run()
        if best is None or max(ends) < max(best[1]) - 1e-9:
            best = starts, ends
        if max(best[1]) <= bound * GOOD_ENOUGH:
            break
        late = min(bound * (1 + 0.25 / (attempt + 1)), max(ends)) - 1e-9
        for number, item in enumerate(items):
            if ends[number] > late:
                favour[number] += item.seconds * 0.5
    assert best is not None
    makespan_s = max(best[1])
    assert makespan_s >= bound - 1e-6, "a timetable below its bound"
    # Sums in another order differ in the last bits.
    return Timetable(best[0], best[1], min(bound, makespan_s))
