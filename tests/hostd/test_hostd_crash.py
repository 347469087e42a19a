"""Either host of a migration killed at every message and every write to disk: no VM is lost or doubled."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hostd.processes import HostProcess, Nursery, wait_until

from vgpu_migrate.errors import VgpuMigrateError
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.model import VmId
from vgpu_migrate.nvml import VgpuMetadata

VM, OFF = VmId("vm1"), {"h01": VmId("off1"), "h02": VmId("off2")}
FLEET = """
fleetfile_version: 1
hosts:
  - {id: h01, driver: 550.54.16, gpus: [{board: L40S}, {board: L40S}]}
  - {id: h02, driver: 550.54.16, gpus: [{board: L40S}, {board: L40S}]}
vms:
  - {id: vm1, host: h01, state: running, memory_mib: 1024, guest_driver: 550.54.14,
     vgpus: [{type: L40S-12Q, gpu: h01/0}, {type: L40S-12Q, gpu: h01/0}]}
  - {id: off1, host: h01, state: running, memory_mib: 1024, guest_driver: 550.54.14,
     vgpus: [{type: L40S-4Q, gpu: h01/1}]}
  - {id: off2, host: h02, state: running, memory_mib: 1024, guest_driver: 550.54.14,
     vgpus: [{type: L40S-4Q, gpu: h02/1}]}
"""


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Starts hosts with a fuse."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the library that kills hosts")
    directory = tmp_path_factory.mktemp("crash")
    fuse = directory / "fuse.so"
    source = Path(__file__).with_name("fuse.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(fuse), str(source), "-ldl"], check=True)
    (directory / "fleet.yaml").write_text(FLEET)
    nursery = Nursery(directory, preload=fuse)
    yield nursery
    nursery.end()


class Pair:
    """Two hosts, a VM on the first, and what its records and those of the others must remain."""

    def __init__(self, nursery: Nursery, name: str, *, fuses: dict[str, int]) -> None:
        self.nursery, self.name = nursery, name
        self.hosts = {host: self.start(host) for host in ("h01", "h02")}
        for host, vm in OFF.items():
            self.live(host).shut_down(vm)
        self.records = self.live("h01").saved_records(VM)
        self.saved = {host: self.live(host).saved_records(vm) for host, vm in OFF.items()}
        for host, fuse in fuses.items():
            self.hosts[host].terminate()
            self.hosts[host] = self.start(host, fuse=fuse)

    def start(self, host: str, *, fuse: int = 0) -> HostProcess:
        """Start one of them with what it has kept; it is killed before so many calls, 0: never."""
        fleet = self.nursery.directory / "fleet.yaml"
        return self.nursery.start(fleet, host, name=self.name, fuse=fuse)

    def live(self, host: str) -> LiveHost:
        """A client of one of them."""
        return self.hosts[host].live

    def migrate(self) -> bool:
        """Let the VM migrate; whether the source said that it did."""
        try:
            return self.live("h01").migrate(VM, to=self.hosts["h02"].socket).committed
        except VgpuMigrateError:
            return False

    def wait_for_death(self, host: str) -> None:
        """Wait until the fuse of one of them has burnt."""
        wait_until(lambda: not self.hosts[host].is_alive, f"the fuse of {host} burns")

    def revive(self) -> None:
        """Start again what was killed."""
        for host, process in self.hosts.items():
            if not process.is_alive:
                self.hosts[host] = self.start(host)

    def where(self) -> list[str]:
        """The living hosts on which the VM is active."""
        return [host for host, process in self.hosts.items() if process.is_alive and self._is_active(host)]

    def _is_active(self, host: str) -> bool:
        return any(vm.id == VM and vm.is_active for vm in self.live(host).show().vms)

    def check_never_on_both(self) -> None:
        """A VM seen on the source, on the target, and on the source again is on both."""
        if all(process.is_alive for process in self.hosts.values()):
            seen = [self._is_active(host) for host in ("h01", "h02", "h01")]
            assert not all(seen)

    def settle(self) -> None:
        """Wait until neither host has a migration open."""

        def is_settled() -> bool:
            self.check_never_on_both()
            return not any(self.live(host).show().migrations for host in self.hosts)

        wait_until(is_settled, "both hosts settle")

    def check(self) -> str:
        """The VM is on exactly one host with the records it had, the others' are what they were; where."""
        (host,) = self.where()
        there = [host for host in self.hosts if any(vm.id == VM for vm in self.live(host).show().vms)]
        assert there == [host]
        assert self.live(host).saved_records(VM) == self.records
        assert all(VgpuMetadata.from_bytes(record).guest_driver_version for record in self.records)
        assert {host: self.live(host).saved_records(vm) for host, vm in OFF.items()} == self.saved
        return host

    def end(self) -> None:
        """Kill both."""
        for process in self.hosts.values():
            process.kill()


@pytest.mark.parametrize("victim", ["h01", "h02"], ids=["source", "target"])
def test_killed_at_every_step(nursery: Nursery, victim: str) -> None:
    """Whichever call a host is killed before, the VM ends on exactly one host with its records intact."""
    ends: list[str] = []
    for fuse in range(1, 200):
        pair = Pair(nursery, f"{victim}-{fuse}-", fuses={victim: fuse})
        has_moved = pair.migrate()
        if not has_moved:
            pair.wait_for_death(victim)
        was_killed = not pair.hosts[victim].is_alive
        pair.hosts[victim].kill()
        pair.revive()
        pair.settle()
        ends.append(pair.check())
        assert not has_moved or ends[-1] == "h02"
        pair.end()
        if not was_killed:
            break
    assert not was_killed, "no run passed untouched"
    assert len(ends) > 15
    # Killed early the VM stays, killed late it has moved, and in between there is one step that decides.
    assert ends == sorted(ends)
    assert set(ends) == {"h01", "h02"}


@pytest.mark.parametrize("seed", range(12))
def test_both_killed_at_any_step(nursery: Nursery, seed: int) -> None:
    """Both hosts killed at steps of their own, again while they settle: the VM ends on exactly one host."""
    dice = random.Random(seed)
    pair = Pair(nursery, f"both-{seed}-", fuses={host: dice.randint(1, 30) for host in OFF})
    pair.migrate()
    for _ in range(3):
        for host, process in pair.hosts.items():
            if dice.random() < 0.7 or not process.is_alive:
                process.kill()
                pair.hosts[host] = pair.start(host, fuse=dice.randint(1, 30))
    for process in pair.hosts.values():
        process.kill()
    pair.revive()
    pair.settle()
    pair.check()
    pair.end()
