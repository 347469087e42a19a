"""Who would go to a third host by way of a second goes there at once, where there is room."""

from __future__ import annotations

from vgpu_migrate.cli import fleets
from vgpu_migrate.model.planfile import MigrateStep
from vgpu_migrate.planning import upgrade
from vgpu_migrate.replay import replay


def test_nobody_is_sent_aside_who_could_go_on_at_once() -> None:
    """In the example fleet cad-03 goes straight to the host with the driver, and six moves do."""
    fleet = fleets.read("demo")
    plan = upgrade(fleet, "580.126.08").plan
    assert replay(fleet, plan) == ()
    assert (plan.bounds.moves.value, plan.bounds.moves.lower_bound) == (6, 6)
    moves = [step for step in plan.steps if isinstance(step, MigrateStep) and step.vm == "cad-03"]
    assert [(step.source, step.target) for step in moves] == [("a3", "a4")]
