"""The raw records of a fleet's vgpus and gpus, and the index that says in a directory whose each one is.

The index is `records.json` beside the records. It names VMs and gpus by their ids in the fleet file, a
vgpu by its VM and its place in the VM's list, counted from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model.fleet_json import read_json
from vgpu_migrate.model.strict import problems_of
from vgpu_migrate.model.values import Fleet, GpuId, VmId

INDEX_NAME = "records.json"
INDEX_VERSION: Final = 1

_FileName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}(?!\n)$",
        extra={"wanted": "the name of a file beside this one"},
    ),
]


class FleetRecords(NamedTuple):
    """Records as their driver gave them: of vgpus by VM and place in its list, and of gpus."""

    vgpus: Mapping[VmId, Mapping[int, bytes]]
    gpus: Mapping[GpuId, bytes]

    def over(self, other: FleetRecords) -> FleetRecords:
        """These, and of what is missing the other's; a VM's records are never mixed of both."""
        return FleetRecords({**other.vgpus, **self.vgpus}, {**other.gpus, **self.gpus})


class VgpuFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file with the record of a vgpu."""

    vm: str
    position: Annotated[int, Meta(ge=0, le=255)]
    file: _FileName


class GpuFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file with the record of a gpu."""

    gpu: str
    file: _FileName


class RecordIndex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lies in a directory of records."""

    records_version: Annotated[Literal[1], Meta(extra={"wanted": "1"})]
    gpus: tuple[GpuFile, ...]
    vgpus: tuple[VgpuFile, ...]


def saved_in(fleet: Fleet) -> FleetRecords:
    """The saved records that stand in the fleet file itself, of VMs that have one for each vgpu."""
    vgpus: dict[VmId, dict[int, bytes]] = {}
    for vm in fleet.vms.values():
        there = {place: one.record for place, one in enumerate(vm.vgpus) if one.record is not None}
        if len(there) == len(vm.vgpus):
            vgpus[vm.id] = there
    return FleetRecords(vgpus, {})


def write_index(gpus: Iterable[GpuFile], vgpus: Iterable[VgpuFile]) -> bytes:
    """The index as JSON."""
    index = RecordIndex(INDEX_VERSION, tuple(gpus), tuple(vgpus))
    return msgspec.json.format(msgspec.json.encode(index), indent=1) + b"\n"


def parse_index(data: bytes, *, source: str) -> RecordIndex:
    """Read an index; `source` names it in messages.

    Raises:
        InputError: it is none; every problem is listed, in order of place.
    """
    problems: list[Problem] = []
    try:
        loaded = read_json(data, problems)
    except InputError as error:
        raise InputError(error.problems, source=source) from None
    problems += problems_of(loaded, RecordIndex)
    if problems:
        raise InputError(problems, source=source)
    return msgspec.convert(loaded, RecordIndex)
