"""One pool of a domain: hosts that share boards, so that VMs move among them and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, Host, HostId, VersionRange
from vgpu_migrate.planning.rolling.ask import Pins, UpgradeAsk
from vgpu_migrate.planning.rolling.bounds import PoolFigures, gpu_shares, never_empty
from vgpu_migrate.planning.rolling.detours import straightened
from vgpu_migrate.planning.rolling.guises import Guise, Guises, Phase
from vgpu_migrate.planning.rolling.leapfrog import Leapfrog, Outcome, Task, Way, outcome
from vgpu_migrate.planning.rolling.pins import needs_pins, pin_range
from vgpu_migrate.planning.rolling.reach import Kinds
from vgpu_migrate.planning.rolling.seating import Classes
from vgpu_migrate.planning.rolling.stranded import staying_hosts, strandings
from vgpu_migrate.planning.rolling.yard import SMALL_POOL, Yard


def pools_of(hosts: Sequence[Host]) -> list[list[Host]]:
    """Hosts with a vGPU Manager by pool, pools and hosts in the fleet's order.

    Hosts that share a board are of one pool, and so are those that share one with a third. A host without
    any gpu for vgpus is a pool of its own.
    """
    pool_of_board: dict[str, int] = {}
    pools: list[list[Host]] = []
    for host in hosts:
        boards = {gpu.board.key for gpu in host.gpus if gpu.is_vgpu_host}
        known = sorted({pool_of_board[board] for board in boards if board in pool_of_board})
        into = known[0] if known else len(pools)
        if not known:
            pools.append([])
        for other in known[1:]:
            pools[into] += pools[other]
            pools[other] = []
        pools[into].append(host)
        moved = [board for board, pool in pool_of_board.items() if pool in known]
        for board in (*boards, *moved):
            pool_of_board[board] = into
    order = {host.id: number for number, host in enumerate(hosts)}
    return [sorted(pool, key=lambda host: order[host.id]) for pool in pools if pool]


def pool_pins(
    fleet: Fleet, pool: Sequence[Host], wanted: set[HostId], ask: UpgradeAsk
) -> tuple[dict[HostId, VersionRange], bool]:
    """The range to pin each host of a pool to when it is upgraded; and whether pins are needed."""
    old = [host for host in pool if host.id in wanted]
    preset = facts.host_driver(ask.driver).preset_range
    boards = {gpu.board.key for host in pool for gpu in host.gpus}
    vms = [vm for vm in fleet.vms.values() if any(vgpu.type.board in boards for vgpu in vm.vgpus)]
    is_needed = needs_pins(old, vms, preset)
    if ask.pins is Pins.NEVER or not (is_needed or (ask.pins is Pins.ALWAYS and len(old) > 1)):
        return {}, is_needed
    # Who boots meanwhile must be able to run on hosts that an earlier plan pinned, too.
    common = pin_range([host for host in pool if host in old or host.id in ask.lifts], preset)
    # The preset itself is what a host has unpinned.
    if common is None or common == preset:
        return {}, is_needed
    return {host.id: common for host in old if host.schedulable}, is_needed


OTHER_WAYS = (
    Way(by_count=True),
    Way(skip=1),
    Way(skip=2),
    Way(skip=1, by_count=True),
    Way(skip=3),
    Way(skip=2, by_count=True),
)
"""Ways that spend no moves on waves, beside the first."""
LEAST_TRIES = 4
FOR_MOVES = 2
"""How many of them are tried where only moves are to be saved."""


@dataclass
class Result:
    """One way a pool was rolled."""

    yard: Yard
    outcome: Outcome


class Pool:
    """A pool, its figures, and the attempts to roll it."""

    def __init__(
        self,
        fleet: Fleet,
        guises: Guises,
        hosts: Sequence[Host],
        *,
        wanted: set[HostId],
        pins: Mapping[HostId, VersionRange],
        lifts: set[HostId],
        ask: UpgradeAsk,
        wave_size: Callable[[int], int | None],
        work: float = 0.0,
    ) -> None:
        """`work`: deterministic seconds for exact bounds, where hosts stay old that need not by counting."""
        names = {host.id for host in hosts}
        vms = [vm for host in hosts for vm in fleet.residents[host.id]]
        vms = [vm for vm in vms if vm.host in names and all(vgpu.gpu is not None for vgpu in vm.vgpus)]
        own_pins = {host.id: pins[host.id] for host in hosts if host.id in pins}
        own_lifts = names & set(lifts)
        self.first = Yard(
            fleet, guises, hosts, vms, wanted=wanted, pins=own_pins, lifts=own_lifts, domain=ask.domain
        )
        self.classes = Classes(self.first)
        self.stranded, fixed, homeless = strandings(self.first)
        self._kinds = Kinds(self.first, gpu_shares(self.first))
        self.fixed = fixed | never_empty(self.first, self._kinds)
        self._homeless = homeless
        self.figures = PoolFigures(self.first, homeless, self.fixed)
        self.has_pins = bool(own_pins)
        self._wave_size = wave_size
        self._attempts = ask.attempts
        self._work, self._seed = work, ask.seed
        self._patience = len(ask.wave_sizes) + ask.cycle + 1
        self._packed: list[list[int]] = []
        """Sets of hosts that may hold all VMs that only old hosts take, as exact packing says."""
        self.lacks_solver = False
        """Whether something could not be proved because the solver is not installed."""
        self.result: Result | None = None
        """The best attempt so far, without the lifting of pins."""

    @cached_property
    def _staying(self) -> list[list[int]]:
        """Choices of hosts to leave old."""
        least = self.figures.least_old
        choices = staying_hosts(self.first, self.classes, self.stranded, self.fixed, least)
        # Behind one that the search itself can fill: an exact packing may be out of its reach.
        return [choices[0], *self._packed, *choices[1:]]

    @property
    def _tries(self) -> int:
        """How many ways are tried: fewer in a large pool, where each takes longer."""
        fewer = self._attempts * SMALL_POOL // max(SMALL_POOL, len(self.first.hosts))
        return min(self._attempts, max(LEAST_TRIES, fewer))

    def try_way(self, way: Way) -> Result:
        """Roll the pool in one way."""
        yard = self.first.copy()
        staying = self._staying[min(way.staying, len(self._staying) - 1)]
        todo = set(self.figures.wanted) - set(staying)
        for host in staying:
            yard.set_phase(host, Phase.STAYING)
        task = Task(frozenset(todo), self.stranded, self._wave_size, may_wait=self._patience)
        Leapfrog(yard, self.classes, task, way).run()
        yard = straightened(self.first, yard)
        return Result(yard, outcome(yard))

    def roll(self) -> None:
        """Roll the pool in the first way, and look for fewer moves where more are made than need be."""
        if self.figures.most_upgraded <= 0:
            self.result = Result(self.first.copy(), outcome(self.first))
            return
        self.result = self.try_way(Way())
        if self._work and self.result.outcome.blocked > self.figures.least_old and self._prove():
            self.result = min(self.result, self.try_way(Way()), key=lambda result: result.outcome)
        is_blocked = self.result.outcome.blocked > self.figures.least_old
        if not is_blocked and self.result.outcome.moves <= self.figures.moves:
            return
        ways = OTHER_WAYS if is_blocked else OTHER_WAYS[:FOR_MOVES]
        choices = range(1, len(self._staying)) if is_blocked else ()
        for way in islice((*(Way(staying=choice) for choice in choices), *ways), self._tries):
            if is_blocked and self.result.outcome.blocked <= self.figures.least_old:
                return
            result = self.try_way(way)
            if result.outcome < self.result.outcome:
                self.result = result

    def _prove(self) -> bool:
        """Prove by exact packing that more hosts stay old than counting says; whether that says which."""
        try:
            from vgpu_migrate.planning.defrag.exact import Limit
            from vgpu_migrate.planning.rolling.exact import Packing
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "ortools":
                raise
            self.lacks_solver = True
            return False
        packing = Packing(self.first, self._kinds, Limit(self._work, None, self._seed))
        more = packing.never_empty(self.fixed)
        self.fixed |= more
        least = max(len(self.fixed), self.figures.least_old)
        homeless = [self.first.movers[number] for number in sorted(self._homeless)]
        least, self._packed = packing.least_old(homeless, self.fixed, least)
        self.figures = PoolFigures(self.first, self._homeless, self.fixed, least)
        self.__dict__.pop("_staying", None)
        return bool(more)

    def quicken(self, waves: int, budget: int) -> int | None:
        """Look for a result with no more than so many waves, for at most so many moves more than now.

        Gives back how many more it makes, and keeps it; None where none was found.
        """
        assert self.result is not None
        now = self.result.outcome
        least = self.figures.least_moves(waves)
        if not now.blocked and (least is None or least > now.moves + budget):
            return None
        best: Result | None = None
        for way in islice(self._quicker_ways(budget), self._tries):
            result = self.try_way(way)
            found = result.outcome
            if (
                found[:2] <= now[:2]
                and found.waves <= waves
                and found.moves <= now.moves + budget
                and (best is None or found.moves < best.outcome.moves)
            ):
                best = result
                if found.moves <= now.moves + 1:
                    break
        if best is None:
            return None
        self.result = best
        return best.outcome.moves - now.moves

    def _quicker_ways(self, budget: int) -> Iterator[Way]:
        """Ways that may save waves, those that cost least first."""
        yield from OTHER_WAYS
        for extra in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48):
            if extra <= budget:
                yield Way(extra=extra)
                yield Way(extra=extra, by_count=True)
        spent = 0
        for first, load in enumerate(sorted(self.figures.loads)[1:], 2):
            spent += load
            if spent > budget:
                return
            yield Way(first=first)
            if spent < budget:
                yield Way(first=first, extra=budget - spent)


def lift_pins(pool: Pool, result: Result) -> list[int]:
    """Lift the pins of a pool that is rolled, each on an empty host; gives back the hosts that keep theirs.

    Where hosts of the pool stay old, their pins stay too: what they are for is still there.
    """
    yard = result.yard
    pinned = [host for host, guise in enumerate(yard.guise) if guise is Guise.MIDWAY]
    if not pinned or result.outcome.blocked:
        return pinned
    for host in pinned:
        yard.set_phase(host, Phase.OLD)
    start = result.outcome.waves + 1
    task = Task(frozenset(pinned), frozenset(), lambda _: None, start=start, is_lift=True)
    Leapfrog(yard, pool.classes, task, Way()).run()
    return [host for host, guise in enumerate(yard.guise) if guise is Guise.MIDWAY]
