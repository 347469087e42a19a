"""The answers of `host`, made of what a live host shows."""

from __future__ import annotations

from vgpu_migrate.cli.answers import spell_range, spell_version
from vgpu_migrate.cli.host_types import (
    DeviceRow,
    FaultRow,
    GpuRow,
    Guest,
    HostAnswer,
    Loading,
    MigrationRow,
    VersionAnswer,
    VgpuRow,
    VgpusAnswer,
    VmRow,
)
from vgpu_migrate.hosts.live_view import (
    DeviceView,
    FaultView,
    GpuView,
    HostView,
    OpenMigrationView,
    VgpuView,
    VmView,
)
from vgpu_migrate.manager import Negotiation
from vgpu_migrate.nvml import error_string


def host(view: HostView) -> HostAnswer:
    """All of a host."""
    return HostAnswer(
        host=view.id,
        domain=view.domain,
        profile=view.profile.value,
        driver=view.driver,
        manager=view.has_manager,
        hypervisor=view.hypervisor,
        schedulable=view.schedulable,
        preset_range=spell_range(view.preset_range),
        range=spell_range(view.range_in_force),
        override=view.range_is_override,
        range_source=view.range_said,
        gpus=[gpu(one) for one in view.gpus],
        vms=[vm(one) for one in view.vms],
        devices=[device(one) for one in view.devices],
        migrations=[migration(one) for one in view.migrations],
        faults=[fault(one) for one in view.faults],
        notices=list(view.notices),
    )


def version(view: HostView) -> VersionAnswer:
    """A host's driver and ranges."""
    return VersionAnswer(
        host=view.id,
        driver=view.driver,
        preset_range=spell_range(view.preset_range),
        range=spell_range(view.range_in_force),
        override=view.range_is_override,
        range_source=view.range_said,
    )


def gpu(view: GpuView) -> GpuRow:
    """One gpu."""
    return GpuRow(
        gpu=view.id,
        index=view.index,
        name=view.name,
        board=view.board,
        pci=view.pci,
        vgpu=view.is_vgpu_host,
        mode=view.mode.value,
        ecc=view.ecc,
        sriov=view.sriov,
        migration=view.migration,
        mig=view.mig,
        persistence=view.persistence,
        memory_mib=view.memory_mib,
        used_mib=view.used_mib,
        instances=view.instances,
    )


def vgpus(view: HostView) -> VgpusAnswer:
    """The vgpus of a host, by handle, and its devices."""
    rows = [vgpu(one, vm=owner.id) for owner in view.vms for one in owner.vgpus]
    return VgpusAnswer(sorted(rows, key=lambda row: row.instance), [device(one) for one in view.devices])


def device(view: DeviceView) -> DeviceRow:
    """One device."""
    return DeviceRow(
        device=view.id,
        type=view.type,
        gpu=view.gpu,
        placement=view.placement,
        function=view.function,
        vm=view.vm,
        instance=view.instance,
    )


def vgpu(view: VgpuView, *, vm: str) -> VgpuRow:
    """One vgpu of a VM."""
    guest = view.guest
    return VgpuRow(
        instance=view.instance,
        uuid=view.uuid,
        vm=vm,
        type=view.type,
        gpu=view.gpu,
        placement=view.placement,
        active=view.is_active,
        guest=None
        if guest is None
        else Guest(
            guest.driver,
            f"{guest.vgpu_version:#x}",
            spell_version(guest.minimum),
            spell_version(guest.maximum),
        ),
        device=view.device,
    )


def vm(view: VmView) -> VmRow:
    """One VM."""
    return VmRow(
        vm=view.id,
        uuid=view.uuid,
        domid=view.domid,
        state=view.power.value,
        role=view.role.value,
        active=view.is_active,
        memory_mib=view.memory_mib,
        guest_driver=view.guest_driver,
        types=list(view.types),
        vgpus=[vgpu(one, vm=view.id) for one in view.vgpus],
        saved_records=view.saved_records,
        guest_driver_load=None if view.negotiation is None else loading(view.negotiation),
        migration=view.migration,
    )


def loading(outcome: Negotiation) -> Loading:
    """A guest driver's attempt to load."""
    return Loading(
        driver=outcome.driver,
        loaded=outcome.has_loaded,
        version=spell_version(outcome.vgpu_version),
        guest_minimum=spell_version(outcome.guest_minimum),
        guest_maximum=spell_version(outcome.guest_maximum),
        host_range=spell_range(outcome.host_range),
    )


def fault(view: FaultView) -> FaultRow:
    """One fault."""
    return FaultRow(
        fault=view.number,
        function=view.function,
        gpu=view.gpu,
        instance=view.instance,
        code=view.code,
        says=error_string(view.code) if view.code else "slow",
        after=view.after,
        probability=view.probability,
        seed=view.seed,
        delay_ms=view.delay_s * 1000,
        left_s=view.left_s,
        calls=view.calls,
    )


def migration(view: OpenMigrationView) -> MigrationRow:
    """One open migration."""
    return MigrationRow(
        migration=view.id,
        vm=view.vm,
        direction=view.direction,
        stage=view.stage,
        peer=view.peer,
        socket=view.socket,
        asks=view.asks,
        said=view.said,
    )
