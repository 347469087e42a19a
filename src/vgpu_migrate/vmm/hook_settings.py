"""The hook's settings, `/etc/vgpu-migrate/hook.toml`: a hook has no environment of ours."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.settingsio import MOST_BYTES, read_settings_file

SETTINGS = Path("/etc/vgpu-migrate/hook.toml")
NVML_LIBRARY = "libnvidia-ml.so.1"
LONGEST_DEADLINE_S = 300


class Policy(StrEnum):
    """What becomes of a guest with a vGPU that cannot be judged."""

    REFUSE = "refuse"
    PASS = "pass"  # noqa: S105 (no password)


class Devices(StrEnum):
    """What becomes of the devices that the guest's XML names."""

    KEEP = "keep"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class HookSettings:
    """The settings of the destination hook.

    `library` is what is opened for NVML; `socket` the simulated host that a drop-in library speaks to.
    `deadline_s` bounds the whole hook; `sysfs` is where the kernel shows its devices, `domains` where libvirt
    keeps the state of running guests, and `claims` a directory in which a free device is marked as given
    away for `claim_s` seconds.
    """

    no_record: Policy = Policy.REFUSE
    driver_unreachable: Policy = Policy.REFUSE
    deadline_s: float = 10.0
    library: str = NVML_LIBRARY
    socket: str | None = None
    devices: Devices = Devices.KEEP
    sysfs: str = "/sys"
    domains: str = "/run/libvirt/qemu"
    claims: str = "/run/vgpu-migrate/claims"
    claim_s: float = 120.0


TEMPLATE = """\
# Settings of vgpu-migrate's hook for libvirt (/etc/libvirt/hooks/qemu.d/50-vgpu-migrate).
# A file that cannot be understood makes the hook refuse guests with a vGPU. Changes take effect at once.

[policy]
# A guest with a vGPU whose saved record is absent, stale or of another version: "refuse" or "pass".
# A damaged record is refused in any case.
#no_record = "refuse"
# The driver of this host does not answer: "refuse" or "pass".
#driver_unreachable = "refuse"
# Seconds in which the hook answers; after them it counts as a driver that does not.
#deadline_s = 10

[driver]
# NVML; for a simulated host the path of the drop-in library, and the host's socket.
#library = "libnvidia-ml.so.1"
#socket = "/run/vgpu/h1.sock"

[devices]
# "keep" the mdev UUID or PCI address that the guest's XML names, or give it a "free" device of its type.
#map = "keep"
#sysfs = "/sys"
# Where libvirt keeps the state of running guests: their devices are not free.
#domains = "/run/libvirt/qemu"
# Where devices are marked as given away until their guest runs, and for how many seconds at most.
#claims = "/run/vgpu-migrate/claims"
#claim_s = 120
"""

_KEYS: dict[str, dict[str, str]] = {
    "policy": {
        "no_record": "no_record",
        "driver_unreachable": "driver_unreachable",
        "deadline_s": "deadline_s",
    },
    "driver": {"library": "library", "socket": "socket"},
    "devices": {
        "map": "devices",
        "sysfs": "sysfs",
        "domains": "domains",
        "claims": "claims",
        "claim_s": "claim_s",
    },
}
_CHOICES: dict[str, type[StrEnum]] = {"no_record": Policy, "driver_unreachable": Policy, "devices": Devices}
_SECONDS = frozenset({"deadline_s", "claim_s"})


def read_settings(path: Path) -> HookSettings:
    """The settings of a file; where there is none, the defaults.

    Raises:
        InputError: it cannot be read or understood, or others than its owner may write it.
    """
    data = read_settings_file(path)
    return HookSettings() if data is None else parse_settings(data, place=str(path))


def parse_settings(data: bytes, *, place: str = "hook.toml") -> HookSettings:
    """The settings that these bytes of TOML say.

    Raises:
        InputError: they are no TOML, or a key or value is not known.
    """
    if len(data) > MOST_BYTES:
        raise InputError(Problem(place, f"more than {MOST_BYTES} bytes", "wanted settings"))
    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(Problem(place, f"no TOML: {error}", "wanted settings")) from None
    found: dict[str, Any] = {}
    for table, values in tables.items():
        keys = _KEYS.get(table)
        if keys is None or not isinstance(values, dict):
            raise InputError(Problem(f"{place}: {table}", "unknown", f"wanted {', '.join(_KEYS)}"))
        for key, value in values.items():
            if key not in keys:
                raise InputError(Problem(f"{place}: {table}.{key}", "unknown", f"wanted {', '.join(keys)}"))
            found[keys[key]] = _value(f"{place}: {table}.{key}", keys[key], value)
    return HookSettings(**found)


def _value(place: str, name: str, value: object) -> object:
    if name in _SECONDS:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 < value <= LONGEST_DEADLINE_S
        ):
            raise InputError(Problem(place, repr(value), f"wanted seconds up to {LONGEST_DEADLINE_S}"))
        return float(value)
    if name in _CHOICES:
        choices = _CHOICES[name]
        if value not in list(choices):
            raise InputError(Problem(place, repr(value), f"wanted {' or '.join(choices)}"))
        return choices(str(value))
    if not isinstance(value, str) or not value or not value.isprintable():
        raise InputError(Problem(place, repr(value), "wanted a path"))
    if not value.startswith("/") and not (name == "library" and "/" not in value):
        raise InputError(Problem(place, repr(value), "wanted an absolute path"))
    return value
