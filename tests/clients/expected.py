"""What a client must be told of a host: worked out from the fleet and the software vGPU Manager alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.clients.fleets import HOST

from vgpu_migrate import facts
from vgpu_migrate.hosts import SimulatedHost
from vgpu_migrate.manager import VgpuManager, manager_from_fleet
from vgpu_migrate.model import Fleet, GpuId
from vgpu_migrate.nvml import NvmlError

Answers = dict[str, Any]
MIB = 1 << 20


def told(call: Callable[..., Any], *arguments: object) -> Any:
    """What a call answers, or its error's number, as the programs write it."""
    try:
        return call(*arguments)
    except NvmlError as error:
        return {"error": int(error.code)}


def expected(fleet: Fleet) -> Answers:
    """What every client must find out about `h01`, by the keys of the programs' JSON."""
    manager = manager_from_fleet(fleet, HOST)
    host = SimulatedHost(manager)
    ids = [gpu.id for gpu in manager.state.host.gpus]
    return {
        "driver": manager.state.host.driver,
        "ranges": told(lambda: [list(one) for one in host.vgpu_versions()]),
        "gpus": [expected_gpu(host, index, gpu) for index, gpu in enumerate(ids)],
        "vgpus": [vgpu for gpu in ids for vgpu in expected_vgpus(host, gpu, ids)],
    }


def expected_gpu(host: SimulatedHost, index: int, gpu: GpuId) -> Answers:
    """A gpu; of its memory only the whole, of its types those that it offers."""
    there = host.manager.state.gpu(gpu)
    active = told(host.active_vgpus, gpu)
    types = sorted(there.types or facts.types_of_board(there.board.key), key=lambda row: row.type_id)
    return {
        "index": index,
        "record": told(lambda: host.gpu_metadata(gpu).hex()),
        "total": there.board.framebuffer_mib * MIB,
        "active": active if isinstance(active, dict) else [vgpu.instance for vgpu in active],
        "supported": active if isinstance(active, dict) else [row.type_id for row in types],
        "types": {} if isinstance(active, dict) else {str(row.type_id): expected_type(row) for row in types},
    }


def expected_type(row: facts.VgpuType) -> Answers:
    """A vgpu type, as its row says."""
    return {
        "framebuffer": row.framebuffer_mib * MIB,
        "heads": row.heads,
        "resolution": [row.max_x, row.max_y],
        "max_instances": row.max_instances,
    }


def expected_vgpus(host: SimulatedHost, gpu: GpuId, gpus: list[GpuId]) -> list[Answers]:
    """The active vgpus of a gpu, with their verdicts on all gpus."""
    listed = told(host.active_vgpus, gpu)
    if isinstance(listed, dict):
        return []
    is_xen = host.manager.state.host.hypervisor == "xen"
    return [
        {
            "handle": vgpu.instance,
            "uuid": vgpu.uuid,
            "vm": [vgpu.vm, 0 if is_xen else 1],
            "type": type_of(host.manager, vgpu.instance).type_id,
            "driver": guest_driver(host.manager, vgpu.instance),
            "record": host.instance_metadata(vgpu.instance).hex(),
            "verdicts": [verdict(host, vgpu.instance, other) for other in gpus],
        }
        for vgpu in listed
    ]


def verdict(host: SimulatedHost, instance: int, gpu: GpuId) -> Any:
    """The verdict of an active vgpu on a gpu; None where the gpu has no record."""
    record = told(host.gpu_metadata, gpu)
    if isinstance(record, dict):
        return None
    return [int(part) for part in host.compatibility(host.instance_metadata(instance), record)]


def type_of(manager: VgpuManager, instance: int) -> facts.VgpuType:
    """The type of an active vgpu."""
    return next(
        vgpu.type for record in manager.state.vms.values() for vgpu in record.vgpus if vgpu.handle == instance
    )


def guest_driver(manager: VgpuManager, instance: int) -> str:
    """What `nvmlVgpuInstanceGetVmDriverVersion` says: the guest's driver, once it has reported."""
    guest = next(
        vgpu.guest
        for record in manager.state.vms.values()
        for vgpu in record.vgpus
        if vgpu.handle == instance
    )
    return "Not Available" if guest is None or not guest.driver else guest.driver
