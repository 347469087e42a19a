"""Why a VM stays, with evidence and what would help. Asked only for VMs that a search could not place.

Evidence is a row of the rule table that hit, or one of two of our own: `capacity`, with the figures that
show that there is no room, and `anti-affinity`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from vgpu_migrate import facts
from vgpu_migrate.compat import Evidence, Verdict, check, combine, gpu_traits, rules, vgpu_traits
from vgpu_migrate.model import Fleet, Gpu, Host, HostId, Vm, VmState
from vgpu_migrate.model.planfile import How, Stuck, StuckEvidence, StuckReason
from vgpu_migrate.nvml import States
from vgpu_migrate.planning.cast import Mover, ways_of
from vgpu_migrate.planning.classes import StateTable
from vgpu_migrate.planning.fill import Seater
from vgpu_migrate.planning.floor import UNLOCKED, Floor, Sharing, floor_of
from vgpu_migrate.planning.moves import least_interruption, possible_ways
from vgpu_migrate.planning.takers import Takers

_THE_VM = "{vm}"
"""Stands for the VM's id until the answer for its likeness is given to it."""
_ADVICE = "{advice}"
"""Stands for what depends on the VM's host."""
_AS = {How.LIVE: "running", How.SLEEP: "suspended", How.HIBERNATE: "hibernated", How.COLD: "powered off"}

_Likeness = tuple[int, VmState, States]
"""Of VMs for which the same holds, but for what depends on their host."""


class _Answer(NamedTuple):
    reason: StuckReason
    evidence: tuple[StuckEvidence, ...]
    remedies: tuple[str, ...]
    takers: frozenset[HostId] = frozenset()
    """The hosts of those whose place in the plan it could have had."""


class Explainer:
    """Explains the stuck VMs of one domain, from the floor as planned and the floor before the plan.

    `table` and `hosts`: the classes, and the hosts that may receive.
    """

    def __init__(
        self, fleet: Fleet, table: StateTable, hosts: Sequence[Host], planned: Floor, domain: str
    ) -> None:
        self._fleet = fleet
        self._table = table
        self._hosts = hosts
        self._planned = planned
        self._domain = domain
        self._answers: dict[_Likeness, _Answer] = {}
        self._could_take: dict[_Likeness, list[HostId]] = {}

    @cached_property
    def _before(self) -> Floor:
        return floor_of(self._fleet, self._hosts, self._table.gpu_classes)

    @cached_property
    def _classes_of_hosts(self) -> set[frozenset[int]]:
        """The gpu classes that stand together on a host, each such set once."""
        floor = self._before
        return {frozenset([floor.gpu_class[gpu] for gpu in gpus]) for gpus in floor.gpus_of}

    @cached_property
    def _examples(self) -> dict[int, Gpu]:
        """The first gpu of each class."""
        examples: dict[int, Gpu] = {}
        for gpu, gpu_class in zip(self._before.gpus, self._before.gpu_class, strict=True):
            examples.setdefault(gpu_class, gpu)
        return examples

    def explain(self, mover: Mover) -> Stuck:
        """The reason a mover stays, with evidence and remedies; worked out once for each likeness."""
        key = (mover.likeness, mover.vm.state, mover.vm.allow)
        assert mover.vm.host is not None
        if not self._before.gpus:
            return self._nobody_receives(mover.vm, mover.vm.host, key)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._answer(mover)
        advice = "drain fewer hosts at once"
        if answer.takers <= {mover.vm.host}:
            advice = f"choose which VMs of {mover.vm.host} move"
        remedies = tuple(
            text.replace(_THE_VM, mover.vm.id).replace(_ADVICE, advice) for text in answer.remedies
        )
        return Stuck(mover.vm.id, mover.vm.host, answer.reason, answer.evidence, remedies)

    def _answer(self, mover: Mover) -> _Answer:
        possible = self._reach(mover) & possible_ways(mover.vm.state)
        if not possible:
            return self._no_compatible_host(mover)
        if not possible & mover.vm.allow:
            return self._owner_forbids(mover, possible)
        ungrouped = replace(mover, groups=())
        alone = Seater(self._before).seat(mover)
        if alone is not None:
            if mover.groups and Seater(self._planned).seat(ungrouped) is not None:
                return self._anti_affinity(mover, self._planned)
            return self._blocked(mover, self._before.gpus[alone[0][0]])
        if mover.groups and Seater(self._before).seat(ungrouped) is not None:
            return self._anti_affinity(mover, self._before)
        evidence, remedies = self._no_room(mover, self._before)
        return _Answer(StuckReason.NO_CAPACITY, evidence, remedies)

    def _reach(self, mover: Mover) -> States:
        """The states in which some host could take all vgpus of a mover, whatever its owner says."""
        rows = [self._table.states[number] for number in self._table.vgpu_classes[mover.vm.id]]
        found = 0
        for classes in self._classes_of_hosts:
            on_host = 15
            for row in rows:
                reach = 0
                for gpu_class in classes:
                    reach |= row[gpu_class]
                on_host &= reach
            found |= on_host if classes else 0
        return States(found)

    def _verdict(self, vm: Vm, gpu: Gpu) -> Verdict:
        host = self._fleet.hosts[gpu.host]
        profile = self._fleet.settings_of(host.domain).profile
        traits = gpu_traits(host, gpu)
        return combine([check(vgpu_traits(self._fleet, vm, vgpu), traits, profile) for vgpu in vm.vgpus])

    def _near_misses(self, vm: Vm) -> list[tuple[Gpu, Verdict]]:
        """One gpu of each class with its verdict, those of the VM's board and with most states first."""
        found = [(gpu, self._verdict(vm, gpu)) for gpu in self._examples.values()]
        possible = possible_ways(vm.state)
        boards = {vgpu.type.board for vgpu in vm.vgpus}
        found.sort(
            key=lambda item: (
                item[0].board.key not in boards,
                -(item[1].states & possible),
                len(item[1].evidence),
            )
        )
        return found

    def _nobody_receives(self, vm: Vm, host_id: HostId, likeness: _Likeness) -> Stuck:
        """What would help where no gpu of the domain may receive at all."""
        others = self._could_take.get(likeness)
        if others is None:
            others = self._could_take[likeness] = [host.id for host in self._takers.of(vm)]
        could = [other for other in others if other != host_id]
        domain = self._domain
        if could:
            names = ", ".join(could[:3]) + (f" and {len(could) - 3} more" if len(could) > 3 else "")
            remedy = f"leave some host of domain {domain} to receive: {names} could, but may not in this plan"
        elif any(host.id != host_id for host in self._takers.hosts):
            boards = " and ".join(sorted({vgpu.type.board for vgpu in vm.vgpus}))
            remedy = (
                f"add a host with gpus of board {boards} that may take {vm.id} to domain {domain}: none may "
                f"receive in this plan, and no other that is schedulable could take it as its owner allows"
            )
        else:
            remedy = f"no other host of domain {domain} may receive: make one schedulable, or add one"
        return Stuck(vm.id, host_id, StuckReason.NO_COMPATIBLE_HOST, (), (remedy,))

    @cached_property
    def _takers(self) -> Takers:
        """The hosts of the domain that could receive, whether they may in this plan or not."""
        there = [host for host in self._fleet.hosts.values() if host.domain == self._domain]
        return Takers(self._fleet, [host for host in there if host.schedulable and host.has_manager])

    def _no_compatible_host(self, mover: Mover) -> _Answer:
        reason, vm = StuckReason.NO_COMPATIBLE_HOST, mover.vm
        misses = self._near_misses(vm)
        gpu, verdict = misses[0]
        boards = sorted({vgpu.type.board for vgpu in vm.vgpus} - {at.board.key for at, _ in misses})
        if boards:
            pieces = tuple(piece for piece in verdict.evidence if piece.rule == "board")
            why = f"add a host with a gpu of board {boards[0]} to domain {self._domain}: no other may receive"
            return _Answer(reason, tuple(map(_as_evidence, pieces)), (why,))
        remedies = [f"{gpu.host}: {text}" for text in _remedies_for(vm, verdict, possible_ways(vm.state))]
        if not remedies:
            remedies.append(f"find one host of domain {self._domain} for all its vgpus together")
        if vm.state is VmState.BOOTING:
            remedies.insert(0, f"wait until {_THE_VM} has booted, and plan anew")
        return _Answer(reason, tuple(map(_as_evidence, verdict.evidence)), tuple(remedies))

    def _owner_forbids(self, mover: Mover, possible: States) -> _Answer:
        vm = mover.vm
        willing = replace(mover, likeness=-1, **ways_of(self._table, vm, possible_ways(vm.state)))
        seats = Seater(self._planned).seat(willing)
        remedies = []
        if vm.state is VmState.BOOTING:
            remedies.append(f"wait until {_THE_VM} has booted, and plan anew")
        if seats is not None:
            for (gpu, _), ways in zip(seats, willing.ways, strict=True):
                possible &= ways[self._planned.gpu_class[gpu]]
        how = least_interruption(possible)
        assert how is not None
        if seats is not None:
            host_id = self._planned.gpus[seats[0][0]].host
            remedies.append(f"allow {how} for {_THE_VM}: {host_id} could take it {_AS[how]}")
        else:
            remedies.append(f"allow {how} for {_THE_VM}, and free room for it")
        near = [verdict for _, verdict in self._near_misses(vm) if verdict.states & possible]
        if near:
            remedies += _remedies_for(vm, near[0], vm.allow)
        pieces = near[0].evidence if near else ()
        return _Answer(StuckReason.OWNER_FORBIDS, tuple(map(_as_evidence, pieces)), tuple(remedies))

    def _anti_affinity(self, mover: Mover, floor: Floor) -> _Answer:
        seats = Seater(floor).seat(replace(mover, groups=()))
        assert seats is not None
        host = floor.host_of[seats[0][0]]
        host_id = floor.hosts[host].id
        there = [vm for vm in self._fleet.residents[host_id] if set(vm.anti_affinity) & set(mover.groups)]
        there += [
            other.vm
            for gpu in floor.gpus_of[host]
            for other in floor.here[gpu].values()
            if set(other.groups) & set(mover.groups)
        ]
        names = ", ".join(dict.fromkeys(vm.id for vm in there))
        groups = ", ".join(mover.groups)
        remedy = f"add a host without a VM of {groups}, or take {_THE_VM} out of the group"
        piece = StuckEvidence(
            rule="anti-affinity",
            seen={"groups": groups, "host with room": host_id, "there": names},
            basis="fleet",
            source="fleet file, anti_affinity",
            remedy=remedy.replace(_THE_VM, "it"),
        )
        return _Answer(StuckReason.ANTI_AFFINITY, (piece,), (remedy,))

    def _blocked(self, mover: Mover, gpu: Gpu) -> _Answer:
        evidence, remedies = self._no_room(mover, self._planned)
        number = self._planned.gpus.index(gpu)
        host = self._planned.host_of[number]
        takers = list(self._planned.here[number].values()) or [
            other for at in self._planned.gpus_of[host] for other in self._planned.here[at].values()
        ]
        names = [other.vm.id for other in takers]
        text = f"{_ADVICE}: alone it could go to {gpu.id}"
        if names:
            text += f", which {_some(names)} of this plan {'takes' if len(names) == 1 else 'take'}"
        hosts = frozenset(other.vm.host for other in takers if other.vm.host is not None)
        return _Answer(StuckReason.BLOCKED_BY_OTHERS, evidence, (text, *remedies), hosts)

    def _no_room(self, mover: Mover, floor: Floor) -> tuple[tuple[StuckEvidence, ...], tuple[str, ...]]:
        """The capacity certificate: every gpu that may take the VM, by what keeps it from doing so."""
        names = ", ".join(facts.vgpu_type_by_row(row).short for row in mover.types)
        if not mover.is_single:
            remedy = f"free room on one host for {names} together"
            seen = {"types": names, "hosts": str(len(floor.hosts)), "with room for all": "0"}
            return (_capacity(seen, remedy),), (remedy,)
        obstacles = list(self._obstacles(mover, floor))
        counts = Counter(what for what, _ in obstacles)
        seen = {"type": names, "gpus that may take it": str(len(obstacles))}
        seen |= {what: str(count) for what, count in sorted(counts.items())}
        remedies = tuple(self._remedies(mover, floor, obstacles))
        return (_capacity(seen, remedies[0]),), remedies

    def _obstacles(self, mover: Mover, floor: Floor) -> Iterator[tuple[str, int]]:
        row = mover.types[0]
        for gpu, gpu_class in enumerate(floor.gpu_class):
            if not mover.ways[0][gpu_class]:
                continue
            host = floor.host_of[gpu]
            if floor.room(gpu, row) is not None:
                if mover.memory_mib > floor.memory_left[host]:
                    yield "host out of memory", gpu
                elif mover.vcpus and mover.vcpus > floor.vcpus_left[host]:
                    yield "host out of vcpus", gpu
                else:
                    yield "anti-affinity", gpu
            elif floor.sharing[gpu] is Sharing.MIXED:
                yield "no free placement", gpu
            elif floor.sharing[gpu] is Sharing.MIG:
                yield "no free GPU instance", gpu
            else:
                yield ("full" if floor.lock[gpu] in (row, UNLOCKED) else "locked to another type"), gpu

    def _remedies(self, mover: Mover, floor: Floor, obstacles: Sequence[tuple[str, int]]) -> Iterator[str]:
        short = facts.vgpu_type_by_row(mover.types[0]).short
        by_kind: dict[str, list[int]] = {}
        for what, gpu in obstacles:
            by_kind.setdefault(what, []).append(gpu)
        short_of_memory = by_kind.get("host out of memory", [])
        if short_of_memory:
            gpu = max(short_of_memory, key=lambda at: floor.memory_left[floor.host_of[at]])
            left = max(0, int(floor.memory_left[floor.host_of[gpu]]))
            yield (
                f"free memory on {floor.gpus[gpu].host}: {floor.gpus[gpu].id} has room for {short}, but "
                f"the host has {left} MiB left and {_THE_VM} needs {mover.memory_mib}"
            )
        short_of_vcpus = by_kind.get("host out of vcpus", [])
        if short_of_vcpus:
            gpu = max(short_of_vcpus, key=lambda at: floor.vcpus_left[floor.host_of[at]])
            left = max(0, int(floor.vcpus_left[floor.host_of[gpu]]))
            yield (
                f"free vcpus on {floor.gpus[gpu].host}: it has {left} left and {_THE_VM} needs {mover.vcpus}"
            )
        for what, gpus in sorted(by_kind.items()):
            if what in ("locked to another type", "no free placement", "full", "no free GPU instance"):
                gpu = min(gpus, key=lambda at: (floor.count[at], at))
                yield self._freeing(floor, gpu, what, short)
        yield f"add a host to domain {self._domain} with a free gpu that takes {short}"

    def _freeing(self, floor: Floor, gpu: int, what: str, short: str) -> str:
        gpu_id = floor.gpus[gpu].id
        there = [
            vm.id
            for vm in self._fleet.residents[floor.gpus[gpu].host]
            if any(vgpu.gpu == gpu_id for vgpu in vm.vgpus)
        ]
        there += [other.vm.id for other in floor.here[gpu].values()]
        names = _some(list(dict.fromkeys(there)))
        if what == "locked to another type":
            lock = facts.vgpu_type_by_row(floor.lock[gpu]).short
            return f"free one {short} slot: {gpu_id} is locked to {lock} by {names}"
        return f"free one {short} slot: {gpu_id} has {what.replace('full', 'no slot left')}, held by {names}"


def _capacity(seen: dict[str, str], remedy: str) -> StuckEvidence:
    text = remedy.replace(_THE_VM, "the VM")
    return StuckEvidence(
        rule="capacity", seen=seen, basis="fleet", source="counted in the fleet file", remedy=text
    )


def _as_evidence(piece: Evidence) -> StuckEvidence:
    return StuckEvidence(piece.rule, piece.seen, piece.basis, piece.source, piece.remedy, piece.by)


def _remedies_for(vm: Vm, verdict: Verdict, wanted: States) -> list[str]:
    """What would help against the rows that by themselves leave no state wanted; else against every row."""
    leaves = {rule.id: rule.leaves for rule in rules()}
    pieces = [piece for piece in verdict.evidence if not leaves[piece.rule] & wanted] or verdict.evidence
    if vm.state is VmState.BOOTING:
        # That it waits for its guest driver is said once already.
        pieces = [piece for piece in pieces if piece.rule != "guest-info"]
    return list(dict.fromkeys(piece.remedy for piece in pieces))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"
