"""The sentence on top of `check`: what it says of VMs that do not run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.program import start

YES_OR_NO = re.compile(r"\b(yes|no):", re.IGNORECASE)
HELD = {"version": "0x140001"}
ON_H1 = {"gpu": "h1/0"}


def fleet_file(path: Path, state: str, vgpu: dict[str, str], *, blocked: bool = False) -> str:
    """Two hosts, the second with ECC off where `blocked`, and a VM in a state."""
    at_home = {"host": "h1"} if "gpu" in vgpu else {}
    vm = {"id": "v", "state": state, "memory_mib": 1, "guest_driver": "550.54.14", **at_home}
    hosts = [
        {"id": "h1", "driver": "550.54.16", "gpus": [{"board": "L4"}]},
        {"id": "h2", "driver": "550.54.16", "gpus": [{"board": "L4", "ecc": not blocked}]},
    ]
    vms = [{**vm, "vgpus": [{"type": "L4-6Q", **vgpu}]}]
    path.write_text(json.dumps({"fleetfile_version": 1, "hosts": hosts, "vms": vms}))
    return str(path)


@pytest.mark.parametrize(
    ("state", "vgpu", "status", "said"),
    [
        ("sleeping", ON_H1, 0, "It is asleep; asleep it can move to h2, the only other host."),
        ("booting", ON_H1, 1, "It is booting; powered off it can move to h2, the only other host."),
        ("hibernated", HELD, 0, "It is hibernated; it can be started from hibernation on h1, h2."),
        ("off", {}, 1, "It is off; it can start on h1, h2."),
    ],
)
def test_the_sentence_answers_for_the_state_the_vm_is_in(
    state: str, vgpu: dict[str, str], status: int, said: str, tmp_path: Path
) -> None:
    """No yes and no no where the VM neither runs nor is paused; the exit status stays the verdict's."""
    done = start("check", fleet_file(tmp_path / "fleet.json", state, vgpu), "v", COLUMNS="300")
    assert done.out.splitlines()[1].startswith(said)
    assert not YES_OR_NO.search(done.out)
    assert done.status == status


@pytest.mark.parametrize("state", ["off", "hibernated"])
def test_a_vm_on_no_host_is_said_to_be_there(state: str, tmp_path: Path) -> None:
    """The state and the place are two things."""
    done = start("check", fleet_file(tmp_path / "fleet.json", state, {}), "v", "--to", "h1")
    assert done.out.startswith(f"v: {state}, on no host, ")


def test_a_move_that_is_possible_though_not_live_is_said_so(tmp_path: Path) -> None:
    """The only other host is named once."""
    file = fleet_file(tmp_path / "fleet.json", "running", ON_H1, blocked=True)
    done = start("check", file, "v")
    said = "Not live: to h2, the only other host, it can move only hibernated or powered off."
    assert (done.status, done.out.splitlines()[2]) == (1, said)
    done = start("check", file, "v", "--to", "h2")
    assert done.out.splitlines()[2] == "Not live: to h2 it can move only hibernated or powered off."


def test_the_own_host_is_no_place_to_move_to() -> None:
    """It is there already; the exit status is still the verdict's."""
    done = start("check", "demo", "design-01", "--to", "a1")
    said = "It is on a1 already; the verdict for that host: live, sleep, hibernate, cold."
    assert (done.status, done.out.splitlines()[2]) == (0, said)
