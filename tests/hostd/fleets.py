"""Fleets to keep hosts of, and hosts kept in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from vgpu_migrate.hostd import RunningHost, running_host
from vgpu_migrate.model import Fleet, HostId, VmId
from vgpu_migrate.model.fleetfile import parse_fleet_bytes

H1, H2 = HostId("h01"), HostId("h02")
VM, OTHER, OFF = VmId("vm1"), VmId("vm2"), VmId("off1")

TWO_HOSTS = """
fleetfile_version: 1
hosts:
  - {id: h01, driver: 550.54.16, gpus: [{board: L40S}, {board: L40S}]}
  - {id: h02, driver: 550.54.16, gpus: [{board: L40S}, {board: L40S}]}
vms:
  - {id: vm1, host: h01, state: running, memory_mib: 1024, guest_driver: 550.54.14,
     vgpus: [{type: L40S-12Q, gpu: h01/0}]}
  - {id: vm2, host: h02, state: running, memory_mib: 1024, guest_driver: 550.54.14,
     vgpus: [{type: L40S-12Q, gpu: h02/0}]}
  - {id: off1, state: "off", memory_mib: 1024, guest_driver: 550.54.14, vgpus: [{type: L40S-4Q}]}
"""


def a_fleet(*changes: tuple[str, str]) -> Fleet:
    """The fleet of two hosts; each change is a text that takes another's place in its file."""
    text = TWO_HOSTS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_fleet_bytes(text.encode(), source="fleet.yaml", format="yaml")


@contextlib.contextmanager
def a_pair(directory: Path, fleet: Fleet | None = None) -> Iterator[tuple[RunningHost, RunningHost]]:
    """Both hosts of a fleet, alive in this process, with short patience."""
    fleet = fleet or a_fleet()
    with a_kept(directory, H1, fleet) as first, a_kept(directory, H2, fleet) as second:
        yield first, second


@contextlib.contextmanager
def a_kept(
    directory: Path, host: HostId = H1, fleet: Fleet | None = None, *, fresh: bool = False
) -> Iterator[RunningHost]:
    """A host alive in this process, with short patience; what it keeps is in the directory."""
    with running_host(
        fleet or a_fleet(),
        host,
        socket=directory / f"{host}.sock",
        state_dir=directory / f"{host}.state",
        fresh=fresh,
        peer_s=0.5,
        settle_s=0.2,
    ) as running:
        yield running
