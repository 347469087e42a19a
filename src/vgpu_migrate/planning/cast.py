"""The VMs that are to move, reduced to what a search looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import TypedDict

from vgpu_migrate import facts
from vgpu_migrate.model import Fleet, Vgpu, Vm
from vgpu_migrate.model.cost import migration_s
from vgpu_migrate.nvml import States
from vgpu_migrate.planning.classes import StateTable
from vgpu_migrate.planning.moves import permitted_ways

AWAY = -1
"""The home of a mover that is on no host of the floor."""
NEVER = 9
"""The level of a pairing that is not possible; levels 0 to 3 are live, sleep, hibernate, cold."""


@dataclass(frozen=True, slots=True, eq=False)
class Mover:
    """A VM that is to move, reduced to what a search looks at. `board` and `size_mib` are of its first vgpu's
    type.

    `types` are rows of the type table. `ways`: for each vgpu, by gpu class, the states left there that its
    owner accepts, as bits. `levels`: by gpu class, the level of its first vgpu there, which is all there is
    to know of a VM with one. `seconds`: how long its migration takes. Movers with equal `likeness` are
    interchangeable.
    """

    number: int
    vm: Vm
    types: tuple[int, ...]
    board: int
    size_mib: int
    ways: tuple[Sequence[int], ...]
    levels: Sequence[int]
    memory_mib: int
    vcpus: int
    groups: tuple[str, ...]
    seconds: float
    likeness: int
    is_single: bool
    order: tuple[int, ...]
    """Its vgpus, largest first: the order in which seats are sought for several together."""
    possible: int
    """The permitted states that every vgpu has on some gpu, as bits."""
    home: int = AWAY
    """The host of the floor that it is on, by number: a move goes to another. AWAY for those that come from
    a host that receives nobody."""


class Ways(TypedDict):
    """The part of a mover that says where it may go and how."""

    ways: tuple[Sequence[int], ...]
    levels: Sequence[int]
    possible: int


def ways_of(table: StateTable, vm: Vm, permitted: States) -> Ways:
    """Where a VM may go, and how, if only these ways are permitted."""
    bits = int(permitted)  # arithmetic on flags is slow, and searches do much of it
    ways = tuple([states & bits for states in table.states[number]] for number in table.vgpu_classes[vm.id])
    levels = [4 - bits.bit_length() if bits else NEVER for bits in ways[0]]
    return Ways(ways=ways, levels=levels, possible=reduce(and_, [reduce(or_, row, 0) for row in ways]))


def cast_of(fleet: Fleet, leaving: Sequence[Vm], table: StateTable) -> list[Mover]:
    """The movers of one domain, numbered in the fleet's order."""
    likenesses: dict[object, int] = {}
    known: dict[tuple[object, ...], Ways] = {}
    settings = fleet.settings_of(fleet.domain_of(leaving[0]) or "")
    boards = {key: board.row for key, board in facts.boards().items()}
    cast = []
    for number, vm in enumerate(leaving):
        classes, permitted = table.vgpu_classes[vm.id], permitted_ways(vm)
        ways = known.get((classes, permitted))
        if ways is None:
            ways = known[classes, permitted] = ways_of(table, vm, permitted)
        types = tuple([vgpu.type.row for vgpu in vm.vgpus])
        likeness = (types, classes, permitted, vm.memory_mib, vm.vcpus, vm.anti_affinity)
        cast.append(
            Mover(
                number=number,
                vm=vm,
                types=types,
                board=boards[vm.vgpus[0].type.board],
                size_mib=vm.vgpus[0].type.framebuffer_mib,
                memory_mib=vm.memory_mib,
                vcpus=vm.vcpus or 0,
                groups=vm.anti_affinity,
                seconds=migration_s(vm, settings),
                likeness=likenesses.setdefault(likeness, len(likenesses)),
                is_single=len(types) == 1,
                order=tuple(sorted(range(len(types)), key=lambda n: _largest_first(vm.vgpus[n], n))),
                **ways,
            )
        )
    return cast


def _largest_first(vgpu: Vgpu, number: int) -> tuple[int, int, int]:
    return (-vgpu.type.framebuffer_mib, vgpu.type.row, number)
