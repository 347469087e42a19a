"""`vm metadata`: the saved records in a domain's XML, read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.options import FileName, PlanToWrite, json_option, single_option

if TYPE_CHECKING:
    from datetime import datetime

    from vgpu_migrate.cli.vm_types import MetadataAnswer
    from vgpu_migrate.vmm.domain_element import SavedRecords, SavedVgpu


@click.command("metadata", short_help="The saved records in a domain's XML: show them, or put them in.")
@click.argument("file", type=FileName(), metavar="FILE")
@click.option(
    "--record",
    "records",
    metavar="FILE",
    type=FileName(),
    multiple=True,
    help="Put in this record, for each vgpu in order: raw, base64, JSON of `host metadata` or XenServer.",
)
@click.option("--type", "types", metavar="TYPE", multiple=True, help="The vgpu's type, for each in order.")
@click.option(
    "--device",
    "devices",
    metavar="ID",
    multiple=True,
    help="The vgpu's device, for each in order: mdev:UUID or pci:ADDRESS.",
)
@click.option(
    "--state",
    type=click.Choice(["running", "paused", "sleeping"]),
    default="running",
    show_default=True,
    help="What the guest does.",
)
@single_option("--host", metavar="NAME", help="Where the records were taken.")
@single_option("--boot", metavar="TIME", help="When the guest booted, in UTC: 2026-11-23T09:12:44Z.")
@single_option("--taken", metavar="TIME", help="When they were taken; by default now.")
@single_option(
    "-o",
    "--output",
    metavar="FILE",
    type=PlanToWrite(),
    help="Where to write the XML with the records in it.",
)
@json_option
def metadata(file: str, records: tuple[str, ...], output: str | None, as_json: bool, **said: object) -> int:
    """The saved records that a guest carries in its domain XML, FILE (`-`: standard input).

    With --record, --boot and -o they are put into a copy of it, in the place of those that it carries. Exit
    status 1: there are none to go by, and why.

    \b
    Examples:
      virsh dumpxml guest1 | vgpu-migrate vm metadata -
      vgpu-migrate vm metadata guest1.xml --record guest1.rec --boot 2026-11-23T09:12:44Z -o new.xml
    """
    from vgpu_migrate.cli import catalog_view, vm_view
    from vgpu_migrate.errors import InputError
    from vgpu_migrate.files import atomic_write, read_bytes
    from vgpu_migrate.vmm.domain_element import put_element
    from vgpu_migrate.vmm.domain_xml import changed, parse_domain

    _check(records, output, said)
    data = read_bytes(file, what="a domain's XML")
    try:
        domain = parse_domain(data)
        if records and output:
            data = changed(data, put_element(data, domain, _saved(records, said)))
            atomic_write(output, data)
            domain = parse_domain(data)
    except InputError as error:
        raise InputError(error.problems, source=file) from None
    found = vm_view.answer("standard input" if file == "-" else file, domain)
    catalog_view.tell(found, vm_view.show_metadata, as_json=as_json)
    return _status(found)


def _check(records: tuple[str, ...], output: str | None, said: dict[str, object]) -> None:
    """What only makes sense together is there together."""
    if bool(records) != bool(output) or (records and not said["boot"]):
        raise click.UsageError("--record, --boot and -o go together")
    if not records and any(said[name] for name in ("types", "devices", "host", "boot", "taken")):
        raise click.UsageError("what is said of records needs --record")


def _status(found: MetadataAnswer) -> int:
    from vgpu_migrate.cli.exit_status import NO

    return 0 if found.found == "good" else NO


def _saved(records: tuple[str, ...], said: dict[str, object]) -> SavedRecords:
    from datetime import UTC, datetime

    from vgpu_migrate.vmm.domain_element import GuestState, SavedRecords

    boot = _time("--boot", str(said["boot"]))
    taken = (
        _time("--taken", str(said["taken"])) if said["taken"] else datetime.now(UTC).replace(microsecond=0)
    )
    return SavedRecords(
        _vgpus(records, said["types"], said["devices"]),
        taken,
        boot,
        boot,
        GuestState(str(said["state"])),
        str(said["host"] or ""),
    )


def _vgpus(records: tuple[str, ...], types: object, devices: object) -> tuple[SavedVgpu, ...]:
    from vgpu_migrate.errors import RecordError
    from vgpu_migrate.model.saved_record import recorded_type
    from vgpu_migrate.nvml import VgpuMetadata
    from vgpu_migrate.vmm.domain_element import SavedVgpu
    from vgpu_migrate.vmm.record_files import read_record_file

    assert isinstance(types, tuple)
    assert isinstance(devices, tuple)
    found = [record for path in records for record in read_record_file(path)]
    for option, given in (("--type", types), ("--device", devices)):
        if given and len(given) != len(found):
            raise click.UsageError(f"{option} is given {len(given)} times for {len(found)} records")
    made = []
    for number, record in enumerate(found):
        try:
            known = recorded_type(VgpuMetadata.from_fixed_part(record))
        except RecordError:
            known = None
        name = types[number] if types else known.short if known else ""
        made.append(SavedVgpu(record, name, devices[number] if devices else ""))
    return tuple(made)


def _time(option: str, text: str) -> datetime:
    from vgpu_migrate.vmm.domain_element import read_time

    when = read_time(text)
    if when is None:
        raise click.UsageError(f"{option} {text}: wanted a time in UTC such as 2026-11-23T09:12:44Z")
    return when
