"""The gpus of one host, put together from all that was said of them and of their virtual functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vgpu_migrate import facts
from vgpu_migrate.captures.findings import DeviceSaid, Findings, GpuSaid, Said, TypeSaid, VgpuSaid
from vgpu_migrate.captures.ledger import TABLES, Ground, Ledger
from vgpu_migrate.captures.names import boards_by_product, type_by_id, type_by_name, type_of
from vgpu_migrate.facts import Board, VgpuType
from vgpu_migrate.model.identity_text import LONGEST_ID, is_name
from vgpu_migrate.model.placement import supported_placements

_HOST_VGPU = "host vgpu"
_DESCRIBED = re.compile(r"(framebuffer|max_instance)=(\d+)")


@dataclass(slots=True)
class GpuParts:
    """All that was said of one gpu. `address` is None where only its virtual functions are known."""

    address: str | None
    place: str
    words: dict[str, list[Said]] = field(default_factory=dict)
    types: list[TypeSaid] = field(default_factory=list)
    vgpus: list[VgpuSaid] = field(default_factory=list)
    devices: list[DeviceSaid] = field(default_factory=list)
    virtual: Said | None = None
    board: Board | None = None

    def add(self, said: GpuSaid) -> None:
        """Take in what another capture says."""
        for name, word in said.words.items():
            self.words.setdefault(name, []).append(word)


class GpuTable:
    """The gpus of one host by address; a virtual function stands for the gpu it is of."""

    def __init__(self, found: Findings, ledger: Ledger) -> None:
        self.ledger = ledger
        self.gpus: list[GpuParts] = []
        self._physical = {
            row.address: row.words["physfn"].text
            for row in found.gpus
            if row.address and "physfn" in row.words
        }
        self._owners: dict[str, GpuParts] = {}
        for row in sorted(found.gpus, key=lambda row: (row.is_kernel, not _looks_physical(row.address))):
            owner = self.owner(row.address, row.place, is_kernel=row.is_kernel)
            owner.add(row)
        for vgpu in found.vgpus:
            self.owner(vgpu.gpu, vgpu.place, is_kernel=False).vgpus.append(vgpu)
        for device in found.devices:
            self.owner(device.parent, device.type_id.place, is_kernel=True).devices.append(device)
        homeless: list[TypeSaid] = []
        for offered in found.types:
            if offered.parent is None:
                homeless.append(offered)
            else:
                self.owner(offered.parent, offered.place, is_kernel=True).types.append(offered)
        self._settle_boards()
        self._place_homeless(homeless)

    def owner(self, address: str | None, place: str, *, is_kernel: bool) -> GpuParts:
        """The gpu of an address, a new one where there is none."""
        key = address or place
        if key in self._owners:
            return self._owners[key]
        physical = self._physical.get(key)
        if physical is not None:
            owner = self.owner(physical, place, is_kernel=False)
        elif not is_kernel or _looks_physical(address):
            owner = self._new(address, place)
        else:
            bus = key[:-5]
            on_bus = [gpu for gpu in self.gpus if gpu.address is not None and gpu.address[:-5] == bus]
            # Our assumption: a virtual function is of the only gpu on its bus.
            owner = on_bus[0] if len(on_bus) == 1 else self._nameless(bus, place)
        if is_kernel and (physical is not None or not _looks_physical(address)):
            owner.virtual = owner.virtual or Said("SR-IOV", place)
        self._owners[key] = owner
        return owner

    def _nameless(self, bus: str, place: str) -> GpuParts:
        key = f"virtual functions of {bus}"
        if key not in self._owners:
            self._owners[key] = self._new(None, place)
            self.ledger.note(
                f"the gpu of the virtual functions of bus {bus}: no capture says its address", place
            )
        return self._owners[key]

    def _new(self, address: str | None, place: str) -> GpuParts:
        self.gpus.append(GpuParts(address, place))
        return self.gpus[-1]

    def _settle_boards(self) -> None:
        for gpu in self.gpus:
            gpu.board = _board(gpu, self.ledger)

    def _place_homeless(self, types: list[TypeSaid]) -> None:
        """Types of no named device are offered by every gpu of their board; our assumption."""
        by_board: dict[str, list[TypeSaid]] = {}
        for offered in types:
            known = type_of(offered.words)
            if known is None:
                self._tell_unknown(offered)
            else:
                by_board.setdefault(known.board, []).append(offered)
        for board, offered_there in by_board.items():
            owners = [gpu for gpu in self.gpus if gpu.board is not None and gpu.board.key == board]
            if not owners:
                owners = [self._new(None, offered_there[0].place)]
                owners[0].board = facts.board(board)
                text = f"types of {board} without their device: taken as one gpu, whose address is not said"
                self.ledger.note(text, offered_there[0].place)
            for gpu in owners:
                gpu.types += offered_there

    def _tell_unknown(self, offered: TypeSaid) -> None:
        said = " ".join(word.text for name, word in offered.words.items() if name != "description")
        self.ledger.note(f"vgpu type {said}: the tables do not have it", offered.place)

    def types_of(self, gpu: GpuParts) -> tuple[VgpuType, ...]:
        """The types that a full list of this gpu's names, each held against the tables."""
        found: dict[str, VgpuType] = {}
        for offered in gpu.types:
            known = check_type(offered.words, self.ledger)
            if known is None:
                self._tell_unknown(offered)
            elif offered.is_listing and gpu.board is not None and known.board == gpu.board.key:
                found[known.short] = known
        return tuple(sorted(found.values(), key=lambda row: row.row))


def check_type(words: Any, ledger: Ledger) -> VgpuType | None:
    """The type that is said; its id, size and number are held against the tables."""
    by_name, by_id = type_by_name(words.get("name")), type_by_id(words.get("id"))
    known = by_name or by_id
    if known is None:
        return None
    if by_name is not None and "id" in words and by_id is not by_name and by_name.has_known_type_id:
        ledger.contradict(
            f"type id of {by_name.short}",
            Said(by_name.mdev_name, TABLES),
            Said(_mdev(words["id"]), words["id"].place),
        )
    if "description" in words:
        said = words["description"]
        real = {"framebuffer": known.framebuffer_mib, "max_instance": known.max_instances}
        for name, number in _DESCRIBED.findall(said.text):
            if int(number[:18]) != real[name] and (
                name == "framebuffer" or known.max_instances_basis == "listed"
            ):
                ledger.contradict(
                    f"{name} of {known.short}", Said(str(real[name]), TABLES), Said(number, said.place)
                )
    return known


def _mdev(said: Said) -> str:
    return f"nvidia-{said.text.removeprefix('nvidia-')}"


def _looks_physical(address: str | None) -> bool:
    """Function 0 of device 0, which virtual functions are not: our assumption for trees without links."""
    return address is not None and address.endswith(":00.0")


def _board(gpu: GpuParts, ledger: Ledger) -> Board | None:
    """The board that its types, its PCI ids and its product name agree on; the first of them counts."""
    grounds = [*_boards_of_types(gpu), *_boards_of_pci(gpu), *_boards_of_product(gpu)]
    if not grounds:
        return None
    candidates, said = grounds[0]
    for others, other in grounds[1:]:
        both = [row for row in candidates if row in others]
        if both:
            candidates = both
        else:
            spelled = " or ".join(row.key for row in candidates)
            against = " or ".join(row.key for row in others)
            ledger.contradict(
                "board",
                Said(f"{spelled} ({said.text})", said.place),
                Said(f"{against} ({other.text})", other.place),
            )
    if len(candidates) > 1:
        names = " or ".join(row.key for row in candidates)
        ledger.note(f"board of {said.text}: {names}; no capture says which", said.place)
        return None
    return candidates[0]


_Boards = tuple[list[Board], Said]


def _boards_of_types(gpu: GpuParts) -> Iterator[_Boards]:
    words: Iterable[Any] = [
        *(row.words for row in gpu.types),
        *(row.words for row in gpu.vgpus),
        *({"id": row.type_id} for row in gpu.devices),
    ]
    seen: set[str] = set()
    for said in words:
        known = type_of(said)
        if known is not None and known.board not in seen:
            seen.add(known.board)
            yield [facts.board(known.board)], Said(known.short, (said.get("name") or said["id"]).place)


def _boards_of_pci(gpu: GpuParts) -> Iterator[_Boards]:
    subsystems = gpu.words.get("subsystem", [])
    for said in gpu.words.get("device", []):
        subsystem = _hex(subsystems[0].text) if subsystems else None
        device = _hex(said.text)
        found = () if device is None else facts.boards_by_pci(device, subsystem)
        if found:
            yield list(found), Said(f"PCI device {said.text}", said.place)


def _may_be_id(text: str) -> bool:
    return is_name(text) and len(text) <= LONGEST_ID


def _hex(text: str) -> int | None:
    return int(text, 16) if re.fullmatch(r"[0-9A-Fa-f]{1,8}", text) else None


def _boards_of_product(gpu: GpuParts) -> Iterator[_Boards]:
    for said in gpu.words.get("product", []):
        found = boards_by_product(said.text)
        if found:
            yield list(found), said


class GpuWriter:
    """One gpu as data of the fleet file, every field with its ground."""

    def __init__(
        self, table: GpuTable, gpu: GpuParts, name: str, seated: list[tuple[VgpuType, Said | None]]
    ) -> None:
        assert gpu.board is not None, "gpus without a board are left out"
        self.table, self.gpu, self.name, self.seated = table, gpu, name, seated
        self.board, self.ledger = gpu.board, table.ledger

    def data(self, migration: Said | None) -> dict[str, Any]:
        """The gpu; `migration` is what the manager's log says of its host."""
        data: dict[str, Any] = {}
        uuid = self._pick("uuid")
        gpu_id = self._captured("id", uuid if uuid and _may_be_id(uuid.text) else None)
        if gpu_id is not None:
            data["id"] = gpu_id
        data["board"] = self.board.key
        self._fill("board", Ground.CAPTURE, self.gpu.place)
        address = self._captured(
            "pci", None if self.gpu.address is None else Said(self.gpu.address, self.gpu.place)
        )
        if address is not None:
            data["pci"] = address
        data |= self._mode() | self._ecc() | self._sriov() | self._mig_and_role()
        said = self._captured("migration", migration)
        if said == "disabled":
            data["migration"] = False
        types = self.table.types_of(self.gpu)
        if types:
            data["types"] = [row.short for row in types]
            self._fill("types", Ground.CAPTURE, self.gpu.types[0].place)
        else:
            self._fill("types", Ground.FACTS, f"all types of {self.board.key}")
        return data

    def _pick(self, name: str) -> Said | None:
        return self.ledger.pick(f"{self.name} {name}", self.gpu.words.get(name, ()))

    def _fill(self, name: str, by: Ground, said: str) -> None:
        self.ledger.fill(f"{self.name}.{name}", by, said)

    def _captured(self, name: str, said: Said | None) -> str | None:
        return self.ledger.captured(f"{self.name}.{name}", said)

    def _mode(self) -> dict[str, Any]:
        said = self._pick("heterogeneous")
        if not self.board.has_mixed_size:
            self._fill("mode", Ground.FACTS, f"{self.board.key} has no mixed-size mode")
            return {}
        if said is None and len({row.short for row, _ in self.seated}) > 1 and self._are_placed():
            # Vgpus of several types, each at an id of mixed-size mode: there is no other way to read it.
            self._fill("mode", Ground.CAPTURE, self.gpu.vgpus[0].place)
            return {"mode": "mixed"}
        return {"mode": "mixed"} if self._captured("mode", said) == "Enabled" else {}

    def _are_placed(self) -> bool:
        return all(
            placement is not None
            and placement.text.isdecimal()
            and int(placement.text[:9]) in supported_placements(self.board, row)
            for row, placement in self.seated
        )

    def _ecc(self) -> dict[str, Any]:
        # "N/A" is the word of a gpu that has no ECC: it is off. Our assumption.
        said = self._captured("ecc", self._pick("ecc"))
        return {} if said is None or said == "Enabled" else {"ecc": False}

    def _sriov(self) -> dict[str, Any]:
        numbers = [
            Said("SR-IOV" if row.text not in ("0", "") else "Non SR-IOV", row.place)
            for row in self.gpu.words.get("sriov_numvfs", ())
        ]
        vendor = [Said("SR-IOV", row.place) for row in self.gpu.words.get("vendor_vfio", ())[:1]]
        known = [*self.gpu.words.get("host_mode", ()), self.gpu.virtual, *vendor, *numbers]
        said = self.ledger.pick(f"{self.name} SR-IOV", known)
        if said is None:
            self._fill("sriov", Ground.FACTS, f"by the generation of {self.board.key}")
            return {}
        is_on = self._captured("sriov", said) == "SR-IOV"
        return {} if is_on == self.board.sriov_by_default else {"sriov": is_on}

    def _mig_and_role(self) -> dict[str, Any]:
        said = self._pick("mig")
        backed = [row.gi_slices for row, _ in self.seated if row.is_mig_backed]
        role = self._role()
        if backed:
            self._fill("mig", Ground.CAPTURE, self.gpu.vgpus[0].place if self.gpu.vgpus else self.gpu.place)
            text = f"{self.name}: GPU instances without a vgpu are not said; its mig has those in use"
            self.ledger.note(text, self.gpu.place)
            return {**role, "mig": backed}
        if not self.board.mig_slices:
            self._fill("mig", Ground.FACTS, f"{self.board.key} has no MIG")
        elif said is not None and said.text == "Enabled":
            self._fill("mig", Ground.UNKNOWN, "MIG is on, and no capture says its GPU instances")
            text = (
                f"{self.name}: MIG is on with unknown GPU instances; written with vgpu: false, never a target"
            )
            self.ledger.note(text, said.place)
            return {"vgpu": False}
        else:
            self._captured("mig", said)
        return role

    def _role(self) -> dict[str, Any]:
        said = [row for row in self.gpu.words.get("virtualization", ()) if row.text.casefold() != "n/a"]
        places = [*(row.place for row in self.gpu.types[:1]), *(row.place for row in self.gpu.vgpus[:1])]
        shown = [Said("Host VGPU", place) for place in places]
        taken = self.ledger.pick(f"{self.name} virtualization mode", [*shown, *said])
        word = self._captured("vgpu", taken)
        return {} if word is None or word.casefold() == _HOST_VGPU else {"vgpu": False}
