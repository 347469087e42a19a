"""Checks of what this program puts on a host: the hook, the pin, the units."""

from __future__ import annotations

from collections.abc import Iterator

from vgpu_migrate.doctor.findings import Finding, fail, ok, unknown, warn
from vgpu_migrate.doctor.picture import HostPicture, UnitFile
from vgpu_migrate.hosts.pin import Difference, difference
from vgpu_migrate.pinio import PIN_FILE
from vgpu_migrate.units.place import PIN_UNIT, UNITS, WATCH_UNIT
from vgpu_migrate.vmm.hook_files import SCRIPT
from vgpu_migrate.vmm.hook_settings import SETTINGS

INSTALL_HOOK = "vgpu-migrate vm hook install"


def hook(picture: HostPicture) -> Iterator[Finding]:
    """The hook, which refuses on this host what its driver does not take, and its settings."""
    files, where = picture.hook, str(SCRIPT)
    if not files.is_there:
        remedy = f"{INSTALL_HOOK}: without it a guest that does not fit fails late in its migration"
        yield warn("hook", "not installed", where, remedy=remedy)
    elif not files.is_ours:
        yield warn("hook", "something else has its name", where, remedy=f"move it away, then {INSTALL_HOOK}")
    elif not files.is_executable:
        yield fail("hook", "not executable", where, remedy=INSTALL_HOOK)
    elif files.missing is not None:
        seen = f"{files.missing} is gone: every guest with a vGPU is refused"
        yield fail("hook", seen, where, remedy=INSTALL_HOOK)
    elif files.trouble is not None:
        seen = f"its program does not run: {files.trouble}: every guest with a vGPU is refused"
        yield fail("hook", seen, where, remedy=f"install vgpu-migrate anew, then {INSTALL_HOOK}")
    else:
        yield ok("hook", "installed", where)
    if files.settings_trouble is not None:
        yield fail(
            "hook-settings",
            f"{files.settings_trouble}: every guest with a vGPU is refused",
            str(SETTINGS),
            remedy="mend the file, or remove it and run " + INSTALL_HOOK,
        )
    elif files.is_there:
        yield ok("hook-settings", "valid" if files.has_settings else "none: the defaults", str(SETTINGS))


def pin(picture: HostPicture) -> Iterator[Finding]:
    """The pinned range in force, and put in force again when the host starts."""
    where, wanted, nvml = str(PIN_FILE), picture.pin, picture.nvml
    if picture.pin_trouble is not None:
        yield fail("pin", picture.pin_trouble, where, remedy="vgpu-migrate host pin --range MIN MAX")
    elif wanted is None:
        yield from _no_pin(picture)
    elif nvml is None:
        seen = f"{wanted}; {picture.nvml_trouble or 'the driver was not asked'}"
        yield unknown("pin", seen, where, remedy="vgpu-migrate host pin --status on the host itself")
    elif nvml.preset is None or nvml.in_force is None:
        yield fail("pin", f"{wanted}, and no vGPU Manager", where, remedy="load the vGPU Manager")
    else:
        found = difference(wanted, nvml.preset, nvml.in_force, nvml.vms)
        if found is None:
            yield ok("pin", f"{wanted} is in force", where)
        else:
            seen = f"{wanted}, and {nvml.in_force} is in force: {found.value}"
            yield fail("pin", seen, where, remedy=_REMEDIES[found])
    if wanted is not None and not picture.pin_unit.is_enabled:
        yield warn(
            "pin-unit",
            "not enabled" if picture.pin_unit.is_there else "not installed",
            f"{UNITS}/{PIN_UNIT}",
            remedy=f"{_enable(PIN_UNIT, picture.pin_unit)}; else the pin is lost when the host starts again",
        )
    elif wanted is not None:
        yield ok("pin-unit", "enabled", f"{UNITS}/{PIN_UNIT}")


_REMEDIES = {
    Difference.IN_USE: "move or stop the VMs of this host, then vgpu-migrate host pin --apply",
    Difference.NOT_APPLIED: "vgpu-migrate host pin --apply",
    Difference.OUTSIDE_PRESET: "pin a range inside the driver's preset one, or install the driver it was "
    "made for",
    Difference.NOT_SUPPORTED: "load the vGPU Manager",
}


def _no_pin(picture: HostPicture) -> Iterator[Finding]:
    nvml = picture.nvml
    if nvml is not None and nvml.in_force is not None and nvml.in_force != nvml.preset:
        minimum, maximum = nvml.in_force
        yield warn(
            "pin",
            f"no pin, and {nvml.in_force} set by hand is in force",
            str(PIN_FILE),
            remedy=f"vgpu-migrate host pin --range {minimum:#x} {maximum:#x}: it is lost when the driver is "
            "loaded again",
        )
    else:
        yield ok("pin", "no pin", str(PIN_FILE))


def watch(picture: HostPicture) -> Iterator[Finding]:
    """The unit that keeps guests' saved records fresh, without which the hook has nothing to go by."""
    where = f"{UNITS}/{WATCH_UNIT}"
    if picture.watch_unit.is_enabled:
        yield ok("watch-unit", "enabled", where)
        return
    yield warn(
        "watch-unit",
        "not enabled" if picture.watch_unit.is_there else "not installed",
        where,
        remedy=f"{_enable(WATCH_UNIT, picture.watch_unit)}; else guests carry no fresh record",
    )


def _enable(name: str, unit: UnitFile) -> str:
    enable = f"systemctl enable --now {name}"
    if unit.is_there:
        return enable
    return f"vgpu-migrate host units install {name} && systemctl daemon-reload && {enable}"
