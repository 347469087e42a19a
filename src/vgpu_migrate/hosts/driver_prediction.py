"""What our rules would say of a real driver's records: a prediction, shown beside the driver's verdict.

What the named fields of a record do not say is taken from what NVML says of the vgpu and of the gpu, or stays
unknown, so that a rule which needs it is silent: see `compat.recorded`. All of that is our assumption.
"""

from __future__ import annotations

from vgpu_migrate import facts
from vgpu_migrate.compat import (
    GpuTraits,
    Verdict,
    VgpuTraits,
    check,
    read_gpu_record,
    read_vgpu_record,
)
from vgpu_migrate.compat.recorded import RecordedVgpu, recorded_gpu, recorded_vgpu
from vgpu_migrate.errors import RecordError, UnknownNameError
from vgpu_migrate.hosts.driver import DriverGpu
from vgpu_migrate.nvml import VersionRange


def predict(vgpu: VgpuTraits | None, gpu: GpuTraits | None) -> Verdict | None:
    """Our rules' verdict under the default profile; None where one side cannot be read."""
    return None if vgpu is None or gpu is None else check(vgpu, gpu)


def vgpu_traits(record: bytes, *, type_name: str | None, source: DriverGpu | None) -> VgpuTraits | None:
    """What the rules can see of a vgpu; arguments and None as of `seen_vgpu`."""
    seen = seen_vgpu(record, type_name=type_name, source=source)
    return None if seen is None else seen.traits


def seen_vgpu(record: bytes, *, type_name: str | None, source: DriverGpu | None) -> RecordedVgpu | None:
    """What the rules can see of a vgpu, and of which guest driver its bounds are.

    Args:
        record: as its driver gave it.
        type_name: its type where it is active here, in any spelling.
        source: the gpu it is on where it is active here.

    Returns:
        None where the record is no record, or the vgpu's type is not known.
    """
    try:
        return RecordedVgpu(read_vgpu_record(record))
    except RecordError:
        pass
    try:
        vgpu_type = facts.vgpu_type(type_name or "")
    except UnknownNameError:
        return None
    known = VgpuTraits(
        board=vgpu_type.board,
        type=vgpu_type.short,
        mig_backed=vgpu_type.is_mig_backed,
        guest_info=False,
        version=None,
        guest_min=None,
        guest_max=None,
        host_driver=None,
        ecc=None if source is None else bool(source.ecc),
        sriov=None,
        topology=None,
        mig=None,
        migration=True,
    )
    try:
        return recorded_vgpu(record, known)
    except RecordError:
        return None


def gpu_traits(
    record: bytes, *, gpu: DriverGpu | None, versions: tuple[VersionRange, VersionRange] | None
) -> GpuTraits | None:
    """What the rules can see of a gpu.

    Args:
        record: as its driver gave it.
        gpu: what NVML says of it where it is of this host.
        versions: this host's preset range and the one in force, where it is of this host.

    Returns:
        None where the record is no record, or the gpu's board is not known.
    """
    try:
        return read_gpu_record(record)
    except RecordError:
        pass
    board = None if gpu is None else board_of(gpu)
    if board is None or gpu is None:
        return None
    preset, in_force = versions or (None, None)
    types = [known_type(name) for name in gpu.types]
    known = GpuTraits(
        board=board,
        mig_enabled=bool(gpu.mig_enabled),
        types=frozenset(name for name in types if name is not None) if types and None not in types else None,
        range_min=in_force.minimum if in_force and any(in_force) else None,
        range_max=in_force.maximum if in_force and any(in_force) else None,
        preset_min=preset.minimum if preset else None,
        preset_max=preset.maximum if preset else None,
        host_driver="",
        ecc=bool(gpu.ecc),
        sriov=False,
        topology=0,
        mig=(),
        migration=True,
    )
    try:
        return recorded_gpu(record, known)
    except RecordError:
        return None


def board_of(gpu: DriverGpu) -> str | None:
    """The board of a gpu: the one that all the types it supports are of, else the one with its PCI ids."""
    known = {facts.vgpu_type(name).board for name in gpu.types if known_type(name) is not None}
    if len(known) == 1:
        return known.pop()
    if gpu.device_id is None:
        return None
    boards = facts.boards_by_pci(gpu.device_id, gpu.subsystem_id)
    return boards[0].key if len(boards) == 1 else None


def known_type(name: str) -> str | None:
    """The short name of a vgpu type in any spelling; None where the tables lack it."""
    try:
        return facts.vgpu_type(name).short
    except UnknownNameError:
        return None
