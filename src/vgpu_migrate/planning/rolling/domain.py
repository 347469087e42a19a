"""A rolling upgrade of one migration domain: a pure function from its fleet and what is asked to a course.

Priorities: no VM lost or interrupted beyond what its owner allows; as many hosts upgraded as can be; fewest
interruptions; fewest moves; fewest waves. A few moves (`UpgradeAsk.extra_moves`) are spent on waves all the
same, where that is asked, in the pools that take most of them: a wave lasts as long as hundreds of moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, Host, HostId, VersionRange
from vgpu_migrate.model.planfile import Stuck
from vgpu_migrate.planning.course import Course, CourseBounds, Remark
from vgpu_migrate.planning.rolling.ask import Pins, UpgradeAsk
from vgpu_migrate.planning.rolling.bounds_of_domain import domain_bounds
from vgpu_migrate.planning.rolling.guises import guises_of
from vgpu_migrate.planning.rolling.pool import Pool, lift_pins, pool_pins, pools_of
from vgpu_migrate.planning.rolling.remedies import Held, untried, verified
from vgpu_migrate.planning.rolling.shares import shares
from vgpu_migrate.planning.rolling.steps import StepWriter
from vgpu_migrate.planning.rolling.stuck import held_of

WITHOUT_SOLVER = "OR-Tools is not installed: that no fewer hosts stay old is proved by counting alone"


def plan_domain(fleet: Fleet, ask: UpgradeAsk) -> Course:
    """Plan the rolling upgrade of one domain.

    Args:
        fleet: all hosts and VMs of the domain; VMs without a host count for pins.
        ask: what is wanted.

    Returns:
        Steps that are safe in every order that `after` leaves, and a reason for each host that stays old.
    """
    hosts = [host for host in fleet.hosts.values() if host.has_manager]
    asked = set(ask.hosts)
    wanted = {host.id for host in hosts if host.id in asked and host.driver != ask.driver}
    notes, remarks = list(_notes(ask, wanted)), list(_remarks(fleet, ask))
    lifts = {host.id for host in hosts if host.id in ask.lifts and host.id not in wanted}
    if not wanted and not lifts:
        return Course(ask.domain, (), (), CourseBounds(0, 0, 0.0, hosts=0), tuple(notes), tuple(remarks))
    pools = _pools(fleet, ask, hosts, wanted, lifts, remarks)
    for pool in pools:
        pool.roll()
    if any(pool.lacks_solver for pool in pools):
        notes.append(WITHOUT_SOLVER)
    _save_waves(pools, ask)
    for pool in pools:
        assert pool.result is not None
        kept = lift_pins(pool, pool.result)
        if kept:
            names = tuple([pool.first.hosts[host].id for host in kept])
            said = "the pinned range stays on {}: lift it when no host of their boards is old"
            remarks.append(Remark(said, names))
    writer = StepWriter(ask.driver)
    writer.write([(pool.first, pool.result.yard) for pool in pools if pool.result is not None])
    held = [each for pool in pools for each in held_of(pool, ask.driver)]
    bounds = domain_bounds(fleet, pools, ask)
    stuck = _verified(fleet, ask, held) if ask.remedies else tuple(untried(held))
    return Course(ask.domain, tuple(writer.steps), stuck, bounds, tuple(notes), tuple(remarks))


def _verified(fleet: Fleet, ask: UpgradeAsk, held: list[Held]) -> tuple[Stuck, ...]:
    """The reasons with remedies tried, each by a plan that takes little effort."""

    def replan(other: Fleet) -> Sequence[Stuck]:
        added = tuple([host_id for host_id in other.hosts if host_id not in fleet.hosts])
        hosts = (*ask.hosts, *added)
        again = replace(ask, hosts=hosts, extra_moves=0, most_waves=None, attempts=0, work=0.0, remedies=0)
        return plan_domain(other, again).stuck

    return tuple(verified(fleet, held, replan, ask.remedies))


def _pools(
    fleet: Fleet,
    ask: UpgradeAsk,
    hosts: list[Host],
    wanted: set[HostId],
    lifts: set[HostId],
    remarks: list[Remark],
) -> list[Pool]:
    groups = [pool for pool in pools_of(hosts) if any(host.id in wanted | lifts for host in pool)]
    sizes = shares(ask, [sum(host.id in wanted for host in group) for group in groups])
    pins: dict[HostId, VersionRange] = {}
    unpinned: dict[int, str] = {}
    for number, group in enumerate(groups):
        own, is_needed = pool_pins(fleet, group, wanted, ask)
        pins.update(own)
        if is_needed and not own:
            unpinned[number] = "as asked" if ask.pins is Pins.NEVER else "no range serves both drivers"

    def build(pins: dict[HostId, VersionRange]) -> list[Pool]:
        movers = [vm for group in groups for host in group for vm in fleet.residents[host.id]]
        every = [host for group in groups for host in group]
        guises = guises_of(fleet, every, wanted, movers, driver=ask.driver, pins=pins, lifts=lifts)
        return [
            Pool(
                fleet,
                guises,
                group,
                wanted=wanted,
                pins=pins,
                lifts=lifts,
                ask=ask,
                wave_size=size,
                work=ask.work / len(groups),
            )
            for group, size in zip(groups, sizes, strict=True)
        ]

    pools = build(pins)
    if pins and ask.pins is Pins.AUTO:
        free = build({})
        for number in range(len(groups)):
            if pools[number].has_pins and len(pools[number].stranded) > len(free[number].stranded):
                pools[number] = free[number]
                unpinned[number] = "the range that every old host can run would keep VMs from upgraded ones"
    for number, why in unpinned.items():
        names = tuple([host.id for host in groups[number] if host.id in wanted])
        said = (
            f"no pins on {{}}, {why}: a VM that boots on an upgraded host before the last of its boards is "
            "done may get a vGPU version that the others cannot run"
        )
        remarks.append(Remark(said, names))
    return pools


def _save_waves(pools: list[Pool], ask: UpgradeAsk) -> None:
    """Spend moves on the pools with most waves, until there are no more than wanted or none can be saved.

    A wave is saved in all of them or paid for in none.
    """
    budget = ask.extra_moves
    while True:
        waves = [pool.result.outcome.waves for pool in pools if pool.result is not None]
        most = max(waves)
        if ask.most_waves is None or most <= ask.most_waves:
            return
        slow = [pool for pool, count in zip(pools, waves, strict=True) if count == most]
        before = [pool.result for pool in slow]
        for pool in slow:
            spent = pool.quicken(most - 1, budget)
            if spent is None:
                for other, result in zip(slow, before, strict=True):
                    other.result = result
                return
            budget -= max(0, spent)


def _notes(ask: UpgradeAsk, wanted: set[HostId]) -> Iterator[str]:
    known = facts.host_driver(ask.driver)
    if wanted and known.preset_range is None:
        yield f"vGPU versions were not compared on upgraded hosts: {known.said}"


def _remarks(fleet: Fleet, ask: UpgradeAsk) -> Iterator[Remark]:
    bare = tuple([host_id for host_id in ask.hosts if not fleet.hosts[host_id].has_manager])
    if bare:
        yield Remark("not upgraded, because no vGPU Manager runs there: {}", bare)
