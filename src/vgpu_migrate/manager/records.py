"""A VM's vgpus to and from metadata records: at any time, when saved, and when given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from vgpu_migrate.compat import VgpuTraits, gpu_record, gpu_traits, read_vgpu_record, vgpu_record
from vgpu_migrate.errors import RecordError
from vgpu_migrate.manager.refusal import Reason, refuse
from vgpu_migrate.manager.seats import Wanted
from vgpu_migrate.manager.state import (
    GuestReport,
    HostState,
    Role,
    VgpuDefinition,
    VgpuInstance,
    VmDefinition,
    VmRecord,
)
from vgpu_migrate.model import Gpu, VersionRange, VmId
from vgpu_migrate.nvml import VgpuMetadata


class Restored(NamedTuple):
    """A saved record read: the traits it gives a vgpu, and what its guest driver had reported."""

    traits: VgpuTraits
    guest: GuestReport | None


def instance_record(state: HostState, record: VmRecord, vgpu: VgpuInstance) -> bytes:
    """The 212 bytes of a vgpu as it is now. Its host driver version is that of the host it is on."""
    position = record.vgpus.index(vgpu)
    gpu, guest = state.gpu(vgpu.gpu), vgpu.guest
    traits = VgpuTraits(
        board=vgpu.type.board,
        type=vgpu.type.short,
        mig_backed=vgpu.type.is_mig_backed,
        guest_info=guest is not None,
        version=guest.vgpu_version if guest else None,
        guest_min=guest.minimum if guest else None,
        guest_max=guest.maximum if guest else None,
        host_driver=state.host.driver,
        ecc=gpu.ecc,
        sriov=gpu.sriov,
        topology=gpu.topology,
        mig=gpu.mig,
        migration=record.definition.vgpus[position].migration and gpu.migration,
    )
    return vgpu_record(traits, guest_driver=guest.driver if guest else "")


def physical_record(state: HostState, gpu: Gpu) -> bytes:
    """The 128 bytes of a gpu; its range is the one in force."""
    return gpu_record(gpu_traits(state.host, gpu))


def current_records(state: HostState, record: VmRecord) -> tuple[bytes, ...]:
    """One record for each vgpu of a VM, in order, as they are now."""
    return tuple(instance_record(state, record, vgpu) for vgpu in record.vgpus)


def saved_records(state: HostState, vm_id: VmId) -> tuple[bytes, ...]:
    """What to keep with a VM: the current records of one with vgpus, the last ones of one without.

    Raises:
        RefusedError: it never had vgpus here, or they are only expected here.
    """
    record = state.vm(vm_id)
    if record.role is Role.INCOMING:
        refuse(
            Reason.MIGRATING, f"VM {vm_id}", "it is incoming; its records are its source's until the commit"
        )
    if record.vgpus:
        return current_records(state, record)
    if record.saved is None:
        refuse(Reason.NO_RECORDS, f"VM {vm_id}", "it has had no vgpus on this host, so nothing is saved")
    return record.saved


def read_saved(definition: VmDefinition, records: Sequence[bytes]) -> tuple[Restored, ...]:
    """Read records that are given back for a VM's vgpus, one for each, in order.

    Raises:
        RefusedError: their count differs from that of its vgpus, one is of another type, or malformed.
    """
    vm, wanted = f"VM {definition.id}", definition.vgpus
    if len(records) != len(wanted):
        refuse(Reason.RECORDS, vm, f"{len(records)} records given; wanted {len(wanted)}, one for each vgpu")
    return tuple(
        _read_one(vm, position, one, data)
        for position, (one, data) in enumerate(zip(wanted, records, strict=True))
    )


def _read_one(vm: str, position: int, wanted: VgpuDefinition, data: bytes) -> Restored:
    try:
        metadata = VgpuMetadata.from_bytes(data)
        traits = read_vgpu_record(data)
    except RecordError as error:
        refuse(Reason.RECORDS, vm, f"record {position} is malformed: {error}")
    if traits.type != wanted.type.short:
        refuse(Reason.RECORDS, vm, f"record {position} is of a {traits.type}; wanted {wanted.type.short}")
    traits = msgspec.structs.replace(traits, migration=traits.migration and wanted.migration)
    if not traits.guest_info or traits.version is None:
        return Restored(traits, None)
    guest = GuestReport(metadata.guest_driver_version, traits.version, traits.guest_min, traits.guest_max)
    return Restored(traits, guest)


def fresh_traits(definition: VmDefinition) -> tuple[Wanted, ...]:
    """A VM's vgpus as a cold start sees them: nothing reported, no source."""
    return tuple(
        Wanted(
            one.type,
            VgpuTraits(
                board=one.type.board,
                type=one.type.short,
                mig_backed=one.type.is_mig_backed,
                guest_info=False,
                version=None,
                guest_min=None,
                guest_max=None,
                host_driver=None,
                ecc=None,
                sriov=None,
                topology=None,
                mig=None,
                migration=one.migration,
            ),
        )
        for one in definition.vgpus
    )


def hints(restored: Sequence[Restored], in_force: VersionRange | None) -> tuple[str, ...]:
    """What records given at a cold start foretell: whether the guest driver will load."""
    warnings: list[str] = []
    for position, (traits, _) in enumerate(restored):
        low, high = traits.guest_min, traits.guest_max
        if in_force is None or (low is None and high is None):
            continue
        if (high is not None and high < in_force.minimum) or (low is not None and low > in_force.maximum):
            guest = f"{'?' if low is None else f'{low:#x}'}-{'?' if high is None else f'{high:#x}'}"
            warnings.append(
                f"the guest driver will not load: record {position} says guest {guest}, "
                f"range in force {in_force}"
            )
    return tuple(dict.fromkeys(warnings))
