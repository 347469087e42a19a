"""Write native/layout.h from the description of the snapshot in vgpu_migrate.snapshot.layout.

    python tools/make_native_headers.py [--check]

With `--check` nothing is written; exit status 1 if the header is not what the description gives.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vgpu_migrate.nvml import INVALID_PLACEMENT_ID
from vgpu_migrate.snapshot import layout

HEADER = Path(__file__).resolve().parent.parent / "native" / "layout.h"

_C_TYPES = {
    "u8": "uint8_t",
    "u16": "uint16_t",
    "u32": "uint32_t",
    "i32": "int32_t",
    "u64": "uint64_t",
    "char": "char",
    "bytes": "unsigned char",
}
_OPERATORS = {
    "=": "EQUAL",
    "!=": "NOT_EQUAL",
    "<": "LESS",
    "<=": "AT_MOST",
    ">": "GREATER",
    ">=": "AT_LEAST",
    "not in": "NOT_IN",
    "is known": "IS_KNOWN",
    "is unknown": "IS_UNKNOWN",
}


def text() -> str:
    """The whole header."""
    lines = [
        "/* The snapshot, byte for byte. Made by tools/make_native_headers.py from snapshot/layout.py, which",
        "   says what everything means. */",
        "#ifndef VGM_LAYOUT_H",
        "#define VGM_LAYOUT_H",
        "",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "",
        f'#define VGM_MAGIC "{layout.MAGIC.rstrip(bytes(1)).decode()}"',
        *(f"#define VGM_{name} {value}" for name, value in _constants().items()),
        "",
        *_enum("vgm_operator", "OPERATOR", [_OPERATORS[name] for name in layout.OPERATORS]),
        "",
        *_enum("vgm_field", "FIELD", [name.replace(".", "_").upper() for name in layout.FIELDS]),
    ]
    for structure in layout.STRUCTURES:
        lines += ["", *_structure(structure)]
    return "\n".join([*lines, "", "#endif", ""])


def _constants() -> dict[str, str]:
    return {
        "LAYOUT_VERSION": f"{layout.LAYOUT_VERSION}u",
        "NO_PLACEMENT": f"{INVALID_PLACEMENT_ID:#x}u",
        "ANY": f"{layout.ANY:#x}u",
        "HEARTBEAT_LIMIT_MS": f"{layout.HEARTBEAT_LIMIT_MS}u",
        "COUNTERS": f"{layout.COUNTERS}u",
        "CONSTANT_OPERAND": f"{layout.CONSTANT_OPERAND:#x}u",
        "MESSAGE_MAGIC": f"{layout.MESSAGE_MAGIC:#x}u",
        "ATTACH": f"{layout.ATTACH}u",
        "CALL": f"{layout.CALL}u",
    }


def _enum(name: str, prefix: str, members: Sequence[str]) -> list[str]:
    rows = [f"    {prefix}_{member} = {number}," for number, member in enumerate(members)]
    return [f"enum {name} {{", *rows, f"    {prefix}S = {len(members)}", "};"]


def _structure(structure: layout.Structure) -> list[str]:
    name = f"struct vgm_{structure.name}"
    lines = [f"/* {structure.said} */", f"{name} {{"]
    for member in structure.members:
        many = f"[{member.count}]" if member.count > 1 else ""
        lines.append(f"    {_C_TYPES[member.type]} {member.name}{many};")
    lines += ["};", f'_Static_assert(sizeof({name}) == {structure.size}, "{structure.name}");']
    for member in structure.members:
        offset = structure.offset(member.name)
        lines.append(
            f'_Static_assert(offsetof({name}, {member.name}) == {offset}, "{structure.name}.{member.name}");'
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the header. Exit status 0 done, 1 `--check` found a difference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the header differs")
    options = parser.parse_args(arguments)
    wanted = text()
    if HEADER.is_file() and HEADER.read_text(encoding="utf-8") == wanted:
        return 0
    if options.check:
        print(f"make_native_headers: {HEADER} is not what snapshot/layout.py gives", file=sys.stderr)
        return 1
    HEADER.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
