"""A live host for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vgpu_migrate.cli import host_types as rows
from vgpu_migrate.cli.screen import BAD, BREAK, GOOD, NOTE, STRONG, WEAK, Cell, Column, Screen, Words, count

_STATE_STYLE = {"running": GOOD, "off": WEAK, "hibernated": WEAK}
_STAGES = {
    "offered": "offered to",
    "handed-over": "handed over to",
    "held": "held for",
    "withdrawn": "taken back from",
}


def show_host(screen: Screen, found: rows.HostAnswer) -> None:
    """The host in a line, its ranges, gpus and VMs, and what is unusual about it."""
    screen.line([Cell(found.host, STRONG), f": {_say_host(found)}"])
    with screen.indented():
        screen.facts(_ranges(found))
    screen.line()
    show_gpus(screen, found.gpus)
    if found.vms:
        screen.line()
        show_vms(screen, found.vms)
    if found.devices:
        screen.line()
        show_devices(screen, found.devices)
    if found.migrations:
        screen.line()
        _show_migrations(screen, found.migrations)
    if found.faults:
        screen.line()
        show_faults(screen, found.faults)
    for notice in found.notices:
        screen.line([Cell("note", NOTE), f": {notice}"])


def _say_host(found: rows.HostAnswer) -> str:
    parts = [
        f"driver {found.driver}",
        "vGPU Manager" if found.manager else "no vGPU Manager",
        found.hypervisor,
    ]
    parts.append(f"migration domain {found.domain}")
    if found.profile != "default":
        parts.append(f"profile {found.profile}")
    if not found.schedulable:
        parts.append("not schedulable")
    return ", ".join(parts)


def show_version(screen: Screen, found: rows.VersionAnswer) -> None:
    """A host's driver and ranges."""
    screen.line([Cell(found.host, STRONG), f": driver {found.driver}"])
    with screen.indented():
        screen.facts(_ranges(found))


def show_driver(screen: Screen, found: rows.DriverAnswer) -> None:
    """The real driver's host in a line, its ranges, gpus and vgpus."""
    screen.line([Cell(found.host, STRONG), f": driver {found.driver}, vGPU Manager"])
    with screen.indented():
        screen.facts(_ranges(found))
    screen.line()
    show_gpus(screen, found.gpus)
    screen.line()
    show_vgpus(screen, rows.VgpusAnswer(found.vgpus, []))


def _ranges(found: rows.VersionAnswer | rows.HostAnswer | rows.DriverAnswer) -> list[tuple[str, Words]]:
    by_hand = [Cell(" set by an administrator", NOTE)] if found.override else []
    return [
        ("preset range", f"{say_range(found.preset_range)} ({found.range_source})"),
        ("in force", [say_range(found.range), *by_hand]),
    ]


def show_gpus(screen: Screen, found: Sequence[rows.GpuRow]) -> None:
    """One line a gpu."""
    columns = (
        Column("gpu"),
        Column("board"),
        Column("PCI"),
        Column("mode"),
        Column("ECC"),
        Column("SR-IOV"),
        Column("MIG"),
        Column("used of MiB", right=True),
        Column("vgpus", right=True),
        Column("else", wraps=True, style=WEAK),
    )
    screen.table(
        columns,
        (
            [
                Cell(row.gpu, STRONG),
                row.board or row.name,
                row.pci or "–",
                row.mode or "–",
                _on(row.ecc),
                _on(row.sriov),
                "+".join(map(str, row.mig or ())) or "–",
                f"{row.used_mib:,} of {row.memory_mib:,}",
                f"{len(row.instances)}",
                ", ".join(_unusual(row)),
            ]
            for row in found
        ),
    )


def _unusual(row: rows.GpuRow) -> list[str]:
    said = [] if row.vgpu else ["no vGPU host"]
    return [*said, "migration off"] if row.migration is False else said


def _on(is_on: bool | None) -> str:
    return "–" if is_on is None else "on" if is_on else "off"


def show_vgpus(screen: Screen, found: rows.VgpusAnswer) -> None:
    """One line a vgpu, and one a device."""
    if found.vgpus:
        _show_vgpus(screen, found.vgpus)
    else:
        screen.line(Cell("No vgpus.", WEAK))
    if found.devices:
        screen.line()
        show_devices(screen, found.devices)


def _show_vgpus(screen: Screen, found: Sequence[rows.VgpuRow]) -> None:
    columns = (
        Column("instance", right=True),
        Column("type"),
        Column("gpu"),
        Column("VM"),
        Column("version"),
        Column("guest driver", wraps=True),
        Column("UUID", style=WEAK),
    )
    screen.table(columns, ([*_vgpu_cells(row), row.uuid] for row in found))


def _vgpu_cells(row: rows.VgpuRow) -> list[Words]:
    guest = row.guest
    return [
        Cell(f"{row.instance}", STRONG if row.active else WEAK),
        row.type,
        _place(row),
        row.vm if row.active else [row.vm, Cell(" (held)", NOTE)],
        "–" if guest is None else guest.version,
        Cell("not reported", NOTE) if guest is None else guest.driver or "not known",
    ]


def _place(row: rows.VgpuRow | rows.DeviceRow) -> str:
    return row.gpu if row.placement is None else f"{row.gpu}@{row.placement}"


def show_devices(screen: Screen, found: Sequence[rows.DeviceRow]) -> None:
    """One line a device."""
    columns = (
        Column("device"),
        Column("type"),
        Column("gpu"),
        Column("virtual function", right=True),
        Column("used by", wraps=True),
    )
    screen.table(
        columns,
        (
            [
                Cell(row.device, STRONG),
                row.type,
                _place(row),
                "–" if row.function is None else f"{row.function}",
                Cell("no VM", WEAK) if row.vm is None else f"{row.vm} (instance {row.instance})",
            ]
            for row in found
        ),
    )


def show_device(screen: Screen, row: rows.DeviceRow) -> None:
    """A device that was made, in a line."""
    where = "" if row.function is None else f", virtual function {row.function}"
    screen.line([Cell(row.device, STRONG), f": {row.type} on {_place(row)}{where}"])


def show_vms(screen: Screen, found: Sequence[rows.VmRow]) -> None:
    """One line a VM, its vgpus below each other."""
    columns = (
        Column("VM"),
        Column("state"),
        Column("vgpus"),
        Column("version"),
        Column("guest driver", wraps=True),
        Column("else", wraps=True, style=WEAK),
    )
    screen.table(columns, (_vm_cells(row) for row in found))


def _vm_cells(row: rows.VmRow) -> list[Words]:
    vgpus = [f"#{one.instance} {one.type} {_place(one)}" for one in row.vgpus]
    versions = dict.fromkeys("–" if one.guest is None else one.guest.version for one in row.vgpus)
    drivers = dict.fromkeys(one.guest.driver for one in row.vgpus if one.guest is not None)
    return [
        Cell(row.vm, STRONG),
        Cell(row.state, _STATE_STYLE.get(row.state, NOTE)),
        _lines(vgpus or [Cell(name, WEAK) for name in row.types]),
        ", ".join(versions) or "–",
        ", ".join(drivers) or (f"{row.guest_driver} (not reported)" if row.guest_driver else "not known"),
        "; ".join(_rest(row)),
    ]


def _lines(words: Sequence[str | Cell]) -> list[str | Cell]:
    return [piece for number, word in enumerate(words) for piece in ((BREAK, word) if number else (word,))]


def _rest(row: rows.VmRow) -> list[str]:
    said: list[str] = [] if row.role == "resident" else [row.role]
    if row.guest_driver_load is not None and not row.guest_driver_load.loaded:
        said.append("guest driver does not load")
    if row.saved_records:
        said.append(count(row.saved_records, "saved record"))
    return said


def show_vm(screen: Screen, row: rows.VmRow) -> None:
    """A VM as an operation left it, in a line."""
    vgpus = ", ".join(f"{one.type} on {one.gpu} (instance {one.instance})" for one in row.vgpus)
    said = [row.state, vgpus or "no vgpus", *_rest(row)]
    screen.line([Cell(row.vm, STRONG), f": {', '.join(said)}"])


def show_loading(screen: Screen, vm: str, found: rows.Loading) -> None:
    """What came of a guest driver's attempt to load, with both ranges."""
    guest = f"{found.guest_minimum or 'unknown'}-{found.guest_maximum or 'unknown'}"
    if found.guest_minimum is None and found.guest_maximum is None:
        guest = "is not known"
    ranges = f"its range {guest}, the host's {say_range(found.host_range)}"
    if found.loaded:
        outcome = Cell(f"guest driver {found.driver} has loaded with {found.version}", GOOD)
    else:
        outcome = Cell(f"guest driver {found.driver} does not load", BAD)
    screen.line([Cell(vm, STRONG), ": ", outcome, f"; {ranges}"])


def show_started(screen: Screen, found: rows.StartAnswer) -> None:
    """A VM that was started, and warnings."""
    show_vm(screen, found.vm)
    for warning in found.warnings:
        screen.line([Cell("warning", NOTE), f": {warning}"])


def show_migrated(screen: Screen, found: rows.MigrateAnswer) -> None:
    """A migration that was committed."""
    screen.line([Cell(found.vm, STRONG), ": ", Cell(f"now on {found.target}", GOOD)])


def _show_migrations(screen: Screen, found: Sequence[rows.MigrationRow]) -> None:
    columns = (Column("open migration"), Column("VM"), Column("stage"), Column("said last", wraps=True))
    screen.table(
        columns,
        (
            [
                row.migration,
                Cell(row.vm, STRONG),
                Cell(f"{_STAGES[row.stage]} {row.peer or 'no host yet'}", NOTE),
                f"{row.said} (asked {row.asks} times)" if row.asks else row.said,
            ]
            for row in found
        ),
    )


def show_faults(screen: Screen, found: Sequence[rows.FaultRow]) -> None:
    """One line a fault."""
    columns = (
        Column("fault", right=True),
        Column("function"),
        Column("of"),
        Column("answers"),
        Column("when", wraps=True),
        Column("calls", right=True),
    )
    screen.table(
        columns,
        (
            [
                Cell(f"{row.fault}", STRONG),
                row.function or "any",
                row.gpu or ("everything" if row.instance is None else f"vgpu {row.instance}"),
                Cell(_how(row), BAD if row.code else NOTE),
                ", ".join(_when(row)) or "always",
                f"{row.calls:,}",
            ]
            for row in found
        ),
    )


def _when(row: rows.FaultRow) -> list[str]:
    said = [f"after {count(row.after, 'call')}"] if row.after else []
    if row.probability < 1:
        said.append(f"with probability {row.probability:g}, seed {row.seed}")
    if row.left_s is not None:
        said.append(f"for {row.left_s:.0f} s")
    return said


def _how(row: rows.FaultRow) -> str:
    late = f"{row.delay_ms:g} ms late" if row.delay_ms else ""
    return ", ".join(filter(None, [f"{row.code} {row.says}" if row.code else "", late]))


def show_fault(screen: Screen, row: rows.FaultRow) -> None:
    """A fault that was set."""
    of = row.gpu or ("" if row.instance is None else f"vgpu {row.instance}")
    what = f"{row.function or 'every function'}{f' of {of}' if of else ''} answers {_how(row)}"
    screen.line([Cell(f"fault {row.fault}", STRONG), f": {', '.join([what, *_when(row)])}"])


def show_cleared(screen: Screen, found: rows.ClearAnswer) -> None:
    """How many faults were cleared."""
    screen.line(f"{count(found.cleared, 'fault')} cleared")


def show_done(screen: Screen, found: rows.DoneAnswer) -> None:
    """What was done."""
    screen.line(found.done)


def show_metadata(screen: Screen, found: rows.MetadataAnswer) -> None:
    """The fields of each record."""
    for number, row in enumerate(found.records):
        if number:
            screen.line()
        screen.line([Cell(found.vm or found.gpu or "", STRONG), f": {_say_record(found, row, number)}"])
        with screen.indented():
            screen.facts([*_record_facts(row)])


def _record_facts(row: rows.RecordRow) -> Iterator[tuple[str, Words]]:
    for name, value in row.seen.items():
        yield name.partition(".")[2].replace("_", " "), value
        if name == "vgpu.guest_info" and row.guest_driver is not None:
            yield "guest driver", row.guest_driver


def _say_record(found: rows.MetadataAnswer, row: rows.RecordRow, number: int) -> str:
    if found.gpu is not None:
        return "record of the gpu"
    which = "record" if len(found.records) == 1 else f"record {number + 1} of {len(found.records)}"
    return f"{which}, saved" if row.instance is None else f"{which}, instance {row.instance}"


def say_range(bounds: tuple[str, str] | None) -> str:
    """A range for people."""
    return "unknown" if bounds is None else f"{bounds[0]}-{bounds[1]}"
