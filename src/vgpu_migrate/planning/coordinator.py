"""Plan domains one by one or side by side, within a time, and keep what there is when it ends too soon.

Two rounds. In the first every domain is asked for its quick answer, here. In the second those whose quick
answer could be better, or that have none, are asked for the full one, wherever there is room. What
the second round does not finish keeps its answer of the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic

from vgpu_migrate.errors import OutsideError
from vgpu_migrate.planning.course import Course
from vgpu_migrate.planning.executors import HERE, Crew, Where, crew
from vgpu_migrate.planning.tasks import Ask, DomainPlanner, Task, read_answer, task_bytes


class Cut(Enum):
    """Why planning ended before every domain had its full answer."""

    BUDGET = "the time given was used up"
    INTERRUPT = "interrupted"


def no_end() -> float:
    """The seconds left where nobody counts them."""
    return math.inf


@dataclass(frozen=True)
class Progress:
    """How far planning is: domains with their last answer, of how many, and VMs stuck as of now."""

    done: int
    domains: int
    stuck: int


@dataclass(frozen=True)
class Terms:
    """How a fleet is planned, beside what is planned.

    `budget_s`: the time given. `seconds_left` is asked again and again how much of it is left: planning
    has no clock of its own. `tell` is called when something is done.
    """

    where: Where = HERE
    seed: int = 0
    budget_s: float | None = None
    seconds_left: Callable[[], float] = no_end
    tell: Callable[[Progress], None] = lambda _: None


ALONE = Terms()
"""In this process, however long it takes."""


@dataclass(frozen=True)
class Courses:
    """The course of each domain, in the order of the tasks, and what was not finished."""

    courses: tuple[Course, ...]
    cut: Cut | None = None
    unfinished: tuple[str, ...] = ()
    """Domains without their last answer."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the plan's reader should know of that."""
        if self.cut is None:
            return ()
        names = ", ".join(self.unfinished[:5]) + (" and others" if len(self.unfinished) > 5 else "")
        count, total = len(self.unfinished), len(self.courses)
        what = f"{count} of {total} domain{'s' if total > 1 else ''} not planned to the end ({names})"
        return (f"{self.cut.value}: {what}; this is the best plan so far",)


def plan_domains(planner: DomainPlanner[Ask], tasks: Sequence[Task[Ask]], terms: Terms) -> Courses:
    """Plan each domain.

    Raises:
        InputError, OutsideError: the place for it is not there, or a worker was lost.
    """
    state = _State(planner, tasks, terms)
    try:
        state.first_round()
        state.second_round()
    except KeyboardInterrupt:
        state.cut = Cut.INTERRUPT
    return state.courses()


@dataclass
class _State(Generic[Ask]):
    planner: DomainPlanner[Ask]
    tasks: Sequence[Task[Ask]]
    terms: Terms
    cut: Cut | None = None
    found: dict[int, Course] = field(default_factory=dict)
    final: set[int] = field(default_factory=set)

    def first_round(self) -> None:
        for number, task in enumerate(self.tasks):
            if task.quick is None:
                continue
            if self._is_late():
                return
            course = self.planner.plan(task.fleet, task.quick)
            self._keep(number, course, is_final=task.full is None or self.planner.is_best(course))

    def second_round(self) -> None:
        waiting = [number for number in range(len(self.tasks)) if number not in self.final]
        if not waiting or self._is_late():
            return
        vms = sum(len(self.tasks[number].fleet.vms) for number in waiting)
        with crew(self.terms.where, tasks=len(waiting), vms=vms) as workers:
            if workers is None:
                self._one_by_one(waiting)
            else:
                try:
                    self._side_by_side(waiting, workers)
                except (BrokenExecutor, CancelledError):
                    text = "a worker that planned a domain was lost, perhaps for want of memory"
                    raise OutsideError(f"{text}: try fewer at once (--jobs)") from None

    def _one_by_one(self, waiting: Sequence[int]) -> None:
        for at, number in enumerate(waiting):
            if self._is_late():
                return
            ask = self._full_ask(number, share=1 / (len(waiting) - at))
            self._keep(number, self.planner.plan(self.tasks[number].fleet, ask), is_final=True)

    def _side_by_side(self, waiting: Sequence[int], workers: Crew) -> None:
        left = list(reversed(waiting))
        running: dict[Future[bytes], int] = {}
        while left or running:
            if self._is_late():
                return
            while left and len(running) < workers.size:
                share = min(1.0, workers.size / (len(left) + len(running)))
                number = left.pop()
                data = task_bytes(self.tasks[number].fleet, self._full_ask(number, share))
                running[workers.executor.submit(self.planner.answer, data)] = number
            seconds = self.terms.seconds_left()
            done, _ = wait(running, None if math.isinf(seconds) else seconds, FIRST_COMPLETED)
            for future in done:
                self._keep(running.pop(future), read_answer(future.result()), is_final=True)

    def _full_ask(self, number: int, share: float) -> Ask:
        ask = self.tasks[number].full
        assert ask is not None
        seconds = self.terms.seconds_left()
        return ask if math.isinf(seconds) else self.planner.within(ask, seconds * share)

    def _is_late(self) -> bool:
        if self.terms.seconds_left() > 0:
            return False
        self.cut = Cut.BUDGET
        return True

    def _keep(self, number: int, course: Course, *, is_final: bool) -> None:
        self.found[number] = course
        if is_final:
            self.final.add(number)
        stuck = sum(len(course.stuck) for course in self.found.values())
        self.terms.tell(Progress(len(self.final), len(self.tasks), stuck))

    def courses(self) -> Courses:
        """What there is now; of domains without any answer, that there is none."""
        courses = tuple(
            self.found.get(number) or self.planner.give_up(task.fleet, task.ask)
            for number, task in enumerate(self.tasks)
        )
        unfinished = [task.domain for number, task in enumerate(self.tasks) if number not in self.final]
        return Courses(courses, self.cut, tuple(unfinished))
