"""Write native/fuzz/calls.h: every NVML function and the shape of its arguments, for the fuzzers.

    python tools/make_fuzz_calls.py FOLDER_OF_NVML_H > native/fuzz/calls.h

Names, kinds and sizes are read from NVIDIA's own header; the compiler says the sizes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vgpu_migrate.nvml.symbols import symbols

HANDLES = {
    "nvmlDevice_t": "d",
    "nvmlVgpuInstance_t": "i",
    "nvmlVgpuTypeId_t": "t",
    "unsigned long long": "q",
}
"""Arguments passed by value; all others are words of 32 bits, or pointers that are opaque."""

OPAQUE = ("nvmlUnit_t", "nvmlEventSet_t", "nvmlGpuInstance_t", "nvmlComputeInstance_t", "nvmlGpmSample_t")

HEAD = """\
/* Every NVML function and the shape of its arguments. Made by tools/make_fuzz_calls.py.

   d device, i vgpu instance, t vgpu type, w word, q two words, h opaque handle; s text;
   pN pointer to N bytes; c text buffer, its size the next argument;
   n pointer to a count, of the N-byte elements aN that the next argument points to;
   bN buffer, its size in bytes where the next argument, z, points to. */
#define FUZZ_CALLS(X) \\
"""


class Prototype(NamedTuple):
    """A function of the header: its name and each argument's type and name."""

    name: str
    arguments: tuple[tuple[str, str], ...]


def prototypes(folder: Path) -> list[Prototype]:
    """The functions that a folder's nvml.h declares and that answer a return code, in its order."""
    text = (folder / "nvml.h").read_text(encoding="utf-8", errors="replace")
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"//.*", "", text)
    found = re.findall(r"nvmlReturn_t\s+DECLDIR\s+(\w+)\s*\(([^)]*)\)\s*;", text)
    return [
        Prototype(name, tuple(split(part) for part in inside.split(",") if part.strip() not in ("", "void")))
        for name, inside in found
    ]


def split(argument: str) -> tuple[str, str]:
    """Type and name of an argument."""
    match = re.fullmatch(r"(.*?)\s*(\w+)", " ".join(argument.split()))
    assert match is not None, argument
    return match[1].replace(" *", "*"), match[2]


def pointee(kind: str) -> str | None:
    """What a pointer points to; None where it is none."""
    return kind.removesuffix("*").removeprefix("const ") if kind.endswith("*") else None


def sizes(folder: Path, types: Iterable[str]) -> dict[str, int]:
    """What the compiler says of the sizes of types."""
    wanted = sorted(set(types))
    lines = "".join(f'printf("%zu\\n", sizeof({one}));' for one in wanted)
    program = f"#include <stdio.h>\n#include <nvml.h>\nint main(void) {{ {lines} return 0; }}\n"
    with tempfile.TemporaryDirectory() as work:
        source, binary = Path(work) / "sizes.c", Path(work) / "sizes"
        source.write_text(program, encoding="ascii")
        subprocess.run(["cc", "-I", folder, source, "-o", binary], check=True)  # noqa: S603, S607
        said = subprocess.run([binary], check=True, capture_output=True, text=True).stdout  # noqa: S603
    return dict(zip(wanted, map(int, said.split()), strict=True))


def shape(prototype: Prototype, size_of: dict[str, int]) -> str:
    """The arguments of a function in the words of `HEAD`."""
    words: list[str] = []
    following = [*prototype.arguments[1:], ("", "")][: len(prototype.arguments)]
    for (kind, name), (next_kind, next_name) in zip(prototype.arguments, following, strict=True):
        target = pointee(kind)
        previous = words[-1] if words else ""
        if target is None:
            words.append(HANDLES.get(kind, "h" if kind in OPAQUE else "w"))
        elif previous.startswith("b"):
            words.append("z")
        elif previous == "n":
            words.append(f"a{size_of[target]}")
        elif kind == "const char*":
            words.append("s")
        elif next_kind == "unsigned int*" and next_name.lower().endswith(("size", "length")):
            words.append(f"b{size_of[target]}")
        elif target == "char" and next_kind == "unsigned int":
            words.append("c")
        elif target == "unsigned int" and is_count(name, next_kind, next_name):
            words.append("n")
        else:
            words.append(f"p{size_of[target]}")
    return " ".join(words)


def is_count(name: str, next_kind: str, next_name: str) -> bool:
    """Whether a pointer to a number counts the elements that the next argument points to."""
    is_average = next_name.startswith("average")  # of the encoder's statistics, a number itself
    return "count" in name.lower() and pointee(next_kind) is not None and not is_average


def main() -> int:
    """Write the table to the standard output."""
    folder = Path(sys.argv[1])
    declared = {one.name: one for one in prototypes(folder)}
    targets = [target for one in declared.values() for kind, _ in one.arguments if (target := pointee(kind))]
    size_of = sizes(folder, targets)
    names = [symbol.name for symbol in symbols()]
    rows = [
        f'    X({name}, "{shape(declared[name], size_of) if name in declared else ""}")'
        for name in names
        if name != "nvmlErrorString"
    ]
    sys.stdout.write(HEAD + " \\\n".join(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
