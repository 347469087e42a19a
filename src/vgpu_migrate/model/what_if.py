"""A fleet as it would be: changes by name, applied to the fleet's file form and read as strictly as a file.

A change names a host, a gpu or a VM, one of its keys, and a value: `h03:driver=580.126.08`,
`vm-9:guest_driver=570.172.08`, `h03/0:ecc=false`. What follows from a change is what follows in life:

- another host driver is installed: a preset range or a range in force that the file gave is gone, as after an
  upgrade; VMs keep the versions that they hold;
- another guest driver is loaded, so the guest has been rebooted: its version is negotiated anew where it is;
- a VM that is `off` or `hibernated` is on no gpu.

A host that is taken away takes the VMs on it along.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from vgpu_migrate.errors import InputError, Problem, UnknownNameError, nearest, quoted
from vgpu_migrate.facts.drivers import DRIVER_PATTERN
from vgpu_migrate.model.fleetfile import fleet_to_data, parse_fleet
from vgpu_migrate.model.values import Fleet, HostId, VmId, VmState

SOURCE = "the fleet with these changes"
_CHANGE = re.compile(r"(?P<name>.+):(?P<key>[a-z_]+)=(?P<value>.*)", re.DOTALL)
_NONE = "none"


class Change(NamedTuple):
    """One key of one host, gpu or VM; `value` as it was written."""

    name: str
    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}:{self.key}={self.value}"


def parse_change(text: str) -> Change:
    """A change from `NAME:KEY=VALUE`; the last colon before a key counts, so that names may have some.

    Raises:
        InputError: it has another form.
    """
    found = _CHANGE.fullmatch(text)
    if found is None:
        wanted = "wanted NAME:KEY=VALUE, such as h03:driver=580.126.08"
        raise InputError(Problem("what-if", quoted(text), wanted))
    return Change(found["name"], found["key"], found["value"])


def _text(value: str) -> object:
    return value


def _flag(value: str) -> object:
    return {"true": True, "false": False}.get(value, value)


def _number(value: str) -> object:
    return int(value) if value.isdecimal() and len(value) <= 20 else value


def _words(value: str) -> object:
    return [word.strip() for word in value.split(",")] if value else []


def _numbers(value: str) -> object:
    return [_number(word.strip()) for word in value.split(",")] if value else []


def _range(value: str) -> object:
    low, dash, high = value.partition("-")
    return [_number(low.strip()), _number(high.strip())] if dash else value


_Reader = Callable[[str], object]
HOST_KEYS: Mapping[str, _Reader] = {
    "domain": _text,
    "driver": _text,
    "manager": _flag,
    "preset_range": _range,
    "range": _range,
    "schedulable": _flag,
    "memory_mib": _number,
    "vcpus": _number,
}
GPU_KEYS: Mapping[str, _Reader] = {
    "mode": _text,
    "ecc": _flag,
    "sriov": _flag,
    "vgpu": _flag,
    "migration": _flag,
    "topology": _number,
    "mig": _numbers,
    "types": _words,
}
VM_KEYS: Mapping[str, _Reader] = {
    "state": _text,
    "memory_mib": _number,
    "vcpus": _number,
    "guest_driver": _text,
    "allow": _words,
    "anti_affinity": _words,
    "version": _number,
    "migration": _flag,
}
"""`version` and `migration` are of all its vgpus."""
_MAY_BE_ABSENT = ("preset_range", "range", "memory_mib", "vcpus", "guest_driver", "version", "sriov")
"""Keys for which the word `none` takes the value away."""
_DRIVERS = {
    "driver": "wanted a host driver, such as 580.126.08",
    "guest_driver": "wanted a guest driver, such as 580.126.09, or none",
}
_FIRST = ("driver", "guest_driver", "state")
"""Keys whose change does away with others, and so comes before them."""


def what_if(fleet: Fleet, changes: Sequence[Change], without: Sequence[str] = ()) -> Fleet:
    """The fleet with changes, and without some hosts or VMs; without a revision, so that no plan for it is
    taken for one of the fleet as it is.

    Args:
        fleet: as it is.
        changes: each key of a thing once.
        without: names of hosts and VMs to take away.

    Raises:
        UnknownNameError: nothing has that name.
        InputError: no such key or value, or what would be is no fleet; every problem at once.
    """
    data = fleet_to_data(fleet)
    data.pop("revision", None)
    things = _Things(fleet, data)
    problems: list[Problem] = []
    chosen = []
    for change in changes:
        try:
            chosen.append((change, *things.find(change)))
        except InputError as error:
            problems += error.problems
    seen: set[tuple[str, str]] = set()
    for change, *_ in chosen:
        if (change.name, change.key) in seen:
            problems.append(Problem(f"{change.name}:{change.key}", "changed twice", "wanted it once"))
        seen.add((change.name, change.key))
        if change.key in _DRIVERS and not _is_driver(change):
            problems.append(Problem(str(change), "no driver's number", _DRIVERS[change.key]))
    if problems:
        raise InputError(problems, source=SOURCE)
    lost = _versionless(fleet)
    for change, thing, reader in sorted(chosen, key=lambda one: one[0].key not in _FIRST):
        _apply(thing, change, reader)
        if change.key in ("guest_driver", "version", "state"):
            lost.discard(VmId(change.name))
    _take_away(fleet, data, without)
    return _without_versions(_parsed(data), lost)


def _is_driver(change: Change) -> bool:
    """Whether a value is a driver's number. A file may name a driver that is in no table; who types a change
    has no list to copy from, and a slip would quietly make a driver of which nothing is known.
    """
    is_none = change.value == _NONE and change.key in _MAY_BE_ABSENT
    return is_none or DRIVER_PATTERN.fullmatch(change.value) is not None


class _Things:
    """The mappings of a fleet file's data by name."""

    def __init__(self, fleet: Fleet, data: dict[str, Any]) -> None:
        self._hosts: dict[str, dict[str, Any]] = {host["id"]: host for host in data["hosts"]}
        self._vms: dict[str, dict[str, Any]] = {vm["id"]: vm for vm in data["vms"]}
        self._gpus: dict[str, dict[str, Any]] = {
            gpu.id: self._hosts[host.id]["gpus"][gpu.index]
            for host in fleet.hosts.values()
            for gpu in host.gpus
        }
        self._kinds = (
            ("host", self._hosts, HOST_KEYS),
            ("gpu", self._gpus, GPU_KEYS),
            ("VM", self._vms, VM_KEYS),
        )

    def find(self, change: Change) -> tuple[dict[str, Any], _Reader]:
        """The thing that a change is about, and how its value is read.

        Raises:
            InputError: nothing has that name, or no thing of that name has such a key.
        """
        named = [kind for kind in self._kinds if change.name in kind[1]]
        if not named:
            every = [name for _, things, _ in self._kinds for name in things]
            raise UnknownNameError("host, gpu or VM", change.name, every, place=str(change))
        found = [kind for kind in named if change.key in kind[2]]
        if not found:
            keys = list(dict.fromkeys(key for _, _, readers in named for key in readers))
            close = nearest(change.key, keys)
            wanted = f"did you mean {' or '.join(close)}?" if close else f"wanted one of {', '.join(keys)}"
            what = " and ".join(kind for kind, _, _ in named)
            seen = f"{what} {change.name} has no key {change.key} to change"
            raise InputError(Problem(str(change), seen, wanted))
        if len(found) > 1:
            what = " and ".join(f"a {kind}" for kind, _, _ in found)
            raise InputError(Problem(str(change), f"{change.name} is {what}", "wanted names of their own"))
        _, things, readers = found[0]
        return things[change.name], readers[change.key]


def _apply(thing: dict[str, Any], change: Change, reader: _Reader) -> None:
    key = change.key
    holders = thing["vgpus"] if "vgpus" in thing and key in ("version", "migration") else [thing]
    for holder in holders:
        if change.value == _NONE and key in _MAY_BE_ABSENT:
            holder.pop(key, None)
        else:
            holder[key] = reader(change.value)
    if key == "driver":
        thing.pop("preset_range", None)
        thing.pop("range", None)
    elif key == "guest_driver":
        for vgpu in thing["vgpus"]:
            vgpu.pop("version", None)
            vgpu.pop("record", None)
    elif key == "state" and change.value in (VmState.OFF, VmState.HIBERNATED):
        is_off = change.value == VmState.OFF
        if is_off:
            thing.pop("host", None)
        for vgpu in thing["vgpus"]:
            for name in ("gpu", "placement", *(("version",) if is_off else ())):
                vgpu.pop(name, None)


_ITEM = re.compile(r"(?P<list>hosts|vms)\[(?P<at>\d+)\]")


def _parsed(data: dict[str, Any]) -> Fleet:
    """The fleet of changed data; what is wrong is told by name, since nobody sees the data."""
    try:
        return parse_fleet(data, source=SOURCE)
    except InputError as error:

        def named(found: re.Match[str]) -> str:
            return str(data[found["list"]][int(found["at"])]["id"])

        problems = [
            Problem(_ITEM.sub(named, one.place), one.seen, _ITEM.sub(named, one.wanted))
            for one in error.problems
        ]
        raise InputError(problems, source=SOURCE) from None


def _take_away(fleet: Fleet, data: dict[str, Any], without: Sequence[str]) -> None:
    for name in without:
        if name not in fleet.hosts and name not in fleet.vms:
            raise UnknownNameError("host or VM", name, [*fleet.hosts, *fleet.vms])
        if name in fleet.hosts and name in fleet.vms:
            raise InputError(Problem(name, "a host and a VM have this name", "wanted names of their own"))
    gone = set(without)
    data["hosts"] = [host for host in data["hosts"] if host["id"] not in gone]
    data["vms"] = [vm for vm in data["vms"] if vm["id"] not in gone and vm.get("host") not in gone]


def _versionless(fleet: Fleet) -> set[VmId]:
    """VMs without a version: where negotiation would give one, a fleet file cannot say so."""
    return {vm.id for vm in fleet.vms.values() if all(vgpu.vgpu_version is None for vgpu in vm.vgpus)}


def _without_versions(fleet: Fleet, lost: Iterable[VmId]) -> Fleet:
    vms = dict(fleet.vms)
    for vm_id in lost:
        vm = vms.get(vm_id)
        if vm is not None:
            vms[vm_id] = replace(vm, vgpus=tuple([replace(vgpu, vgpu_version=None) for vgpu in vm.vgpus]))
    return Fleet(None, fleet.settings, fleet.domain_settings, fleet.hosts, vms)


def gone_with(fleet: Fleet, without: Sequence[str]) -> Mapping[VmId, HostId | None]:
    """The VMs that are taken away, each with the host that takes it along, or None for one named itself."""
    gone = set(without)
    found: dict[VmId, HostId | None] = {}
    for vm in fleet.vms.values():
        if vm.id in gone:
            found[vm.id] = None
        elif vm.host in gone:
            found[vm.id] = vm.host
    return found
