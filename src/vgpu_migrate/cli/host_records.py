"""Metadata records on the command line: read from a host or a file, written as bytes, base64 or JSON."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from vgpu_migrate.cli import catalog_view, host_view
from vgpu_migrate.cli import host_types as rows
from vgpu_migrate.cli.endings import say
from vgpu_migrate.compat import GpuTraits, VgpuTraits, read_gpu_record, read_vgpu_record
from vgpu_migrate.compat.fields import FIELDS, SHOW
from vgpu_migrate.errors import InputError, Problem, RecordError, UnknownNameError
from vgpu_migrate.files import STDIN, atomic_write
from vgpu_migrate.model import GpuId, VmId
from vgpu_migrate.nvml import (
    VIRTUALIZATION_CAP_MIGRATION,
    GuestInfoState,
    PgpuMetadata,
    VgpuMetadata,
)
from vgpu_migrate.vmm.record_files import read_gpu_records, read_vgpu_records

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
    return rows.RecordRow(base64.b64encode(data).decode("ascii"), _seen(data, of_gpu=of_gpu), guest, instance)


def _seen(data: bytes, *, of_gpu: bool) -> dict[str, str]:
    """What the rules see in a record; of a real driver's, what its named fields say."""
    try:
        return spell(read_gpu_record(data) if of_gpu else read_vgpu_record(data))
    except RecordError:
        named = _named_of_gpu(data) if of_gpu else _named_of_vgpu(data)
    return {name: SHOW[FIELDS[name].kind](value) for name, value in named.items() if value is not None}


def _named_of_vgpu(data: bytes) -> dict[str, object]:
    fields = VgpuMetadata.from_fixed_part(data)
    has_reported = fields.guest_info_state is GuestInfoState.INITIALIZED
    return {
        "vgpu.guest_info": has_reported,
        "vgpu.version": fields.guest_vgpu_version if has_reported else None,
        "vgpu.host_driver": fields.host_driver_version,
        "vgpu.migration": bool(fields.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION),
    }


def _named_of_gpu(data: bytes) -> dict[str, object]:
    fields = PgpuMetadata.from_fixed_part(data)
    return {
        "gpu.range_min": fields.host_supported_vgpu_range.minimum,
        "gpu.range_max": fields.host_supported_vgpu_range.maximum,
        "gpu.host_driver": fields.host_driver_version,
        "gpu.migration": bool(fields.virtualization_caps & VIRTUALIZATION_CAP_MIGRATION),
    }


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


def tell(found: Records, *, form: str | None, output: str | None, as_json: bool) -> int:
    """Write the records to a file, or as bytes or base64 to stdout, or show them; gives exit status 0.

    Raises:
        InputError: as `write` and `save`.
        OutsideError: as `save`.
    """
    if output is not None:
        save(found, output, form="json" if as_json else form or "raw")
        say(f"{len(found.data)} record{'s' if len(found.data) != 1 else ''} written to {output}")
        return 0
    if form is not None:
        write(found, form=form)
        return 0
    return catalog_view.tell(answer(found), host_view.show_metadata, as_json=as_json)


def _form(found: Records, form: str) -> bytes:
    if form == "json":
        return msgspec.json.encode(answer(found)) + b"\n"
    return b"".join(found.data) if form == "raw" else to_base64(found.data)


def to_base64(data: Sequence[bytes]) -> bytes:
    """One line for each record."""
    return b"".join(base64.b64encode(one) + b"\n" for one in data)


def read(path: str, *, of_gpu: bool = False) -> tuple[bytes, ...]:
    """The records of a file in any form, all of them a simulated host's.

    Raises:
        InputError: there is no such file, or it holds no records, or others'.
        OutsideError: it cannot be read.
    """
    found = read_any(path, of_gpu=of_gpu)
    source = "standard input" if path == STDIN else path
    for number, one in enumerate(found, start=1):
        try:
            _ = read_gpu_record(one) if of_gpu else read_vgpu_record(one)
        except RecordError as error:
            raise InputError(
                Problem(f"record {number}", str(error), "wanted one of ours"), source=source
            ) from None
    return found


def read_any(path: str, *, of_gpu: bool = False) -> tuple[bytes, ...]:
    """The records of a file in any form, of any driver.

    Raises:
        InputError: there is no such file, or it holds no whole records.
        OutsideError: it cannot be read.
    """
    return read_gpu_records(path) if of_gpu else read_vgpu_records(path)


def is_file(name: str) -> bool:
    """Whether there is something at that path that can be read."""
    return name == STDIN or (Path(name).exists() and not Path(name).is_dir())
