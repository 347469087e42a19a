"""What is done to a whole host: its range of vGPU versions, driver reload, reboot, another driver.

Every function takes a state and gives the next, or raises and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.manager.lifecycle import without_vgpus
from vgpu_migrate.manager.refusal import Reason, refuse
from vgpu_migrate.manager.state import HostState, MigrationId, OpenMigration, Role, VmRecord
from vgpu_migrate.model import HostId, VersionRange, VmId, VmState
from vgpu_migrate.model.driver_text import require_driver_text
from vgpu_migrate.nvml import InUseError, InvalidArgumentError, NotSupportedError, UnknownError

replace = msgspec.structs.replace


def versions(state: HostState) -> tuple[VersionRange, VersionRange]:
    """The preset range and the range in force.

    Raises:
        NotSupportedError: there is no vGPU Manager.
        UnknownError: the preset range of this driver is in no table of ours.

    Source:
        NVML vGPU Migration, nvmlGetVgpuVersion.
    """
    preset = _require_preset(state)
    return preset, state.host.range_in_force or preset


def set_range(state: HostState, wanted: VersionRange) -> HostState:
    """Override the preset range; setting the preset range lifts the override.

    Checked against the preset range, not the previous override, and before IN_USE: our assumptions.

    Raises:
        InvalidArgumentError: the minimum is above the maximum, or it is not a subset of the preset range.
        NotSupportedError: there is no vGPU Manager.
        UnknownError: the preset range is not known, so no range can be judged.
        InUseError: a VM is running on the host.

    Source:
        NVML vGPU Migration, nvmlSetVgpuVersion.
    """
    if wanted.minimum > wanted.maximum:
        raise InvalidArgumentError(f"range {wanted}: the minimum is above the maximum")
    preset = _require_preset(state)
    if not preset.covers(wanted):
        raise InvalidArgumentError(f"range {wanted} is not inside the preset range {preset}")
    if state.is_in_use:
        raise InUseError(f"running on host {state.host.id}: {', '.join(_running(state))}")
    return replace(state, host=replace(state.host, range_in_force=wanted))


def _require_preset(state: HostState) -> VersionRange:
    if not state.host.has_manager:
        raise NotSupportedError(f"host {state.host.id} runs no vGPU Manager")
    if state.host.preset_range is None:
        raise UnknownError(f"the preset range of driver {state.host.driver} is not known")
    return state.host.preset_range


def _running(state: HostState) -> list[VmId]:
    return [vm_id for vm_id, record in state.vms.items() if record.vgpus]


def reload_driver(state: HostState) -> HostState:
    """Reload the host driver: the range in force is the preset range again, and devices are gone.

    Raises:
        RefusedError: a VM is running.
    """
    _require_idle(state, "reload the driver")
    return _with_preset_in_force(replace(state, devices={}))


def install_driver(state: HostState, driver: str, *, preset_range: VersionRange | None = None) -> HostState:
    """Install another host driver; its preset range, if none is given, comes from the facts.

    As at a reload, devices are gone.

    Raises:
        InputError: its text is not one that a record holds.
        RefusedError: a VM is running.
    """
    require_driver_text(driver, place=f"host {state.host.id}: driver")
    _require_idle(state, f"install driver {driver}")
    known = facts.host_driver(driver)
    said = known.said if preset_range is None else "given"
    preset = known.preset_range if preset_range is None else preset_range
    host = replace(state.host, driver=driver, preset_range=preset, range_in_force=preset, range_said=said)
    return replace(state, host=host, devices={})


def _require_idle(state: HostState, what: str) -> None:
    if state.is_in_use:
        refuse(
            Reason.IN_USE,
            f"host {state.host.id}",
            f"cannot {what} while VMs run: {', '.join(_running(state))}; wanted none",
        )


def _with_preset_in_force(state: HostState) -> HostState:
    return replace(state, host=replace(state.host, range_in_force=state.host.preset_range))


def reboot(state: HostState) -> HostState:
    """Reboot the host: VMs with vgpus are off, devices are gone, the preset range is in force again.

    What is expected from elsewhere is dropped, and its migration declined. What was handed over stays
    stopped, without capacity, until its receipt arrives. What was only offered is off here, its offer void.
    """
    vms: dict[VmId, VmRecord] = {}
    answers = dict(state.answers)
    for vm_id, record in state.vms.items():
        if record.role is Role.INCOMING:
            assert record.migration is not None
            answers[record.migration.id] = False
        elif not record.vgpus:
            vms[vm_id] = record
        elif record.role is Role.HANDED_OVER:
            vms[vm_id] = without_vgpus(state, record, VmState.OFF)
        else:
            off = without_vgpus(state, record, VmState.OFF)
            vms[vm_id] = replace(off, role=Role.RESIDENT, migration=None)
    return _with_preset_in_force(replace(state, vms=vms, answers=answers, devices={}))


def restart_manager(
    state: HostState,
    *,
    configured_range: VersionRange | None = None,
    offered_to: Mapping[MigrationId, HostId] | None = None,
) -> HostState:
    """The process that keeps this state begins again: a driver reload that VMs survive. Our assumption.

    A range set at run time is lost; `configured_range`, the fleet file's, is in force again. A VM whose offer
    is among `offered_to` is stopped as if handed over to that host: only its answer says what it has heard.

    Raises:
        InvalidArgumentError: the configured range is not inside the preset range.
    """
    vms = {vm_id: _doubted(record, offered_to or {}) for vm_id, record in state.vms.items()}
    after = _with_preset_in_force(replace(state, vms=vms))
    if configured_range is None:
        return after
    preset = _require_preset(state)
    if not preset.covers(configured_range):
        raise InvalidArgumentError(f"range {configured_range} is not inside the preset range {preset}")
    return replace(after, host=replace(after.host, range_in_force=configured_range))


def _doubted(record: VmRecord, offered_to: Mapping[MigrationId, HostId]) -> VmRecord:
    if record.role is not Role.OUTGOING or record.migration is None or record.migration.id not in offered_to:
        return record
    migration = OpenMigration(record.migration.id, offered_to[record.migration.id])
    return replace(record, role=Role.HANDED_OVER, migration=migration)
