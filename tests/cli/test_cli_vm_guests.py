"""`vm watch` and `vm metadata GUEST` on the command line, with the guest of libvirt's test hypervisor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from tests.cli.program import Answered, clean_environment, start
from tests.lab.prerequisites import imported_libvirt
from tests.vmm.guests import a_record, settings_for

from vgpu_migrate.cli import schemas
from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.testing import VgpuHost, simulated_host

imported_libvirt()

URI = "test:///default"
UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"
"""Of `test`, the guest that the test hypervisor has."""
FLEET = f"""
hosts: [{{id: h1, driver: 550.54.16, gpus: [{{board: L40S}}]}}]
vms:
  - {{id: vm1, uuid: {UUID}, host: h1, state: running, memory_mib: 4096, guest_driver: 550.54.14,
     vgpus: [{{type: L40S-12Q, gpu: h1/0}}]}}
"""
WATCH = ("vm", "watch", "--connect", URI)
METADATA = ("vm", "metadata", "test", "--connect", URI)


@pytest.fixture
def host() -> Iterator[VgpuHost]:
    """A host on which the driver knows the guest."""
    with simulated_host(FLEET) as host:
        yield host


def rows(answered: Answered) -> list[dict[str, object]]:
    """The lines of `vm watch --json`, each of which fits its schema."""
    found = [json.loads(line) for line in answered.out.splitlines()]
    for row in found:
        jsonschema.Draft202012Validator(schemas.schema("vm-watch")).validate(row)
    return found


def test_one_look(host: VgpuHost) -> None:
    """`--once` writes what is missing and says how many guests carry a record."""
    shown = start(*WATCH, "--once", "--socket", str(host.socket))
    assert shown == Answered(
        0,
        "running guests with a vGPU: 1; with a record to go by: 1\n",
        "guest test: record published (its first): L40S-12Q, guest driver 550.54.14\n",
    )
    answered = start(*WATCH, "--once", "--json", VGPU_MIGRATE_HOST=str(host.socket))
    published, looked = rows(answered)
    assert (answered.status, answered.err) == (0, "")
    assert (published["event"], published["guest"], published["uuid"]) == ("published", "test", UUID)
    assert (looked["event"], looked["guests"], looked["good"]) == ("looked", 1, 1)


def test_one_look_finds_no_vgpu(tmp_path: Path) -> None:
    """Guests without a vGPU are no reason for a no."""
    with simulated_host("hosts: [{id: h1, driver: 550.54.16, gpus: [{board: L40S}]}]") as host:
        shown = start(*WATCH, "--once", "--settings", str(settings_for(tmp_path, host.socket)))
        assert shown == Answered(0, "no running guest has a vGPU\n", "")


def test_one_look_where_the_driver_fails(host: VgpuHost) -> None:
    """A driver that fails is a failure outside, in one line; so is one that is not there."""
    host.inject(FaultSpec(function="nvmlInit_v2", code=999))
    for socket in (str(host.socket), "/no/such/socket"):
        answered = start(*WATCH, "--once", "--socket", socket)
        assert (answered.status, answered.err.count("\n")) == (3, 1)
        assert answered.err.startswith("this host's driver does not answer: nvmlInit_v2 answered ")


def test_a_libvirt_that_is_not_there_is_a_failure_outside() -> None:
    """`--once` does not wait for libvirtd."""
    answered = start("vm", "watch", "--once", "--connect", "qemu+unix:///system?socket=/no/such/socket")
    assert (answered.status, answered.out) == (3, "")
    assert answered.err.startswith(
        "libvirt at qemu+unix:///system?socket=/no/such/socket cannot be reached: "
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_watch(host: VgpuHost, number: int) -> None:
    """SIGTERM and Ctrl-C end it with exit status 0, whatever it waits for."""
    line = [*WATCH, "--socket", str(host.socket), "--interval", "3600"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vgpu_migrate", *line],
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"watching the guests of {URI}\n"
        assert process.stderr.readline().startswith("guest test: record published (its first)")
        process.send_signal(number)
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.parametrize("line", [WATCH, (*METADATA, "--fresh")])
def test_ctrl_c_is_heard_while_the_driver_hangs(host: VgpuHost, line: tuple[str, ...]) -> None:
    """A driver that does not answer for ten minutes keeps nobody from ending the program."""
    host.inject(FaultSpec(function="nvmlDeviceGetCount_v2", delay_s=600))
    process = subprocess.Popen(
        [sys.executable, "-m", "vgpu_migrate", *line, "--socket", str(host.socket)],
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        threads = f"/proc/{process.pid}/task"
        while len(os.listdir(threads)) < 2 or b"libnvidia-ml" not in maps_of(process.pid):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert "Traceback" not in said
    assert process.returncode == (0 if line is WATCH else 130)


def maps_of(pid: int) -> bytes:
    """What a process has mapped."""
    return Path("/proc", str(pid), "maps").read_bytes()


def test_a_libvirt_that_is_away_is_waited_for() -> None:
    """Without `--once` the watch tries again, and a signal ends that too."""
    line = ["vm", "watch", "--connect", "qemu+unix:///system?socket=/no/such/socket", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vgpu_migrate", *line],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        said = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert [row["event"] for row in said] == ["disconnected"] * 2
        assert [row["says"].rpartition("; ")[2] for row in said] == [
            "next attempt in 1 s",
            "next attempt in 2 s",
        ]
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def test_another_hosts_libvirt_is_refused() -> None:
    """The local driver knows nothing of guests elsewhere."""
    for line in (["vm", "watch", "--connect"], ["vm", "metadata", "g", "--fresh", "--connect"]):
        answered = start(*line, "qemu+ssh://h2/system")
        assert (answered.status, "is another host's libvirt" in answered.err) == (2, True)


def test_a_guests_records_are_shown_and_written(host: VgpuHost, tmp_path: Path) -> None:
    """What it carries is shown, with `--fresh` what the driver has; `--write` puts in that, or files."""
    absent = start(*METADATA, "--json")
    jsonschema.Draft202012Validator(schemas.schema("vm-metadata")).validate(absent.json)
    assert (absent.status, absent.json["found"], absent.json["guest"]) == (1, "absent", "test")
    assert start(*METADATA).out == "guest test: the guest carries no saved record.\n"
    fresh = start(*METADATA, "--fresh", "--socket", str(host.socket), "--json")
    jsonschema.Draft202012Validator(schemas.schema("vm-metadata")).validate(fresh.json)
    said = {
        name: fresh.json[name] for name in ("found", "guest", "uuid", "fresh", "written", "file", "state")
    }
    assert said == {
        "found": "good",
        "guest": "test",
        "uuid": UUID,
        "fresh": True,
        "written": False,
        "file": None,
        "state": "running",
    }
    written = start(*METADATA, "--fresh", "--write", "--socket", str(host.socket), "--json")
    assert (written.status, written.json["written"]) == (0, True)
    (tmp_path / "raw").write_bytes(a_record())
    put = start(*METADATA, "--record", str(tmp_path / "raw"), "--write", "--json")
    assert (put.status, put.json["written"], put.json["fresh"]) == (0, True, False)
    assert put.json["vgpus"][0]["type"] == "L40S-12Q"


def test_a_guest_that_the_driver_does_not_know(tmp_path: Path) -> None:
    """That there is nothing fresh is a no with its reason, and nothing is written."""
    with simulated_host("hosts: [{id: h1, driver: 550.54.16, gpus: [{board: L40S}]}]") as host:
        answered = start(*METADATA, "--fresh", "--write", "--socket", str(host.socket))
        assert (answered.status, answered.err) == (1, "")
        assert answered.out == "guest test: this host's driver has no active vgpu of it.\n"


@pytest.mark.parametrize(
    "options",
    [
        ("--write",),
        ("--record", "x"),
        ("--fresh", "--record", "x", "--write"),
        ("--fresh", "-o", "x"),
        ("--boot", "2026-11-23T09:12:44Z"),
        ("--fresh", "--settings", "/no/such/file"),
    ],
)
def test_what_does_not_go_together_for_a_guest(options: tuple[str, ...]) -> None:
    """Options that make no sense together are bad usage."""
    assert start(*METADATA, *options).status == 2


def test_a_guests_options_want_a_guest(tmp_path: Path) -> None:
    """Without `--connect` the name is a file's, and that is said where there is none."""
    for option in ("--fresh", "--write"):
        assert start("vm", "metadata", "test", option).status == 2
    answered = start("vm", "metadata", str(tmp_path / "test"))
    assert (answered.status, "--connect URI" in answered.err) == (2, True)
    unknown = start("vm", "metadata", "tset", "--connect", URI)
    assert (unknown.status, unknown.err) == (2, "unknown guest tset; did you mean test?\n")
