"""nvitop and gpustat, unmodified: what operators look at shows the simulated host."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.clients import fleets
from tests.clients.conftest import Serve
from tests.clients.running import client, environment, run

from vgpu_migrate.hostd.serve import RunningHost

MIB = 1 << 20


def used_mib(host: RunningHost) -> list[int]:
    """What the vgpus of each gpu use, as the host publishes it, in MiB."""
    asked = run_gpustat(host.socket)
    return [gpu["memory.used"] for gpu in asked["gpus"]]


def run_gpustat(socket: Path, *, first: str = "gpustat") -> dict[str, Any]:
    """What `gpustat --json` prints; with the nvidia-ml-py of another folder if one is named."""
    env = environment(socket, PYTHONPATH=f"{client(first)}:{client('gpustat')}")
    answer: dict[str, Any] = json.loads(run([sys.executable, "-S", "-m", "gpustat", "--json"], env))
    return answer


def test_gpustat_shows_the_host(serve: Serve) -> None:
    """Names, sizes and driver are the file's; an idle gpu uses nothing, one with vgpus something."""
    answer = run_gpustat(serve(fleets.a_studio()).socket)
    assert answer["driver_version"] == "550.54.16"
    rows = [
        (gpu["index"], gpu["name"], gpu["memory.total"], gpu["memory.used"] > 0) for gpu in answer["gpus"]
    ]
    assert rows == [
        (0, "NVIDIA A40", 49152, True),
        (1, "NVIDIA A40", 49152, True),
        (2, "NVIDIA A40", 49152, False),
        (3, "NVIDIA L40S", 49152, False),
    ]
    busy, paused, *idle = answer["gpus"]
    assert busy["utilization.gpu"] > 0
    assert [gpu["utilization.gpu"] for gpu in (paused, *idle)] == [0, 0, 0]
    assert all(gpu["power.draw"] <= gpu["enforced.power.limit"] for gpu in answer["gpus"])


def test_gpustat_shows_an_old_host(serve: Serve) -> None:
    """On a host of driver 470 newer calls are not there, and gpustat falls back to the older ones."""
    # Beside nvidia-ml-py 13 gpustat 1.1.1 gives up here, as it does on a real driver 470.
    (gpu,) = run_gpustat(serve(fleets.an_old_host()).socket, first="nvidia-ml-py-12")["gpus"]
    assert (gpu["name"], gpu["memory.total"]) == ("Tesla T4", 16384)


def test_nvitop_shows_the_host(serve: Serve) -> None:
    """`nvitop --once` shows each gpu's memory, load and temperature, and a process for each vgpu."""
    host = serve(fleets.a_studio(driver="580.126.08"))
    env = environment(host.socket, PYTHONPATH=str(client("nvitop")), TERM="dumb")
    screen = run([sys.executable, "-S", "-m", "nvitop", "--once", "--no-unicode"], env)
    assert "Driver Version: 580.126.08" in screen
    assert "CUDA Driver Version: 13.0" in screen
    assert re.findall(r"\|\s+(\d) +(A40|L40S) +Off", screen) == [
        ("0", "A40"), ("1", "A40"), ("2", "A40"), ("3", "L40S"),
    ]  # fmt: skip
    shown = [int(mib) for mib in re.findall(r"\|\s+(\d+)(?:MiB|B) / 48.00GiB", screen)]
    assert shown == used_mib(host)
    assert re.findall(r"N/A +(\d+)C +P[08]", screen) == [
        str(gpu["temperature.gpu"]) for gpu in run_gpustat(host.socket)["gpus"]
    ]
    assert len(re.findall(r"\| +[01] +\d+ G ", screen)) == 6


def test_a_program_runs_under_sim(tmp_path: Path) -> None:
    """`vgpu-migrate sim FILE -- gpustat` needs nothing around it."""
    file = tmp_path / "fleet.yaml"
    file.write_text("fleetfile_version: 1\nhosts: [{id: h01, driver: 580.126.08, gpus: [{board: L40S}]}]\n")
    sim = [sys.executable, "-m", "vgpu_migrate", "sim", str(file), "--"]
    gpustat = ["env", f"PYTHONPATH={client('gpustat')}", sys.executable, "-S", "-m", "gpustat", "--json"]
    answer = json.loads(run([*sim, *gpustat], environment(tmp_path / "unused")))
    assert [gpu["name"] for gpu in answer["gpus"]] == ["NVIDIA L40S"]
