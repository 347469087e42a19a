"""The rules for VMs and vgpus of a fleet file that span several keys; VMs as values."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import msgspec
from msgspec import UNSET

from vgpu_migrate import facts
from vgpu_migrate.errors import RecordError
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.model import fleet_schema as wire
from vgpu_migrate.model.fleet_findings import Findings
from vgpu_migrate.model.fleet_hosts import HostReader, check_name, type_names, whole
from vgpu_migrate.model.fleet_report import BROKEN, shown, spell
from vgpu_migrate.model.negotiation import fresh_version
from vgpu_migrate.model.placement import supported_placements
from vgpu_migrate.model.saved_record import recorded_type
from vgpu_migrate.model.values import Gpu, GpuId, Host, HostId, PlacementMode, Vgpu, Vm, VmId, VmState
from vgpu_migrate.nvml import (
    INVALID_PLACEMENT_ID,
    STATE_BY_WORD,
    GuestInfoState,
    States,
    VgpuMetadata,
)

# Tuples, because members of enumerations are slow to hash; the most common state stands first.
_HOLDS = (VmState.RUNNING, VmState.PAUSED, VmState.SLEEPING, VmState.BOOTING)
_KEEPS_VERSION = (VmState.RUNNING, VmState.PAUSED, VmState.SLEEPING, VmState.HIBERNATED)
_LIVE_ONLY = States.LIVE
_LIVE_OR_SLEEP = States.LIVE | States.SLEEP


class Seated(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A vgpu on a gpu, and where it stands in the file: `vms[vm_number].vgpus[position]`."""

    vgpu: Vgpu
    vm_number: int
    position: int


class VmReader:
    """Reads the VMs of a file, one after the other, against hosts that are there already.

    `on_gpu` has the vgpus that sit on each gpu and suit it, which are those to be counted.

    A fleet has a hundred thousand VMs and all is well with nearly every one, so places are spelled and
    slower questions asked only where something is wrong.
    """

    def __init__(self, findings: Findings, hosts: HostReader) -> None:
        self.findings = findings
        self.hosts = hosts
        self.vms: dict[VmId, Vm] = {}
        self.on_gpu: dict[GpuId, list[Seated]] = {gpu_id: [] for gpu_id in hosts.gpus}
        self._listed: Any = ()
        self._index_by_uuid: dict[str, int] = {}
        self._index_by_domid: dict[tuple[str, int], int] = {}
        self._types = type_names()
        self._ids_by_row: dict[int, tuple[int, ...]] = {}
        self._gpus: Mapping[Any, Gpu] = hosts.gpus
        self._hosts: Mapping[Any, Host] = hosts.hosts

    def read_all(self, vms: Any) -> None:
        """Read the list of VMs; BROKEN is one that could not be read."""
        if vms is BROKEN or vms is UNSET:
            return
        self._listed = vms
        for index, vm in enumerate(vms):
            if vm is not BROKEN:
                self._vm(vm, index)

    def name(self, index: int) -> str:
        """The id of the VM at an index of the file, for people."""
        vm_id = self._listed[index].id
        return f"vms[{index}]" if vm_id is BROKEN else shown(vm_id)

    @cached_property
    def _index_by_id(self) -> dict[str, int]:
        """The first VM with each id; asked for only when two have the same."""
        found: dict[str, int] = {}
        for index, vm in enumerate(self._listed):
            if vm is not BROKEN and vm.id is not BROKEN:
                found.setdefault(vm.id, index)
        return found

    def _vm(self, vm: wire.Vm, index: int) -> None:
        vm_id: Any = vm.id
        host_id = self._host_id(vm, index)
        vgpus: list[Vgpu] = []
        if vm.vgpus is not BROKEN:
            for position, vgpu in enumerate(vm.vgpus):
                if vgpu is not BROKEN:
                    vgpus.append(self._vgpu(vgpu, vm, host_id, index, position))
        value = Vm(
            id=vm_id,
            host=host_id,
            given_uuid=self._uuid(vm, index) if vm.uuid else None,
            domid=self._domid(vm, host_id, index) if vm.domid else None,
            state=vm.state,
            memory_mib=whole(vm.memory_mib) or 0,
            vcpus=whole(vm.vcpus),
            guest_driver=vm.guest_driver or None,
            allow=_allow(vm.allow, vm.state),
            anti_affinity=self._groups(vm.anti_affinity, index) if vm.anti_affinity else (),
            vgpus=tuple(vgpus),
        )
        if vm_id is BROKEN:
            return
        if vm_id in self.vms:
            self._not_its_own(f"vms[{index}].id", vm_id, self._index_by_id[vm_id])
        if not vm_id.isprintable() or vm_id.strip() != vm_id:
            check_name(self.findings, f"vms[{index}].id", vm_id)
        self.vms[vm_id] = value

    def _domid(self, vm: wire.Vm, host_id: HostId | None, index: int) -> int | None:
        domid = whole(vm.domid)
        if domid is not None and host_id is not None:
            first = self._index_by_domid.setdefault((host_id, domid), index)
            if first != index:
                self._not_its_own(f"vms[{index}].domid", domid, first)
        return domid

    def _groups(self, groups: list[str], index: int) -> tuple[str, ...]:
        for position, group in enumerate(groups):
            check_name(self.findings, f"vms[{index}].anti_affinity[{position}]", group)
        return tuple(groups)

    def _not_its_own(self, place: str, value: object, first: int) -> None:
        self.findings.wrong(place, spell(value), f"wanted one of its own; vms[{first}] has this one")

    def _host_id(self, vm: wire.Vm, index: int) -> HostId | None:
        state, given = vm.state, vm.host
        if not given:
            if state in _HOLDS:
                self.findings.wrong(f"vms[{index}].host", "missing", f"wanted the host that it is {state} on")
            return None
        host = self._hosts.get(given)
        if host is None:
            if not self.hosts.has_unread_ids:
                self.findings.unknown(f"vms[{index}].host", "host", given, self.hosts.hosts.keys())
            return None
        if state is VmState.OFF:
            self.findings.wrong(f"vms[{index}].host", shown(given), "wanted no host for a VM that is off")
        elif not host.has_manager and state in _HOLDS:
            self.findings.wrong(
                f"vms[{index}].host",
                shown(given),
                "wanted a host with a vGPU Manager; this has manager: false",
            )
        return host.id

    def _uuid(self, vm: wire.Vm, index: int) -> str:
        uuid = str(vm.uuid).lower()
        first = self._index_by_uuid.setdefault(uuid, index)
        if first != index:
            self._not_its_own(f"vms[{index}].uuid", uuid, first)
        return uuid

    def _vgpu(self, vgpu: wire.Vgpu, vm: wire.Vm, host_id: HostId | None, index: int, position: int) -> Vgpu:
        vgpu_type = self._types.get(vgpu.type)
        if vgpu_type is None and vgpu.type is not BROKEN:
            place = f"vms[{index}].vgpus[{position}].type"
            self.findings.unknown(place, "vgpu type", vgpu.type, facts.vgpu_types().keys())
        holds = vm.state in _HOLDS
        gpu = self._gpus.get(vgpu.gpu)
        if gpu is None or gpu.host != host_id or not holds:
            self._tell_missing_gpu(vgpu, vm, host_id, index, position)
            gpu = None
        placement = None if vgpu.placement is UNSET else whole(vgpu.placement)
        if placement in _SAYS_NONE and (gpu is None or gpu.mode is not PlacementMode.MIXED):
            placement = None
        record = self._record(vgpu, vgpu_type, index, position) if vgpu.record else None
        value = Vgpu(
            type=vgpu_type or BROKEN,
            gpu=gpu.id if gpu is not None else None,
            placement=placement,
            vgpu_version=self._version(vgpu, vm, host_id, record, index, position),
            migration=vgpu.migration is not False,
            record=None if record is None else b64decode(str(vgpu.record)),
        )
        if gpu is not None and vgpu_type is not None:
            if self._suits(gpu, vgpu_type, placement, index, position):
                self.on_gpu[gpu.id].append(Seated(value, index, position))
        elif placement is not None and not holds and vm.state is not BROKEN:
            place = f"vms[{index}].vgpus[{position}].placement"
            self.findings.wrong(place, str(placement), f"wanted none: a VM that is {vm.state} has no gpu")
        return value

    def _tell_missing_gpu(
        self, vgpu: wire.Vgpu, vm: wire.Vm, host_id: HostId | None, index: int, position: int
    ) -> None:
        """Say why a vgpu is on no gpu of its VM's host, unless that is as it should be."""
        place = f"vms[{index}].vgpus[{position}].gpu"
        if not vgpu.gpu:
            if vm.state in _HOLDS:
                self.findings.wrong(place, "missing", f"wanted the gpu that it is on: the VM is {vm.state}")
        elif vm.state in (VmState.OFF, VmState.HIBERNATED):
            self.findings.wrong(place, shown(vgpu.gpu), f"wanted none: a VM that is {vm.state} holds no gpu")
        elif host_id is not None or not (vm.host or self.findings.is_unsure(f"vms[{index}].host")):
            self._other_gpu(vgpu.gpu, host_id, place)

    def _other_gpu(self, given: str, host_id: HostId | None, place: str) -> None:
        """Say what is wrong with a gpu that is not among those of the VM's host that can be judged."""
        hosts = self.hosts
        if GpuId(given) in hosts.host_of_gpu:
            actual = hosts.host_of_gpu[GpuId(given)]
            if host_id is not None and actual is not None and actual != host_id:
                self.findings.wrong(
                    place, f"{shown(given)} is a gpu of {shown(actual)}", f"wanted a gpu of {shown(host_id)}"
                )
            return
        if hosts.has_unread_ids or host_id in hosts.hosts_with_unread_gpus:
            return
        known = [gpu.id for gpu in hosts.hosts[host_id].gpus] if host_id is not None else []
        self.findings.unknown(place, "gpu", given, known)

    def _suits(self, gpu: Gpu, vgpu_type: VgpuType, placement: int | None, index: int, position: int) -> bool:
        """Whether a vgpu may be on its gpu, apart from the others there; what is wrong is noted."""
        if (
            vgpu_type.board == gpu.board.key
            and vgpu_type.is_mig_backed == bool(gpu.mig)
            and not gpu.types
            and gpu.is_vgpu_host
            and (
                placement is None
                if gpu.mode is PlacementMode.EQUAL
                else placement in self._legal_ids(gpu, vgpu_type)
            )
        ):
            return True
        problem = self._misfit(gpu, vgpu_type, placement)
        if problem is not None:
            key, seen, wanted = problem
            self.findings.wrong(f"vms[{index}].vgpus[{position}].{key}", seen, wanted)
        return problem is None

    def _misfit(self, gpu: Gpu, vgpu_type: VgpuType, placement: int | None) -> tuple[str, str, str] | None:
        """The first thing that keeps a type and placement from a gpu: key, seen and wanted."""
        name, short, board = shown(gpu.id), vgpu_type.short, gpu.board.key
        if not gpu.is_vgpu_host:
            return "gpu", name, "wanted a vGPU host; this gpu has vgpu: false"
        if vgpu_type.board != board:
            return "type", short, f"wanted a type of {board}, the board of {name}"
        if vgpu_type.is_mig_backed and not gpu.mig:
            return "type", short, f"wanted a time-sliced type: {name} is not in MIG mode"
        if gpu.mig and not vgpu_type.is_mig_backed:
            return "type", short, f"wanted a MIG-backed type: {name} is in MIG mode"
        if gpu.types and vgpu_type not in gpu.types:
            offered = ", ".join(row.short for row in gpu.types[:8])
            return "type", short, f"wanted a type that {name} lists: {offered}"
        if gpu.mode is not PlacementMode.MIXED:
            if placement is None:
                return None
            return "placement", str(placement), f"wanted none: {name} is not of mixed-size mode"
        legal = self._legal_ids(gpu, vgpu_type)
        if placement in legal:
            return None
        ids = ", ".join(map(str, legal)) or "none at all"
        if placement is None:
            return "placement", "missing", f"wanted an id on the mixed-size gpu {name}: {ids}"
        return "placement", str(placement), f"wanted an id of {short}: {ids}"

    def _legal_ids(self, gpu: Gpu, vgpu_type: VgpuType) -> tuple[int, ...]:
        """The placement ids of a type of the gpu's own board; by row, which is quicker to look up."""
        legal = self._ids_by_row.get(vgpu_type.row)
        if legal is None:
            legal = self._ids_by_row[vgpu_type.row] = supported_placements(gpu.board, vgpu_type)
        return legal

    def _version(
        self,
        vgpu: wire.Vgpu,
        vm: wire.Vm,
        host_id: HostId | None,
        record: VgpuMetadata | None,
        index: int,
        position: int,
    ) -> int | None:
        """The vGPU version held: given, recorded or negotiated, by the VM's state.

        A hibernated VM resumes from its record, so the two must agree; of another VM the record may be an
        older one, from before its last cold start.
        """
        state = vm.state
        if state not in _KEEPS_VERSION:
            return None
        given = None if vgpu.version is UNSET else whole(vgpu.version)
        if state is VmState.HIBERNATED:
            if record is None or record.guest_info_state is GuestInfoState.UNINITIALIZED:
                return given
            recorded = record.guest_vgpu_version
            if given is not None and given != recorded:
                place = f"vms[{index}].vgpus[{position}].version"
                self.findings.wrong(place, f"{given:#x}", f"wanted the version of its record, {recorded:#x}")
            return recorded
        if given is not None or host_id is None or not vm.guest_driver:
            return given
        return fresh_version(vm.guest_driver, self._hosts[host_id].range_in_force)

    def _record(
        self, vgpu: wire.Vgpu, vgpu_type: VgpuType | None, index: int, position: int
    ) -> VgpuMetadata | None:
        """A saved record of ours must be of the vgpu's type; what another manager's is of cannot be told."""
        text = str(vgpu.record)
        place = f"vms[{index}].vgpus[{position}].record"
        try:
            record = VgpuMetadata.from_bytes(b64decode(text, validate=True))
            recorded = recorded_type(record)
            if recorded is not None and vgpu_type is not None and recorded is not vgpu_type:
                wanted = f"wanted a record of a {vgpu_type.short}"
                self.findings.wrong(place, f"of a {recorded.short}", wanted)
            return record
        except (binascii.Error, ValueError) as error:
            self.findings.wrong(place, spell(text), f"wanted base64 ({error})")
        except RecordError as error:
            found = error.problem
            self.findings.wrong(place, f"{found.place}: {found.seen}", found.wanted)
        return None


_SAYS_NONE = (0, INVALID_PLACEMENT_ID)
"""On a gpu that has no placement ids these say that there is none: the field's zero, and NVML's own word."""


def _allow(words: Any, state: VmState) -> States:
    if words is UNSET or words is None:
        return _LIVE_OR_SLEEP if state is VmState.SLEEPING else _LIVE_ONLY
    return _states(frozenset(words))


@cache
def _states(words: frozenset[str]) -> States:
    allowed = States.NONE
    for word in words:
        allowed |= STATE_BY_WORD[word]
    return allowed
