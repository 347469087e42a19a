"""From findings to a fleet: host by host, each field with its ground, and nothing that will not read back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vgpu_migrate import facts
from vgpu_migrate.captures.findings import Contradiction, Findings, Said
from vgpu_migrate.captures.gpus import GpuParts, GpuTable, GpuWriter
from vgpu_migrate.captures.ledger import TABLES, Ground, Ledger
from vgpu_migrate.captures.vms import VmParts
from vgpu_migrate.captures.vms import vms_of as vms_said
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model.driver_text import DRIVER_TEXT_PATTERN
from vgpu_migrate.model.fleetfile import parse_fleet
from vgpu_migrate.model.identity_text import LONGEST_ID, UUID_PATTERN, is_name
from vgpu_migrate.nvml import VersionRange

_PLACE = re.compile(r"(hosts|vms)\[(\d+)\](?:\.gpus\[(\d+)\])?")


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """One file of a host's folder: its kind in words, None where it is none known, and what it says."""

    name: str
    kind: str | None
    findings: Findings


@dataclass(frozen=True, slots=True)
class HostCaptures:
    """All captures of one host. `driver` overrides what they say."""

    host: str
    files: tuple[CaptureFile, ...]
    driver: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """The data of the fleet file, and per host what stands on what ground."""

    data: dict[str, Any]
    ledgers: tuple[Ledger, ...]
    left_out: tuple[str, ...]
    remarks: Mapping[str, tuple[str, ...]]

    @property
    def contradictions(self) -> list[Contradiction]:
        """All of them, host by host."""
        return [row for ledger in self.ledgers for row in ledger.contradictions]


def import_hosts(hosts: Sequence[HostCaptures], *, vm_memory_mib: int | None = None) -> Imported:
    """A fleet from captures; it reads back as a fleet file without a problem.

    Args:
        hosts: one per folder.
        vm_memory_mib: memory of VMs of which no capture says it; without it they are left out.

    Raises:
        InputError: no host can be written.
    """
    data: dict[str, Any] = {"fleetfile_version": 1, "hosts": [], "vms": []}
    ledgers, left_out = [], []
    remarks: dict[str, tuple[str, ...]] = {}
    for captures in hosts:
        ledger = Ledger(captures.host)
        ledgers.append(ledger)
        writer = _HostWriter(captures, ledger, vm_memory_mib)
        host = writer.data()
        if host is None:
            left_out.append(captures.host)
            continue
        remarks[f"hosts[{len(data['hosts'])}]"] = _remarks(ledger)
        data["hosts"].append(host)
        data["vms"] += writer.vms
    if not data["hosts"]:
        problems = [Problem(ledger.host, row.text, row.place) for ledger in ledgers for row in ledger.notes]
        raise InputError([*problems, Problem("captures", "no host left", "wanted one with a driver")])
    _tell_vms_apart(data["vms"], {ledger.host: ledger for ledger in ledgers})
    _leave_out_what_does_not_fit(data, {ledger.host: ledger for ledger in ledgers})
    for vm in data["vms"]:
        vm.pop("captured_on", None)
    return Imported(data, tuple(ledgers), tuple(left_out), remarks)


def _remarks(ledger: Ledger) -> tuple[str, ...]:
    """What a reader of the file should know of a host: its range by the tables, and what nothing says."""
    ranges = [f"preset_range {row.said}" for row in ledger.fields if row.field == "preset_range"]
    unknown = [row.field for row in ledger.fields if row.by is Ground.UNKNOWN]
    return (*ranges, *([f"not known: {', '.join(unknown)}"] if unknown else []))


class _HostWriter:
    def __init__(self, captures: HostCaptures, ledger: Ledger, vm_memory_mib: int | None) -> None:
        self.captures, self.ledger, self.vm_memory_mib = captures, ledger, vm_memory_mib
        self.found = sum((file.findings for file in captures.files), Findings())
        self.vms: list[dict[str, Any]] = []
        self._names: dict[int, str] = {}
        self._modes: dict[str, dict[str, Any]] = {}
        self._labels: Counter[str] = Counter()
        for said in self.found.notes:
            ledger.note(said.text, said.place)
        for against in self.found.contradictions:
            ledger.contradict(against.what, against.taken, against.other)

    def data(self) -> dict[str, Any] | None:
        """The host, None where nothing says its driver."""
        table = GpuTable(self.found, self.ledger)
        said = self._driver()
        if said is None:
            option = f"--driver {self.captures.host}=VERSION"
            text = f"no capture says its driver ({option} does): the host is left out"
            self.ledger.note(text, self.captures.host)
            return None
        driver = said.text
        self.ledger.fill("driver", Ground.GIVEN if self.captures.driver else Ground.CAPTURE, said.place)
        data: dict[str, Any] = {"id": self.captures.host, "driver": driver, **self._manager()}
        data |= self._ranges(driver)
        parts = vms_said(self.found, table, self.ledger)
        data["gpus"] = self._gpus(table, parts)
        for vm in parts:
            self._vm(vm, driver)
        return data

    def _driver(self) -> Said | None:
        given = self.captures.driver
        said = [] if given is None else [Said(given, "--driver")]
        taken = self.ledger.pick("driver", [*said, *self.found.drivers, *self.found.log_drivers])
        if taken is not None and not re.match(DRIVER_TEXT_PATTERN, taken.text):
            self.ledger.note("not a driver version", taken.place)
            return None
        return taken

    def _manager(self) -> dict[str, Any]:
        found = self.found
        said = [row.words["virtualization"] for row in found.gpus if "virtualization" in row.words]
        signs = [
            *(row for row in said if row.text.casefold() == "host vgpu"),
            *(Said("", row.place) for row in found.types[:1]),
            *(Said("", row.place) for row in found.vgpus[:1]),
            *found.ranges[:1],
            *(row.type_id for row in found.devices[:1]),
        ]
        if signs:
            self.ledger.fill("manager", Ground.CAPTURE, signs[0].place)
        elif said and all(row.text.casefold() == "none" for row in said):
            self.ledger.fill("manager", Ground.CAPTURE, said[0].place)
            return {"manager": False}
        else:
            self.ledger.fill("manager", Ground.UNKNOWN, "no capture says whether it has a vGPU Manager")
        return {}

    def _ranges(self, driver: str) -> dict[str, Any]:
        known = facts.host_driver(driver)
        preset = known.preset_range
        said = self.ledger.pick("vGPU supported range", self.found.ranges)
        if said is None:
            if preset is None:
                self.ledger.fill("preset_range", Ground.UNKNOWN, known.said)
            else:
                text = f"{preset} from the tables; {known.said}"
                self.ledger.fill("preset_range", Ground.FACTS, text)
            return {}
        low, high = (int(part, 16) for part in said.text.split("-"))
        self.ledger.fill("preset_range", Ground.CAPTURE, said.place)
        if low > high:
            self.ledger.note(f"range {said.text} is upside down: left out", said.place)
            return {}
        seen = VersionRange(low, high)
        if preset is not None and seen != preset:
            self.ledger.contradict("vGPU supported range", said, Said(str(preset), TABLES))
        return {} if seen == preset else {"preset_range": [f"{low:#x}", f"{high:#x}"]}

    def _gpus(self, table: GpuTable, vms: list[VmParts]) -> list[dict[str, Any]]:
        migration = self.ledger.pick("vGPU migration", self.found.migrations)
        written: list[dict[str, Any]] = []
        for gpu in table.gpus:
            if gpu.board is None:
                said = next((row.text for row in gpu.words.get("product", ())), "a gpu")
                shown = said if gpu.address is None else f"{said} at {gpu.address}"
                self.ledger.note(f"{shown}: its board is not known; it is left out", gpu.place)
                continue
            seated = [
                (row.type, row.placement) for vm in vms if vm.is_whole for row in vm.vgpus if row.gpu is gpu
            ]
            data = GpuWriter(table, gpu, f"gpus[{len(written)}]", seated).data(migration)
            self._names[id(gpu)] = data.get("id", f"{self.captures.host}/{len(written)}")
            written.append(data)
        self._modes = dict(zip(self._names.values(), written, strict=True))
        return written

    def _vm(self, vm: VmParts, driver: str) -> None:
        if not vm.is_whole or not vm.vgpus:
            return
        gpus: list[GpuParts] = [row.gpu for row in vm.vgpus if row.gpu is not None]
        if any(id(gpu) not in self._names for gpu in gpus):
            self.ledger.note(f"VM {vm.shown}: its gpu is left out, and so is it", vm.place)
            return
        uuid = next((row for row in vm.uuids if re.match(UUID_PATTERN, row.text)), None)
        whole = [row for row in vm.names if not row.text.endswith("...") and is_name(row.text[:LONGEST_ID])]
        name = (
            whole[0].text[:LONGEST_ID]
            if whole
            else (uuid or Said(f"{self.captures.host}/{vm.shown}", "")).text
        )
        self._labels[name] += 1
        label = name if self._labels[name] == 1 else f"{name} #{self._labels[name]}"
        memory = self._memory(vm, label)
        if memory is None:
            return
        self._tell_names_apart(vm, name)
        data: dict[str, Any] = {"id": name}
        if vm.is_running:
            data["host"] = self.captures.host
        at = f"vms[{label}]"
        if (found := self.ledger.captured(f"{at}.uuid", uuid)) is not None:
            data["uuid"] = found.lower()
        data["state"] = "running" if vm.is_running else "off"
        self.ledger.fill(f"{at}.state", Ground.CAPTURE, vm.place)
        data["memory_mib"] = memory
        vcpus = None if vm.domain is None else vm.domain.words.get("vcpus")
        number = self.ledger.captured(f"{at}.vcpus", vcpus if vcpus and _is_count(vcpus.text) else None)
        if number is not None:
            data["vcpus"] = int(number)
        guest = self.ledger.pick(f"guest driver of {name}", vm.guest_drivers)
        if guest is not None and not re.match(DRIVER_TEXT_PATTERN, guest.text):
            guest = None
        if (found := self.ledger.captured(f"{at}.guest_driver", guest)) is not None:
            data["guest_driver"] = found
        data["vgpus"] = self._vgpus(vm, at, guest, driver)
        data["captured_on"] = self.captures.host
        self.vms.append(data)

    def _memory(self, vm: VmParts, name: str) -> int | None:
        said = None if vm.domain is None else vm.domain.words.get("memory_mib")
        if said is not None and _is_count(said.text):
            self.ledger.fill(f"vms[{name}].memory_mib", Ground.CAPTURE, said.place)
            return int(said.text)
        if self.vm_memory_mib is not None:
            self.ledger.fill(f"vms[{name}].memory_mib", Ground.GIVEN, "--vm-memory")
            return self.vm_memory_mib
        self.ledger.fill(f"vms[{name}].memory_mib", Ground.UNKNOWN, "no capture says it: the VM is left out")
        text = f"VM {name}: its memory is not said (virsh dumpxml or --vm-memory does): it is left out"
        self.ledger.note(text, vm.place)
        return None

    def _tell_names_apart(self, vm: VmParts, name: str) -> None:
        taken = Said(name, next((row.place for row in vm.names if row.text == name), vm.place))
        for row in vm.names:
            if not row.text.endswith("...") and row.text.casefold() != vm.names[0].text.casefold():
                self.ledger.contradict(f"name of VM {name}", taken, row)

    def _vgpus(self, vm: VmParts, at: str, guest: Said | None, driver: str) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for index, vgpu in enumerate(vm.vgpus):
            here = f"{at}.vgpus[{index}]"
            data: dict[str, Any] = {"type": vgpu.type.short}
            self.ledger.fill(f"{here}.type", Ground.CAPTURE, vgpu.place)
            if vgpu.gpu is not None:
                data["gpu"] = self._names[id(vgpu.gpu)]
                self.ledger.fill(f"{here}.gpu", Ground.CAPTURE, vgpu.place)
                self._place(vgpu.placement, data, here)
            known = guest is not None and facts.guest_driver(guest.text).maximum is not None
            if known and vm.is_running and facts.host_driver(driver).preset_range is not None:
                self.ledger.fill(
                    f"{here}.version", Ground.FACTS, "negotiated from guest driver and host range"
                )
            else:
                self.ledger.fill(f"{here}.version", Ground.UNKNOWN, "no capture says it")
            written.append(data)
        return written

    def _place(self, said: Said | None, data: dict[str, Any], here: str) -> None:
        if said is None or not said.text.isdecimal():
            return
        if self._modes[data["gpu"]].get("mode") == "mixed":
            data["placement"] = int(said.text[:9])
            self.ledger.fill(f"{here}.placement", Ground.CAPTURE, said.place)
        elif said.text != "0":
            text = f"placement id {said.text} of {data['type']}: left out, no capture says mixed-size mode"
            self.ledger.note(text, said.place)


def _is_count(text: str) -> bool:
    return text.isdecimal() and 1 <= len(text) <= 9 and int(text) > 0


def _tell_vms_apart(vms: list[dict[str, Any]], ledgers: Mapping[str, Ledger]) -> None:
    """One VM said by two hosts stays where it runs; two of one name are called by host and name."""
    kept: dict[str, dict[str, Any]] = {}
    for vm in sorted(vms, key=lambda vm: vm["state"] != "running"):
        uuid = vm.get("uuid")
        first = kept.setdefault(uuid, vm) if uuid is not None else vm
        if first is not vm:
            vms.remove(vm)
            taken = Said(f"{first['state']} on {first['captured_on']}", first["captured_on"])
            other = Said(f"{vm['state']} on {vm['captured_on']}", vm["captured_on"])
            ledgers[vm["captured_on"]].contradict(f"VM {vm['id']} with uuid {uuid}", taken, other)
    counts = Counter(vm["id"] for vm in vms)
    taken_ids = set(counts)
    for vm in vms:
        if counts[vm["id"]] > 1:
            base = new = f"{vm['captured_on']}/{vm['id']}"[:LONGEST_ID]
            number = 1
            while new in taken_ids:
                number += 1
                new = f"{base[: LONGEST_ID - 8]} {number}"
            taken_ids.add(new)
            ledgers[vm["captured_on"]].note(f"VM {vm['id']}: two have this name; here it is {new}", new)
            vm["id"] = new


def _leave_out_what_does_not_fit(data: dict[str, Any], ledgers: Mapping[str, Ledger]) -> None:
    """What the rules of fleet files refuse contradicts the facts: it is named and left out."""
    while True:
        plain = {**data, "vms": [{k: v for k, v in vm.items() if k != "captured_on"} for vm in data["vms"]]}
        try:
            parse_fleet(plain, source="the captures")
        except InputError as error:
            found = [_PLACE.match(problem.place) for problem in error.problems]
            doomed: set[int] = set()
            for problem, match in zip(error.problems, found, strict=True):
                index = -1 if match is None else int(match[2])
                if match is not None and match[1] == "vms":
                    there = [index]
                elif match is not None and match[3] is not None:
                    host = data["hosts"][index]
                    name = host["gpus"][int(match[3])].get("id", f"{host['id']}/{match[3]}")
                    there = [
                        number
                        for number, vm in enumerate(data["vms"])
                        if vm.get("host") == host["id"] and any(row.get("gpu") == name for row in vm["vgpus"])
                    ]
                else:
                    there = []
                for number in there:
                    vm = data["vms"][number]
                    if number not in doomed:
                        ledgers[vm["captured_on"]].contradict(
                            f"VM {vm['id']}", Said(problem.wanted, TABLES), Said(problem.seen, "left out")
                        )
                doomed |= set(there)
            if not doomed:
                raise
            data["vms"] = [vm for number, vm in enumerate(data["vms"]) if number not in doomed]
        else:
            return
