"""How much of a fleet file captures fill: each capture imported as a host of its own.

    python benchmarks/import_captures.py DIR [--driver VERSION] [--vm-memory MIB] [--json]

Every file of DIR that is a known capture becomes a host. Counted are the fields on each ground, as `import`
reports them: said by the capture, by the tables, by an option, by nobody; beside them contradictions. A file
that is no known capture is named, and so is one that gives no host by itself, mostly for want of a driver,
which --driver says; VMs without memory are left out unless --vm-memory says it. A file that cannot be read
ends it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from vgpu_migrate.captures import CaptureFile, Ground, HostCaptures, import_hosts, read_capture
from vgpu_migrate.errors import InputError


@dataclass(frozen=True)
class Row:
    """The fields of one capture by ground; `why_none` says why there are none."""

    file: str
    kind: str | None
    fields: int
    capture: int
    facts: int
    given: int
    unknown: int
    contradictions: int
    why_none: str | None = None


def row_of(path: Path, driver: str | None, vm_memory_mib: int | None) -> Row:
    """A file, imported as a host of its own.

    Raises:
        InputError: it is damaged.
    """
    found = read_capture(path.read_bytes(), file=path.name)
    if found is None:
        return Row(path.name, None, 0, 0, 0, 0, 0, 0, "no known capture")
    is_said = found[1].drivers or found[1].log_drivers
    host = HostCaptures("h", (CaptureFile(path.name, *found),), None if is_said else driver)
    try:
        (ledger,) = import_hosts([host], vm_memory_mib=vm_memory_mib).ledgers
    except InputError as error:
        seen = "; ".join(dict.fromkeys(problem.seen for problem in error.problems))
        return Row(path.name, found[0], 0, 0, 0, 0, 0, 0, f"no host by itself: {seen}")
    capture, facts, given, unknown = (
        ledger.count(by) for by in (Ground.CAPTURE, Ground.FACTS, Ground.GIVEN, Ground.UNKNOWN)
    )
    fields = len(ledger.fields)
    against = len(ledger.contradictions)
    return Row(path.name, found[0], fields, capture, facts, given, unknown, against)


def in_all(rows: list[Row]) -> Row:
    """The sums."""
    names = ("fields", "capture", "facts", "given", "unknown", "contradictions")
    return Row("in all", None, *(sum(getattr(row, name) for row in rows) for name in names))


def lines(rows: list[Row]) -> Iterator[str]:
    """The table, in Markdown."""
    yield "| capture | kind | fields | capture | facts | given | unknown | contradictions |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        numbers = (row.fields, row.capture, row.facts, row.given, row.unknown, row.contradictions)
        yield f"| {row.file} | {row.kind or '–'} | {' | '.join(map(str, numbers))} |"


def main() -> None:
    """Count, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--driver", metavar="VERSION", help="the driver of hosts whose capture says none")
    parser.add_argument(
        "--vm-memory", type=int, metavar="MIB", help="the memory of VMs of which none is said"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    for path in sorted(given.directory.iterdir()):
        if not path.is_file():
            continue
        try:
            rows.append(row_of(path, given.driver, given.vm_memory))
        except InputError as error:
            sys.exit(f"{path.name}: {error}")
    known = [row for row in rows if row.why_none is None]
    if not known:
        sys.exit(f"{given.directory}: no host from any of {len(rows)} files")
    for row in rows:
        if row.why_none is not None:
            print(f"{row.file}: {row.why_none}", file=sys.stderr)
    if given.json:
        print(json.dumps([asdict(row) for row in (*known, in_all(known))], indent=1))
    else:
        print("\n".join(lines([*known, in_all(known)])))


if __name__ == "__main__":
    main()
