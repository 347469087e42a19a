"""Whether hosts are pinned while others are still old, and to which range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vgpu_migrate.model import Host, VersionRange, Vm
from vgpu_migrate.model.negotiation import fresh_version


def needs_pins(old: Sequence[Host], vms: Iterable[Vm], preset: VersionRange | None) -> bool:
    """Whether some VM, should it boot on an upgraded host, gets a version that an old host cannot run."""
    ranges = {host.range_in_force for host in old if host.range_in_force is not None}
    if preset is None or len(old) < 2 or not ranges:
        return False
    for driver in {vm.guest_driver for vm in vms if vm.guest_driver is not None}:
        version = fresh_version(driver, preset)
        if version is not None and any(version not in known for known in ranges):
            return True
    return False


def pin_range(old: Sequence[Host], preset: VersionRange | None) -> VersionRange | None:
    """The widest range that every old host can run, inside the new preset; None where there is none."""
    common = preset
    for host in old:
        if common is not None and host.range_in_force is not None:
            common = common.intersection(host.range_in_force)
    return common
