"""A host from a fleet file, and its state and tokens as plain data and back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.manager.factories import GUEST, VM, a_host, a_manager, a_record, a_vm, refused, start_vm

from vgpu_migrate.errors import InputError, UnknownNameError
from vgpu_migrate.manager import (
    Acceptance,
    Handover,
    MigrationOffer,
    Reason,
    Receipt,
    VgpuManager,
    from_data,
    manager_from_fleet,
    state_of_host,
    to_data,
)
from vgpu_migrate.model import Fleet, HostId, Profile, VersionRange, VmId, VmState
from vgpu_migrate.model.fleetfile import parse_fleet
from vgpu_migrate.nvml import States, VgpuMetadata


def a_fleet(*vms: dict[str, Any], **host: Any) -> Fleet:
    """One host h01 with two L40S, and these VMs."""
    first = {
        "id": "h01",
        "driver": "550.54.16",
        "gpus": [{"board": "L40S"}, {"board": "L40S", "mode": "mixed"}],
    }
    data = {"fleetfile_version": 1, "hosts": [first | host], "vms": list(vms)}
    return parse_fleet(data, source="a test")


def a_vm_entry(vm: str = "vm1", *vgpus: dict[str, Any], **entry: Any) -> dict[str, Any]:
    """An entry of a fleet file: a running VM with one vgpu on the first gpu."""
    placed = [*vgpus] or [{"type": "L40S-12Q", "gpu": "h01/0"}]
    running = {"id": vm, "host": "h01", "state": "running", "memory_mib": 1024, "guest_driver": "550.54.14"}
    return running | {"vgpus": placed} | entry


def metadata(manager: VgpuManager, vm: str = "vm1") -> VgpuMetadata:
    """The record of a VM's first vgpu."""
    return VgpuMetadata.from_bytes(manager.saved_records(VmId(vm))[0])


def test_the_vms_of_a_fleet_run() -> None:
    """Each VM is where the file puts it, in the power state it gives, its version negotiated or given."""
    manager = manager_from_fleet(
        a_fleet(
            a_vm_entry(),
            a_vm_entry("vm2", {"type": "L40S-24Q", "gpu": "h01/1", "placement": 24, "version": "0x120001"}),
            a_vm_entry("vm3", state="booting"),
            a_vm_entry("vm4", state="sleeping", guest_driver="550.54.14"),
        ),
        HostId("h01"),
    )
    found = {
        vm: (
            record.power.value,
            record.vgpus[0].gpu,
            record.vgpus[0].placement,
            metadata(manager, vm).guest_vgpu_version,
        )
        for vm, record in manager.state.vms.items()
    }
    assert found == {
        "vm1": ("running", "h01/0", None, 0x140001),
        "vm2": ("running", "h01/1", 24, 0x120001),
        "vm3": ("booting", "h01/0", None, 0),
        "vm4": ("sleeping", "h01/0", None, 0x140001),
    }
    assert [vgpu.handle for record in manager.state.vms.values() for vgpu in record.vgpus] == [1, 2, 3, 4]
    assert manager.state.next_handle == 5


def test_a_version_without_a_guest_driver() -> None:
    """Guest info is there with an empty driver string and unknown bounds; without either it is not there."""
    manager = manager_from_fleet(
        a_fleet(
            a_vm_entry("vm1", {"type": "L40S-12Q", "gpu": "h01/0", "version": 0x120001}, guest_driver=None)
            | {},
            a_vm_entry("vm2", guest_driver=None),
        ),
        HostId("h01"),
    )
    assert metadata(manager).guest_info_state == 1
    assert (metadata(manager).guest_driver_version, metadata(manager).reserved[16:]) == ("", bytes(8))
    assert metadata(manager, "vm2").guest_info_state == 0


def test_a_hibernated_vm_of_a_fleet_can_be_started() -> None:
    """From the record that the file gives, else from its version; a VM with neither is COLD only."""
    record = base64.b64encode(a_record(guest=GUEST)).decode()
    manager = manager_from_fleet(
        a_fleet(
            a_vm_entry("vm1", {"type": "L40S-12Q", "record": record}, state="hibernated"),
            a_vm_entry("vm2", {"type": "L40S-12Q", "version": 0x140001}, state="hibernated"),
            a_vm_entry("vm3", {"type": "L40S-12Q"}, state="hibernated"),
        ),
        HostId("h01"),
    )
    assert base64.b64encode(manager.saved_records(VM)[0]).decode() == record
    for vm in ("vm1", "vm2"):
        manager.start(VmId(vm), States.HIBERNATE, records=manager.saved_records(VmId(vm)))
        assert metadata(manager, vm).guest_vgpu_version == 0x140001
    assert refused(lambda: manager.saved_records(VmId("vm3"))).reason is Reason.NO_RECORDS


def test_only_the_hosts_own_vms() -> None:
    """VMs elsewhere, off without a host, or without a vgpu are left out, unless asked for."""
    off = a_vm_entry("vm2", {"type": "L40S-12Q"}, state="off")
    del off["host"]
    fleet = a_fleet(a_vm_entry(), off)
    assert set(manager_from_fleet(fleet, HostId("h01")).state.vms) == {"vm1"}
    assert set(state_of_host(fleet, HostId("h01"), also=[VmId("vm2")]).vms) == {"vm1", "vm2"}
    with pytest.raises(UnknownNameError, match="unknown VM vm7"):
        state_of_host(fleet, HostId("h01"), also=[VmId("vm7")])
    with pytest.raises(UnknownNameError, match="unknown host h02; did you mean h01"):
        manager_from_fleet(fleet, HostId("h02"))


def test_the_domains_profile_and_the_files_range_are_in_force() -> None:
    """The profile is that of the host's migration domain; a range in the file overrides the preset one."""
    data = {
        "fleetfile_version": 1,
        "domains": {"rhel": {"profile": "identical-host-drivers"}},
        "hosts": [
            {"id": "h01", "domain": "rhel", "driver": "550.54.16", "range": [0x120001, 0x130001], "gpus": []}
        ],
    }
    manager = manager_from_fleet(parse_fleet(data, source="a test"), HostId("h01"))
    assert manager.state.profile is Profile.IDENTICAL_HOST_DRIVERS
    assert manager.versions() == (VersionRange(0x70001, 0x140001), VersionRange(0x120001, 0x130001))


def through_json(data: object) -> Any:
    """What a file or a socket would give back."""
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("power", VmState)
def test_a_state_survives_json(power: VmState) -> None:
    """Every power state, records and negotiation included."""
    manager = a_manager()
    start_vm(manager, power=power)
    again = VgpuManager.from_data(through_json(manager.to_data()))
    assert again.state == manager.state


def test_a_migration_and_its_tokens_survive_json() -> None:
    """Each token and both states, at every step; the vgpu types that come back are the tables' own."""
    source, target = a_manager(), a_manager(a_host("h02"))
    start_vm(source, a_vm("vm1", "L40S-12Q", "L40S-12Q"))
    offer = from_data(MigrationOffer, through_json(to_data(source.migrate_out(VM))))
    acceptance = from_data(Acceptance, through_json(to_data(target.migrate_in(offer))))
    handover = from_data(Handover, through_json(to_data(source.hand_over(acceptance))))
    source = VgpuManager.from_data(through_json(source.to_data()))
    target = VgpuManager.from_data(through_json(target.to_data()))
    receipt = from_data(Receipt, through_json(to_data(target.commit(handover))))
    source.finish(receipt)
    assert source.state.vms == {}
    vgpus = target.state.vm(VM).vgpus
    assert vgpus[0].type is vgpus[1].type is a_vm().vgpus[0].type


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["data_version"], 2, "data_version: 2; wanted 1"),
        (["state", "next_handle"], "7", "state.next_handle: '7'; wanted int"),
        (["state", "next_handle"], True, "state.next_handle: True; wanted int"),
        (["state", "more"], 1, "state.more: missing or unknown"),
        (["state", "profile"], "odd", "state.profile: 'odd'; wanted default or identical-host-drivers"),
        (["state", "host", "gpus"], {}, "state.host.gpus: {}; wanted list"),
        (["state", "host", "preset_range"], [1], "state.host.preset_range: [1]; wanted 2 values"),
        (["state", "vms", "vm1", "saved"], ["*"], "state.vms.vm1.saved[0]: '*'; wanted base64"),
        (["state", "host", "gpus", 0, "board"], "L4OS", "unknown board L4OS; did you mean"),
    ],
)
def test_wrong_data_is_told(path: list[Any], value: object, message: str) -> None:
    """What does not fit is an error that names its place and value."""
    manager = a_manager()
    start_vm(manager, power=VmState.HIBERNATED)
    data = through_json(manager.to_data())
    at: Any = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(InputError) as caught:
        VgpuManager.from_data(data)
    assert str(caught.value).startswith(message)


def test_data_of_another_kind_is_told() -> None:
    """Something that is no dictionary at all."""
    with pytest.raises(InputError, match="data_version: list; wanted 1"):
        VgpuManager.from_data([])


def test_domain_ids_of_a_file_are_kept_and_the_others_numbered_around_them() -> None:
    """A VM that names its domain id has it, wherever it stands in the file."""
    vms = [
        {
            "id": name,
            "host": "h01",
            "state": "running",
            "memory_mib": 1024,
            "vgpus": [{"type": "L40S-12Q", "gpu": "h01/0"}],
            **more,
        }
        for name, more in (("a", {}), ("b", {"domid": 1}), ("c", {}))
    ]
    state = state_of_host(a_fleet(*vms, hypervisor="xen"), HostId("h01"))
    assert {str(vm_id): record.domid for vm_id, record in state.vms.items()} == {"a": 2, "b": 1, "c": 3}
