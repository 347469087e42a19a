"""Fleets as they would be: changes by name, and what follows from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm, random_fleet

from vgpu_migrate.errors import InputError, UnknownNameError
from vgpu_migrate.model import Fleet, GpuId, HostId, VersionRange, VmId, VmState
from vgpu_migrate.model.what_if import Change, gone_with, parse_change, what_if
from vgpu_migrate.nvml import States


def a_pair() -> Fleet:
    """Two hosts, the first with an administrator's range, and a VM on each."""
    pinned = a_host("h1", range_in_force=VersionRange(0x70001, 0x140001))
    vms = [
        a_vm("v1", "h1/0", guest_driver="550.54.14"),
        a_vm("v2", "h2/0", guest_driver="535.161.07", vgpu_version=0x120001),
    ]
    return a_fleet([pinned, a_host("h2", [a_gpu("h2", 0, ecc=False)])], vms)


def changed(fleet: Fleet, *texts: str, without: tuple[str, ...] = ()) -> Fleet:
    """The fleet with changes as the command line spells them."""
    return what_if(fleet, [parse_change(text) for text in texts], without)


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("h03:driver=580.126.08", Change("h03", "driver", "580.126.08")),
        ("rack:1:h03:ecc=true", Change("rack:1:h03", "ecc", "true")),
        ("v:allow=live,cold", Change("v", "allow", "live,cold")),
        ("v:guest_driver=", Change("v", "guest_driver", "")),
    ],
)
def test_a_change_is_a_name_a_key_and_a_value(text: str, change: Change) -> None:
    """The last colon before a key counts, so names may have some."""
    assert parse_change(text) == change
    assert str(change) == text


@pytest.mark.parametrize("text", ["", "h03", "h03:driver", ":driver=1", "h03=1", "h03:Driver=1"])
def test_what_is_no_change_is_refused(text: str) -> None:
    """The form that was wanted is told."""
    with pytest.raises(InputError, match="wanted NAME:KEY=VALUE"):
        parse_change(text)


@given(st.integers(0, 40))
def test_without_changes_nothing_changes_but_the_revision(seed: int) -> None:
    """Hosts and VMs are the same, and no plan for it is one for the fleet as it is."""
    fleet = random_fleet(seed, mixed=0.3, memory=True, groups=2, several=0.2, mig=0.2)
    then = what_if(fleet, [])
    assert then.revision is None
    assert dict(then.vms) == dict(fleet.vms)
    assert {h.id: replace(h, range_said="") for h in then.hosts.values()} == {
        h.id: replace(h, range_said="") for h in fleet.hosts.values()
    }


def test_another_host_driver_brings_its_own_range() -> None:
    """An administrator's range and a preset range of the file are gone; VMs keep their versions."""
    then = changed(a_pair(), "h1:driver=580.126.08")
    host = then.hosts[HostId("h1")]
    assert (host.driver, host.preset_range) == ("580.126.08", VersionRange(0x120001, 0x1A0001))
    assert host.range_in_force == host.preset_range
    assert then.vms[VmId("v1")].vgpus[0].vgpu_version == 0x140001


def test_a_range_set_beside_a_driver_is_inside_that_drivers() -> None:
    """The driver comes first, in whatever order they are named."""
    for texts in (
        ("h1:range=0x120001-0x140001", "h1:driver=580.126.08"),
        ("h1:driver=580.126.08", "h1:range=0x120001-0x140001"),
    ):
        assert changed(a_pair(), *texts).hosts[HostId("h1")].range_in_force == (0x120001, 0x140001)


def test_another_guest_driver_negotiates_anew_where_the_vm_is() -> None:
    """The guest has been rebooted under the range in force of its host."""
    then = changed(a_pair(), "v2:guest_driver=550.54.14")
    assert then.vms[VmId("v2")].vgpus[0].vgpu_version == 0x140001
    then = changed(a_pair(), "v2:guest_driver=550.54.14", "v2:version=0x130001")
    assert then.vms[VmId("v2")].vgpus[0].vgpu_version == 0x130001


def test_a_vm_that_is_off_is_on_no_host() -> None:
    """A hibernated one keeps its host and its version."""
    off = changed(a_pair(), "v1:state=off").vms[VmId("v1")]
    assert (off.host, off.vgpus[0].gpu, off.vgpus[0].vgpu_version) == (None, None, None)
    rests = changed(a_pair(), "v1:state=hibernated").vms[VmId("v1")]
    assert (rests.state, rests.host, rests.vgpus[0].gpu) == (VmState.HIBERNATED, "h1", None)
    assert rests.vgpus[0].vgpu_version == 0x140001


def test_each_kind_of_thing_has_keys_to_change() -> None:
    """Flags, numbers, words and `none`."""
    then = changed(
        a_pair(),
        "h2/0:ecc=true",
        "h1:schedulable=false",
        "h1:memory_mib=65536",
        "v1:allow=live,cold",
        "v1:anti_affinity=db,web",
        "v2:guest_driver=none",
        "v2:migration=false",
    )
    assert then.gpus[GpuId("h2/0")].ecc
    assert (then.hosts[HostId("h1")].schedulable, then.hosts[HostId("h1")].memory_mib) == (False, 65536)
    first, second = then.vms[VmId("v1")], then.vms[VmId("v2")]
    assert (first.allow, first.anti_affinity) == (States.LIVE | States.COLD, ("db", "web"))
    assert (second.guest_driver, second.vgpus[0].migration) == (None, False)


def test_a_host_that_is_taken_away_takes_its_vms_along() -> None:
    """A VM may be named, too."""
    then = changed(a_pair(), without=("h1",))
    assert (list(then.hosts), list(then.vms)) == (["h2"], ["v2"])
    assert gone_with(a_pair(), ["h1", "v2"]) == {"v1": "h1", "v2": None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("h9:driver=1", "h9:driver=1: unknown host, gpu or VM h9"),
        ("h1:driver=foo", "h1:driver=foo: no driver's number; wanted a host driver, such as 580.126.08"),
        ("h1:driver=none", "h1:driver=none: no driver's number; wanted a host driver"),
        ("v1:guest_driver=5O0.1", "no driver's number; wanted a guest driver, such as 580.126.09, or none"),
        ("h1:drivr=1", "h1:drivr=1: host h1 has no key drivr to change; did you mean driver?"),
        ("h1:ecc=true", "host h1 has no key ecc to change"),
        ("h1:schedulable=maybe", 'h1.schedulable: "maybe"; wanted true or false'),
        ("h1:range=0x60001-0x140001", "h1.range: 0x60001-0x140001; wanted a range inside the preset range"),
        ("v1:allow=live,slep", 'v1.allow[1]: "slep"; wanted one of cold, hibernate, live, sleep'),
        ("h1:manager=false", "v1.host: h1; wanted a host with a vGPU Manager"),
        ("h1/0:mig=3,3", "h1.gpus[0].mig: [3, 3]; wanted none: A40 has no MIG"),
    ],
)
def test_what_cannot_be_is_told_by_name(text: str, said: str) -> None:
    """Names, keys and values are checked as strictly as in a file."""
    with pytest.raises(InputError) as caught:
        changed(a_pair(), text)
    assert said in str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    """Two wrong changes, two problems; the same key twice is one."""
    with pytest.raises(InputError) as caught:
        changed(a_pair(), "h1:x=1", "h9:y=2", "v1:allow=live", "v1:allow=cold")
    assert len(caught.value.problems) == 3
    assert "v1:allow: changed twice; wanted it once" in str(caught.value)


def test_what_is_not_there_cannot_be_taken_away() -> None:
    """The name is told."""
    with pytest.raises(UnknownNameError, match="unknown host or VM h7"):
        changed(a_pair(), without=("h7",))


def test_a_vm_without_a_version_does_not_get_one() -> None:
    """A change elsewhere leaves it as it is, though a file could not say so."""
    vm = a_vm("v1", "h1/0", guest_driver="550.54.14", vgpu_version=None)
    then = changed(a_fleet([a_host("h1"), a_host("h2")], [vm]), "h2:schedulable=false")
    assert then.vms[VmId("v1")].vgpus[0].vgpu_version is None
