"""What `import` answers: the fleet file, and the report beside it."""

from __future__ import annotations

from collections.abc import Sequence

from vgpu_migrate.captures import Ground, HostCaptures, Imported, Ledger, fleet_yaml
from vgpu_migrate.cli.endings import say
from vgpu_migrate.cli.import_answers import (
    ContradictionRow,
    FieldRow,
    FileRow,
    HostRow,
    ImportAnswer,
    NoteRow,
)
from vgpu_migrate.cli.screen import count


def fleet_bytes(found: Imported, *, as_json: bool) -> bytes:
    """The fleet file: YAML with remarks, or JSON."""
    if as_json:
        import msgspec

        return msgspec.json.format(msgspec.json.encode(found.data), indent=2) + b"\n"
    names = ", ".join(host["id"] for host in found.data["hosts"])
    return fleet_yaml(found.data, {**found.remarks, "": (f"From captures of {names}",)})


def answer(found: Imported, hosts: Sequence[HostCaptures], fleet: str | None) -> ImportAnswer:
    """The report as data."""
    rows = [_row(found, captures, ledger) for captures, ledger in zip(hosts, found.ledgers, strict=True)]
    return ImportAnswer(fleet, rows)


def _row(found: Imported, captures: HostCaptures, ledger: Ledger) -> HostRow:
    return HostRow(
        host=captures.host,
        written=captures.host not in found.left_out,
        capture=ledger.count(Ground.CAPTURE),
        facts=ledger.count(Ground.FACTS),
        given=ledger.count(Ground.GIVEN),
        unknown=ledger.count(Ground.UNKNOWN),
        files=[FileRow(file.name, file.kind) for file in captures.files],
        fields=[FieldRow(row.field, row.by.value, row.said) for row in ledger.fields],
        contradictions=[
            ContradictionRow(row.what, row.taken.text, row.taken.place, row.other.text, row.other.place)
            for row in ledger.contradictions
        ],
        notes=[NoteRow(row.text, row.place) for row in ledger.notes],
    )


def report(found: Imported, hosts: Sequence[HostCaptures], fleet: str | None) -> None:
    """The report for people, on standard error."""
    for row, ledger in zip(answer(found, hosts, fleet).hosts, found.ledgers, strict=True):
        given = f", {row.given} given" if row.given else ""
        counts = f"{row.capture} by capture, {row.facts} by facts{given}, {row.unknown} unknown"
        known = [file for file in row.files if file.kind is not None]
        total = row.capture + row.facts + row.given + row.unknown
        say(f"{row.host}: {count(len(known), 'capture')}, {count(total, 'field')}: {counts}")
        for file in row.files:
            if file.kind is None:
                say(f"  {file.file}: no known capture")
        for contradiction in ledger.contradictions:
            say(f"  contradiction: {contradiction}")
        for note in row.notes:
            say(f"  {note.place}: {note.text}")
        for field in row.fields:
            if field.field == "preset_range" and field.by == "facts":
                say(f"  preset_range {field.said}")
    if fleet is not None:
        written = count(len(found.data["hosts"]), "host")
        say(f"{fleet}: {written}, {count(len(found.data['vms']), 'VM')}")
