"""The hook's two files on a host: the script that libvirt runs, and its settings. Nobody else's are touched.

The script is one of the shell: an operation that is not ours ends in it within a millisecond, and where the
program is gone or does not run, guests without a vGPU and everything that runs go on.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from vgpu_migrate.errors import InputError, OutsideError, Problem
from vgpu_migrate.files import atomic_write
from vgpu_migrate.vmm.hook_settings import SETTINGS, TEMPLATE

SCRIPT = Path("/etc/libvirt/hooks/qemu.d/50-vgpu-migrate")
MARK = "# Written by `vgpu-migrate vm hook install`; `vgpu-migrate vm hook uninstall` takes it away.\n"
MODULE = Path(__file__).with_name("hook.py")
_SCRIPT_MODE = 0o755

_SCRIPT = """\
#!/bin/sh
{mark}case "$2 $3" in
"migrate begin" | "restore begin") ;;
*) exit 0 ;;
esac
python={python}
why="the hook's program is not at $python any more"
if [ -x "$python" ] && [ -e {module} ]; then
    # What a Python that fails has to say is not for the source: the hook itself takes 3 for its stderr.
    {{
        "$python" -I -c {code} "$@"
    }} 3>&2 2>/dev/null
    status=$?
    case $status in
    0) exit 0 ;;
    {refused}) exit 1 ;;
    esac
    why="the hook's program does not run with $python (status $status)"
fi
# It is gone, or has failed before it read the XML: guests without a vGPU go on. Where it had read it, or
# there is none, nobody knows.
xml=$(cat 2>/dev/null)
case $xml in
*urn:vgpu-migrate:* | *type=[\\"\\']mdev[\\"\\']*) ;;
*"<domain"*) exit 0 ;;
esac
echo "vgpu-migrate: guest $1, $2 $3: refused: $why" >&2
exit 1
"""
_CODE = """\
import os
from vgpu_migrate.vmm.hook import main
os.dup2(3, 2)
main({arguments})"""
_REFUSED = 3
"""The exit status by which the script knows a refusal from a Python that fails."""
RUNS_WITHIN_S = 10


class Done(StrEnum):
    """What became of a file."""

    WRITTEN = "written"
    KEPT = "kept"
    REMOVED = "removed"
    ABSENT = "absent"


class FileDone(NamedTuple):
    """A file, and what became of it."""

    path: Path
    done: Done


def script(python: Path, settings: Path = SETTINGS) -> str:
    """The script that libvirt runs.

    Args:
        python: the interpreter in whose environment this package is installed.
        settings: the hook's settings; what is installed has them in their place.
    """
    arguments = f"refusal={_REFUSED}"
    if settings != SETTINGS:
        arguments += f", settings=__import__('pathlib').Path({str(settings)!r})"
    return _SCRIPT.format(
        mark=MARK,
        python=shlex.quote(str(python)),
        module=shlex.quote(str(MODULE)),
        code=shlex.quote(_CODE.format(arguments=arguments)),
        refused=_REFUSED,
    )


def trouble_with(python: Path) -> str | None:
    """Why an interpreter cannot run the hook as the script does; None where it can.

    Nothing of the environment or of the working directory counts, as for a program that libvirt starts.
    """
    try:
        done = subprocess.run(  # noqa: S603 (an interpreter that libvirt runs too, with a list of arguments)
            [str(python), "-I", "-c", "from vgpu_migrate.vmm.hook import main"],
            env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            timeout=RUNS_WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {RUNS_WITHIN_S} s"
    except OSError as error:
        return error.strerror or "it cannot be started"
    if done.returncode == 0:
        return None
    lines = done.stderr.decode("utf-8", "backslashreplace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return said or f"it ends with status {done.returncode}"


def require_running(python: Path) -> None:
    """Make sure that an interpreter can run the hook.

    Raises:
        OutsideError: it cannot, and why.
    """
    trouble = trouble_with(python)
    if trouble is not None:
        raise OutsideError(
            f"the hook does not run with {python} -I: {trouble}; install vgpu-migrate into that "
            "interpreter's environment; nothing was written"
        )


def under(root: Path, path: Path) -> Path:
    """An absolute path below another root."""
    return root / path.relative_to("/")


def install(root: Path, python: Path) -> tuple[FileDone, ...]:
    """Write the script, and the settings where there are none.

    Raises:
        InputError: something else has the script's name.
        OutsideError: they cannot be written.
    """
    target, settings = under(root, SCRIPT), under(root, SETTINGS)
    if os.path.lexists(target) and not _is_ours(target):
        raise InputError(Problem(str(target), "not ours", "nothing was written; move it away first"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        settings.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutsideError(f"{error.filename}: cannot be made: {error.strerror}") from None
    kept = os.path.lexists(settings)
    if not kept:
        atomic_write(settings, TEMPLATE.encode(), mode=0o644)
    wanted = script(python)
    is_same = _text(target) == wanted and target.stat().st_mode & 0o777 == _SCRIPT_MODE
    if not is_same:
        atomic_write(target, wanted.encode(), mode=_SCRIPT_MODE)
    return (
        FileDone(target, Done.KEPT if is_same else Done.WRITTEN),
        FileDone(settings, Done.KEPT if kept else Done.WRITTEN),
    )


def uninstall(root: Path) -> tuple[FileDone, ...]:
    """Remove the script, and the settings where nobody changed them.

    Raises:
        InputError: something else has the script's name.
        OutsideError: they cannot be removed.
    """
    target, settings = under(root, SCRIPT), under(root, SETTINGS)
    if os.path.lexists(target) and not _is_ours(target):
        raise InputError(Problem(str(target), "not ours", "nothing was removed"))
    return _remove(target, ours=True), _remove(settings, ours=_text(settings) == TEMPLATE)


def _remove(path: Path, *, ours: bool) -> FileDone:
    if not os.path.lexists(path):
        return FileDone(path, Done.ABSENT)
    if not ours:
        return FileDone(path, Done.KEPT)
    try:
        path.unlink()
    except OSError as error:
        raise OutsideError(f"{path}: cannot be removed: {error.strerror}") from None
    return FileDone(path, Done.REMOVED)


def _is_ours(path: Path) -> bool:
    return not path.is_symlink() and MARK in (_text(path) or "")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
