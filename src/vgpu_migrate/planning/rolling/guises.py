"""What each gpu is to the rules before, midway and after an upgrade: its class in each guise.

The domain is judged once, together with ghosts: copies of its hosts with the new driver, empty, which stand
for what the hosts will be. A range in the facts is all that tells the new driver from the old.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.compat import GpuTraits, VgpuTraits, check, gpu_traits
from vgpu_migrate.model import Fleet, Gpu, GpuId, Host, HostId, VersionRange, Vm
from vgpu_migrate.model.values import Profile
from vgpu_migrate.planning.classes import StateTable, state_table


class Guise(IntEnum):
    """What a host is at the time."""

    BEFORE = 0
    MIDWAY = 1
    """Upgraded, its range pinned."""
    AFTER = 2
    """Upgraded, with the new driver's preset range."""


class Phase(IntEnum):
    """What a host is to the plan at the time: where VMs may go is said in phases."""

    OLD = 0
    """Still to be upgraded: who goes there goes on from there."""
    STAYING = 1
    """It is not upgraded, because VMs on it cannot leave for good: such VMs gather there."""
    KEPT = 2
    """Nobody asked for it to be upgraded, or it is already."""
    NEW = 3
    """Upgraded by this plan."""
    CLOSED = 4
    """Nothing may go there: being emptied, or not schedulable."""


PHASES_OPEN = 4


@dataclass(frozen=True, slots=True)
class Guises:
    """Gpu classes by guise, and the states of every vgpu class on every gpu class."""

    fleet: Fleet
    """The domain with its ghosts."""
    table: StateTable
    """With wide rows: the classes once for each open phase, then one class where nothing may go."""
    classes: Mapping[GpuId, tuple[int, int, int]]
    """By real gpu, its class in each guise, without a phase."""
    ghosts: Mapping[GpuId, tuple[GpuId, GpuId, GpuId]]
    """By real gpu, its name in each guise."""
    examples: Sequence[tuple[GpuTraits, Profile]]
    """By class without a phase."""

    def phased(self, gpu_class: int, phase: Phase) -> int:
        """A class in a phase."""
        count = len(self.examples)
        return PHASES_OPEN * count if phase is Phase.CLOSED else int(phase) * count + gpu_class

    def row(self, traits: VgpuTraits, bits: int) -> list[int]:
        """The permitted states of a vgpu by phased class, by the pair call."""
        row = [int(check(traits, gpu, profile).states) & bits for gpu, profile in self.examples]
        return row * PHASES_OPEN + [0]

    def name(self, gpu: GpuId, guise: Guise) -> GpuId:
        """A gpu's name in a guise."""
        return self.ghosts[gpu][guise]


def upgraded(host: Host, driver: str) -> Host:
    """A host with another driver: its range is that driver's preset, as far as the facts know it."""
    preset = facts.host_driver(driver).preset_range
    return msgspec.structs.replace(host, driver=driver, preset_range=preset, range_in_force=preset)


def guises_of(
    fleet: Fleet,
    hosts: Iterable[Host],
    upgrades: Iterable[HostId],
    movers: Sequence[Vm],
    *,
    driver: str,
    pins: Mapping[HostId, VersionRange],
    lifts: Collection[HostId] = (),
) -> Guises:
    """Judge a domain as it is and as it will be.

    `pins` are the ranges that hosts get when upgraded, `lifts` the hosts whose range now in force is a pin.
    """
    wanted = set(upgrades)
    # Every VM is sorted into a class, so every host stands by, judged or not.
    there: dict[HostId, Host] = dict(fleet.hosts)
    ghosts: dict[GpuId, tuple[GpuId, GpuId, GpuId]] = {}
    judged: list[Gpu] = []
    for host in hosts:
        gpus = [gpu for gpu in host.gpus if gpu.is_vgpu_host and host.has_manager]
        judged += gpus
        names: list[dict[GpuId, GpuId]] = []
        if host.id in wanted:
            after = upgraded(host, driver)
            midway = msgspec.structs.replace(after, range_in_force=pins.get(host.id, after.range_in_force))
            forms = [(midway, "midway"), (after, "after")] if host.id in pins else [(after, "after")]
            for form, word in forms:
                ghost = _ghost(form, word)
                there[ghost.id] = ghost
                judged += [gpu for gpu in ghost.gpus if gpu.is_vgpu_host]
                names.append({old.id: new.id for old, new in zip(host.gpus, ghost.gpus, strict=True)})
        elif host.id in lifts:
            ghost = _ghost(msgspec.structs.replace(host, range_in_force=host.preset_range), "after")
            there[ghost.id] = ghost
            judged += [gpu for gpu in ghost.gpus if gpu.is_vgpu_host]
            names.append({gpu.id: gpu.id for gpu in host.gpus})
            names.append({old.id: new.id for old, new in zip(host.gpus, ghost.gpus, strict=True)})
        for gpu in gpus:
            later = [named[gpu.id] for named in names] or [gpu.id]
            ghosts[gpu.id] = (gpu.id, later[0], later[-1])
    whole = Fleet(fleet.revision, fleet.settings, fleet.domain_settings, there, fleet.vms)
    table = state_table(whole, movers, judged)
    classes = {
        gpu: (table.gpu_classes[names3[0]], table.gpu_classes[names3[1]], table.gpu_classes[names3[2]])
        for gpu, names3 in ghosts.items()
    }
    examples: dict[int, tuple[GpuTraits, Profile]] = {}
    for gpu_ in judged:
        number = table.gpu_classes[gpu_.id]
        if number not in examples:
            host = there[gpu_.host]
            examples[number] = (gpu_traits(host, gpu_), whole.settings_of(host.domain).profile)
    wide = [row * PHASES_OPEN + [0] for row in table.states]
    return Guises(
        fleet=whole,
        table=StateTable(table.vgpu_classes, table.gpu_classes, wide),
        classes=classes,
        ghosts=ghosts,
        examples=[examples[number] for number in range(len(examples))],
    )


def _ghost(host: Host, word: str) -> Host:
    """A host under another name, with its gpus; the names have a character that no fleet file has."""
    name = HostId(f"{host.id}\0{word}")
    gpus = tuple(
        [msgspec.structs.replace(gpu, id=GpuId(f"{gpu.id}\0{word}"), host=name) for gpu in host.gpus]
    )
    return msgspec.structs.replace(host, id=name, gpus=gpus)
