"""Sizes and offsets of the four structures, against numbers worked out by hand and against the headers' own.

The numbers are written out, because two values made by one program stay equal through the very drift that
one wants to catch.
"""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

import pytest

from vgpu_migrate.nvml.layout import COMPATIBILITY, PGPU_METADATA, VGPU_METADATA, VGPU_VERSION, Layout

U32, DRIVER = 4, 80
LAYOUTS = (VGPU_VERSION, VGPU_METADATA, PGPU_METADATA, COMPATIBILITY)


@pytest.mark.parametrize(
    ("layout", "size", "fields"),
    [
        (VGPU_VERSION, 8, [("minVersion", 0, U32), ("maxVersion", 4, U32)]),
        (
            VGPU_METADATA,
            # 3 words, 2 driver strings, 6 reserved words, and 4 words: 12 + 160 + 24 + 16 = 212
            212,
            [
                ("version", 0, U32),
                ("revision", 4, U32),
                ("guestInfoState", 8, U32),
                ("guestDriverVersion", 12, DRIVER),
                ("hostDriverVersion", 92, DRIVER),
                ("reserved", 172, 24),
                ("vgpuVirtualizationCaps", 196, U32),
                ("guestVgpuVersion", 200, U32),
                ("opaqueDataSize", 204, U32),
                ("opaqueData", 208, 4),
            ],
        ),
        (
            PGPU_METADATA,
            # 2 words, a driver string, a word, 5 reserved words, a range, and 2 words:
            # 8 + 80 + 4 + 20 + 8 + 8 = 128
            128,
            [
                ("version", 0, U32),
                ("revision", 4, U32),
                ("hostDriverVersion", 8, DRIVER),
                ("pgpuVirtualizationCaps", 88, U32),
                ("reserved", 92, 20),
                ("hostSupportedVgpuRange", 112, 8),
                ("opaqueDataSize", 120, U32),
                ("opaqueData", 124, 4),
            ],
        ),
        (COMPATIBILITY, 8, [("vgpuVmCompatibility", 0, U32), ("compatibilityLimitCode", 4, U32)]),
    ],
    ids=[layout.name for layout in LAYOUTS],
)
def test_layout_is_pinned(layout: Layout, size: int, fields: list[tuple[str, int, int]]) -> None:
    """Every field lies where these numbers say, and the structure ends where the last one does."""
    assert layout.size == size
    assert [tuple(field) for field in layout.fields] == fields
    assert all(layout.offset(name) == offset for name, offset, _ in fields)


def test_a_c_compiler_would_lay_them_out_alike() -> None:
    """The same members in ctypes, which aligns as the C compiler does, have the same offsets."""
    for layout in LAYOUTS:
        members = [
            (field.name, ctypes.c_uint32 if field.size == U32 else _words(field.name, field.size))
            for field in layout.fields
        ]
        structure = type(layout.name, (ctypes.Structure,), {"_fields_": members})
        assert ctypes.sizeof(structure) == layout.size
        assert [getattr(structure, field.name).offset for field in layout.fields] == [
            field.offset for field in layout.fields
        ]


def _words(name: str, size: int) -> Any:
    return ctypes.c_char * size if name.endswith("DriverVersion") else ctypes.c_uint32 * (size // U32)


@pytest.fixture(scope="module")
def abi() -> Any:
    """The table of structures as two versions of the header have them."""
    shared = os.environ.get("VGPU_MIGRATE_SHARED")
    if not shared:
        pytest.skip("VGPU_MIGRATE_SHARED does not name the folder that holds facts/nvml_abi.json")
    return json.loads((Path(shared) / "facts" / "nvml_abi.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
@pytest.mark.parametrize("header", ["10.1.243", "13.5.37"])
def test_layout_is_that_of_the_header(abi: Any, header: str, layout: Layout) -> None:
    """Same size and offsets in both headers, but that 10.1 counts the capability word as reserved."""
    structure = next(one for one in abi["structs"][header] if one["struct"] == layout.name)
    wanted = [(one["f"], one["off"], one["size"]) for one in structure["fields"]]
    fields = [tuple(field) for field in layout.fields]
    if header == "10.1.243" and layout is VGPU_METADATA:
        fields = [
            ("reserved", 172, 28) if name == "reserved" else (name, offset, size)
            for name, offset, size in fields
            if name != "vgpuVirtualizationCaps"
        ]
    assert (layout.size, fields) == (structure["size"], wanted)


def test_error_texts_are_those_of_a_real_driver(abi: Any) -> None:
    """Every code that driver 570 has a text for has that text here."""
    from vgpu_migrate.nvml import error_string

    texts = {int(code): text for code, text in abi["error_strings_570"].items()}
    assert {code: error_string(code) for code in texts} == texts
