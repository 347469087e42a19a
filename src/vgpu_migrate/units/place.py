"""Where a host keeps units: ours put there, enabled, and taken away. Nobody else's are touched."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from vgpu_migrate.errors import InputError, OutsideError, Problem, UnknownNameError
from vgpu_migrate.files import atomic_write
from vgpu_migrate.vmm.hook_files import Done, FileDone, under

UNITS = Path("/etc/systemd/system")
MARK = "# Comes with vgpu-migrate: `vgpu-migrate host units uninstall` takes it away.\n"
PROGRAM = "/usr/bin/vgpu-migrate"
"""The program as the shipped units name it."""
PIN_UNIT = "vgpu-migrate-pin.service"
WATCH_UNIT = "vgpu-migrate-watch.service"

_SHIPPED = Path(__file__).parent


def shipped() -> tuple[str, ...]:
    """The names of the units that come with this program, in order."""
    return tuple(sorted(path.name for path in _SHIPPED.glob("*.service")))


def unit_text(name: str, python: Path) -> str:
    """A shipped unit as a host gets it.

    Args:
        name: one of `shipped`.
        python: the interpreter in whose environment this package is installed.
    """
    text = (_SHIPPED / name).read_text(encoding="utf-8")
    return text.replace(f"={PROGRAM} ", f"={_word(str(python))} -I -m vgpu_migrate ")


def _word(path: str) -> str:
    """A path as one word of a command line in a unit."""
    spelled = path.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{spelled}"' if spelled != path or any(character.isspace() for character in path) else path


def choose(names: Sequence[str]) -> tuple[str, ...]:
    """The shipped units of these names, with or without `.service`; without a name all of them.

    Raises:
        UnknownNameError: no shipped unit has that name.
    """
    there = shipped()
    found = [name if name.endswith(".service") else f"{name}.service" for name in names]
    for name in found:
        if name not in there:
            raise UnknownNameError("unit", name, there)
    return tuple(dict.fromkeys(found)) or there


def install(root: Path, python: Path, names: Iterable[str], *, enable: bool) -> tuple[FileDone, ...]:
    """Write units, and where they shall be enabled the links that their `[Install]` asks for.

    Raises:
        InputError: something else has a unit's or a link's name; nothing was written.
        OutsideError: they cannot be written.
    """
    wanted = {name: unit_text(name, python) for name in names}
    _require_ours(root, wanted, "nothing was written; move it away first")
    done = []
    for name, text in wanted.items():
        done.append(_write(root, name, text))
        if enable:
            done += [_link(link, UNITS / name) for link in _links(root, name, text)]
    return tuple(done)


def uninstall(root: Path, names: Iterable[str]) -> tuple[FileDone, ...]:
    """Remove units, and the links by which they are enabled.

    Raises:
        InputError: something else has a unit's name; nothing was removed.
        OutsideError: they cannot be removed.
    """
    wanted = tuple(names)
    _require_ours(root, wanted, "nothing was removed")
    done = []
    for name in wanted:
        done += [_remove(link) for link in enabling_links(root, name)]
        done.append(_remove(under(root, UNITS / name)))
    return tuple(done)


def enabling_links(root: Path, name: str) -> tuple[Path, ...]:
    """The links by which a unit is enabled, in `*.wants` and `*.requires`; none: it is not."""
    folder = under(root, UNITS)
    # Not `*.wants/NAME` in one pattern, which passes over a link whose target is not there, as below a root.
    folders = [*folder.glob("*.wants"), *folder.glob("*.requires")]
    return tuple(sorted(path / name for path in folders if (path / name).is_symlink()))


def _require_ours(root: Path, names: Iterable[str], wanted: str) -> None:
    for name in names:
        path = under(root, UNITS / name)
        if os.path.lexists(path) and not _is_ours(path):
            raise InputError(Problem(str(path), "not ours", wanted))


def _is_ours(path: Path) -> bool:
    try:
        return not path.is_symlink() and MARK in path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _write(root: Path, name: str, text: str) -> FileDone:
    path = under(root, UNITS / name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return FileDone(path, Done.KEPT)
    except OSError as error:
        raise OutsideError(f"{error.filename}: {error.strerror}") from None
    atomic_write(path, text.encode(), mode=0o644)
    return FileDone(path, Done.WRITTEN)


def _links(root: Path, name: str, text: str) -> list[Path]:
    unit = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(text)
    folder = under(root, UNITS)
    targets = unit.get("Install", "WantedBy", fallback="").split()
    return [folder / f"{target}.wants" / name for target in targets]


def _link(path: Path, target: Path) -> FileDone:
    if path.is_symlink():
        return FileDone(path, Done.KEPT)
    try:
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(target)
    except OSError as error:
        raise OutsideError(f"{path}: cannot be made: {error.strerror}") from None
    return FileDone(path, Done.WRITTEN)


def _remove(path: Path) -> FileDone:
    if not os.path.lexists(path):
        return FileDone(path, Done.ABSENT)
    try:
        path.unlink()
    except OSError as error:
        raise OutsideError(f"{path}: cannot be removed: {error.strerror}") from None
    return FileDone(path, Done.REMOVED)
