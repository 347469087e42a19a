"""The real driver's host, through `libnvidia-ml.so.1`: the drop-in library, another driver, and none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.program import DEMO_FLEET, Answered
from tests.clients.running import PASSED_ON, client, compiler, environment

from vgpu_migrate.cli import schemas
from vgpu_migrate.fleetio import read_fleet
from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.model import GpuId, VmId
from vgpu_migrate.testing import VgpuHost, fleet_of, simulated_host

Ask = Callable[..., Answered]
LONG_RECORDS = Path(__file__).parent / "c" / "long_records.c"
PROGRAM = (sys.executable, "-m", "vgpu_migrate")
BINDINGS = ("nvidia-ml-py", "nvidia-ml-py-12")

PLAIN_DRIVER = """
fleetfile_version: 1
hosts:
  - id: plain
    driver: 550.54.16
    manager: false
    gpus:
      - board: A40
"""
"""A machine with a gpu and a driver, but no vGPU Manager."""


MIXED = """
fleetfile_version: 1
hosts:
  - {{id: mixed, driver: {driver}, gpus: [{{id: g, board: A40, mode: mixed}}]}}
vms:
  - {{id: one, host: mixed, state: running, memory_mib: 1, vgpus: [{{type: A40-16Q, gpu: g, placement: 32}}]}}
  - {{id: two, host: mixed, state: running, memory_mib: 1, vgpus: [{{type: A40-8Q, gpu: g, placement: 0}}]}}
"""
"""A gpu with vgpus of two sizes."""


def ask_in(env: dict[str, str], *args: str) -> Answered:
    """What `host` answers in a process of its own."""
    done = subprocess.run(
        [*PROGRAM, "host", *args],
        env={**env, "COLUMNS": "120", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
    )
    return Answered(done.returncode, done.stdout, done.stderr)


def driver_of(socket: Path, binding: str = BINDINGS[0]) -> Ask:
    """Asks the drop-in library, as if it were the real driver."""
    env = environment(socket, PYTHONPATH=str(client(binding)))
    return lambda *args: ask_in(env, "--driver", *args)


@pytest.fixture(scope="module")
def a1() -> Iterator[VgpuHost]:
    """Driver 535, six vgpus on two gpus."""
    with simulated_host(fleet_of(DEMO_FLEET), host="a1") as host:
        yield host


@pytest.fixture(scope="module")
def long_driver(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Asks a driver whose records have 4,000 bytes."""
    folder = tmp_path_factory.mktemp("driver")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(
        [compiler(), "-shared", "-fPIC", "-Wall", "-Werror", str(LONG_RECORDS), "-o", str(library)],
        check=True,
    )
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env = {**kept, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(client(BINDINGS[0]))}
    return lambda *args: ask_in(env, *args)


def no_driver_here() -> dict[str, str]:
    """An environment without any driver; the test is skipped where the machine has one."""
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    # Not in this process, where other tests may have loaded the drop-in.
    load = "import ctypes; ctypes.CDLL('libnvidia-ml.so.1')"
    if subprocess.run([sys.executable, "-c", load], check=False, capture_output=True, env=env).returncode:
        return env
    pytest.skip("this machine has an NVIDIA driver")


@pytest.mark.parametrize("binding", BINDINGS)
def test_every_answer_of_the_driver_fits_its_schema(a1: VgpuHost, binding: str) -> None:
    """What the driver is asked answers in the same forms as a simulated host, with either binding."""
    ask = driver_of(a1.socket, binding)
    gpu = ask("gpus", "--json").json["gpus"][0]["gpu"]
    for name, command in [
        ("driver-show", ("show",)),
        ("host-gpus", ("gpus",)),
        ("host-vgpus", ("vgpus",)),
        ("host-metadata", ("metadata", "1")),
        ("host-metadata", ("metadata", gpu)),
        ("host-version", ("version",)),
        ("host-compat", ("compat", "1")),
        ("host-refused", ("set-range", "--preset")),
    ]:
        answered = ask(*command, "--json")
        assert answered.err == "", command
        jsonschema.Draft202012Validator(schemas.schema(name)).validate(answered.json)
        assert answered.status == (name == "host-refused"), command


def test_the_driver_says_what_the_host_is(a1: VgpuHost) -> None:
    """Through NVML the same vgpus, ranges and records are seen as on the host's own socket."""
    ask = driver_of(a1.socket)
    view = a1.show()
    found = ask("show", "--json").json
    assert found["driver"] == view.driver
    assert found["range_source"] == "the driver's own answer"
    assert [gpu["board"] for gpu in found["gpus"]] == [gpu.board for gpu in view.gpus]
    ours = {vgpu.instance: (vm.uuid, vgpu.type, vgpu.uuid) for vm in view.vms for vgpu in vm.vgpus}
    assert {row["instance"]: (row["vm"], row["type"], row["uuid"]) for row in found["vgpus"]} == ours
    for instance in ours:
        record = ask("metadata", str(instance), "--base64").out
        assert record == a1.run([*PROGRAM, "host", "metadata", str(instance), "--base64"]).stdout


def test_a_range_is_set_and_lifted() -> None:
    """set-range goes to the driver, which refuses what is not inside its preset range."""
    with simulated_host(fleet_of(DEMO_FLEET), host="a2") as host:
        for vm in [vm.id for vm in host.show().vms if vm.vgpus]:
            host.shut_down(VmId(vm))
        ask = driver_of(host.socket)
        preset = ask("version", "--json").json["preset_range"]
        found = ask("set-range", preset[1], preset[1], "--json").json
        assert (found["range"], found["override"]) == ([preset[1], preset[1]], True)
        wrong = ask("set-range", "0x1", "0x2")
        assert (wrong.status, wrong.out) == (2, "")
        assert "0x1-0x2 is no range inside" in wrong.err
        assert ask("set-range", "--preset", "--json").json["override"] is False


def test_the_verdict_is_the_drivers_and_ours_stands_beside_it(a1: VgpuHost) -> None:
    """A verdict of the driver says so, with the prediction and whether it is the same."""
    answered = driver_of(a1.socket)("compat", "1", "--json")
    assert answered.status == 0
    assert [
        (row["by"], row["states"] == row["prediction"]["states"], row["prediction"]["agrees"])
        for row in answered.json["targets"]
    ] == [("driver", True, True)] * 2


def test_saved_records_are_judged(a1: VgpuHost, tmp_path: Path) -> None:
    """Both sides may be files, in each form that `host metadata` writes; a cut one is refused."""
    ask = driver_of(a1.socket)
    gpu = ask("gpus", "--json").json["gpus"][0]["gpu"]
    for form in ("--raw", "--base64", "--json"):
        assert ask("metadata", "1", form, "-o", str(tmp_path / "vgpu")).status == 0
        assert ask("metadata", gpu, form, "-o", str(tmp_path / "gpu")).status == 0
        assert ask("compat", str(tmp_path / "vgpu"), str(tmp_path / "gpu")).status == 0
    assert (tmp_path / "vgpu").stat().st_mode & 0o777 == 0o600
    assert ask("metadata", "1", "--raw", "-o", str(tmp_path / "vgpu")).status == 0
    (tmp_path / "cut").write_bytes((tmp_path / "vgpu").read_bytes()[:200])
    answered = ask("compat", str(tmp_path / "cut"))
    assert (answered.status, answered.out) == (2, "")
    assert "wanted a vgpu's records" in answered.err


def test_records_longer_than_the_bindings_buffers_are_read_whole(long_driver: Ask, tmp_path: Path) -> None:
    """A record of 4,000 bytes is read, saved, and given back to the driver to the last byte."""
    assert long_driver("metadata", "77", "--raw", "-o", str(tmp_path / "long")).status == 0
    assert (tmp_path / "long").stat().st_size == 4000
    seen = long_driver("metadata", "77", "--json").json["records"][0]
    assert seen["guest_driver"] == "535.161.07"
    assert seen["seen"] == {
        "vgpu.guest_info": "yes",
        "vgpu.version": "0x120001",
        "vgpu.host_driver": "550.54.16",
        "vgpu.migration": "on",
    }
    answered = long_driver("compat", str(tmp_path / "long"), "--json")
    assert (answered.status, answered.json["targets"][0]["states"]) == (1, ["cold"])
    assert "prediction" not in answered.json["targets"][0]


def test_a_difference_between_driver_and_rules_is_told(long_driver: Ask) -> None:
    """Where our rules say something else than the driver, its verdict counts and the difference is shown."""
    row = long_driver("compat", "vm-long", "--json").json["targets"][0]
    assert (row["by"], row["states"], row["limits"], row["live"]) == ("driver", ["cold"], ["other"], False)
    assert row["prediction"] == {
        "states": ["cold", "hibernate", "sleep", "live"],
        "limits": [],
        "agrees": False,
    }
    answered = long_driver("compat", "77")
    assert answered.status == 1
    assert "difference: GPU-long: the driver says cold (limits: other), our rules cold, hibernate," in (
        answered.out
    )


def test_what_the_driver_does_not_say_is_null(long_driver: Ask) -> None:
    """A driver without some functions is shown with what is left."""
    row: dict[str, Any] = long_driver("gpus", "--json").json["gpus"][0]
    assert (row["pci"], row["ecc"], row["persistence"], row["board"]) == (None, None, None, "A40")
    assert (row["memory_mib"], row["used_mib"], row["instances"]) == (49152, 8192, [77])
    assert long_driver("show").status == 0


def test_a_machine_without_a_driver_is_one_sentence() -> None:
    """Without libnvidia-ml.so.1: exit status 3, told or not told to ask the driver."""
    env = no_driver_here()
    for args in (("show",), ("--driver", "gpus"), ("compat", "x", "--driver")):
        answered = ask_in(env, *args)
        assert (answered.status, answered.out) == (3, "")
        assert answered.err == (
            "libnvidia-ml.so.1 is not there: this machine has no NVIDIA driver; "
            "--socket or VGPU_MIGRATE_HOST names a simulated host\n"
        )


def test_a_driver_that_is_not_loaded_is_one_sentence(tmp_path: Path) -> None:
    """A library without its driver: exit status 3."""
    answered = driver_of(tmp_path / "nobody")("show")
    assert (answered.status, answered.out) == (3, "")
    assert answered.err == "libnvidia-ml.so.1 is there, but the NVIDIA driver is not loaded\n"


def test_a_machine_without_a_vgpu_manager_is_one_sentence(tmp_path: Path) -> None:
    """A plain driver: exit status 3 from each command, with the driver's version."""
    (tmp_path / "fleet.yaml").write_text(PLAIN_DRIVER)
    with simulated_host(fleet_of(tmp_path / "fleet.yaml")) as host:
        ask = driver_of(host.socket)
        for args in (("show",), ("gpus",), ("version",), ("compat", "x")):
            answered = ask(*args)
            assert (answered.status, answered.out) == (3, "")
            assert answered.err.startswith(
                "no gpu of this machine is a vGPU host: NVIDIA driver 550.54.16 runs here without a vGPU"
            )
            assert answered.err.count("\n") == 1


def test_a_missing_binding_is_one_sentence(a1: VgpuHost, tmp_path: Path) -> None:
    """Without nvidia-ml-py: exit status 3, and how to get it."""
    (tmp_path / "pynvml.py").write_text("raise ModuleNotFoundError('not there', name='pynvml')\n")
    answered = ask_in(environment(a1.socket, PYTHONPATH=str(tmp_path)), "--driver", "show")
    assert (answered.status, answered.out) == (3, "")
    assert answered.err.endswith("pip install 'vgpu-migrate[driver]'\n")


def test_orders_of_simulated_hosts_are_none_of_the_drivers(a1: VgpuHost) -> None:
    """Exit status 2 with one sentence, and nothing is done to any host."""
    ask = driver_of(a1.socket)
    before = a1.show()
    for command in (("pause", "design-01"), ("reboot",), ("clear", "--all")):
        answered = ask(*command)
        assert (answered.status, answered.out) == (2, "")
        assert f"{command[0]} is for simulated hosts" in answered.err
    assert a1.show() == before
    assert "--driver and --socket do not go together" in ask("show", "--socket", str(a1.socket)).err
    assert "--to names a simulated host" in ask("compat", "1", "--to", str(a1.socket)).err


@pytest.mark.parametrize("name", ["a1", "l2", "m1"])
def test_a_host_is_recorded_as_a_fleet_file(name: str, tmp_path: Path) -> None:
    """The file is read again as the same gpus and VMs, and each raw record is the driver's own."""
    fleet, records = tmp_path / "this.yaml", tmp_path / "records"
    with simulated_host(fleet_of(DEMO_FLEET), host=name) as host:
        ask = driver_of(host.socket)
        answered = ask("record", "-o", str(fleet), "--records", str(records), "--vm-memory", "4096")
        assert (answered.status, answered.out) == (0, ""), answered.err
        view = host.show()
        raw = {
            f"vgpu-{vgpu.instance}.record": host.instance_metadata(vgpu.instance)
            for vm in view.vms
            for vgpu in vm.vgpus
        }
        raw |= {f"gpu-{gpu.index}.record": host.gpu_metadata(GpuId(gpu.id)) for gpu in view.gpus}
        again = ask("record", "--records", str(records), "--vm-memory", "4096")
        assert (again.status, again.out) == (2, "")
        assert f"{records} is there already" in again.err
        assert "--vm-memory: missing" in ask("record").err
    found = read_fleet(fleet)
    index = json.loads((records / "records.json").read_bytes())
    assert {path.name: path.read_bytes() for path in records.iterdir() if path.name != "records.json"} == raw
    assert {row["file"] for row in (*index["gpus"], *index["vgpus"])} == set(raw)
    assert {path.stat().st_mode & 0o777 for path in (fleet, *records.iterdir())} == {0o600}
    assert records.stat().st_mode & 0o777 == 0o700
    (dumped,) = found.hosts.values()
    assert (dumped.driver, dumped.preset_range) == (view.driver, view.preset_range)
    assert [(gpu.board.key, gpu.ecc, gpu.mig) for gpu in dumped.gpus] == [
        (gpu.board, gpu.ecc, gpu.mig) for gpu in view.gpus
    ]
    held = {
        vm.uuid: [(one.type.short, one.vgpu_version, one.placement) for one in vm.vgpus]
        for vm in found.vms.values()
    }
    assert held == {
        vm.uuid: [
            (one.type, one.guest.vgpu_version if one.guest else None, one.placement) for one in vm.vgpus
        ]
        for vm in view.vms
        if vm.vgpus
    }


@pytest.mark.parametrize(("driver", "is_told"), [("580.126.08", True), ("550.54.16", False)])
def test_placements_are_recorded_where_the_driver_tells_them(
    driver: str, is_told: bool, tmp_path: Path
) -> None:
    """A mixed-size gpu is recorded with its placements, or not at all."""
    (tmp_path / "fleet.yaml").write_text(MIXED.format(driver=driver))
    with simulated_host(fleet_of(tmp_path / "fleet.yaml")) as host:
        answered = driver_of(host.socket)("record", "-o", str(tmp_path / "this.yaml"), "--vm-memory", "64")
    assert answered.status == (0 if is_told else 3), answered.err
    if is_told:
        (gpu,) = read_fleet(tmp_path / "this.yaml").gpus.values()
        vms = read_fleet(tmp_path / "this.yaml").vms.values()
        assert gpu.mode == "mixed"
        assert {one.type.short: one.placement for vm in vms for one in vm.vgpus} == {
            "A40-16Q": 32,
            "A40-8Q": 0,
        }
    else:
        assert "does not tell their placement" in answered.err


def test_record_is_for_a_real_driver(a1: VgpuHost) -> None:
    """Of a simulated host there is a fleet file already: exit status 2."""
    answered = ask_in(environment(a1.socket), "record")
    assert (answered.status, answered.out) == (2, "")
    assert "record asks a real driver: add --driver" in answered.err


def test_a_lost_gpu_is_named() -> None:
    """A code that the five functions do not document ends with exit status 3 and names the gpu."""
    with simulated_host(fleet_of(DEMO_FLEET), host="a2") as host:
        host.inject(FaultSpec(gpu=GpuId("a2/1"), code=15))
        answered = driver_of(host.socket)("gpus")
    assert (answered.status, answered.out) == (3, "")
    assert answered.err == "GPU is lost (gpu 1 in the driver's order)\n"
