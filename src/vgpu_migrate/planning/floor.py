"""The receiving gpus and hosts of one migration domain, as arrays that a search changes and changes back.

Movers come and go; residents stay, unless they are adopted as movers that are there already. The rules of
room are those of `model.placement`; tests hold `Floor` to `moves.apply`.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, Gpu, GpuId, Host, PlacementMode, Vm
from vgpu_migrate.model.placement import (
    VGPUS_PER_TIME_SLICED_GPU,
    NoRoom,
    Tenant,
    find_room,
)
from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.geometry import best_id, region

NO_ID = -1
"""Stands for "no placement id" on gpus that have none."""
UNLOCKED = -1
MOST_SCANNED = 64
"""How many equally full gpus are compared by the load of their hosts."""


class Sharing(IntEnum):
    """How a gpu is shared."""

    EQUAL = 0
    MIXED = 1
    MIG = 2


SeatAt = tuple[int, int]
"""A gpu's number and a placement id, or NO_ID."""
Seats = tuple[SeatAt, ...]


@dataclass
class Floor:
    """Gpus and hosts by number, in the fleet's order."""

    gpus: list[Gpu] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    host_of: list[int] = field(default_factory=list)
    gpus_of: list[list[int]] = field(default_factory=list)
    gpu_class: list[int] = field(default_factory=list)
    sharing: list[Sharing] = field(default_factory=list)
    boards: list[int] = field(default_factory=list)
    lock: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    mig: list[Counter[int]] = field(default_factory=list)
    """How many of each type a MIG gpu holds; of others nothing."""
    is_opened: list[bool] = field(default_factory=list)
    """Whether all that the gpu holds are movers: it was empty before this plan, or its residents may move."""
    memory_left: list[float] = field(default_factory=list)
    vcpus_left: list[float] = field(default_factory=list)
    groups: list[Counter[str]] = field(default_factory=list)
    load_s: list[float] = field(default_factory=list)
    """Seconds of migration coming in."""
    placed: dict[int, Seats] = field(default_factory=dict)
    """By mover's number."""
    here: list[dict[int, Mover]] = field(default_factory=list)
    """By gpu, the movers placed on it, by number."""
    arrivals: dict[int, list[int]] = field(default_factory=dict)
    """By board, the gpus with movers on them, ascending."""
    slots: dict[tuple[int, int], list[list[int]]] = field(default_factory=dict)
    """Equal-size gpus locked to a type with slots left: by (type, gpu class), then slots left, ascending."""
    empty: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """Empty equal-size gpus by (board, gpu class), ascending."""
    mixed: dict[tuple[int, int], dict[int, list[int]]] = field(default_factory=dict)
    """Mixed-size gpus by (board, gpu class), then by the mask taken, ascending."""
    migs: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """MIG gpus by (board, gpu class)."""
    state: int = 0
    """A number for the present state, so that what is known of it can be remembered; see `restored`."""
    ticks: int = 0
    """The last such number given out."""

    def fits_host(self, host: int, mover: Mover) -> bool:
        """Whether a host, not its own, has the memory and vcpus for a mover and none of its groups."""
        if host == mover.home:
            return False
        if mover.memory_mib > self.memory_left[host]:
            return False
        if mover.vcpus and mover.vcpus > self.vcpus_left[host]:
            return False
        if not mover.groups:
            return True
        there = self.groups[host]
        return not any(there[group] for group in mover.groups)

    def room(self, gpu: int, type_row: int) -> int | None:
        """The placement id, or NO_ID, where one more vgpu fits on a gpu of its board; None without room."""
        sharing = self.sharing[gpu]
        if sharing is Sharing.EQUAL:
            lock = self.lock[gpu]
            if lock == UNLOCKED:
                return NO_ID
            return NO_ID if lock == type_row and self.count[gpu] < capacity(type_row) else None
        if sharing is Sharing.MIXED:
            if self.count[gpu] >= VGPUS_PER_TIME_SLICED_GPU:
                return None
            found = best_id(type_row, self.mask[gpu])
            return None if found is None else found[1]
        tenants = [
            Tenant(facts.vgpu_type_by_row(row), None)
            for row, count in self.mig[gpu].items()
            for _ in range(count)
        ]
        room = find_room(self.gpus[gpu], tenants, facts.vgpu_type_by_row(type_row))
        return None if isinstance(room, NoRoom) else NO_ID

    def put(self, mover: Mover, seats: Seats) -> None:
        """Place a mover; the caller has checked that it fits."""
        self._changed()
        for (gpu, placement), type_row in zip(seats, mover.types, strict=True):
            self._add(gpu, type_row, placement, 1)
            if not self.here[gpu]:
                insort(self.arrivals.setdefault(self.boards[gpu], []), gpu)
            self.here[gpu][mover.number] = mover
        self.placed[mover.number] = seats
        self._charge(self.host_of[seats[0][0]], mover, 1)

    def adopt(self, mover: Mover, seats: Seats) -> None:
        """Let a resident, which is counted here already, be a mover from now on."""
        for gpu, _ in seats:
            if not self.here[gpu]:
                insort(self.arrivals.setdefault(self.boards[gpu], []), gpu)
            self.here[gpu][mover.number] = mover
        self.placed[mover.number] = seats

    def take(self, mover: Mover) -> Seats:
        """Undo `put`; gives back the seats."""
        self._changed()
        seats = self.placed.pop(mover.number)
        for (gpu, placement), type_row in zip(seats, mover.types, strict=True):
            self._add(gpu, type_row, placement, -1)
            if self.here[gpu].pop(mover.number, None) is not None and not self.here[gpu]:
                there = self.arrivals[self.boards[gpu]]
                del there[bisect_left(there, gpu)]
        self._charge(self.host_of[seats[0][0]], mover, -1)
        return seats

    def _changed(self) -> None:
        self.ticks += 1
        self.state = self.ticks

    def restored(self, state: int) -> None:
        """Say that everything is again as it was when `state` was read."""
        self.state = state

    def hold(self, gpu: int, type_row: int, placement: int) -> None:
        """Take a slot for the time of a search, outside any mover's name."""
        self._add(gpu, type_row, placement, 1)

    def release(self, gpu: int, type_row: int, placement: int) -> None:
        """Undo `hold`."""
        self._add(gpu, type_row, placement, -1)

    def _charge(self, host: int, mover: Mover, sign: int) -> None:
        self.memory_left[host] -= sign * mover.memory_mib
        self.vcpus_left[host] -= sign * mover.vcpus
        self.load_s[host] += sign * mover.seconds
        for group in mover.groups:
            self.groups[host][group] += sign

    def _add(self, gpu: int, type_row: int, placement: int, sign: int) -> None:
        sharing = self.sharing[gpu]
        if sign > 0:
            assert self.has_room(gpu, type_row, placement), "no room: the search is wrong"
        if sharing is Sharing.MIG:
            self.mig[gpu][type_row] += sign
            self.count[gpu] += sign
            return
        self._unlist(gpu)
        self.count[gpu] += sign
        if sharing is Sharing.EQUAL:
            self.lock[gpu] = type_row if self.count[gpu] else UNLOCKED
        else:
            self.mask[gpu] ^= region(type_row, placement)
        self._list(gpu)

    def has_room(self, gpu: int, type_row: int, placement: int) -> bool:
        """Whether a type fits exactly there."""
        if self.sharing[gpu] is Sharing.MIXED:
            is_free = not self.mask[gpu] & region(type_row, placement)
            return is_free and self.count[gpu] < VGPUS_PER_TIME_SLICED_GPU
        return self.room(gpu, type_row) is not None

    def _bucket(self, gpu: int) -> list[int] | None:
        """The list a gpu stands in as it is now; None for a full one."""
        board, gpu_class = self.boards[gpu], self.gpu_class[gpu]
        if self.sharing[gpu] is Sharing.MIXED:
            if self.count[gpu] >= VGPUS_PER_TIME_SLICED_GPU:
                return None
            return self.mixed.setdefault((board, gpu_class), {}).setdefault(self.mask[gpu], [])
        lock = self.lock[gpu]
        if lock == UNLOCKED:
            return self.empty.setdefault((board, gpu_class), [])
        left = capacity(lock) - self.count[gpu]
        if left <= 0:
            return None
        buckets = self.slots.get((lock, gpu_class))
        if buckets is None:
            buckets = self.slots[lock, gpu_class] = [[] for _ in range(capacity(lock))]
        return buckets[left]

    def _unlist(self, gpu: int) -> None:
        bucket = self._bucket(gpu)
        if bucket is not None:
            del bucket[bisect_left(bucket, gpu)]
            if not bucket and self.sharing[gpu] is Sharing.MIXED:
                del self.mixed[self.boards[gpu], self.gpu_class[gpu]][self.mask[gpu]]

    def _list(self, gpu: int) -> None:
        bucket = self._bucket(gpu)
        if bucket is not None:
            insort(bucket, gpu)

    def reclass(self, gpu: int, gpu_class: int) -> None:
        """Give a gpu another class, because its host has changed."""
        if self.gpu_class[gpu] == gpu_class:
            return
        if self.sharing[gpu] is not Sharing.MIG:
            self._unlist(gpu)
            self.gpu_class[gpu] = gpu_class
            self._list(gpu)
            return
        self.migs[self.boards[gpu], self.gpu_class[gpu]].remove(gpu)
        self.gpu_class[gpu] = gpu_class
        insort(self.migs.setdefault((self.boards[gpu], gpu_class), []), gpu)

    def list_all(self) -> None:
        """Build the lists of gpus from scratch."""
        for gpu, sharing in enumerate(self.sharing):
            if sharing is Sharing.MIG:
                self.migs.setdefault((self.boards[gpu], self.gpu_class[gpu]), []).append(gpu)
            else:
                bucket = self._bucket(gpu)
                if bucket is not None:
                    bucket.append(gpu)


_CAPACITY: dict[int, int] = {}


def capacity(type_row: int) -> int:
    """How many vgpus of a type an equal-size gpu holds."""
    found = _CAPACITY.get(type_row)
    if found is None:
        most = facts.vgpu_type_by_row(type_row).max_instances
        found = _CAPACITY[type_row] = min(most, VGPUS_PER_TIME_SLICED_GPU)
    return found


def floor_of(fleet: Fleet, hosts: Iterable[Host], gpu_classes: Mapping[GpuId, int]) -> Floor:
    """The floor of the given hosts, which may receive, with their residents."""
    floor = Floor()
    for host in hosts:
        residents = fleet.residents[host.id]
        number = len(floor.hosts)
        floor.hosts.append(host)
        floor.gpus_of.append([])
        floor.memory_left.append(_left(host.memory_mib, residents, "memory_mib"))
        floor.vcpus_left.append(_left(host.vcpus, residents, "vcpus"))
        floor.groups.append(Counter([group for vm in residents for group in vm.anti_affinity]))
        floor.load_s.append(0.0)
        for gpu in host.gpus:
            if gpu.is_vgpu_host:
                _add_gpu(floor, fleet, gpu, number, gpu_classes[gpu.id])
    floor.list_all()
    return floor


def _left(whole: int | None, residents: Sequence[Vm], name: str) -> float:
    return math.inf if whole is None else whole - sum(getattr(vm, name) or 0 for vm in residents)


def _add_gpu(floor: Floor, fleet: Fleet, gpu: Gpu, host: int, gpu_class: int) -> None:
    tenants = fleet.tenants[gpu.id]
    floor.gpus_of[host].append(len(floor.gpus))
    floor.gpus.append(gpu)
    floor.host_of.append(host)
    floor.gpu_class.append(gpu_class)
    is_mixed = gpu.mode is PlacementMode.MIXED
    floor.sharing.append(Sharing.MIG if gpu.mig else Sharing.MIXED if is_mixed else Sharing.EQUAL)
    floor.boards.append(gpu.board.row)
    floor.lock.append(tenants[0].type.row if tenants else UNLOCKED)
    floor.count.append(len(tenants))
    mask = 0
    for vgpu in tenants:
        if vgpu.placement is not None:
            mask |= region(vgpu.type.row, vgpu.placement)
    floor.mask.append(mask)
    floor.mig.append(Counter([vgpu.type.row for vgpu in tenants]) if gpu.mig else Counter())
    floor.is_opened.append(not tenants)
    floor.here.append({})
