"""`drain` and `replay`: the file written, and what is refused."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from tests.cli.program import DEMO_FLEET, start


def test_a_drain_is_written_and_its_replay_finds_nothing(tmp_path: Path) -> None:
    """The plan file says what the screen says, and stands up to the check."""
    path = tmp_path / "plan.json"
    drained = start("drain", "demo", "a1", "-o", str(path))
    assert drained.status == 0
    assert drained.out.startswith("a1 is empty after ")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    replayed = start("replay", "demo", str(path))
    assert (replayed.status, replayed.out, replayed.err) == (0, "0 violations in 5 steps.\n", "")


def test_a_replay_checks_what_no_plan_says_when_it_is_told(tmp_path: Path) -> None:
    """Hosts out of service at once are counted only against a number that the caller names."""
    path = tmp_path / "plan.json"
    start("drain", "demo", "a1", "-o", str(path))
    assert start("replay", "demo", str(path), "--max-unavailable", "1").status == 0
    refused = start("replay", "demo", str(path), "--max-unavailable", "0")
    assert refused.status == 2
    assert "0 is not in the range x>=1" in refused.err


def test_a_stuck_vm_is_a_clear_no_and_the_plan_is_written_all_the_same(tmp_path: Path) -> None:
    """Status 1; the plan names the stuck VM."""
    path = tmp_path / "plan.json"
    assert start("drain", "demo", "m1", "-o", str(path)).status == 1
    assert "train-01" in path.read_text()
    assert start("replay", "demo", str(path)).status == 0


def test_the_fleet_file_is_never_overwritten(tmp_path: Path) -> None:
    """A plan written over its own fleet would lose the fleet."""
    fleet = tmp_path / "fleet.yaml"
    shutil.copy(DEMO_FLEET, fleet)
    drained = start("drain", str(fleet), "a1", "-o", str(fleet))
    assert drained.status == 2
    assert fleet.read_text() == DEMO_FLEET.read_text()


def test_nothing_is_written_where_the_input_is_bad(tmp_path: Path) -> None:
    """An unknown host: status 2 and no file."""
    path = tmp_path / "plan.json"
    assert start("drain", "demo", "a1", "nowhere", "-o", str(path)).status == 2
    assert list(tmp_path.iterdir()) == []


def test_a_host_named_twice_is_drained_once(tmp_path: Path) -> None:
    """Naming a host again changes nothing."""
    assert start("drain", "demo", "a1", "a1", "--json") == start("drain", "demo", "a1", "--json")


def test_only_the_hosts_of_to_receive() -> None:
    """`--to` may be given several times; no other host takes anything."""
    plan = start("drain", "demo", "a1", "--to", "a2", "--to", "a4", "--json").json
    assert {step["target"] for step in plan["steps"]} <= {"a2", "a4"}


def test_a_plan_comes_from_standard_input_too(tmp_path: Path) -> None:
    """`-` is standard input for plans as for fleets."""
    plan = start("drain", "demo", "a1", "--json").out
    assert start("replay", "demo", "-", stdin=plan).status == 0
    assert start("replay", "demo", "-", stdin="{}").err.endswith("problems; nothing was done\n")


def test_a_plan_that_is_not_there_is_bad_input() -> None:
    """Status 2, and the file is named."""
    assert start("replay", "demo", "/nowhere.json") == (
        2,
        "",
        "/nowhere.json: no such file; wanted a plan file\n",
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [("-", "wanted a file; --json prints the plan"), ("", "wanted a file; the name is empty")],
)
def test_a_plan_is_written_to_a_file_alone(name: str, said: str) -> None:
    """Bad usage, and what is meant instead."""
    done = start("drain", "demo", "a1", "-o", name)
    assert (done.status, done.out) == (2, "")
    assert done.err.endswith(f"{said}\n")


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (("check", "demo", "design-01", "--to", "a2", "--to", "a4"), "--to"),
        (("drain", "demo", "a1", "-o", "x", "--output", "y"), "--output"),
        (("rules", "--profile", "default", "--profile", "default"), "--profile"),
    ],
)
def test_a_value_is_never_dropped_in_silence(args: tuple[str, ...], name: str) -> None:
    """An option with one value that stands twice on the line is bad usage."""
    done = start(*args)
    assert (done.status, done.out) == (2, "")
    assert done.err.endswith(f"Error: {name} may be given once, not 2 times\n")


def test_a_host_is_not_both_emptied_and_receiving() -> None:
    """The host is named, and the two ways in which it is."""
    done = start("drain", "demo", "a1", "a2", "--to", "a2")
    assert done.status == 2
    assert done.err.endswith("Error: a2 is to be drained and is also named by --to; choose one\n")


def test_a_fleet_file_is_no_plan(tmp_path: Path) -> None:
    """In YAML or in JSON, the message says what makes a plan."""
    path = tmp_path / "fleet.json"
    path.write_text('{"fleetfile_version": 1}')
    for name in (str(DEMO_FLEET), str(path)):
        done = start("replay", "demo", name)
        assert done.status == 2
        assert "wanted a plan file, as `drain -o` writes\n" in done.err
