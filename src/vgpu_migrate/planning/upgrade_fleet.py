"""Upgrade the hosts of a fleet in a rolling way: one task for each domain, and one plan of what they give."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

import msgspec

from vgpu_migrate.errors import InputError, Problem, UnknownNameError
from vgpu_migrate.facts.drivers import DRIVER_PATTERN
from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.planfile import Goal, MigrateStep, Stuck, StuckReason, UpgradeStep
from vgpu_migrate.planning.coordinator import ALONE, Courses, Cut, Terms, plan_domains
from vgpu_migrate.planning.course import Course, CourseBounds
from vgpu_migrate.planning.merge import Planned, merge, some_names
from vgpu_migrate.planning.rolling import Pins, UpgradeAsk, plan_domain
from vgpu_migrate.planning.rolling.downgrades import is_downgrade
from vgpu_migrate.planning.rolling.shares import split
from vgpu_migrate.planning.tasks import DomainPlanner, Task, answer_task, sub_fleets

EXTRA_MOVES = 0.005
"""The share of the least number of moves that may be spent on top of it to save waves."""
WORK = 60.0
"""Deterministic seconds for exact bounds, all domains together; few of them need any."""
WORK_OF_DOMAIN = 6.0
LEAST_ATTEMPTS = 6
"""How many ways are tried at the least to save a wave of a pool."""


def upgrade(
    fleet: Fleet,
    driver: str,
    *,
    hosts: Sequence[HostId] | None = None,
    max_unavailable: int | None = None,
    waves: Sequence[int] = (),
    pins: Pins = Pins.AUTO,
    lifts: Collection[HostId] = (),
    remedies: int = 0,
    terms: Terms = ALONE,
) -> Planned:
    """Plan to install a host driver on hosts, each while it is empty.

    Args:
        fleet: as it is now.
        driver: the host driver to install.
        hosts: the hosts to upgrade; None: all. Those that have it already are left as they are.
        max_unavailable: the most hosts out of service at once.
        waves: the most hosts in the first, second, … wave; the last holds for all further ones. All work of
            a wave then waits for the upgrades of the wave before, in all domains.
        pins: whether upgraded hosts get an administrator's range until none is old.
        lifts: hosts that have the driver, pinned by an earlier plan: lifted when no host is old.
        remedies: how many VMs may be planned anew to find out what would free hosts that stay old.
        terms: where to plan, and in what time.

    Raises:
        UnknownNameError: the fleet has no such host.
        InputError: what is asked makes no sense, such as a host by name that has no vGPU Manager.
        OutsideError: the place to plan in cannot be reached.
    """
    _check(fleet, driver, hosts, max_unavailable, waves)
    named = set(fleet.hosts if hosts is None else hosts) | set(lifts)
    asked = [host for host in fleet.hosts.values() if host.id in named]
    domains = list(dict.fromkeys(host.domain for host in asked))
    parts = sub_fleets(fleet, domains, homeless=True)
    counts = [
        max(1, sum(host.domain == domain and host.driver != driver for host in asked)) for domain in domains
    ]
    sizes = split(waves, counts, _rounds(waves, sum(counts))) if waves else [()] * len(domains)
    tasks = []
    for domain, own in zip(domains, sizes, strict=True):
        ask = UpgradeAsk(
            domain=domain,
            driver=driver,
            hosts=tuple([host.id for host in asked if host.domain == domain]),
            wave_sizes=own,
            cycle=max(1, len(own) - len(waves)),
            max_unavailable=max_unavailable,
            pins=pins,
            lifts=tuple([host.id for host in asked if host.domain == domain and host.id in lifts]),
            work=_work(terms, len(domains)),
            seed=terms.seed,
            remedies=remedies // len(domains),
        )
        # Where time is short, every domain first gets the answer that takes least.
        quick = (
            None if terms.budget_s is None else msgspec.structs.replace(ask, attempts=0, work=0.0, remedies=0)
        )
        tasks.append(Task(domain, parts[domain], quick, ask))
    found = _quickened(tasks, plan_domains(UPGRADING, tasks, terms), terms)
    planned = merge(fleet, found.courses, Goal.UPGRADE, max_unavailable=max_unavailable, wave_sizes=waves)
    says = (
        *_downgrades(fleet, planned),
        *_waves_note(found.courses),
        *_time_note(fleet, found.courses, planned),
    )
    notes = (*planned.notes, *says, *found.notes)
    return Planned(planned.plan, notes, is_interrupted=found.cut is Cut.INTERRUPT)


def _downgrades(fleet: Fleet, planned: Planned) -> Iterator[str]:
    steps = [step for step in planned.plan.steps if isinstance(step, UpgradeStep)]
    down = {step.host for step in steps if is_downgrade(fleet.hosts[step.host], step.driver)}
    if down:
        goes = "host goes" if len(down) == 1 else "hosts go"
        names = some_names([host_id for host_id in fleet.hosts if host_id in down])
        yield f"{len(down):,} {goes} to an older driver: {names}"


def _work(terms: Terms, domains: int) -> float:
    """Deterministic seconds for the exact bounds of one domain."""
    work = min(WORK_OF_DOMAIN, WORK / domains)
    return work if terms.budget_s is None else min(work, terms.budget_s / domains)


def _quickened(tasks: Sequence[Task[UpgradeAsk]], found: Courses, terms: Terms) -> Courses:
    """Plan domains with most waves anew with moves to spend, as long as that saves waves of the fleet."""
    budget = int(EXTRA_MOVES * sum(course.bounds.moves for course in found.courses))
    budget -= sum(max(0, _moves(course) - course.bounds.moves) for course in _whole(found.courses))
    best = list(found.courses)
    while found.cut is None and budget > 0:
        counts = [_waves(course) for course in best]
        most = max(counts, default=0)
        slow = [number for number, count in enumerate(counts) if count == most]
        least = least_moves(best, most - 1)
        if least is None or least > sum(map(_moves, best)) + budget:
            break
        fewer = _fewer_waves(best, most, budget) if len(slow) == 1 else most - 1
        again = []
        for number in slow:
            ask = tasks[number].full
            assert ask is not None
            spend = budget // len(slow) + _moves(best[number]) - _moves(found.courses[number])
            # Where many must all succeed, it is less likely, and each gets less of the effort.
            attempts = max(LEAST_ATTEMPTS, ask.attempts // len(slow))
            asked = msgspec.structs.replace(ask, extra_moves=spend, most_waves=fewer, attempts=attempts)
            again.append(Task(ask.domain, tasks[number].fleet, None, asked))
        tried = plan_domains(UPGRADING, again, terms)
        spent = sum(
            _moves(course) - _moves(best[number]) for number, course in zip(slow, tried.courses, strict=True)
        )
        is_saved = all(_waves(course) < most for course in tried.courses) and spent <= budget
        if tried.cut is not None or not is_saved:
            break
        budget -= max(0, spent)
        for number, course in zip(slow, tried.courses, strict=True):
            best[number] = course
        if fewer < most - 1 and max(map(_waves, best)) > fewer:
            break
    return replace(found, courses=tuple(best))


def _fewer_waves(courses: Sequence[Course], most: int, budget: int) -> int:
    """As few waves as a single domain with most of them may be asked for: no fewer than the others have.

    Planning it again once for all waves that can be saved takes less than once for each.
    """
    others = sorted(map(_waves, courses))[:-1]
    moves = sum(map(_moves, courses)) + budget
    fewer = most - 1
    while fewer > max([1, *others]):
        least = least_moves(courses, fewer - 1)
        if least is None or least > moves:
            break
        fewer -= 1
    return fewer


def least_moves(courses: Sequence[Course], waves: int) -> int | None:
    """No fewer moves upgrade as many hosts in so many waves; None where no number of moves does."""
    found = 0
    for course in courses:
        least: int | None = course.bounds.moves
        if course.bounds.waves > waves:
            return None
        if _waves(course) > waves and course.bounds.moves_by_waves:
            least = dict(course.bounds.moves_by_waves).get(waves)
        if least is None:
            return None
        found += least
    return found


def _waves_note(courses: Sequence[Course]) -> Iterator[str]:
    """What fewer waves would cost, where the bound alone does not say that they cannot be."""
    waves = max(map(_waves, courses), default=0)
    bound = max((course.bounds.waves for course in courses), default=0)
    if waves <= bound:
        return
    moves = sum(map(_moves, courses))
    possible = [
        number for number in range(bound, waves) if (least_moves(courses, number) or moves + 1) <= moves
    ]
    least = min(possible, default=waves)
    if least > bound:
        wanted = least_moves(courses, least - 1)
        cost = "cannot be" if wanted is None else f"would take at least {wanted:,} moves"
        yield f"no plan with {moves:,} moves has fewer than {least} waves: {least - 1} {cost}"


def _time_note(fleet: Fleet, courses: Sequence[Course], planned: Planned) -> Iterator[str]:
    """The least time for the moves of the plan, where it says more than the bound.

    After k upgrades one after the other so many migrations are left, which take their time within the limit
    of the fleet; behind the last of them comes an upgrade.
    """
    makespan_s = planned.plan.bounds.makespan_s
    if any(course.steps and not course.bounds.left_s for course in courses):
        return
    busy = [course for course in courses if course.steps]
    upgrade_s = min([fleet.settings_of(course.domain).upgrade_s for course in busy], default=0.0)
    columns = zip_longest(*[course.bounds.left_s for course in busy], fillvalue=0.0)
    left = [sum(column) / fleet.settings.migrations_per_fleet for column in columns]
    least_s = max([(count + 1) * upgrade_s + each for count, each in enumerate(left) if each], default=0.0)
    if makespan_s.lower_bound < least_s <= makespan_s.value:
        yield (
            f"with no more moves in each pool no plan takes less than {least_s:,.0f} s; this one takes "
            f"{makespan_s.value:,.0f} s"
        )


def _whole(courses: Sequence[Course]) -> list[Course]:
    """The courses that leave no host old: only there are moves beyond the bound the plan's own."""
    return [course for course in courses if not course.stuck]


def _moves(course: Course) -> int:
    return sum(isinstance(step, MigrateStep) for step in course.steps)


def _waves(course: Course) -> int:
    return max((step.wave for step in course.steps if isinstance(step, UpgradeStep)), default=0)


def _rounds(waves: Sequence[int], hosts: int) -> int:
    """For how many waves sizes are dealt: each named, then enough of the last for everybody's turn."""
    return len(waves) + hosts


def answer_upgrade(task: bytes) -> bytes:
    """Plan the upgrade of the domain of a task; for executors."""
    return answer_task(task, UpgradeAsk, plan_domain)


def _give_up(fleet: Fleet, ask: UpgradeAsk) -> Course:
    remedy = "plan again with more time, or upgrade fewer hosts"
    there = [fleet.hosts[host_id] for host_id in ask.hosts]
    hosts = [host.id for host in there if host.has_manager and host.driver != ask.driver]
    stuck = tuple([Stuck(None, host_id, StuckReason.BUDGET, (), (remedy,)) for host_id in hosts])
    return Course(ask.domain, (), stuck, CourseBounds(0, 0, 0.0, hosts=len(hosts)))


UPGRADING: DomainPlanner[UpgradeAsk] = DomainPlanner(
    plan=plan_domain, answer=answer_upgrade, give_up=_give_up
)


def _check(
    fleet: Fleet,
    driver: str,
    hosts: Sequence[HostId] | None,
    max_unavailable: int | None,
    waves: Sequence[int],
) -> None:
    for host_id in hosts or ():
        if host_id not in fleet.hosts:
            raise UnknownNameError("host", host_id, fleet.hosts)
    wanted = "wanted a host with a vGPU Manager: there is no driver to upgrade"
    problems = [
        Problem("host", host_id, wanted) for host_id in hosts or () if not fleet.hosts[host_id].has_manager
    ]
    if not DRIVER_PATTERN.fullmatch(driver):
        problems.append(Problem("driver", driver, "wanted a host driver, such as 580.126.08"))
    if hosts is not None and not hosts:
        problems.append(Problem("hosts", "none named", "name at least one host to upgrade, or none for all"))
    if max_unavailable is not None and max_unavailable < 1:
        problems.append(Problem("max_unavailable", str(max_unavailable), "wanted at least 1"))
    problems += [
        Problem("waves", str(size), "wanted at least 1 host in a wave") for size in waves if size < 1
    ]
    if problems:
        raise InputError(problems)
