"""One gpu, one vgpu and a few types, number by number: what a program sees does not change by accident."""

from __future__ import annotations

import pytest
from tests.manager.factories import a_gpu, a_host, a_manager, a_vm, start_vm
from tests.snapshot.hosts import slot_of
from tests.snapshot.statics import static_of

from vgpu_migrate import facts
from vgpu_migrate.manager import VgpuManager
from vgpu_migrate.model import PlacementMode
from vgpu_migrate.snapshot.cards import MIB
from vgpu_migrate.snapshot.layout import ANY


@pytest.fixture
def manager() -> VgpuManager:
    """Two running VMs on a mixed-size workstation gpu."""
    made = a_manager(a_host(gpus=[a_gpu(board="RTXA6000", mode=PlacementMode.MIXED)]))
    start_vm(made, a_vm("vm1", "RTXA6000-12Q"))
    start_vm(made, a_vm("vm2", "RTXA6000-16Q"))
    return made


def test_a_gpu_number_by_number(manager: VgpuManager) -> None:
    """Everything that is said of the gpu but its record and its lists of types."""
    (gpu,) = slot_of(manager.state)["gpus"]
    for name in ("record", "rooms", "supported", "creatable"):
        del gpu[name]
    assert gpu == {
        "memory_total": 49152 * MIB,
        "memory_reserved": 0,
        "memory_used": 17304 * MIB,
        "bar1_total": 65536 * MIB,
        "ecc_corrected": 0,
        "ecc_uncorrected": 0,
        "pci_domain": 0,
        "pci_bus": 1,
        "pci_device": 0,
        "pci_device_id": 0x223010DE,
        "pci_subsystem_id": 0x145910DE,
        "is_vgpu_host": 1,
        "virtualization_mode": 3,
        "host_vgpu_mode": 1,
        "heterogeneous": 1,
        "can_be_heterogeneous": 1,
        "capabilities": 63,
        "mig_capable": 0,
        "mig_enabled": 0,
        "ecc_capable": 1,
        "ecc_enabled": 1,
        "persistence": 0,
        "compute_mode": 0,
        "performance_state": 0,
        "temperature": 36,
        "fan_speed": 26,
        "power_mw": 65040,
        "power_limit_mw": 300000,
        "utilization_gpu": 11,
        "utilization_memory": 7,
        "utilization_encoder": 2,
        "utilization_decoder": 3,
        "brand": 13,
        "architecture": 7,
        "compute_major": 8,
        "compute_minor": 6,
        "read_bandwidth_mb_s": 2000,
        "write_bandwidth_mb_s": 2000,
        "uuid": "GPU-189d6f02-137f-52fa-a10b-3a38dd3d623b",
        "name": "NVIDIA RTX-A6000",
        "metadata_string": "2230145900000003",
        "active": [1, 2],
    }


def test_a_vgpu_number_by_number(manager: VgpuManager) -> None:
    """Everything that is said of the second vgpu but its record."""
    instance = slot_of(manager.state)["instances"][1]
    del instance["record"]
    assert instance == {
        "framebuffer_used": 9648 * MIB,
        "runtime_state_bytes": 288 * MIB,
        "handle": 2,
        "gpu": 0,
        "type_id": 531,
        "vm_id_type": 1,
        "placement": 32,
        "process": 4098,
        "is_compute": 0,
        "gpu_instance": ANY,
        "utilization_sm": 10,
        "utilization_memory": 7,
        "utilization_encoder": 0,
        "utilization_decoder": 1,
        "ecc_enabled": 1,
        "licensed": 1,
        "frame_rate_limit": 60,
        "fill": 0,
        "uuid": "1aa92609-b1c3-5a74-ad91-d4cf3731d70f",
        "mdev_uuid": "1aa92609-b1c3-5a74-ad91-d4cf3731d70f",
        "vm_id": "b7f7f74c-26c3-5240-90e7-dedca016e7d9",
        "guest_driver": "550.54.14",
        "pci_id": "00000000:00:05.0",
        "fill_1": 0,
    }


def test_a_host_number_by_number(manager: VgpuManager) -> None:
    """Everything that is said of the host itself."""
    slot = slot_of(manager.state)
    lists = {"gpus", "instances", "index", "faults"}
    slot = {
        name: value
        for name, value in slot.items()
        if name not in lists and not name.endswith(("_offset", "_count", "_mask"))
    }
    assert slot == {
        "driver_major": 550,
        "has_manager": 1,
        "range_known": 1,
        "preset_min": 0x70001,
        "preset_max": 0x140001,
        "range_min": 0x70001,
        "range_max": 0x140001,
        "cuda_version": 12040,
        "driver_capabilities": 1,
        "fill": 0,
        "driver": "550.54.16",
        "nvml": "12.550.54.16",
        "branch": "r550_00",
    }


@pytest.mark.parametrize(
    ("short", "gsp_heap", "reservation", "bar1", "per_vm", "profile", "capabilities", "per_gpu_instance"),
    [
        ("A40-8C", 0 * MIB, 320 * MIB, 8192 * MIB, 16, ANY, 0, 0),
        ("A100-1-5CME", 0 * MIB, 224 * MIB, 8192 * MIB, 16, 7, 0, 1),
        ("RTX Pro 6000 Blackwell DC-1-3Q", 76 * MIB, 160 * MIB, 256 * MIB, 16, 0, 0, 8),
        ("L40S-48Q", 256 * MIB, 1600 * MIB, 256 * MIB, 16, ANY, 3, 0),
        ("T4-2B", 0 * MIB, 128 * MIB, 256 * MIB, 1, ANY, 24, 0),
    ],
)
def test_synthetic_figures_of_types(
    short: str,
    gsp_heap: int,
    reservation: int,
    bar1: int,
    per_vm: int,
    profile: int,
    capabilities: int,
    per_gpu_instance: int,
) -> None:
    """What no table knows of a type follows from its series, size and board, the same in every version."""
    one = facts.vgpu_type(short)
    row = next(row for row in static_of(one.board)["types"] if row["id"] == one.type_id)
    assert (row["gsp_heap_bytes"], row["fb_reservation_bytes"], row["bar1_bytes"]) == (
        gsp_heap,
        reservation,
        bar1,
    )
    assert (row["max_instances_per_vm"], row["gpu_instance_profile"]) == (per_vm, profile)
    assert (row["capabilities"], row["max_per_gpu_instance"]) == (capabilities, per_gpu_instance)


def test_what_a_gpu_can_do_follows_from_board_and_mode() -> None:
    """Time slices of several kinds need mixed-size placement, streaming needs migration, and MIG its own."""
    blackwell = "RTX Pro 6000 Blackwell DC"
    seen = {
        name: slot_of(a_manager(a_host(gpus=[gpu])).state)["gpus"][0]["capabilities"]
        for name, gpu in {
            "T4": a_gpu(board="T4"),
            "A40": a_gpu(board="A40"),
            "A40 without migration": a_gpu(board="A40", migration=False),
            "A100 in MIG mode": a_gpu(board="A100", mig=(3, 3)),
            "Blackwell": a_gpu(board=blackwell),
            "Blackwell in MIG mode": a_gpu(board=blackwell, mig=(2, 2)),
            "no vGPU host": a_gpu(vgpu=False),
        }.items()
    }
    assert seen == {
        "T4": 0b111000,
        "A40": 0b111111,
        "A40 without migration": 0b011111,
        "A100 in MIG mode": 0b111000,
        "Blackwell": 0b010000111111,
        "Blackwell in MIG mode": 0b110000111000,
        "no vGPU host": 0,
    }
