"""Pin the hosts of a fleet: one task for each domain, and one plan of what they give."""

from __future__ import annotations

from collections.abc import Mapping

from vgpu_migrate.model import Fleet, HostId, VersionRange
from vgpu_migrate.model.planfile import Goal, Stuck, StuckReason
from vgpu_migrate.planning.coordinator import ALONE, Cut, Terms, plan_domains
from vgpu_migrate.planning.course import Course, CourseBounds
from vgpu_migrate.planning.merge import Planned, merge
from vgpu_migrate.planning.pin_hosts import PinAsk, pin_domain
from vgpu_migrate.planning.tasks import DomainPlanner, Task, answer_task, sub_fleets


def pin_fleet(fleet: Fleet, wanted: Mapping[HostId, VersionRange], *, terms: Terms = ALONE) -> Planned:
    """Plan to give hosts their ranges, each while it is empty.

    Args:
        fleet: as it is now.
        wanted: the range of each host that gets one, inside its preset range; those in force are left.
        terms: where to plan, and in what time.

    Raises:
        OutsideError: the place to plan in cannot be reached.
    """
    for host_id, known in wanted.items():
        preset = fleet.hosts[host_id].preset_range
        assert preset is not None, "only a host with a known preset range is pinned"
        assert preset.covers(known), "a pin lies inside the preset range"
    domains = list(dict.fromkeys(fleet.hosts[host_id].domain for host_id in wanted))
    parts = sub_fleets(fleet, domains)
    tasks = []
    for domain in domains:
        pins = tuple([(h, *wanted[h]) for h in parts[domain].hosts if h in wanted])
        tasks.append(Task(domain, parts[domain], None, PinAsk(domain=domain, pins=pins)))
    found = plan_domains(PINNING, tasks, terms)
    planned = merge(fleet, found.courses, Goal.PIN)
    notes = (*planned.notes, *found.notes)
    return Planned(planned.plan, notes, is_interrupted=found.cut is Cut.INTERRUPT)


def answer_pin(task: bytes) -> bytes:
    """Plan the pins of the domain of a task; for executors."""
    return answer_task(task, PinAsk, pin_domain)


def _give_up(fleet: Fleet, ask: PinAsk) -> Course:
    remedy = "plan again with more time"
    hosts = [h for h, low, high in ask.pins if fleet.hosts[h].range_in_force != VersionRange(low, high)]
    stuck = tuple([Stuck(None, host_id, StuckReason.BUDGET, (), (remedy,)) for host_id in hosts])
    return Course(ask.domain, (), stuck, CourseBounds(0, 0, 0.0, hosts=len(hosts)))


PINNING: DomainPlanner[PinAsk] = DomainPlanner(plan=pin_domain, answer=answer_pin, give_up=_give_up)
