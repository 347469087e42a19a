"""The hosts that NVML programs are shown: small fleets as data, each with one host, `h01`."""

from __future__ import annotations

from typing import Any

from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.fleetfile import parse_fleet

Data = dict[str, Any]
HOST = HostId("h01")


def a_vm(vm_id: str, *gpus: str, state: str = "running", **keys: Any) -> Data:
    """A VM of h01 with one vgpu on each gpu that is named as `index:type[@placement]`."""
    vgpus = []
    for seat in gpus:
        index, _, rest = seat.partition(":")
        kind, _, placement = rest.partition("@")
        vgpus.append(
            {"type": kind, "gpu": f"h01/{index}"} | ({"placement": int(placement)} if placement else {})
        )
    return {"id": vm_id, "host": "h01", "state": state, "memory_mib": 8192, "vgpus": vgpus} | keys


def a_fleet(gpus: list[Data], vms: list[Data], *, profile: str = "default", **host: Any) -> Fleet:
    """A fleet whose host has these gpus and VMs."""
    return parse_fleet(
        {
            "fleetfile_version": 1,
            "settings": {"profile": profile},
            "hosts": [{"id": "h01", "driver": "550.54.16", "gpus": gpus} | host],
            "vms": vms,
        },
        source="a test",
    )


def a_studio(**host: Any) -> Fleet:
    """Three A40s (equal, mixed, no vGPU host) and an idle L40S; VMs in every state that holds a vgpu."""
    return a_fleet(
        [
            {"board": "A40", "pci": "0000:3b:00.0"},
            {"board": "A40", "mode": "mixed", "pci": "0000:86:00.0"},
            {"board": "A40", "vgpu": False, "pci": "0000:af:00.0"},
            {"board": "L40S", "ecc": False, "pci": "0001:03:00.0"},
        ],
        [
            a_vm("design", "0:A40-8Q", guest_driver="550.54.14"),
            a_vm("legacy", "0:A40-8Q", guest_driver="535.161.07"),
            a_vm("booting", "0:A40-8Q", state="booting", guest_driver="550.54.14"),
            a_vm("asleep", "1:A40-24Q@0", state="sleeping", guest_driver="550.54.14"),
            a_vm("twins", "1:A40-4Q@24", "1:A40-4Q@32", state="paused", guest_driver="550.54.14"),
        ],
        **host,
    )


def an_empty_studio(**host: Any) -> Fleet:
    """Two A40s without a VM."""
    return a_fleet([{"board": "A40"}, {"board": "A40", "mode": "mixed"}], [], **host)


def a_mig_host() -> Fleet:
    """An A100 80 GB with two GPU instances, a vgpu on one of them."""
    return a_fleet(
        [{"board": "A100D", "mig": [3, 3]}], [a_vm("tensor", "0:A100D-3-40C", guest_driver="550.54.14")]
    )


def a_plain_host() -> Fleet:
    """A gpu under a plain driver: there is no vGPU Manager."""
    return a_fleet([{"board": "A40"}], [], manager=False)


def an_old_host() -> Fleet:
    """A T4 under a driver of the 470 branch."""
    return a_fleet(
        [{"board": "T4"}], [a_vm("elder", "0:T4-4Q", guest_driver="470.63.01")], driver="470.256.02"
    )


def a_strict_host() -> Fleet:
    """A host that offers two types alone, in a domain where guests negotiate anew."""
    return a_fleet(
        [
            {"board": "A40", "types": ["A40-8Q", "A40-16Q"]},
            {"board": "A40", "ecc": False, "migration": False},
        ],
        [
            a_vm("design", "0:A40-8Q", guest_driver="550.54.14"),
            a_vm("fixed", "1:A40-12Q", guest_driver="550.54.14"),
        ],
        profile="renegotiating-resume",
    )


def a_full_host(*, gpus: int = 16, vgpus: int = 32) -> Fleet:
    """So many A40s, each with so many running A40-1Q."""
    return a_fleet(
        [{"board": "A40"} for _ in range(gpus)],
        [
            a_vm(f"vm-{gpu:02}-{number:02}", f"{gpu}:A40-1Q", guest_driver="580.65.06")
            for gpu in range(gpus)
            for number in range(vgpus)
        ],
        driver="580.126.08",
    )
