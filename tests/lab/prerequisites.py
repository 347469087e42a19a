"""What the laboratory wants of the machine, and what tests do where it is not there."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from typing import Any, NoReturn

import pytest

try:
    import libvirt as libvirt
except ImportError:
    libvirt = None

PACKAGES = {
    "libvirtd": "libvirt-daemon libvirt-daemon-driver-qemu",
    "virsh": "libvirt-clients",
    "qemu-system-x86_64": "qemu-system-x86",
    "as": "binutils",
    "ld": "binutils",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
}
"""The programs, and the Debian packages that have them."""

LIBVIRT_PYTHON = (
    "libvirt-python: apt-get install gcc libvirt-dev pkg-config; pip install 'vgpu-migrate[libvirt]'"
)
REQUIRED = "VGPU_MIGRATE_LAB"
"""Set to `required`: where something is missing the tests fail and are not skipped."""

WHERE = "/usr/sbin:/usr/bin:/sbin:/bin"


def missing_packages() -> list[str]:
    """The Debian packages of programs that are not there."""
    lists = [names for program, names in PACKAGES.items() if not shutil.which(program, path=WHERE)]
    return sorted({name for names in lists for name in names.split()})


@cache
def missing() -> tuple[str, ...]:
    """What is missing, each with how to get it; empty where the laboratory can be built."""
    found = []
    if os.geteuid() != 0:
        found.append("root: sudo make lab, sudo make test")
    packages = missing_packages()
    if packages:
        found.append(f"Debian packages: apt-get install --no-install-recommends {' '.join(packages)}")
    if libvirt is None:
        found.append(LIBVIRT_PYTHON)
    if not found and not _may_have_namespaces():
        found.append("namespaces of its own (unshare is forbidden here): a container wants --privileged")
    return tuple(found)


def _may_have_namespaces() -> bool:
    command = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "mount", "-t", "proc"]
    done = subprocess.run([*command, "proc", "/proc"], check=False, capture_output=True)
    return done.returncode == 0


def is_required() -> bool:
    """Whether a missing laboratory is a failure."""
    return os.environ.get(REQUIRED) == "required"


def lacking(wanted: str) -> NoReturn:
    """Skip a test, or a module of tests while it is imported; where the laboratory is required, fail."""
    if is_required():
        pytest.fail(f"wanted {wanted}", pytrace=False)
    pytest.skip(f"wanted {wanted}", allow_module_level=True)


def imported_libvirt() -> Any:
    """libvirt-python, for a module of tests that is nothing without it."""
    if libvirt is None:
        lacking(LIBVIRT_PYTHON)
    return libvirt


lab_marks = pytest.mark.skipif(
    not is_required() and bool(missing()), reason=f"no laboratory: wanted {'; '.join(missing())}"
)
"""For each module of tests in the laboratory, as its `pytestmark`."""
