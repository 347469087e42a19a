"""The saved records of a guest's vgpus, as an element in its libvirt domain's `<metadata>`.

    <vgpus xmlns="urn:vgpu-migrate:domain:1" version="1" host="h1" state="running"
           taken="2026-11-23T17:30:00Z" boot="2026-11-23T09:12:44Z"
           last-boot="2026-11-23T09:12:44Z" count="1" sha256="…">
      <vgpu device="mdev:b1ae…" type="L40S-12Q" guest-info="initialized">…base64…</vgpu>
    </vgpus>

`boot` is when the boot began in which the records were taken, `last-boot` when the guest's last one did, as
far as is known: where they differ the records are stale. The checksum is over all that the element says. Its
prefix does not matter, libvirt changes it. XenServer's form, the text ``{"nvidia": "base64"}`` or an array of
such, is read in the element's place for its content; it has no date and no checksum.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from vgpu_migrate.errors import InputError, Problem, RecordError, quoted
from vgpu_migrate.nvml import GuestInfoState, States, VgpuMetadata
from vgpu_migrate.vmm.domain_xml import Change, Element

NAMESPACE = "urn:vgpu-migrate:domain:1"
NAME = "vgpus"
VERSION = 1
MOST_VGPUS = 64
LARGEST_RECORD = 64 << 10

_DEVICE = re.compile(r"mdev:[0-9a-f-]{36}|pci:[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_GUEST_INFO = {GuestInfoState.UNINITIALIZED: "uninitialized", GuestInfoState.INITIALIZED: "initialized"}


class GuestState(StrEnum):
    """What the guest did when its records were taken."""

    RUNNING = "running"
    PAUSED = "paused"
    SLEEPING = "sleeping"

    @property
    def needs(self) -> States:
        """The state in which a verdict must allow it: LIVE, for a sleeping guest SLEEP."""
        return States.SLEEP if self is GuestState.SLEEPING else States.LIVE


@dataclass(frozen=True, slots=True)
class SavedVgpu:
    """One vgpu: its raw record, and where known its type's short name and the device (`HostDevice.id`)."""

    record: bytes
    type: str = ""
    device: str = ""

    @property
    def guest_info(self) -> GuestInfoState:
        """Whether the guest driver had reported."""
        return VgpuMetadata.from_fixed_part(self.record).guest_info_state


@dataclass(frozen=True, slots=True)
class SavedRecords:
    """The records of a guest's vgpus, in order.

    Times are UTC, to the second; all three are None in XenServer's form, which knows none. `host` is where
    they were taken, "" where it is not known.
    """

    vgpus: tuple[SavedVgpu, ...]
    taken: datetime | None
    boot: datetime | None
    last_boot: datetime | None
    state: GuestState = GuestState.RUNNING
    host: str = ""


class Trouble(StrEnum):
    """Why there are no records to go by."""

    ABSENT = "absent"
    DAMAGED = "damaged"
    STALE = "stale"
    OTHER_VERSION = "other-version"


@dataclass(frozen=True, slots=True)
class NoRecords:
    """That there are no records to go by, and why, in words."""

    trouble: Trouble
    reason: str


class _Damage(Exception):  # noqa: N818 (it never leaves this module)
    """What is wrong in the element."""


def write_element(records: SavedRecords, *, declares_namespace: bool = True) -> bytes:
    """The element, without a prefix.

    Args:
        records: what it says.
        declares_namespace: not where libvirt is to add that with a prefix of its own.

    Raises:
        InputError: a value that no element can hold, or a form that is not ours.
        RecordError: a record is none.
    """
    _check(records)
    vgpus = [
        f"<vgpu device={_quote(vgpu.device)} type={_quote(vgpu.type)} "
        f'guest-info="{_GUEST_INFO[vgpu.guest_info]}">{_base64(vgpu.record)}</vgpu>'
        for vgpu in records.vgpus
    ]
    facts = (
        f'version="{VERSION}" host={_quote(records.host)} state="{records.state}" '
        f'taken="{spell_time(records.taken)}" '
        f'boot="{spell_time(records.boot)}" last-boot="{spell_time(records.last_boot)}" count="{len(vgpus)}" '
        f'sha256="{checksum(records)}"'
    )
    namespace = f'xmlns="{NAMESPACE}" ' if declares_namespace else ""
    return f"<{NAME} {namespace}{facts}>{''.join(vgpus)}</{NAME}>".encode()


def _check(records: SavedRecords) -> None:
    def wrong(place: str, seen: str, wanted: str) -> InputError:
        return InputError(Problem(f"saved records: {place}", seen, wanted))

    if records.taken is None or records.boot is None or records.last_boot is None:
        raise wrong(
            "times", "none", "wanted when they were taken, the boot they were taken in, the last boot"
        )
    for name, when in (("taken", records.taken), ("boot", records.boot), ("last boot", records.last_boot)):
        if when.tzinfo is not UTC or when.microsecond:
            raise wrong(name, str(when), "wanted UTC, to the second")
    if records.taken < records.boot:
        raise wrong("taken", f"before the boot ({spell_time(records.boot)})", "wanted a time in it")
    if not 1 <= len(records.vgpus) <= MOST_VGPUS:
        raise wrong("vgpus", str(len(records.vgpus)), f"wanted 1 to {MOST_VGPUS}")
    for vgpu in records.vgpus:
        # Whole: a library would read as much as a record announces.
        VgpuMetadata.from_bytes(vgpu.record)
        if len(vgpu.record) > LARGEST_RECORD:
            raise wrong("record", f"{len(vgpu.record)} bytes", f"wanted at most {LARGEST_RECORD}")
        if vgpu.device and not _DEVICE.fullmatch(vgpu.device):
            raise wrong("device", quoted(vgpu.device), "wanted mdev:UUID or pci:0000:3b:00.4")
    for text in (records.host, *(vgpu.type for vgpu in records.vgpus)):
        if not text.isprintable() or len(text) > 255:
            raise wrong("name", quoted(text[:80]), "wanted printable text of at most 255 characters")


def records_in(domain: Element, *, booted: datetime | None = None) -> SavedRecords | NoRecords:
    """The saved records that a domain carries.

    Args:
        domain: the domain's root.
        booted: when the guest last booted, where the caller knows better than the element.
    """
    found = written_in(domain)
    return found if isinstance(found, NoRecords) else fresh_enough(found, booted=booted)


def written_in(domain: Element) -> SavedRecords | NoRecords:
    """As `records_in`, but stale ones too."""
    found = element_in(domain)
    if len(found) != 1:
        if not found:
            return NoRecords(Trouble.ABSENT, "the guest carries no saved record")
        return NoRecords(Trouble.DAMAGED, f"{len(found)} elements of {NAMESPACE}, wanted one")
    try:
        return _read(found[0])
    except _Damage as damage:
        return NoRecords(Trouble.DAMAGED, f"its saved record is damaged: {damage}")
    except RecordError as error:
        return NoRecords(Trouble.DAMAGED, f"its saved record is damaged: {error}")


def element_in(domain: Element) -> list[Element]:
    """Every element of ours in the domain's metadata."""
    return [
        child
        for metadata in domain.named("metadata")
        for child in metadata.children
        if child.namespace.startswith("urn:vgpu-migrate:domain:")
    ]


def _read(element: Element) -> SavedRecords | NoRecords:
    version = element.attributes.get("version")
    if not element.children and "{" in element.text:
        return _read_xenserver(element.text)
    if element.namespace != NAMESPACE or version != str(VERSION):
        said = "without a version" if version is None else f"version {version}"
        seen = quoted(f"{element.namespace} {said}"[:120])
        wanted = f"this program reads {NAMESPACE} version {VERSION}"
        return NoRecords(Trouble.OTHER_VERSION, f"its saved record is of {seen}; {wanted}")
    if element.name != NAME:
        raise _Damage(f"<{element.name[:80]}>, wanted <{NAME}>")
    return _read_ours(element)


def fresh_enough(records: SavedRecords, *, booted: datetime | None = None) -> SavedRecords | NoRecords:
    """The records, unless they are of an earlier boot than the guest's last.

    Args:
        records: as they are written; of XenServer's form nothing is known.
        booted: when the guest last booted, where the caller knows better than the element.
    """
    if records.taken is None:
        return records
    if records.last_boot is not None and booted is not None:
        booted = max(booted, records.last_boot)
    latest = booted or records.last_boot
    if latest != records.boot:
        said = f"taken {spell_time(records.taken)}, in the boot of {spell_time(records.boot)}"
        return NoRecords(
            Trouble.STALE, f"its saved record is stale: {said}; the guest booted at {spell_time(latest)}"
        )
    return records


def _read_ours(element: Element) -> SavedRecords:
    facts = element.attributes
    if element.text.strip() or any(child.name != "vgpu" for child in element.children):
        raise _Damage("more than <vgpu> in it")
    if facts.get("count") != str(len(element.children)):
        raise _Damage(f"{len(element.children)} vgpus, its count says {quoted(facts.get('count', '')[:20])}")
    if not 1 <= len(element.children) <= MOST_VGPUS:
        raise _Damage(f"{len(element.children)} vgpus, wanted 1 to {MOST_VGPUS}")
    try:
        state = GuestState(facts.get("state", ""))
    except ValueError:
        raise _Damage(f"state {quoted(facts.get('state', '')[:20])}") from None
    records = SavedRecords(
        tuple(_read_vgpu(child) for child in element.children),
        _time(facts, "taken"),
        _time(facts, "boot"),
        _time(facts, "last-boot"),
        state,
        facts.get("host", ""),
    )
    if facts.get("sha256") != checksum(records):
        raise _Damage("its checksum does not fit")
    try:
        _check(records)
    except InputError as error:
        raise _Damage(str(error)) from None
    return records


def _read_vgpu(element: Element) -> SavedVgpu:
    vgpu = SavedVgpu(
        _record(element.text.strip()),
        element.attributes.get("type", ""),
        element.attributes.get("device", ""),
    )
    said, seen = element.attributes.get("guest-info"), _GUEST_INFO[vgpu.guest_info]
    if said != seen:
        raise _Damage(f"guest-info {quoted(str(said)[:20])}, its record says {seen}")
    return vgpu


def _read_xenserver(text: str) -> SavedRecords:
    try:
        vgpus = xenserver_records(text)
    except InputError as error:
        raise _Damage(str(error)) from None
    return SavedRecords(tuple(SavedVgpu(record) for record in vgpus), None, None, None)


def xenserver_records(text: str) -> tuple[bytes, ...]:
    """The records of XenServer's form: ``{"nvidia": "base64"}``, or an array of such for several vgpus.

    Raises:
        InputError: it is not of that form.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(Problem("XenServer's record", "no JSON", 'wanted {"nvidia": "base64"}')) from None
    rows = found if isinstance(found, list) else [found]
    if not 1 <= len(rows) <= MOST_VGPUS:
        raise InputError(Problem("XenServer's record", f"{len(rows)} vgpus", f"wanted 1 to {MOST_VGPUS}"))
    records = []
    for row in rows:
        coded = row.get("nvidia") if isinstance(row, dict) else None
        if not isinstance(coded, str):
            raise InputError(
                Problem("XenServer's record", "no text under nvidia", 'wanted {"nvidia": "base64"}')
            )
        try:
            record = _record(coded)
            VgpuMetadata.from_bytes(record)
        except (_Damage, RecordError) as error:
            raise InputError(Problem("XenServer's record", str(error), "wanted a vgpu's record")) from None
        records.append(record)
    return tuple(records)


def _record(coded: str) -> bytes:
    if len(coded) > LARGEST_RECORD * 2:
        raise _Damage(f"a record of more than {LARGEST_RECORD} bytes")
    try:
        return base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        raise _Damage("a record that is no base64") from None


def put_element(data: bytes, domain: Element, records: SavedRecords) -> list[Change]:
    """The changes that put the records into a domain's XML, in the place of those that it carries.

    Raises:
        InputError: a value that no element can hold; or the XML has no place for it.
        RecordError: a record is none.
    """
    element = write_element(records)
    found = element_in(domain)
    if found:
        first, *others = found
        return [Change(first.start, first.end, element), *(Change(o.start, o.end, b"") for o in others)]
    metadata = next(domain.named("metadata"), None)
    if metadata is not None and data[metadata.start : metadata.end].endswith(b"/>"):
        return [Change(metadata.start, metadata.end, b"<metadata>" + element + b"</metadata>")]
    if metadata is not None:
        end = data.rindex(b"</", metadata.start, metadata.end)
        return [Change(end, end, element)]
    first_child = next(iter(domain.children), None)
    if first_child is None:
        raise InputError(Problem("domain XML", "an empty <domain>", "wanted one with something in it"))
    return [Change(first_child.start, first_child.start, b"<metadata>" + element + b"</metadata>\n  ")]


def checksum(records: SavedRecords) -> str:
    """The `sha256` of an element that holds these records: of all that it says, in a canonical spelling."""
    said: Sequence[object] = (
        VERSION,
        records.host,
        spell_time(records.taken),
        spell_time(records.boot),
        spell_time(records.last_boot),
        records.state,
        [[v.device, v.type, _GUEST_INFO[v.guest_info], _base64(v.record)] for v in records.vgpus],
    )
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode("ascii")).hexdigest()


def spell_time(when: datetime | None) -> str:
    """A time as the element spells it; "" for none."""
    return "" if when is None else when.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str) -> datetime | None:
    """A time as the element spells it, ``2026-11-23T17:30:00Z``; None where it is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if when.tzinfo is None or spell_time(when.astimezone(UTC)) != text:
        return None
    return when.astimezone(UTC)


def _time(facts: dict[str, str], name: str) -> datetime:
    when = read_time(facts.get(name, ""))
    if when is None:
        raise _Damage(
            f"{name} {quoted(facts.get(name, '')[:40])}, wanted a time such as 2026-11-23T17:30:00Z"
        )
    return when


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _quote(text: str) -> str:
    for character, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, name)
    return f'"{text}"'
