"""Empty hosts anywhere in a fleet: one task for each domain that has some, and one plan of what they give."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from vgpu_migrate.errors import InputError, Problem, UnknownNameError
from vgpu_migrate.model import Fleet, Host, HostId, Vm
from vgpu_migrate.model.planfile import Goal, How, MigrateStep, Plan, Stuck, StuckReason
from vgpu_migrate.planning.coordinator import ALONE, Cut, Terms, plan_domains
from vgpu_migrate.planning.course import Course, CourseBounds
from vgpu_migrate.planning.drain_hosts import DrainAsk, drain_domain
from vgpu_migrate.planning.merge import Planned, merge
from vgpu_migrate.planning.tasks import DomainPlanner, Task, answer_task, sub_fleets

ATTEMPTS = 600
"""How many repairs are tried in a fleet: each domain has its part, never less than `ATTEMPTS_AT_LEAST`."""
ATTEMPTS_AT_LEAST = 100
NODES = 40_000
"""How many nodes the searches for the best places of small domains may visit in a fleet: each domain has its
part, never more than `NODES_AT_MOST`.
"""
NODES_AT_MOST = 20_000
WORK = 30.0
"""Deterministic seconds that exact searches have in a fleet: each domain has its part, never less than
`WORK_AT_LEAST` nor more than `WORK_AT_MOST`; less where the time budget is short.
"""
WORK_AT_LEAST = 1.5
WORK_AT_MOST = 10.0


def drain(
    fleet: Fleet,
    hosts: Sequence[HostId],
    *,
    to: Sequence[HostId] | None = None,
    avoid: Sequence[HostId] = (),
    attempts: int = ATTEMPTS,
    defrag: bool = False,
    remedies: int = 0,
    terms: Terms = ALONE,
) -> Planned:
    """Plan to empty hosts.

    Args:
        fleet: as it is now.
        hosts: the hosts to empty; each once.
        to: the only hosts that may receive; None: every schedulable one of each VM's domain.
        avoid: hosts that may not receive.
        attempts: how much to try to place VMs that a first filling leaves over; more takes longer.
        defrag: whether other VMs may move to make room.
        remedies: how many VMs may be planned anew to find out what would help those that are stuck.
        terms: where to plan, and in what time.

    Returns:
        A plan with a reason for each VM that stays. Its steps may run in any order that `after` leaves open,
        which is every order where nobody else moves.

    Raises:
        UnknownNameError: the fleet has no such host.
        InputError: no host is named, or one is both to be emptied and to receive.
        OutsideError: the place to plan in cannot be reached.
    """
    drained, targets = _targets(fleet, hosts, to, avoid)
    domains = dict.fromkeys(fleet.hosts[host_id].domain for host_id in drained)
    parts = sub_fleets(fleet, domains)
    tasks = []
    for domain, part in parts.items():
        quick = DrainAsk(
            domain=domain,
            hosts=tuple([host_id for host_id in drained if host_id in part.hosts]),
            targets=tuple([host.id for host in targets if host.id in part.hosts]),
            attempts=max(ATTEMPTS_AT_LEAST, attempts // len(domains)),
            nodes=min(NODES_AT_MOST, NODES // len(domains)),
            seed=terms.seed,
        )
        work = min(WORK_AT_MOST, max(WORK_AT_LEAST, WORK / len(domains)))
        if terms.budget_s is not None:
            work = min(work, terms.budget_s / len(domains))
        tries = remedies // len(domains)
        full = msgspec.structs.replace(quick, defrag=True, work=work, remedies=tries) if defrag else None
        if full is None:
            quick = msgspec.structs.replace(quick, remedies=tries)
        tasks.append(Task(domain, part, quick, full))
    found = plan_domains(DRAINING, tasks, terms)
    plan, merged_notes, _ = merge(fleet, found.courses, Goal.DRAIN)
    movers = [vm for host_id in drained for vm in fleet.residents[host_id]]
    if defrag and plan.stuck:
        merged_notes = (*merged_notes, *_least_stuck(found.courses))
    notes = [*_unchecked(targets, movers), *_not_compared(fleet, plan), *merged_notes, *found.notes]
    return Planned(plan, tuple(notes), is_interrupted=found.cut is Cut.INTERRUPT)


def answer_drain(task: bytes) -> bytes:
    """Drain the domain of a task; for executors."""
    return answer_task(task, DrainAsk, drain_domain)


def _give_up(fleet: Fleet, ask: DrainAsk) -> Course:
    remedy = "plan again with more time, or drain fewer hosts at once"
    stuck = [
        Stuck(vm.id, host_id, StuckReason.BUDGET, (), (remedy,))
        for host_id in ask.hosts
        for vm in fleet.residents[host_id]
    ]
    return Course(ask.domain, (), tuple(stuck), CourseBounds(moves=0, waves=0, makespan_s=0.0))


def _is_best(course: Course) -> bool:
    """Whether nothing better could be wished for: nobody stays and nobody is interrupted."""
    return not course.stuck and all(isinstance(s, MigrateStep) and s.how is How.LIVE for s in course.steps)


DRAINING: DomainPlanner[DrainAsk] = DomainPlanner(
    plan=drain_domain,
    answer=answer_drain,
    give_up=_give_up,
    is_best=_is_best,
    within=lambda ask, seconds: msgspec.structs.replace(ask, seconds=seconds),
)


def _targets(
    fleet: Fleet, hosts: Sequence[HostId], to: Sequence[HostId] | None, avoid: Sequence[HostId]
) -> tuple[list[HostId], list[Host]]:
    for host_id in (*hosts, *(to or ()), *avoid):
        if host_id not in fleet.hosts:
            raise UnknownNameError("host", host_id, fleet.hosts)
    if not hosts:
        raise InputError(Problem("hosts", "none named", "name at least one host to drain"))
    named = set(hosts)
    both = [host_id for host_id in to or () if host_id in named]
    if both:
        wanted = "wanted one of both"
        raise InputError([Problem(host_id, "to be drained and to receive", wanted) for host_id in both])
    allowed = (fleet.hosts.keys() if to is None else set(to)) - set(avoid)
    targets = [
        host
        for host in fleet.hosts.values()
        if host.schedulable and host.has_manager and host.id not in named and host.id in allowed
    ]
    return [host_id for host_id in fleet.hosts if host_id in named], targets


def _least_stuck(courses: Sequence[Course]) -> list[str]:
    """How many VMs are stuck, and how many are in every plan; nothing where nothing of that is proved."""
    count = sum(len(course.stuck) for course in courses)
    least = sum(course.bounds.stuck or 0 for course in courses if course.stuck)
    if not least:
        return []
    what = f"{count:,} VM{'s' if count > 1 else ''} stuck: no plan for these hosts leaves fewer"
    if count == least:
        return [f"{what}, which is proved"]
    return [f"{what} than {least:,}, as far as proved in the time given"]


def _not_compared(fleet: Fleet, plan: Plan) -> list[str]:
    """Moves to hosts whose version range is in no table, so that no rule could compare with it."""
    targets = [step.target for step in plan.steps if isinstance(step, MigrateStep)]
    unknown = [target for target in targets if fleet.hosts[target].range_in_force is None]
    if not unknown:
        return []
    moves = f"{len(unknown)} move{'s' if len(unknown) > 1 else ''}"
    hosts = _some(sorted(set(unknown)))
    return [f"vGPU versions were not compared in {moves} to {hosts}: no range is known for its host driver"]


def _unchecked(targets: Sequence[Host], movers: Sequence[Vm]) -> list[str]:
    """What was not checked, because the fleet file does not say it."""
    notes = []
    for name, what in (("memory_mib", "memory was"), ("vcpus", "vcpus were")):
        silent = [host.id for host in targets if getattr(host, name) is None]
        if silent:
            notes.append(f"{what} not checked on {_some(silent)}: no {name} in the fleet file")
    if any(host.vcpus is not None for host in targets):
        unsaid = [vm.id for vm in movers if vm.vcpus is None]
        if unsaid:
            notes.append(f"vcpus were not checked for {_some(unsaid)}: no vcpus in the fleet file")
    return notes


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"
