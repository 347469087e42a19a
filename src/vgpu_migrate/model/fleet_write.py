"""A fleet as the data of a fleet file, version 1: reading it again gives the same fleet.

What is the default is left out, but versions that VMs hold are written: they are the state of the fleet,
not a conclusion. Versions and ranges are written as `0x…` texts, as they are shown everywhere.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.model.fleet_hosts import DEFAULT_DOMAIN
from vgpu_migrate.model.fleet_schema import FLEETFILE_VERSION
from vgpu_migrate.model.values import Fleet, Gpu, Host, PlacementMode, Settings, Vgpu, Vm, VmState
from vgpu_migrate.nvml import States, VersionRange


def fleet_to_data(fleet: Fleet) -> dict[str, Any]:
    """The fleet as plain data for JSON or YAML.

    A running VM whose version is not known although its drivers would negotiate one cannot be said in a
    fleet file; read again, it holds the version that negotiation gives.
    """
    data: dict[str, Any] = {"fleetfile_version": FLEETFILE_VERSION}
    if fleet.revision is not None:
        data["revision"] = fleet.revision
    if fleet.domain_settings:
        data["domains"] = {
            name: _differing(settings, fleet.settings) for name, settings in fleet.domain_settings.items()
        }
    changed = _differing(fleet.settings, Settings())
    if changed:
        data["settings"] = changed
    data["hosts"] = [_host(host) for host in fleet.hosts.values()]
    data["vms"] = [_vm(vm) for vm in fleet.vms.values()]
    return data


def _differing(settings: Settings, base: Settings) -> dict[str, Any]:
    """The settings that differ from those of `base`."""
    return {
        name: value.value if name == "profile" else value
        for name, value in msgspec.structs.asdict(settings).items()
        if value != getattr(base, name)
    }


def _host(host: Host) -> dict[str, Any]:
    data: dict[str, Any] = {"id": host.id}
    if host.domain != DEFAULT_DOMAIN:
        data["domain"] = host.domain
    data["driver"] = host.driver
    if not host.has_manager:
        data["manager"] = False
    if host.hypervisor != "kvm":
        data["hypervisor"] = host.hypervisor
    known = facts.host_driver(host.driver)
    if host.preset_range is not None and (host.preset_range, host.range_said) != (
        known.preset_range,
        known.said,
    ):
        data["preset_range"] = _range(host.preset_range)
    if host.range_in_force is not None and host.range_is_override:
        data["range"] = _range(host.range_in_force)
    if not host.schedulable:
        data["schedulable"] = False
    if host.memory_mib is not None:
        data["memory_mib"] = host.memory_mib
    if host.vcpus is not None:
        data["vcpus"] = host.vcpus
    data["gpus"] = [_gpu(gpu) for gpu in host.gpus]
    return data


def _gpu(gpu: Gpu) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if gpu.id != f"{gpu.host}/{gpu.index}":
        data["id"] = gpu.id
    data["board"] = gpu.board.key
    if gpu.pci is not None:
        data["pci"] = gpu.pci
    if gpu.mode is not PlacementMode.EQUAL:
        data["mode"] = gpu.mode.value
    if not gpu.ecc:
        data["ecc"] = False
    if gpu.sriov != gpu.board.sriov_by_default:
        data["sriov"] = gpu.sriov
    if not gpu.is_vgpu_host:
        data["vgpu"] = False
    if not gpu.migration:
        data["migration"] = False
    if gpu.topology:
        data["topology"] = gpu.topology
    if gpu.mig:
        data["mig"] = list(gpu.mig)
    if gpu.types:
        data["types"] = [vgpu_type.short for vgpu_type in gpu.types]
    return data


def _vm(vm: Vm) -> dict[str, Any]:
    data: dict[str, Any] = {"id": vm.id}
    if vm.host is not None:
        data["host"] = vm.host
    if vm.given_uuid is not None:
        data["uuid"] = vm.given_uuid
    if vm.domid is not None:
        data["domid"] = vm.domid
    data["state"] = vm.state.value
    data["memory_mib"] = vm.memory_mib
    if vm.vcpus is not None:
        data["vcpus"] = vm.vcpus
    if vm.guest_driver is not None:
        data["guest_driver"] = vm.guest_driver
    asleep = vm.state is VmState.SLEEPING
    if vm.allow != (States.LIVE | States.SLEEP if asleep else States.LIVE):
        data["allow"] = list(reversed(vm.allow.words))
    if vm.anti_affinity:
        data["anti_affinity"] = list(vm.anti_affinity)
    data["vgpus"] = [_vgpu(vgpu) for vgpu in vm.vgpus]
    return data


def _vgpu(vgpu: Vgpu) -> dict[str, Any]:
    data: dict[str, Any] = {"type": vgpu.type.short}
    if vgpu.gpu is not None:
        data["gpu"] = vgpu.gpu
    if vgpu.placement is not None:
        data["placement"] = vgpu.placement
    if vgpu.vgpu_version is not None:
        data["version"] = f"{vgpu.vgpu_version:#x}"
    if not vgpu.migration:
        data["migration"] = False
    if vgpu.record is not None:
        data["record"] = b64encode(vgpu.record).decode()
    return data


def _range(pair: VersionRange) -> list[str]:
    return [f"{pair.minimum:#x}", f"{pair.maximum:#x}"]
