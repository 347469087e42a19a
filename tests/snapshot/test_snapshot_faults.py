"""Injected faults: when they fire is a pure function, and the library is told all of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.factories import a_gpu, a_host, a_manager
from tests.snapshot.hosts import slot_of

from vgpu_migrate.errors import InputError, UnknownNameError
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml.symbols import symbol
from vgpu_migrate.snapshot import Fault
from vgpu_migrate.snapshot.faults import chance
from vgpu_migrate.snapshot.layout import ANY


def test_a_fault_is_told_as_it_is() -> None:
    """Function and gpu by number, the rest as given."""
    state = a_manager(a_host(gpus=[a_gpu(0), a_gpu(1)])).state
    fault = Fault(
        function="nvmlDeviceGetVgpuMetadata",
        gpu=GpuId("h01/1"),
        instance=7,
        code=999,
        after=3,
        probability=0.25,
        seed=42,
        until_ms=123_456,
        delay_us=1_500,
        counter=9,
    )
    (row,) = slot_of(state, faults=[fault])["faults"]
    assert row == {
        "after": 3,
        "seed": 42,
        "until_ms": 123_456,
        "function": symbol("nvmlDeviceGetVgpuMetadata").number,
        "gpu": 1,
        "instance": 7,
        "code": 999,
        "threshold": 1 << 30,
        "delay_us": 1_500,
        "counter": 9,
        "fill": 0,
    }


def test_what_a_fault_leaves_out_matches_all() -> None:
    """Without function, gpu and instance it is every call's, and without a probability always."""
    (row,) = slot_of(a_manager().state, faults=[Fault(code=15)])["faults"]
    assert {row[name] for name in ("function", "gpu", "instance", "threshold")} == {ANY}


def test_faults_keep_their_order() -> None:
    """The first that fires decides, so they stand as they were given."""
    rows = slot_of(a_manager().state, faults=[Fault(code=code) for code in (3, 1, 2)])["faults"]
    assert [row["code"] for row in rows] == [3, 1, 2]


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("code", -1, "fault.code: -1; wanted 0 to 2147483647"),
        ("after", -1, "fault.after: -1; wanted 0 to 18446744073709551615"),
        ("probability", 1.5, "fault.probability: 1.5; wanted 0 to 1"),
        ("probability", float("nan"), "fault.probability: nan; wanted 0 to 1"),
        ("seed", 1 << 64, "fault.seed: 18446744073709551616; wanted 0 to 18446744073709551615"),
        ("delay_us", 600_000_001, "fault.delay_us: 600000001; wanted 0 to 600000000"),
        ("counter", 256, "fault.counter: 256; wanted 0 to 255"),
        ("instance", ANY, "fault.instance: 4294967295; wanted 0 to 4294967294"),
    ],
)
def test_values_out_of_bounds_are_refused(field: str, value: float, text: str) -> None:
    """What the library could not hold is an error that names the field, the value and the bounds."""
    values: dict[str, Any] = {field: value}
    with pytest.raises(InputError) as caught:
        Fault(**values)
    assert str(caught.value) == text


def test_unknown_functions_and_gpus_are_refused() -> None:
    """A name that nothing carries is told with the nearest."""
    state = a_manager().state
    with pytest.raises(UnknownNameError, match="did you mean nvmlDeviceGetVgpuMetadata"):
        slot_of(state, faults=[Fault(function="nvmlDeviceGetVgpuMetaData")])
    with pytest.raises(UnknownNameError, match="unknown gpu h01/9; did you mean h01/0"):
        slot_of(state, faults=[Fault(gpu=GpuId("h01/9"))])


def test_chance_is_splitmix64() -> None:
    """The generator's first numbers from seed 1234567 are the published ones."""
    assert [chance(1234567, number) for number in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_a_fault_fires_from_its_first_call_on() -> None:
    """`after` calls pass, then every one is hit where the probability is 1, none where it is 0."""
    assert [Fault(after=2).fires(number) for number in range(4)] == [False, False, True, True]
    assert [Fault(probability=0).fires(number) for number in range(4)] == [False] * 4


@given(st.floats(0, 1), st.integers(0, (1 << 64) - 1))
def test_as_many_calls_are_hit_as_the_probability_says(probability: float, seed: int) -> None:
    """Of 2,000 calls the share that is hit is near the probability, whatever the seed."""
    fault = Fault(probability=probability, seed=seed)
    assert abs(sum(map(fault.fires, range(2000))) / 2000 - probability) < 0.08


def test_one_seed_gives_one_story() -> None:
    """The same seed hits the same calls, another seed others."""
    stories = [[Fault(probability=0.5, seed=seed).fires(n) for n in range(64)] for seed in (1, 1, 2)]
    assert stories[0] == stories[1] != stories[2]
