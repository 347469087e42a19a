"""What a replay found, as JSON and for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vgpu_migrate.cli import answers
from vgpu_migrate.cli.screen import BAD, GOOD, WEAK, Cell, Column, Screen, count
from vgpu_migrate.model.planfile import Plan
from vgpu_migrate.replay import Violation

MOST_SHOWN = 40


def answer(plan: Plan, violations: Sequence[Violation]) -> answers.ReplayAnswer:
    """The answer of `replay --json`."""
    return answers.ReplayAnswer(
        sound=not violations,
        steps=len(plan.steps),
        violations=[answers.Violation(item.step, item.kind.value, item.text) for item in violations],
    )


def show(
    plan: Plan, violations: Sequence[Violation], *, show_all: bool = False, screen: Screen | None = None
) -> None:
    """How many promises the plan breaks, and each of them."""
    screen = screen or Screen()
    stuck = f", {len(plan.stuck):,} stuck" if plan.stuck else ""
    screen.line(
        Cell(count(len(violations), "violation"), BAD if violations else GOOD),
        f" in {count(len(plan.steps), 'step')}{stuck}.",
    )
    if not violations:
        return
    shown = violations if show_all else violations[:MOST_SHOWN]
    columns = (Column("step", right=True), Column("kind"), Column("what is wrong", wraps=True))
    screen.table(columns, ([_say_step(item), Cell(item.kind.value, BAD), item.text] for item in shown))
    if len(shown) < len(violations):
        left = Counter(item.kind.value for item in violations[len(shown) :])
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(left.items()))
        screen.line(Cell(f"and {len(violations) - len(shown):,} more ({kinds}); --all shows them", WEAK))


def _say_step(item: Violation) -> str:
    return "plan" if item.step is None else str(item.step)
