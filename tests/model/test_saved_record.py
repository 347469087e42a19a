"""What a fleet file may say of a saved record, and of placement where there is none."""

from base64 import b64encode
from typing import Any

import pytest

from vgpu_migrate.compat import VgpuTraits, vgpu_record
from vgpu_migrate.errors import InputError
from vgpu_migrate.model import VmId
from vgpu_migrate.model.fleetfile import parse_fleet


def a_fleet(vgpu: dict[str, Any], **vm: Any) -> dict[str, Any]:
    of_vm = {"id": "v", "state": "hibernated", "memory_mib": 1024, "vgpus": [vgpu], **vm}
    host = {"id": "h", "driver": "550.54.16", "gpus": [{"board": "A40"}]}
    return {"fleetfile_version": 1, "hosts": [host], "vms": [of_vm]}


def a_record(vgpu_type: str, board: str, version: int = 0x140001) -> bytes:
    traits = VgpuTraits(
        board=board,
        type=vgpu_type,
        mig_backed=False,
        guest_info=True,
        version=version,
        guest_min=0x140001,
        guest_max=0x140001,
        host_driver=None,
        ecc=None,
        sriov=None,
        topology=None,
        mig=None,
        migration=True,
    )
    return vgpu_record(traits, guest_driver="550.54.14")


def test_a_hibernated_vm_takes_its_version_from_its_record() -> None:
    """The version held is the record's where the file names none."""
    record = b64encode(a_record("A40-8Q", "A40")).decode()
    fleet = parse_fleet(a_fleet({"type": "A40-8Q", "record": record}), source="test")
    assert fleet.vms[VmId("v")].vgpus[0].vgpu_version == 0x140001


def test_a_record_of_another_type_is_refused() -> None:
    """A saved record of ours names its type, which must be the vgpu's."""
    record = b64encode(a_record("T4-8Q", "T4")).decode()
    with pytest.raises(InputError) as caught:
        parse_fleet(a_fleet({"type": "A40-8Q", "record": record}), source="test")
    assert str(caught.value) == "vms[0].vgpus[0].record: of a T4-8Q; wanted a record of a A40-8Q"


def test_a_record_of_another_manager_is_taken_as_it_is() -> None:
    """Reserved words that are not ours say nothing about the type; the fixed part still counts."""
    foreign = bytearray(a_record("T4-8Q", "T4"))
    foreign[172:176] = b"\0\0\0\0"
    record = b64encode(bytes(foreign)).decode()
    fleet = parse_fleet(a_fleet({"type": "A40-8Q", "record": record}), source="test")
    assert fleet.vms[VmId("v")].vgpus[0].record == bytes(foreign)


@pytest.mark.parametrize("says_none", [0, 0xFFFF])
def test_placement_zero_or_none_says_nothing_on_an_equal_size_gpu(says_none: int) -> None:
    """Where a gpu has no placement ids, 0 and NVML's 0xFFFF are read as no placement; any other is wrong."""
    vgpu = {"type": "A40-8Q", "gpu": "h/0", "placement": says_none}
    fleet = parse_fleet(a_fleet(vgpu, state="running", host="h"), source="test")
    assert fleet.vms[VmId("v")].vgpus[0].placement is None
    with pytest.raises(InputError, match=r"placement: 16; wanted none"):
        parse_fleet(a_fleet({**vgpu, "placement": 16}, state="running", host="h"), source="test")
