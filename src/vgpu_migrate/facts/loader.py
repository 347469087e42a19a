"""The tables, read once and only when asked for.

Nothing is read at import. Every row's `source` is a key of `sources()`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.facts.rows import (
    Board,
    BoardAlias,
    Branch,
    BranchPolicy,
    DriverTag,
    Generation,
    InternalVersion,
    PciId,
    PolicyBranch,
    Release,
    Source,
    Span,
    StunTime,
    VgpuType,
)
from vgpu_migrate.nvml import VersionRange

BRANDS = ("GRID", "NVIDIA")
"""The first word of long names. Drivers went from one to the other, so each type answers to both: ours."""


def boards() -> Mapping[str, Board]:
    """Every board by key, in the order of its row. Source: `boards.csv`."""
    return _boards()[0]


def board(name: str) -> Board:
    """The board with exactly this key.

    Raises:
        UnknownNameError: there is none; its suggestions ignore case.
    """
    found = boards().get(name)
    if found is None:
        raise UnknownNameError("board", name, boards())
    return found


def board_by_row(row: int) -> Board:
    """The board in this row of the table.

    Raises:
        UnknownNameError: the table has no such row.
    """
    rows = _boards()[1]
    if not 0 <= row < len(rows):
        raise UnknownNameError("board row", str(row), ())
    return rows[row]


def boards_by_pci(device: int, subsystem: int | None = None) -> tuple[Board, ...]:
    """The boards that may carry these PCI ids, in order of row; empty where none is known.

    Aliases are followed first. A board whose device and subsystem both fit is the only answer; else every
    board with that device, because two pairs of boards share one and not every subsystem is known.
    """
    by_pci = _boards_by_pci()
    aliases = _stands_for()
    wanted = {pci for alias, pci in aliases.items() if subsystem is None and alias.device == device}
    wanted.add(aliases.get(PciId(device, subsystem), PciId(device, subsystem)))
    found: dict[int, Board] = {}
    for pci in wanted:
        exact = by_pci.get(pci, ())
        for candidate in exact or by_pci.get(PciId(pci.device, None), ()):
            found[candidate.row] = candidate
    return tuple(found[row] for row in sorted(found))


def vgpu_types() -> Mapping[str, VgpuType]:
    """Every vgpu type by short name, in the order of its row. Source: `vgpu_types.csv`.

    Heads, resolution, frame rate limit and CUDA are defaults of the series (source `series-defaults`).
    """
    return _types()[0]


def vgpu_type_names() -> Mapping[str, VgpuType]:
    """Every spelling of every vgpu type: short, long, mdev, and the short one by the board's own code.

    Synthetic type ids have no mdev spelling. A look-up here costs nothing on a miss, unlike `vgpu_type`,
    which then searches for suggestions.
    """
    return MappingProxyType(_type_names())


def vgpu_type(name: str) -> VgpuType:
    """The vgpu type with this name, in any of its spellings.

    Raises:
        UnknownNameError: there is none; its suggestions ignore case.
    """
    found = _type_names().get(name)
    if found is None:
        raise UnknownNameError("vgpu type", name, _type_names())
    return found


def vgpu_type_by_row(row: int) -> VgpuType:
    """The vgpu type in this row of the table.

    Raises:
        UnknownNameError: the table has no such row.
    """
    rows = _types()[1]
    if not 0 <= row < len(rows):
        raise UnknownNameError("vgpu type row", str(row), ())
    return rows[row]


def vgpu_type_by_pci(device: int, subsystem: int) -> VgpuType | None:
    """The vgpu type that presents itself to its guest with these PCI ids, or None."""
    return _types_by_pci().get(PciId(device, subsystem))


def types_of_board(key: str) -> tuple[VgpuType, ...]:
    """The vgpu types that a board offers, in the order of the table.

    Raises:
        UnknownNameError: there is no such board.
    """
    found = _types_by_board().get(key)
    return found if found is not None else _types_by_board()[board(key).key]


@cache
def releases() -> tuple[Release, ...]:
    """Releases of vGPU software, newest first. Source: `releases.csv`."""
    return tuple(
        Release(
            release=release,
            branch=branch,
            branch_type=branch_type,
            host_linux=host_linux,
            host_windows=host_windows,
            guest_linux=guest_linux,
            guest_windows=guest_windows,
            date=date,
            host_range=_range(low, high),
            source=source,
            note=note,
        )
        for (
            release,
            branch,
            branch_type,
            host_linux,
            host_windows,
            guest_linux,
            guest_windows,
            date,
            low,
            high,
            source,
            note,
        ) in _rows("releases.csv")
    )


@cache
def driver_tags() -> Mapping[str, DriverTag]:
    """Driver tags of the open kernel modules, oldest first. Source: `driver_tags.csv`."""
    return MappingProxyType(
        {
            tag: DriverTag(
                tag, date, internal, int(external, 16), _range(low, high), _hex_or_none(guest), source
            )
            for tag, date, internal, external, low, high, guest, source in _rows("driver_tags.csv")
        }
    )


@cache
def branches() -> tuple[Branch, ...]:
    """Driver branches, oldest first, R570 in its three parts. Source: `branches.csv`."""
    return tuple(
        Branch(
            branch=branch,
            part=part,
            vgpu_release=release,
            internal_major=internal,
            newest_external=int(newest, 16),
            host_range=_range(low, high),
            guest_minimum=_hex_or_none(guest),
            basis=basis,
            source=source,
            spans=tuple(_span(text) for text in spans.split("|") if text),
        )
        for branch, part, spans, release, internal, newest, low, high, guest, basis, source in _rows(
            "branches.csv"
        )
    )


@cache
def internal_versions() -> tuple[InternalVersion, ...]:
    """Internal to external version numbers. Source: `internal_versions.csv`."""
    return tuple(
        InternalVersion(int(major, 16), int(first, 16), int(last, 16), int(external, 16), source)
        for major, first, last, external, source in _rows("internal_versions.csv")
    )


@cache
def board_aliases() -> tuple[BoardAlias, ...]:
    """PCI ids that the vendor treats as another board's. Source: `board_aliases.csv`."""
    return tuple(
        BoardAlias(_pci_id(alias), _pci_id(stands_for), source)
        for alias, stands_for, source in _rows("board_aliases.csv")
    )


@cache
def stun_times() -> tuple[StunTime, ...]:
    """Published stun times, by framebuffer. Source: `stun_times.csv`."""
    return tuple(
        StunTime(int(framebuffer), int(seconds), source)
        for framebuffer, seconds, source in _rows("stun_times.csv")
    )


@cache
def branch_policy() -> BranchPolicy:
    """Which guest branches a manager is documented to work with. Source: `branch_policy.toml`."""
    import tomllib

    policy = tomllib.loads(_text("branch_policy.toml"))
    return BranchPolicy(
        branches=tuple(
            PolicyBranch(row["release"], row["branch"], row["type"] == "LTS", row["end_of_life"])
            for row in policy["branches"]
        ),
        previous_branch_from=policy["previous_branch"]["from_release"],
        previous_lts_from=policy["previous_lts"]["from_release"],
        source=policy["source"],
        same_branch_source=policy["same_branch"]["source"],
        previous_branch_source=policy["previous_branch"]["source"],
        previous_lts_source=policy["previous_lts"]["source"],
        otherwise_source=policy["otherwise"]["source"],
    )


@cache
def sources() -> Mapping[str, Source]:
    """What each source key stands for. Source: `sources.toml`."""
    import tomllib

    table = tomllib.loads(_text("sources.toml"))
    return MappingProxyType({key: Source(key, row["title"], row["where"]) for key, row in table.items()})


def rules_text() -> str:
    """The text of `rules.toml`, the compatibility rules."""
    return _text("rules.toml")


@cache
def _boards() -> tuple[Mapping[str, Board], tuple[Board, ...]]:
    generations = {generation.name.lower(): generation for generation in Generation}
    rows = tuple(
        Board(
            row,
            key,
            generations[generation],
            int(framebuffer),
            int(slices),
            tuple(name for name in names.split("|") if name),
            tuple(_pci_id(text) for text in pci_ids.split("|") if text),
            source,
        )
        for row, (key, generation, framebuffer, slices, names, pci_ids, _devices, source) in enumerate(
            _rows("boards.csv")
        )
    )
    return MappingProxyType({board.key: board for board in rows}), rows


@cache
def _types() -> tuple[Mapping[str, VgpuType], tuple[VgpuType, ...], tuple[str, ...]]:
    rows: list[VgpuType] = []
    also_names: list[str] = []
    for (
        short,
        brand,
        also,
        board_key,
        series,
        slices,
        framebuffer,
        device,
        subsystem,
        type_id,
        most,
        most_basis,
        heads,
        max_x,
        max_y,
        frame_rate_limit,
        cuda,
        source,
        type_id_source,
    ) in _rows("vgpu_types.csv"):
        also_names.append(also)
        rows.append(
            VgpuType(
                len(rows),
                short,
                f"{brand} {short}",
                board_key,
                series,
                int(slices),
                int(framebuffer),
                int(device, 16),
                int(subsystem, 16),
                int(type_id) if type_id else None,
                int(most),
                most_basis,
                int(heads),
                int(max_x),
                int(max_y),
                int(frame_rate_limit),
                cuda == "1",
                source,
                type_id_source,
            )
        )
    return MappingProxyType({row.short: row for row in rows}), tuple(rows), tuple(also_names)


@cache
def _type_names() -> dict[str, VgpuType]:
    names: dict[str, VgpuType] = {}
    _, rows, also_names = _types()
    for vgpu_type, also in zip(rows, also_names, strict=True):
        names[vgpu_type.short] = vgpu_type
        for brand in BRANDS:
            names[f"{brand} {vgpu_type.short}"] = vgpu_type
        if also:
            names[also] = vgpu_type
        if vgpu_type.has_known_type_id:
            names[vgpu_type.mdev_name] = vgpu_type
    return names


@cache
def _types_by_board() -> dict[str, tuple[VgpuType, ...]]:
    grouped: dict[str, list[VgpuType]] = {key: [] for key in boards()}
    for vgpu_type in vgpu_types().values():
        grouped[vgpu_type.board].append(vgpu_type)
    return {key: tuple(of_board) for key, of_board in grouped.items()}


@cache
def _types_by_pci() -> dict[PciId, VgpuType]:
    return {PciId(row.device_id, row.subsystem_id): row for row in vgpu_types().values()}


@cache
def _boards_by_pci() -> dict[PciId, tuple[Board, ...]]:
    """Boards by their exact ids, and by device alone, the devices of their vgpu types included."""
    found: dict[PciId, list[Board]] = {}
    for row, (_key, *_cells, pci_ids, devices, _source) in enumerate(_rows("boards.csv")):
        ids = {_pci_id(text) for text in f"{pci_ids}|{devices}".split("|") if text}
        for pci in ids | {PciId(pci.device, None) for pci in ids}:
            found.setdefault(pci, []).append(board_by_row(row))
    return {pci: tuple(of_pci) for pci, of_pci in found.items()}


@cache
def _stands_for() -> dict[PciId, PciId]:
    return {row.alias: row.stands_for for row in board_aliases()}


def _text(name: str) -> str:
    # Imported here: it costs more than both large tables, and most of a program never reads one.
    from importlib import resources

    return resources.files("vgpu_migrate.facts").joinpath("data", name).read_text(encoding="utf-8")


def _rows(name: str) -> Iterable[list[str]]:
    """The rows of a CSV table, its header left out. Its columns are those of tools/import_facts.py."""
    rows = csv.reader(_text(name).splitlines())
    next(rows)
    return rows


def _range(low: str, high: str) -> VersionRange | None:
    return VersionRange(int(low, 16), int(high, 16)) if low and high else None


def _hex_or_none(text: str) -> int | None:
    return int(text, 16) if text else None


def _pci_id(text: str) -> PciId:
    device, _, subsystem = text.partition(":")
    return PciId(int(device, 16), _hex_or_none(subsystem))


def _span(text: str) -> Span:
    first, _, before = text.partition("..")
    return Span(tuple(map(int, first.split("."))), tuple(map(int, before.split("."))))
