"""A fleet's VMs and gpus as classes, and the verdict of every class on every class.

VMs whose vgpus look alike to the rules are one class; gpus that look alike under their domain's profile
are one class. Domains are not part of a class: whether a VM may go to a host is the caller's question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from vgpu_migrate import facts
from vgpu_migrate.compat.columns import Vocabulary, gpu_columns, vgpu_columns
from vgpu_migrate.compat.factors import states_left
from vgpu_migrate.compat.matrix import ClassMatrix
from vgpu_migrate.compat.table import outcome, rules
from vgpu_migrate.compat.traits import GpuTraits, VgpuTraits, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet, GpuId, HostId, Profile, Vgpu, Vm, VmId
from vgpu_migrate.nvml import Limits, States

_BOARD_RULE = "board"


class GpuClass(NamedTuple):
    """Gpus alike to the rules, and how many there are."""

    traits: GpuTraits
    profile: Profile
    gpus: int


class VmClass(NamedTuple):
    """VMs alike to the rules: the distinct traits of their vgpus, and how many VMs there are."""

    traits: tuple[VgpuTraits, ...]
    vms: int


class Cell(NamedTuple):
    """The verdict of a VM class on a gpu class, by number, and the ids of the rows that hit."""

    vm_class: int
    gpu_class: int
    states: States
    limits: Limits
    rules: tuple[str, ...]


@dataclass(frozen=True)
class FleetClasses:
    """The classes of a fleet and which VM and gpu is in which.

    Gpus that are no vGPU host, or whose host runs no vGPU Manager, are in no class.
    """

    vm_classes: tuple[VmClass, ...]
    gpu_classes: tuple[GpuClass, ...]
    vm_class: Mapping[VmId, int]
    gpu_class: Mapping[GpuId, int]
    hits: npt.NDArray[np.uint16]
    """Masks of hits, [vm classes, gpu classes]: of a VM's vgpus together."""

    @cached_property
    def states(self) -> npt.NDArray[np.uint8]:
        """The states of every VM class on every gpu class, as bits."""
        return states_left()[self.hits]

    def cells(self) -> Iterator[Cell]:
        """Every cell whose board row does not hit, VM class by VM class."""
        board_bit = next(rule.bit for rule in rules() if rule.id == _BOARD_RULE)
        names = [rule.id for rule in rules()]
        for vm_class, gpu_class in np.argwhere(self.hits >> board_bit & 1 == 0).tolist():
            mask = int(self.hits[vm_class, gpu_class])
            states, limits = outcome(mask)
            hit = tuple(name for bit, name in enumerate(names) if mask >> bit & 1)
            yield Cell(vm_class, gpu_class, states, limits, hit)


def classify(fleet: Fleet) -> FleetClasses:
    """Sort a fleet's VMs and gpus into classes and judge every class on every class.

    Class numbers follow the file's order: that of the first VM, or gpu, in the class.
    """
    profiles = {fleet.settings_of(host.domain).profile for host in fleet.hosts.values()}
    gpu_class, gpu_list = _gpu_classes(fleet)
    vm_class, vm_list, vgpu_list = _vm_classes(fleet, by_driver=Profile.IDENTICAL_HOST_DRIVERS in profiles)
    hits = _vgpu_hits(vgpu_list, gpu_list)
    combined = np.zeros((len(vm_list), len(gpu_list)), dtype=np.uint16)
    for number, (members, _) in enumerate(vm_list):
        combined[number] = np.bitwise_or.reduce(hits[list(members)], axis=0)
    return FleetClasses(
        vm_classes=tuple(
            VmClass(tuple(vgpu_list[member] for member in members), count) for members, count in vm_list
        ),
        gpu_classes=tuple(GpuClass(traits, profile, count) for traits, profile, count in gpu_list),
        vm_class=vm_class,
        gpu_class=gpu_class,
        hits=combined,
    )


def _gpu_classes(
    fleet: Fleet,
) -> tuple[dict[GpuId, int], list[tuple[GpuTraits, Profile, int]]]:
    numbers: dict[tuple[GpuTraits, Profile], int] = {}
    gpu_class: dict[GpuId, int] = {}
    counts: list[int] = []
    for host in fleet.hosts.values():
        if not host.has_manager:
            continue
        profile = fleet.settings_of(host.domain).profile
        by_driver = profile is Profile.IDENTICAL_HOST_DRIVERS
        for gpu in host.gpus:
            if not gpu.is_vgpu_host:
                continue
            traits = gpu_traits(host, gpu)
            if not by_driver:
                traits = msgspec.structs.replace(traits, host_driver="")
            number = numbers.setdefault((traits, profile), len(numbers))
            if number == len(counts):
                counts.append(0)
            counts[number] += 1
            gpu_class[gpu.id] = number
    return gpu_class, [(*key, count) for key, count in zip(numbers, counts, strict=True)]


def _vm_classes(
    fleet: Fleet, *, by_driver: bool
) -> tuple[dict[VmId, int], list[tuple[tuple[int, ...], int]], list[VgpuTraits]]:
    """Each VM's class; each class's distinct vgpu classes and its count; the vgpu classes."""
    sources = _source_keys(fleet, by_driver=by_driver)
    by_key: dict[tuple[object, ...], int] = {}
    vgpu_numbers: dict[VgpuTraits, int] = {}
    vm_numbers: dict[tuple[int, ...], int] = {}
    vm_class: dict[VmId, int] = {}
    counts: list[int] = []

    def vgpu_number(vm: Vm, vgpu: Vgpu) -> int:
        source = None if vgpu.gpu is None else sources[vgpu.gpu]
        key = (vgpu.type.row, vgpu.vgpu_version, vgpu.migration, source, vm.guest_driver, vm.state)
        number = by_key.get(key)
        if number is None:
            traits = vgpu_traits(fleet, vm, vgpu)
            if not by_driver:
                traits = msgspec.structs.replace(traits, host_driver=None)
            number = by_key[key] = vgpu_numbers.setdefault(traits, len(vgpu_numbers))
        return number

    for vm in fleet.vms.values():
        vgpus = vm.vgpus
        members = (
            (vgpu_number(vm, vgpus[0]),)
            if len(vgpus) == 1
            else tuple(sorted({vgpu_number(vm, vgpu) for vgpu in vgpus}))
        )
        number = vm_numbers.setdefault(members, len(vm_numbers))
        if number == len(counts):
            counts.append(0)
        counts[number] += 1
        vm_class[vm.id] = number
    return vm_class, list(zip(vm_numbers, counts, strict=True)), list(vgpu_numbers)


def _source_keys(fleet: Fleet, *, by_driver: bool) -> dict[GpuId, int]:
    """A number for what the rules see of a vgpu's own gpu and host."""
    numbers: dict[tuple[object, ...], int] = {}
    found: dict[GpuId, int] = {}
    for host_id, host in fleet.hosts.items():
        driver: str | HostId = host.driver if by_driver else HostId("")
        for gpu in host.gpus:
            key = (driver, gpu.ecc, gpu.sriov, gpu.topology, gpu.mig, gpu.migration)
            found[gpu.id] = numbers.setdefault(key, len(numbers))
        assert host_id == host.id
    return found


def _vgpu_hits(vgpus: list[VgpuTraits], gpus: list[tuple[GpuTraits, Profile, int]]) -> npt.NDArray[np.uint16]:
    """Masks of hits, [vgpu classes, gpu classes], the board row's included."""
    board_bit = next(rule.bit for rule in rules() if rule.id == _BOARD_RULE)
    hits = np.full((len(vgpus), len(gpus)), 1 << board_bit, dtype=np.uint16)
    if not vgpus or not gpus:
        return hits
    words = Vocabulary()
    matrix = ClassMatrix(
        vgpu_columns(vgpus, words),
        gpu_columns([(traits, profile) for traits, profile, _ in gpus], words),
        words,
    )
    boards = facts.boards()
    vgpu_board = np.array([boards[traits.board].row for traits in vgpus])
    gpu_board = np.array([boards[traits.board].row for traits, _, _ in gpus])
    for board in matrix.boards():
        rows, columns = np.flatnonzero(vgpu_board == board), np.flatnonzero(gpu_board == board)
        block = matrix.hits(board)
        in_rows = matrix.vgpus.class_of(rows) - matrix.vgpus.block(board).start
        in_columns = matrix.gpus.class_of(columns) - matrix.gpus.block(board).start
        hits[np.ix_(rows, columns)] = block[np.ix_(in_rows, in_columns)]
    return hits
