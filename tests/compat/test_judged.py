"""A fleet's classes judged by somebody else: every answer in its cell, differences marked, nothing lost."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgpu_migrate import facts
from vgpu_migrate.compat import (
    check,
    classify,
    gpu_record,
    gpu_traits,
    read_gpu_record,
    read_vgpu_record,
    vgpu_record,
    vgpu_traits,
)
from vgpu_migrate.compat.case_file import write_cases
from vgpu_migrate.compat.cases import Case, JudgedBy, JudgeKind, make_case
from vgpu_migrate.compat.judged import Answer, JudgedFleet, Refused, judge
from vgpu_migrate.compat.recorded import disagreements, recorded_gpu, recorded_vgpu
from vgpu_migrate.errors import RecordError
from vgpu_migrate.model import Fleet, GpuId, VmId
from vgpu_migrate.model.fleet_records import FleetRecords
from vgpu_migrate.nvml import (
    ALL_STATES,
    Compatibility,
    GuestInfoState,
    Limits,
    PgpuMetadata,
    States,
    VersionRange,
    VgpuMetadata,
)
from vgpu_migrate.testing import fleet_of

FLEET = """
hosts:
  - {id: a, driver: 550.54.16, gpus: [{board: A40}, {board: A40, ecc: false}]}
  - {id: b, driver: 550.54.16, gpus: [{board: A40}, {board: L40S}]}
vms:
  - id: one
    host: a
    state: running
    memory_mib: 1
    guest_driver: 550.54.14
    vgpus: [{type: A40-8Q, gpu: a/0}]
  - id: two
    host: a
    state: running
    memory_mib: 1
    guest_driver: 550.54.14
    vgpus: [{type: A40-8Q, gpu: a/0}]
  - id: three
    host: a
    state: running
    memory_mib: 1
    guest_driver: 550.54.14
    vgpus: [{type: A40-8Q, gpu: a/0}, {type: A40-8Q, gpu: a/0}]
  - {id: away, state: "off", memory_mib: 1, vgpus: [{type: A40-8Q}]}
"""
COLD = Compatibility(States.COLD, Limits.OTHER)


def the_fleet() -> Fleet:
    """Three VMs on host a, alike to the rules, and one that is off; four gpus, two of them alike."""
    return fleet_of(FLEET)


def our_records(fleet: Fleet) -> FleetRecords:
    """The records that simulated hosts would give of a fleet."""
    vgpus = {
        vm.id: {
            place: vgpu_record(vgpu_traits(fleet, vm, vgpu), guest_driver=vm.guest_driver or "")
            for place, vgpu in enumerate(vm.vgpus)
        }
        for vm in fleet.vms.values()
        if vm.state.holds_vgpus
    }
    gpus = {gpu.id: gpu_record(gpu_traits(host, gpu)) for host in fleet.hosts.values() for gpu in host.gpus}
    return FleetRecords(vgpus, gpus)


def closed_vgpu(guest: str = "550.54.14", opaque: bytes = b"closed" * 700, **changes: Any) -> bytes:
    """A record as a real driver's could be: its words closed, longer than the buffers of any binding."""
    fields: dict[str, Any] = {
        "guest_info_state": GuestInfoState.INITIALIZED,
        "guest_driver_version": guest,
        "host_driver_version": "550.54.16",
        "guest_vgpu_version": 0x140001,
        "virtualization_caps": 1,
        "reserved": bytes(range(24)),
        "opaque_data": opaque,
    }
    return VgpuMetadata(**fields | changes).to_bytes()


def closed_gpu(opaque: bytes = b"closed" * 700, **changes: Any) -> bytes:
    """A gpu's record as a real driver's could be."""
    fields: dict[str, Any] = {
        "host_driver_version": "550.54.16",
        "virtualization_caps": 1,
        "host_supported_vgpu_range": VersionRange(0x70001, 0x140001),
        "reserved": bytes(range(20)),
        "opaque_data": opaque,
    }
    return PgpuMetadata(**fields | changes).to_bytes()


def our_rules(vgpu: bytes, gpu: bytes) -> Answer:
    """A judge that applies our rules."""
    ours = check(read_vgpu_record(vgpu), read_gpu_record(gpu))
    return Compatibility(ours.states, ours.limits)


def judged(fleet: Fleet, records: FleetRecords, ask: Callable[[bytes, bytes], Answer]) -> JudgedFleet:
    """What the judge says of the fleet."""
    return judge(fleet, classify(fleet), records, ask)


def test_a_judge_with_our_rules_differs_nowhere() -> None:
    """Every cell with records has one answer, our own, and each different pair is asked once."""
    fleet = the_fleet()
    asked: list[tuple[bytes, bytes]] = []

    def ask(vgpu: bytes, gpu: bytes) -> Answer:
        asked.append((vgpu, gpu))
        return our_rules(vgpu, gpu)

    found = judged(fleet, our_records(fleet), ask)
    assert len(asked) == len(set(asked)) == len(found.questions) == 3
    assert found.misfits == ()
    assert {len(cell.parts) for cell in found.cells} == {1}
    assert not any(part.differs for cell in found.cells for part in cell.parts)
    plain = {(cell.vm_class, cell.gpu_class): cell for cell in classify(fleet).cells()}
    for cell in found.cells:
        own = plain.get((cell.vm_class, cell.gpu_class))
        (part,) = cell.parts
        assert cell.verdict == part.answer == part.prediction
        assert own is None or (own.states, own.limits, own.rules) == (*part.prediction, part.rules)
    assert [part.rules for cell in found.cells for part in cell.parts] == [(), ("gpu-config",), ("board",)]


def test_every_pair_of_the_fleet_is_counted_once() -> None:
    """Pairs that were answered and pairs without a record together are those of the judged classes."""
    fleet = the_fleet()
    classes = classify(fleet)
    records = our_records(fleet)
    del records.vgpus[VmId("two")]  # type: ignore[attr-defined]
    found = judged(fleet, records, our_rules)
    for cell in found.cells:
        total = classes.vm_classes[cell.vm_class].vms * classes.gpu_classes[cell.gpu_class].gpus
        assert sum(part.pairs for part in cell.parts) + cell.unjudged == total
    assert sum(cell.unjudged for cell in found.cells) == len(fleet.gpus)
    assert sum(part.pairs for cell in found.cells for part in cell.parts) == 2 * len(fleet.gpus)


def test_a_difference_is_marked_where_it_is() -> None:
    """Only the pairs on which the judge says something else differ, and its verdict stands in the cell."""
    fleet = the_fleet()
    records = our_records(fleet)
    strange = records.gpus[GpuId("a/1")]
    found = judged(fleet, records, lambda vgpu, gpu: COLD if gpu == strange else our_rules(vgpu, gpu))
    differing = [part for cell in found.cells for part in cell.parts if part.differs]
    assert [(part.answer, part.rules, part.pairs) for part in differing] == [(COLD, ("gpu-config",), 3)]
    (question,) = [one for one in found.questions if one.differs]
    assert question.gpu.ecc is False
    assert question.answer == COLD


def test_members_of_a_class_may_be_answered_differently() -> None:
    """A cell keeps every answer, and shows what holds for all of its pairs."""
    fleet = the_fleet()
    one, two = closed_vgpu(), closed_vgpu(opaque=b"other" * 900)
    records = FleetRecords({VmId("one"): {0: one}, VmId("two"): {0: two}}, {GpuId("a/0"): closed_gpu()})
    yes = Compatibility(ALL_STATES, Limits.NONE)
    found = judged(fleet, records, lambda vgpu, gpu: COLD if vgpu == two else yes)
    (cell,) = found.cells
    assert {(part.answer, part.differs, part.pairs) for part in cell.parts} == {
        (yes, False, 1),
        (COLD, True, 1),
    }
    assert cell.verdict == COLD
    assert cell.unjudged == 3 * 2 - 2


def test_a_refused_record_is_an_answer() -> None:
    """A refusal is neither a verdict nor a difference, and a VM with one refused vgpu is refused."""
    fleet = the_fleet()
    records = our_records(fleet)
    no = Refused("Invalid Argument")
    found = judged(fleet, records, lambda vgpu, gpu: no)
    assert {cell.verdict for cell in found.cells} == {None}
    assert {(part.answer, part.differs, part.is_refused) for cell in found.cells for part in cell.parts} == {
        (no, False, True)
    }
    good, bad = closed_vgpu(), closed_vgpu(opaque=b"bad!")
    mixed = FleetRecords({VmId("three"): {0: good, 1: bad}}, {GpuId("a/0"): closed_gpu()})
    yes = Compatibility(ALL_STATES, Limits.NONE)
    (cell,) = judged(fleet, mixed, lambda vgpu, gpu: no if vgpu == bad else yes).cells
    assert [(part.answer, part.pairs) for part in cell.parts] == [(no, 1)]


def test_the_answers_on_a_vms_vgpus_are_joined() -> None:
    """States are intersected and limits joined over the vgpus of a VM, as everywhere."""
    fleet = the_fleet()
    one, two = closed_vgpu(opaque=b"one!"), closed_vgpu(opaque=b"two!")
    said = {
        one: Compatibility(States.COLD | States.LIVE, Limits.GPU),
        two: Compatibility(States.COLD | States.SLEEP, Limits.OTHER),
    }
    records = FleetRecords({VmId("three"): {0: one, 1: two}}, {GpuId("a/0"): closed_gpu()})
    (cell,) = judged(fleet, records, lambda vgpu, gpu: said[vgpu]).cells
    assert cell.verdict == Compatibility(States.COLD, Limits.GPU | Limits.OTHER)


def test_what_does_not_fit_the_fleet_is_told() -> None:
    """Records of strangers, too few of a VM, and ones that contradict the fleet file are named."""
    fleet = the_fleet()
    records = FleetRecords(
        {
            VmId("nobody"): {0: closed_vgpu()},
            VmId("three"): {1: closed_vgpu()},
            VmId("one"): {0: closed_vgpu(guest_vgpu_version=0x120001)},
        },
        {GpuId("gone"): closed_gpu(), GpuId("a/0"): closed_gpu(host_driver_version="535.161.05")},
    )
    found = judged(fleet, records, lambda vgpu, gpu: COLD)
    assert found.misfits == (
        "VM nobody: there is a record, and no such VM in the fleet",
        "gpu gone: there is a record, and no such gpu in the fleet",
        "VM one: vGPU version held: 0x120001 in the record, 0x140001 in the fleet file",
        "VM three: records of 1 of its 2 vgpus; wanted all",
        "gpu a/0: host driver of the target: 535.161.05 in the record, 550.54.16 in the fleet file",
    )
    (question,) = found.questions
    assert (question.vgpu.traits.version, question.gpu.host_driver) == (0x120001, "535.161.05")


def test_a_closed_record_is_seen_by_its_named_fields() -> None:
    """Named fields come before what is known otherwise; the guest's bounds are the tables' for its driver."""
    fleet = the_fleet()
    vm = fleet.vms[VmId("one")]
    known = vgpu_traits(fleet, vm, vm.vgpus[0])
    seen = recorded_vgpu(closed_vgpu("535.161.07", guest_vgpu_version=0x120001, virtualization_caps=0), known)
    guest = facts.guest_driver("535.161.07")
    assert seen.guest_driver == "535.161.07"
    assert seen.traits == msgspec.structs.replace(
        known, version=0x120001, guest_min=guest.minimum, guest_max=guest.maximum, migration=False
    )
    before = recorded_vgpu(closed_vgpu(guest_info_state=GuestInfoState.UNINITIALIZED), known)
    assert (before.traits.guest_info, before.traits.version, before.guest_driver) == (False, None, None)
    assert disagreements(seen.traits, known) == (
        "vGPU version held: 0x120001 in the record, 0x140001 in the fleet file",
        "capability MIGRATION of the vgpu: off in the record, on in the fleet file",
    )


def test_the_range_of_a_closed_record_counts_where_no_other_is_known() -> None:
    """What is known otherwise is the range in force, which the record's need not be."""
    fleet = the_fleet()
    known = gpu_traits(fleet.hosts[fleet.gpus[GpuId("a/0")].host], fleet.gpus[GpuId("a/0")])
    record = closed_gpu(host_supported_vgpu_range=VersionRange(0x120001, 0x180001))
    assert (recorded_gpu(record, known).range_min, recorded_gpu(record, known).range_max) == (
        0x70001,
        0x140001,
    )
    unknown = msgspec.structs.replace(known, range_min=None, range_max=None)
    seen = recorded_gpu(record, unknown)
    assert (seen.range_min, seen.range_max) == (0x120001, 0x180001)


@pytest.mark.parametrize("cut", [0, 100])
def test_what_is_no_record_is_no_question(cut: int) -> None:
    """Truncated bytes are an error and never reach the judge."""
    fleet = the_fleet()
    records = FleetRecords({VmId("one"): {0: closed_vgpu()[:cut]}}, {GpuId("a/0"): closed_gpu()})

    def ask(vgpu: bytes, gpu: bytes) -> Answer:
        raise AssertionError("nobody asks about this")

    with pytest.raises(RecordError):
        judged(fleet, records, ask)


names = st.from_regex(r"\A[a-z]{3,8}-[0-9a-f]{6,12}\Z")


@given(
    st.lists(names, min_size=4, max_size=4, unique=True), st.uuids(), st.uuids(), st.integers(0, 2**32 - 1)
)
def test_nothing_of_an_identity_gets_into_a_case(
    given_names: list[str], vm_uuid: uuid.UUID, gpu_uuid: uuid.UUID, serial: int
) -> None:
    """Hosts, domains, VMs, UUIDs, addresses, serials in records: none is in the file of the fleet's cases."""
    host, domain, vm, group = given_names
    gpu, pci, number = (
        f"GPU-{gpu_uuid}",
        f"{serial >> 16:04x}:{serial >> 8 & 0xFF:02x}:1f.0",
        f"{serial:013d}",
    )
    fleet = fleet_of(
        f"""
        hosts:
          - id: {host}
            domain: {domain}
            driver: 550.54.16
            gpus: [{{id: {gpu}, board: A40, pci: "{pci}"}}]
        vms:
          - id: {vm}
            uuid: {vm_uuid}
            host: {host}
            state: running
            memory_mib: 16384
            guest_driver: 550.54.14
            anti_affinity: [{group}]
            vgpus: [{{type: A40-8Q, gpu: {gpu}}}]
        """
    )
    hidden = f"{gpu} {vm_uuid} {host} {pci} {number}".encode() + gpu_uuid.bytes + vm_uuid.bytes
    reserved = (gpu_uuid.bytes + vm_uuid.bytes)[:20]
    records = FleetRecords(
        {VmId(vm): {0: closed_vgpu(opaque=hidden, reserved=reserved + b"more")}},
        {GpuId(gpu): closed_gpu(opaque=hidden, reserved=reserved)},
    )
    found = judged(fleet, records, lambda vgpu, gpu: COLD)
    (question,) = found.questions
    made = make_case(
        question.vgpu.traits,
        question.gpu,
        COLD,
        by=JudgedBy(JudgeKind.DRIVER, "580.126.09"),
        month="2026-11",
        guest_driver=question.vgpu.guest_driver,
    )
    assert isinstance(made, Case)
    written = write_cases([made]).decode()
    for identity in (host, domain, vm, group, gpu, pci, number, str(vm_uuid), str(gpu_uuid)):
        assert identity not in written
    for secret in (gpu_uuid, vm_uuid):
        assert secret.hex not in written
        assert base64.b64encode(secret.bytes).decode()[:16] not in written
        assert not set(str(secret).split("-")[-1:]) & set(re.findall(r"[0-9a-f]+", written))
