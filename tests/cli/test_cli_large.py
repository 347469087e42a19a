"""Large fleets: tables that sum up."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.program import start


def a_large_fleet(tmp_path: Path, *, hosts: int, vms_per_host: int) -> str:
    """Hosts of three drivers with eight T4 each, full of VMs but for the last quarter of hosts."""
    drivers = ("535.161.05", "550.54.16", "580.126.08")
    data = {
        "fleetfile_version": 1,
        "hosts": [
            {"id": f"h{n:03}", "driver": drivers[n % 3], "gpus": [{"board": "T4"}] * 8} for n in range(hosts)
        ],
        "vms": [
            {
                "id": f"vm-{n:03}-{m:02}",
                "host": f"h{n:03}",
                "state": "running",
                "memory_mib": 4096,
                "guest_driver": "535.161.07",
                "vgpus": [{"type": "T4-2Q", "gpu": f"h{n:03}/{m % 8}"}],
            }
            for n in range(hosts * 3 // 4)
            for m in range(vms_per_host)
        ],
    }
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(data))
    return str(path)


def test_check_sums_up_hosts_with_the_same_answer(tmp_path: Path) -> None:
    """A hundred hosts are a few rows; `--all` shows each."""
    fleet = a_large_fleet(tmp_path, hosts=100, vms_per_host=8)
    short, full = start("check", fleet, "vm-000-00"), start("check", fleet, "vm-000-00", "--all")
    assert short.status == full.status == 0
    assert len(short.out.splitlines()) < 20
    assert len(full.out.splitlines()) > 100
    assert "Yes: it can move live to 99 of 99 other hosts" in short.out


def test_drain_sums_up_many_moves_by_host(tmp_path: Path) -> None:
    """A line a host; `--all` shows every move; the plan is the same."""
    fleet = a_large_fleet(tmp_path, hosts=40, vms_per_host=32)
    hosts = ("h000", "h001", "h002")
    short, full = start("drain", fleet, *hosts), start("drain", fleet, *hosts, "--all")
    assert short.status == full.status == 0
    assert "--all shows every move" in short.out
    assert len(short.out.splitlines()) < 15
    assert len(full.out.splitlines()) > 96
