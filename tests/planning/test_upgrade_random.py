"""Rolling upgrades of random fleets: whatever they are like, the replay objects to nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning.fleets import random_fleet

from vgpu_migrate.model.planfile import UpgradeStep
from vgpu_migrate.planning import Pins, upgrade
from vgpu_migrate.planning.rolling.shares import deal, split
from vgpu_migrate.replay import replay

DRIVERS = ("550.90.05", "580.65.05", "570.86.16", "999.1.1", "535.161.05")


def asked(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a random fleet is like, and what is asked for it."""
    fleet = {
        "hosts": rng.choice([2, 3, 5, 8, 12]),
        "gpus": rng.choice([1, 2, 4]),
        "vms": rng.choice([6, 15, 30, 50]),
        "mixed": rng.choice([0, 0.5, 1]),
        "odd": rng.choice([0, 0.1, 0.3]),
        "memory": rng.random() < 0.4,
        "groups": rng.choice([0, 0, 4]),
        "several": rng.choice([0, 0, 0.3]),
        "mig": rng.choice([0, 0, 0.3]),
        "domains": rng.choice([1, 1, 2]),
    }
    options = {
        "waves": rng.choice([(), (), (1,), (1, 2), (2, 1, 3)]),
        "max_unavailable": rng.choice([None, None, 1, 2]),
        "pins": rng.choice(list(Pins)),
    }
    return fleet, options


@pytest.mark.parametrize("seed", range(60))
def test_every_order_of_a_random_plan_is_safe(seed: int) -> None:
    """The replay finds no violation, and every host asked for is upgraded, stuck, or has the driver."""
    rng = random.Random(seed)
    kind, options = asked(rng)
    fleet = random_fleet(seed, **kind)
    driver = rng.choice(DRIVERS)
    hosts = rng.sample(sorted(fleet.hosts), max(1, len(fleet.hosts) // 2)) if rng.random() < 0.2 else None
    plan = upgrade(fleet, driver, hosts=hosts, **options).plan
    assert replay(fleet, plan) == ()
    upgraded = {step.host for step in plan.steps if isinstance(step, UpgradeStep)}
    left = {item.host for item in plan.stuck if item.vm is None}
    wanted = {h for h in hosts or fleet.hosts if fleet.hosts[h].driver != driver}
    assert upgraded | left == wanted
    assert all(item.remedies for item in plan.stuck)


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=6),
)
def test_wave_sizes_are_dealt_out_whole(sizes: list[int], weights: list[int]) -> None:
    """In every wave the shares of all add up to its size, and in a round each has as many turns as weight."""
    waves = len(sizes) + sum(weights)
    rows = split(sizes, weights, waves)
    whole = [sizes[min(wave, len(sizes) - 1)] for wave in range(waves)]
    assert [sum(column) for column in zip(*rows, strict=True)] == whole
    turns = deal(weights)
    assert [turns.count(number) for number in range(len(weights))] == weights
