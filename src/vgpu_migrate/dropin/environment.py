"""The two variables by which any program finds the drop-in library and its simulated host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vgpu_migrate import dropin

HOST_VARIABLE = "VGPU_MIGRATE_HOST"
"""Names the host's socket; read by the library when a program initialises NVML."""
LIBRARY_VARIABLE = "LD_LIBRARY_PATH"


def variables(socket: str | Path, *, before: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a program's environment needs, the library in front of any other that is named there.

    Args:
        socket: where the host listens.
        before: the environment that the program would have; by default this process's.

    Raises:
        OutsideError: the library has not been built here.
    """
    directory = str(dropin.library_dir())
    others = (os.environ if before is None else before).get(LIBRARY_VARIABLE, "")
    # As often as hosts are within hosts, it is named once. An empty name is the working directory: it stays.
    behind = [name for name in others.split(":") if name != directory] if others else []
    return {LIBRARY_VARIABLE: ":".join((directory, *behind)), HOST_VARIABLE: os.path.abspath(socket)}
