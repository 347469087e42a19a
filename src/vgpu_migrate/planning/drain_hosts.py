"""Empty hosts: every VM with vgpus there moves to another host of its domain, nobody else moves.

Targets are never hosts being drained and no step uses what another frees, so any order of the steps is
safe. Fewest VMs stuck comes first, then least interruption, then best fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vgpu_migrate.errors import InputError, Problem, UnknownNameError
from vgpu_migrate.model import Fleet, Host, HostId, Vm
from vgpu_migrate.model.cost import migration_s
from vgpu_migrate.model.planfile import (
    Bounds,
    Count,
    Duration,
    Goal,
    MigrateStep,
    Plan,
    Seat,
    Stuck,
    bound_to_ms,
    to_ms,
)
from vgpu_migrate.planning.cast import Mover, cast_of
from vgpu_migrate.planning.classes import state_table
from vgpu_migrate.planning.explain import Explainer
from vgpu_migrate.planning.floor import NO_ID, Floor, Seats, floor_of
from vgpu_migrate.planning.moves import WAYS
from vgpu_migrate.planning.place import Effort, place
from vgpu_migrate.planning.schedule import schedule


class Planned(NamedTuple):
    """A plan, and what its reader should know that the file format has no place for."""

    plan: Plan
    notes: tuple[str, ...]


class _Placed(NamedTuple):
    vm: Vm
    target: HostId
    states: int
    seats: tuple[Seat, ...]


ATTEMPTS = 600
"""How many repairs are tried in a fleet: each domain has its part, never less than `ATTEMPTS_AT_LEAST`."""
ATTEMPTS_AT_LEAST = 100
NODES = 20_000
"""How many nodes the searches for the best places of small domains may visit in a fleet, shared evenly; what
one domain does not use the following ones may.
"""


def drain(
    fleet: Fleet,
    hosts: Sequence[HostId],
    *,
    to: Sequence[HostId] | None = None,
    attempts: int = ATTEMPTS,
) -> Planned:
    """Plan to empty hosts.

    Args:
        fleet: as it is now.
        hosts: the hosts to empty; each once.
        to: the only hosts that may receive; None: every schedulable one of each VM's domain.
        attempts: how much to try to place VMs that a first filling leaves over; more takes longer.

    Returns:
        A plan whose steps may run in any order, with a reason for each VM that stays.

    Raises:
        UnknownNameError: the fleet has no such host.
        InputError: no host is named, or one is both to be emptied and to receive.
    """
    drained, targets = _targets(fleet, hosts, to)
    placed: list[_Placed] = []
    stuck: list[Stuck] = []
    movers = [vm for host_id in drained for vm in fleet.residents[host_id]]
    table = state_table(fleet, movers, [gpu for host in targets for gpu in host.gpus if gpu.is_vgpu_host])
    domains = dict.fromkeys(fleet.hosts[host_id].domain for host_id in drained)
    attempts_each = max(ATTEMPTS_AT_LEAST, attempts // len(domains))
    nodes_left = NODES
    for number, domain in enumerate(domains):
        there = [host for host in targets if host.domain == domain]
        leaving = [vm for vm in movers if fleet.domain_of(vm) == domain]
        if leaving:
            floor = floor_of(fleet, there, table.gpu_classes)
            cast = cast_of(fleet, leaving, table)
            nodes_each = nodes_left // (len(domains) - number)
            nodes_left -= place(floor, cast, Effort(attempts_each, nodes_each))
            left = [mover for mover in cast if mover.number not in floor.placed]
            placed += [_placed(floor, mover) for mover in cast if mover.number in floor.placed]
            if left:
                explainer = Explainer(fleet, table, there, floor, domain)
                stuck += [explainer.explain(mover) for mover in left]
    steps, bounds = _timed(fleet, placed)
    plan = Plan(1, fleet.revision, Goal.DRAIN, steps, tuple(stuck), bounds)
    notes = [*_unchecked(targets, movers), *_not_compared(fleet, placed)]
    return Planned(plan, tuple(notes))


def _targets(
    fleet: Fleet, hosts: Sequence[HostId], to: Sequence[HostId] | None
) -> tuple[list[HostId], list[Host]]:
    for host_id in (*hosts, *(to or ())):
        if host_id not in fleet.hosts:
            raise UnknownNameError("host", host_id, fleet.hosts)
    if not hosts:
        raise InputError(Problem("hosts", "none named", "name at least one host to drain"))
    named = set(hosts)
    both = [host_id for host_id in to or () if host_id in named]
    if both:
        wanted = "wanted one of both"
        raise InputError([Problem(host_id, "to be drained and to receive", wanted) for host_id in both])
    allowed = fleet.hosts.keys() if to is None else set(to)
    targets = [
        host
        for host in fleet.hosts.values()
        if host.schedulable and host.has_manager and host.id not in named and host.id in allowed
    ]
    return [host_id for host_id in fleet.hosts if host_id in named], targets


def _placed(floor: Floor, mover: Mover) -> _Placed:
    seats: Seats = floor.placed[mover.number]
    states = 15
    for (gpu, _), ways in zip(seats, mover.ways, strict=True):
        states &= ways[floor.gpu_class[gpu]]
    assert states, "a mover sits where it may not"
    return _Placed(
        mover.vm,
        floor.hosts[floor.host_of[seats[0][0]]].id,
        states,
        tuple([Seat(floor.gpus[gpu].id, None if at == NO_ID else at) for gpu, at in seats]),
    )


def _timed(fleet: Fleet, placed: Sequence[_Placed]) -> tuple[tuple[MigrateStep, ...], Bounds]:
    numbers = {host_id: number for number, host_id in enumerate(fleet.hosts)}
    jobs = []
    for move in placed:
        assert move.vm.host is not None
        settings = fleet.settings_of(fleet.hosts[move.target].domain)
        jobs.append((numbers[move.vm.host], numbers[move.target], migration_s(move.vm, settings)))
    limits = [fleet.settings_of(host.domain).migrations_per_host for host in fleet.hosts.values()]
    timetable = schedule(jobs, limits, fleet.settings.migrations_per_fleet)
    order = sorted(range(len(placed)), key=lambda job: (timetable.starts[job], timetable.ends[job], job))
    steps = []
    for number, job in enumerate(order, 1):
        move = placed[job]
        assert move.vm.host is not None
        steps.append(
            MigrateStep(
                id=number,
                wave=1,
                vm=move.vm.id,
                how=WAYS[4 - move.states.bit_length()],
                source=move.vm.host,
                target=move.target,
                gpus=move.seats,
                start_s=to_ms(timetable.starts[job]),
                end_s=to_ms(timetable.ends[job]),
                after=(),
            )
        )
    makespan_s = to_ms(timetable.makespan_s)
    is_least = timetable.makespan_s <= timetable.lower_bound + 1e-6
    lower_bound = makespan_s if is_least else min(makespan_s, bound_to_ms(timetable.lower_bound))
    bounds = Bounds(
        moves=Count(len(steps), len(steps)),
        waves=Count(0, 0),
        makespan_s=Duration(makespan_s, lower_bound),
    )
    return tuple(steps), bounds


def _not_compared(fleet: Fleet, placed: Sequence[_Placed]) -> list[str]:
    """Moves to hosts whose version range is in no table, so that no rule could compare with it."""
    unknown = [one.target for one in placed if fleet.hosts[one.target].range_in_force is None]
    if not unknown:
        return []
    moves = f"{len(unknown)} move{'s' if len(unknown) > 1 else ''}"
    hosts = _some(sorted(set(unknown)))
    return [f"vGPU versions were not compared in {moves} to {hosts}: no range is known for its host driver"]


def _unchecked(targets: Sequence[Host], movers: Sequence[Vm]) -> list[str]:
    """What was not checked, because the fleet file does not say it."""
    notes = []
    for name, what in (("memory_mib", "memory was"), ("vcpus", "vcpus were")):
        silent = [host.id for host in targets if getattr(host, name) is None]
        if silent:
            notes.append(f"{what} not checked on {_some(silent)}: no {name} in the fleet file")
    if any(host.vcpus is not None for host in targets):
        unsaid = [vm.id for vm in movers if vm.vcpus is None]
        if unsaid:
            notes.append(f"vcpus were not checked for {_some(unsaid)}: no vcpus in the fleet file")
    return notes


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"
