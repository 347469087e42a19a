"""Plans of every goal on random fleets of every kind: the independent replay objects to none."""

from __future__ import annotations

import pytest
from tests.planning.random_plans import case_of, tally

from vgpu_migrate.model.planfile import write_plan


@pytest.mark.parametrize("first", range(0, 240, 12))
def test_no_promise_is_broken_and_nothing_is_left_unsaid(first: int) -> None:
    """Plans pass the replay, and who is not served is named; `make proof` looks at a thousand."""
    results = [tally(seed) for seed in range(first, first + 12)]
    assert [result for result in results if result.violations] == []


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_gives_the_same_plan_again(seed: int) -> None:
    """What a violation's seed stands for can be looked at again, byte for byte."""
    assert write_plan(case_of(seed).plan) == write_plan(case_of(seed).plan)
