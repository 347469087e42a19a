"""A host's state as the bytes of a slot.

The encoder remembers what it made of each VM and each gpu, and makes anew only what a change touches. States
are frozen values that share what did not change, so that to compare identities is enough.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.manager import HostState, VmRecord
from vgpu_migrate.manager.records import physical_record
from vgpu_migrate.model import Gpu, GpuId, Host, VmId
from vgpu_migrate.model.placement import VGPUS_PER_GPU, Tenant
from vgpu_migrate.snapshot.driver import FIRST_WITH_SEVERAL_TYPES, driver_facts
from vgpu_migrate.snapshot.faults import Fault, encode_fault
from vgpu_migrate.snapshot.figures import total
from vgpu_migrate.snapshot.gpus import Contents, Frame, encode_contents, encode_gpu, frames, is_vgpu_host
from vgpu_migrate.snapshot.instances import Seated, in_gpu_instance, seat, text
from vgpu_migrate.snapshot.layout import COUNTERS, FAULT, GPU, HOST, INSTANCE, TYPE_ROOM
from vgpu_migrate.snapshot.rooms import find_type_rooms, seat_in_gpu_instances
from vgpu_migrate.snapshot.runtime import GpuRuntime, Runtime

MOST_GPUS = 256
DRIVER_SIZE = 64
"""What a fleet file allows for a host driver, and what fits a gpu's record beside the types it lists."""

NO_RUNTIME = Runtime()

_HETEROGENEOUS_MULTI_VGPU = 1 << 0  # nvmlVgpuDriverCapability_t


class _Memory:
    """What was made of the last state, gpu by gpu: by number, vgpus by handle."""

    def __init__(self, gpus: int) -> None:
        self.state: HostState | None = None
        self.seated: dict[VmId, tuple[VmRecord, tuple[Seated, ...]]] = {}
        self.on_gpu: list[dict[int, Seated]] = [{} for _ in range(gpus)]
        self.gpu_instances: list[dict[int, int]] = [{} for _ in range(gpus)]
        self.contents: dict[int, Contents] = {}
        self.structures: dict[int, tuple[GpuRuntime, bytes]] = {}
        self.records: dict[int, bytes] = {}
        self.instances: list[dict[int, bytes]] = [{} for _ in range(gpus)]
        self.handles: list[int] = []
        self.index = encode_index(())
        self.lists: tuple[bytes, bytes, bytes, bytes] | None = None


class Encoder:
    """Encodes the states of one host, whose gpus stay the same but for their modes.

    Raises:
        InputError: the host has more than 256 gpus.
    """

    def __init__(self, host: Host) -> None:
        if len(host.gpus) > MOST_GPUS:
            raise InputError(
                Problem(f"host {host.id}", f"{len(host.gpus)} gpus", f"wanted at most {MOST_GPUS}")
            )
        self.frames = frames(host)
        self.gpu_numbers: dict[GpuId, int] = {gpu.id: number for number, gpu in enumerate(host.gpus)}
        self._pool_count = _even(self.frames[-1].pool_end) if self.frames else 0
        self._rooms_count = sum(len(frame.types) for frame in self.frames)
        self._memory = _Memory(len(self.frames))

    @property
    def slot_size(self) -> int:
        """The bytes that a slot needs at most."""
        instances = VGPUS_PER_GPU * len(self.frames)
        return (
            HOST.size
            + len(self.frames) * GPU.size
            + self._rooms_count * TYPE_ROOM.size
            + self._pool_count * 4
            + COUNTERS * FAULT.size
            + index_size(instances) * 4
            + instances * INSTANCE.size
        )

    def encode(
        self, state: HostState, *, base: int, faults: Sequence[Fault] = (), runtime: Runtime = NO_RUNTIME
    ) -> bytes:
        """The bytes of a slot that begins at `base`, a multiple of eight; raises as `sections` does."""
        return b"".join(self.sections(state, base=base, faults=faults, runtime=runtime))

    def sections(
        self, state: HostState, *, base: int, faults: Sequence[Fault] = (), runtime: Runtime = NO_RUNTIME
    ) -> tuple[bytes, ...]:
        """The bytes of a slot in pieces that follow each other; what did not change is the same object again.

        Raises:
            InputError: a text does not fit, or there are more faults than counters.
            UnknownNameError: a fault names a function or a gpu that there is not.
        """
        text(state.host.driver, DRIVER_SIZE, place=f"host {state.host.id}: driver")
        if len(faults) > COUNTERS:
            raise InputError(Problem("faults", str(len(faults)), f"wanted at most {COUNTERS}"))
        # Taken out while it changes: should an error come, the next state begins without any.
        memory, self._memory = self._memory, _Memory(len(self.frames))
        memory = self._follow(memory, state)
        pairs = zip(self.frames, state.host.gpus, strict=True)
        gpus = [self._gpu(memory, state, frame, runtime.of(gpu.id)) for frame, gpu in pairs]
        rooms, pool, index, instances = memory.lists or self._lists(memory)
        memory.lists = rooms, pool, index, instances
        fault_table = b"".join(encode_fault(fault, gpus=self.gpu_numbers) for fault in faults)
        sections = (b"".join(gpus), rooms, pool, fault_table, index, instances)
        head = self._head(state, base, sections, instances=len(memory.handles), faults=len(faults))
        memory.state = state
        self._memory = memory
        return (head, *sections)

    def _lists(self, memory: _Memory) -> tuple[bytes, bytes, bytes, bytes]:
        contents = [memory.contents[frame.number] for frame in self.frames]
        rooms = b"".join(one.rooms for one in contents)
        pool = b"".join(one.pool for one in contents).ljust(self._pool_count * 4, b"\0")
        return rooms, pool, *_index_and_instances(memory)

    def _head(
        self, state: HostState, base: int, sections: Sequence[bytes], *, instances: int, faults: int
    ) -> bytes:
        host = state.host
        offsets, position = [], base + HOST.size
        for section in sections:
            offsets.append(position)
            position += len(section)
        gpus, rooms, pool, fault, index, instance = offsets
        preset, in_force = host.preset_range, host.range_in_force or host.preset_range
        is_known = host.has_manager and preset is not None
        driver = driver_facts(host.driver)
        several = host.has_manager and driver.major >= FIRST_WITH_SEVERAL_TYPES
        return HOST.struct.pack(
            gpus,
            instance,
            index,
            rooms,
            pool,
            fault,
            len(self.frames),
            instances,
            index_size(instances) - 1,
            self._rooms_count,
            self._pool_count,
            faults,
            driver.major,
            host.has_manager,
            is_known,
            *(preset if is_known and preset else (0, 0)),
            *(in_force if is_known and in_force else (0, 0)),
            driver.cuda_version,
            _HETEROGENEOUS_MULTI_VGPU if several else 0,
            0,
            text(driver.driver, 80, place=f"host {host.id}: driver"),
            text(driver.nvml, 80, place=f"host {host.id}: driver"),
            text(driver.branch, 80, place=f"host {host.id}: driver"),
        )

    def _follow(self, memory: _Memory, state: HostState) -> _Memory:
        """The memory without what the new state has made untrue."""
        before = memory.state
        if before is not None and before.host is not state.host:
            if not _are_alike(before.host, state.host):
                memory, before = _Memory(len(self.frames)), None
            memory.records.clear()
        changed: set[int] = set()
        for vm_id, record in state.vms.items():
            known = memory.seated.get(vm_id)
            if known is None or known[0] is not record:
                changed |= _unseat(memory, vm_id)
                changed |= self._seat(memory, state, record)
        for vm_id in memory.seated.keys() - state.vms.keys():
            changed |= _unseat(memory, vm_id)
        if before is None or before.devices is not state.devices:
            devices = (*(before.devices if before else {}).values(), *state.devices.values())
            changed |= {self.gpu_numbers[device.gpu] for device in devices}
        for number in changed:
            memory.contents.pop(number, None)
            memory.structures.pop(number, None)
        return memory

    def _seat(self, memory: _Memory, state: HostState, record: VmRecord) -> set[int]:
        seats = tuple(
            seat(state, record, position, gpu=self.gpu_numbers[vgpu.gpu])
            for position, vgpu in enumerate(record.vgpus)
        )
        memory.seated[record.definition.id] = (record, seats)
        for one in seats:
            memory.on_gpu[one.gpu][one.vgpu.handle] = one
        return {one.gpu for one in seats}

    def _gpu(self, memory: _Memory, state: HostState, frame: Frame, runtime: GpuRuntime) -> bytes:
        contents = memory.contents.get(frame.number)
        if contents is None:
            memory.lists = None
            contents = memory.contents[frame.number] = _look_at(memory, state, frame)
        known = memory.structures.get(frame.number)
        if known is None or known[0] != runtime:
            known = memory.structures[frame.number] = (runtime, encode_gpu(state, frame, contents, runtime))
        record = memory.records.get(frame.number)
        if record is None:
            gpu = state.host.gpus[frame.number]
            record = memory.records[frame.number] = physical_record(state, gpu)
        return known[1] + record


def _are_alike(before: Host, after: Host) -> bool:
    """Whether nothing differs but the ranges, which vgpus do not show."""
    return (
        before.driver == after.driver
        and before.has_manager == after.has_manager
        and before.hypervisor == after.hypervisor
        and before.gpus == after.gpus
    )


def _unseat(memory: _Memory, vm_id: VmId) -> set[int]:
    _, seats = memory.seated.pop(vm_id, (None, ()))
    for one in seats:
        del memory.on_gpu[one.gpu][one.vgpu.handle]
    return {one.gpu for one in seats}


def _look_at(memory: _Memory, state: HostState, frame: Frame) -> Contents:
    """What is on a gpu, and which room it has; its instances are remembered."""
    gpu = state.host.gpus[frame.number]
    is_host = is_vgpu_host(state.host, gpu)
    seated = memory.on_gpu[frame.number] if is_host else {}
    inside: dict[int, int] = {}
    if gpu.mig:
        vgpus = [(handle, one.vgpu.type) for handle, one in seated.items()]
        inside = seat_in_gpu_instances(gpu, vgpus, memory.gpu_instances[frame.number])
    memory.gpu_instances[frame.number] = inside
    active = {handle: seated[handle].structure for handle in sorted(seated) if seated[handle].structure}
    memory.instances[frame.number] = {
        handle: in_gpu_instance(structure, inside[handle]) if handle in inside else structure
        for handle, structure in active.items()
    }
    return encode_contents(
        frame,
        load=total(one.load for one in seated.values()),
        vgpus=len(seated),
        active=tuple(active),
        rooms=find_type_rooms(gpu, _tenants(state, gpu, seated), frame.types) if is_host else (),
    )


def _tenants(state: HostState, gpu: Gpu, seated: Mapping[int, Seated]) -> list[Tenant]:
    """What takes up room on a gpu, as `HostState.tenants` has it, without a walk over the whole host."""
    used = {one.vgpu.device_id for one in seated.values()}
    unused = (device for device in state.devices.values() if device.gpu == gpu.id and device.id not in used)
    return [one.vgpu.tenant for one in seated.values()] + [device.tenant for device in unused]


def _index_and_instances(memory: _Memory) -> tuple[bytes, bytes]:
    structures: dict[int, bytes] = {}
    for on_gpu in memory.instances:
        structures |= on_gpu
    handles = sorted(structures)
    if handles != memory.handles:
        memory.handles, memory.index = handles, encode_index(handles)
    return memory.index, b"".join([structures[handle] for handle in handles])


def index_size(instances: int) -> int:
    """The words of the index for so many instances: a power of two, at least twice as many."""
    return 1 << max(1, (2 * instances - 1).bit_length() if instances else 1)


def encode_index(handles: Sequence[int]) -> bytes:
    """The index that finds an instance by its handle; handles in the order of the instances."""
    size = index_size(len(handles))
    words = [0] * size
    for number, handle in enumerate(handles, start=1):
        position = handle & (size - 1)
        while words[position]:
            position = (position + 1) & (size - 1)
        words[position] = number
    return struct.pack(f"<{size}I", *words)


def _even(number: int) -> int:
    return number + number % 2
