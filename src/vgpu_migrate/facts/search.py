"""Searching the tables for people: every row that spells a text somewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import msgspec

from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.facts.loader import (
    boards,
    branches,
    driver_tags,
    releases,
    types_of_board,
    vgpu_type_names,
    vgpu_types,
)
from vgpu_migrate.facts.rows import PciId
from vgpu_migrate.nvml import VersionRange


class Hit(msgspec.Struct, frozen=True):
    """A row that spells the text searched for. `kind` is one of `KINDS`; `source` is a key of `sources()`."""

    kind: str
    name: str
    summary: str
    source: str


def search(text: str, *, kinds: Collection[str] | None = None) -> list[Hit]:
    """The rows in which `text` stands, whatever its case, in the order of `KINDS` and of their tables.

    Args:
        text: looked for in every spelling of a name, in driver versions and in PCI ids (`1EB8:12A2`).
        kinds: which tables to look in; all of `KINDS` if None.

    Raises:
        UnknownNameError: a kind is none of `KINDS`.
    """
    for kind in kinds or ():
        if kind not in KINDS:
            raise UnknownNameError("kind", kind, KINDS)
    wanted = text.casefold()
    return [
        hit
        for kind, rows_of in KINDS.items()
        if kinds is None or kind in kinds
        for spellings, hit in rows_of()
        if any(wanted in spelling.casefold() for spelling in spellings)
    ]


Found = Iterator[tuple[list[str], Hit]]


def _boards() -> Found:
    for row in boards().values():
        slices = f", {row.mig_slices} MIG slices" if row.mig_slices else ""
        summary = (
            f"{row.generation.name.capitalize()}, {row.framebuffer_gib} GiB{slices}, "
            f"{len(types_of_board(row.key))} vgpu types"
        )
        spellings = [row.key, *row.marketing_names, *(_pci_text(pci) for pci in row.pci_ids)]
        yield spellings, Hit("board", row.key, summary, row.source)


def _types() -> Found:
    spellings_by_row: dict[int, list[str]] = {}
    for name, row in vgpu_type_names().items():
        spellings_by_row.setdefault(row.row, []).append(name)
    for row in vgpu_types().values():
        slices = f"{row.gi_slices} of {boards()[row.board].mig_slices} MIG slices"
        where = slices if row.is_mig_backed else "time-sliced"
        most = f"at most {row.max_instances} per gpu ({row.max_instances_basis})"
        shown_id = row.mdev_name if row.has_known_type_id else f"type id {row.type_id:#x} (synthetic)"
        summary = f"{row.board}, {where}, {row.framebuffer_mib} MiB, {most}, {shown_id}"
        spellings = [*spellings_by_row[row.row], _pci_text(PciId(row.device_id, row.subsystem_id))]
        yield spellings, Hit("type", row.short, summary, row.source)


def _releases() -> Found:
    for row in releases():
        drivers = {
            "host Linux": row.host_linux,
            "host Windows": row.host_windows,
            "guest Linux": row.guest_linux,
            "guest Windows": row.guest_windows,
        }
        parts = [f"{what} {driver}" for what, driver in drivers.items() if driver]
        summary = ", ".join([f"{row.branch} {row.branch_type}".strip(), *parts, _range_text(row.host_range)])
        name = f"vGPU {row.release}"
        spellings = [name, row.branch, *(driver for driver in drivers.values() if driver)]
        yield spellings, Hit("release", name, summary, row.source)


def _tags() -> Found:
    for row in driver_tags().values():
        summary = f"{row.date}, vGPU version {row.external_version:#x}, {_range_text(row.host_range)}"
        yield [row.tag], Hit("tag", row.tag, summary, row.source)


def _branches() -> Found:
    for row in branches():
        name = f"{row.branch}, {row.part}" if row.part else row.branch
        release = f"vGPU {row.vgpu_release}" if row.vgpu_release else "no vGPU release"
        summary = (
            f"{release}, vGPU version {row.newest_external:#x}, {_range_text(row.host_range)} ({row.basis})"
        )
        yield [name], Hit("branch", name, summary, row.source)


KINDS: dict[str, Callable[[], Found]] = {
    "board": _boards,
    "type": _types,
    "release": _releases,
    "tag": _tags,
    "branch": _branches,
}
"""The kinds of rows that can be searched for, in the order in which they are shown."""


def _pci_text(pci: PciId) -> str:
    return f"{pci.device:04X}" if pci.subsystem is None else f"{pci.device:04X}:{pci.subsystem:04X}"


def _range_text(host_range: VersionRange | None) -> str:
    return "host range unknown" if host_range is None else f"host range {host_range}"
