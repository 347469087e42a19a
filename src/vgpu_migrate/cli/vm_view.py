"""The answers of `vm`, made and shown."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from vgpu_migrate.cli.screen import BAD, GOOD, STRONG, WEAK, Cell, Column, Screen
from vgpu_migrate.cli.vm_types import (
    HookFilesAnswer,
    HookTestAnswer,
    MetadataAnswer,
    SavedVgpuRow,
    WatchRow,
)
from vgpu_migrate.nvml import GuestInfoState, VgpuMetadata
from vgpu_migrate.vmm.domain_element import NoRecords, SavedRecords, SavedVgpu, records_in, spell_time

if TYPE_CHECKING:
    from vgpu_migrate.vmm.domain_xml import Element
    from vgpu_migrate.vmm.guests import Guest
    from vgpu_migrate.vmm.watch import Look, Report


def answer(file: str, domain: Element, *, is_written: bool = False) -> MetadataAnswer:
    """What a domain in a file carries."""
    return msgspec.structs.replace(of_records(records_in(domain)), file=file, written=is_written)


def of_guest(
    guest: Guest, found: SavedRecords | NoRecords, *, is_fresh: bool, is_written: bool
) -> MetadataAnswer:
    """What a guest of libvirt carries, or fresh records of it."""
    has = isinstance(found, SavedRecords)
    return msgspec.structs.replace(
        of_records(found),
        guest=guest.name,
        uuid=guest.uuid,
        fresh=is_fresh and has,
        written=is_written and has,
    )


def of_records(found: SavedRecords | NoRecords) -> MetadataAnswer:
    """Records, or why there are none, of nobody in particular."""
    if isinstance(found, NoRecords):
        return MetadataAnswer(None, found.trouble.value, found.reason, None, None, None, None, None, None, [])
    return MetadataAnswer(
        None,
        "good",
        None,
        "xenserver" if found.taken is None else "vgpu-migrate",
        found.host or None,
        found.state.value if found.taken else None,
        spell_time(found.taken) or None,
        spell_time(found.boot) or None,
        spell_time(found.last_boot) or None,
        [_row(vgpu) for vgpu in found.vgpus],
    )


def _row(vgpu: SavedVgpu) -> SavedVgpuRow:
    record = VgpuMetadata.from_fixed_part(vgpu.record)
    return SavedVgpuRow(
        vgpu.type,
        vgpu.device,
        "initialized" if vgpu.guest_info is GuestInfoState.INITIALIZED else "uninitialized",
        record.guest_driver_version,
        record.host_driver_version,
        base64.b64encode(vgpu.record).decode("ascii"),
    )


def show_metadata(screen: Screen, found: MetadataAnswer) -> None:
    """The records, or why there are none."""
    name = found.file if found.guest is None else f"guest {found.guest}"
    if found.reason is not None:
        screen.line(Cell(f"{name}: {found.reason}.", BAD))
        return
    if found.taken is None:
        screen.line(f"{name}: XenServer's form, without date and checksum.")
    else:
        where = f" on {found.host}" if found.host else ""
        screen.line(f"{name}: taken {found.taken}{where}, {found.state}, in the boot of {found.boot}.")
    screen.line()
    columns = (
        Column("type"),
        Column("device"),
        Column("guest info"),
        Column("guest"),
        Column("host", style=WEAK),
    )
    screen.table(
        columns,
        (
            [
                Cell(row.type or "–", STRONG),
                row.device or "–",
                row.guest_info,
                row.guest_driver or "–",
                row.host_driver,
            ]
            for row in found.vgpus
        ),
    )


def watch_row(report: Report) -> WatchRow:
    """A line of `vm watch --json`."""
    records = report.records
    return WatchRow(
        spell_time(report.at),
        report.news.value,
        report.says,
        report.guest,
        report.uuid,
        spell_time(records.taken) if records else None,
        spell_time(records.boot) if records else None,
        spell_time(records.last_boot) if records else None,
        [_row(vgpu) for vgpu in records.vgpus] if records else [],
    )


def looked_row(look: Look) -> WatchRow:
    """What `vm watch --once` found, as the last line."""
    says = spell_look(look)
    return WatchRow(
        spell_time(look.at), "looked", says, None, None, None, None, None, [], look.guests, look.good
    )


def spell_look(look: Look) -> str:
    """What `vm watch --once` found."""
    if not look.guests:
        return "no running guest has a vGPU"
    return f"running guests with a vGPU: {look.guests}; with a record to go by: {look.good}"


def show_files(screen: Screen, found: HookFilesAnswer) -> None:
    """One line a file."""
    screen.table((Column("file"), Column("")), ([row.path, row.done] for row in found.files))


def show_test(screen: Screen, found: HookTestAnswer) -> None:
    """What the hook says, and whether it changed the XML."""
    word = Cell("passes", GOOD) if found.passes else Cell("refused", BAD)
    screen.line([f"{found.guest}, {found.operation} begin: ", word])
    if found.said:
        screen.line(found.said)
    if found.xml is not None:
        screen.line("libvirt goes on with other XML; --json shows it.")
