"""What our rules would say of a real driver's records: a prediction, shown beside the driver's verdict.

A record of the simulated manager carries all that the rules look at. A real driver's carries the guest's and
the host's driver, the vGPU version, the range and the migration capability in named fields; what lies in its
closed words is taken from what NVML says of the vgpu and of the gpu, or stays unknown, so that a rule which
needs it is silent. All of that is our assumption.
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
from vgpu_migrate.errors import RecordError, UnknownNameError
from vgpu_migrate.hosts.driver import DriverGpu
from vgpu_migrate.nvml import (
    VIRTUALIZATION_CAP_MIGRATION,
    GuestInfoState,
    PgpuMetadata,
    VersionRange,
    VgpuMetadata,
)


def predict(vgpu: VgpuTraits | None, gpu: GpuTraits | None) -> Verdict | None:
    """Our rules' verdict under the default profile; None where one side cannot be read."""
    return None if vgpu is None or gpu is None else check(vgpu, gpu)


def vgpu_traits(record: bytes, *, type_name: str | None, source: DriverGpu | None) -> VgpuTraits | None:
    """What the rules can see of a vgpu.

    Args:
        record: as its driver gave it.
        type_name: its type where it is active here, in any spelling.
        source: the gpu it is on where it is active here.

    Returns:
        None where the record is no record, or the vgpu's type is not known.
    """
    try:
        return read_vgpu_record(record)
    except RecordError:
        pass
    try:
        fields = VgpuMetadata.from_fixed_part(record)
        vgpu_type = facts.vgpu_type(type_name or "")
    except (RecordError, UnknownNameError):
        return None
    has_reported = fields.guest_info_state is GuestInfoState.INITIALIZED
    guest = facts.guest_driver(fields.guest_driver_version) if has_reported else None
    return VgpuTraits(
        board=vgpu_type.board,
        type=vgpu_type.short,
        mig_backed=vgpu_type.is_mig_backed,
        guest_info=has_reported,
        version=fields.guest_vgpu_version if has_reported else None,
        guest_min=None if guest is None else guest.minimum,
        guest_max=None if guest is None else guest.maximum,
        host_driver=fields.host_driver_version or None,
        ecc=None if source is None else bool(source.ecc),
        sriov=None,
        topology=None,
        mig=None,
        migration=bool(fields.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION),
    )


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
    try:
        fields = PgpuMetadata.from_fixed_part(record)
    except RecordError:
        return None
    if board is None or gpu is None:
        return None
    preset, in_force = versions or (None, fields.host_supported_vgpu_range)
    types = [known_type(name) for name in gpu.types]
    return GpuTraits(
        board=board,
        mig_enabled=bool(gpu.mig_enabled),
        types=frozenset(name for name in types if name is not None) if types and None not in types else None,
        range_min=in_force.minimum if any(in_force) else None,
        range_max=in_force.maximum if any(in_force) else None,
        preset_min=preset.minimum if preset else None,
        preset_max=preset.maximum if preset else None,
        host_driver=fields.host_driver_version,
        ecc=bool(gpu.ecc),
        sriov=False,
        topology=0,
        mig=(),
        migration=bool(fields.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION),
    )


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
