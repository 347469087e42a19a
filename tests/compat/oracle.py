"""A second statement of the compatibility rules, as plain as can be: no table, no parser, no arrays.

It is written from the specification's wording alone and shares nothing with the code it is compared with but
the names of the traits. States and limits are NVML's numbers.
"""

from __future__ import annotations

from typing import NamedTuple

from vgpu_migrate.compat import GpuTraits, VgpuTraits

COLD, HIBERNATE, SLEEP, LIVE = 1, 2, 4, 8
HOST_DRIVER, GUEST_DRIVER, GPU, OTHER = 1, 2, 4, 0x80000000


class Judgement(NamedTuple):
    """The ids of the rows that hit, in the order of the specification, the states left, the limits."""

    rules: tuple[str, ...]
    states: int
    limits: int


def fresh_version(vgpu: VgpuTraits, gpu: GpuTraits) -> int | None:
    """What a negotiation on the target would give: the highest version that both sides admit."""
    if vgpu.guest_max is None:
        return None
    if gpu.range_min is None or gpu.range_max is None:
        return None
    highest = vgpu.guest_max
    if gpu.range_max < highest:
        highest = gpu.range_max
    if highest < gpu.range_min:
        return None
    if vgpu.guest_min is not None and highest < vgpu.guest_min:
        return None
    return highest


def judge(vgpu: VgpuTraits, gpu: GpuTraits, profile: str) -> Judgement:
    """Every row of the specification's table, one after the other."""
    rules: list[str] = []
    states = COLD | HIBERNATE | SLEEP | LIVE
    limits = 0

    if vgpu.board != gpu.board or vgpu.mig_backed != gpu.mig_enabled:
        rules.append("board")
        states = 0
        limits |= GPU

    if gpu.types is not None and vgpu.type not in gpu.types:
        rules.append("type")
        states = 0
        limits |= GPU

    if not vgpu.guest_info:
        rules.append("guest-info")
        states &= COLD
        limits |= OTHER

    if (
        vgpu.guest_info
        and vgpu.version is not None
        and gpu.range_min is not None
        and vgpu.version < gpu.range_min
    ):
        rules.append("guest-older")
        states &= COLD
        limits |= GUEST_DRIVER

    if (
        vgpu.guest_info
        and vgpu.version is not None
        and gpu.range_max is not None
        and vgpu.version > gpu.range_max
    ):
        rules.append("guest-newer")
        states &= COLD
        limits |= HOST_DRIVER

    if vgpu.guest_max is not None and gpu.range_min is not None and vgpu.guest_max < gpu.range_min:
        rules.append("guest-driver-older")
        states = 0
        limits |= GUEST_DRIVER

    if vgpu.guest_min is not None and gpu.range_max is not None and vgpu.guest_min > gpu.range_max:
        rules.append("guest-driver-newer")
        states = 0
        limits |= HOST_DRIVER

    differs = False
    if vgpu.ecc is not None and vgpu.ecc != gpu.ecc:
        differs = True
    if vgpu.sriov is not None and vgpu.sriov != gpu.sriov:
        differs = True
    if vgpu.topology is not None and vgpu.topology != gpu.topology:
        differs = True
    if vgpu.mig is not None and vgpu.mig != gpu.mig:
        differs = True
    if differs:
        rules.append("gpu-config")
        states &= COLD | HIBERNATE
        limits |= GPU

    if not gpu.migration:
        rules.append("gpu-migration-off")
        states &= COLD | HIBERNATE
        limits |= GPU

    if not vgpu.migration:
        rules.append("vgpu-migration-off")
        states &= COLD | HIBERNATE
        limits |= OTHER

    if (
        profile == "identical-host-drivers"
        and vgpu.host_driver is not None
        and vgpu.host_driver != gpu.host_driver
    ):
        rules.append("identical-host-drivers")
        states &= COLD | HIBERNATE
        limits |= HOST_DRIVER

    if profile == "renegotiating-resume" and vgpu.guest_info and vgpu.version is not None:
        fresh = fresh_version(vgpu, gpu)
        if fresh is not None and fresh != vgpu.version:
            rules.append("renegotiating-resume")
            states &= LIVE | COLD
            limits |= HOST_DRIVER

    return Judgement(tuple(rules), states, limits)
