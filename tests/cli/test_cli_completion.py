"""Completion: the scripts, and what they are answered."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.cli.program import clean_environment, start

from vgpu_migrate.cli.main import COMMANDS, COMPLETE_VARIABLE
from vgpu_migrate.facts import vgpu_type
from vgpu_migrate.manager import DeviceId
from vgpu_migrate.testing import simulated_host


def completed(*words: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    line = " ".join(("vgpu-migrate", *words))
    asked = {COMPLETE_VARIABLE: "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        [sys.executable, "-m", "vgpu_migrate"],
        env=clean_environment(**asked),
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stderr == ""
    return [item.partition(",")[2] for item in done.stdout.splitlines() if item]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    """The script asks the program through the variable that the program looks at."""
    answered = start("completion", shell)
    assert answered.status == 0
    assert f"{COMPLETE_VARIABLE}={shell}_complete" in answered.out
    assert answered.err == ""


def test_another_shell_is_bad_usage() -> None:
    """Status 2."""
    assert start("completion", "tcsh").status == 2


def test_commands_are_completed() -> None:
    """All of them, in the table's order."""
    assert completed("") == list(COMMANDS)


def test_hosts_and_vms_come_from_the_fleet_on_the_line() -> None:
    """Ids that begin so; a host already given is not offered again."""
    assert completed("check", "demo", "des") == ["design-01", "design-02", "design-03", "design-04"]
    assert completed("check", "demo", "design-01", "--to", "l") == ["l1", "l2"]
    assert completed("drain", "demo", "a1", "a") == ["a2", "a3", "a4", "a5"]


def test_a_fleet_that_cannot_be_read_completes_nothing() -> None:
    """No message in the middle of a line that is being typed."""
    assert completed("check", "nowhere.yaml", "v") == []
    assert completed("check", "-", "v") == []


def test_names_of_the_tables_are_completed() -> None:
    """Rules, profiles, boards, types and schemas."""
    assert completed("rules", "guest-n") == ["guest-newer"]
    assert completed("rules", "--profile", "re") == ["renegotiating-resume"]
    assert completed("catalog", "board", "L40") == ["L40", "L40G", "L40S"]
    assert completed("catalog", "type", "T4-16") == ["T4-16A", "T4-16C", "T4-16Q"]
    assert completed("schema", "ch") == ["check", "check-what-if"]


def test_vms_and_gpus_come_from_the_live_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the socket on the line, or of the environment's; nothing where nobody listens."""
    with simulated_host() as host:
        assert completed("host", "pause", "--socket", str(host.socket), "v") == ["vm1"]
        monkeypatch.setenv("VGPU_MIGRATE_HOST", str(host.socket))
        assert completed("host", "metadata", "h") == ["h1/0"]
        assert completed("host", "create-device", "h") == ["h1/0"]
        host.create_device(host.gpus()[0].id, vgpu_type("L40S-12Q"), DeviceId("mine"))
        assert completed("host", "start", "vm1", "--device", "m") == ["mine"]
        assert completed("host", "remove-device", "m") == ["mine"]
    assert completed("host", "pause", "v") == []
    assert completed("host", "inject", "nvmlDeviceGetVgpuM") == ["nvmlDeviceGetVgpuMetadata"]
