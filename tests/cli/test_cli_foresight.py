"""`pin`, `place`, `resilience`, `--with` and `--without`: answers on the embedded fleet, and refusals."""

from __future__ import annotations

import re
import shutil
import stat
from pathlib import Path

import pytest
from tests.cli.program import DEMO_FLEET, start


def test_pin_tells_the_range_whom_it_strands_and_the_order() -> None:
    """Status 1: the range that all five A40 hosts know strands somebody."""
    answered = start("pin", "demo")
    assert answered.status == 1
    said = "4 groups of hosts among which VMs move live: 7 VMs are stranded, "
    assert answered.out.startswith(said)
    assert "vgpu-migrate host pin --range 0x120001 0x120001 --apply" in answered.out
    group = start("pin", "demo", "--json").json["groups"][0]
    assert (group["range"], group["lowest_by"], group["highest_by"]) == (
        ["0x120001", "0x120001"],
        ["a4", "a5"],
        ["a1", "a2"],
    )
    assert {row["vm"]: row["why"] for row in group["stranded"]}["office-02"] == "would-not-load"


def test_pin_offers_two_ranges_and_names_the_hosts_of_each_group() -> None:
    """In the table and in JSON; groups where nothing is to be set can be told from each other."""
    shown = start("pin", "demo").out
    assert "or two ranges, which strand 1 VM, without free moves between their hosts" in shown
    assert [line for line in shown.splitlines() if "L40S" in line] == [
        "default, L40S: 1 host, nothing to set on l1",
        "default, L40S: 1 host, nothing to set on l2",
    ]
    first, *others = start("pin", "demo", "--json").json["groups"]
    assert [(part["hosts"], part["range"], part["lowered"]) for part in first["split"]] == [
        (["a1", "a2"], ["0x70001", "0x120001"], 0),
        (["a3", "a4", "a5"], ["0x120001", "0x140001"], 1),
    ]
    assert [[row["vm"] for row in part["stranded"]] for part in first["split"]] == [[], ["office-02"]]
    assert [group["split"] for group in others] == [[], [], []]


def test_the_plan_of_pin_stands_up_to_its_replay(tmp_path: Path) -> None:
    """It is readable by its owner only."""
    path = tmp_path / "plan.json"
    assert start("pin", "demo", "-o", str(path)).err == f"plan written to {path}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    replayed = start("replay", "demo", str(path))
    assert (replayed.status, replayed.err) == (0, "")
    assert replayed.out.startswith("0 violations in ")


def test_a_fleet_that_needs_nothing_is_a_yes(tmp_path: Path) -> None:
    """Status 0, in one sentence."""
    path = tmp_path / "fleet.yaml"
    hosts = "".join(f"  - {{id: {name}, driver: 550.54.16, gpus: [{{board: A40}}]}}\n" for name in "ab")
    path.write_text(f"fleetfile_version: 1\nhosts:\n{hosts}")
    answered = start("pin", str(path))
    assert answered.status == 0
    sentence = "1 group of hosts among which VMs move live: every host has the range that it should.\n"
    assert answered.out.startswith(sentence)


def test_a_plan_is_only_written_for_the_fleet_as_it_is(tmp_path: Path) -> None:
    """`-o` and `--with` do not go together, and nothing is written."""
    path = tmp_path / "plan.json"
    done = start("pin", "demo", "--without", "a1", "-o", str(path))
    assert (done.status, list(tmp_path.iterdir())) == (2, [])
    assert done.err.endswith("Error: a plan is for the fleet as it is; leave out --with and --without\n")


@pytest.mark.parametrize(
    "args", [("pin", "demo"), ("place", "demo", "--type", "A40-8Q", "--guest-driver", "550.54.14")]
)
def test_a_domain_that_is_not_there_is_bad_input(args: tuple[str, ...]) -> None:
    """The one there is, is named."""
    done = start(*args, "--domain", "nowhere")
    assert (done.status, done.out) == (2, "")
    assert done.err == "unknown migration domain nowhere; wanted one of default\n"


def test_place_names_the_best_host_first() -> None:
    """Where it gets a version that most others take; status 1 where it fits nowhere."""
    asked = ("place", "demo", "--type", "A40-8Q", "--guest-driver")
    answered = start(*asked, "535.161.07")
    assert answered.status == 0
    assert answered.out.splitlines()[1] == (
        "Start it on a1: it gets 0x120001 and can later move live to 3 other hosts, 3 with room now."
    )
    full = start(*asked, "535.161.07", "--memory", "1000000", "--json")
    assert full.status == 1
    assert full.json["hosts"][0]["why_not"][0].startswith("it needs 1000000 MiB of memory")


def test_place_refuses_what_is_no_type() -> None:
    """With the nearest."""
    done = start("place", "demo", "--type", "A40-8QQ", "--guest-driver", "550.54.14")
    assert done.status == 2
    assert "unknown vgpu type A40-8QQ; did you mean" in done.err


def test_resilience_says_which_hosts_cannot_be_drained() -> None:
    """Status 1, and for each what would allow it."""
    answered = start("resilience", "demo")
    assert answered.status == 1
    assert answered.out.startswith("4 of 8 hosts cannot be drained live now.\n")
    hosts = {row["host"]: row for row in start("resilience", "demo", "--json").json["hosts"]}
    assert [name for name, row in hosts.items() if not row["live"]] == ["a3", "l1", "l2", "m1"]
    assert hosts["a3"]["spare"] == [{"board": "A40", "gpus": 1}]
    assert hosts["l1"]["stuck"][0]["rules"] == ["gpu-config"]


def test_resilience_tells_what_drift_cost(tmp_path: Path) -> None:
    """A host whose driver was upgraded since takes nobody from where it did."""
    now = tmp_path / "now.yaml"
    shutil.copy(DEMO_FLEET, now)
    text = now.read_text()
    now.write_text(text.replace("{board: L40S, ecc: false}", "{board: L40S}"))
    better = start("resilience", str(now), "--since", "demo", "--json").json["since"]
    assert (better["lost"], better["regained"]) == ([], ["l1", "l2"])
    worse = start("resilience", "demo", "--since", str(now))
    assert "Since then drift has cost 2 hosts:" in worse.out
    assert re.search(r"l1 +render-01 +gpu-config", worse.out)


def test_check_with_a_change_is_compared_with_today() -> None:
    """The exit status is that of the fleet as it would be."""
    asked = ("check", "demo", "render-01")
    assert start(*asked).status == 1
    then = start(*asked, "--with", "l2/0:ecc=true")
    assert then.status == 0
    assert "Compared with today: l2/0:ecc=true\n" in then.out
    answer = start(*asked, "--with", "l2/0:ecc=true", "--json").json
    assert (answer["hosts_gained"], answer["hosts_lost"]) == (["l2"], [])
    assert answer["compared"]["freed"] == [{"vm": "render-01", "today": 0, "then": 1}]


def test_check_of_a_vm_that_is_taken_away_is_bad_usage() -> None:
    """It is said why it is not there."""
    done = start("check", "demo", "design-03", "--without", "a2")
    assert done.status == 2
    assert done.err.endswith("Error: design-03 is asked about, and --without takes it away; choose one\n")


def test_matrix_with_a_change_tells_who_gains() -> None:
    """Each VM whose reach changes, with the hosts today and then."""
    compared = start("matrix", "demo", "--with", "a1:driver=580.126.08", "--json").json["compared"]
    assert compared["changes"] == ["a1:driver=580.126.08"]
    assert {"vm": "cad-02", "today": 2, "then": 3} in compared["gains"]
    assert compared["stranded"] == []


def test_wrong_changes_are_told_all_at_once() -> None:
    """Status 2, one line for each, and no answer."""
    done = start("matrix", "demo", "--with", "a1:drivr=1", "--with", "nobody:driver=1")
    assert (done.status, done.out) == (2, "")
    assert "a1:drivr=1: host a1 has no key drivr to change; did you mean driver?" in done.err
    assert "nobody:driver=1: unknown host, gpu or VM nobody" in done.err
