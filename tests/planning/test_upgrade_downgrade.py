"""An older driver may be asked for: that is said, and nobody is told to upgrade what was just asked for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planning.fleets import a_fleet, a_host, a_vm

from vgpu_migrate.facts import host_driver
from vgpu_migrate.model import Fleet
from vgpu_migrate.nvml import States
from vgpu_migrate.planning import upgrade
from vgpu_migrate.planning.rolling.downgrades import remedy_of

NEW = "580.65.05"
OLD = "550.54.16"


def new_fleet(**vm: Any) -> Fleet:
    """Two hosts on a newer driver, one with a VM that got a version that only this one takes."""
    preset = host_driver(NEW).preset_range
    hosts = [a_host(name, driver=NEW, preset_range=preset, range_in_force=preset) for name in ("h1", "h2")]
    there: dict[str, Any] = {
        "guest_driver": "580.65.06",
        "vgpu_version": 0x1A0001,
        "allow": States.LIVE,
        **vm,
    }
    return a_fleet(hosts, [a_vm("v1", "h1/0", **there)])


def test_a_downgrade_is_said() -> None:
    """The note counts the hosts that are given an older driver than they have, and names them."""
    assert "2 hosts go to an older driver: h1, h2" in upgrade(new_fleet(vgpu_version=0x140001), OLD).notes
    assert not [n for n in upgrade(new_fleet(vgpu_version=0x1A0001), "580.126.08").notes if "older" in n]
    mixed = a_fleet([a_host("h1"), a_host("h2", driver="550.90.05")])
    assert "1 host goes to an older driver: h2" in upgrade(mixed, "550.54.16").notes


def test_who_is_too_new_for_the_older_driver_is_not_told_to_upgrade() -> None:
    """Neither the reason nor what would help asks for a newer driver, on the host or in the guest."""
    plan = upgrade(new_fleet(), OLD, remedies=100).plan
    held = next(item for item in plan.stuck if item.vm == "v1")
    assert [piece.rule for piece in held.evidence] == ["guest-newer"]
    texts = [*held.remedies, *[piece.remedy for piece in held.evidence]]
    assert any("install an older guest driver, or do not downgrade" in text for text in texts)
    assert not [text for text in texts if "upgrade the" in text]


@pytest.mark.parametrize(
    ("is_down", "said"),
    [
        (True, "install an older guest driver, or do not downgrade"),
        (False, "choose a host driver that reaches 0x1a0001, or install an older guest driver"),
    ],
)
def test_the_remedy_is_for_a_driver_that_was_asked_for(is_down: bool, said: str) -> None:
    """A rule's remedy for a host with too old a driver is turned to the choice of the driver."""
    text = "upgrade the target's host driver to one that reaches 0x1a0001, or install an older guest driver"
    assert remedy_of("guest-driver-newer", text, is_down=is_down) == said
    assert remedy_of("gpu-config", text, is_down=is_down) == text
