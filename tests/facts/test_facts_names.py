"""Finding rows: boards and types by every spelling, searching for people, and what loading costs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgpu_migrate import facts
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.facts import Hit, VgpuType

DC = "RTX Pro 6000 Blackwell DC"


def spellings(row: VgpuType) -> list[str]:
    """All names under which a host may show a type."""
    names = [row.short, row.long, f"GRID {row.short}", f"NVIDIA {row.short}"]
    if row.known_type_id is not None:
        names.append(f"nvidia-{row.known_type_id}")
    if row.board == DC:
        names.append(row.short.replace(DC, "DC"))
    return names


@given(st.data())
def test_every_spelling_of_a_type_finds_it(data: st.DataObject) -> None:
    """Short, long, mdev and short-code names normalise to one type."""
    row = data.draw(st.sampled_from(list(facts.vgpu_types().values())))
    name = data.draw(st.sampled_from(spellings(row)))
    assert facts.vgpu_type(name) is row
    assert facts.vgpu_type_names()[name] is row


def test_the_names_are_those_and_no_others() -> None:
    """No spelling names two types, and none is known beyond the rule."""
    names = [name for row in facts.vgpu_types().values() for name in dict.fromkeys(spellings(row))]
    assert len(names) == len(set(names))
    assert set(facts.vgpu_type_names()) == set(names)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("nvidia-46", "P40-1Q"),
        ("GRID P40-1Q", "P40-1Q"),
        ("P40-1Q", "P40-1Q"),
        ("NVIDIA A40-8Q", "A40-8Q"),
        ("DC-1-12Q", f"{DC}-1-12Q"),
        (f"NVIDIA {DC}-1-12Q", f"{DC}-1-12Q"),
        ("nvidia-1428", "H200X-141C"),
    ],
)
def test_spellings_seen_on_hosts(name: str, short: str) -> None:
    """Names from the specification and from captures find the types they mean."""
    assert facts.vgpu_type(name).short == short


@pytest.mark.parametrize(
    "name", ["", "nvidia-", "nvidia-046", "nvidia-0", "T4", "t4-8q", "T4-8Q ", "nvidia-4660"]
)
def test_what_is_no_type_is_refused(name: str) -> None:
    """A name is a type's, letter by letter, or it is refused."""
    with pytest.raises(UnknownNameError):
        facts.vgpu_type(name)


def test_synthetic_type_ids_are_no_mdev_names() -> None:
    """An id that we made up is not one that a host shows."""
    row = facts.vgpu_type("A100B-10C")
    assert (row.known_type_id, row.type_id) == (None, 0x10000 + row.row)
    with pytest.raises(UnknownNameError):
        facts.vgpu_type(row.mdev_name)


def test_unknown_names_come_with_suggestions() -> None:
    """The nearest names are offered, whatever the case."""
    with pytest.raises(UnknownNameError) as caught:
        facts.vgpu_type("t4-8q")
    assert str(caught.value) == "unknown vgpu type t4-8q; did you mean T4-8Q or T4-8C?"
    with pytest.raises(UnknownNameError) as caught:
        facts.board("l40s")
    assert str(caught.value) == "unknown board l40s; did you mean L40S or L40?"
    with pytest.raises(UnknownNameError):
        facts.types_of_board("l40s")


@pytest.mark.parametrize("row", [-1, 66])
def test_board_rows_outside_the_table_are_refused(row: int) -> None:
    """A row number from a foreign record never wraps around."""
    with pytest.raises(UnknownNameError):
        facts.board_by_row(row)


@pytest.mark.parametrize("row", [-1, 1236])
def test_type_rows_outside_the_table_are_refused(row: int) -> None:
    """A row number from a foreign record never wraps around."""
    with pytest.raises(UnknownNameError):
        facts.vgpu_type_by_row(row)


def test_types_are_found_by_their_pci_ids() -> None:
    """Device and subsystem name one type, or none."""
    for row in facts.vgpu_types().values():
        assert facts.vgpu_type_by_pci(row.device_id, row.subsystem_id) is row
    assert facts.vgpu_type_by_pci(0x1EB8, 0xFFFF) is None


def test_search_looks_into_every_spelling() -> None:
    """A short-code name, whatever its case, finds the type; the hit says what it is and where from."""
    assert facts.search("dc-1-12q") == [
        Hit(
            "type",
            f"{DC}-1-12Q",
            f"{DC}, 1 of 4 MIG slices, 12288 MiB, at most 8 per gpu (listed), nvidia-1558",
            "chip-flags",
        )
    ]
    assert [(hit.kind, hit.name) for hit in facts.search("nvidia-1428")] == [("type", "H200X-141C")]
    assert [(hit.kind, hit.name) for hit in facts.search("a100-sxm4-40gb")] == [("board", "A100X")]
    assert [(hit.kind, hit.name) for hit in facts.search("1eb8:12a2")] == [("board", "T4")]


def test_search_finds_drivers_in_releases_and_tags() -> None:
    """A driver is found wherever a table names it, in the order of the kinds."""
    found = facts.search("550.54.14")
    assert [(hit.kind, hit.name) for hit in found] == [("release", "vGPU 17.0"), ("tag", "550.54.14")]
    assert facts.search("550.54.14", kinds=["tag"]) == found[1:]
    assert found[1] == Hit(
        "tag", "550.54.14", "2024-02-23, vGPU version 0x140001, host range 0x70001-0x140001", "version-tags"
    )


def test_search_shows_synthetic_ids_as_synthetic() -> None:
    """Nobody takes a made-up type id for the vendor's."""
    (hit,) = facts.search("A100B-10C")
    assert hit.summary.endswith("type id 0x1000e (synthetic)")


def test_search_that_finds_nothing_is_an_empty_list() -> None:
    """Nothing found is an answer."""
    assert facts.search("no such thing") == []


def test_search_refuses_unknown_kinds() -> None:
    """A kind that is none is the caller's mistake."""
    with pytest.raises(UnknownNameError) as caught:
        facts.search("T4", kinds=["boards"])
    assert str(caught.value) == "unknown kind boards; did you mean board?"


def test_every_hit_names_a_source_that_is_there() -> None:
    """Everything that can be shown says where it comes from."""
    hits = facts.search("")
    assert len(hits) == 66 + 1236 + 111 + 193 + 26
    assert {hit.source for hit in hits} <= set(facts.sources())


def test_import_reads_no_table() -> None:
    """Importing the room opens no file of `data` and imports neither numpy nor a TOML reader."""
    program = (
        "import sys; opened = []; "
        "sys.addaudithook(lambda event, values: event == 'open' and opened.append(str(values[0]))); "
        "import vgpu_migrate.facts; "
        "assert not [name for name in opened if '/facts/data/' in name], opened; "
        "assert not {'numpy', 'tomllib', 'importlib.resources'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_rules_text_is_that_of_the_file() -> None:
    """The rules are handed on as they stand."""
    assert "[[" in facts.rules_text()
