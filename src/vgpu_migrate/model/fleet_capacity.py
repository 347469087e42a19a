"""Over-full gpus in a fleet file: what shares a gpu must fit there together."""

from __future__ import annotations

from vgpu_migrate.model.fleet_findings import Findings
from vgpu_migrate.model.fleet_hosts import HostReader
from vgpu_migrate.model.fleet_report import shown
from vgpu_migrate.model.fleet_vms import Seated, VmReader
from vgpu_migrate.model.placement import VGPUS_PER_TIME_SLICED_GPU, Tenant, overfull
from vgpu_migrate.model.values import Gpu, PlacementMode

MOST_VMS_NAMED = 8


def check_capacity(findings: Findings, hosts: HostReader, vms: VmReader) -> None:
    """Note every over-full gpu, and every vgpu on a mixed-size gpu whose region overlaps another's."""
    for gpu_id, seated in vms.on_gpu.items():
        gpu = hosts.gpus[gpu_id]
        clashes = _overlaps(seated) if gpu.mode is PlacementMode.MIXED else {}
        if not clashes and _surely_fits(gpu, seated):
            continue
        there = seated
        if clashes:
            there = [seat for seat in seated if seat not in clashes]
            for seat, other in clashes.items():
                vgpu = other.vgpu
                findings.wrong(
                    f"vms[{seat.vm_number}].vgpus[{seat.position}].placement",
                    f"{seat.vgpu.placement} overlaps the {vgpu.type.short} of {vms.name(other.vm_number)}, "
                    f"{vgpu.type.framebuffer_gib} GiB from {vgpu.placement} on",
                    f"wanted a free placement id on {shown(gpu_id)}",
                )
        clauses = overfull(gpu, [Tenant(seat.vgpu.type, seat.vgpu.placement) for seat in there])
        if clauses:
            names = list(dict.fromkeys(vms.name(seat.vm_number) for seat in there))
            more = f" and {len(names) - MOST_VMS_NAMED} more" if len(names) > MOST_VMS_NAMED else ""
            named = f"{', '.join(names[:MOST_VMS_NAMED])}{more}"
            for clause in clauses:
                findings.wrong(
                    hosts.place_of_gpu[gpu_id],
                    f"over-full: {clause}",
                    f"wanted fewer vgpus on {shown(gpu_id)}; it has those of {named}",
                )


def _surely_fits(gpu: Gpu, seated: list[Seated]) -> bool:
    """The quick answer for most gpus; where it is no, `overfull` tells exactly."""
    if not seated:
        return True
    count, first = len(seated), seated[0].vgpu.type
    if gpu.mig or count > VGPUS_PER_TIME_SLICED_GPU or count > first.max_instances:
        return False
    if gpu.mode is PlacementMode.MIXED:
        return all(count <= seat.vgpu.type.max_instances for seat in seated)
    return all(seat.vgpu.type is first for seat in seated)


def _overlaps(seated: list[Seated]) -> dict[Seated, Seated]:
    """Each vgpu whose region meets that of one before it, with that one; regions in GiB."""
    found: dict[Seated, Seated] = {}
    kept: list[tuple[int, int, Seated]] = []
    for seat in seated:
        start = seat.vgpu.placement
        assert start is not None
        end = start + seat.vgpu.type.framebuffer_gib
        clash = next((other for low, high, other in kept if start < high and low < end), None)
        if clash is None:
            kept.append((start, end, seat))
        else:
            found[seat] = clash
    return found
