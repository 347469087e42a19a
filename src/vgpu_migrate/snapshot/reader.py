"""A snapshot's bytes as dictionaries, for tests and for a look by hand. The C library is the other reader.

It believes what it reads: it is for snapshots of one's own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from vgpu_migrate.snapshot.layout import (
    COMPARISON,
    CONSTANT_OPERAND,
    FAULT,
    FIELDS,
    GPU,
    HEADER,
    HOST,
    INSTANCE,
    OPERATORS,
    RULE,
    STATIC,
    TYPE,
    TYPE_ROOM,
    WORD,
    Structure,
)

Row = dict[str, Any]


def read_row(structure: Structure, data: bytes | memoryview, offset: int) -> Row:
    """One structure: its integers, texts up to their NUL, bytes as they are, several of one as a tuple."""
    values = iter(structure.struct.unpack_from(data, offset))
    row: Row = {}
    for member in structure.members:
        if member.type == "char":
            row[member.name] = next(values).partition(b"\0")[0].decode("ascii")
        elif member.type == "bytes" or member.count == 1:
            row[member.name] = next(values)
        else:
            row[member.name] = tuple(next(values) for _ in range(member.count))
    return row


def read_rows(structure: Structure, data: bytes | memoryview, offset: int, count: int) -> list[Row]:
    """So many structures, one after the other."""
    return [read_row(structure, data, offset + index * structure.size) for index in range(count)]


def read_header(data: bytes | memoryview) -> Row:
    """The first page."""
    return read_row(HEADER, data, 0)


def read_static(data: bytes | memoryview, offset: int) -> Row:
    """The static part: its head, and under `types`, `words`, `rules` and `comparisons` what it leads to."""
    head = read_row(STATIC, data, offset)
    pool = _words(data, head["pool_offset"], head["pool_count"])
    types = read_rows(TYPE, data, head["types_offset"], head["types_count"])
    for one in types:
        one["placements"] = _list(one, "placements", pool)
    return head | {
        "types": types,
        "words": read_rows(WORD, data, head["words_offset"], head["words_count"]),
        "rules": read_rows(RULE, data, head["rules_offset"], head["rules_count"]),
        "comparisons": read_rows(COMPARISON, data, head["comparisons_offset"], head["comparisons_count"]),
    }


def read_slot(data: bytes | memoryview, offset: int) -> Row:
    """A slot: its head, and under `gpus`, `instances`, `faults` and `index` what it leads to."""
    head = read_row(HOST, data, offset)
    pool = _words(data, head["pool_offset"], head["pool_count"])
    rooms = read_rows(TYPE_ROOM, data, head["type_rooms_offset"], head["type_rooms_count"])
    for room in rooms:
        room["creatable"] = _list(room, "creatable", pool)
    gpus = read_rows(GPU, data, head["gpus_offset"], head["gpus_count"])
    for gpu in gpus:
        for name in ("active", "supported", "creatable"):
            gpu[name] = _list(gpu, name, pool)
        gpu["rooms"] = _list(gpu, "rooms", rooms)
    return head | {
        "gpus": gpus,
        "instances": read_rows(INSTANCE, data, head["instances_offset"], head["instances_count"]),
        "faults": read_rows(FAULT, data, head["faults_offset"], head["faults_count"]),
        "index": _words(data, head["index_offset"], head["index_mask"] + 1),
    }


def read_in_force(data: bytes | memoryview) -> Row:
    """The slot that is in force in a whole snapshot."""
    header = read_header(data)
    return read_slot(data, header["slot_offset"][header["generation"] & 1])


def find_instance(slot: Row, handle: int) -> Row | None:
    """An instance by its handle, through the index, as the library finds it."""
    mask, index = slot["index_mask"], slot["index"]
    position = handle & mask
    while index[position]:
        found: Row = slot["instances"][index[position] - 1]
        if found["handle"] == handle:
            return found
        position = (position + 1) & mask
    return None


def condition_text(comparisons: Sequence[Row]) -> str:
    """A row's comparisons in the spelling of the rule table, constants as numbers."""
    alternatives: list[list[str]] = [[]]
    for one in comparisons:
        operator = OPERATORS[one["operator"]]
        words = [FIELDS[one["left"]], operator]
        if not operator.startswith("is "):
            is_constant = one["right"] == CONSTANT_OPERAND
            words.append(str(one["constant"]) if is_constant else FIELDS[one["right"]])
        alternatives[-1].append(" ".join(words))
        if one["ends"]:
            alternatives.append([])
    return " or ".join(" and ".join(alternative) for alternative in alternatives if alternative)


def _words(data: bytes | memoryview, offset: int, count: int) -> tuple[int, ...]:
    return struct.unpack_from(f"<{count}I", data, offset)


def _list(row: Row, name: str, pool: Sequence[Any]) -> list[Any]:
    first = row.pop(f"{name}_first")
    return list(pool[first : first + row.pop(f"{name}_count")])
