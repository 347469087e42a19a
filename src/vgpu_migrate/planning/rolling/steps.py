"""From what was done on a yard to steps of a plan, each waiting for what it must.

Done one by one, in their order, the steps are safe. In any other order that `after` allows they are, too:
who arrives waits for all who left the same room before it was taken, and so meets only those beside whom it
fitted when the plan was made. Work on a host waits for all who left it; who arrives later waits for the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vgpu_migrate.model import Host, VmId
from vgpu_migrate.model.placement import VGPUS_PER_TIME_SLICED_GPU
from vgpu_migrate.model.planfile import MigrateStep, PinStep, Seat, Step, UpgradeStep, hex_range
from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.floor import NO_ID, Seats, Sharing, capacity
from vgpu_migrate.planning.geometry import region
from vgpu_migrate.planning.rolling.yard import Act, Moved, Worked, Yard


@dataclass
class _Gpu:
    """A gpu since its host was last worked on."""

    held: list[tuple[int, int, int]] = field(default_factory=list)
    """Who is there: number of the VM, type, placement."""
    left: list[tuple[int, int, int]] = field(default_factory=list)
    """Who has left: step, type, placement."""


@dataclass
class _Host:
    """A host since it was last worked on."""

    gate: int | None = None
    """The step that worked on it last."""
    present: dict[int, Mover] = field(default_factory=dict)
    left: list[tuple[int, Mover]] = field(default_factory=list)


class StepWriter:
    """Writes the steps of several pools of one domain, with ids from 1."""

    def __init__(self, driver: str) -> None:
        self.steps: list[Step] = []
        self._driver = driver

    def write(self, pools: Sequence[tuple[Yard, Yard]]) -> None:
        """Write the acts of pools, each as it was at first and as it is in the end, wave by wave."""
        states = [_Pool(first, self) for first, _ in pools]
        acts = [
            (act.wave, number, position, act)
            for number, (_, last) in enumerate(pools)
            for position, act in enumerate(last.acts)
        ]
        acts.sort(key=lambda item: item[:3])
        for _, number, _, act in acts:
            states[number].write(act)

    def next_id(self) -> int:
        """The id of the step that is written next."""
        return len(self.steps) + 1

    def upgrade(self, host: Host, wave: int, after: Iterable[int]) -> None:
        """Write an upgrade."""
        waits = tuple(sorted(set(after)))
        self.steps.append(UpgradeStep(self.next_id(), wave, host.id, self._driver, 0.0, 0.0, waits))


class _Pool:
    def __init__(self, yard: Yard, writer: StepWriter) -> None:
        self._yard = yard
        self._writer = writer
        self._gpus = [_Gpu() for _ in yard.floor.gpus]
        self._hosts = [_Host() for _ in yard.hosts]
        self._moved: dict[VmId, int] = {}
        self._upgrades: list[int] = []
        self._last: list[int] | None = None
        for mover in yard.movers:
            seats = yard.floor.placed[mover.number]
            self._hosts[yard.host_of(mover.number)].present[mover.number] = mover
            self._hold(mover, seats)

    def _hold(self, mover: Mover, seats: Seats) -> None:
        for (gpu, placement), type_row in zip(seats, mover.types, strict=True):
            self._gpus[gpu].held.append((mover.number, type_row, placement))

    def write(self, act: Act) -> None:
        """Write one act."""
        if isinstance(act, Moved):
            self._move(act)
        else:
            self._work(act)

    def _move(self, act: Moved) -> None:
        mover, writer = act.mover, self._writer
        number = writer.next_id()
        waits = set(self._room(mover, act.target, act.seats))
        gate = self._hosts[act.target].gate
        if gate is not None:
            waits.add(gate)
        if mover.vm.id in self._moved:
            waits.add(self._moved[mover.vm.id])
        names = self._yard.floor.gpus
        writer.steps.append(
            MigrateStep(
                id=number,
                wave=act.wave,
                vm=mover.vm.id,
                how=act.how,
                source=self._yard.hosts[act.source].id,
                target=self._yard.hosts[act.target].id,
                gpus=tuple([Seat(names[gpu].id, None if at == NO_ID else at) for gpu, at in act.seats]),
                start_s=0.0,
                end_s=0.0,
                after=tuple(sorted(waits)),
            )
        )
        self._moved[mover.vm.id] = number
        source, target = self._hosts[act.source], self._hosts[act.target]
        del source.present[mover.number]
        source.left.append((number, mover))
        target.present[mover.number] = mover
        for (gpu, placement), type_row in zip(act.before, mover.types, strict=True):
            self._gpus[gpu].held.remove((mover.number, type_row, placement))
            self._gpus[gpu].left.append((number, type_row, placement))
        self._hold(mover, act.seats)

    def _room(self, mover: Mover, host: int, seats: Seats) -> Iterable[int]:
        """The steps that an arrival waits for, because of those who left before it."""
        for gpu in dict.fromkeys(gpu for gpu, _ in seats):
            state = self._gpus[gpu]
            if not state.left:
                continue
            sharing = self._yard.floor.sharing[gpu]
            mine = [(row, at) for (there, at), row in zip(seats, mover.types, strict=True) if there == gpu]
            everyone = [item[1] for item in (*state.held, *state.left)] + [row for row, _ in mine]
            rows = {row for row, _ in mine}
            is_full = len(everyone) > VGPUS_PER_TIME_SLICED_GPU or any(
                everyone.count(row) > capacity(row) for row in rows
            )
            for step, type_row, placement in state.left:
                if (
                    is_full
                    or sharing is Sharing.MIG
                    or (sharing is Sharing.EQUAL and type_row not in rows)
                    or (
                        sharing is Sharing.MIXED
                        and any(region(type_row, placement) & region(row, at) for row, at in mine)
                    )
                ):
                    yield step
        yield from self._beside(mover, host)

    def _beside(self, mover: Mover, host: int) -> Iterable[int]:
        """The same, because of memory, vcpus and groups of the host."""
        state, whole = self._hosts[host], self._yard.hosts[host]
        if not state.left:
            return
        everyone = [*state.present.values(), *(other for _, other in state.left), mover]
        is_tight = (
            whole.memory_mib is not None and sum([m.memory_mib for m in everyone]) > whole.memory_mib
        ) or (whole.vcpus is not None and sum([m.vcpus for m in everyone]) > whole.vcpus)
        groups = set(mover.groups)
        for step, other in state.left:
            if is_tight or (groups and not groups.isdisjoint(other.groups)):
                yield step

    def _work(self, act: Worked) -> None:
        state, writer = self._hosts[act.host], self._writer
        host = self._yard.hosts[act.host]
        waits = [step for step, _ in state.left]
        if state.gate is not None:
            waits.append(state.gate)
        if act.is_upgrade:
            writer.upgrade(host, act.wave, waits)
            waits = [len(writer.steps)]
            self._upgrades += waits
        else:
            waits += self._last_upgrades()
        if not act.is_upgrade or act.pin is not None:
            number = writer.next_id()
            wanted = hex_range(act.pin)
            after = tuple(sorted(set(waits)))
            writer.steps.append(PinStep(number, act.wave, host.id, wanted, 0.0, 0.0, after))
        state.gate = len(writer.steps)
        state.left.clear()
        for gpu in self._yard.floor.gpus_of[act.host]:
            self._gpus[gpu].left.clear()

    def _last_upgrades(self) -> list[int]:
        """What the lifting of a pin waits for: the upgrades of the pool that none of the others waits for."""
        if self._last is None:
            bit = {step: 1 << number for number, step in enumerate(self._upgrades)}
            behind: dict[int, int] = {}
            for step in self._writer.steps:
                behind[step.id] = 0
                for earlier in step.after:
                    behind[step.id] |= behind[earlier] | bit.get(earlier, 0)
            covered = 0
            for upgrade in self._upgrades:
                covered |= behind[upgrade]
            self._last = [upgrade for upgrade in self._upgrades if not covered & bit[upgrade]]
        return self._last
