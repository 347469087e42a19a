"""The drop-in `libnvidia-ml.so.1`: where it is. Its sources are in native/; the package's build puts it here.

A program uses it where this directory comes first in `LD_LIBRARY_PATH` and `VGPU_MIGRATE_HOST` names the
socket of a simulated host.
"""

from __future__ import annotations

from pathlib import Path

from vgpu_migrate.errors import OutsideError

LIBRARY = "libnvidia-ml.so.1"


def library_dir() -> Path:
    """The directory that holds the library, for `LD_LIBRARY_PATH`.

    Raises:
        OutsideError: the library was not built, because there was no C compiler; the message says what to do.
    """
    directory = Path(__file__).resolve().parent
    if not (directory / LIBRARY).is_file():
        raise OutsideError(
            f"{directory / LIBRARY} is not there: this package was built without a C compiler; install gcc "
            "(on Debian: apt-get install gcc libc6-dev) and install the package again with pip install "
            "--force-reinstall --no-deps --no-cache-dir, or in a checkout run python native/build.py"
        )
    return directory
