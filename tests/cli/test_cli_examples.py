"""The programs of examples/ run as their first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.clients.running import client, compiler

from vgpu_migrate.cli.main import PROGRAM
from vgpu_migrate.fleetio import read_fleet
from vgpu_migrate.testing import simulated_host

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DEMO = read_fleet(ROOT / "src" / "vgpu_migrate" / "demo" / "fleet.yaml")


def test_an_ordinary_nvml_program_reads_records() -> None:
    """`read_records.py` knows only nvidia-ml-py."""
    with simulated_host(DEMO, host="l1") as host:
        done = host.run(
            [sys.executable, EXAMPLES / "read_records.py"], env={"PYTHONPATH": str(client("nvidia-ml-py"))}
        )
    uuid = host_vm_uuid("render-01")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "driver 550.54.16, vGPU versions 0x70001-0x140001",
        "gpu 0: NVIDIA L40S",
        f"  vgpu 1: NVIDIA L40S-24Q, VM {uuid}",
        "    guest driver 550.54.14, vGPU version 0x140001",
        "    on gpu 0: live, sleep, hibernate, cold",
    ]


def host_vm_uuid(name: str) -> str:
    """What NVML calls a VM of the embedded fleet."""
    return next(vm.uuid for vm in DEMO.vms.values() if vm.id == name)


def test_a_c_program_reads_metadata(tmp_path: Path) -> None:
    """`metadata.c` is plain C11 without a warning, and opens the library by its name."""
    program = tmp_path / "metadata"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run([compiler(), *flags, "-o", program, EXAMPLES / "metadata.c", "-ldl"], check=True)
    with simulated_host(DEMO, host="a3") as host:
        done = host.run([program])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "gpu 0: 1 active vgpus",
        "  vgpu 1: 212 bytes; live sleep hibernate cold, limits 0",
        "gpu 1: 2 active vgpus",
        "  vgpu 2: 212 bytes; live sleep hibernate cold, limits 0",
        "  vgpu 3: 212 bytes; live sleep hibernate cold, limits 0",
    ]


def test_two_hosts_and_a_vm_that_moves() -> None:
    """`migrate_two_hosts.py` is refused with evidence once, and moves a VM once."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / "migrate_two_hosts.py"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[1] == "new: no active vgpus"
    assert lines[2].startswith("legacy stays: VM legacy: runnable on new/0 from no state, not from live")
    assert [line.split(":")[0] for line in lines[3:5]] == ["  guest-older", "  guest-driver-older"]
    assert lines[5] == "design has moved to new"
    assert lines[7].startswith("new: A40-8Q of VM ")


def test_the_examples_say_how_they_are_run() -> None:
    """Each names the command that runs it."""
    for name in ("read_records.py", "metadata.c"):
        assert f"{PROGRAM} sim demo --host a1 -- " in (EXAMPLES / name).read_text(encoding="utf-8")
