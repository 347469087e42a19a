"""`vm metadata`: the saved records in a domain's XML, of a file or of a guest of libvirt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vgpu_migrate.cli.options import Decorator, FileName, PlanToWrite, json_option, single_option
from vgpu_migrate.cli.vm_driver import settings_option, socket_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vgpu_migrate.vmm.domain_element import SavedVgpu

_OF_RECORDS: tuple[Decorator, ...] = (
    click.option(
        "--record",
        "records",
        metavar="FILE",
        type=FileName(),
        multiple=True,
        help="Put in this record, for each vgpu in order: raw, base64, JSON of `host metadata` or XenServer.",
    ),
    click.option(
        "--type", "types", metavar="TYPE", multiple=True, help="The vgpu's type, for each in order."
    ),
    click.option(
        "--device",
        "devices",
        metavar="ID",
        multiple=True,
        help="The vgpu's device, for each in order: mdev:UUID or pci:ADDRESS.",
    ),
    single_option(
        "--state",
        type=click.Choice(["running", "paused", "sleeping"]),
        help="What the guest does; by default running, of a guest of libvirt what it does.",
    ),
    single_option(
        "--host", metavar="NAME", help="Where the records were taken; by default the guest's host."
    ),
    single_option("--boot", metavar="TIME", help="When the guest booted, in UTC: 2026-11-23T09:12:44Z."),
    single_option("--taken", metavar="TIME", help="When they were taken; by default now."),
)


def _record_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OF_RECORDS):
        function = option(function)
    return function


@click.command("metadata", short_help="The saved records of a domain XML or a guest: show them, put them in.")
@click.argument("name", type=FileName(), metavar="FILE|GUEST")
@single_option("--connect", metavar="URI", help="It is a guest of libvirt there: its name, UUID or id.")
@click.option("--fresh", is_flag=True, help="The records that this host's driver has of the guest now.")
@click.option("--write", is_flag=True, help="Put them into the guest, running and kept.")
@_record_options
@single_option(
    "-o",
    "--output",
    metavar="FILE",
    type=PlanToWrite(),
    help="Where to write the XML of FILE with the records in it.",
)
@socket_option
@settings_option
@json_option
def metadata(
    name: str,
    connect: str | None,
    fresh: bool,
    write: bool,
    records: tuple[str, ...],
    output: str | None,
    socket: str | None,
    settings: str | None,
    as_json: bool,
    **said: object,
) -> int:
    """The saved records that a guest carries in its domain XML: of FILE (`-`: standard input), or with
    --connect of GUEST, which libvirt runs or keeps.

    With --record, --boot and -o they are put into a copy of FILE, in the place of those that it carries; with
    --write into GUEST. --fresh takes them from this host's driver. Exit status 1: there are none to go by.

    \b
    Examples:
      vgpu-migrate vm metadata guest1 --connect qemu:///system
      vgpu-migrate vm metadata guest1 --connect qemu:///system --fresh --write
      virsh dumpxml guest1 | vgpu-migrate vm metadata -
      vgpu-migrate vm metadata guest1.xml --record guest1.rec --boot 2026-11-23T09:12:44Z -o new.xml
    """
    _check(records, said)
    if connect is not None:
        from vgpu_migrate.cli import vm_guest_metadata

        if output is not None:
            raise click.UsageError("-o is for a FILE; --write puts records into a guest")
        wish = vm_guest_metadata.Wish(records, said, is_fresh=fresh, is_to_write=write)
        return vm_guest_metadata.answer(name, connect, wish, socket, settings, as_json=as_json)
    if fresh or write or socket or settings:
        raise click.UsageError("--fresh, --write, --socket and --settings are for a guest: --connect URI")
    return _of_file(name, records, output, said, as_json=as_json)


def _check(records: tuple[str, ...], said: dict[str, object]) -> None:
    """What only makes sense together is there together."""
    if not records and any(said.values()):
        raise click.UsageError("what is said of records needs --record")


def _of_file(
    file: str, records: tuple[str, ...], output: str | None, said: dict[str, object], *, as_json: bool
) -> int:
    from vgpu_migrate.cli import catalog_view, vm_view
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.errors import InputError
    from vgpu_migrate.files import atomic_write, read_bytes
    from vgpu_migrate.vmm.domain_element import GuestState, SavedRecords, put_element
    from vgpu_migrate.vmm.domain_xml import LARGEST, changed, parse_domain

    if bool(records) != bool(output) or (records and not said["boot"]):
        raise click.UsageError("--record, --boot and -o go together")
    data = read_bytes(file, what="a domain's XML (of a guest of libvirt: --connect URI)", most=LARGEST)
    try:
        domain = parse_domain(data)
        if records and output:
            boot = boot_said(said)
            assert boot is not None
            saved = SavedRecords(
                vgpus_of(records, said),
                taken_said(said),
                boot,
                boot,
                GuestState(str(said["state"] or "running")),
                str(said["host"] or ""),
            )
            data = changed(data, put_element(data, domain, saved))
            atomic_write(output, data)
            domain = parse_domain(data)
    except InputError as error:
        raise InputError(error.problems, source=file) from None
    found = vm_view.answer("standard input" if file == "-" else file, domain, is_written=bool(output))
    catalog_view.tell(found, vm_view.show_metadata, as_json=as_json)
    return 0 if found.found == "good" else NO


def vgpus_of(paths: tuple[str, ...], said: dict[str, object]) -> tuple[SavedVgpu, ...]:
    """The vgpus whose records are in these files, with what was said of them.

    Raises:
        InputError: a file holds no records.
    """
    from vgpu_migrate.errors import RecordError
    from vgpu_migrate.model.saved_record import recorded_type
    from vgpu_migrate.nvml import VgpuMetadata
    from vgpu_migrate.vmm.domain_element import SavedVgpu
    from vgpu_migrate.vmm.record_files import read_vgpu_records

    types, devices = said["types"], said["devices"]
    assert isinstance(types, tuple)
    assert isinstance(devices, tuple)
    found = [record for path in paths for record in read_vgpu_records(path)]
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


def boot_said(said: dict[str, object]) -> datetime | None:
    """When the guest booted, as was said; None where it was not."""
    return _time("--boot", str(said["boot"])) if said["boot"] else None


def taken_said(said: dict[str, object]) -> datetime:
    """When the records were taken, as was said, else now."""
    from datetime import UTC, datetime

    return _time("--taken", str(said["taken"])) if said["taken"] else datetime.now(UTC).replace(microsecond=0)


def _time(option: str, text: str) -> datetime:
    from vgpu_migrate.vmm.domain_element import read_time

    when = read_time(text)
    if when is None:
        raise click.UsageError(f"{option} {text}: wanted a time in UTC such as 2026-11-23T09:12:44Z")
    return when
