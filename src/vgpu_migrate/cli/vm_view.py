"""The answers of `vm`, made and shown."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from vgpu_migrate.cli.screen import BAD, GOOD, STRONG, WEAK, Cell, Column, Screen
from vgpu_migrate.cli.vm_types import HookFilesAnswer, HookTestAnswer, MetadataAnswer, SavedVgpuRow
from vgpu_migrate.nvml import GuestInfoState, VgpuMetadata
from vgpu_migrate.vmm.domain_element import NoRecords, SavedVgpu, records_in, spell_time

if TYPE_CHECKING:
    from vgpu_migrate.vmm.domain_xml import Element


def answer(file: str, domain: Element) -> MetadataAnswer:
    """What a domain carries."""
    found = records_in(domain)
    if isinstance(found, NoRecords):
        return MetadataAnswer(file, found.trouble.value, found.reason, None, None, None, None, None, None, [])
    return MetadataAnswer(
        file,
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
    if found.reason is not None:
        screen.line(Cell(f"{found.file}: {found.reason}.", BAD))
        return
    if found.taken is None:
        screen.line(f"{found.file}: XenServer's form, without date and checksum.")
    else:
        where = f" on {found.host}" if found.host else ""
        screen.line(f"{found.file}: taken {found.taken}{where}, {found.state}, in the boot of {found.boot}.")
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
