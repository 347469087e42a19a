"""The rules for VMs and vgpus of a fleet file that span several keys; VMs as values."""

from __future__ import annotations

import binascii
from base64 import b64decode
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import UNSET

from vgpu_migrate import facts
from vgpu_migrate.errors import RecordError
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.model import fleet_schema as wire
from vgpu_migrate.model.fleet_findings import Findings
from vgpu_migrate.model.fleet_hosts import HostReader, check_name, type_names, whole
from vgpu_migrate.model.fleet_report import BROKEN, shown, spell
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.model.placement import supported_placements
from vgpu_migrate.model.values import Gpu, GpuId, HostId, PlacementMode, Vgpu, Vm, VmId, VmState
from vgpu_migrate.nvml import STATE_BY_WORD, GuestInfoState, States, VersionRange, VgpuMetadata

_HOLDS = frozenset(state for state in VmState if state.holds_vgpus)
_HOLDS_VERSION = frozenset({VmState.RUNNING, VmState.PAUSED, VmState.SLEEPING})
_KEEPS_VERSION = _HOLDS_VERSION | {VmState.HIBERNATED}
_LIVE_ONLY = States.LIVE
_LIVE_OR_SLEEP = States.LIVE | States.SLEEP


class Seated(NamedTuple):
    """A vgpu on a gpu, and where it stands in the file: `vms[vm_number].vgpus[position]`."""

    vgpu: Vgpu
    vm_number: int
    position: int


class VmReader:
    """Reads the VMs of a file, one after the other, against hosts that are there already.

    `on_gpu` has the vgpus that sit on each gpu and suit it, which are those to be counted.
    """

    def __init__(self, findings: Findings, hosts: HostReader) -> None:
        self.findings = findings
        self.hosts = hosts
        self.vms: dict[VmId, Vm] = {}
        self.on_gpu: dict[GpuId, list[Seated]] = {}
        self._listed: Any = ()
        self._index_by_id: dict[VmId, int] = {}
        self._index_by_uuid: dict[str, int] = {}
        self._index_by_domid: dict[tuple[str, int], int] = {}
        self._types = type_names()

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

    def _vm(self, vm: wire.Vm, index: int) -> None:
        findings = self.findings
        vm_id: Any = vm.id
        if vm_id is not BROKEN:
            if vm_id in self.vms:
                self._not_its_own(f"vms[{index}].id", vm_id, self._index_by_id[vm_id])
            self._index_by_id[vm_id] = index
            if not vm_id.isprintable() or vm_id[0] == " " or vm_id[-1] == " ":
                check_name(findings, f"vms[{index}].id", vm_id)
        state = vm.state
        host_id = self._host_id(vm, index)
        uuid = self._uuid(vm, index) if vm.uuid else None
        domid = whole(vm.domid)
        if domid is not None and host_id is not None:
            first = self._index_by_domid.setdefault((host_id, domid), index)
            if first != index:
                self._not_its_own(f"vms[{index}].domid", domid, first)
        for position, group in enumerate(vm.anti_affinity or ()):
            check_name(findings, f"vms[{index}].anti_affinity[{position}]", group)
        guest_driver = vm.guest_driver or None
        if vm.vgpus is BROKEN:
            vgpus: tuple[Vgpu, ...] = ()
        else:
            vgpus = tuple(
                [
                    self._vgpu(vgpu, vm, host_id, index, position)
                    for position, vgpu in enumerate(vm.vgpus)
                    if vgpu is not BROKEN
                ]
            )
        if vm_id is BROKEN:
            return
        self.vms[vm_id] = Vm(
            id=vm_id,
            host=host_id,
            given_uuid=uuid,
            domid=domid,
            state=state,
            memory_mib=whole(vm.memory_mib) or 0 if vm.memory_mib is not BROKEN else 0,
            vcpus=whole(vm.vcpus),
            guest_driver=guest_driver,
            allow=_allow(vm.allow, state),
            anti_affinity=tuple(vm.anti_affinity or ()),
            vgpus=vgpus,
        )

    def _not_its_own(self, place: str, value: object, first: int) -> None:
        self.findings.wrong(place, spell(value), f"wanted one of its own; vms[{first}] has this one")

    def _host_id(self, vm: wire.Vm, index: int) -> HostId | None:
        state, given = vm.state, vm.host
        if not given:
            if state in _HOLDS:
                self.findings.wrong(f"vms[{index}].host", "missing", f"wanted the host that it is {state} on")
            return None
        host = self.hosts.hosts.get(HostId(given))
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
        vgpu_type = self._types.get(vgpu.type) if vgpu.type is not BROKEN else None
        if vgpu_type is None and vgpu.type is not BROKEN:
            place = f"vms[{index}].vgpus[{position}].type"
            self.findings.unknown(place, "vgpu type", vgpu.type, facts.vgpu_types().keys())
        gpu = self._gpu(vgpu, vm, host_id, index, position)
        placement = whole(vgpu.placement)
        suits = False
        if gpu is not None and vgpu_type is not None and vm.state in _HOLDS:
            suits = self._suits(gpu, vgpu_type, placement, index, position)
        elif placement is not None and vm.state in (VmState.OFF, VmState.HIBERNATED):
            place = f"vms[{index}].vgpus[{position}].placement"
            self.findings.wrong(place, str(placement), f"wanted none: a VM that is {vm.state} has no gpu")
        record = self._record(vgpu, index, position) if vgpu.record else None
        value = Vgpu(
            type=vgpu_type or BROKEN,
            gpu=gpu.id if gpu is not None else None,
            placement=placement,
            vgpu_version=self._version(vgpu, vm, host_id, record, index, position),
            migration=vgpu.migration is not False,
            record=None if record is None else b64decode(str(vgpu.record)),
        )
        if suits and gpu is not None:
            self.on_gpu.setdefault(gpu.id, []).append(Seated(value, index, position))
        return value

    def _gpu(
        self, vgpu: wire.Vgpu, vm: wire.Vm, host_id: HostId | None, index: int, position: int
    ) -> Gpu | None:
        """The gpu that a vgpu is on, where it may be on one and that can be judged."""
        hosts, given = self.hosts, vgpu.gpu
        if not given:
            if vm.state in _HOLDS:
                place = f"vms[{index}].vgpus[{position}].gpu"
                self.findings.wrong(place, "missing", f"wanted the gpu that it is on: the VM is {vm.state}")
            return None
        if vm.state is VmState.OFF or vm.state is VmState.HIBERNATED:
            place = f"vms[{index}].vgpus[{position}].gpu"
            self.findings.wrong(place, shown(given), f"wanted none: a VM that is {vm.state} holds no gpu")
            return None
        gpu = hosts.gpus.get(GpuId(given))
        if gpu is not None and gpu.host == host_id:
            return gpu
        if host_id is not None or not (vm.host or self.findings.is_unsure(f"vms[{index}].host")):
            self._other_gpu(given, host_id, f"vms[{index}].vgpus[{position}].gpu")
        return None

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
            and gpu.mode is PlacementMode.EQUAL
            and placement is None
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
        legal = supported_placements(gpu.board, vgpu_type)
        ids = ", ".join(map(str, legal)) or "none at all"
        if placement is None:
            return "placement", "missing", f"wanted an id on the mixed-size gpu {name}: {ids}"
        if placement not in legal:
            return "placement", str(placement), f"wanted an id of {short}: {ids}"
        return None

    def _version(
        self,
        vgpu: wire.Vgpu,
        vm: wire.Vm,
        host_id: HostId | None,
        record: VgpuMetadata | None,
        index: int,
        position: int,
    ) -> int | None:
        """The vGPU version held: given, recorded or negotiated, by the VM's state."""
        if vm.state not in _KEEPS_VERSION:
            return None
        given = whole(vgpu.version)
        recorded = None
        if record is not None and record.guest_info_state is GuestInfoState.INITIALIZED:
            recorded = record.guest_vgpu_version
            if given is not None and given != recorded:
                self.findings.wrong(
                    f"vms[{index}].vgpus[{position}].version",
                    f"{given:#x}",
                    f"wanted the version of its record, {recorded:#x}",
                )
        if given is not None:
            return given
        if vm.state is VmState.HIBERNATED:
            return recorded
        if host_id is None or not vm.guest_driver:
            return None
        return _negotiated(vm.guest_driver, self.hosts.hosts[host_id].range_in_force)

    def _record(self, vgpu: wire.Vgpu, index: int, position: int) -> VgpuMetadata | None:
        text = str(vgpu.record)
        place = f"vms[{index}].vgpus[{position}].record"
        try:
            return VgpuMetadata.from_bytes(b64decode(text, validate=True))
        except (binascii.Error, ValueError) as error:
            self.findings.wrong(place, spell(text), f"wanted base64 ({error})")
        except RecordError as error:
            self.findings.wrong(place, str(error), "wanted a saved nvmlVgpuMetadata_t")
        return None


@lru_cache(maxsize=4096)
def _negotiated(guest_driver: str, host_range: VersionRange | None) -> int | None:
    guest = facts.guest_driver(guest_driver)
    return negotiate(guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=host_range)


def _allow(words: Any, state: VmState) -> States:
    if words is UNSET or words is None:
        return _LIVE_OR_SLEEP if state is VmState.SLEEPING else _LIVE_ONLY
    allowed = States.NONE
    for word in words:
        allowed |= STATE_BY_WORD[word]
    return allowed
