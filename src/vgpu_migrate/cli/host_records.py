"""Metadata records on the command line: read from a host or a file, written as bytes, base64 or JSON."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from vgpu_migrate.cli import host_types as rows
from vgpu_migrate.compat import GpuTraits, VgpuTraits, read_gpu_record, read_vgpu_record
from vgpu_migrate.compat.fields import FIELDS, SHOW
from vgpu_migrate.errors import InputError, Problem, RecordError, UnknownNameError
from vgpu_migrate.files import STDIN, atomic_write, read_bytes
from vgpu_migrate.model import GpuId, VmId
from vgpu_migrate.nvml import VgpuMetadata
from vgpu_migrate.nvml.layout import PGPU_METADATA, VGPU_METADATA

if TYPE_CHECKING:
    from vgpu_migrate.hosts.live import LiveHost
    from vgpu_migrate.hosts.live_view import HostView


class Records(NamedTuple):
    """The records of a VM's vgpus, in order, or the one of a gpu; `instances` of those that are there now."""

    name: str
    of_gpu: bool
    data: tuple[bytes, ...]
    instances: tuple[int | None, ...]


def of_thing(live: LiveHost, name: str) -> Records:
    """The records of a VM, of a gpu, or of one vgpu by its instance number or UUID.

    Raises:
        UnknownNameError: the host has nothing of that name.
        RefusedError: the VM never had vgpus there, or they are only expected.
    """
    found = find(live, live.show(), name)
    if found is None:
        raise UnknownNameError("VM or gpu", name, names(live.show()))
    return found


def find(live: LiveHost, view: HostView, name: str) -> Records | None:
    """As `of_thing`, None where the host has nothing of that name."""
    for vm in view.vms:
        if vm.id == name:
            data = live.saved_records(VmId(name))
            there = [vgpu.instance for vgpu in vm.vgpus]
            return Records(name, False, data, tuple(there or [None] * len(data)))
        for vgpu in vm.vgpus:
            if name in (str(vgpu.instance), vgpu.uuid):
                return Records(vm.id, False, (live.instance_metadata(vgpu.instance),), (vgpu.instance,))
    if any(gpu.id == name for gpu in view.gpus):
        return Records(name, True, (live.gpu_metadata(GpuId(name)),), (None,))
    return None


def names(view: HostView) -> list[str]:
    """What there are records of."""
    return [*(vm.id for vm in view.vms), *(gpu.id for gpu in view.gpus)]


def answer(found: Records) -> rows.MetadataAnswer:
    """The answer of `host metadata --json`."""
    made = [
        _row(data, instance, of_gpu=found.of_gpu)
        for data, instance in zip(found.data, found.instances, strict=True)
    ]
    if found.of_gpu:
        return rows.MetadataAnswer(made, gpu=found.name)
    return rows.MetadataAnswer(made, vm=found.name)


def _row(data: bytes, instance: int | None, *, of_gpu: bool) -> rows.RecordRow:
    guest = None if of_gpu else VgpuMetadata.from_fixed_part(data).guest_driver_version or None
    traits = read_gpu_record(data) if of_gpu else read_vgpu_record(data)
    return rows.RecordRow(base64.b64encode(data).decode("ascii"), spell(traits), guest, instance)


def spell(traits: VgpuTraits | GpuTraits) -> dict[str, str]:
    """Every field that the rules see, spelled as in evidence; those that are not known are left out."""
    side = "gpu" if isinstance(traits, GpuTraits) else "vgpu"
    return {
        name: SHOW[field.kind](value)
        for name, field in FIELDS.items()
        if field.side == side and (value := getattr(traits, field.name)) is not None
    }


def write(found: Records, *, form: str) -> None:
    """Write the records to stdout.

    Raises:
        InputError: they are bytes, and stdout is a terminal.
    """
    if form == "raw" and sys.stdout.isatty():
        raise InputError(Problem("--raw", "standard output is a terminal", "wanted -o FILE, or a pipe"))
    sys.stdout.flush()
    sys.stdout.buffer.write(_form(found, form))


def save(found: Records, path: str, *, form: str) -> None:
    """Write the records to a file, whole or not at all.

    Raises:
        InputError: its directory does not exist, or it is one.
        OutsideError: it cannot be written.
    """
    atomic_write(path, _form(found, form))


def _form(found: Records, form: str) -> bytes:
    if form == "json":
        return msgspec.json.encode(answer(found)) + b"\n"
    return b"".join(found.data) if form == "raw" else to_base64(found.data)


def to_base64(data: Sequence[bytes]) -> bytes:
    """One line for each record."""
    return b"".join(base64.b64encode(one) + b"\n" for one in data)


def read(path: str, *, of_gpu: bool = False) -> tuple[bytes, ...]:
    """The records of a file: as bytes behind each other, base64 lines, or what `host metadata --json` says.

    Raises:
        InputError: there is no such file, or it is none of the three.
        OutsideError: it cannot be read.
    """
    layout = PGPU_METADATA if of_gpu else VGPU_METADATA
    what = "a gpu's" if of_gpu else "a vgpu's"
    data = read_bytes(path, what=f"{what} metadata record")
    source = "standard input" if path == STDIN else path
    found = _decode(data, layout.size)
    if found is None:
        seen = f"{len(data)} bytes that are no records"
        wanted = f"wanted {what} records: {layout.size} bytes each, base64 lines, or JSON of `host metadata`"
        raise InputError(Problem(source, seen, wanted), source=source)
    for number, one in enumerate(found, start=1):
        try:
            _ = read_gpu_record(one) if of_gpu else read_vgpu_record(one)
        except RecordError as error:
            raise InputError(
                Problem(f"record {number}", str(error), "wanted one of ours"), source=source
            ) from None
    return found


def _decode(data: bytes, size: int) -> tuple[bytes, ...] | None:
    text = data.strip()
    if text.startswith(b"{"):
        return _from_json(text)
    if text and all(len(line) % 4 == 0 for line in text.split()):
        try:
            return tuple(base64.b64decode(line, validate=True) for line in text.split())
        except binascii.Error:
            pass
    if data and len(data) % size == 0:
        return tuple(data[at : at + size] for at in range(0, len(data), size))
    return None


def _from_json(text: bytes) -> tuple[bytes, ...] | None:
    try:
        found = json.loads(text)["records"]
        return tuple(base64.b64decode(row["record"], validate=True) for row in found)
    except (ValueError, TypeError, KeyError):
        return None


def is_file(name: str) -> bool:
    """Whether there is something at that path that can be read."""
    return name == STDIN or (Path(name).exists() and not Path(name).is_dir())
