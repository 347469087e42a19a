"""Where each VM with an NVIDIA vGPU may go, in which state, and what exactly stops it elsewhere.

The names below are the public face; each is imported when first used, so that `import vgpu_migrate` and the
command line's help cost next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vgpu_migrate.compat import (
        Evidence,
        GpuTraits,
        Verdict,
        VgpuTraits,
        check,
        classify,
        gpu_traits,
        survey,
        vgpu_traits,
    )
    from vgpu_migrate.errors import InputError, RefusedError, VgpuMigrateError
    from vgpu_migrate.fleetio import read_fleet
    from vgpu_migrate.hosts import SimulatedHost, Size, VgpuMigrationCalls
    from vgpu_migrate.manager import VgpuManager, manager_from_fleet, migrate
    from vgpu_migrate.model import Fleet, HostId, VmId
    from vgpu_migrate.nvml import (
        Limits,
        NvmlError,
        PgpuMetadata,
        Return,
        States,
        VersionRange,
        VgpuMetadata,
    )
    from vgpu_migrate.planning import drain

__version__ = "0.1.0"

_HOMES = {
    "compat": (
        "Evidence",
        "GpuTraits",
        "Verdict",
        "VgpuTraits",
        "check",
        "classify",
        "gpu_traits",
        "survey",
        "vgpu_traits",
    ),
    "errors": ("InputError", "RefusedError", "VgpuMigrateError"),
    "fleetio": ("read_fleet",),
    "hosts": ("SimulatedHost", "Size", "VgpuMigrationCalls"),
    "manager": ("VgpuManager", "manager_from_fleet", "migrate"),
    "model": ("Fleet", "HostId", "VmId"),
    "nvml": ("Limits", "NvmlError", "PgpuMetadata", "Return", "States", "VersionRange", "VgpuMetadata"),
    "planning": ("drain",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Evidence",
    "Fleet",
    "GpuTraits",
    "HostId",
    "InputError",
    "Limits",
    "NvmlError",
    "PgpuMetadata",
    "RefusedError",
    "Return",
    "SimulatedHost",
    "Size",
    "States",
    "Verdict",
    "VersionRange",
    "VgpuManager",
    "VgpuMetadata",
    "VgpuMigrateError",
    "VgpuMigrationCalls",
    "VgpuTraits",
    "VmId",
    "check",
    "classify",
    "drain",
    "gpu_traits",
    "manager_from_fleet",
    "migrate",
    "read_fleet",
    "survey",
    "vgpu_traits",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
