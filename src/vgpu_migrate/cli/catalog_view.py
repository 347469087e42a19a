"""The catalogue for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from vgpu_migrate import facts
from vgpu_migrate.cli import answers
from vgpu_migrate.cli.output import write_json
from vgpu_migrate.cli.screen import NOTE, STRONG, WEAK, Cell, Column, Screen, Words, count

AnswerType = TypeVar("AnswerType")


def tell(found: AnswerType, show: Callable[[Screen, AnswerType], None], *, as_json: bool) -> int:
    """Write an answer in JSON or show it; gives exit status 0."""
    if as_json:
        write_json(found)
    else:
        show(Screen(), found)
    return 0


def show_boards(screen: Screen, found: answers.BoardsAnswer) -> None:
    """One line a board."""
    columns = (
        Column("board"),
        Column("generation"),
        Column("GiB", right=True),
        Column("MIG", right=True),
        Column("types", right=True),
        Column("PCI ids", wraps=True),
        Column("sold as", wraps=True),
        Column("source", style=WEAK),
    )
    screen.table(
        columns,
        (
            [
                Cell(row.board, STRONG),
                row.generation,
                f"{row.framebuffer_mib // 1024}",
                f"{row.mig_slices or '–'}",
                f"{row.vgpu_types}",
                ", ".join(row.pci_ids),
                ", ".join(row.marketing_names),
                row.source,
            ]
            for row in found.boards
        ),
    )


def show_board(screen: Screen, found: answers.BoardAnswer) -> None:
    """A board, and its types."""
    row = found.board
    slices = f", {row.mig_slices} MIG slices" if row.mig_slices else ", no MIG"
    screen.line(
        [
            Cell(row.board, STRONG),
            f": {row.generation.capitalize()}, {row.framebuffer_mib // 1024} GiB{slices}",
        ]
    )
    rows: list[tuple[str, Words]] = [
        ("sold as", ", ".join(row.marketing_names) or "not in the tables"),
        ("PCI ids", ", ".join(row.pci_ids) or "not in the tables"),
        ("source", say_source(row.source)),
    ]
    with screen.indented():
        screen.facts(rows)
    screen.line()
    _show_type_rows(screen, found.types)


def show_types(screen: Screen, found: answers.TypesAnswer) -> None:
    """One line a type."""
    _show_type_rows(screen, found.types)


def _show_type_rows(screen: Screen, rows: Sequence[answers.TypeRow]) -> None:
    columns = (
        Column("type"),
        Column("mdev"),
        Column("MiB", right=True),
        Column("MIG slices", right=True),
        Column("at most", right=True),
        Column("which is", wraps=True, style=WEAK),
        Column("source", wraps=True, style=WEAK),
    )
    screen.table(
        columns,
        (
            [
                Cell(row.type, STRONG),
                row.mdev or Cell("synthetic", NOTE),
                f"{row.framebuffer_mib:,}",
                f"{row.gi_slices or '–'}",
                f"{row.max_instances}",
                row.max_instances_basis,
                row.source,
            ]
            for row in rows
        ),
    )
    screen.line()
    screen.line(Cell(f"{count(len(rows), 'vgpu type')}; `at most` is per gpu.", WEAK))


def show_type(screen: Screen, row: answers.TypeRow) -> None:
    """One type in full."""
    where = f"{row.gi_slices} MIG slices" if row.gi_slices else "time-sliced"
    screen.line([Cell(row.type, STRONG), f": {row.board}, {where}, {row.framebuffer_mib:,} MiB"])
    type_id: Words = row.mdev or [f"{row.type_id:#x} ", Cell("(synthetic: none is public)", NOTE)]
    placements = ", ".join(map(str, row.placements)) or "none: the board has no mixed-size mode for it"
    rows: list[tuple[str, Words]] = [
        ("long name", row.long),
        ("type id", type_id),
        ("series", row.series),
        ("at most", f"{row.max_instances} per gpu ({row.max_instances_basis})"),
        ("placements", f"{placements}{' (GiB, on a mixed-size gpu)' if row.placements else ''}"),
        ("PCI ids", f"{row.device_id}:{row.subsystem_id}"),
        ("display", f"{count(row.heads, 'head')}, at most {row.max_x}×{row.max_y}"),
        ("frame rate", f"at most {row.frame_rate_limit}" if row.frame_rate_limit else "no limit"),
        ("CUDA", "yes" if row.cuda else "no"),
        ("source", say_source(row.source)),
        ("of type id", say_source(row.type_id_source)),
    ]
    with screen.indented():
        screen.facts(rows)


def show_drivers(screen: Screen, found: answers.DriversAnswer) -> None:
    """One line a tag."""
    columns = (
        Column("driver"),
        Column("date"),
        Column("internal"),
        Column("vGPU version"),
        Column("host range"),
        Column("guest minimum"),
        Column("source", style=WEAK),
    )
    screen.table(
        columns,
        (
            [
                Cell(row.driver, STRONG),
                row.date,
                row.internal_version,
                row.external_version,
                _say_range(row.host_range),
                row.guest_minimum or "–",
                row.source,
            ]
            for row in found.drivers
        ),
    )


def show_driver(screen: Screen, row: answers.DriverAnswer) -> None:
    """One driver: its range and how it was found."""
    what = "as a guest driver" if row.side == "guest" else "as a host driver"
    is_known = row.minimum is not None or row.maximum is not None
    bounds = f"{row.minimum or 'unknown'}-{row.maximum or 'unknown'}" if is_known else "unknown"
    screen.line(
        [Cell(row.driver, STRONG), f" {what}: vGPU versions ", Cell(bounds, "" if is_known else NOTE)]
    )
    rows: list[tuple[str, Words]] = [
        ("found", row.said if row.basis == "unknown" else f"{row.said} ({row.basis})")
    ]
    if row.branch is not None:
        release = "" if row.vgpu_release is None else f", vGPU {row.vgpu_release}"
        rows.append(("branch", f"{row.branch}{release}"))
    if row.source:
        rows.append(("source", say_source(row.source)))
    with screen.indented():
        screen.facts(rows)


def show_releases(screen: Screen, found: answers.ReleasesAnswer) -> None:
    """One line a release."""
    columns = (
        Column("release"),
        Column("branch"),
        Column("host"),
        Column("guest Linux"),
        Column("guest Windows"),
        Column("host range"),
        Column("date"),
        Column("source", style=WEAK, wraps=True),
    )
    screen.table(
        columns,
        (
            [
                Cell(f"{row.release}", STRONG),
                row.branch,
                row.host_linux or "–",
                row.guest_linux or "–",
                row.guest_windows or "–",
                _say_range(row.host_range),
                row.date or "–",
                row.source,
            ]
            for row in found.releases
        ),
    )


def show_branches(screen: Screen, found: answers.BranchesAnswer) -> None:
    """One line a branch, or a part of one."""
    columns = (
        Column("branch"),
        Column("part", wraps=True),
        Column("vGPU"),
        Column("newest"),
        Column("host range"),
        Column("guest minimum"),
        Column("basis"),
        Column("source", style=WEAK, wraps=True),
    )
    screen.table(
        columns,
        (
            [
                Cell(row.branch, STRONG),
                row.part,
                row.vgpu_release or "–",
                row.newest_external,
                _say_range(row.host_range),
                row.guest_minimum or "–",
                row.basis,
                row.source,
            ]
            for row in found.branches
        ),
    )


def show_sources(screen: Screen, found: answers.SourcesAnswer) -> None:
    """Each key and what it stands for."""
    for row in found.sources:
        screen.line([Cell(row.key, STRONG), f"  {row.title}"])
        with screen.indented():
            screen.line(Cell(row.where, WEAK))


def show_search(screen: Screen, found: answers.SearchAnswer) -> None:
    """One line a hit."""
    if found.hits:
        columns = (
            Column("kind"),
            Column("name"),
            Column("what is known", wraps=True),
            Column("source", style=WEAK, wraps=True),
        )
        screen.table(
            columns, ([row.kind, Cell(row.name, STRONG), row.summary, row.source] for row in found.hits)
        )
        screen.line()
    verb = "contains" if len(found.hits) == 1 else "contain"
    rows = count(len(found.hits), "row") if found.hits else "No row"
    screen.line(Cell(f"{rows} {verb if found.hits else 'contains'} {found.text}.", WEAK))


def say_source(key: str) -> str:
    """A source key and what it stands for."""
    source = facts.sources().get(key)
    return key if source is None else f"{key}: {source.where}"


def _say_range(bounds: tuple[str, str] | None) -> str:
    return "–" if bounds is None else f"{bounds[0]}-{bounds[1]}"
