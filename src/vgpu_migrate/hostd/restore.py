"""The state a host begins with: its fleet file alone, or what was kept, on the hardware the file now says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from vgpu_migrate.errors import InputError, Problem, UnknownNameError
from vgpu_migrate.hostd.journal import Entry, Kept, KeptDriver, KeptHost, KeptMode
from vgpu_migrate.manager import HostState, VgpuManager, state_of_host
from vgpu_migrate.model import Fleet, Gpu, Host, HostId, PlacementMode, VersionRange, Vm, VmId
from vgpu_migrate.model.placement import overfull

replace = msgspec.structs.replace


class Beginning(NamedTuple):
    """What a host begins with: what is kept from now on, and sentences an operator should know."""

    entry: Entry
    notices: tuple[str, ...]


def from_file(fleet: Fleet, host_id: HostId, *, incarnation: str) -> Beginning:
    """A host as the fleet file says it is, its VMs included.

    VMs that are nowhere (off or hibernated, no host) are defined on the first host of the file that has a
    vGPU Manager: our choice, so that they can be started and are on one host only.

    Raises:
        UnknownNameError: the fleet has no such host.
    """
    state = state_of_host(fleet, host_id, incarnation=incarnation, also=_homeless(fleet, host_id))
    return Beginning(Entry(kept_host(fleet, state), state, {}), ())


def from_kept(fleet: Fleet, host_id: HostId, kept: Kept) -> Beginning:
    """A host that begins again: VMs and migrations as kept, everything else as the fleet file now says.

    It is a driver reload: the file's range is in force, or the preset one. A driver or placement mode set at
    run time stays unless the file has changed its own since. VMs that are new in the file are not added.

    Raises:
        InputError: what was kept is of another host, or vgpus are kept that the file's gpus cannot hold.
        UnknownNameError: the fleet has no such host.
    """
    if kept.host.id != host_id:
        wanted = f"wanted host {host_id}; a directory keeps one host"
        raise InputError(Problem("state directory", f"it keeps host {kept.host.id}", wanted))
    in_file = _host(fleet, host_id)
    host, notices = _hardware(in_file, kept.host)
    state = HostState(host=host, profile=fleet.settings_of(host.domain).profile, **kept.fields)
    _require_room(state)
    manager = VgpuManager(state)
    offered_to = {migration: one.target for migration, one in kept.outgoing.items()}
    configured, said = _configured_range(in_file, host)
    manager.restart(configured_range=configured, offered_to=offered_to)
    if host.preset_range is None and host.driver == in_file.driver:
        restarted = replace(manager.state.host, range_in_force=in_file.range_in_force)
        manager.state = replace(manager.state, host=restarted)
    new = [vm_id for vm_id in _vms_in_file(fleet, host_id) if vm_id not in kept.host.vms_in_file]
    if new:
        notices.append(f"new in the fleet file and not added: VM {', '.join(new)}; a fresh start adds them")
    if kept.outgoing:
        notices.append(f"migrations to be settled with their targets: {', '.join(kept.outgoing)}")
    entry = Entry(kept_host(fleet, manager.state, before=kept.host), manager.state, kept.outgoing)
    return Beginning(entry, (*notices, *said))


def kept_host(fleet: Fleet, state: HostState, *, before: KeptHost | None = None) -> KeptHost:
    """What is to be kept of a host beside its fleet file: what was set at run time.

    Args:
        fleet: the file.
        state: the host now.
        before: what was kept, whose list of the file's VMs stays.
    """
    in_file = _host(fleet, state.host.id)
    known = _vms_in_file(fleet, state.host.id) if before is None else before.vms_in_file
    driver = None
    if (state.host.driver, state.host.preset_range) != (in_file.driver, in_file.preset_range):
        now = state.host
        driver = KeptDriver(now.driver, now.preset_range, now.range_said, in_file.driver)
    modes = {
        str(gpu.id): KeptMode(gpu.mode.value, filed.mode.value)
        for gpu, filed in zip(state.host.gpus, in_file.gpus, strict=True)
        if gpu.mode is not filed.mode
    }
    return KeptHost(state.host.id, known, driver, modes)


def _host(fleet: Fleet, host_id: HostId) -> Host:
    host = fleet.hosts.get(host_id)
    if host is None:
        raise UnknownNameError("host", host_id, fleet.hosts)
    return host


def _homeless(fleet: Fleet, host_id: HostId) -> tuple[VmId, ...]:
    first = next((host.id for host in fleet.hosts.values() if host.has_manager), None)
    if first != host_id:
        return ()
    return tuple(vm.id for vm in fleet.vms.values() if vm.host is None and vm.vgpus)


def _vms_in_file(fleet: Fleet, host_id: HostId) -> tuple[VmId, ...]:
    homeless = set(_homeless(fleet, host_id))

    def is_ours(vm: Vm) -> bool:
        return bool(vm.vgpus) and (vm.host == host_id or vm.id in homeless)

    return tuple(vm.id for vm in fleet.vms.values() if is_ours(vm))


def _hardware(in_file: Host, kept: KeptHost) -> tuple[Host, list[str]]:
    """The file's host with what was set at run time and still holds."""
    notices: list[str] = []
    host = in_file
    if kept.driver is not None and kept.driver.in_file == in_file.driver:
        preset = kept.driver.preset_range
        host = replace(
            host,
            driver=kept.driver.driver,
            preset_range=preset,
            range_in_force=preset,
            range_said=kept.driver.range_said,
        )
    elif kept.driver is not None:
        notices.append(
            f"driver {in_file.driver} of the fleet file takes the place of {kept.driver.driver}, "
            f"installed when the file named {kept.driver.in_file}"
        )
    gpus: list[Gpu] = []
    for gpu in host.gpus:
        mode = kept.modes.get(gpu.id)
        if mode is not None and mode.in_file == gpu.mode.value:
            gpu = replace(gpu, mode=PlacementMode(mode.mode))
        elif mode is not None:
            notices.append(f"gpu {gpu.id} is in {gpu.mode} mode, as the fleet file now says")
        gpus.append(gpu)
    return replace(host, gpus=tuple(gpus)), notices


def _configured_range(in_file: Host, host: Host) -> tuple[VersionRange | None, tuple[str, ...]]:
    """The file's range, where the driver that runs can have it, else why it is not in force."""
    if not in_file.range_is_override or in_file.range_in_force is None:
        return None, ()
    wanted = in_file.range_in_force
    if host.preset_range is None and host.driver == in_file.driver:
        return None, ()  # it stands unjudged, as in the file
    if host.preset_range is not None and host.preset_range.covers(wanted):
        return wanted, ()
    preset = host.preset_range or "unknown"
    return None, (
        f"range {wanted} of the fleet file is not in force: the preset range of driver {host.driver} "
        f"is {preset}",
    )


def _require_room(state: HostState) -> None:
    """The gpus of the file must hold the vgpus that were kept."""
    there: Mapping[str, Gpu] = {gpu.id: gpu for gpu in state.host.gpus}
    problems: list[Problem] = []
    help_ = "wanted a gpu that holds it; put the fleet file right, or start afresh"
    for device, record in state.all_devices():
        gpu = there.get(device.gpu)
        thing = f"device {device.id}" if record is None else f"VM {record.definition.id}"
        if gpu is None:
            problems.append(
                Problem(thing, f"its {device.type.short} is on gpu {device.gpu}, which is gone", help_)
            )
        elif gpu.board.key != device.type.board:
            seen = f"its {device.type.short} is on gpu {gpu.id}, now a {gpu.board.key}"
            problems.append(Problem(thing, seen, help_))
    for gpu in state.host.gpus:
        tenants = [tenant for tenant in state.tenants(gpu.id) if tenant.type.board == gpu.board.key]
        problems += [Problem(f"gpu {gpu.id}", clause, help_) for clause in overfull(gpu, tenants)]
    if not state.host.has_manager and state.is_in_use:
        seen = "VMs with vgpus were kept, and the fleet file says manager: false"
        problems.append(Problem(f"host {state.host.id}", seen, "wanted a vGPU Manager, or a fresh start"))
    if problems:
        raise InputError(problems)
