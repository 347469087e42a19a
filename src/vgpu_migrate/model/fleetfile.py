"""The fleet file, version 1, read: bytes or decoded data to a Fleet, or every problem at once.

    parse_fleet_bytes   JSON or YAML -> data          fleet_json, yaml12
    parse_fleet         data -> its form              fleet_schema; what is wrong: fleet_report
                        form -> values, and rules     fleet_hosts, fleet_vms, fleet_capacity

Nothing here touches a disk; `vgpu_migrate.fleetio` does.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model import fleet_schema as wire
from vgpu_migrate.model.fleet_capacity import check_capacity
from vgpu_migrate.model.fleet_findings import Findings
from vgpu_migrate.model.fleet_hosts import HostReader, check_name, whole
from vgpu_migrate.model.fleet_json import decode_if_right, not_utf8, read_json
from vgpu_migrate.model.fleet_report import BROKEN, child, salvage, spell
from vgpu_migrate.model.fleet_schema import fleet_schema
from vgpu_migrate.model.fleet_vms import VmReader
from vgpu_migrate.model.fleet_write import fleet_to_data
from vgpu_migrate.model.values import Fleet, Settings

__all__ = ["fleet_schema", "fleet_to_data", "parse_fleet", "parse_fleet_bytes"]

FileFormat = Literal["json", "yaml"]
_BOM = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def parse_fleet(data: object, *, source: str) -> Fleet:
    """A fleet from data as a JSON or YAML reader gives them.

    Args:
        data: dictionaries, lists, texts, numbers, booleans and None.
        source: where they came from, for messages.

    Raises:
        InputError: with every problem, in order of place.
    """
    with _without_collection():
        return _from_data(data, (), source)


def parse_fleet_bytes(data: bytes, *, source: str, format: FileFormat | None = None) -> Fleet:
    """A fleet from the bytes of a fleet file.

    Args:
        data: UTF-8, with or without a byte order mark.
        source: where they came from, for messages.
        format: None decides by content: JSON begins with a brace or bracket.

    Raises:
        InputError: with every problem, in order of place.
    """
    data = data.removeprefix(_BOM)
    start = data[:4096].lstrip()[:2] if data[:4096].strip() else data.lstrip()[:2]
    if data.startswith(_UTF16_MARKS):
        raise InputError(Problem("the file", "UTF-16", "wanted text in UTF-8"), source=source)
    if not start:
        raise InputError(Problem("the file", "empty", "wanted a fleet file"), source=source)
    with _without_collection():
        if format == "json" or (format is None and start[:1] in (b"{", b"[")):
            return _from_json(data, source)
        return _from_yaml(data, source)


def _from_json(data: bytes, source: str) -> Fleet:
    form = decode_if_right(data)
    if form is not None:
        return _from_form(form, Findings(), source)
    problems: list[Problem] = []
    try:
        value = read_json(data, problems)
    except InputError as error:
        raise InputError(error.problems, source=source) from None
    return _from_data(value, problems, source)


def _from_yaml(data: bytes, source: str) -> Fleet:
    # Imported here: a fleet in JSON needs no YAML, and a command should not pay for it.
    from vgpu_migrate.model.yaml12 import read_yaml

    problems: list[Problem] = []
    try:
        data.decode()
        value = read_yaml(data, msgspec.inspect.type_info(wire.Fleet), problems)
    except UnicodeDecodeError as error:
        raise InputError(not_utf8(data, error).problems, source=source) from None
    except InputError as error:
        raise InputError(error.problems, source=source) from None
    return _from_data(value, problems, source)


def _from_data(data: object, problems: Iterable[Problem], source: str) -> Fleet:
    if not isinstance(data, Mapping):
        wanted = "wanted a mapping with fleetfile_version, hosts and vms"
        raise InputError(Problem("the file", spell(data), wanted), source=source)
    version = data.get("fleetfile_version", 1)
    if type(version) not in (int, str) or version not in (1, "0x1"):
        wanted = "wanted 1, the only version that this program reads"
        raise InputError(Problem("fleetfile_version", spell(version), wanted), source=source)
    try:
        form = msgspec.convert(data, wire.Fleet)
    except (msgspec.ValidationError, ValueError, TypeError, OverflowError, RecursionError):
        found = salvage(data, wire.Fleet)
        return _from_form(found.value, Findings([*problems, *found.problems], found.unsure), source)
    return _from_form(form, Findings(problems), source)


def _from_form(form: wire.Fleet, findings: Findings, source: str) -> Fleet:
    settings = _settings(form.settings)
    hosts = HostReader(findings)
    hosts.read_all(form.hosts)
    vms = VmReader(findings, hosts)
    vms.read_all(form.vms)
    check_capacity(findings, hosts, vms)
    domains = {} if form.domains is UNSET else form.domains
    for name in domains:
        check_name(findings, child("domains", name), name)
    if findings.problems:
        raise InputError(findings.in_order(), source=source)
    return Fleet(
        revision=whole(form.revision),
        settings=settings,
        domain_settings={name: _overridden(settings, domain) for name, domain in domains.items()},
        hosts=hosts.hosts,
        vms=vms.vms,
    )


def _settings(given: Any) -> Settings:
    if given is UNSET or given is BROKEN:
        return Settings()
    settings = _overridden(Settings(), given)
    most = whole(given.migrations_per_fleet)
    return settings if most is None else msgspec.structs.replace(settings, migrations_per_fleet=most)


def _overridden(settings: Settings, given: wire.DomainSettings) -> Settings:
    """Settings with those that are given in place of theirs."""
    per_host = whole(given.migrations_per_host)
    changes: dict[str, Any] = {
        "profile": given.profile,
        "migrations_per_host": UNSET if per_host is None else per_host,
        "bandwidth_gbit_s": given.bandwidth_gbit_s,
        "overhead_s": given.overhead_s,
        "upgrade_s": given.upgrade_s,
    }
    kept = {name: value for name, value in changes.items() if value is not UNSET}
    return msgspec.structs.replace(settings, **kept)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Hold back the cyclic garbage collector: so many values are made, and none is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
