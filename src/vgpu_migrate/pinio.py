"""The pin's file, `/etc/vgpu-migrate/pin.toml`: the range that a host shall keep to, over reboots too."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from vgpu_migrate.errors import InputError, OutsideError, Problem
from vgpu_migrate.files import atomic_write
from vgpu_migrate.nvml import U32_MAX, VersionRange
from vgpu_migrate.settingsio import read_settings_file

PIN_FILE = Path("/etc/vgpu-migrate/pin.toml")
_USUAL = PIN_FILE.parts[1:]

_TEXT = """\
# The range of vGPU versions that this host shall keep to. Written by `vgpu-migrate host pin --range`;
# `vgpu-migrate host pin --apply` puts it in force, as vgpu-migrate-pin.service does when the host starts.
range = ["{minimum:#x}", "{maximum:#x}"]
"""


def read_pin(path: Path) -> VersionRange | None:
    """The pin that a file holds; None where there is no file.

    Raises:
        InputError: it cannot be read or understood, or others than its owner may write it.
    """
    data = read_settings_file(path)
    if data is None:
        return None
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(Problem(str(path), f"no TOML: {error}", "wanted a pin")) from None
    if set(found) != {"range"}:
        raise InputError(Problem(str(path), f"keys {', '.join(found) or 'none'}", "wanted range alone"))
    bounds = found["range"]
    numbers = [_number(bound) for bound in bounds] if isinstance(bounds, list) else []
    if len(numbers) != 2 or None in numbers:
        raise InputError(
            Problem(f"{path}: range", repr(bounds), 'wanted two versions, as ["0x120001", "0x140001"]')
        )
    minimum, maximum = (number for number in numbers if number is not None)
    wanted = VersionRange(minimum, maximum)
    require_range(wanted, place=f"{path}: range")
    return wanted


def require_range(wanted: VersionRange, *, place: str) -> None:
    """Return where the minimum is not above the maximum.

    Raises:
        InputError: it is.
    """
    if wanted.minimum > wanted.maximum:
        raise InputError(Problem(place, str(wanted), "wanted a minimum that is not above the maximum"))


def _number(bound: object) -> int | None:
    """A vGPU version as a number or as `0x…` text; None: it is none."""
    if isinstance(bound, bool):
        return None
    try:
        number = int(bound, 0) if isinstance(bound, str) else bound
    except ValueError:
        return None
    return number if isinstance(number, int) and 0 <= number <= U32_MAX else None


def write_pin(path: Path, wanted: VersionRange) -> None:
    """Keep a pin, readable by its owner only; whole or not at all.

    Only the usual file's directory is made where it is missing, of a host's root elsewhere too.

    Raises:
        InputError: there is no directory for it.
        OutsideError: it cannot be written; what was there before is still there.
    """
    if path.absolute().parts[-len(_USUAL) :] == _USUAL:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutsideError(f"{error.filename}: cannot be made: {error.strerror}") from None
    atomic_write(path, _TEXT.format(minimum=wanted.minimum, maximum=wanted.maximum).encode())


def remove_pin(path: Path) -> bool:
    """Forget the pin; whether there was one.

    Raises:
        OutsideError: it cannot be removed.
    """
    if not os.path.lexists(path):
        return False
    try:
        path.unlink()
    except OSError as error:
        raise OutsideError(f"{path}: cannot be removed: {error.strerror}") from None
    return True
