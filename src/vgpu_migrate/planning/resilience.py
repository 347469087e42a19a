"""Which hosts can be drained live now, what forbids the others, and what would allow it.

Drained live: every VM with vgpus on the host moves to other schedulable hosts of its domain as it is, a
sleeping one asleep, all others live. One set of classes and one floor serve all hosts of a domain: a host is
closed, its VMs are placed by the drain's own search, and everything is put back. Where all that is missing is
room, the whole drain is planned, in which VMs of other hosts move out of the way, live too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from functools import cached_property

from msgspec.structs import replace

from vgpu_migrate.compat import check, combine, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet, Gpu, Host, HostId, Vm, VmId, VmState
from vgpu_migrate.model.planfile import MigrateStep, StuckReason
from vgpu_migrate.nvml import States
from vgpu_migrate.planning.best import clear
from vgpu_migrate.planning.cast import Mover, cast_of, ways_of
from vgpu_migrate.planning.classes import StateTable, state_table
from vgpu_migrate.planning.drain_hosts import DrainAsk, drain_domain
from vgpu_migrate.planning.fill import Seater
from vgpu_migrate.planning.floor import Floor, floor_of
from vgpu_migrate.planning.moves import possible_ways
from vgpu_migrate.planning.place import Effort, place
from vgpu_migrate.planning.spare import Spare, shortage, spare_gpus
from vgpu_migrate.planning.tasks import sub_fleets

ATTEMPTS = 100
"""How many repairs are tried for each host."""
NODES = 2_000
"""How many nodes the search for the best places of a host's VMs may visit."""
MOST_OPENED = 4
"""How many hosts of a domain that are not schedulable are tried as the one change."""

_GPUS = (StuckReason.NO_CAPACITY, StuckReason.BLOCKED_BY_OTHERS)
"""Where more gpus could be what is missing."""
_ROOM = (*_GPUS, StuckReason.ANTI_AFFINITY)
"""Where it could help that others move."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A VM that cannot leave its host as it is. `rules`: rows of the rules that hit where it came nearest."""

    vm: VmId
    reason: StuckReason
    rules: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class HostResilience:
    """Whether a host can be drained live now.

    `spare`: with it all those without room would find some; empty where gpus are not all that is missing.
    `change`: one change that was tried, and with which it can be drained.
    """

    host: HostId
    domain: str
    vms: int
    others: int
    """How many moves of VMs of other hosts make room first."""
    obstacles: tuple[Obstacle, ...]
    spare: tuple[Spare, ...]
    change: str | None

    @property
    def is_drainable(self) -> bool:
        """Whether every VM can leave."""
        return not self.obstacles


def resilience(fleet: Fleet, *, defrag: bool = True) -> tuple[HostResilience, ...]:
    """Every host with a vGPU Manager, in the fleet's order.

    Args:
        fleet: as it is now.
        defrag: whether VMs of other hosts may move out of the way.
    """
    domains = dict.fromkeys(host.domain for host in fleet.hosts.values())
    found: dict[HostId, HostResilience] = {}
    for domain, part in sub_fleets(fleet, domains).items():
        for one in _Domain(part, domain, defrag=defrag).hosts():
            found[one.host] = one
    return tuple([found[host_id] for host_id in fleet.hosts if host_id in found])


@dataclass(frozen=True, slots=True)
class Drift:
    """What happened to a fleet since an earlier state of it. Hosts that are not in both are apart."""

    lost: tuple[HostResilience, ...]
    """Could be drained live, and cannot now; as they are now."""
    regained: tuple[HostId, ...]
    added: tuple[HostId, ...]
    removed: tuple[HostId, ...]


def drift(then: Sequence[HostResilience], now: Sequence[HostResilience]) -> Drift:
    """Compare the hosts of a fleet with those of an earlier state of it."""
    before = {one.host: one for one in then}
    after = {one.host: one for one in now}
    both = [one for one in now if one.host in before]
    return Drift(
        lost=tuple([one for one in both if before[one.host].is_drainable and not one.is_drainable]),
        regained=tuple([one.host for one in both if one.is_drainable and not before[one.host].is_drainable]),
        added=tuple([host for host in after if host not in before]),
        removed=tuple([host for host in before if host not in after]),
    )


class _Domain:
    """One domain: its classes, and the floor of its schedulable hosts."""

    def __init__(self, fleet: Fleet, domain: str, *, defrag: bool) -> None:
        self._fleet = fleet
        self._domain = domain
        self._defrag = defrag
        self._managed = [host for host in fleet.hosts.values() if host.has_manager]
        gpus = [gpu for host in self._managed for gpu in host.gpus if gpu.is_vgpu_host]
        movers = [vm for host in self._managed for vm in fleet.residents[host.id]]
        table = state_table(fleet, movers, gpus)
        self._closed = 1 + max(table.gpu_classes.values(), default=-1)
        # One more class of gpus, where nobody may go: that of the host being drained.
        self._table = StateTable(table.vgpu_classes, table.gpu_classes, [[*row, 0] for row in table.states])
        self._open = self._floor([host for host in self._managed if host.schedulable])
        self._examples: dict[int, Gpu] = {}
        for gpu in gpus:
            if fleet.hosts[gpu.host].schedulable:
                self._examples.setdefault(table.gpu_classes[gpu.id], gpu)

    def _floor(self, hosts: Sequence[Host]) -> Floor:
        return floor_of(self._fleet, hosts, self._table.gpu_classes)

    def hosts(self) -> Iterator[HostResilience]:
        """Each host of the domain."""
        for host in self._managed:
            residents = self._fleet.residents[host.id]
            obstacles: tuple[Obstacle, ...] = ()
            spare: tuple[Spare, ...] = ()
            change, others = None, 0
            if residents:
                cast = self._cast(residents)
                with _Closed(self._open, host.id, self._closed):
                    left = self._left(self._open, cast)
                    short: dict[VmId, str] = {}
                    obstacles = tuple([self._obstacle(mover, cast, short) for mover in left])
                    clear(self._open, cast)
                if obstacles and self._defrag and all(one.reason in _ROOM for one in obstacles):
                    obstacles, left, others = self._with_room_made(host, cast, obstacles, left, short)
                if obstacles:
                    is_room = all(one.reason in _GPUS for one in obstacles)
                    spare = spare_gpus(left) if is_room and not short else ()
                    change = self._change(host, cast, left, obstacles)
            yield HostResilience(host.id, self._domain, len(residents), others, obstacles, spare, change)

    @cached_property
    def _live_only(self) -> Fleet:
        """The domain with owners who accept no more than moves of VMs as they are."""
        fleet = self._fleet
        vms = {vm.id: replace(vm, allow=vm.allow & _as_it_is(vm)) for vm in fleet.vms.values()}
        return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, vms)

    def _with_room_made(
        self,
        host: Host,
        cast: Sequence[Mover],
        obstacles: tuple[Obstacle, ...],
        left: list[Mover],
        short: Mapping[VmId, str],
    ) -> tuple[tuple[Obstacle, ...], list[Mover], int]:
        """Who cannot leave if VMs of other hosts move, and, where all can, how many of those do."""
        targets = tuple([other.id for other in self._open.hosts if other.id != host.id])
        ask = DrainAsk(
            domain=self._domain,
            hosts=(host.id,),
            targets=targets,
            attempts=ATTEMPTS,
            nodes=NODES,
            defrag=True,
        )
        course = drain_domain(self._live_only, ask)
        if not course.stuck:
            moves = [step for step in course.steps if isinstance(step, MigrateStep)]
            return (), [], sum(step.source != host.id for step in moves)
        if len(course.stuck) >= len(obstacles):
            return obstacles, left, 0
        by_id = {mover.vm.id: mover for mover in cast}
        still = [by_id[item.vm] for item in course.stuck if item.vm is not None]
        fewer = []
        for item, mover in zip(course.stuck, still, strict=True):
            types = ", ".join(vgpu.type.short for vgpu in mover.vm.vgpus)
            but = short.get(mover.vm.id, "")
            detail = f"no room for {types}, even if VMs of other hosts move out of the way{but}"
            fewer.append(Obstacle(mover.vm.id, item.reason, (), detail))
        return tuple(fewer), still, 0

    def _cast(self, residents: Sequence[Vm]) -> list[Mover]:
        """The VMs of a host, each permitted to move as it is alone."""
        willing = [replace(vm, allow=vm.allow & _as_it_is(vm)) for vm in residents]
        return cast_of(self._fleet, willing, self._table)

    def _left(self, floor: Floor, cast: Sequence[Mover]) -> list[Mover]:
        """Those for whom the search finds no place; the others are placed."""
        place(floor, cast, Effort(ATTEMPTS, NODES))
        return [mover for mover in cast if mover.number not in floor.placed]

    # What forbids it. All others of the host are on the floor.

    def _obstacle(self, mover: Mover, cast: Sequence[Mover], short: dict[VmId, str]) -> Obstacle:
        """What keeps a VM on its host; `short` is told who finds gpus, but no memory or vcpus beside them."""
        vm = self._fleet.vms[mover.vm.id]
        able = self._able(vm, possible_ways(vm.state) & _as_it_is(vm))
        if vm.state is VmState.BOOTING:
            detail = "it is booting: ask again when it is up"
            return Obstacle(vm.id, StuckReason.NO_COMPATIBLE_HOST, ("guest-info",), detail)
        if not able:
            rules, detail = self._nearest(vm)
            return Obstacle(vm.id, StuckReason.NO_COMPATIBLE_HOST, rules, detail)
        if not mover.possible:
            wanted = " or ".join(reversed(_as_it_is(vm).words))
            detail = f"its owner does not allow {wanted}"
            return Obstacle(vm.id, StuckReason.OWNER_FORBIDS, (), detail)
        types = ", ".join(vgpu.type.short for vgpu in vm.vgpus)
        mates = [other for other in cast if other.number in self._open.placed]
        before = {other.number: self._open.take(other) for other in mates}
        seater = Seater(self._open)
        alone = seater.seat(mover)
        missing = None if alone is not None else shortage(seater, mover)
        for other in mates:
            self._open.put(other, before[other.number])
        if alone is not None:
            missing = shortage(seater, mover)
        but = f": {missing}" if missing else ""
        if missing:
            short[vm.id] = but
        if alone is not None:
            detail = f"{types}: the others of its host take the room that it could have{but}"
            return Obstacle(vm.id, StuckReason.BLOCKED_BY_OTHERS, (), detail)
        if mover.groups and Seater(self._open).seat(changed(mover, groups=())) is not None:
            names = ", ".join(mover.groups)
            return Obstacle(vm.id, StuckReason.ANTI_AFFINITY, (), f"others of {names} are in its way")
        detail = f"no room for {types} on any host that may take it{but}"
        return Obstacle(vm.id, StuckReason.NO_CAPACITY, (), detail)

    def _able(self, vm: Vm, wanted: States) -> bool:
        """Whether some open gpu may take each vgpu of a VM, room and owner apart."""
        return bool(wanted) and all(
            any(self._table.states[row][c] & int(wanted) for c in {*self._open.gpu_class})
            for row in self._table.vgpu_classes[vm.id]
        )

    def _nearest(self, vm: Vm) -> tuple[tuple[str, ...], str]:
        """The rules that hit on the gpu class where a VM comes nearest to moving, and their remedies."""
        boards = {vgpu.type.board for vgpu in vm.vgpus}
        best: tuple[tuple[int, ...], tuple[str, ...], str] | None = None
        for gpu_class in sorted({*self._open.gpu_class} - {self._closed}):
            gpu = self._examples[gpu_class]
            if gpu.board.key not in boards:
                continue
            host = self._fleet.hosts[gpu.host]
            profile = self._fleet.settings_of(host.domain).profile
            traits = gpu_traits(host, gpu)
            found = combine([check(vgpu_traits(self._fleet, vm, one), traits, profile) for one in vm.vgpus])
            rank = (len(found.evidence), -int(found.states), gpu_class)
            if best is None or rank < best[0]:
                detail = "; ".join(f"{gpu.host}: {piece.remedy}" for piece in found.evidence[:1])
                best = rank, tuple([piece.rule for piece in found.evidence]), detail
        if best is None:
            return ("board",), f"no other schedulable host of domain {self._domain} has a gpu of its board"
        return best[1], best[2]

    # What would allow it.

    def _change(
        self, host: Host, cast: Sequence[Mover], left: Sequence[Mover], obstacles: Sequence[Obstacle]
    ) -> str | None:
        """The first single change that, tried, lets every VM leave; None where none of those tried does."""
        vms = [self._fleet.vms[mover.vm.id] for mover in left]
        if len(vms) == 1 and obstacles[0].reason is StuckReason.OWNER_FORBIDS:
            eager = self._cast_with(cast, vms[0])
            with _Closed(self._open, host.id, self._closed):
                is_enough = not self._left(self._open, eager)
                clear(self._open, eager)
            if is_enough:
                return f"allow {' or '.join(reversed(_as_it_is(vms[0]).words))} for {vms[0].id}"
        for other_id, opened in self._opened.items():
            if other_id != host.id:
                with _Closed(opened, host.id, self._closed):
                    is_enough = not self._left(opened, cast)
                    clear(opened, cast)
                if is_enough:
                    return f"make {other_id} schedulable"
        if len(vms) == 1:
            return f"shut down {vms[0].id} for the time: every other VM of {host.id} can leave"
        return None

    @cached_property
    def _opened(self) -> Mapping[HostId, Floor]:
        """The floor as it would be with one more host, for the first that are not schedulable."""
        closed = [host for host in self._managed if not host.schedulable]
        some = [host for host in closed if any(gpu.is_vgpu_host for gpu in host.gpus)][:MOST_OPENED]
        return {
            one.id: self._floor([host for host in self._managed if host.schedulable or host is one])
            for one in some
        }

    def _cast_with(self, cast: Sequence[Mover], eager: Vm) -> list[Mover]:
        """The movers, one of them with an owner who allows whatever it needs."""
        found = []
        for mover in cast:
            if mover.vm.id == eager.id:
                ways = ways_of(self._table, eager, possible_ways(eager.state) & _as_it_is(eager))
                mover = changed(mover, likeness=len(cast), **ways)
            found.append(mover)
        return found


class _Closed:
    """While it lasts, nobody may go to one host of a floor."""

    def __init__(self, floor: Floor, host_id: HostId, closed: int) -> None:
        self._floor = floor
        self._closed = closed
        numbers = [number for number, host in enumerate(floor.hosts) if host.id == host_id]
        self._gpus: Mapping[int, int] = {
            gpu: floor.gpu_class[gpu] for number in numbers for gpu in floor.gpus_of[number]
        }

    def __enter__(self) -> None:
        for gpu in self._gpus:
            self._floor.reclass(gpu, self._closed)

    def __exit__(self, *_: object) -> None:
        for gpu, gpu_class in self._gpus.items():
            self._floor.reclass(gpu, gpu_class)


def _as_it_is(vm: Vm) -> States:
    """The way to move that leaves a VM as it is."""
    return States.SLEEP if vm.state is VmState.SLEEPING else States.LIVE
