"""The rules of the fleet file, one by one: what is wrong, where, and in which words."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from tests.model.fleet_makers import (
    Data,
    a_file,
    a_gpu_entry,
    a_host_entry,
    a_stopped_vm_entry,
    a_vgpu_entry,
    a_vm_entry,
    problems,
    read,
    said,
)

from vgpu_migrate import facts
from vgpu_migrate.model import GpuId, HostId, PlacementMode, Profile, Settings, VersionRange, VmId, VmState
from vgpu_migrate.nvml import GuestInfoState, States, VgpuMetadata

MIXED = {"mode": "mixed"}


def hosts_with(*gpus: Data, **keys: Any) -> list[Data]:
    """One host with these gpus."""
    return [a_host_entry(gpus=list(gpus), **keys)]


def one_vm(**keys: Any) -> list[Data]:
    """One running VM, bent."""
    return [a_vm_entry(**keys)]


def a_record(version: int = 0x140001, state: GuestInfoState = GuestInfoState.INITIALIZED) -> str:
    """A saved record, in base64."""
    record = VgpuMetadata(state, "550.54.14", "550.54.16", version, 1)
    return b64encode(record.to_bytes()).decode()


def test_defaults_are_those_of_the_format() -> None:
    """What a small file leaves out is filled in as the format says."""
    fleet = read(a_file())
    host, gpu, vm = fleet.hosts[HostId("h01")], fleet.gpus[GpuId("h01/0")], fleet.vms[VmId("vm-1")]
    assert (fleet.revision, fleet.settings, dict(fleet.domain_settings)) == (None, Settings(), {})
    assert (host.domain, host.has_manager, host.hypervisor, host.schedulable) == (
        "default",
        True,
        "kvm",
        True,
    )
    assert (host.memory_mib, host.vcpus) == (None, None)
    assert host.preset_range == host.range_in_force == VersionRange(0x70001, 0x140001)
    assert host.range_said == facts.host_driver("550.54.16").said
    assert (gpu.host, gpu.index, gpu.mode, gpu.mig, gpu.types) == ("h01", 0, PlacementMode.EQUAL, (), ())
    assert (gpu.ecc, gpu.sriov, gpu.is_vgpu_host, gpu.migration, gpu.topology) == (True, True, True, True, 0)
    assert (vm.given_uuid, vm.domid, vm.vcpus, vm.anti_affinity) == (None, None, None, ())
    assert vm.uuid == read(a_file()).vms[VmId("vm-1")].uuid
    assert vm.allow == States.LIVE
    assert (vm.vgpus[0].gpu, vm.vgpus[0].migration, vm.vgpus[0].record) == ("h01/0", True, None)


@pytest.mark.parametrize(("board", "sriov"), [("T4", False), ("V100", False), ("A40", True), ("L40S", True)])
def test_sriov_is_on_from_ampere_on(board: str, sriov: bool) -> None:
    """A gpu that says nothing of SR-IOV has it off on Turing and older, on from Ampere on."""
    fleet = read(a_file(hosts_with(a_gpu_entry(board=board)), []))
    assert fleet.gpus[GpuId("h01/0")].sriov is sriov


@pytest.mark.parametrize(
    ("state", "allow"), [("running", States.LIVE), ("sleeping", States.LIVE | States.SLEEP)]
)
def test_owners_accept_live_moves_by_default(state: str, allow: States) -> None:
    """An owner who says nothing accepts live moves, and of a sleeping VM that it sleeps on."""
    assert read(a_file(vms=one_vm(state=state))).vms[VmId("vm-1")].allow == allow


def test_an_empty_allow_accepts_nothing() -> None:
    """An owner may forbid every move."""
    assert read(a_file(vms=one_vm(allow=[]))).vms[VmId("vm-1")].allow == States.NONE


def test_integers_may_be_hex_texts() -> None:
    """Every whole number may be a 0x text."""
    host = a_host_entry(
        memory_mib="0x80000", preset_range=["0x70001", 0x140001], gpus=[a_gpu_entry(topology="0x1F")]
    )
    vm = a_vm_entry(memory_mib="0x4000", vgpus=[a_vgpu_entry(version="0x00140001")])
    fleet = read(a_file([host], [vm], fleetfile_version="0x1", revision="0x7"))
    assert (fleet.revision, fleet.hosts[HostId("h01")].memory_mib) == (7, 0x80000)
    assert fleet.gpus[GpuId("h01/0")].topology == 31
    assert fleet.vms[VmId("vm-1")].memory_mib == 0x4000
    assert fleet.vms[VmId("vm-1")].vgpus[0].vgpu_version == 0x140001


@pytest.mark.parametrize("name", ["L40S-12Q", "NVIDIA L40S-12Q", "GRID L40S-12Q", "nvidia-1153"])
def test_type_names_are_normalised(name: str) -> None:
    """Short, long and mdev names of one type are the same."""
    fleet = read(a_file(vms=one_vm(vgpus=[a_vgpu_entry(type=name)])))
    assert fleet.vms[VmId("vm-1")].vgpus[0].type is facts.vgpu_type("L40S-12Q")


def test_domains_override_the_fleets_settings() -> None:
    """A domain has the fleet's settings but for those it names."""
    fleet = read(
        a_file(
            settings={"overhead_s": 3, "migrations_per_fleet": 9},
            domains={"default": {"profile": "renegotiating-resume"}},
        )
    )
    assert fleet.settings == Settings(overhead_s=3.0, migrations_per_fleet=9)
    assert fleet.settings_of("default") == Settings(
        profile=Profile.RENEGOTIATING_RESUME, overhead_s=3.0, migrations_per_fleet=9
    )
    assert fleet.settings_of("elsewhere") == fleet.settings


def test_a_given_preset_range_wins_over_the_tables() -> None:
    """The file's preset range counts, and the host says where it came from."""
    host = read(a_file([a_host_entry(preset_range=[1, 0x200000])])).hosts[HostId("h01")]
    assert host.preset_range == host.range_in_force == VersionRange(1, 0x200000)
    assert host.range_said == "given in the fleet file"
    assert not host.range_is_override


def test_an_unknown_driver_has_no_range() -> None:
    """A driver that no table knows is read; its range is not known and the host says so."""
    host = read(a_file([a_host_entry(driver="dev-build")], [])).hosts[HostId("h01")]
    assert (host.preset_range, host.range_in_force) == (None, None)
    assert host.range_said == facts.host_driver("dev-build").said


def test_a_range_overrides_the_preset() -> None:
    """A range of the file is in force, the preset range stays."""
    host = read(a_file([a_host_entry(range=[0x100001, 0x120001])])).hosts[HostId("h01")]
    assert host.range_in_force == VersionRange(0x100001, 0x120001)
    assert host.preset_range == VersionRange(0x70001, 0x140001)
    assert host.range_is_override


@pytest.mark.parametrize(
    ("state", "keys", "vgpu", "version"),
    [
        ("running", {}, {}, 0x140001),
        ("paused", {}, {}, 0x140001),
        ("sleeping", {}, {}, 0x140001),
        ("booting", {}, {}, None),
        ("booting", {}, {"version": 0x140001}, None),
        ("running", {"guest_driver": None}, {}, None),
        ("running", {"guest_driver": None}, {"version": 0x100001}, 0x100001),
        ("running", {}, {"version": 0x100001}, 0x100001),
        ("running", {}, {"record": a_record(0x100001)}, 0x140001),
        ("running", {}, {"record": a_record(0x100001), "version": 0x120001}, 0x120001),
        ("running", {"guest_driver": "no-such"}, {}, None),
        ("hibernated", {}, {}, None),
        ("hibernated", {}, {"version": 0x100001}, 0x100001),
        ("hibernated", {}, {"record": a_record(0x120001)}, 0x120001),
        ("hibernated", {}, {"record": a_record(0x120001), "version": 0x120001}, 0x120001),
        ("hibernated", {}, {"record": a_record(0, GuestInfoState.UNINITIALIZED)}, None),
        ("off", {}, {}, None),
        ("off", {}, {"version": 0x100001}, None),
        ("off", {}, {"record": a_record(0x120001), "version": 0x100001}, None),
    ],
)
def test_the_version_held(state: str, keys: Data, vgpu: Data, version: int | None) -> None:
    """The version is the given one, else negotiated, or a hibernated VM's record's; off and booting: none."""
    is_stopped = state in ("off", "hibernated")
    make = a_stopped_vm_entry if is_stopped else a_vm_entry
    entry = make(state=state, vgpus=[a_vgpu_entry(None if is_stopped else "h01/0", **vgpu)], **keys)
    assert read(a_file(vms=[entry])).vms[VmId("vm-1")].vgpus[0].vgpu_version == version


def test_a_pinned_host_negotiates_inside_its_range() -> None:
    """Negotiation is with the range in force, not with the preset range."""
    fleet = read(a_file([a_host_entry(range=[0x70001, 0x120001])], one_vm(guest_driver="535.183.01")))
    held = fleet.vms[VmId("vm-1")].vgpus[0].vgpu_version
    assert held is not None
    assert held <= 0x120001


def test_a_hibernated_vm_may_name_a_host() -> None:
    """The host of a hibernated VM is optional."""
    assert (
        read(a_file(vms=[a_stopped_vm_entry(state="hibernated", host="h01")])).vms[VmId("vm-1")].host == "h01"
    )
    assert read(a_file(vms=[a_stopped_vm_entry(state="hibernated")])).vms[VmId("vm-1")].host is None


def test_null_is_absent_where_a_key_has_no_default_of_its_own() -> None:
    """Writers that put null for what they do not know are understood; a flag cannot be null."""
    vm = a_vm_entry(uuid=None) | {"uuid": None, "vcpus": None}
    vm["vgpus"][0] |= {"record": None, "placement": None, "version": None}
    assert read(a_file([a_host_entry(range=None, memory_mib=None)], [vm])) == read(a_file())
    assert said(a_file([a_host_entry(manager=None)])) == ["hosts[0].manager: null; wanted true or false"]


def test_vms_may_be_left_out() -> None:
    """A file of hosts alone is a fleet."""
    assert dict(read({"fleetfile_version": 1, "hosts": []}).vms) == {}


L40S_IDS = "0, 12, 24, 36"
GPUS_OF_BOTH = [a_host_entry(), a_host_entry("h02")]

WRONG: list[tuple[str, Data, list[str]]] = [
    (
        "unknown key",
        a_file([a_host_entry(drivr="x")]),
        ["hosts[0].drivr: unknown key; did you mean driver?"],
    ),
    (
        "unknown key at the top",
        a_file(vmz=[]),
        ["vmz: unknown key; did you mean vms?"],
    ),
    (
        "a flag in words",
        a_file([a_host_entry(), a_host_entry("h02", gpus=[a_gpu_entry(ecc="yes")])]),
        ['hosts[1].gpus[0].ecc: "yes"; wanted true or false'],
    ),
    (
        "a missing key",
        a_file([{"id": "h01", "gpus": [a_gpu_entry()]}]),
        [
            "hosts[0].driver: missing; wanted a driver such as 550.54.16: "
            "1 to 63 printable ASCII characters without spaces"
        ],
    ),
    (
        "two hosts of one id",
        a_file([a_host_entry(), a_host_entry(gpus=[a_gpu_entry(id="g2")])]),
        ['hosts[1].id: "h01"; wanted an id of its own; hosts[0] has this one'],
    ),
    (
        "two gpus of one id",
        a_file(hosts_with(a_gpu_entry(id="g"), a_gpu_entry(id="g")), []),
        ['hosts[0].gpus[1].id: "g"; wanted an id of its own; hosts[0].gpus[0] has this one'],
    ),
    (
        "a default id that another gpu has",
        a_file(hosts_with(a_gpu_entry(id="h01/1"), a_gpu_entry()), []),
        ['hosts[0].gpus[1].id: "h01/1"; wanted an id of its own; hosts[0].gpus[0] has this one'],
    ),
    (
        "two VMs of one id",
        a_file(vms=[a_vm_entry(), a_vm_entry()]),
        ['vms[1].id: "vm-1"; wanted one of its own; vms[0] has this one'],
    ),
    (
        "two VMs of one uuid, spelled differently",
        a_file(
            vms=[
                a_vm_entry(uuid="0b9ed2c4-8a4f-4c6a-9d4e-3f1d9c8b7a60"),
                a_vm_entry("vm-2", uuid="0B9ED2C4-8A4F-4C6A-9D4E-3F1D9C8B7A60"),
            ]
        ),
        ['vms[1].uuid: "0b9ed2c4-8a4f-4c6a-9d4e-3f1d9c8b7a60"; wanted one of its own; vms[0] has this one'],
    ),
    (
        "two domain ids on one host",
        a_file(vms=[a_vm_entry(domid=3), a_vm_entry("vm-2", domid=3)]),
        ["vms[1].domid: 3; wanted one of its own; vms[0] has this one"],
    ),
    (
        "two PCI addresses on one host",
        a_file(hosts_with(a_gpu_entry(pci="0000:3b:00.0"), a_gpu_entry(pci="00000000:3B:00.0")), []),
        [
            'hosts[0].gpus[1].pci: "00000000:3B:00.0"; wanted an address of its own; '
            "hosts[0].gpus[0] has this one"
        ],
    ),
    (
        "unknown board",
        a_file([a_host_entry(), a_host_entry("h02", gpus=[a_gpu_entry(board="L40Z")])]),
        ["hosts[1].gpus[0].board: unknown board L40Z; did you mean L40 or L40S?"],
    ),
    (
        "unknown type",
        a_file(vms=one_vm(vgpus=[a_vgpu_entry(type="L40S-12Z")])),
        ["vms[0].vgpus[0].type: unknown vgpu type L40S-12Z; did you mean L40S-12Q or L40S-12C?"],
    ),
    (
        "a VM on a host that is not there",
        a_file(vms=one_vm(host="h1")),
        ["vms[0].host: unknown host h1; did you mean h01?"],
    ),
    (
        "a vgpu on a gpu that is not there",
        a_file(vms=one_vm(vgpus=[a_vgpu_entry("h01/7")])),
        ["vms[0].vgpus[0].gpu: unknown gpu h01/7; did you mean h01/0?"],
    ),
    (
        "a vgpu on another host's gpu",
        a_file(GPUS_OF_BOTH, one_vm(vgpus=[a_vgpu_entry("h02/0")])),
        ["vms[0].vgpus[0].gpu: h02/0 is a gpu of h02; wanted a gpu of h01"],
    ),
    (
        "an off VM with a host and a gpu",
        a_file(vms=[a_vm_entry(state="off")]),
        [
            "vms[0].host: h01; wanted no host for a VM that is off",
            "vms[0].vgpus[0].gpu: h01/0; wanted none: a VM that is off holds no gpu",
        ],
    ),
    (
        "a hibernated VM with a gpu and a placement",
        a_file(vms=[a_vm_entry(state="hibernated", vgpus=[a_vgpu_entry(placement=12)])]),
        [
            "vms[0].vgpus[0].gpu: h01/0; wanted none: a VM that is hibernated holds no gpu",
            "vms[0].vgpus[0].placement: 12; wanted none: a VM that is hibernated has no gpu",
        ],
    ),
    (
        "a running VM without a host",
        a_file(vms=[a_stopped_vm_entry(state="running")]),
        [
            "vms[0].host: missing; wanted the host that it is running on",
            "vms[0].vgpus[0].gpu: missing; wanted the gpu that it is on: the VM is running",
        ],
    ),
    (
        "a VM without a vgpu",
        a_file(vms=[a_vm_entry() | {"vgpus": []}]),
        ["vms[0].vgpus: []; wanted a list of at least one vgpu"],
    ),
    (
        "a type of another board",
        a_file(vms=one_vm(vgpus=[a_vgpu_entry(type="L40-12Q")])),
        ["vms[0].vgpus[0].type: L40-12Q; wanted a type of L40S, the board of h01/0"],
    ),
    (
        "a MIG-backed type without MIG",
        a_file(hosts_with(a_gpu_entry(board="A100")), one_vm(vgpus=[a_vgpu_entry(type="A100-3-20C")])),
        ["vms[0].vgpus[0].type: A100-3-20C; wanted a time-sliced type: h01/0 is not in MIG mode"],
    ),
    (
        "a time-sliced type with MIG",
        a_file(
            hosts_with(a_gpu_entry(board="A100", mig=[3, 3])), one_vm(vgpus=[a_vgpu_entry(type="A100-20C")])
        ),
        ["vms[0].vgpus[0].type: A100-20C; wanted a MIG-backed type: h01/0 is in MIG mode"],
    ),
    (
        "a type that the gpu does not list",
        a_file(hosts_with(a_gpu_entry(types=["L40S-24Q", "L40S-8Q"]))),
        ["vms[0].vgpus[0].type: L40S-12Q; wanted a type that h01/0 lists: L40S-24Q, L40S-8Q"],
    ),
    (
        "types of another board and of none",
        a_file(hosts_with(a_gpu_entry(types=["L40-24Q", "L40S-24Z"])), []),
        [
            "hosts[0].gpus[0].types[0]: L40-24Q; wanted a type of this gpu's board L40S, not of L40",
            "hosts[0].gpus[0].types[1]: unknown vgpu type L40S-24Z; did you mean L40S-24Q or L40S-24C?",
        ],
    ),
    (
        "MIG on a board without",
        a_file(hosts_with(a_gpu_entry(mig=[1])), []),
        ["hosts[0].gpus[0].mig: [1]; wanted none: L40S has no MIG"],
    ),
    (
        "MIG slices that no GPU instance has, and too many",
        a_file(hosts_with(a_gpu_entry(board="A100", mig=[5, 4])), []),
        [
            "hosts[0].gpus[0].mig: [5, 4], 9 slices; wanted at most the 7 that A100 has",
            "hosts[0].gpus[0].mig[0]: 5 slices; wanted a size that GPU instances of A100 have: 1, 2, 3, 4, 7",
        ],
    ),
    (
        "mixed mode with MIG",
        a_file(hosts_with(a_gpu_entry(board="A100", mig=[3], mode="mixed")), []),
        ["hosts[0].gpus[0].mode: mixed; wanted equal on a gpu in MIG mode"],
    ),
    (
        "mixed mode on Turing",
        a_file(hosts_with(a_gpu_entry(board="T4", mode="mixed")), []),
        ["hosts[0].gpus[0].mode: mixed; wanted equal: T4 has no mixed-size mode"],
    ),
    (
        "no placement on a mixed-size gpu",
        a_file(hosts_with(a_gpu_entry(**MIXED))),
        [f"vms[0].vgpus[0].placement: missing; wanted an id on the mixed-size gpu h01/0: {L40S_IDS}"],
    ),
    (
        "a placement that the type does not have",
        a_file(hosts_with(a_gpu_entry(**MIXED)), one_vm(vgpus=[a_vgpu_entry(placement=6)])),
        [f"vms[0].vgpus[0].placement: 6; wanted an id of L40S-12Q: {L40S_IDS}"],
    ),
    (
        "a placement on an equal-size gpu",
        a_file(vms=one_vm(vgpus=[a_vgpu_entry(placement=12)])),
        ["vms[0].vgpus[0].placement: 12; wanted none: h01/0 is not of mixed-size mode"],
    ),
    (
        "placements that overlap",
        a_file(
            hosts_with(a_gpu_entry(**MIXED)),
            [
                a_vm_entry(vgpus=[a_vgpu_entry(placement=12)]),
                a_vm_entry("vm-2", vgpus=[a_vgpu_entry(type="L40S-24Q", placement=0)]),
            ],
        ),
        [
            "vms[1].vgpus[0].placement: 0 overlaps the L40S-12Q of vm-1, 12 GiB from 12 on; "
            "wanted a free placement id on h01/0"
        ],
    ),
    (
        "an over-full gpu",
        a_file(vms=[a_vm_entry(f"vm-{number}") for number in range(5)]),
        [
            "hosts[0].gpus[0]: over-full: it holds 5 of L40S-12Q, at most 4 fit; "
            "wanted fewer vgpus on h01/0; it has those of vm-0, vm-1, vm-2, vm-3, vm-4"
        ],
    ),
    (
        "two types on an equal-size gpu",
        a_file(vms=[a_vm_entry(), a_vm_entry("vm-2", vgpus=[a_vgpu_entry(type="L40S-24Q")])]),
        [
            "hosts[0].gpus[0]: over-full: it holds L40S-12Q, L40S-24Q, but an equal-size gpu has vgpus "
            "of one type; wanted fewer vgpus on h01/0; it has those of vm-1, vm-2"
        ],
    ),
    (
        "more than a MIG gpu's instances",
        a_file(
            hosts_with(a_gpu_entry(board="A100", mig=[3, 2])),
            one_vm(vgpus=[a_vgpu_entry(type="A100-3-20C"), a_vgpu_entry(type="A100-3-20C")]),
        ),
        [
            "hosts[0].gpus[0]: over-full: A100-3-20C need 2 GPU instances of 3 slices, it has 1; "
            "wanted fewer vgpus on h01/0; it has those of vm-1"
        ],
    ),
    (
        "vgpus without a vGPU Manager",
        a_file([a_host_entry(manager=False)]),
        ["vms[0].host: h01; wanted a host with a vGPU Manager; this has manager: false"],
    ),
    (
        "vgpus on no vGPU host",
        a_file(hosts_with(a_gpu_entry(vgpu=False))),
        ["vms[0].vgpus[0].gpu: h01/0; wanted a vGPU host; this gpu has vgpu: false"],
    ),
    (
        "ranges the wrong way round",
        a_file([a_host_entry(range=[0x120001, 0x70001], preset_range=[2, 1])]),
        [
            "hosts[0].preset_range: 0x2-0x1; wanted the minimum first, at most the maximum",
            "hosts[0].range: 0x120001-0x70001; wanted the minimum first, at most the maximum",
        ],
    ),
    (
        "a range outside the preset range",
        a_file([a_host_entry(range=[0x70001, 0x150001])]),
        [
            "hosts[0].range: 0x70001-0x150001; wanted a range inside the preset range 0x70001-0x140001 "
            f"({facts.host_driver('550.54.16').said})"
        ],
    ),
    (
        "settings out of range",
        a_file(
            settings={"migrations_per_host": 0, "bandwidth_gbit_s": 0, "overhead_s": -1, "profile": "fast"}
        ),
        [
            "settings.bandwidth_gbit_s: 0; wanted a number of Gbit/s above 0 and at most 1000000",
            "settings.migrations_per_host: 0; wanted a whole number from 1 to 4294967295, "
            "or such a text as 0x1f",
            "settings.overhead_s: -1; wanted a number of seconds from 0 to 1000000000",
            'settings.profile: "fast"; wanted one of default, identical-host-drivers, renegotiating-resume',
        ],
    ),
    (
        "a fleet's setting in a domain",
        a_file(domains={"default": {"migrations_per_fleet": 3}}),
        ["domains.default.migrations_per_fleet: unknown key; did you mean migrations_per_host?"],
    ),
    (
        "another format version",
        a_file(fleetfile_version=2, whatever=1),
        ["fleetfile_version: 2; wanted 1, the only version that this program reads"],
    ),
    (
        "a state that is none",
        a_file(vms=one_vm(state="runing")),
        ['vms[0].state: "runing"; wanted one of running, paused, sleeping, hibernated, off, booting'],
    ),
    (
        "a way to move that is none",
        a_file(vms=one_vm(allow=["live", "warm"])),
        ['vms[0].allow[1]: "warm"; wanted one of cold, hibernate, live, sleep'],
    ),
    (
        "versions beyond 32 bits",
        a_file(vms=one_vm(vgpus=[a_vgpu_entry(version="0x100000000")])),
        ['vms[0].vgpus[0].version: "0x100000000"; wanted a vGPU version such as 0x140001, 32 bits'],
    ),
    (
        "a record that is no base64",
        a_file(vms=one_vm(vgpus=[a_vgpu_entry(record="***")])),
        ['vms[0].vgpus[0].record: "***"; wanted base64 (Only base64 data is allowed)'],
    ),
    (
        "a record that is cut off",
        a_file(vms=one_vm(vgpus=[a_vgpu_entry(record=b64encode(bytes(40)).decode())])),
        ["vms[0].vgpus[0].record: nvmlVgpuMetadata_t: 40 bytes; wanted at least 212"],
    ),
    (
        "a record of another version than the one given",
        a_file(
            vms=[
                a_stopped_vm_entry(
                    state="hibernated",
                    vgpus=[a_vgpu_entry(None, version=0x100001, record=a_record(0x140001))],
                )
            ]
        ),
        ["vms[0].vgpus[0].version: 0x100001; wanted the version of its record, 0x140001"],
    ),
    (
        "ids that cannot be printed",
        a_file(vms=[a_vm_entry("vm\x1b[2J")]),
        ['vms[0].id: "vm\\x1b[2J"; wanted printable characters, without a space at either end'],
    ),
    (
        "a driver with spaces",
        a_file([a_host_entry(driver="550 beta")]),
        [
            'hosts[0].driver: "550 beta"; wanted a driver such as 550.54.16: '
            "1 to 63 printable ASCII characters without spaces"
        ],
    ),
    ("no mapping", a_file(hosts=[3]), ["hosts[0]: 3; wanted a mapping"]),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("data", "lines"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_told(data: Data, lines: list[str]) -> None:
    """Each broken rule is told with its place, what stands there, and what was wanted; nothing else is."""
    assert said(data) == lines


def test_all_is_told_at_once() -> None:
    """Errors of form and of meaning come together, in the order of their places."""
    data = a_file(
        [
            a_host_entry(colour="red", gpus=[a_gpu_entry(), a_gpu_entry(board="L40Z")]),
            a_host_entry("h02", gpus=[a_gpu_entry(id="h01/0")]),
        ],
        [a_vm_entry(f"vm-{number % 5}") for number in range(6)] + [a_vm_entry("vm-9", host="h09")],
    )
    data["vms"][2]["memory_mib"] = "lots"
    assert [problem.place for problem in problems(data)] == [
        "hosts[0].colour",
        "hosts[0].gpus[0]",
        "hosts[0].gpus[1].board",
        "hosts[1].gpus[0].id",
        "vms[2].memory_mib",
        "vms[5].id",
        "vms[6].host",
    ]


def test_one_mistake_is_told_once() -> None:
    """A host whose id cannot be read is one problem, not one for each of its VMs."""
    data = a_file([a_host_entry() | {"id": 12}])
    assert said(data) == ["hosts[0].id: 12; wanted a text of 1 to 255 characters"]
    data = a_file([{"idd": "h01", "driver": "550.54.16", "gpus": [a_gpu_entry(id="h01/0")]}])
    assert [problem.place for problem in problems(data)] == ["hosts[0].id", "hosts[0].idd"]


def test_a_gpu_in_doubt_is_not_judged() -> None:
    """Where a gpu's own keys are wrong, its vgpus are not said to be wrong on account of them."""
    data = a_file(
        hosts_with(a_gpu_entry(board="A100", migg=[3, 3])), one_vm(vgpus=[a_vgpu_entry(type="A100-3-20C")])
    )
    assert said(data) == ["hosts[0].gpus[0].migg: unknown key; did you mean mig?"]


def test_states_are_read_as_values() -> None:
    """States, modes and profiles become the model's own."""
    fleet = read(a_file(hosts_with(a_gpu_entry(**MIXED)), one_vm(vgpus=[a_vgpu_entry(placement=36)])))
    assert fleet.vms[VmId("vm-1")].state is VmState.RUNNING
    assert fleet.gpus[GpuId("h01/0")].mode is PlacementMode.MIXED
    assert fleet.vms[VmId("vm-1")].vgpus[0].placement == 36
