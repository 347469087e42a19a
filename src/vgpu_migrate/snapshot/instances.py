"""A vgpu as the snapshot tells of it: an `INSTANCE` structure, and what it uses."""

from __future__ import annotations

import struct
from typing import NamedTuple

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.manager import HostState, VgpuInstance, VmRecord, mdev_uuid
from vgpu_migrate.manager.records import instance_record
from vgpu_migrate.nvml import INVALID_PLACEMENT_ID
from vgpu_migrate.snapshot.figures import (
    Load,
    guest_pci_id,
    process_id,
    runtime_state_bytes,
    vgpu_load,
)
from vgpu_migrate.snapshot.layout import ANY, INSTANCE

DOMAIN_ID, UUID = 0, 1
"""`nvmlVgpuVmIdType_t`."""

_GPU_INSTANCE_OFFSET = INSTANCE.offset("gpu_instance")
_WORD = struct.Struct("<I")


class Seated(NamedTuple):
    """A vgpu on a gpu, active or held. `structure` is empty where it is held."""

    vgpu: VgpuInstance
    gpu: int
    load: Load
    structure: bytes


def seat(state: HostState, record: VmRecord, position: int, *, gpu: int) -> Seated:
    """A vgpu of a VM, encoded if it is active.

    Args:
        state: the host.
        record: the VM.
        position: the vgpu's place among the VM's.
        gpu: the number of its gpu.

    Raises:
        InputError: a text does not fit.
    """
    vgpu = record.vgpus[position]
    load = vgpu_load(record, vgpu, state.host.gpus[gpu].board)
    if not record.is_active:
        return Seated(vgpu, gpu, load, b"")
    is_xen = state.host.hypervisor == "xen"
    where = f"VM {record.definition.id}"
    vm_id = str(record.domid) if is_xen else record.definition.uuid
    structure = INSTANCE.struct.pack(
        load.framebuffer_used,
        runtime_state_bytes(vgpu.type),
        vgpu.handle,
        gpu,
        vgpu.type.type_id,
        DOMAIN_ID if is_xen else UUID,
        INVALID_PLACEMENT_ID if vgpu.placement is None else vgpu.placement,
        process_id(vgpu),
        vgpu.type.series == "C",
        ANY,
        load.sm,
        load.memory,
        load.encoder,
        load.decoder,
        state.host.gpus[gpu].ecc,
        vgpu.guest is not None,
        vgpu.type.frame_rate_limit,
        0,
        text(vgpu.uuid, 80, place=f"{where}: vgpu {position}: uuid"),
        text("" if is_xen else mdev_uuid(vgpu.device_id), 80, place=f"{where}: vgpu {position}: device"),
        text(vm_id, 80, place=f"{where}: uuid"),
        text(vgpu.guest.driver if vgpu.guest else "", 80, place=f"{where}: guest driver"),
        text(guest_pci_id(vgpu, position), 32, place=where),
        instance_record(state, record, vgpu),
        0,
    )
    return Seated(vgpu, gpu, load, structure)


def in_gpu_instance(structure: bytes, number: int) -> bytes:
    """The same structure, of a vgpu in this GPU instance."""
    before, after = structure[:_GPU_INSTANCE_OFFSET], structure[_GPU_INSTANCE_OFFSET + _WORD.size :]
    return before + _WORD.pack(number) + after


def text(value: str, size: int, *, place: str) -> bytes:
    """A text for a member of `size` bytes, its NUL included.

    Raises:
        InputError: it is not ASCII, holds a NUL, or is too long.
    """
    encoded = value.encode("ascii", errors="replace")
    if encoded.decode("ascii") != value or len(encoded) >= size or b"\0" in encoded:
        raise InputError(Problem(place, repr(value), f"wanted at most {size - 1} ASCII characters"))
    return encoded
