"""Pin the hosts of one migration domain, each while it is empty: the rolling of `planning.rolling`, with a
range in the place of a driver.

A host is empty, gets its range, and from then on is a home for those who come from hosts still to be pinned.
VMs that no pinned host may take gather on few hosts, which stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.compat import GpuTraits, check, combine, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet, Gpu, GpuId, Host, HostId, Profile, VersionRange, Vm
from vgpu_migrate.model.negotiation import fresh_version
from vgpu_migrate.model.planfile import (
    PinStep,
    Stuck,
    StuckEvidence,
    StuckReason,
    hex_range,
)
from vgpu_migrate.planning.classes import StateTable, state_table
from vgpu_migrate.planning.course import Course, CourseBounds
from vgpu_migrate.planning.moves import possible_ways
from vgpu_migrate.planning.rolling.ask import UpgradeAsk
from vgpu_migrate.planning.rolling.bounds_of_domain import domain_bounds
from vgpu_migrate.planning.rolling.guises import PHASES_OPEN, Guise, Guises
from vgpu_migrate.planning.rolling.pool import Pool, pools_of
from vgpu_migrate.planning.rolling.steps import StepWriter


class PinAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which hosts of one domain to pin, and to what."""

    domain: str
    pins: tuple[tuple[HostId, int, int], ...]
    """A host, and the least and the greatest version of its range; in the fleet's order."""
    attempts: int = 24
    max_unavailable: int | None = None
    """Most hosts out of service at once."""


def pin_domain(fleet: Fleet, ask: PinAsk) -> Course:
    """Plan to pin hosts of one domain.

    Args:
        fleet: all hosts and VMs of the domain.
        ask: what is wanted.

    Returns:
        Steps that are safe in every order that `after` leaves, and a reason for each host that is not pinned.
    """
    ranges = {host_id: VersionRange(low, high) for host_id, low, high in ask.pins}
    wanted = {
        host_id: known for host_id, known in ranges.items() if fleet.hosts[host_id].range_in_force != known
    }
    if not wanted:
        return Course(ask.domain, (), (), CourseBounds(0, 0, 0.0, hosts=0))
    managed = [host for host in fleet.hosts.values() if host.has_manager]
    groups = [group for group in pools_of(managed) if any(host.id in wanted for host in group)]
    every = [host for group in groups for host in group]
    movers = [vm for host in every for vm in fleet.residents[host.id]]
    guises = _guises(fleet, every, wanted, movers)
    order = UpgradeAsk(
        ask.domain, "", tuple(wanted), max_unavailable=ask.max_unavailable, attempts=ask.attempts
    )
    pools = [
        Pool(
            fleet, guises, group, wanted={*wanted}, pins={}, lifts=set(), ask=order, wave_size=order.wave_size
        )
        for group in groups
    ]
    for pool in pools:
        pool.roll()
    writer = _PinWriter(wanted)
    writer.write([(pool.first, pool.result.yard) for pool in pools if pool.result is not None])
    stuck = tuple([item for pool in pools for item in _stuck_of(pool, wanted)])
    return Course(ask.domain, tuple(writer.steps), stuck, _bounds(fleet, pools, order))


class _PinWriter(StepWriter):
    """Writes a pin where the rolling would write an upgrade."""

    def __init__(self, wanted: Mapping[HostId, VersionRange]) -> None:
        super().__init__("")
        self._wanted = wanted

    def upgrade(self, host: Host, wave: int, after: Iterable[int]) -> None:
        """Write the pin of a host; one to the driver's own range lifts the pin there."""
        known = self._wanted[host.id]
        spelt = None if known == host.preset_range else hex_range(known)
        waits = tuple(sorted({*after}))
        self.steps.append(PinStep(self.next_id(), wave, host.id, spelt, 0.0, 0.0, waits))


def _guises(
    fleet: Fleet, hosts: Sequence[Host], wanted: Mapping[HostId, VersionRange], movers: Sequence[Vm]
) -> Guises:
    """Judge a domain as it is and as it will be: hosts to be pinned have ghosts that are."""
    there: dict[HostId, Host] = dict(fleet.hosts)
    ghosts: dict[GpuId, tuple[GpuId, GpuId, GpuId]] = {}
    judged: list[Gpu] = []
    for host in hosts:
        later = host
        if host.id in wanted:
            name = HostId(f"{host.id}\0pinned")
            gpus = [
                msgspec.structs.replace(gpu, id=GpuId(f"{gpu.id}\0pinned"), host=name) for gpu in host.gpus
            ]
            later = msgspec.structs.replace(host, id=name, range_in_force=wanted[host.id], gpus=tuple(gpus))
            there[name] = later
        for gpu, ghost in zip(host.gpus, later.gpus, strict=True):
            if gpu.is_vgpu_host:
                judged += [gpu] if gpu is ghost else [gpu, ghost]
                ghosts[gpu.id] = (gpu.id, ghost.id, ghost.id)
    whole = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, there, fleet.vms)
    table = state_table(whole, movers, judged)
    examples: dict[int, tuple[GpuTraits, Profile]] = {}
    for gpu in judged:
        host = there[gpu.host]
        profile = whole.settings_of(host.domain).profile
        examples.setdefault(table.gpu_classes[gpu.id], (gpu_traits(host, gpu), profile))
    number = table.gpu_classes
    return Guises(
        fleet=whole,
        table=StateTable(table.vgpu_classes, number, [row * PHASES_OPEN + [0] for row in table.states]),
        classes={gpu: (number[a], number[b], number[c]) for gpu, (a, b, c) in ghosts.items()},
        ghosts=ghosts,
        examples=[examples[at] for at in range(len(examples))],
    )


def _bounds(fleet: Fleet, pools: Sequence[Pool], order: UpgradeAsk) -> CourseBounds:
    """Those of a rolling upgrade whose upgrades take no time: no wave upgrades anything."""
    settings = {
        order.domain: msgspec.structs.replace(fleet.settings_of(order.domain), upgrade_s=0.0),
    }
    timeless = Fleet(fleet.revision, fleet.settings, settings, fleet.hosts, fleet.vms)
    bounds = domain_bounds(timeless, pools, order)
    return msgspec.structs.replace(bounds, waves=0, out_s=())


def _stuck_of(pool: Pool, wanted: Mapping[HostId, VersionRange]) -> Iterator[Stuck]:
    """The hosts of a pool that are not pinned, each after those of its VMs that keep it so."""
    assert pool.result is not None
    yard = pool.result.yard
    for host, guise in enumerate(yard.guise):
        if not yard.is_wanted[host] or guise is not Guise.BEFORE:
            continue
        name = yard.hosts[host].id
        held = [
            pool.first.movers[number].vm for number in sorted(yard.there[host]) if number in pool.stranded
        ]
        for vm in held:
            yield _stranded(pool, vm, name)
        seen = {
            "VMs there": str(len(yard.there[host])),
            "hosts of its kind": str(len(yard.hosts)),
            "that can be empty at once, at most": str(max(0, pool.figures.most_out)),
        }
        remedy = f"add a host with gpus of its board, or take VMs off {name}, and plan again"
        reason = StuckReason.NO_CAPACITY
        if held:
            seen = {"VMs that no pinned host may take": _some(held), **seen}
            remedy = _started_anew(name, held, len(yard.there[host]) - len(held), wanted[name])
            reason = StuckReason.NO_COMPATIBLE_HOST
        piece = StuckEvidence("pin", seen, "fleet", "counted in the fleet file", remedy)
        yield Stuck(None, name, reason, (piece,), (remedy,))


def _started_anew(host_id: HostId, held: Sequence[Vm], others: int, known: VersionRange) -> str:
    """What empties a host of those that no pinned host may take: only a VM that is off holds no vgpu, and
    one that starts under the range gets a version of it, if its guest driver has one.
    """
    count = f" ({len(held)} VMs)" if len(held) > 1 else ""
    them = "them" if len(held) > 1 else "it"
    first = f"move the others off {host_id}, " if others else ""
    text = f"{first}shut down {_some(held)}{count}, pin the empty host, and start {them} again"
    lost = [vm for vm in held if not _would_load(vm, known)]
    if lost:
        whose = "their guest drivers" if len(lost) > 1 else "its guest driver"
        text += f"; {_some(lost)} would not load there: upgrade or change {whose} first"
    return text


def _would_load(vm: Vm, known: VersionRange) -> bool:
    """Whether a guest driver has a version in a range, as far as is known."""
    if vm.guest_driver is None or facts.guest_driver(vm.guest_driver).maximum is None:
        return True
    return fresh_version(vm.guest_driver, known) is not None


def _some(vms: Sequence[Vm]) -> str:
    names = [vm.id for vm in vms]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


def _stranded(pool: Pool, vm: Vm, host_id: HostId) -> Stuck:
    """Why no pinned host takes a VM: the verdict of that one of its boards that leaves most."""
    guises, fleet = pool.first.guises, pool.first.guises.fleet
    boards = {vgpu.type.board for vgpu in vm.vgpus}
    traits = [vgpu_traits(fleet, vm, vgpu) for vgpu in vm.vgpus]
    verdicts = []
    known: set[int] = set()
    for gpu in pool.first.floor.gpus:
        number = guises.classes[gpu.id][Guise.MIDWAY]
        real = fleet.hosts[gpu.host]
        if gpu.board.key in boards and real.id != host_id and real.schedulable and number not in known:
            known.add(number)
            there, profile = guises.examples[number]
            verdicts.append(combine([check(one, there, profile) for one in traits]))
    possible = possible_ways(vm.state)
    verdicts.sort(key=lambda verdict: (-int(verdict.states & possible), len(verdict.evidence)))
    evidence = verdicts[0].evidence if verdicts else ()
    pieces = tuple(
        [
            StuckEvidence(piece.rule, piece.seen, piece.basis, piece.source, piece.remedy, piece.by)
            for piece in evidence
        ]
    )
    is_owner = bool(verdicts) and bool(verdicts[0].states & possible)
    remedies = [piece.remedy for piece in pieces]
    if is_owner:
        ways = ", ".join(reversed((verdicts[0].states & possible).words))
        remedies.insert(0, f"allow {ways} for {vm.id}: a pinned host could take it so")
    if not remedies:
        remedies.append("add a host of its board to the domain, or make one schedulable")
    reason = StuckReason.OWNER_FORBIDS if is_owner else StuckReason.NO_COMPATIBLE_HOST
    return Stuck(vm.id, host_id, reason, pieces, tuple(dict.fromkeys(remedies)))
