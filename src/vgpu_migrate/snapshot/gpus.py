"""A gpu as the snapshot tells of it: its `GPU` structure, its type rooms and its lists."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from vgpu_migrate.facts import VgpuType
from vgpu_migrate.manager import HostState
from vgpu_migrate.model import Gpu, Host, PlacementMode
from vgpu_migrate.model.placement import (
    VGPUS_PER_GPU,
    instances_per_gpu_instance,
    supported_placements,
)
from vgpu_migrate.snapshot import cards
from vgpu_migrate.snapshot.figures import Load, readings
from vgpu_migrate.snapshot.instances import text
from vgpu_migrate.snapshot.layout import ANY, GPU, TYPE_ROOM
from vgpu_migrate.snapshot.rooms import Room
from vgpu_migrate.snapshot.runtime import GpuRuntime
from vgpu_migrate.snapshot.static import supported_types

NO_VIRTUALIZATION, HOST_VGPU = 0, 3
"""`nvmlGpuVirtualizationMode_t`."""

NO_RESERVED_MEMORY = 0
"""The driver keeps nothing for itself, so that what is used is the vgpus' in each of NVML's versions."""

(
    _FRACTIONAL_MULTI_VGPU,
    _SEVERAL_TYPES,
    _SEVERAL_SIZES,
    _READ_BANDWIDTH,
    _WRITE_BANDWIDTH,
    _STREAMING,
) = (1 << bit for bit in range(6))
_MIG_TIMESLICING, _MIG_TIMESLICING_ENABLED = 1 << 10, 1 << 11


class Frame(NamedTuple):
    """What of a gpu never changes: its number, address, types and where its lists lie.

    Every list has the place that it would need when full, so that a change on one gpu moves nothing of
    another. `pool_first` counts in u32, `rooms_first` in rooms; `placements` is the most each type may have.
    """

    number: int
    pci: cards.PciAddress
    types: tuple[VgpuType, ...]
    placements: tuple[int, ...]
    pool_first: int
    rooms_first: int

    @property
    def supported_first(self) -> int:
        """Where its type ids begin in the pool; before them are its active vgpus."""
        return self.pool_first + VGPUS_PER_GPU

    @property
    def creatable_first(self) -> int:
        """Where the ids of the types that can be created now begin."""
        return self.supported_first + len(self.types)

    @property
    def placements_first(self) -> int:
        """Where the placement ids begin, type by type."""
        return self.creatable_first + len(self.types)

    @property
    def pool_end(self) -> int:
        """Where the next gpu's lists begin."""
        return self.placements_first + sum(self.placements)


def frames(host: Host) -> tuple[Frame, ...]:
    """The frames of a host's gpus, in order."""
    found: list[Frame] = []
    pool = rooms = 0
    for number, (gpu, pci) in enumerate(zip(host.gpus, cards.pci_addresses(host.gpus), strict=True)):
        types = supported_types(gpu.types, board=gpu.board)
        most = tuple(len(supported_placements(gpu.board, vgpu_type)) for vgpu_type in types)
        frame = Frame(number, pci, types, most, pool, rooms)
        found.append(frame)
        pool, rooms = frame.pool_end, rooms + len(types)
    return tuple(found)


class Contents(NamedTuple):
    """What is on a gpu, and the bytes that tell of it alone: type rooms and lists."""

    load: Load
    vgpus: int
    active: int
    supported: int
    creatable: int
    rooms: bytes
    pool: bytes


def encode_contents(
    frame: Frame, *, load: Load, vgpus: int, active: Sequence[int], rooms: Sequence[Room]
) -> Contents:
    """The type rooms and lists of a gpu.

    Args:
        frame: the gpu's.
        load: what all its vgpus use.
        vgpus: how many vgpus it has, held ones included.
        active: the handles of the active ones, ascending.
        rooms: one for each of its types; none on a gpu that is no vGPU host.
    """
    assert len(active) <= VGPUS_PER_GPU, "placement lets no more onto a gpu"
    types = frame.types if rooms else ()
    creatable = [one.type_id for one, room in zip(types, rooms, strict=True) if room.creatable]
    structures: list[bytes] = []
    pool = [*active, *[0] * (VGPUS_PER_GPU - len(active))]
    pool += [vgpu_type.type_id for vgpu_type in frame.types]
    pool += [*creatable, *[0] * (len(frame.types) - len(creatable))]
    position = frame.placements_first
    for index, (vgpu_type, most) in enumerate(zip(frame.types, frame.placements, strict=True)):
        free = rooms[index].placements if rooms else ()
        structures.append(TYPE_ROOM.struct.pack(vgpu_type.type_id, 0, position, len(free)))
        pool += free
        pool += [0] * (most - len(free))
        position += most
    return Contents(
        load=load,
        vgpus=vgpus,
        active=len(active),
        supported=len(types),
        creatable=len(creatable),
        rooms=b"".join(structures),
        pool=struct.pack(f"<{len(pool)}I", *pool),
    )


def is_vgpu_host(host: Host, gpu: Gpu) -> bool:
    """Whether vgpus can be on a gpu: it is a vGPU host, and the host has a vGPU Manager."""
    return host.has_manager and gpu.is_vgpu_host


def encode_gpu(state: HostState, frame: Frame, contents: Contents, runtime: GpuRuntime) -> bytes:
    """A gpu as a `GPU` structure, without its last member: the record, which alone depends on the range."""
    gpu = state.host.gpus[frame.number]
    board, load, is_host = gpu.board, contents.load, is_vgpu_host(state.host, gpu)
    uuid = cards.gpu_uuid(gpu)
    has_fan = cards.has_fan(board)
    now = readings(board, uuid, load, has_fan=has_fan, vgpus=contents.vgpus)
    ids = cards.pci_id(board)
    mode = HOST_VGPU if is_host else NO_VIRTUALIZATION
    bandwidth = cards.bandwidth_mb_s(board) if is_host else 0
    place = f"gpu {gpu.id}"
    structure = GPU.struct.pack(
        board.framebuffer_mib * cards.MIB,
        NO_RESERVED_MEMORY,
        load.framebuffer_used,
        cards.bar1_bytes(board),
        0,
        0,
        frame.pci.domain,
        frame.pci.bus,
        frame.pci.device,
        cards.combined(ids.device),
        cards.combined(ids.subsystem or 0),
        is_host,
        mode if runtime.virtualization_mode is None else runtime.virtualization_mode,
        gpu.sriov,
        is_host and gpu.mode is PlacementMode.MIXED,
        is_host and can_be_heterogeneous(gpu),
        capabilities(gpu) & ~runtime.capabilities_off | runtime.capabilities_on if is_host else 0,
        board.mig_slices > 0,
        bool(gpu.mig),
        True,
        gpu.ecc,
        runtime.persistence,
        0,
        now.performance_state,
        now.temperature,
        now.fan_speed if has_fan else ANY,
        now.power_mw,
        cards.power_limit_mw(board),
        load.sm,
        load.memory,
        load.encoder,
        load.decoder,
        cards.brand(board),
        cards.architecture(board),
        *cards.compute_capability(board),
        bandwidth,
        bandwidth,
        frame.pool_first,
        contents.active,
        frame.supported_first,
        contents.supported,
        frame.creatable_first,
        contents.creatable,
        frame.rooms_first,
        contents.supported,
        text(uuid, 96, place=place),
        text(cards.gpu_name(board), 96, place=place),
        text(cards.metadata_string(gpu) if is_host else "", 256, place=place),
        b"",
    )
    return structure[: GPU.offset("record")]


def can_be_heterogeneous(gpu: Gpu) -> bool:
    """Whether the gpu can be switched to mixed-size placement: from Ampere on, without MIG."""
    return gpu.board.has_mixed_size and not gpu.mig


def capabilities(gpu: Gpu) -> int:
    """`nvmlDeviceVgpuCapability_t` as bits, before any was set. Our assumption.

    Fractional vgpus in one VM, several types and several sizes at once: where mixed-size placement is
    possible. Streaming: where migration is. Time slices on MIG: where a GPU instance holds several vgpus of
    some type, enabled where the gpu is in MIG mode. The rest is not there.
    """
    bits = _READ_BANDWIDTH | _WRITE_BANDWIDTH
    if can_be_heterogeneous(gpu):
        bits |= _FRACTIONAL_MULTI_VGPU | _SEVERAL_TYPES | _SEVERAL_SIZES
    if gpu.migration:
        bits |= _STREAMING
    types = supported_types(gpu.types, board=gpu.board)
    if any(one.is_mig_backed and instances_per_gpu_instance(gpu.board, one) > 1 for one in types):
        bits |= _MIG_TIMESLICING | (_MIG_TIMESLICING_ENABLED if gpu.mig else 0)
    return bits
