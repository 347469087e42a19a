"""An administrator's pin on a host: what is wished, what the driver has in force, and why they differ."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from vgpu_migrate.errors import OutsideError
from vgpu_migrate.hosts.protocol import Host
from vgpu_migrate.nvml import InUseError, NotSupportedError, VersionRange


class Difference(StrEnum):
    """Why a pin is not in force."""

    NOT_SUPPORTED = "not-supported"
    """There is no vGPU Manager."""
    OUTSIDE_PRESET = "outside-preset"
    """The pin is not inside the driver's preset range, which may have changed with the driver."""
    IN_USE = "in-use"
    """A VM is running on the host: no range can be set."""
    NOT_APPLIED = "not-applied"
    """Nothing is in its way: nobody has set it since the driver was loaded."""


class PinState(NamedTuple):
    """A host's pin beside the driver's truth. Ranges are None where there is no vGPU Manager.

    `difference` is None where the pin is in force and where there is none; `vms` are those with an active
    vgpu, by the ids that NVML answers.
    """

    pin: VersionRange | None
    preset: VersionRange | None
    in_force: VersionRange | None
    difference: Difference | None
    vms: tuple[str, ...]


def pin_state(host: Host, pin: VersionRange | None) -> PinState:
    """Ask a host how its truth stands to a pin.

    Raises:
        NvmlError: a call fails for another reason than that there is no vGPU Manager.
        OutsideError: the host cannot be reached.
    """
    try:
        preset, in_force = host.vgpu_versions()
    except NotSupportedError:
        return PinState(pin, None, None, None if pin is None else Difference.NOT_SUPPORTED, ())
    vms = vms_with_vgpus(host)
    return PinState(pin, preset, in_force, difference(pin, preset, in_force, vms), vms)


def difference(
    pin: VersionRange | None, preset: VersionRange, in_force: VersionRange, vms: tuple[str, ...]
) -> Difference | None:
    """Why a pin is not the range in force; None: it is, or there is no pin."""
    if pin is None or pin == in_force:
        return None
    if not preset.covers(pin):
        return Difference.OUTSIDE_PRESET
    return Difference.IN_USE if vms else Difference.NOT_APPLIED


def vms_with_vgpus(host: Host) -> tuple[str, ...]:
    """The VMs that have an active vgpu, in the host's order; a gpu that is no vGPU host has none."""
    found: dict[str, None] = {}
    for gpu in host.gpus():
        try:
            found |= dict.fromkeys(vgpu.vm for vgpu in host.active_vgpus(gpu.id))
        except NotSupportedError:
            continue
    return tuple(found)


def apply_pin(host: Host, pin: VersionRange) -> tuple[PinState, bool]:
    """Put a pin in force where the driver lets it; how it stands then, and whether the range was set.

    A range that is in force already is not set again: with VMs running that would be refused.

    Raises:
        NvmlError: a call fails for a reason that is no `Difference`.
        OutsideError: the host cannot be reached, or has another range in force than the one it took.
    """
    before = pin_state(host, pin)
    if before.difference not in (Difference.IN_USE, Difference.NOT_APPLIED):
        return before, False
    try:
        # Asked even where VMs are listed: whether they are in the way is the driver's to say.
        host.set_vgpu_version(pin)
    except InUseError:
        return pin_state(host, pin)._replace(difference=Difference.IN_USE), False
    after = pin_state(host, pin)
    if after.difference is not None:
        raise OutsideError(f"the driver took the range {pin} and has {after.in_force} in force")
    return after, True
