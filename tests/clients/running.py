"""Programs run beside a live host: in whose folder they lie, with which environment, and what they said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from vgpu_migrate import dropin
from vgpu_migrate.errors import OutsideError

PROGRAMS = Path(__file__).parent / "programs"
CLIENTS = Path(os.environ.get("VGPU_MIGRATE_CLIENTS", Path(sys.prefix) / "clients"))
"""Where `tools/make_clients.py` has put the programs, each in a folder of its own."""

OTHER_BUILD = "VGPU_MIGRATE_TEST_LIBRARY"
"""The environment variable that names the folder of another build of the library, as for coverage."""
PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LLVM_PROFILE_FILE")

ENDS_WITHIN_S = 60


def client(name: str) -> Path:
    """The folder of a client; the test is skipped where it was not made."""
    folder = CLIENTS / name
    if not (folder / ".complete").is_file():
        pytest.skip(f"no {folder}: python tools/make_clients.py makes it")
    return folder


def nvml_header() -> Path:
    """The folder of NVIDIA's own nvml.h."""
    return next(client("nvml-header").rglob("nvml.h")).parent


def compiler() -> str:
    """A C compiler; the test is skipped where there is none."""
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        pytest.skip("no C compiler: apt-get install gcc")
    return found


def library_dir() -> Path:
    """Where the library is, or another build of it; the test is skipped where it was not built."""
    if OTHER_BUILD in os.environ:
        return Path(os.environ[OTHER_BUILD])
    try:
        return dropin.library_dir()
    except OutsideError as error:
        pytest.skip(str(error))


def environment(socket: Path, *, library: Path | None = None, **more: str) -> dict[str, str]:
    """The environment in which a program finds the library in a folder, and by it the host at a socket."""
    folder = library or library_dir()
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {"LD_LIBRARY_PATH": str(folder), "VGPU_MIGRATE_HOST": str(socket)} | more


def compile_c(source: Path, folder: Path, *flags: str | Path, library: Path | None = None) -> Path:
    """A C program linked with the library, without a warning."""
    binary = folder / source.stem
    command = [compiler(), "-std=gnu11", "-O1", "-g", "-pthread", "-Wall", "-Wextra", "-Werror"]
    link = ["-L", str(library or library_dir()), "-l:libnvidia-ml.so.1"]
    run([*command, *map(str, flags), str(source), *link, "-o", str(binary)], os.environ)
    return binary


def run(command: Sequence[str], env: Mapping[str, str]) -> str:
    """What a program writes; that it ends well, and says nothing on the side, is part of the test."""
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), (done.stdout + done.stderr)[-3000:]
    return done.stdout


def ask(name: str, program: str, socket: Path, *arguments: str) -> dict[str, Any]:
    """What a program of `programs/` finds out through a client, nothing of this project in its path."""
    env = environment(socket, PYTHONPATH=str(client(name)), PYTHONDONTWRITEBYTECODE="1")
    answers: dict[str, Any] = json.loads(
        run([sys.executable, "-S", str(PROGRAMS / program), *arguments], env)
    )
    return answers
