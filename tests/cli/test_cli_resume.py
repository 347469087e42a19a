"""`--resume`: go on with a plan from the fleet as it is now."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.cli.program import DEMO_FLEET, start
from tests.planning.executor import after_step

from vgpu_migrate.model.fleetfile import fleet_to_data, parse_fleet_bytes
from vgpu_migrate.model.planfile import parse_plan

DRIVER = "580.126.08"


def test_a_plan_that_was_not_begun_goes_on_as_it_was(tmp_path: Path) -> None:
    """The same fleet gives the same plan again, and the messages say that nothing is done."""
    path = tmp_path / "plan.json"
    first = start("drain", "demo", "a1", "--json", "-o", str(path))
    again = start("drain", "demo", "a1", "--json", "--resume", str(path))
    assert (again.status, again.out) == (first.status, first.out)
    assert "note: the plan resumed: 0 of its 5 steps are done, 5 go on as they were" in again.err


def test_what_was_done_already_is_not_done_again(tmp_path: Path) -> None:
    """From a fleet file in which a part of the plan is done, the rest is planned, and the replay agrees."""
    path, now, later = tmp_path / "plan.json", tmp_path / "now.json", tmp_path / "later.json"
    start("upgrade", "demo", "--driver", DRIVER, "-o", str(path))
    plan = parse_plan(path.read_bytes(), source=str(path))
    fleet = parse_fleet_bytes(DEMO_FLEET.read_bytes(), source="demo", format="yaml")
    half = sorted(plan.steps, key=lambda step: (step.end_s, step.id))[: len(plan.steps) // 2]
    for step in half:
        fleet = after_step(fleet, step)
    now.write_bytes(msgspec.json.encode(fleet_to_data(fleet)))
    again = start("upgrade", str(now), "--driver", DRIVER, "--resume", str(path), "-o", str(later), "--json")
    assert f"{len(half)} of its {len(plan.steps)} steps are done" in again.err
    assert start("replay", str(now), str(later)).status == 0


def test_pins_go_on_too(tmp_path: Path) -> None:
    """A plan for pins is resumed like the others."""
    path, later = tmp_path / "plan.json", tmp_path / "later.json"
    start("pin", "demo", "-o", str(path))
    again = start("pin", "demo", "--resume", str(path), "-o", str(later))
    assert "note: the plan resumed: 0 of its " in again.err
    assert later.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("upgrade", "demo", "--driver", DRIVER), "goal: drain; the plan to resume must be for upgrade"),
        (("drain", "-", "a1"), None),
    ],
)
def test_a_plan_of_another_kind_is_bad_input(tmp_path: Path, args: tuple[str, ...], said: str | None) -> None:
    """What cannot be resumed is told before anything is planned."""
    path = tmp_path / "plan.json"
    start("drain", "demo", "a1", "-o", str(path))
    name = str(path) if said else "-"
    refused = start(*args, "--resume", name, stdin="")
    assert (refused.status, refused.out) == (2, "")
    assert (said or "FLEET and the plan to resume cannot both be standard input") in refused.err
