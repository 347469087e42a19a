"""A live host as `LiveHost.show` answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from vgpu_migrate.hostd.keeper import LiveState
from vgpu_migrate.hosts.live_view import (
    DeviceView,
    FaultView,
    GpuView,
    HostView,
    OpenMigrationView,
    VgpuView,
    VmView,
)
from vgpu_migrate.manager import Device, HostState, MigrationId, Role, VgpuInstance, VmRecord
from vgpu_migrate.model import Gpu
from vgpu_migrate.snapshot.cards import gpu_name


class Asked(NamedTuple):
    """How often the target of a migration was asked for its end in vain, and what came of the last time."""

    times: int
    said: str


def host_view(
    now: LiveState,
    *,
    faults: Sequence[FaultView],
    asked: Mapping[MigrationId, Asked],
    notices: Sequence[str],
) -> HostView:
    """The whole host at one moment."""
    state, host = now.state, now.state.host
    return HostView(
        id=host.id,
        domain=host.domain,
        profile=state.profile,
        driver=host.driver,
        has_manager=host.has_manager,
        hypervisor=host.hypervisor,
        schedulable=host.schedulable,
        preset_range=host.preset_range,
        range_in_force=host.range_in_force,
        range_is_override=host.range_is_override,
        range_said=host.range_said,
        incarnation=state.incarnation,
        gpus=tuple(_gpu(now, gpu) for gpu in host.gpus),
        vms=tuple(_vm(record) for record in state.vms.values()),
        devices=_devices(state),
        faults=tuple(faults),
        migrations=_migrations(now, asked),
        notices=tuple(notices),
    )


def _gpu(now: LiveState, gpu: Gpu) -> GpuView:
    vgpus = [vgpu for record in now.state.vms.values() for vgpu in record.vgpus if vgpu.gpu == gpu.id]
    return GpuView(
        id=gpu.id,
        index=gpu.index,
        board=gpu.board.key,
        name=gpu_name(gpu.board),
        pci=gpu.pci,
        mode=gpu.mode,
        ecc=gpu.ecc,
        sriov=gpu.sriov,
        migration=gpu.migration,
        is_vgpu_host=gpu.is_vgpu_host,
        mig=gpu.mig,
        memory_mib=gpu.board.framebuffer_mib,
        used_mib=sum(vgpu.type.framebuffer_mib for vgpu in vgpus),
        persistence=now.runtime.of(gpu.id).persistence,
        instances=tuple(sorted(vgpu.handle for vgpu in vgpus)),
    )


def _vm(record: VmRecord) -> VmView:
    definition = record.definition
    return VmView(
        id=definition.id,
        uuid=definition.uuid,
        domid=record.domid,
        power=record.power,
        role=record.role,
        is_active=record.is_active,
        memory_mib=definition.memory_mib,
        guest_driver=definition.guest_driver,
        types=tuple(one.type.short for one in definition.vgpus),
        vgpus=tuple(
            VgpuView(
                instance=vgpu.handle,
                uuid=vgpu.uuid,
                type=vgpu.type.short,
                gpu=vgpu.gpu,
                placement=vgpu.placement,
                is_active=record.is_active,
                guest=vgpu.guest,
                device=vgpu.device,
            )
            for vgpu in record.vgpus
        ),
        saved_records=len(record.saved or ()),
        negotiation=record.negotiation,
        migration=None if record.migration is None else record.migration.id,
    )


def _devices(state: HostState) -> tuple[DeviceView, ...]:
    users = {vgpu.device: (record, vgpu) for record in state.vms.values() for vgpu in record.vgpus}
    return tuple(device_view(device, users.get(device.id)) for device in state.devices.values())


def device_view(device: Device, user: tuple[VmRecord, VgpuInstance] | None = None) -> DeviceView:
    """A device that an administrator made, and the vgpu that is on it."""
    return DeviceView(
        id=device.id,
        type=device.type.short,
        gpu=device.gpu,
        placement=device.placement,
        function=device.function,
        vm=None if user is None else user[0].definition.id,
        instance=None if user is None else user[1].handle,
    )


_Stage = Literal["offered", "handed-over", "withdrawn"]


def _migrations(now: LiveState, asked: Mapping[MigrationId, Asked]) -> tuple[OpenMigrationView, ...]:
    outgoing = [
        OpenMigrationView(
            id=migration,
            vm=one.vm,
            direction="out",
            stage=_stage(now.state, migration),
            peer=one.target,
            socket=one.socket,
            asks=asked.get(migration, Asked(0, "")).times,
            said=asked.get(migration, Asked(0, "")).said,
        )
        for migration, one in now.outgoing.items()
    ]
    incoming = [
        OpenMigrationView(
            id=record.migration.id, vm=vm_id, direction="in", stage="held", peer=record.migration.peer
        )
        for vm_id, record in now.state.vms.items()
        if record.role is Role.INCOMING and record.migration is not None
    ]
    return (*outgoing, *incoming)


def _stage(state: HostState, migration: MigrationId) -> _Stage:
    for record in state.vms.values():
        if record.migration is not None and record.migration.id == migration:
            return "offered" if record.role is Role.OUTGOING else "handed-over"
    return "withdrawn"
