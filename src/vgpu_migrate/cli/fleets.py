"""FLEET on the command line: a path, `-`, or the word `demo`; and the hosts and VMs named beside it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from vgpu_migrate.cli.progress import LARGE_FILE_BYTES, long_work
from vgpu_migrate.errors import UnknownNameError, VgpuMigrateError

if TYPE_CHECKING:
    from vgpu_migrate.model import Fleet, HostId, Vm

DEMO = "demo"


def read(name: str) -> Fleet:
    """The fleet that an argument names.

    Raises:
        InputError: it is no fleet file; every problem at once.
        OutsideError: it cannot be read.
    """
    from vgpu_migrate.fleetio import read_fleet

    if is_demo(name):
        return read_demo()
    with long_work(f"reading {name}", is_long=_is_large(name)):
        return read_fleet(name)


def read_quietly(name: str | None) -> Fleet | None:
    """The fleet, or None where it cannot be read: completion says nothing. Never reads standard input."""
    if not name or name == "-":
        return None
    try:
        return read(name)
    except VgpuMigrateError:
        return None


def is_demo(name: str) -> bool:
    """Whether the word stands for the embedded fleet: a file of that name comes first."""
    return name == DEMO and not Path(DEMO).exists()


def find_host(fleet: Fleet, name: str) -> HostId:
    """The host of that id.

    Raises:
        UnknownNameError: there is none.
    """
    from vgpu_migrate.model import HostId

    if name not in fleet.hosts:
        raise UnknownNameError("host", name, fleet.hosts)
    return HostId(name)


def find_vm(fleet: Fleet, name: str) -> Vm:
    """The VM of that id.

    Raises:
        UnknownNameError: there is none.
    """
    from vgpu_migrate.model import VmId

    vm = fleet.vms.get(VmId(name))
    if vm is None:
        raise UnknownNameError("VM", name, fleet.vms)
    return vm


def check_domain(fleet: Fleet, name: str | None) -> None:
    """Refuse a migration domain that no host is in.

    Raises:
        UnknownNameError: there is none of that name.
    """
    domains = dict.fromkeys(host.domain for host in fleet.hosts.values())
    if name is not None and name not in domains:
        raise UnknownNameError("migration domain", name, domains)


def read_demo() -> Fleet:
    """The embedded fleet."""
    from vgpu_migrate.model.fleetfile import parse_fleet_bytes

    data = resources.files("vgpu_migrate").joinpath("demo", "fleet.yaml").read_bytes()
    return parse_fleet_bytes(data, source=DEMO, format="yaml")


def _is_large(name: str) -> bool:
    path = Path(name)
    return path.is_file() and path.stat().st_size > LARGE_FILE_BYTES
