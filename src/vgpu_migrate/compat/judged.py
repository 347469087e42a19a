"""A fleet's classes judged by somebody else: real records sent to one driver, its verdicts beside ours.

Records of a real driver are closed, so VMs that are one class to our rules may be answered differently: a
cell keeps every answer with the number of pairs (a VM and a gpu) that got it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from itertools import product
from typing import NamedTuple, TypeVar

from vgpu_migrate.compat.classes import FleetClasses
from vgpu_migrate.compat.pair import Verdict, check, combine
from vgpu_migrate.compat.recorded import RecordedVgpu, disagreements, recorded_gpu, recorded_vgpu
from vgpu_migrate.compat.traits import GpuTraits, gpu_traits, vgpu_traits
from vgpu_migrate.model import Fleet, GpuId, Profile, VmId
from vgpu_migrate.model.fleet_records import FleetRecords
from vgpu_migrate.nvml import ALL_STATES, Compatibility, Limits

Id = TypeVar("Id")
Records = TypeVar("Records", bound=Hashable)


class Refused(NamedTuple):
    """The judge does not take a record; `why` is its answer."""

    why: str


Answer = Compatibility | Refused
Ask = Callable[[bytes, bytes], Answer]
"""A vgpu's and a gpu's record to the judge's answer."""


class Question(NamedTuple):
    """A vgpu's record and a gpu's, each as different ones come, with the judge's answer and ours."""

    vgpu: RecordedVgpu
    gpu: GpuTraits
    answer: Answer
    prediction: Verdict

    @property
    def differs(self) -> bool:
        """Whether the judge gave a verdict, and not ours."""
        ours = Compatibility(self.prediction.states, self.prediction.limits)
        return not isinstance(self.answer, Refused) and self.answer != ours


class Part(NamedTuple):
    """Pairs of a cell that were answered alike, what our rules say of them, and the rows that hit.

    `differs`: the judge's verdict on some vgpu is not our prediction.
    """

    answer: Answer
    prediction: Compatibility
    differs: bool
    rules: tuple[str, ...]
    pairs: int

    @property
    def is_refused(self) -> bool:
        """Whether the judge does not take a record."""
        return isinstance(self.answer, Refused)


class JudgedCell(NamedTuple):
    """The answers on a VM class on a gpu class; `unjudged` counts the pairs for which a record lacks."""

    vm_class: int
    gpu_class: int
    parts: tuple[Part, ...]
    unjudged: int

    @property
    def verdict(self) -> Compatibility | None:
        """What holds for every pair that got a verdict: states intersected, limits joined; None: none did."""
        said = [part.answer for part in self.parts if not isinstance(part.answer, Refused)]
        return _together(said) if said else None


class JudgedFleet(NamedTuple):
    """Every cell for which there is a record, every different question, and what does not fit together."""

    cells: tuple[JudgedCell, ...]
    questions: tuple[Question, ...]
    misfits: tuple[str, ...]
    """Sentences: a record that says something else than the fleet, one that the fleet has no place for."""


def judge(
    fleet: Fleet,
    classes: FleetClasses,
    records: FleetRecords,
    ask: Ask,
    profile: Profile = Profile.DEFAULT,
) -> JudgedFleet:
    """Send each different pair of records to the judge, once, and gather the answers by cell.

    Args:
        fleet: whose VMs and gpus the records are of.
        classes: its classes.
        records: what there is of them.
        ask: the judge.
        profile: the rules that the judge applies, for our prediction.

    Raises:
        RecordError: a record is none.
    """
    misfits = _strangers(fleet, records)
    vgpus, of_vm = _vgpus(fleet, records, misfits)
    gpus, of_gpu = _gpus(fleet, records, misfits)
    asked: dict[tuple[int, int], Question] = {}

    def question(vgpu: int, gpu: int) -> Question:
        found = asked.get((vgpu, gpu))
        if found is None:
            (vgpu_record, seen_vgpu), (gpu_record, seen_gpu) = vgpus[vgpu], gpus[gpu]
            ours = check(seen_vgpu.traits, seen_gpu, profile)
            found = Question(seen_vgpu, seen_gpu, ask(vgpu_record, gpu_record), ours)
            asked[vgpu, gpu] = found
        return found

    vm_groups, gpu_groups = _groups(classes.vm_class, of_vm), _groups(classes.gpu_class, of_gpu)
    cells: list[JudgedCell] = []
    for vm_class, vms in vm_groups.items():
        for gpu_class, gpus_of_class in gpu_groups.items():
            parts: Counter[tuple[Answer, Compatibility, bool]] = Counter()
            rules: dict[tuple[Answer, Compatibility, bool], tuple[str, ...]] = {}
            for (members, vm_count), (gpu, gpu_count) in product(vms.items(), gpus_of_class.items()):
                found = [question(vgpu, gpu) for vgpu in members]
                ours = combine([one.prediction for one in found])
                differs = any(one.differs for one in found)
                key = (_combined(found), Compatibility(ours.states, ours.limits), differs)
                parts[key] += vm_count * gpu_count
                rules.setdefault(key, tuple(dict.fromkeys(piece.rule for piece in ours.evidence)))
            pairs = classes.vm_classes[vm_class].vms * classes.gpu_classes[gpu_class].gpus
            found_parts = tuple(Part(*key, rules[key], count) for key, count in parts.items())
            cells.append(JudgedCell(vm_class, gpu_class, found_parts, pairs - parts.total()))
    return JudgedFleet(tuple(cells), tuple(asked.values()), tuple(misfits))


def _strangers(fleet: Fleet, records: FleetRecords) -> list[str]:
    """What there is a record of and the fleet does not have."""
    found = [
        f"VM {vm}: there is a record, and no such VM in the fleet"
        for vm in records.vgpus
        if vm not in fleet.vms
    ]
    return found + [
        f"gpu {gpu}: there is a record, and no such gpu in the fleet"
        for gpu in records.gpus
        if gpu not in fleet.gpus
    ]


def _vgpus(
    fleet: Fleet, records: FleetRecords, misfits: list[str]
) -> tuple[list[tuple[bytes, RecordedVgpu]], dict[VmId, tuple[int, ...]]]:
    """The different records of vgpus, and by number which each VM has that has one for each of its vgpus."""
    numbers: dict[tuple[bytes, RecordedVgpu], int] = {}
    of_vm: dict[VmId, tuple[int, ...]] = {}
    for vm in fleet.vms.values():
        there = records.vgpus.get(vm.id, {})
        if there and set(there) != set(range(len(vm.vgpus))):
            misfits.append(f"VM {vm.id}: records of {len(there)} of its {len(vm.vgpus)} vgpus; wanted all")
            continue
        members: list[int] = []
        for position in sorted(there):
            known = vgpu_traits(fleet, vm, vm.vgpus[position])
            seen = recorded_vgpu(there[position], known)
            misfits += [f"VM {vm.id}: {said}" for said in disagreements(seen.traits, known)]
            members.append(numbers.setdefault((there[position], seen), len(numbers)))
        if members:
            of_vm[vm.id] = tuple(dict.fromkeys(members))
    return list(numbers), of_vm


def _gpus(
    fleet: Fleet, records: FleetRecords, misfits: list[str]
) -> tuple[list[tuple[bytes, GpuTraits]], dict[GpuId, int]]:
    """The different records of gpus, and the number of each gpu's."""
    numbers: dict[tuple[bytes, GpuTraits], int] = {}
    of_gpu: dict[GpuId, int] = {}
    for host in fleet.hosts.values():
        for gpu in host.gpus:
            record = records.gpus.get(gpu.id)
            if record is None:
                continue
            known = gpu_traits(host, gpu)
            seen = recorded_gpu(record, known)
            misfits += [f"gpu {gpu.id}: {said}" for said in disagreements(seen, known)]
            of_gpu[gpu.id] = numbers.setdefault((record, seen), len(numbers))
    return list(numbers), of_gpu


def _groups(class_of: Mapping[Id, int], record_of: Mapping[Id, Records]) -> dict[int, Counter[Records]]:
    """For each class, in order, how many of its members have which records."""
    found: dict[int, Counter[Records]] = {}
    for member, number in sorted(class_of.items(), key=lambda item: item[1]):
        if member in record_of:
            found.setdefault(number, Counter())[record_of[member]] += 1
    return found


def _combined(found: list[Question]) -> Answer:
    """The answer on all vgpus of a VM together: refused where one record of it is."""
    said: list[Compatibility] = []
    for one in found:
        if isinstance(one.answer, Refused):
            return one.answer
        said.append(one.answer)
    return _together(said)


def _together(said: list[Compatibility]) -> Compatibility:
    states, limits = ALL_STATES, Limits.NONE
    for one in said:
        states &= one.states
        limits |= one.limits
    return Compatibility(states, limits)
