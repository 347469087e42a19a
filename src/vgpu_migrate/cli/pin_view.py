"""A host's pin for people."""

from __future__ import annotations

from vgpu_migrate.cli.host_view import say_range
from vgpu_migrate.cli.pin_types import PinAnswer, UnitFilesAnswer
from vgpu_migrate.cli.screen import GOOD, NOTE, STRONG, Cell, Column, Screen, Words, some

REMEDIES = {
    "unreachable": "none that answers for vGPUs",
    "not-supported": "it runs no vGPU Manager",
    "outside-preset": "it is not inside the driver's preset range; pin another one, or install the driver "
    "that it was made for",
    "not-applied": "nobody has set it since the driver was loaded; `vgpu-migrate host pin --apply` does",
}


def show_pin(screen: Screen, found: PinAnswer) -> None:
    """The pin, the driver's ranges, and why they differ."""
    pin = "no pin" if found.pin is None else f"pinned to {say_range(found.pin)}"
    screen.line([Cell(found.host, STRONG), f": {pin} ({found.file})"])
    rows: list[tuple[str, Words]] = []
    if found.preset_range is not None:
        rows += [("preset range", say_range(found.preset_range)), ("in force", _in_force(found))]
    if found.why is not None:
        rows.append(("driver" if found.why == "unreachable" else "why not", Cell(_why(found), NOTE)))
    with screen.indented():
        screen.facts(rows)


def _in_force(found: PinAnswer) -> Words:
    said = say_range(found.range)
    if found.pin is None:
        override = found.range != found.preset_range
        return [said, Cell(" set by hand: lost when the driver is loaded again", NOTE)] if override else said
    return [said, Cell(" the pin", GOOD)] if found.in_force else said


def _why(found: PinAnswer) -> str:
    if found.why == "in-use":
        return (
            f"VMs with vgpus are running: {some(found.vms, 12)}; move or stop them, then "
            "`vgpu-migrate host pin --apply`"
        )
    return REMEDIES[found.why or "not-applied"]


def show_files(screen: Screen, found: UnitFilesAnswer) -> None:
    """One line a file."""
    screen.table((Column("file"), Column("")), ([row.path, row.done] for row in found.files))
