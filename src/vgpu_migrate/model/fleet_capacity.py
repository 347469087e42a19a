"""Over-full gpus in a fleet file: what shares a gpu must fit there together."""

from __future__ import annotations

from collections.abc import Iterator

from vgpu_migrate.model.fleet_findings import Findings
from vgpu_migrate.model.fleet_hosts import HostReader
from vgpu_migrate.model.fleet_report import shown
from vgpu_migrate.model.fleet_vms import VmReader
from vgpu_migrate.model.placement import VGPUS_PER_TIME_SLICED_GPU, Tenant, overfull
from vgpu_migrate.model.values import Gpu, PlacementMode, Vgpu

MOST_VMS_NAMED = 8


def check_capacity(findings: Findings, hosts: HostReader, vms: VmReader) -> None:
    """Note every over-full gpu, and every vgpu on a mixed-size gpu whose region overlaps another's."""
    owners: dict[int, tuple[str, int, int]] = {}
    for gpu_id, there in vms.on_gpu.items():
        gpu = hosts.gpus[gpu_id]
        if gpu.mode is PlacementMode.EQUAL and not gpu.mig and _has_one_type_that_fits(there):
            continue
        if gpu.mode is PlacementMode.MIXED:
            clashes = list(_overlaps(there))
            if clashes:
                owners = owners or _owners(vms)
            for vgpu, other in clashes:
                vm, index, position = owners[id(vgpu)]
                findings.wrong(
                    f"vms[{index}].vgpus[{position}].placement",
                    f"{vgpu.placement} overlaps the {other.type.short} of {shown(owners[id(other)][0])}, "
                    f"{other.type.framebuffer_gib} GiB from {other.placement} on",
                    f"wanted a free placement id on {shown(gpu_id)}",
                )
            crowded = {id(vgpu) for vgpu, _ in clashes}
            there = [vgpu for vgpu in there if id(vgpu) not in crowded]
        clauses = overfull(gpu, [Tenant(vgpu.type, vgpu.placement) for vgpu in there])
        if clauses:
            owners = owners or _owners(vms)
            names = list(dict.fromkeys(shown(owners[id(vgpu)][0]) for vgpu in there))
            more = f" and {len(names) - MOST_VMS_NAMED} more" if len(names) > MOST_VMS_NAMED else ""
            for clause in clauses:
                findings.wrong(
                    hosts.place_of_gpu[gpu_id],
                    f"over-full: {clause}",
                    f"wanted fewer vgpus on {shown(gpu_id)}; "
                    f"its VMs are {', '.join(names[:MOST_VMS_NAMED])}{more}",
                )


def _has_one_type_that_fits(there: list[Vgpu]) -> bool:
    first = there[0].type
    if len(there) > min(first.max_instances, VGPUS_PER_TIME_SLICED_GPU):
        return False
    return all(vgpu.type is first for vgpu in there)


def _overlaps(there: list[Vgpu]) -> Iterator[tuple[Vgpu, Vgpu]]:
    """Each vgpu whose region meets that of one before it, with that one; regions in GiB."""
    kept: list[tuple[int, int, Vgpu]] = []
    for vgpu in there:
        assert vgpu.placement is not None
        start, end = vgpu.placement, vgpu.placement + vgpu.type.framebuffer_gib
        clash = next((other for low, high, other in kept if start < high and low < end), None)
        if clash is None:
            kept.append((start, end, vgpu))
        else:
            yield vgpu, clash


def _owners(vms: VmReader) -> dict[int, tuple[str, int, int]]:
    """For each vgpu by identity: its VM's id, and both indices in the file."""
    return vms.owners()
