"""Empty hosts of one migration domain: every VM with vgpus there moves to another host.

Targets are never hosts being drained. Where it is asked for, residents of the targets move out of the way of
those that find no room, or none without interruption. Fewest VMs stuck comes first, then least interruption,
then fewest moves, then best fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.cost import migration_s
from vgpu_migrate.model.planfile import MigrateStep, Seat, Stuck
from vgpu_migrate.planning.best import least_level, level_at
from vgpu_migrate.planning.bounds import makespan_bound
from vgpu_migrate.planning.cast import NEVER, Mover, cast_of
from vgpu_migrate.planning.classes import StateTable, state_table
from vgpu_migrate.planning.course import Course, CourseBounds
from vgpu_migrate.planning.defrag import Rearranged, Shift, Work, adopt, rearrange
from vgpu_migrate.planning.explain import Explainer
from vgpu_migrate.planning.floor import NO_ID, Floor, Seats, floor_of
from vgpu_migrate.planning.moves import WAYS
from vgpu_migrate.planning.place import Effort, place
from vgpu_migrate.planning.remedies import Situation, with_remedies

ATTEMPTS_AT_ROOM = 400
"""How many attempts there are in a domain at making room, which come cheaper than those at repair."""


class DrainAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which hosts of one domain to empty, and how much to try."""

    domain: str
    hosts: tuple[HostId, ...]
    """To be emptied, in the fleet's order."""
    targets: tuple[HostId, ...]
    """The only ones that may receive, in the fleet's order; none of them is to be emptied."""
    attempts: int
    """How many repairs are tried."""
    nodes: int
    """How many nodes the search for the best places of a small domain may visit."""
    defrag: bool = False
    """Whether residents of the targets may move, to other targets, to make room."""
    seed: int = 0
    """Of the exact search."""
    work: float = 0.0
    """Deterministic seconds of the exact search; 0: none."""
    remedies: int = 0
    """How many VMs may be planned anew to find out which remedies help those that are stuck; 0: none."""
    seconds: float | None = None
    """Seconds on the clock after which the exact search ends, if it has not before."""


def drain_domain(fleet: Fleet, ask: DrainAsk) -> Course:
    """Plan to empty hosts of one domain.

    Args:
        fleet: all hosts and VMs of the domain; others are not looked at.
        ask: what is wanted.

    Returns:
        Steps with a reason for each VM that stays. If nobody else moves they may run in any order, otherwise
        in any that `after` leaves open.
    """
    leaving = [vm for host_id in ask.hosts for vm in fleet.residents[host_id]]
    if not leaving:
        return Course(ask.domain, (), (), CourseBounds(moves=0, waves=0, makespan_s=0.0))
    targets = [fleet.hosts[host_id] for host_id in ask.targets]
    residents = [vm for host in targets for vm in fleet.residents[host.id]] if ask.defrag else []
    gpus = [gpu for host in targets for gpu in host.gpus if gpu.is_vgpu_host]
    table = state_table(fleet, [*leaving, *residents], gpus)
    floor = floor_of(fleet, targets, table.gpu_classes)
    cast = cast_of(fleet, leaving, table)
    place(floor, cast, Effort(ask.attempts, ask.nodes))
    found = Rearranged(_shifts(floor, cast), [()] * len(floor.placed), [])
    if ask.defrag and any(_could_gain(floor, mover) for mover in cast):
        everyone = cast_of(fleet, [*leaving, *residents], table)
        floor = floor_of(fleet, targets, table.gpu_classes)
        cast, places = everyone[: len(leaving)], {shift.mover.number: shift.seats for shift in found.shifts}
        movable = adopt(floor, everyone[len(leaving) :])
        for mover in cast:
            if mover.number in places:
                floor.put(mover, places[mover.number])
        found = rearrange(
            fleet,
            floor,
            cast,
            movable,
            Work(max(ask.attempts, ATTEMPTS_AT_ROOM), ask.work, ask.seconds, ask.seed),
        )
    steps = tuple([_step(floor, found, number) for number in range(len(found.shifts))])
    after = {shift.mover.number: shift.seats for shift in found.shifts}
    left = [mover for mover in cast if mover.number not in after]
    stuck = tuple(_explained(fleet, ask, table, floor, found.shifts, left)) if left else ()
    if stuck and ask.remedies:
        stuck = _with_remedies(fleet, ask, stuck)
    most = sum(bool(mover.possible) for mover in cast) if found.most_placed is None else found.most_placed
    return Course(ask.domain, steps, stuck, _bounds(fleet, ask, steps, len(cast) - most), found.notes)


def _shifts(floor: Floor, cast: Sequence[Mover]) -> list[Shift]:
    """Everybody who has a place, as moves in any order."""
    placed = [(mover, floor.placed[mover.number]) for mover in cast if mover.number in floor.placed]
    return [Shift(mover, None, seats, level_at(floor, mover, seats)) for mover, seats in placed]


def _could_gain(floor: Floor, mover: Mover) -> bool:
    """Whether a mover has no place, or one where it is interrupted more than it might be elsewhere."""
    seats = floor.placed.get(mover.number)
    return bool(mover.possible) and (seats is None or level_at(floor, mover, seats) > least_level(mover))


def _step(floor: Floor, found: Rearranged, number: int) -> MigrateStep:
    shift = found.shifts[number]
    assert shift.level < NEVER, "a mover sits where it may not"
    source = shift.mover.vm.host if shift.origin is None else _host_at(floor, shift.origin)
    assert source is not None
    return MigrateStep(
        id=number + 1,
        wave=1,
        vm=shift.mover.vm.id,
        how=WAYS[shift.level],
        source=source,
        target=_host_at(floor, shift.seats),
        gpus=_seats(floor, shift.seats),
        start_s=0.0,
        end_s=0.0,
        after=tuple([earlier + 1 for earlier in found.after[number]]),
    )


def _host_at(floor: Floor, seats: Seats) -> HostId:
    return floor.hosts[floor.host_of[seats[0][0]]].id


def _seats(floor: Floor, seats: Seats) -> tuple[Seat, ...]:
    return tuple([Seat(floor.gpus[gpu].id, None if at == NO_ID else at) for gpu, at in seats])


def _explained(
    fleet: Fleet,
    ask: DrainAsk,
    table: StateTable,
    floor: Floor,
    shifts: Sequence[Shift],
    left: Sequence[Mover],
) -> list[Stuck]:
    """Why movers stay, as things stand after the moves of residents."""
    moved = _after_residents(fleet, floor, [shift for shift in shifts if shift.origin is not None])
    planned = floor_of(moved, floor.hosts, table.gpu_classes)
    for shift in shifts:
        if shift.origin is None:
            planned.put(shift.mover, shift.seats)
    explainer = Explainer(moved, table, floor.hosts, planned, ask.domain)
    return [explainer.explain(mover) for mover in left]


def _after_residents(fleet: Fleet, floor: Floor, shifts: Sequence[Shift]) -> Fleet:
    """The fleet with those VMs where they go."""
    if not shifts:
        return fleet
    vms = dict(fleet.vms)
    for shift in shifts:
        vm = vms[shift.mover.vm.id]
        seats = zip(vm.vgpus, _seats(floor, shift.seats), strict=True)
        vgpus = tuple([replace(vgpu, gpu=seat.gpu, placement=seat.placement) for vgpu, seat in seats])
        vms[vm.id] = replace(vm, host=_host_at(floor, shift.seats), vgpus=vgpus)
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, vms)


def _with_remedies(fleet: Fleet, ask: DrainAsk, stuck: Sequence[Stuck]) -> tuple[Stuck, ...]:
    def replan(other: Fleet, targets: Sequence[HostId], defrag: bool) -> Sequence[Stuck]:
        again = replace(ask, targets=tuple(targets), defrag=defrag, work=0.0, remedies=0)
        return drain_domain(other, again).stuck

    now = Situation(fleet, ask.domain, ask.hosts, ask.targets, ask.defrag)
    return with_remedies(now, stuck, replan, ask.remedies)


def _bounds(fleet: Fleet, ask: DrainAsk, steps: Sequence[MigrateStep], least_stuck: int) -> CourseBounds:
    """As many moves as VMs leave, and, with the targets chosen, no sooner than their hosts allow."""
    settings = fleet.settings_of(ask.domain)
    drained = set(ask.hosts)
    numbers = {host_id: number for number, host_id in enumerate(fleet.hosts)}
    lengths = [migration_s(fleet.vms[step.vm], settings) for step in steps]
    jobs = [(numbers[s.source], numbers[s.target], length) for s, length in zip(steps, lengths, strict=True)]
    limits = [settings.migrations_per_host] * len(numbers)
    leaving = [length for step, length in zip(steps, lengths, strict=True) if step.source in drained]
    return CourseBounds(
        moves=len(leaving),
        waves=0,
        makespan_s=makespan_bound(jobs, limits, settings.migrations_per_fleet),
        migrations_s=tuple(leaving),
        stuck=least_stuck,
    )
