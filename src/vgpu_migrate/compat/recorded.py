"""What the rules see in a record of any driver, beside what is known of its vgpu or gpu otherwise.

A record of the simulated manager carries all that the rules look at. A real driver's carries the guest's and
the host's driver, the vGPU version, the range and the migration capability in named fields; the rest lies in
its closed words and is taken from what is known otherwise: from NVML, or from a fleet file. All of that is
our assumption.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.compat.fields import FIELDS, SHOW
from vgpu_migrate.compat.record import read_gpu_record, read_vgpu_record
from vgpu_migrate.compat.traits import GpuTraits, VgpuTraits
from vgpu_migrate.errors import RecordError
from vgpu_migrate.nvml import (
    VIRTUALIZATION_CAP_MIGRATION,
    GuestInfoState,
    PgpuMetadata,
    VgpuMetadata,
)

_GUEST_BOUNDS = ("guest_min", "guest_max")
"""A fleet file may know the guest driver before it has reported, so these may differ from a record."""


class RecordedVgpu(NamedTuple):
    """A vgpu as its record and what is known besides tell it.

    `guest_driver` is there where the guest's bounds are those of the tables for it, and not the record's.
    """

    traits: VgpuTraits
    guest_driver: str | None = None


def recorded_vgpu(record: bytes, known: VgpuTraits) -> RecordedVgpu:
    """What the rules see of a vgpu: its record's word first, then what is known otherwise.

    Raises:
        RecordError: it is no vgpu's record.
    """
    try:
        return RecordedVgpu(read_vgpu_record(record))
    except RecordError:
        fields = VgpuMetadata.from_fixed_part(record)
    has_reported = fields.guest_info_state is GuestInfoState.INITIALIZED
    driver = fields.guest_driver_version if has_reported else None
    guest = None if driver is None else facts.guest_driver(driver)
    traits = msgspec.structs.replace(
        known,
        guest_info=has_reported,
        version=fields.guest_vgpu_version if has_reported else None,
        guest_min=None if guest is None else guest.minimum,
        guest_max=None if guest is None else guest.maximum,
        host_driver=fields.host_driver_version or None,
        migration=bool(fields.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION),
    )
    return RecordedVgpu(traits, driver)


def recorded_gpu(record: bytes, known: GpuTraits) -> GpuTraits:
    """What the rules see of a gpu: its record's word first, then what is known otherwise.

    The range in force is what is known otherwise, and the record's where nothing is: no vendor text says
    whether a record carries the range in force or the preset one.

    Raises:
        RecordError: it is no gpu's record.
    """
    try:
        return read_gpu_record(record)
    except RecordError:
        fields = PgpuMetadata.from_fixed_part(record)
    traits = msgspec.structs.replace(
        known,
        host_driver=fields.host_driver_version,
        migration=bool(fields.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION),
    )
    said = fields.host_supported_vgpu_range
    if traits.range_min is None and any(said):
        traits = msgspec.structs.replace(traits, range_min=said.minimum, range_max=said.maximum)
    return traits


def disagreements(recorded: VgpuTraits | GpuTraits, known: VgpuTraits | GpuTraits) -> tuple[str, ...]:
    """Where a record and what the fleet file says differ: `vGPU version held: 0x1 in the record, …`.

    A value that only one of the two knows is no disagreement.
    """
    side = "vgpu" if isinstance(known, VgpuTraits) else "gpu"
    found: list[str] = []
    for name in known.__struct_fields__:
        field = FIELDS[f"{side}.{name}"]
        seen, expected = getattr(recorded, name), getattr(known, name)
        if name not in _GUEST_BOUNDS and None not in (seen, expected) and seen != expected:
            show = SHOW[field.kind]
            found.append(f"{field.words}: {show(seen)} in the record, {show(expected)} in the fleet file")
    return tuple(found)
