"""Where and how long a plan is made: options, Ctrl-C, the time given, signs of life."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.program import clean_environment, start
from tests.planning.fleets import a_fleet, a_host, a_vm, random_fleet

from vgpu_migrate.cli.progress import domains_done
from vgpu_migrate.model.fleetfile import fleet_to_data

INTERRUPTED_IN_THE_SECOND_DOMAIN = """
import os, signal, sys
from vgpu_migrate.planning import drain_hosts
from vgpu_migrate.cli.main import main

place, called = drain_hosts.place, []

def place_or_press_ctrl_c(*args):
    called.append(args)
    if len(called) == 2:
        os.kill(os.getpid(), signal.SIGINT)
    return place(*args)

drain_hosts.place = place_or_press_ctrl_c
main(sys.argv[1:])
"""


@pytest.fixture
def two_domains(tmp_path: Path) -> str:
    """A fleet file with a host to drain, n1 and s1, in each of two domains."""
    hosts = [a_host(name, domain="north" if name[0] == "n" else "south") for name in ("n1", "n2", "s1", "s2")]
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(fleet_to_data(a_fleet(hosts, [a_vm("a", "n1/0"), a_vm("b", "s1/0")]))))
    return str(path)


def test_ctrl_c_gives_the_best_plan_so_far(two_domains: str) -> None:
    """The plan is on stdout, what it lacks is on stderr and in the plan, and the status is 130."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IN_THE_SECOND_DOMAIN, "drain", two_domains, "n1", "s1", "--json"],
        env=clean_environment(),
        capture_output=True,
        check=False,
        encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    plan = json.loads(done.stdout)
    assert [step["vm"] for step in plan["steps"]] == ["a"]
    assert [(item["vm"], item["reason"]) for item in plan["stuck"]] == [("b", "budget")]
    assert done.stderr.splitlines()[-1] == (
        "note: interrupted: 1 of 2 domains not planned to the end (south); this is the best plan so far"
    )
    assert done.returncode == 130


def test_a_time_that_is_over_at_once_leaves_everything_where_it_is(two_domains: str) -> None:
    """There is always an answer; what was not planned is stuck for want of time."""
    drained = start("drain", two_domains, "n1", "--time-budget", "1e-9")
    assert drained.status == 1
    assert "a on n1: budget" in drained.out
    assert "note: the time given was used up: 1 of 1 domain not planned to the end (north)" in drained.err


def test_the_plan_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    """Two processes or none beside this one: the same bytes."""
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(fleet_to_data(random_fleet(3, hosts=8, gpus=3, vms=60, domains=2, odd=0.0))))
    alone, beside = (start("drain", str(path), "h00", "h01", "--json", "--jobs", jobs) for jobs in "12")
    assert alone == beside


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--jobs", "2", "--scheduler", "tcp://h:1"], "--jobs is for processes here, --scheduler for a"),
        (["--jobs", "0"], "0 is not in the range x>=1"),
        (["--scheduler", "planner:8786"], "planner:8786: wanted an address like tcp://HOST:8786"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--time-budget", "0"], "0.0 is not in the range x>0"),
        (["--time-budget", "nan"], "'nan' is not a finite number of seconds"),
        (["--time-budget", "inf"], "'inf' is not a finite number of seconds"),
        (["--time-budget", "1", "--time-budget", "2"], "--time-budget may be given once, not 2 times"),
    ],
)
def test_options_that_make_no_sense_are_refused(two_domains: str, options: list[str], said: str) -> None:
    """Status 2, and the message says what was wanted."""
    drained = start("drain", two_domains, "n1", *options)
    assert (drained.status, drained.out) == (2, "")
    assert said in drained.err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_tells_domains_done_and_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many of how many, and how many VMs are stuck; only on a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    terminal, file = _Terminal(), io.StringIO()
    for stream in (terminal, file):
        monkeypatch.setattr(sys, "stderr", stream)
        with domains_done("planning", is_long=True) as tell:
            tell(3, 20, 1204)
    assert "3/20" in terminal.getvalue()
    assert "domains, best so far: 1,204 stuck" in terminal.getvalue()
    assert file.getvalue() == ""
