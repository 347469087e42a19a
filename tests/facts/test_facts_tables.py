"""The tables are whole: counted, unique, consistent with each other, and every row names its source."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from vgpu_migrate import facts
from vgpu_migrate.facts import Generation, PciId
from vgpu_migrate.facts.rows import Branch
from vgpu_migrate.nvml import VersionRange


def branch_of(driver: str) -> Branch:
    """The one row of `branches.csv` that holds a Linux driver's numbers."""
    numbers = tuple(map(int, driver.split(".")))
    rows = [
        row
        for row in facts.branches()
        if row.branch == f"R{numbers[0]}"
        and (not row.spans or any(span.first <= numbers < span.before for span in row.spans))
    ]
    assert len(rows) == 1, driver
    return rows[0]


def test_every_row_of_the_research_is_there() -> None:
    """No table lost or gained a row."""
    counts = {
        "boards": len(facts.boards()),
        "types": len(facts.vgpu_types()),
        "known type ids": sum(row.has_known_type_id for row in facts.vgpu_types().values()),
        "boards with PCI ids": sum(bool(row.pci_ids) for row in facts.boards().values()),
        "releases": len(facts.releases()),
        "tags": len(facts.driver_tags()),
        "branches": len(facts.branches()),
        "aliases": len(facts.board_aliases()),
        "internal versions": len(facts.internal_versions()),
        "stun times": len(facts.stun_times()),
        "policy branches": len(facts.branch_policy().branches),
    }
    assert counts == {
        "boards": 66,
        "types": 1236,
        "known type ids": 797,
        "boards with PCI ids": 40,
        "releases": 111,
        "tags": 193,
        "branches": 26,
        "aliases": 17,
        "internal versions": 29,
        "stun times": 6,
        "policy branches": 14,
    }


def test_row_numbers_never_change() -> None:
    """Records carry row numbers, so the rows of version 0.1 keep their place for ever."""

    def digest(names: list[str]) -> str:
        return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]

    assert digest(list(facts.boards())[:66]) == "6504a4bdb0f7f4a0"
    assert digest(list(facts.vgpu_types())[:1236]) == "39ce9b9bd31d0fe2"


def test_rows_are_numbered_by_their_place() -> None:
    """A row's number is its place, and finds it again."""
    for place, board in enumerate(facts.boards().values()):
        assert board.row == place
        assert facts.board_by_row(place) is board
    for place, vgpu_type in enumerate(facts.vgpu_types().values()):
        assert vgpu_type.row == place
        assert facts.vgpu_type_by_row(place) is vgpu_type


def test_names_and_ids_of_types_are_unique() -> None:
    """Short names, long names, type ids and PCI ids each name one type."""
    types = facts.vgpu_types().values()
    assert len({row.long for row in types}) == 1236
    assert len({row.type_id for row in types}) == 1236
    assert len({(row.device_id, row.subsystem_id) for row in types}) == 1236


def test_known_type_ids_stay_below_the_synthetic_ones() -> None:
    """A synthetic type id is never one that a driver gives."""
    for row in facts.vgpu_types().values():
        assert (row.type_id < facts.SYNTHETIC_TYPE_ID_BASE) is row.has_known_type_id


def test_every_row_names_a_source_that_is_there() -> None:
    """Each source key, and each basis of max instances, stands in `sources.toml`; none there is unused."""
    policy = facts.branch_policy()
    used = {
        *(row.source for row in facts.boards().values()),
        *(row.source for row in facts.vgpu_types().values()),
        *(row.type_id_source for row in facts.vgpu_types().values()),
        *(row.max_instances_basis for row in facts.vgpu_types().values()),
        *(row.source for row in facts.releases()),
        *(row.source for row in facts.driver_tags().values()),
        *(row.source for row in facts.branches()),
        *(row.source for row in facts.board_aliases()),
        *(row.source for row in facts.internal_versions()),
        *(row.source for row in facts.stun_times()),
        policy.source,
        policy.same_branch_source,
        policy.previous_branch_source,
        policy.previous_lts_source,
        policy.otherwise_source,
        "series-defaults",
    }
    assert used == set(facts.sources())
    assert all(source.title and source.where for source in facts.sources().values())


def test_every_board_has_types_and_every_type_a_board() -> None:
    """The two tables speak of the same boards, and a board lists its types in the order of the table."""
    assert {row.board for row in facts.vgpu_types().values()} == set(facts.boards())
    listed = [row for key in facts.boards() for row in facts.types_of_board(key)]
    assert sorted(row.row for row in listed) == list(range(1236))
    for key in facts.boards():
        rows = [row.row for row in facts.types_of_board(key)]
        assert rows == sorted(rows)


def test_a_board_is_as_large_as_its_types_say() -> None:
    """Framebuffer is that of the largest time-sliced type, slices those of the largest MIG-backed one."""
    for board in facts.boards().values():
        types = facts.types_of_board(board.key)
        assert board.framebuffer_mib == max(row.framebuffer_mib for row in types if not row.is_mig_backed)
        assert board.framebuffer_mib == max(row.framebuffer_mib for row in types)
        assert board.mig_slices == max(row.gi_slices for row in types)


def test_generations_cover_every_board() -> None:
    """Each board has one generation; the number of boards of each is as assigned by name."""
    assert Counter(board.generation for board in facts.boards().values()) == {
        Generation.MAXWELL: 3,
        Generation.PASCAL: 6,
        Generation.VOLTA: 6,
        Generation.TURING: 5,
        Generation.AMPERE: 18,
        Generation.ADA: 9,
        Generation.HOPPER: 14,
        Generation.BLACKWELL: 5,
    }


def test_max_instances_are_within_the_limits() -> None:
    """Between 1 and 48 in all, at most 32 where time-sliced; derived ones say so."""
    for row in facts.vgpu_types().values():
        assert 1 <= row.max_instances <= (48 if row.is_mig_backed else 32), row.short
    assert Counter(row.max_instances_basis for row in facts.vgpu_types().values()) == {
        "listed": 673,
        "derived": 538,
        "derived by slices": 24,
        "derived against the list": 1,
    }


@pytest.mark.parametrize(
    ("name", "most", "basis"),
    [
        ("A100-1-5C", 7, "listed"),
        ("A10G-1Q", 24, "derived"),
        ("RTX6000-Ada-1B", 32, "derived"),
        ("A100B-2-10C", 3, "derived by slices"),
        ("RTX Pro 6000 Blackwell DC-16Q", 6, "derived against the list"),
    ],
)
def test_max_instances_of_one_type_per_basis(name: str, most: int, basis: str) -> None:
    """Listed where the vendor lists it, else framebuffer by framebuffer or slices by slices."""
    row = facts.vgpu_type(name)
    assert (row.max_instances, row.max_instances_basis) == (most, basis)


def test_ranges_of_tags_are_those_of_their_branch() -> None:
    """A tag and the part of the branch that holds it never say different things."""
    for tag, row in facts.driver_tags().items():
        branch = branch_of(tag)
        assert row.host_range == branch.host_range, tag
        assert row.guest_minimum == branch.guest_minimum, tag
        assert row.external_version == branch.newest_external, tag


def test_ranges_of_releases_are_those_of_their_branch() -> None:
    """A release and the part of the branch that holds its host driver never say different things."""
    for row in facts.releases():
        if row.host_range is not None:
            assert row.host_range == branch_of(row.host_linux).host_range, row.release


def test_linux_drivers_of_a_release_are_of_its_branch() -> None:
    """The first number of a Linux driver is the branch that its release names."""
    for row in facts.releases():
        for driver in filter(None, (row.host_linux, row.guest_linux)):
            assert f"R{driver.partition('.')[0]}" == row.branch, driver


def test_ranges_run_upwards() -> None:
    """No range is empty."""
    ranges: list[VersionRange | None] = [
        *(row.host_range for row in facts.releases()),
        *(row.host_range for row in facts.driver_tags().values()),
        *(row.host_range for row in facts.branches()),
    ]
    assert all(row.minimum <= row.maximum for row in ranges if row is not None)


def test_tags_carry_the_external_version_of_their_internal_one() -> None:
    """The tag's two numbers agree by the table of internal versions."""
    for row in facts.driver_tags().values():
        major, minor = (int(part, 16) for part in row.internal_version.split("."))
        externals = {
            known.external
            for known in facts.internal_versions()
            if known.internal_major == major and known.minor_first <= minor <= known.minor_last
        }
        assert externals == {row.external_version}, row.tag


def test_parts_of_r570_are_disjoint_and_leave_no_gap() -> None:
    """Every number of R570 is in exactly one of its three parts."""
    spans = sorted(span for row in facts.branches() if row.branch == "R570" for span in row.spans)
    assert spans[0].first == (570,)
    assert [span.before for span in spans[:-1]] == [span.first for span in spans[1:]]
    assert spans[-1].before == (571,)


def test_each_alias_finds_one_board() -> None:
    """PCI ids that stand for another's lead to the board of those."""
    found = {
        (row.alias.device, row.alias.subsystem): facts.boards_by_pci(*row.alias)
        for row in facts.board_aliases()
    }
    assert all(len(boards) == 1 for boards in found.values())
    assert found[0x20B8, 0x1581] == (facts.board("A100D"),)
    assert found[0x20FD, 0x17F8] == (facts.board("A800D"),)
    assert found[0x2BB9, 0x2092] == (facts.board("RTX 6000D"),)


def test_pci_ids_of_a_board_find_it() -> None:
    """A board is among those that its own ids find, and alone where its subsystem is known."""
    for board in facts.boards().values():
        for pci in board.pci_ids:
            found = facts.boards_by_pci(pci.device, pci.subsystem)
            assert board in found
            assert pci.subsystem is None or found == (board,)


@pytest.mark.parametrize(
    ("pci", "keys"),
    [
        (PciId(0x25B6, 0x14A9), ["A16"]),
        (PciId(0x25B6, 0x157E), ["A2"]),
        (PciId(0x25B6, None), ["A16", "A2"]),
        (PciId(0x25B6, 0x9999), ["A16", "A2"]),
        (PciId(0x1E30, None), ["RTX6000", "RTX8000"]),
        (PciId(0x20B8, None), ["A100D"]),
        (PciId(0x1B38, 0x1234), ["P40"]),
        (PciId(0x3182, None), ["B300X"]),
        (PciId(0x0001, 0x0002), []),
    ],
)
def test_boards_by_pci(pci: PciId, keys: list[str]) -> None:
    """An exact pair finds one board; a device that two boards share finds both; nothing is guessed."""
    assert [board.key for board in facts.boards_by_pci(pci.device, pci.subsystem)] == keys


def test_stun_times_are_those_published() -> None:
    """Seconds by framebuffer, as facts/README.md note 10 has them."""
    times = {row.framebuffer_mib // 1024: row.seconds for row in facts.stun_times()}
    assert times == {1: 2, 2: 4, 4: 6, 8: 12, 16: 22, 32: 39}
