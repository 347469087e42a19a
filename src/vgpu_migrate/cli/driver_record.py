"""`host record`: this machine's real driver as a fleet file, and its records as they are."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

import yaml

from vgpu_migrate import facts
from vgpu_migrate.cli.driver_open import Placed, ask, placed
from vgpu_migrate.cli.endings import say
from vgpu_migrate.compat import read_gpu_record
from vgpu_migrate.errors import InputError, OutsideError, Problem, RecordError
from vgpu_migrate.files import atomic_write
from vgpu_migrate.hosts.driver import DriverGpu, DriverHost
from vgpu_migrate.hosts.driver_prediction import board_of, known_type
from vgpu_migrate.model.fleet_records import INDEX_NAME, GpuFile, VgpuFile, write_index
from vgpu_migrate.model.fleetfile import parse_fleet_bytes
from vgpu_migrate.nvml import (
    VIRTUALIZATION_CAP_MIGRATION,
    GuestInfoState,
    PgpuMetadata,
    VersionRange,
    VgpuMetadata,
)


class RawRecords:
    """The records that were read, as files, and whose each one is."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._gpus: list[GpuFile] = []
        self._vgpus: list[VgpuFile] = []

    def add_gpu(self, gpu: DriverGpu, record: bytes) -> None:
        """The record of a gpu."""
        name = f"gpu-{gpu.number}.record"
        self.files[name] = record
        self._gpus.append(GpuFile(gpu.id, name))

    def add_vgpu(self, instance: int, record: bytes, *, vm: str, position: int) -> None:
        """The record of the vgpu in that place of its VM's list, from 0."""
        name = f"vgpu-{instance}.record"
        self.files[name] = record
        self._vgpus.append(VgpuFile(vm, position, name))

    def index(self) -> bytes:
        """The file that says whose each record is."""
        return write_index(self._gpus, self._vgpus)


def record(*, output: str | None, directory: str | None, memory_mib: int | None) -> int:
    """Write the fleet file, to stdout without `output`, and the raw records; gives the exit status.

    Raises:
        InputError: the directory is there already.
        OutsideError: there is no vGPU here, the host cannot be said in a fleet file, or the disk failed.
    """

    def act(host: DriverHost) -> int:
        raw = RawRecords()
        data = fleet_data(host, raw, memory_mib=memory_mib)
        if data["vms"] and memory_mib is None:
            seen = f"missing; the driver does not know it, and there are {len(data['vms'])} VMs"
            raise InputError(Problem("--vm-memory", seen, "wanted the MiB of each"))
        # What could not be read again is not written: the source then names what is wrong.
        parse_fleet_bytes(json.dumps(data).encode(), source="this host", format="json")
        if directory is not None:
            _save(Path(directory), raw)
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
        if output is None:
            sys.stdout.write(text)
        else:
            atomic_write(output, text.encode())
            say(f"fleet file written to {output}")
        return 0

    return ask(act, as_json=False)


def fleet_data(host: DriverHost, raw: RawRecords, *, memory_mib: int | None) -> dict[str, Any]:
    """The host as the data of a fleet file; the records that were read for it are put into `raw`.

    Raises:
        OutsideError: the tables do not know a gpu's board, or a vgpu's type.
    """
    there = list(placed(host))
    preset, in_force = host.vgpu_versions()
    found: dict[str, Any] = {"id": socket.gethostname(), "driver": host.driver_version()}
    if any(one.vgpu.vm.isdecimal() for one in there):
        found["hypervisor"] = "xen"
    found["preset_range"] = _range(preset)
    if in_force != preset:
        found["range"] = _range(in_force)
    found["gpus"] = [_gpu(host, gpu, raw) for gpu in host.describe()]
    vms: dict[str, dict[str, Any]] = {}
    for one in there:
        _add_vgpu(host, one, vms, raw, memory_mib=memory_mib)
    shown = _mig_shown(there)
    for gpu in found["gpus"]:
        if gpu["id"] in shown and "mig" not in gpu:
            gpu["mig"] = shown[gpu["id"]]
    mixed = {vgpu["gpu"] for vm in vms.values() for vgpu in vm["vgpus"] if "placement" in vgpu}
    for gpu in found["gpus"]:
        if gpu["id"] in mixed:
            gpu["mode"] = "mixed"
        elif len({one.vgpu.type for one in there if one.gpu.id == gpu["id"]}) > 1 and not gpu.get("mig"):
            raise OutsideError(
                f"{gpu['id']} has vgpus of several types, and driver {found['driver']} does not tell their "
                "placement, without which no fleet file can say it"
            )
    return {"fleetfile_version": 1, "hosts": [found], "vms": list(vms.values())}


def _gpu(host: DriverHost, gpu: DriverGpu, raw: RawRecords) -> dict[str, Any]:
    board = board_of(gpu)
    if board is None:
        raise OutsideError(f"{gpu.id}: the tables know no board of {gpu.name}; no fleet file can say it")
    data: dict[str, Any] = {"id": gpu.id, "board": board}
    if gpu.pci is not None:
        data["pci"] = gpu.pci
    if gpu.ecc is not None:
        data["ecc"] = gpu.ecc
    if not gpu.is_vgpu_host:
        return data | {"vgpu": False}
    said = host.gpu_metadata(gpu.id)
    raw.add_gpu(gpu, said)
    if not PgpuMetadata.from_fixed_part(said).virtualization_caps & VIRTUALIZATION_CAP_MIGRATION:
        data["migration"] = False
    with contextlib.suppress(RecordError):
        # The simulated manager's records tell the layout; a real driver's do not.
        data["mig"] = list(read_gpu_record(said).mig)
    types = [known_type(name) for name in gpu.types]
    if types and None not in types:
        data["types"] = types
    return data


def _mig_shown(there: list[Placed]) -> dict[str, list[int]]:
    """The GPU instances that vgpus of MIG-backed types are on, one for each, by gpu: their slices."""
    shown: dict[str, list[int]] = {}
    for vgpu, gpu in there:
        vgpu_type = facts.vgpu_type(vgpu.type) if known_type(vgpu.type) is not None else None
        if vgpu_type is not None and vgpu_type.gi_slices:
            shown.setdefault(gpu.id, []).append(vgpu_type.gi_slices)
    return shown


def _add_vgpu(
    host: DriverHost,
    one: Placed,
    vms: dict[str, dict[str, Any]],
    raw: RawRecords,
    *,
    memory_mib: int | None,
) -> None:
    """Add a vgpu to its VM, which is made where it is the first."""
    vgpu = one.vgpu
    if known_type(vgpu.type) is None:
        raise OutsideError(f"vgpu {vgpu.instance}: the tables do not know its type {vgpu.type}")
    record = host.instance_metadata(vgpu.instance)
    fields = VgpuMetadata.from_fixed_part(record)
    vm = vms.get(vgpu.vm)
    if vm is None:
        vm = vms[vgpu.vm] = {
            "id": vgpu.vm,
            "host": socket.gethostname(),
            "state": "running",
            "memory_mib": memory_mib,
            "vgpus": [],
        }
        if _is_uuid(vgpu.vm):
            vm["uuid"] = vgpu.vm
    data: dict[str, Any] = {"type": vgpu.type, "gpu": one.gpu.id}
    placement = host.placement(vgpu.instance)
    if placement is not None:
        data["placement"] = placement
    if fields.guest_info_state is GuestInfoState.INITIALIZED:
        vm["guest_driver"] = fields.guest_driver_version
        data["version"] = f"{fields.guest_vgpu_version:#x}"
    if not fields.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION:
        data["migration"] = False
    raw.add_vgpu(vgpu.instance, record, vm=vgpu.vm, position=len(vm["vgpus"]))
    vm["vgpus"].append(data)


def _save(directory: Path, raw: RawRecords) -> None:
    """Make the directory, for its owner only, and in it a file for each record and their index."""
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        problem = Problem("--records", f"{directory} is there already", "wanted a new directory")
        raise InputError(problem) from None
    except OSError as error:
        raise OutsideError(f"{directory}: {error.strerror}") from None
    for name, record in {**raw.files, INDEX_NAME: raw.index()}.items():
        atomic_write(directory / name, record)
    say(f"{len(raw.files)} records written to {directory}")


def _range(bounds: VersionRange) -> list[str]:
    return [f"{bounds.minimum:#x}", f"{bounds.maximum:#x}"]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
