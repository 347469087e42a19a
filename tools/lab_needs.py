"""Install what the laboratory wants and this machine lacks: as root by apt-get, and libvirt-python by pip.

    python -m tools.lab_needs

Nothing is done where nothing is missing. The exit status is 1 where something still is; it says what, and how
to get it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.lab.prerequisites import libvirt, missing, missing_packages

ROOT = Path(__file__).parents[1]
TO_BUILD = ("gcc", "libvirt-dev", "pkg-config")
"""The Debian packages with which libvirt-python is built, beside Python's own header files."""


def main() -> int:
    """Install what is missing."""
    if missing() and os.geteuid() == 0:
        _install()
        # In a process of its own: what could not be imported a moment ago may be there now.
        again = "from tests.lab.prerequisites import missing; print('; '.join(missing()))"
        said = subprocess.run(  # noqa: S603 (this program)
            [sys.executable, "-c", again], cwd=ROOT, capture_output=True, text=True, check=True
        )
        left = said.stdout.strip()
    else:
        left = "; ".join(missing())
    if left:
        print(f"the laboratory wants {left}", file=sys.stderr)
    return 1 if left else 0


def _install() -> None:
    """As far as it goes."""
    packages = set(missing_packages())
    if libvirt is None:
        packages.update(TO_BUILD)
        if not Path(sysconfig.get_path("include"), "Python.h").exists():
            packages.add("python3-dev")
    if packages and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *sorted(packages)]
        for command in (["apt-get", "update", "-qq"], install):
            if subprocess.run(command, env=quiet, stdout=sys.stderr, check=False).returncode:  # noqa: S603 (above)
                return
    if libvirt is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--editable", f"{ROOT}[libvirt]"], stdout=sys.stderr, check=False)  # noqa: S603 (our own extra)


if __name__ == "__main__":
    sys.exit(main())
