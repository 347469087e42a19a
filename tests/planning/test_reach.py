"""How many hosts each VM can go to, and fleets compared by that."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm, random_fleet

from vgpu_migrate.compat import survey
from vgpu_migrate.model import Fleet, Settings, VersionRange, VmId, VmState
from vgpu_migrate.model.what_if import parse_change, what_if
from vgpu_migrate.planning.reach import Reached, compare, reach

OLD = VersionRange(0x70001, 0x120001)


def dumb_reach(fleet: Fleet) -> dict[VmId, int]:
    """The same from the survey of each VM, gpu by gpu."""
    found = {}
    for vm in fleet.vms.values():
        home = vm.host if vm.state.holds_vgpus else None
        hosts = [one for one in survey(fleet, vm).hosts if one.host != home]
        found[vm.id] = sum(bool(one.states & vm.state.needs) for one in hosts)
    return found


@pytest.mark.parametrize("seed", range(10))
def test_reach_is_what_the_survey_of_each_vm_says(seed: int) -> None:
    """Class by class as gpu by gpu, for every VM of varied fleets."""
    fleet = random_fleet(seed, hosts=7, odd=0.4, several=0.3, mig=0.2, domains=2)
    assert dict(reach(fleet)) == dumb_reach(fleet)


def test_each_state_has_its_own_way_to_go_on() -> None:
    """A sleeping VM needs sleep, one that is off a cold start, wherever it may be."""
    hosts = [a_host("h1"), a_host("h2", [a_gpu("h2", 0, ecc=False)]), a_host("h3", domain="east")]
    vms = [a_vm("runs", "h1/0"), a_vm("sleeps", "h1/0", state=VmState.SLEEPING)]
    off = replace(a_vm("off", "h1/0", state=VmState.OFF, vgpu_version=None), host=None)
    off = replace(off, vgpus=tuple(replace(vgpu, gpu=None) for vgpu in off.vgpus))
    fleet = a_fleet(hosts, [*vms, off], domains={"east": Settings()})
    assert dict(reach(fleet)) == {"runs": 0, "sleeps": 0, "off": 3}


def test_vms_are_told_by_what_becomes_of_their_reach() -> None:
    """Stranded, loses, freed, gains, gone, and the same: each VM in one."""
    hosts = [
        a_host("h1"),
        a_host("h2"),
        a_host("h3", range_in_force=OLD, preset_range=OLD),
        a_host("h4", range_in_force=OLD),
        a_host("h5", board="L40S"),
    ]
    vms = [
        a_vm("one", "h1/0", vgpu_version=0x140001),
        a_vm("two", "h2/0", vgpu_version=0x120001),
        a_vm("same", "h5/0", "L40S-8Q"),
    ]
    today = a_fleet(hosts, vms)
    then = what_if(today, [parse_change("h4:range=none")])
    found = compare(today, then)
    assert (found.gains, found.same) == ((Reached(vms[0].id, 1, 2),), 2)
    then = what_if(today, [parse_change("h2:schedulable=false")])
    found = compare(today, then)
    assert found.stranded == (Reached(vms[0].id, 1, 0),)
    assert (found.loses, found.same) == ((), 2)
    back = compare(then, today)
    assert back.freed == (Reached(vms[0].id, 0, 1),)
    found = compare(today, what_if(today, [], ["h1"]))
    assert found.gone == (Reached(vms[0].id, 1, None),)
    assert found.loses == (Reached(vms[1].id, 3, 2),)
    assert compare(today, today, [vms[0].id]).same == 1
