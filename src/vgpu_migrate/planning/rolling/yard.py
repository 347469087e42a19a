"""One pool of hosts while it is rolled: where each VM is, what each host is, and all that was done so far.

Every change is an act in a list and can be undone, the latest first. Room is that of `planning.floor`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

from vgpu_migrate.model import Fleet, Host, HostId, VersionRange, Vm
from vgpu_migrate.model.planfile import How
from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.floor import NO_ID, Floor, Seats, Sharing, capacity, floor_of
from vgpu_migrate.planning.moves import WAYS
from vgpu_migrate.planning.rolling.guises import Guise, Guises, Phase
from vgpu_migrate.planning.rolling.passengers import Passengers

SMALL_POOL = 40
"""In pools with more hosts less is tried for each: there is more room for chance, and it takes longer."""


class Moved(NamedTuple):
    """A VM went to another host. `mover`: as it was before."""

    wave: int
    mover: Mover
    source: int
    target: int
    before: Seats
    seats: Seats
    how: How


class Worked(NamedTuple):
    """A host was upgraded (`guise` not BEFORE), and perhaps pinned, or its pin was lifted."""

    wave: int
    host: int
    is_upgrade: bool
    pin: VersionRange | None


Act = Moved | Worked


class Yard:
    """The state of one pool. Hosts, gpus and VMs are numbers; all VMs with vgpus are movers."""

    def __init__(
        self,
        fleet: Fleet,
        guises: Guises,
        hosts: Sequence[Host],
        vms: Sequence[Vm],
        *,
        wanted: set[HostId],
        pins: dict[HostId, VersionRange],
        lifts: set[HostId],
        domain: str,
    ) -> None:
        self.guises = guises
        self.hosts = list(hosts)
        self.is_wanted = [host.id in wanted for host in hosts]
        self.pins = [pins.get(host.id) for host in hosts]
        self.floor: Floor = _empty_floor(fleet, guises, hosts)
        self.phase = [self._first_phase(host) for host in range(len(hosts))]
        # Whoever is pinned by an earlier plan is upgraded: what is left is to lift the pin.
        self.guise = [Guise.MIDWAY if host.id in lifts else Guise.BEFORE for host in hosts]
        self.passengers = Passengers(guises, vms, self.floor.gpus, domain)
        self.movers: list[Mover] = list(self.passengers.cast)
        self.volumes = [mover.vm.framebuffer_mib / 1024 for mover in self.movers]
        """By mover, the GiB of framebuffer of its vgpus."""
        self.there: list[dict[int, None]] = [{} for _ in hosts]
        """By host, the numbers of the movers on it."""
        self.acts: list[Act] = []
        numbers = {gpu.id: number for number, gpu in enumerate(self.floor.gpus)}
        for mover in self.movers:
            seats = tuple(
                [
                    (numbers[vgpu.gpu], NO_ID if vgpu.placement is None else vgpu.placement)
                    for vgpu in mover.vm.vgpus
                    if vgpu.gpu is not None
                ]
            )
            self.floor.put(mover, seats)
            self.there[self.floor.host_of[seats[0][0]]][mover.number] = None
        for host in range(len(hosts)):
            self._reclass(host)

    def copy(self) -> Yard:
        """Another yard in the same state."""
        twin = copy(self)
        twin.floor = copy_floor(self.floor)
        twin.phase, twin.guise = self.phase[:], self.guise[:]
        twin.movers, twin.acts = self.movers[:], self.acts[:]
        twin.there = [there.copy() for there in self.there]
        return twin

    def _first_phase(self, host: int) -> Phase:
        if not self.hosts[host].schedulable:
            return Phase.CLOSED
        return Phase.OLD if self.is_wanted[host] else Phase.KEPT

    def host_of(self, number: int) -> int:
        """The host that a mover is on."""
        return self.floor.host_of[self.floor.placed[number][0][0]]

    def set_phase(self, host: int, phase: Phase) -> None:
        """Give a host another phase; a host that is not schedulable stays closed."""
        if not self.hosts[host].schedulable:
            phase = Phase.CLOSED
        if self.phase[host] is not phase:
            self.phase[host] = phase
            self._reclass(host)

    def _reclass(self, host: int) -> None:
        for gpu in self.floor.gpus_of[host]:
            plain = self.guises.classes[self.floor.gpus[gpu].id][self.guise[host]]
            self.floor.reclass(gpu, self.guises.phased(plain, self.phase[host]))

    def states_at(self, mover: Mover, seats: Seats) -> int:
        """The permitted states of a mover on seats, as bits."""
        states = 15
        for (gpu, _), ways in zip(seats, mover.ways, strict=True):
            states &= ways[self.floor.gpu_class[gpu]]
        return states

    def move(self, number: int, seats: Seats, wave: int) -> None:
        """Move a VM to seats that it was found to fit."""
        mover = self.movers[number]
        states = self.states_at(mover, seats)
        assert states, "a mover goes where it may not"
        how = WAYS[4 - states.bit_length()]
        source, target = self.host_of(number), self.floor.host_of[seats[0][0]]
        assert source != target, "a move from a host to itself"
        before = self.floor.take(mover)
        self.floor.put(mover, seats)
        del self.there[source][number]
        self.there[target][number] = None
        self.acts.append(Moved(wave, mover, source, target, before, seats, how))
        self.movers[number] = self.passengers.after(
            mover,
            how,
            [(gpu, self.guise[source]) for gpu, _ in before],
            [(gpu, self.guise[target]) for gpu, _ in seats],
        )

    def work(self, host: int, wave: int, *, pin: bool) -> None:
        """Upgrade an empty host, or lift the pin of one that is upgraded."""
        assert not self.there[host], "only an empty host is worked on"
        is_upgrade = self.guise[host] is Guise.BEFORE
        version_range = self.pins[host] if is_upgrade and pin else None
        self.guise[host] = Guise.AFTER if version_range is None else Guise.MIDWAY
        self.phase[host] = Phase.NEW if self.hosts[host].schedulable else Phase.CLOSED
        self._reclass(host)
        self.acts.append(Worked(wave, host, is_upgrade, version_range))

    def undo(self, mark: int) -> None:
        """Take back the moves after the first `mark` acts; there must be no work among them."""
        while len(self.acts) > mark:
            act = self.acts.pop()
            assert isinstance(act, Moved), "work is not undone"
            number = act.mover.number
            self.movers[number] = act.mover
            self.floor.take(act.mover)
            self.floor.put(act.mover, act.before)
            del self.there[act.target][number]
            self.there[act.source][number] = None


def free_gib(yard: Yard, gpu: int) -> float:
    """At most so much framebuffer may still be taken on a gpu."""
    floor = yard.floor
    whole = floor.gpus[gpu].board.framebuffer_mib / 1024
    if floor.sharing[gpu] is Sharing.MIXED:
        return whole - floor.mask[gpu].bit_count()
    if floor.sharing[gpu] is Sharing.MIG or floor.count[gpu] == 0:
        return whole
    lock = floor.lock[gpu]
    left = capacity(lock) - floor.count[gpu]
    return left * whole / capacity(lock)


def _empty_floor(fleet: Fleet, guises: Guises, hosts: Sequence[Host]) -> Floor:
    bare = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, {})
    return floor_of(bare, hosts, {gpu: classes[Guise.BEFORE] for gpu, classes in guises.classes.items()})


def copy_floor(floor: Floor) -> Floor:
    """A floor of its own in the same state."""
    twin = copy(floor)
    for name in ("gpu_class", "lock", "count", "mask", "memory_left", "vcpus_left", "load_s"):
        setattr(twin, name, getattr(floor, name)[:])
    twin.mig = [counts.copy() for counts in floor.mig]
    twin.groups = [Counter(counts) if counts else Counter() for counts in floor.groups]
    twin.placed = floor.placed.copy()
    twin.here = [there.copy() for there in floor.here]
    twin.arrivals = {board: gpus[:] for board, gpus in floor.arrivals.items()}
    twin.slots = {key: [bucket[:] for bucket in buckets] for key, buckets in floor.slots.items()}
    twin.empty = {key: gpus[:] for key, gpus in floor.empty.items()}
    twin.mixed = {key: {mask: gpus[:] for mask, gpus in masks.items()} for key, masks in floor.mixed.items()}
    twin.migs = {key: gpus[:] for key, gpus in floor.migs.items()}
    return twin
