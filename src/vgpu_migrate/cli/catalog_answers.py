"""The catalogue's answers: rows of the tables as they are told."""

from __future__ import annotations

from vgpu_migrate import facts
from vgpu_migrate.cli import answers
from vgpu_migrate.cli.answers import spell_range, spell_version
from vgpu_migrate.facts import Board, PciId, VgpuType
from vgpu_migrate.model.placement import supported_placements


def boards() -> answers.BoardsAnswer:
    """All boards."""
    return answers.BoardsAnswer([_board(row) for row in facts.boards().values()])


def board(name: str) -> answers.BoardAnswer:
    """One board.

    Raises:
        UnknownNameError: there is none of that key.
    """
    row = facts.board(name)
    return answers.BoardAnswer(_board(row), [_type(item) for item in facts.types_of_board(row.key)])


def types(of_board: str | None) -> answers.TypesAnswer:
    """All vgpu types, or those of a board.

    Raises:
        UnknownNameError: there is no such board.
    """
    rows = facts.vgpu_types().values() if of_board is None else facts.types_of_board(of_board)
    return answers.TypesAnswer([_type(row) for row in rows])


def vgpu_type(name: str) -> answers.TypeRow:
    """One vgpu type, by any of its names.

    Raises:
        UnknownNameError: there is none.
    """
    return _type(facts.vgpu_type(name))


def drivers() -> answers.DriversAnswer:
    """All driver tags."""
    return answers.DriversAnswer(
        [
            answers.TagRow(
                driver=row.tag,
                date=row.date,
                internal_version=row.internal_version,
                external_version=f"{row.external_version:#x}",
                host_range=spell_range(row.host_range),
                guest_minimum=spell_version(row.guest_minimum),
                source=row.source,
            )
            for row in facts.driver_tags().values()
        ]
    )


def driver(version: str, *, is_guest: bool) -> answers.DriverAnswer:
    """What the tables say of one driver."""
    if is_guest:
        guest = facts.guest_driver(version)
        row: facts.HostDriver | facts.GuestDriver = guest
        low, high = guest.minimum, guest.maximum
    else:
        host = facts.host_driver(version)
        row = host
        preset = host.preset_range
        low, high = (None, None) if preset is None else (preset.minimum, preset.maximum)
    return answers.DriverAnswer(
        driver=row.driver,
        side="guest" if is_guest else "host",
        minimum=spell_version(low),
        maximum=spell_version(high),
        basis=row.basis.value,
        branch=row.branch,
        vgpu_release=row.vgpu_release,
        said=row.said,
        source=row.source,
    )


def releases() -> answers.ReleasesAnswer:
    """All releases of vGPU software."""
    return answers.ReleasesAnswer(
        [
            answers.ReleaseRow(
                release=row.release,
                branch=row.branch,
                branch_type=row.branch_type,
                host_linux=row.host_linux,
                host_windows=row.host_windows,
                guest_linux=row.guest_linux,
                guest_windows=row.guest_windows,
                date=row.date,
                host_range=spell_range(row.host_range),
                source=row.source,
                note=row.note,
            )
            for row in facts.releases()
        ]
    )


def branches() -> answers.BranchesAnswer:
    """All driver branches."""
    return answers.BranchesAnswer(
        [
            answers.BranchRow(
                branch=row.branch,
                part=row.part,
                vgpu_release=row.vgpu_release,
                newest_external=f"{row.newest_external:#x}",
                host_range=spell_range(row.host_range),
                guest_minimum=spell_version(row.guest_minimum),
                basis=row.basis,
                source=row.source,
            )
            for row in facts.branches()
        ]
    )


def sources() -> answers.SourcesAnswer:
    """All sources."""
    return answers.SourcesAnswer(
        [answers.SourceRow(row.key, row.title, row.where) for row in facts.sources().values()]
    )


def search(text: str) -> answers.SearchAnswer:
    """Every row that spells a text."""
    hits = facts.search(text)
    return answers.SearchAnswer(text, [answers.HitRow(h.kind, h.name, h.summary, h.source) for h in hits])


def _board(row: Board) -> answers.BoardRow:
    return answers.BoardRow(
        board=row.key,
        generation=row.generation.name.lower(),
        framebuffer_mib=row.framebuffer_mib,
        mig_slices=row.mig_slices,
        marketing_names=list(row.marketing_names),
        pci_ids=[_pci(pci) for pci in row.pci_ids],
        vgpu_types=len(facts.types_of_board(row.key)),
        source=row.source,
    )


def _type(row: VgpuType) -> answers.TypeRow:
    return answers.TypeRow(
        type=row.short,
        long=row.long,
        mdev=row.mdev_name if row.has_known_type_id else None,
        board=row.board,
        series=row.series,
        framebuffer_mib=row.framebuffer_mib,
        gi_slices=row.gi_slices,
        max_instances=row.max_instances,
        max_instances_basis=row.max_instances_basis,
        type_id=row.type_id,
        type_id_known=row.has_known_type_id,
        device_id=f"{row.device_id:04X}",
        subsystem_id=f"{row.subsystem_id:04X}",
        heads=row.heads,
        max_x=row.max_x,
        max_y=row.max_y,
        frame_rate_limit=row.frame_rate_limit,
        cuda=row.cuda,
        placements=list(supported_placements(facts.board(row.board), row)),
        source=row.source,
        type_id_source=row.type_id_source,
    )


def _pci(pci: PciId) -> str:
    return f"{pci.device:04X}" if pci.subsystem is None else f"{pci.device:04X}:{pci.subsystem:04X}"
