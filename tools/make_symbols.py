"""Keep the table of NVML's functions, and make what is written from it.

    python tools/make_symbols.py            write native/symbols.h and docs/functions.md
    python tools/make_symbols.py --check    exit 1 if one of them differs, write nothing
    python tools/make_symbols.py --header nvml.h --facts nvml_abi.json
                                            bring symbols.csv up to date first

A function's number is its row, and clients and hosts of different age may meet, so the table is append-only:
new names go to the end, and a name that neither source has any more keeps its row. A new row is
`not_supported` until somebody writes the function in native/ and says `answers` here.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vgpu_migrate.nvml.symbols import OLDEST_UNLISTED, Symbol, symbols

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "src" / "vgpu_migrate" / "nvml" / "symbols.csv"

_PROTOTYPE = re.compile(r"DECLDIR\s+(nvml[A-Z]\w*)\s*\(")
_ERROR_STRING = "nvmlErrorString"  # its prototype answers a text, so it is declared differently


def names_of_header(text: str) -> set[str]:
    """Every function that a header declares."""
    return {*_PROTOTYPE.findall(text), _ERROR_STRING}


def since_by_name(facts: Mapping[str, object]) -> dict[str, int]:
    """For every function that a measured library has, the oldest driver major with it."""
    since: dict[str, int] = {}
    libraries = facts["real_symbols"]
    assert isinstance(libraries, dict)
    for library, names in libraries.items():
        major = int(library.removeprefix("libnvidia-ml.so.").split(".")[0])
        for name in names:
            since[name] = min(major, since.get(name, major))
    return since


def all_names(header: str, facts: Mapping[str, object]) -> set[str]:
    """Every public function: the header's, those of measured libraries and clients, those removed."""
    export, removed = facts["export"], facts["removed_since_10_1"]
    assert isinstance(export, dict)
    assert isinstance(removed, list)
    return names_of_header(header).union(since_by_name(facts), removed, *export.values())


def table_text(present: Sequence[Symbol], names: set[str], since: Mapping[str, int]) -> str:
    """`symbols.csv`: the rows there are, in their order, and behind them the new ones, by name."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("name", "since", "behaviour"))
    there = {symbol.name for symbol in present}
    for symbol in present:
        behaviour = "answers" if symbol.answers else "not_supported"
        writer.writerow((symbol.name, since.get(symbol.name, OLDEST_UNLISTED), behaviour))
    for name in sorted(names - there):
        writer.writerow((name, since.get(name, OLDEST_UNLISTED), "not_supported"))
    return out.getvalue()


def c_header(table: Sequence[Symbol]) -> str:
    """`native/symbols.h`: the functions' numbers, since when each exists, and those without behaviour."""
    lines = [
        "/* NVML's functions by number. Made by tools/make_symbols.py from nvml/symbols.csv. */",
        "#ifndef VGM_SYMBOLS_H",
        "#define VGM_SYMBOLS_H",
        "",
        "enum vgm_function {",
        *(f"    F_{symbol.name} = {symbol.number}," for symbol in table),
        f"    FUNCTIONS = {len(table)}",
        "};",
        "",
        "/* The oldest driver major that has each, by number. */",
        "#define VGM_SINCE \\",
        *_continued([f"    [{symbol.number}] = {symbol.since}," for symbol in table]),
        "",
        "/* Those that only answer NOT_SUPPORTED. */",
        "#define VGM_NOT_SUPPORTED(X) \\",
        *_continued([f"    X({symbol.name})" for symbol in table if not symbol.answers]),
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _continued(lines: Sequence[str]) -> list[str]:
    return [f"{line} \\" for line in lines[:-1]] + list(lines[-1:])


def page(table: Sequence[Symbol]) -> str:
    """`docs/functions.md`: which functions of NVML answer, and which exist but have no behaviour."""
    answering = [symbol for symbol in table if symbol.answers]
    silent = [symbol for symbol in table if not symbol.answers]
    return "\n".join(
        [
            "# NVML functions",
            "",
            "<!-- Made by tools/make_symbols.py from src/vgpu_migrate/nvml/symbols.csv. -->",
            "",
            f"The drop-in `libnvidia-ml.so.1` exports {len(table)} functions: every one that NVIDIA's newest",
            "header declares and every one that its libraries have exported since driver 390.",
            f"{len(answering)} of them answer from the simulated host, {len(silent)} exist so that programs",
            "start and answer `NOT_SUPPORTED`.",
            "",
            "*Since* is the oldest driver major seen to have the function, of 390, 470, 535 and 570, else",
            "580. On a host whose simulated driver is older, the function answers `FUNCTION_NOT_FOUND`.",
            "",
            "## Functions that answer",
            "",
            *_rows(answering),
            "",
            "## Functions that answer NOT_SUPPORTED",
            "",
            *_rows(silent),
            "",
        ]
    )


def _rows(table: Sequence[Symbol]) -> list[str]:
    by_name = sorted(table, key=lambda symbol: symbol.name)
    return [
        "| function | since |",
        "|---|---|",
        *(f"| `{symbol.name}` | {symbol.since} |" for symbol in by_name),
    ]


def made(table: Sequence[Symbol]) -> dict[Path, str]:
    """Every file written from the table."""
    return {ROOT / "native" / "symbols.h": c_header(table), ROOT / "docs" / "functions.md": page(table)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files. Exit status 0 done, 1 `--check` found a difference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--header", type=Path, help="NVIDIA's newest nvml.h")
    parser.add_argument("--facts", type=Path, help="nvml_abi.json of the research facts")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    options = parser.parse_args(arguments)
    if (options.header is None) != (options.facts is None):
        parser.error("--header and --facts go together")
    files: dict[Path, str] = {}
    if options.header is not None:
        header = options.header.read_text(encoding="utf-8")
        facts = json.loads(options.facts.read_text(encoding="utf-8"))
        text = table_text(symbols(), all_names(header, facts), since_by_name(facts))
        files[TABLE] = text
        if not options.check:
            TABLE.write_text(text, encoding="utf-8")
            symbols.cache_clear()
    files |= made(symbols())
    differ = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in differ:
        if options.check:
            print(f"make_symbols: {path} differs from what its sources make", file=sys.stderr)
        else:
            path.write_text(text := files[path], encoding="utf-8")
            print(f"{path}: {len(text.splitlines())} lines")
    return 1 if options.check and differ else 0


if __name__ == "__main__":
    sys.exit(main())
