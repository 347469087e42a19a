"""Live sysfs mounts to test with, and the way to look at one: as another process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vgpu_migrate.manager import VgpuManager
from vgpu_migrate.sysfs import SysfsModel, SysfsMount

SHARED = os.environ.get("VGPU_MIGRATE_SHARED")

needs_fuse = pytest.mark.skipif(
    not os.access("/dev/fuse", os.R_OK | os.W_OK) or (os.getuid() != 0 and not shutil.which("fusermount3")),
    reason="wanted /dev/fuse, and root or fusermount3, to mount",
)
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="wanted root, to bind over /sys in a namespace")


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where a program is not installed."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"wanted {program} to be installed")


@contextmanager
def mounted(
    manager: VgpuManager, directory: Path, *, model: SysfsModel = SysfsModel.AUTO, rest_of: str | None = None
) -> Iterator[Path]:
    """The sysfs of a manager's host on a directory."""
    mount = SysfsMount(
        directory,
        state=lambda: manager.state,
        create_device=manager.create_device,
        remove_device=manager.remove_device,
        place_device=manager.place_device,
        model=model,
        rest_of=rest_of,
    )
    with mount:
        yield directory


def said(*command: str | Path) -> str:
    """What a program prints that ends well."""
    done = subprocess.run(
        [str(one) for one in command], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def with_sys(directory: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script where the directory is bound over /sys."""
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", f'mount --bind "$0" /sys && {{ {script}\n}}', str(directory)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def captured(name: str) -> str:
    """A capture of a real host; skips where there are none."""
    if SHARED is None:
        pytest.skip("VGPU_MIGRATE_SHARED does not name the folder that holds data/captures/")
    return (Path(SHARED) / "data" / "captures" / name).read_text(encoding="utf-8")


PYTHON = sys.executable
