"""Which mover may go to which gpu, and how, worked out once for each class rather than each pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vgpu_migrate.compat import GpuTraits, VgpuTraits, check, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet, Gpu, Profile, Vm


@dataclass(frozen=True, slots=True)
class StateTable:
    """The states left for each class of vgpu on each class of gpu, as bits of `nvml.States`."""

    vgpu_classes: dict[str, tuple[int, ...]]
    """By VM id, the class of each of its vgpus."""
    gpu_classes: dict[str, int]
    states: list[list[int]]
    """[vgpu class][gpu class]."""


def state_table(fleet: Fleet, movers: Iterable[Vm], gpus: Sequence[Gpu]) -> StateTable:
    """Classify the vgpus that are to move and the gpus that may receive them."""
    gpu_numbers: dict[tuple[GpuTraits, Profile], int] = {}
    gpu_classes: dict[str, int] = {}
    for gpu in gpus:
        host = fleet.hosts[gpu.host]
        key = (gpu_traits(host, gpu), fleet.settings_of(host.domain).profile)
        gpu_classes[gpu.id] = gpu_numbers.setdefault(key, len(gpu_numbers))
    vgpu_numbers: dict[VgpuTraits, int] = {}
    vgpu_classes: dict[str, tuple[int, ...]] = {}
    for vm in movers:
        traits = [vgpu_traits(fleet, vm, vgpu) for vgpu in vm.vgpus]
        vgpu_classes[vm.id] = tuple([vgpu_numbers.setdefault(item, len(vgpu_numbers)) for item in traits])
    states = [
        [int(check(vgpu, gpu, profile).states) if vgpu.board == gpu.board else 0 for gpu, profile in gpu_numbers]
        for vgpu in vgpu_numbers
    ]
    return StateTable(vgpu_classes, gpu_classes, states)
