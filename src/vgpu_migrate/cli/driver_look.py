"""`host show`, `gpus`, `vgpus`, `metadata`, `version` and `set-range` of this machine's real driver."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from vgpu_migrate import facts
from vgpu_migrate.cli import host_records, host_view
from vgpu_migrate.cli import host_types as rows
from vgpu_migrate.cli.answers import spell_range, spell_version
from vgpu_migrate.cli.catalog_view import tell
from vgpu_migrate.cli.driver_open import Placed, ask, placed
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.hosts.driver import DriverGpu, DriverHost
from vgpu_migrate.hosts.driver_prediction import board_of
from vgpu_migrate.nvml import (
    VIRTUALIZATION_CAP_MIGRATION,
    GuestInfoState,
    NotFoundError,
    PgpuMetadata,
    VersionRange,
    VgpuMetadata,
)

SAID = "the driver's own answer"


def show(*, as_json: bool) -> int:
    """Everything that the driver says: ranges, gpus, vgpus."""

    def act(host: DriverHost) -> int:
        said = _version(host)
        found = rows.DriverAnswer(
            host=said.host,
            driver=said.driver,
            preset_range=said.preset_range,
            range=said.range,
            override=said.override,
            range_source=said.range_source,
            gpus=_gpus(host),
            vgpus=_vgpus(host),
        )
        return tell(found, host_view.show_driver, as_json=as_json)

    return ask(act, as_json=as_json)


def gpus(*, as_json: bool) -> int:
    """The gpus, in the driver's order."""

    def act(host: DriverHost) -> int:
        return tell(
            rows.GpusAnswer(_gpus(host)),
            lambda screen, found: host_view.show_gpus(screen, found.gpus),
            as_json=as_json,
        )

    return ask(act, as_json=as_json)


def vgpus(*, as_json: bool) -> int:
    """The active vgpus, by instance number."""

    def act(host: DriverHost) -> int:
        return tell(rows.VgpusAnswer(_vgpus(host), []), host_view.show_vgpus, as_json=as_json)

    return ask(act, as_json=as_json)


def metadata(name: str, *, form: str | None, output: str | None, as_json: bool) -> int:
    """The records of a VM's vgpus, of one vgpu, or of a gpu."""

    def act(host: DriverHost) -> int:
        found = find(host, name)
        if found is None:
            raise UnknownNameError("VM, vgpu or gpu", name, names(host))
        return host_records.tell(found, form=form, output=output, as_json=as_json)

    return ask(act, as_json=as_json)


def version(*, as_json: bool) -> int:
    """The driver and its ranges."""
    return ask(lambda host: tell(_version(host), host_view.show_version, as_json=as_json), as_json=as_json)


def set_range(wanted: VersionRange | None, *, as_json: bool) -> int:
    """Override the range of vGPU versions; None puts the preset range back in force."""

    def act(host: DriverHost) -> int:
        host.set_vgpu_version(wanted or host.vgpu_versions()[0])
        return tell(_version(host), host_view.show_version, as_json=as_json)

    return ask(act, as_json=as_json)


def find(host: DriverHost, name: str) -> host_records.Records | None:
    """The records of a VM by its id, a vgpu by its instance number or UUID, a gpu by its UUID or PCI address.

    None where the driver has nothing of that name.
    """
    of_name = [
        one.vgpu for one in placed(host) if name in (one.vgpu.vm, one.vgpu.uuid, str(one.vgpu.instance))
    ]
    if of_name:
        instances = tuple(vgpu.instance for vgpu in of_name)
        data = tuple(host.instance_metadata(instance) for instance in instances)
        return host_records.Records(of_name[0].vm, False, data, instances)
    for gpu in host.gpus():
        if name in (gpu.id, gpu.pci):
            return host_records.Records(gpu.id, True, (host.gpu_metadata(gpu.id),), (None,))
    return None


def names(host: DriverHost) -> list[str]:
    """What there are records of."""
    vms = dict.fromkeys(one.vgpu.vm for one in placed(host))
    return [*vms, *(gpu.id for gpu in host.gpus())]


def _version(host: DriverHost) -> rows.VersionAnswer:
    preset, in_force = host.vgpu_versions()
    return rows.VersionAnswer(
        host=socket.gethostname(),
        driver=host.driver_version(),
        preset_range=spell_range(preset),
        range=spell_range(in_force),
        override=in_force != preset,
        range_source=SAID,
    )


def _gpus(host: DriverHost) -> list[rows.GpuRow]:
    return [_gpu(host, gpu) for gpu in host.describe()]


def _gpu(host: DriverHost, gpu: DriverGpu) -> rows.GpuRow:
    migration = None
    if gpu.is_vgpu_host:
        fields = PgpuMetadata.from_fixed_part(host.gpu_metadata(gpu.id))
        migration = bool(fields.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION)
    return rows.GpuRow(
        gpu=gpu.id,
        index=gpu.number,
        name=gpu.name,
        board=board_of(gpu),
        pci=gpu.pci,
        vgpu=gpu.is_vgpu_host,
        mode=None,
        ecc=gpu.ecc,
        sriov=None,
        migration=migration,
        mig=None if gpu.mig_enabled else (),
        persistence=gpu.persistence,
        memory_mib=gpu.memory_mib,
        used_mib=gpu.used_mib,
        instances=gpu.instances,
    )


def _vgpus(host: DriverHost) -> list[rows.VgpuRow]:
    return sorted(_rows(host, placed(host)), key=lambda row: row.instance)


def _rows(host: DriverHost, found: Iterable[Placed]) -> Iterable[rows.VgpuRow]:
    for vgpu, gpu in found:
        try:
            record = host.instance_metadata(vgpu.instance)
        except NotFoundError:
            # It has ended since it was listed.
            continue
        yield rows.VgpuRow(
            instance=vgpu.instance,
            uuid=vgpu.uuid,
            vm=vgpu.vm,
            type=vgpu.type,
            gpu=gpu.id,
            placement=host.placement(vgpu.instance),
            active=True,
            guest=_guest(record),
            device=None,
        )


def _guest(record: bytes) -> rows.Guest | None:
    fields = VgpuMetadata.from_fixed_part(record)
    if fields.guest_info_state is not GuestInfoState.INITIALIZED:
        return None
    known = facts.guest_driver(fields.guest_driver_version)
    return rows.Guest(
        fields.guest_driver_version,
        f"{fields.guest_vgpu_version:#x}",
        spell_version(known.minimum),
        spell_version(known.maximum),
    )
