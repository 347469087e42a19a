"""Where a new VM should start so that it stays movable."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.planning.fleets import a_fleet, a_gpu, a_host, a_vm, random_fleet

from vgpu_migrate import facts
from vgpu_migrate.compat import survey
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.model import Fleet, HostId, PlacementMode, Settings, VersionRange, VmId
from vgpu_migrate.model.planfile import Seat
from vgpu_migrate.planning.new_vm import Home, NewVm, homes

OLD = VersionRange(0x70001, 0x120001)
NEW = VersionRange(0x120001, 0x1A0001)


def a_new_vm(short: str = "A40-8Q", guest: str = "535.161.07", **changes: Any) -> NewVm:
    """A VM with one vgpu whose guest driver knows 0x70001 to 0x120001."""
    return NewVm(facts.vgpu_type(short), guest, **changes)


def by_host(found: tuple[Home, ...]) -> dict[str, Home]:
    """Homes by name."""
    return {home.host: home for home in found}


def test_the_best_home_is_where_most_others_could_take_it() -> None:
    """On the old host it gets a version that the new ones take; on a new one, one that the old do not."""
    hosts = [
        a_host("h1", preset_range=NEW, range_in_force=NEW),
        a_host("h2", preset_range=NEW, range_in_force=NEW),
        a_host("h3", preset_range=VersionRange(0x120001, 0x150001), range_in_force=None),
        a_host("h4", preset_range=VersionRange(0x120001, 0x150001), range_in_force=None),
    ]
    hosts[2:] = [replace(host, range_in_force=host.preset_range) for host in hosts[2:]]
    wide = facts.guest_driver("580.126.09")
    found = homes(a_fleet(hosts), a_new_vm(guest="580.126.09"))
    assert (wide.minimum, wide.maximum) == (0x140001, 0x1A0001)
    assert [(home.host, home.version, home.live_hosts) for home in found] == [
        ("h3", 0x150001, 3),
        ("h4", 0x150001, 3),
        ("h1", 0x1A0001, 1),
        ("h2", 0x1A0001, 1),
    ]
    assert found[0].seats == (Seat(hosts[2].gpus[0].id, None),)


def test_a_host_where_its_driver_would_not_load_is_none() -> None:
    """The rule is named, and no version is promised."""
    above = VersionRange(0x130001, 0x140001)
    found = by_host(homes(a_fleet([a_host("h1"), a_host("h2", range_in_force=above)]), a_new_vm()))
    assert (found["h2"].starts, found["h2"].version) == (False, None)
    assert found["h2"].why_not == ("guest-driver-older",)
    assert (found["h1"].starts, found["h1"].live_hosts) == (True, 0)


def test_room_counts_on_its_home_and_on_the_others() -> None:
    """A full gpu, a lock, memory, vcpus and groups, each by itself."""
    full = [a_vm(f"f{n}", "h2/0", "A40-24Q") for n in range(2)]
    hosts = [
        a_host("h1", memory_mib=65536, vcpus=32),
        a_host("h2"),
        a_host("h3", memory_mib=8192),
        a_host("h4", vcpus=4),
        a_host("h5"),
        a_host("h6"),
    ]
    vms = [*full, a_vm("lock", "h5/0", "A40-12Q"), a_vm("mate", "h6/0", anti_affinity=("db",))]
    new = a_new_vm(memory_mib=16384, vcpus=8, anti_affinity=("db",))
    found = by_host(homes(a_fleet(hosts, vms), new))
    assert [home for home in found if found[home].fits] == ["h1"]
    assert {home.why_not for home in (found["h2"], found["h5"])} == {("no room on its gpus",)}
    assert found["h3"].why_not == ("it needs 16384 MiB of memory, h3 has 8192 free",)
    assert found["h4"].why_not == ("it needs 8 vcpus, h4 has 4 free",)
    assert found["h6"].why_not == ("mate of its anti-affinity group is there",)
    assert (found["h1"].live_hosts, found["h1"].live_hosts_with_room) == (5, 0)
    assert found["h2"].live_hosts_with_room == 1


def test_several_vgpus_find_room_on_one_host_together() -> None:
    """Two halves of a gpu fit on one gpu, three on two."""
    fleet = a_fleet([a_host("h1"), a_host("h2", 2)])
    two = by_host(homes(fleet, a_new_vm("A40-24Q", count=2)))
    assert (two["h1"].fits, two["h2"].fits) == (True, True)
    three = by_host(homes(fleet, a_new_vm("A40-24Q", count=3)))
    assert (three["h1"].fits, three["h2"].fits) == (False, True)
    assert [seat.gpu for seat in three["h2"].seats] == ["h2/0", "h2/0", "h2/1"]


def test_of_gpus_set_up_differently_the_one_with_more_reach_is_taken() -> None:
    """The gpu with ECC off would leave it nowhere to go."""
    hosts = [a_host("h1", [a_gpu("h1", 0, ecc=False), a_gpu("h1", 1)]), a_host("h2")]
    found = by_host(homes(a_fleet(hosts), a_new_vm()))
    assert (found["h1"].live_hosts, found["h1"].seats) == (1, (Seat(hosts[0].gpus[1].id, None),))


def test_a_placement_id_is_named_on_a_mixed_size_gpu() -> None:
    """The lowest that is free."""
    hosts = [a_host("h1", [a_gpu("h1", 0, mode=PlacementMode.MIXED)])]
    (home,) = homes(a_fleet(hosts, [a_vm("v", "h1/0@0")]), a_new_vm())
    assert home.seats == (Seat(hosts[0].gpus[0].id, 16),)


def test_domains_are_apart_and_hosts_that_take_nobody_are_left_out() -> None:
    """Reach counts hosts of the home's domain; a domain that is not there is an error."""
    hosts = [
        a_host("h1", domain="west"),
        a_host("h2", domain="west", schedulable=False),
        a_host("h3", domain="east"),
        a_host("h4", domain="east", has_manager=False),
        a_host("h5", domain="east"),
    ]
    fleet = a_fleet(hosts, domains={"west": Settings(), "east": Settings()})
    assert {home.host: home.live_hosts for home in homes(fleet, a_new_vm())} == {"h1": 0, "h3": 1, "h5": 1}
    assert [home.host for home in homes(fleet, a_new_vm(), domain="west")] == ["h1"]
    with pytest.raises(UnknownNameError, match="unknown migration domain north"):
        homes(fleet, a_new_vm(), domain="north")
    assert homes(a_fleet([]), a_new_vm()) == ()


def test_an_unknown_guest_driver_promises_nothing() -> None:
    """It may start, with a version that is not known, and is not known to move live."""
    (home, _) = homes(a_fleet([a_host("h1"), a_host("h2")]), a_new_vm(guest="1.2.3"))
    assert (home.starts, home.version, home.live_hosts) == (True, None, 0)


def started(fleet: Fleet, new: NewVm, home: Home) -> Fleet:
    """The fleet after the new VM has started on its home."""
    vm = a_vm(
        "new",
        [seat.gpu if seat.placement is None else f"{seat.gpu}@{seat.placement}" for seat in home.seats],
        [new.type.short] * new.count,
        guest_driver=new.guest_driver,
        vgpu_version=home.version,
        memory_mib=new.memory_mib,
        vcpus=new.vcpus,
    )
    vm = replace(vm, host=HostId(home.host))
    vms = {**fleet.vms, vm.id: vm}
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, vms)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_promised_is_what_the_survey_says_once_it_runs(seed: int) -> None:
    """Live hosts, and those with room, as for any other VM, wherever it is started."""
    fleet = random_fleet(seed, hosts=6, odd=0.4, mixed=0.4, memory=True, vms=20)
    new = a_new_vm("A40-4Q", guest="550.54.14", memory_mib=8192, vcpus=4)
    found = homes(fleet, new)
    for home in found:
        if not home.fits:
            continue
        then = started(fleet, new, home)
        others = [one for one in survey(then, then.vms[VmId("new")]).hosts if one.host != home.host]
        assert sum(one.is_live for one in others) == home.live_hosts
        assert sum(one.is_live and one.fits for one in others) >= home.live_hosts_with_room
