"""`host`: what can be asked of a live host, and done to it, from outside."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.program import DEMO_FLEET, Answered

from vgpu_migrate.cli import schemas
from vgpu_migrate.cli.main import run
from vgpu_migrate.model import VmId
from vgpu_migrate.testing import VgpuHost, fleet_of, simulated_host

Ask = Callable[..., Answered]

VM_COMMANDS = {
    "pause": "paused",
    "resume": "running",
    "sleep": "sleeping",
    "wake": "running",
    "reboot-guest": "booting",
    "load-guest-driver": "running",
    "hibernate": "hibernated",
}
"""One after the other, and the state each leaves a running VM in."""


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs `host` commands on the host given first, in this process."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")

    def asked(host: VgpuHost, *args: str) -> Answered:
        monkeypatch.setenv("VGPU_MIGRATE_HOST", str(host.socket))
        status = run(["host", *args])
        said = capsys.readouterr()
        return Answered(status, said.out, said.err)

    return asked


def demo_host(host: str) -> Any:
    """A host of the embedded fleet, alive."""
    return simulated_host(fleet_of(DEMO_FLEET), host=host)


@pytest.fixture
def a1() -> Iterator[VgpuHost]:
    """Driver 535, six vgpus on two gpus."""
    with demo_host("a1") as host:
        yield host


@pytest.fixture
def a4() -> Iterator[VgpuHost]:
    """Driver 580, one vgpu on two gpus."""
    with demo_host("a4") as host:
        yield host


def fits(name: str, answered: Answered) -> Any:
    """The answer, which fits its schema."""
    jsonschema.Draft202012Validator(schemas.schema(name)).validate(answered.json)
    return answered.json


def test_every_schema_of_a_live_host_has_an_answer_that_fits_it(a1: VgpuHost, a4: VgpuHost, ask: Ask) -> None:
    """Each of `host-…` but those of real hosts alone is what some command answers with --json."""
    commands: list[tuple[str, tuple[str, ...]]] = [
        ("host-gpus", ("gpus",)),
        ("host-vgpus", ("vgpus",)),
        ("host-metadata", ("metadata", "flight-01")),
        ("host-metadata", ("metadata", "a1/0")),
        ("host-version", ("version",)),
        ("host-compat", ("compat", "flight-01")),
        ("host-compat", ("compat", "legacy-01", "--to", str(a4.socket))),
        ("host-start", ("start", "lab-01")),
        ("host-load-guest-driver", ("load-guest-driver", "lab-01")),
        ("host-load-guest-driver", ("load-guest-driver", "design-02", "580.126.09")),
        ("host-vm", ("stop", "lab-01")),
        ("host-vm", ("define", "new-01", "--type", "A40-8Q", "--domid", "77", "--memory", "64")),
        ("host-done", ("undefine", "new-01")),
        ("host-create-device", ("create-device", "a1/0", "A40-8Q", "--id", "mine")),
        ("host-vgpus", ("vgpus",)),
        ("host-start", ("start", "lab-01", "--device", "mine")),
        ("host-vm", ("stop", "lab-01")),
        ("host-create-device", ("create-device", "a1/0", "A40-8Q")),
        ("host-done", ("remove-device", "mine")),
        ("host-inject", ("inject", "--gpu-lost", "a1/0", "--for", "60")),
        ("host-show", ("show",)),
        ("host-clear", ("clear", "--all")),
        ("host-refused", ("migrate", "legacy-01", "--to", str(a4.socket))),
        ("host-refused", ("set-range", "0x100001", "0x120001")),
        ("host-migrate", ("migrate", "design-01", "--to", str(a4.socket), "--gpu", "a4/1")),
    ]
    of_hosts = {name for name in schemas.names() if name.startswith("host-")}
    assert {name for name, _ in commands} == of_hosts - {"host-doctor", "host-pin", "host-units"}
    for name, command in commands:
        answered = ask(a1, *command, "--json")
        assert answered.err == "", command
        assert fits(name, answered)


def test_a_vm_is_taken_through_its_states(a1: VgpuHost, ask: Ask) -> None:
    """Each command answers the VM as it then is."""
    for command, state in VM_COMMANDS.items():
        answered = ask(a1, command, "design-01", "--json")
        assert answered.status == 0, answered.err
        if command != "load-guest-driver":
            assert fits("host-vm", answered)["state"] == state
        assert {vm.id: vm.power for vm in a1.show().vms}["design-01"] == state
    assert ask(a1, "start", "design-01", "--from", "hibernate").out.startswith(
        "design-01: running, A40-8Q on a1/0"
    )
    assert ask(a1, "load-guest-driver", "design-01", "--fails").out.startswith("design-01: running, A40-8Q")


def test_what_a_state_does_not_allow_is_a_no(a1: VgpuHost, ask: Ask) -> None:
    """Status 1, the reason on stdout, and nothing has changed."""
    answered = ask(a1, "resume", "design-01")
    assert (answered.status, answered.err) == (1, "")
    assert answered.out.startswith("No: VM design-01: ")
    refused = fits("host-refused", ask(a1, "resume", "design-01", "--json"))["refused"]
    assert (refused["reason"], refused["thing"]) == ("wrong-state", "VM design-01")


def test_a_migration_is_seen_on_both_sides(a1: VgpuHost, a4: VgpuHost, ask: Ask) -> None:
    """Afterwards the VM is on the target alone, on the gpu that was asked for."""
    answered = ask(a1, "migrate", "flight-01", "--to", str(a4.socket), "--gpu", "a4/1", "--gpu", "a4/1")
    assert (answered.status, answered.out) == (0, "flight-01: now on a4\n")
    assert "flight-01" not in [vm.id for vm in a1.show().vms]
    there = [vgpu.gpu for vm in a4.show().vms if vm.id == "flight-01" for vgpu in vm.vgpus]
    assert there == ["a4/1", "a4/1"]


def test_a_refused_migration_shows_the_evidence(a1: VgpuHost, a4: VgpuHost, ask: Ask) -> None:
    """As `check` does: the rule, the values seen, the basis and what would help; the VM stays as it was."""
    answered = ask(a1, "migrate", "legacy-01", "--to", str(a4.socket))
    assert (answered.status, answered.err) == (1, "")
    for said in (
        "What stops it\n",
        "guest-older\n  seen    vGPU version held: 0x100001; minimum of the target's range in force: 0x12",
        "  remedy  upgrade the guest driver to one that reaches 0x120001; this one ends at 0x100001\n",
    ):
        assert said in answered.out
    refused = ask(a1, "migrate", "legacy-01", "--to", str(a4.socket), "--json").json["refused"]
    assert (refused["reason"], refused["states"], refused["limits"]) == ("incompatible", [], ["guest_driver"])
    assert [piece["rule"] for piece in refused["evidence"]] == ["guest-older", "guest-driver-older"]
    assert {vm.id: vm.is_active for vm in a1.show().vms}["legacy-01"]


def test_a_target_that_is_not_there_is_a_failure_outside(a1: VgpuHost, tmp_path: Path, ask: Ask) -> None:
    """Status 3, one line that names it, and the VM runs on here."""
    answered = ask(a1, "migrate", "design-01", "--to", str(tmp_path / "none"))
    assert (answered.status, answered.out) == (3, "")
    assert answered.err.count("\n") == 1
    assert str(tmp_path / "none") in answered.err
    assert {vm.id: vm.is_active for vm in a1.show().vms}["design-01"]


@pytest.mark.parametrize("form", ["--raw", "--base64", "--json"])
def test_records_are_given_back_in_every_form(a1: VgpuHost, tmp_path: Path, ask: Ask, form: str) -> None:
    """What `metadata` writes, `start --metadata` and `compat` read."""
    path = tmp_path / "records"
    wanted = a1.saved_records(VmId("flight-01"))
    written = ask(a1, "metadata", "flight-01", form, "-o", str(path))
    assert (written.status, written.out, written.err) == (0, "", f"2 records written to {path}\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert ask(a1, "stop", "flight-01").status == 0
    assert ask(a1, "compat", str(path), "a1/1").status == 0
    started = ask(a1, "start", "flight-01", "--from", "live", "--metadata", str(path), "--json")
    assert started.json["vm"]["state"] == "running"
    assert a1.saved_records(VmId("flight-01")) == wanted


def test_records_are_written_to_stdout_too(
    a1: VgpuHost, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes behind each other, or one line of base64 for each."""
    wanted = a1.saved_records(VmId("flight-01"))
    lines = "".join(base64.b64encode(one).decode() + "\n" for one in wanted)
    monkeypatch.setenv("VGPU_MIGRATE_HOST", str(a1.socket))
    assert run(["host", "metadata", "flight-01", "--raw"]) == 0
    assert capsysbinary.readouterr().out == b"".join(wanted)
    assert run(["host", "metadata", "flight-01", "--base64"]) == 0
    assert capsysbinary.readouterr().out.decode() == lines


def test_metadata_takes_a_vgpu_by_number_or_uuid(a1: VgpuHost, ask: Ask) -> None:
    """One of a VM's records alone."""
    vgpu = next(vgpu for vm in a1.show().vms if vm.id == "flight-01" for vgpu in vm.vgpus)
    for name in (str(vgpu.instance), vgpu.uuid):
        answer = fits("host-metadata", ask(a1, "metadata", name, "--json"))
        assert (answer["vm"], [row["instance"] for row in answer["records"]]) == (
            "flight-01",
            [vgpu.instance],
        )


@pytest.mark.parametrize("data", [b"", b"nonsense", bytes(212), b'{"records": 7}', b"AAAA\n"])
def test_a_file_of_something_else_is_bad_input(a1: VgpuHost, tmp_path: Path, ask: Ask, data: bytes) -> None:
    """Status 2, and the message names the file."""
    path = tmp_path / "records"
    path.write_bytes(data)
    answered = ask(a1, "start", "lab-01", "--metadata", str(path))
    assert (answered.status, answered.out) == (2, "")
    assert answered.err.startswith(f"{path}: ")


def test_a_vm_is_started_on_a_device(a1: VgpuHost, ask: Ask) -> None:
    """It is used then, cannot be removed, and is left behind when the VM stops."""
    made = fits("host-create-device", ask(a1, "create-device", "a1/0", "A40-8Q", "--id", "mine", "--json"))
    free = {"placement": None, "function": 4, "vm": None, "instance": None}
    assert made == {"device": "mine", "type": "A40-8Q", "gpu": "a1/0", **free}
    assert ask(a1, "create-device", "a1/0", "A40-8Q", "--id", "mine").status == 1
    started = ask(a1, "start", "lab-01", "--device", "mine", "--json").json
    assert [vgpu["device"] for vgpu in started["vm"]["vgpus"]] == ["mine"]
    instance = started["vm"]["vgpus"][0]["instance"]
    assert ask(a1, "vgpus", "--json").json["devices"] == [{**made, "vm": "lab-01", "instance": instance}]
    assert f"mine    A40-8Q  a1/0                 4  lab-01 (instance {instance})" in ask(a1, "show").out
    refused = fits("host-refused", ask(a1, "remove-device", "mine", "--json"))["refused"]
    assert (refused["reason"], refused["thing"]) == ("in-use", "device mine")
    assert ask(a1, "stop", "lab-01").status == 0
    assert ask(a1, "show", "--json").json["devices"] == [made]
    assert ask(a1, "remove-device", "mine") == (0, "mine is gone\n", "")
    assert ask(a1, "show", "--json").json["devices"] == []


def test_a_device_of_the_target_takes_a_migrating_vm(a1: VgpuHost, a4: VgpuHost, ask: Ask) -> None:
    """--device names one of the host that the VM goes to."""
    assert ask(a4, "create-device", "a4/1", "A40-8Q", "--id", "there").status == 0
    moved = ask(a1, "migrate", "design-01", "--to", str(a4.socket), "--device", "there")
    assert moved == (0, "design-01: now on a4\n", "")
    assert [(one.id, one.vm) for one in a4.show().devices] == [("there", "design-01")]


def test_a_device_has_the_placement_asked_for(ask: Ask) -> None:
    """On a mixed-size gpu; on any other there are no ids."""
    text = "hosts: [{id: h, driver: 550.54.16, gpus: [{id: g, board: L40S, mode: mixed}]}]"
    with simulated_host(text) as host:
        made = ask(host, "create-device", "g", "L40S-8Q", "--id", "mine", "--placement", "16")
        assert made == (0, "mine: L40S-8Q on g@16, virtual function 0\n", "")
        taken = ask(host, "create-device", "g", "L40S-8Q", "--placement", "16")
        assert (taken.status, taken.err) == (1, "")


def test_a_range_is_set_and_lifted(ask: Ask) -> None:
    """The override is shown as such until it is lifted."""
    with simulated_host("hosts: [{id: h, driver: 535.161.05, gpus: [{board: A40}]}]") as host:
        answer = fits("host-version", ask(host, "set-range", "0x100001", "1179649", "--json"))
        assert (answer["range"], answer["override"]) == (["0x100001", "0x120001"], True)
        assert "in force      0x100001-0x120001 set by an administrator" in ask(host, "version").out
        answer = fits("host-version", ask(host, "set-range", "--preset", "--json"))
        assert (answer["range"], answer["override"]) == (["0x70001", "0x120001"], False)
        outside = ask(host, "set-range", "0x1", "0x120001")
        assert (outside.status, outside.out) == (2, "")
        assert "range 0x1-0x120001 is not inside the preset range 0x70001-0x120001" in outside.err


def test_a_host_gets_another_driver(ask: Ask) -> None:
    """Its preset range follows; reload and reboot put the preset range back in force."""
    with simulated_host("hosts: [{id: h, driver: 535.161.05, gpus: [{board: A40}]}]") as host:
        answer = fits("host-version", ask(host, "install-driver", "550.54.16", "--json"))
        assert (answer["driver"], answer["range"]) == ("550.54.16", ["0x70001", "0x140001"])
        for command in ("reload-driver", "reboot"):
            assert ask(host, "set-range", "0x120001", "0x140001").status == 0
            assert fits("host-version", ask(host, command, "--json"))["override"] is False
        ranged = ask(host, "install-driver", "999.1", "--range", "0x120001", "0x130001", "--json")
        assert ranged.json["preset_range"] == ["0x120001", "0x130001"]


def test_a_host_without_a_manager_has_no_versions(ask: Ask) -> None:
    """NVML's NOT_SUPPORTED is a clear no."""
    with simulated_host("hosts: [{id: h, driver: 550.54.16, manager: false, gpus: [{board: A40}]}]") as host:
        answered = ask(host, "version")
        assert (answered.status, answered.err) == (1, "")
        assert answered.out.startswith("No: Not Supported")


def test_faults_are_cleared_one_by_one_or_all(a1: VgpuHost, ask: Ask) -> None:
    """By the numbers that `inject` answers and `show` lists."""
    numbers = [ask(a1, "inject", "any", "--delay", "1", "--json").json["fault"] for _ in range(3)]
    assert ask(a1, "clear", str(numbers[1])).out == "1 fault cleared\n"
    assert [row["fault"] for row in ask(a1, "show", "--json").json["faults"]] == [numbers[0], numbers[2]]
    assert ask(a1, "clear", "--all").out == "2 faults cleared\n"
    assert ask(a1, "show", "--json").json["faults"] == []


@pytest.mark.parametrize(
    ("words", "row"),
    [
        (["any", "--code", "999"], {"function": None, "code": 999, "says": "Unknown Error"}),
        (["any", "--code", "nvml_error_gpu_is_lost"], {"code": 15, "says": "GPU is lost"}),
        (["--gpu-lost", "a1/1"], {"function": None, "gpu": "a1/1", "code": 15}),
        (["--driver-gone"], {"function": None, "gpu": None, "code": 9}),
        (["nvmlInit_v2", "--code", "9", "--after", "2"], {"function": "nvmlInit_v2", "after": 2}),
        (
            ["any", "--vgpu", "2", "--delay", "2.5"],
            {"instance": 2, "code": 0, "delay_ms": 2.5, "says": "slow"},
        ),
        (["any", "--code", "3", "--probability", "0.5", "--seed", "9"], {"probability": 0.5, "seed": 9}),
    ],
)
def test_a_fault_is_what_its_words_say(a1: VgpuHost, ask: Ask, words: list[str], row: dict[str, Any]) -> None:
    """Each option is a field of the fault as the host then shows it."""
    answer = fits("host-inject", ask(a1, "inject", *words, "--json"))
    assert {name: answer[name] for name in row} == row


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "wanted a FUNCTION, or the word any for all"),
        (["any"], "wanted --code, --delay, or both"),
        (["any", "--gpu-lost", "a1/0"], "--gpu-lost says it all; FUNCTION does not go with it"),
        (["--driver-gone", "--code", "3"], "--driver-gone says it all; --code does not go with it"),
        (["--driver-gone", "--gpu-lost", "a1/0"], "are two faults"),
        (["any", "--code", "3", "--gpu", "a1/0", "--vgpu", "1"], "--gpu and --vgpu do not go together"),
        (["any", "--code", "GPU_LOST"], "did you mean GPU_IS_LOST"),
        (["any", "--code", "1000"], "1000 is no NVML return code; wanted 1 to 999"),
        (["nvmlDeviceGetNam", "--code", "3"], "did you mean nvmlDeviceGetName"),
        (["any", "--code", "3", "--probability", "2"], "--probability"),
        (["any", "--code", "3", "--probability", "nan"], "'--probability': nan; wanted a finite number"),
        (["any", "--code", "3", "--for", "inf"], "'--for': inf; wanted a finite number"),
        (["any", "--code", "3", "--gpu", "a1/7"], "a1/7"),
        (["any", "--code", "3", "--vgpu", "77"], "unknown vgpu 77"),
    ],
)
def test_a_fault_that_makes_no_sense_is_bad_input(
    a1: VgpuHost, ask: Ask, words: list[str], said: str
) -> None:
    """Status 2, what is wrong, and nothing is set."""
    answered = ask(a1, "inject", *words)
    assert (answered.status, answered.out) == (2, "")
    assert said in answered.err
    assert a1.show().faults == ()


@pytest.mark.parametrize(
    "args",
    [
        ("set-range",),
        ("set-range", "0x1"),
        ("set-range", "0x1", "0x2", "--preset"),
        ("set-range", "one", "two"),
        ("clear",),
        ("clear", "1", "--all"),
        ("metadata", "a1/0", "--raw", "--base64"),
        ("start", "lab-01", "--gpu", "a1/0@x"),
        ("start", "lab-01", "--gpu", "a1/9"),
        ("start", "nobody"),
        ("start", "lab-01", "--gpu", "a1/0", "--device", "mine"),
        ("start", "lab-01", "--device", "nothing"),
        ("migrate", "design-01", "--to", "x", "--gpu", "a1/0", "--device", "mine"),
        ("create-device", "a1/0"),
        ("create-device", "a1/9", "A40-8Q"),
        ("create-device", "a1/0", "A40-7Q"),
        ("create-device", "a1/0", "A40-8Q", "--placement", "-1"),
        ("create-device", "a1/0", "A40-8Q", "--id", ""),
        ("create-device", "a1/0", "A40-8Q", "--id", "6F1D4E2A-95C1-4B06-8F0B-7C0C8C063B7F"),
        ("remove-device", "nothing"),
        ("metadata", "nobody"),
        ("compat", "nobody"),
        ("compat", "design-01", "a9/0"),
        ("load-guest-driver", "design-01", "550.1", "--fails"),
        ("define", "x"),
        ("define", "x", "--type", "A40-7Q"),
        ("migrate", "design-01"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_bad_input(a1: VgpuHost, ask: Ask, args: tuple[str, ...]) -> None:
    """Status 2, a message, no answer; the host is as it was."""
    before = a1.state()
    answered = ask(a1, *args)
    assert (answered.status, answered.out) == (2, "")
    assert answered.err
    assert a1.state() == before


def test_the_socket_may_stand_before_the_command_or_behind_it(a1: VgpuHost, a4: VgpuHost, ask: Ask) -> None:
    """--socket goes before the environment."""
    assert ask(a1, "--socket", str(a4.socket), "version").out.startswith("a4: ")
    assert ask(a1, "version", "--socket", str(a4.socket)).out.startswith("a4: ")
    assert ask(a1, "version").out.startswith("a1: ")


def test_placements_are_named_behind_the_gpu(ask: Ask) -> None:
    """`GPU@PLACEMENT` on a mixed-size gpu, as `vgpus` shows it."""
    fleet = {
        "fleetfile_version": 1,
        "hosts": [{"id": "h", "driver": "550.54.16", "gpus": [{"board": "A40", "mode": "mixed"}]}],
    }
    with simulated_host(json.dumps(fleet)) as host:
        assert ask(host, "define", "vm", "--type", "A40-8Q").status == 0
        assert ask(host, "start", "vm", "--gpu", "h/0@24").status == 0
        assert [row["placement"] for row in ask(host, "vgpus", "--json").json["vgpus"]] == [24]
        assert "h/0@24" in ask(host, "vgpus").out


def test_what_a_host_names_cannot_move_the_cursor(ask: Ask) -> None:
    """A VM's id is shown with its unprintable characters spelled out."""
    with simulated_host("hosts: [{id: h, driver: 550.54.16, gpus: [{board: A40}]}]") as host:
        answered = ask(host, "define", "\x1b[31mx", "--type", "A40-8Q")
        assert "\x1b" not in answered.out + ask(host, "show").out
