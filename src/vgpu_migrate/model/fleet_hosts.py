"""The rules for hosts and gpus of a fleet file that span several keys; hosts as values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import UNSET

from vgpu_migrate import facts
from vgpu_migrate.facts import Board, VgpuType
from vgpu_migrate.model import fleet_schema as wire
from vgpu_migrate.model.fleet_findings import Findings
from vgpu_migrate.model.fleet_report import BROKEN, shown, spell
from vgpu_migrate.model.identity_text import WANTED_NAME, is_name
from vgpu_migrate.model.values import Gpu, GpuId, Host, HostId, PlacementMode
from vgpu_migrate.nvml import VersionRange

DEFAULT_DOMAIN = "default"
RANGE_GIVEN = "given in the fleet file"
"""What `Host.range_said` says where the file names the preset range."""


class HostReader:
    """Reads the hosts of a file, one after the other.

    `host_of_gpu` has every gpu that the file names, `gpus` those among them whose own keys are all right:
    only these can be said to suit a vgpu or not. `has_unread_ids` and `hosts_with_unread_gpus` tell that
    a name which is not there may be one that could not be read.
    """

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.hosts: dict[HostId, Host] = {}
        self.gpus: dict[GpuId, Gpu] = {}
        self.host_of_gpu: dict[GpuId, HostId | None] = {}
        self.place_of_gpu: dict[GpuId, str] = {}
        self.has_unread_ids = False
        self.hosts_with_unread_gpus: set[HostId] = set()
        self._first_place: dict[str, str] = {}

    def read_all(self, hosts: Any) -> None:
        """Read the list of hosts; BROKEN is one that could not be read."""
        if hosts is BROKEN:
            self.has_unread_ids = True
            return
        for index, host in enumerate(hosts):
            if host is BROKEN:
                self.has_unread_ids = True
            else:
                self._host(host, f"hosts[{index}]")

    def _host(self, host: wire.Host, place: str) -> None:
        domain = DEFAULT_DOMAIN if host.domain is UNSET else host.domain
        check_name(self.findings, f"{place}.domain", domain)
        in_force, preset, said = self._ranges(host, place)
        host_id = self._new_id(host.id, f"{place}.id")
        gpus = self._gpus(host, host_id, place)
        if host_id is None:
            self.has_unread_ids = self.has_unread_ids or host.id is BROKEN
            return
        self.hosts[host_id] = Host(
            id=host_id,
            domain=domain,
            driver=host.driver,
            has_manager=host.manager is not False,
            hypervisor="kvm" if host.hypervisor is UNSET else host.hypervisor,
            preset_range=preset,
            range_in_force=in_force,
            range_said=said,
            schedulable=host.schedulable is not False,
            memory_mib=whole(host.memory_mib),
            vcpus=whole(host.vcpus),
            gpus=gpus,
        )

    def _new_id(self, host_id: Any, place: str) -> HostId | None:
        """The id, or None where it could not be read or is another host's."""
        if host_id is BROKEN:
            return None
        check_name(self.findings, place, host_id)
        if host_id in self.hosts:
            first = self._first_place[host_id]
            self.findings.wrong(place, spell(host_id), f"wanted an id of its own; {first} has this one")
            return None
        self._first_place[host_id] = place.removesuffix(".id")
        return HostId(host_id)

    def _ranges(self, host: wire.Host, place: str) -> tuple[VersionRange | None, VersionRange | None, str]:
        """The range in force, the preset range, and where the latter came from."""
        given = self._range(host.preset_range, f"{place}.preset_range")
        if given is not None:
            preset, said = given, RANGE_GIVEN
        elif host.driver is BROKEN:
            preset, said = None, ""
        else:
            driver = facts.host_driver(host.driver)
            preset, said = driver.preset_range, driver.said
        override = self._range(host.range, f"{place}.range")
        if override is None:
            return preset, preset, said
        if preset is not None and not preset.covers(override):
            self.findings.wrong(
                f"{place}.range", str(override), f"wanted a range inside the preset range {preset} ({said})"
            )
        return override, preset, said

    def _range(self, pair: Any, place: str) -> VersionRange | None:
        if not pair:
            return None
        low, high = pair
        found = VersionRange(_int(low), _int(high))
        if found.minimum > found.maximum:
            self.findings.wrong(place, str(found), "wanted the minimum first, at most the maximum")
            return None
        return found

    def _gpus(self, host: wire.Host, host_id: HostId | None, place: str) -> tuple[Gpu, ...]:
        if host.gpus is BROKEN:
            if host_id is not None:
                self.hosts_with_unread_gpus.add(host_id)
            return ()
        gpus: list[Gpu] = []
        addresses: dict[str, int] = {}
        for index, gpu in enumerate(host.gpus):
            at = f"{place}.gpus[{index}]"
            if gpu is BROKEN or self.findings.is_unsure(f"{at}.id"):
                if host_id is not None:
                    self.hosts_with_unread_gpus.add(host_id)
                if gpu is BROKEN:
                    continue
            if gpu.pci:
                address = _pci_address(gpu.pci)
                if address in addresses:
                    other = f"{place}.gpus[{addresses[address]}]"
                    self.findings.wrong(
                        f"{at}.pci", spell(gpu.pci), f"wanted an address of its own; {other} has this one"
                    )
                addresses[address] = index
            value = self._gpu(gpu, host_id, index, at)
            if value is not None:
                gpus.append(value)
        return tuple(gpus)

    def _gpu(self, gpu: wire.Gpu, host_id: HostId | None, index: int, place: str) -> Gpu | None:
        findings = self.findings
        before = len(findings.problems)
        board = self._board(gpu.board, f"{place}.board")
        mode = PlacementMode.EQUAL if gpu.mode is UNSET else gpu.mode
        mig = () if gpu.mig is UNSET else tuple(map(_int, gpu.mig))
        types: tuple[VgpuType, ...] = ()
        if board is not None:
            types = self._types(gpu.types, board, f"{place}.types")
            if mode is PlacementMode.MIXED and not board.has_mixed_size:
                findings.wrong(f"{place}.mode", "mixed", f"wanted equal: {board.key} has no mixed-size mode")
            if mig:
                self._check_mig(mig, board, mode, place)
        is_right = len(findings.problems) == before and not any(
            findings.is_unsure(f"{place}.{key}") for key in ("board", "mode", "mig", "types", "vgpu")
        )
        gpu_id = self._new_gpu_id(gpu, host_id, index, place)
        if board is None or gpu_id is None:
            return None
        value = Gpu(
            id=gpu_id,
            host=HostId("") if host_id is None else host_id,
            index=index,
            board=board,
            pci=gpu.pci or None,
            mode=mode,
            ecc=gpu.ecc is not False,
            sriov=board.sriov_by_default if gpu.sriov is UNSET or gpu.sriov is None else gpu.sriov,
            is_vgpu_host=gpu.vgpu is not False,
            migration=gpu.migration is not False,
            topology=whole(gpu.topology) or 0,
            mig=mig,
            types=types,
        )
        if is_right:
            self.gpus[gpu_id] = value
        return value

    def _new_gpu_id(self, gpu: wire.Gpu, host_id: HostId | None, index: int, place: str) -> GpuId | None:
        if gpu.id:
            gpu_id = GpuId(gpu.id)
            check_name(self.findings, f"{place}.id", gpu_id)
        elif host_id is not None:
            gpu_id = GpuId(f"{host_id}/{index}")
        else:
            return None
        if gpu_id in self.host_of_gpu:
            first = self.place_of_gpu[gpu_id]
            self.findings.wrong(
                f"{place}.id", spell(gpu_id), f"wanted an id of its own; {first} has this one"
            )
            return None
        self.host_of_gpu[gpu_id] = host_id
        self.place_of_gpu[gpu_id] = place
        return gpu_id

    def _board(self, key: Any, place: str) -> Board | None:
        if key is BROKEN:
            return None
        board = facts.boards().get(key)
        if board is None:
            self.findings.unknown(place, "board", key, facts.boards().keys())
        return board

    def _types(self, names: Any, board: Board, place: str) -> tuple[VgpuType, ...]:
        if not names:
            return ()
        found: dict[str, VgpuType] = {}
        for index, name in enumerate(names):
            vgpu_type = type_names().get(name)
            at = f"{place}[{index}]"
            if vgpu_type is None:
                of_board = [row.short for row in facts.types_of_board(board.key)]
                self.findings.unknown(at, "vgpu type", name, of_board)
            elif vgpu_type.board != board.key:
                self.findings.wrong(
                    at,
                    shown(name),
                    f"wanted a type of this gpu's board {board.key}, not of {vgpu_type.board}",
                )
            else:
                found[vgpu_type.short] = vgpu_type
        return tuple(found.values())

    def _check_mig(self, mig: tuple[int, ...], board: Board, mode: PlacementMode, place: str) -> None:
        legal = mig_slice_counts(board)
        layout = f"[{', '.join(map(str, mig[:16]))}{', …' if len(mig) > 16 else ''}]"
        at = f"{place}.mig"
        if not legal:
            self.findings.wrong(at, layout, f"wanted none: {board.key} has no MIG")
            return
        for index, slices in enumerate(mig):
            if slices not in legal:
                self.findings.wrong(
                    f"{at}[{index}]",
                    f"{slices} slices",
                    f"wanted a size that GPU instances of {board.key} have: {', '.join(map(str, legal))}",
                )
        if sum(mig) > board.mig_slices:
            self.findings.wrong(
                at,
                f"{layout}, {sum(mig)} slices",
                f"wanted at most the {board.mig_slices} that {board.key} has",
            )
        if mode is PlacementMode.MIXED:
            self.findings.wrong(f"{place}.mode", "mixed", "wanted equal on a gpu in MIG mode")


@cache
def mig_slice_counts(board: Board) -> tuple[int, ...]:
    """The sizes of GPU instances that a board's MIG-backed types have, in slices."""
    sizes = {row.gi_slices for row in facts.types_of_board(board.key) if row.is_mig_backed}
    return tuple(sorted(sizes)) if board.mig_slices else ()


@cache
def type_names() -> Mapping[str, VgpuType]:
    """Every spelling of every vgpu type."""
    return facts.vgpu_type_names()


def check_name(findings: Findings, place: str, name: str) -> None:
    """A name must be one that can be printed in a line and told apart by eye."""
    if not is_name(name):
        findings.wrong(place, spell(name), f"wanted {WANTED_NAME}")


def whole(number: Any) -> int | None:
    """A whole number of the file; None where it is absent or could not be read."""
    if type(number) is int:
        return number
    return int(number, 16) if isinstance(number, str) else None


def _int(number: int | str) -> int:
    return int(number, 16) if isinstance(number, str) else number


def _pci_address(text: str) -> str:
    """An address in one spelling: PCI domains are written with none, four or eight digits."""
    *domain, bus, device = text.lower().split(":")
    return f"{int(domain[0], 16) if domain else 0:x}:{bus}:{device}"
