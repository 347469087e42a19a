"""What the rules look at: the named fields of the two sides of a comparison.

A vgpu's traits and a gpu's traits are read from metadata records or from a fleet; the two ways meet here,
so that both views of one VM are judged by the same rows. None is "unknown" or "has none".
"""

from __future__ import annotations

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, Gpu, Host, Vgpu, Vm, VmState


class VgpuTraits(msgspec.Struct, frozen=True, gc=False):
    """A vgpu as the rules see it.

    `board` is the board key, `type` the short name. `version`, `guest_min` and `guest_max` are vGPU
    versions. `host_driver`, `ecc`, `sriov`, `topology` and `mig` describe the source; they are None for a
    VM without a gpu.
    """

    board: str
    type: str
    mig_backed: bool
    guest_info: bool
    version: int | None
    guest_min: int | None
    guest_max: int | None
    host_driver: str | None
    ecc: bool | None
    sriov: bool | None
    topology: int | None
    mig: tuple[int, ...] | None
    migration: bool


class GpuTraits(msgspec.Struct, frozen=True, gc=False):
    """A gpu as the rules see it. `types` are short names, None where it does not list what it offers."""

    board: str
    mig_enabled: bool
    types: frozenset[str] | None
    range_min: int | None
    range_max: int | None
    preset_min: int | None
    preset_max: int | None
    host_driver: str
    ecc: bool
    sriov: bool
    topology: int
    mig: tuple[int, ...]
    migration: bool


def gpu_traits(host: Host, gpu: Gpu) -> GpuTraits:
    """The traits of a gpu of a fleet. A range of zeros is an unknown one, as it is in a record."""
    in_force, preset = (
        known if known is not None and any(known) else None
        for known in (host.range_in_force, host.preset_range)
    )
    return GpuTraits(
        board=gpu.board.key,
        mig_enabled=bool(gpu.mig),
        types=frozenset(vgpu_type.short for vgpu_type in gpu.types) if gpu.types else None,
        range_min=in_force.minimum if in_force else None,
        range_max=in_force.maximum if in_force else None,
        preset_min=preset.minimum if preset else None,
        preset_max=preset.maximum if preset else None,
        host_driver=host.driver,
        ecc=gpu.ecc,
        sriov=gpu.sriov,
        topology=gpu.topology,
        mig=gpu.mig,
        migration=gpu.migration,
    )


def vgpu_traits(fleet: Fleet, vm: Vm, vgpu: Vgpu) -> VgpuTraits:
    """The traits of a vgpu of a fleet.

    A fleet file may know the guest driver before it has reported; then its bounds count already, which a
    record would not have.
    """
    guest = facts.guest_driver(vm.guest_driver) if vm.guest_driver is not None else None
    holds_version = vgpu.vgpu_version is not None and vm.state not in (VmState.OFF, VmState.BOOTING)
    source = fleet.gpus[vgpu.gpu] if vgpu.gpu is not None else None
    return VgpuTraits(
        board=vgpu.type.board,
        type=vgpu.type.short,
        mig_backed=vgpu.type.is_mig_backed,
        guest_info=holds_version,
        version=vgpu.vgpu_version if holds_version else None,
        guest_min=guest.minimum if guest else None,
        guest_max=guest.maximum if guest else None,
        host_driver=fleet.hosts[source.host].driver if source else None,
        ecc=source.ecc if source else None,
        sriov=source.sriov if source else None,
        topology=source.topology if source else None,
        mig=source.mig if source else None,
        migration=vgpu.migration and (source is None or source.migration),
    )
