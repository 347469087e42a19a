"""The layout's own promises, and the reader's."""

from __future__ import annotations

import re
import struct

import pytest

from vgpu_migrate.snapshot.layout import HEADER, INSTANCE, LAYOUT_VERSION, STRUCTURES, Member, Structure
from vgpu_migrate.snapshot.reader import read_row


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: structure.name)
def test_members_leave_no_gaps(structure: Structure) -> None:
    """Each member lies at a multiple of its size, and a structure's size is one of its largest member's."""
    position = 0
    for member in structure.members:
        assert structure.offset(member.name) == position
        assert position % member.alignment == 0, member.name
        position += struct.calcsize("<" + member.code)
    assert structure.size == position
    assert structure.size % max(member.alignment for member in structure.members) == 0


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: structure.name)
def test_names_are_used_once_and_are_such_as_c_allows(structure: Structure) -> None:
    """Member names are lower-case words, each once in its structure."""
    names = [member.name for member in structure.members]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_a_member_that_is_not_there_has_no_offset() -> None:
    """To ask for it is a mistake of ours, told by its name."""
    with pytest.raises(KeyError, match="colour"):
        INSTANCE.offset("colour")


def test_a_member_may_be_several() -> None:
    """Several integers of one name are read as a tuple, a text up to its NUL."""
    structure = Structure("s", "said", Member("two", "u16", 2), Member("text", "char", 4))
    assert read_row(structure, b"\1\0\2\0ab\0x", 0) == {"two": (1, 2), "text": "ab"}
    assert Member("one", "u64").alignment == 8


def test_the_host_writes_to_lines_of_their_own() -> None:
    """Generation and heartbeat share no line of 64 bytes with what readers look at all the time."""
    lines = {name: HEADER.offset(name) // 64 for name in ("magic", "generation", "heartbeat_ms", "gone")}
    assert lines["generation"] not in (lines["magic"], lines["heartbeat_ms"])
    assert lines["heartbeat_ms"] == lines["gone"]


def test_sizes_are_pinned() -> None:
    """A library and a host of one layout version agree on every size: none changes without a new version."""
    assert LAYOUT_VERSION == 1
    assert {structure.name: structure.size for structure in STRUCTURES} == {
        "header": 256,
        "static": 80,
        "type": 360,
        "word": 8,
        "rule": 16,
        "comparison": 8,
        "host": 352,
        "gpu": 784,
        "type_room": 16,
        "instance": 648,
        "fault": 56,
        "message": 16,
        "call_body": 40,
        "call_answer": 16,
    }
