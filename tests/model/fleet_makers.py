"""Small fleets as the data of a fleet file, for tests to bend."""

from __future__ import annotations

from typing import Any

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model import Board, Fleet, Gpu, GpuId, HostId, PlacementMode
from vgpu_migrate.model.fleetfile import parse_fleet

Data = dict[str, Any]

RUNNING_DRIVER = "550.54.16"
GUEST_DRIVER = "550.54.14"


def a_gpu_entry(**keys: Any) -> Data:
    """A gpu of the file: an L40S unless told otherwise."""
    return {"board": "L40S"} | keys


def a_host_entry(host_id: str = "h01", *, gpus: list[Data] | None = None, **keys: Any) -> Data:
    """A host of the file with one gpu."""
    return {"id": host_id, "driver": RUNNING_DRIVER, "gpus": gpus or [a_gpu_entry()]} | keys


def a_vgpu_entry(gpu: str | None = "h01/0", **keys: Any) -> Data:
    """A vgpu of the file; `gpu` None leaves the key out."""
    return {"type": "L40S-12Q"} | ({} if gpu is None else {"gpu": gpu}) | keys


def a_vm_entry(vm_id: str = "vm-1", *, vgpus: list[Data] | None = None, **keys: Any) -> Data:
    """A running VM of the file on h01; a key given as None is left out."""
    whole = {
        "id": vm_id,
        "host": "h01",
        "state": "running",
        "memory_mib": 16384,
        "guest_driver": GUEST_DRIVER,
        "vgpus": vgpus or [a_vgpu_entry()],
    } | keys
    return {key: value for key, value in whole.items() if value is not None}


def a_stopped_vm_entry(vm_id: str = "vm-1", state: str = "off", **keys: Any) -> Data:
    """A VM of the file that holds nothing."""
    vgpus = keys.pop("vgpus", [a_vgpu_entry(None)])
    return a_vm_entry(vm_id, vgpus=vgpus, **({"state": state, "host": None} | keys))


def a_file(hosts: list[Data] | None = None, vms: list[Data] | None = None, **keys: Any) -> Data:
    """A whole fleet file."""
    return {
        "fleetfile_version": 1,
        "hosts": [a_host_entry()] if hosts is None else hosts,
        "vms": [a_vm_entry()] if vms is None else vms,
    } | keys


def read(data: object) -> Fleet:
    """The fleet of such data."""
    return parse_fleet(data, source="test")


def problems(data: object) -> list[Problem]:
    """What reading says is wrong; empty where nothing is."""
    try:
        read(data)
    except InputError as error:
        return list(error.problems)
    return []


def said(data: object) -> list[str]:
    """The same as lines for people."""
    return [str(problem) for problem in problems(data)]


def a_gpu(board: str | Board = "L40S", **fields: Any) -> Gpu:
    """A gpu as a value."""
    wanted = facts.board(board) if isinstance(board, str) else board
    values: dict[str, Any] = {
        "id": GpuId("g"),
        "host": HostId("h"),
        "index": 0,
        "board": wanted,
        "pci": None,
        "mode": PlacementMode.EQUAL,
        "ecc": True,
        "sriov": wanted.sriov_by_default,
        "is_vgpu_host": True,
        "migration": True,
        "topology": 0,
        "mig": (),
        "types": (),
    }
    return Gpu(**(values | fields))
