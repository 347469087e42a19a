"""Which mover may go to which gpu, and how, worked out once for each class rather than each pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vgpu_migrate.compat import VgpuTraits, check, classify, vgpu_traits
from vgpu_migrate.model import Fleet, Gpu, GpuId, Vm, VmId


@dataclass(frozen=True, slots=True)
class StateTable:
    """The states left for each class of vgpu on each class of gpu, as bits of `nvml.States`."""

    vgpu_classes: dict[VmId, tuple[int, ...]]
    """For each VM, the class of each of its vgpus."""
    gpu_classes: dict[GpuId, int]
    states: list[list[int]]
    """[vgpu class][gpu class]."""


def state_table(fleet: Fleet, movers: Iterable[Vm], gpus: Sequence[Gpu]) -> StateTable:
    """Look up the vgpus that are to move and the gpus that may receive them in the fleet's classes.

    A class of VMs judges its vgpus together. That is right where they are alike; a VM whose vgpus differ
    may have each on another gpu, so those few are judged one by one, by the pair call.
    """
    classes = classify(fleet)
    used = sorted({classes.gpu_class[gpu.id] for gpu in gpus})
    renumbered = {gpu_class: number for number, gpu_class in enumerate(used)}
    gpu_classes = {gpu.id: renumbered[classes.gpu_class[gpu.id]] for gpu in gpus}
    rows: dict[int | VgpuTraits, int] = {}
    states: list[list[int]] = []
    vgpu_classes: dict[VmId, tuple[int, ...]] = {}
    for vm in movers:
        vm_class = classes.vm_class[vm.id]
        keys: list[int | VgpuTraits] = [vm_class] * len(vm.vgpus)
        if len(classes.vm_classes[vm_class].traits) > 1:
            keys = [vgpu_traits(fleet, vm, vgpu) for vgpu in vm.vgpus]
        for key in keys:
            if key not in rows:
                rows[key] = len(states)
                if isinstance(key, int):
                    states.append(classes.states[key, used].tolist())
                else:
                    there = [classes.gpu_classes[gpu_class] for gpu_class in used]
                    states.append([int(check(key, item.traits, item.profile).states) for item in there])
        vgpu_classes[vm.id] = tuple([rows[key] for key in keys])
    return StateTable(vgpu_classes, gpu_classes, states)
