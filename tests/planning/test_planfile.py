"""The plan file: strict to read, stable to write."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from tests.planning.fleets import random_fleet

from vgpu_migrate.errors import InputError
from vgpu_migrate.model import HostId, VersionRange
from vgpu_migrate.model.planfile import (
    How,
    MigrateStep,
    PinStep,
    Plan,
    UpgradeStep,
    bound_to_ms,
    hex_range,
    parse_plan,
    plan_schema,
    write_plan,
)
from vgpu_migrate.planio import read_plan
from vgpu_migrate.planning import drain

CAPACITY = {
    "rule": "capacity",
    "seen": {"full": "3"},
    "basis": "fleet",
    "source": "counted",
    "remedy": "free one",
}
EXAMPLE: dict[str, Any] = {
    "plan_version": 1,
    "fleet_revision": 7,
    "goal": "upgrade",
    "steps": [
        {
            "id": 1,
            "wave": 1,
            "op": "migrate",
            "vm": "vm-0001",
            "how": "live",
            "source": "h01",
            "target": "h02",
            "gpus": [{"gpu": "GPU-5f0c", "placement": None}],
            "start_s": 0.0,
            "end_s": 14.62,
            "after": [],
        },
        {
            "id": 2,
            "wave": 1,
            "op": "upgrade",
            "host": "h01",
            "driver": "580.126.08",
            "start_s": 14.62,
            "end_s": 1814.62,
            "after": [1],
        },
        {
            "id": 3,
            "wave": 1,
            "op": "pin",
            "host": "h01",
            "range": ["0x120001", "0x140001"],
            "start_s": 1814.62,
            "end_s": 1814.62,
            "after": [2],
        },
    ],
    "stuck": [
        {
            "vm": "vm-0009",
            "host": "h07",
            "reason": "no-capacity",
            "evidence": [
                {
                    "rule": "capacity",
                    "seen": {"full": "3"},
                    "basis": "fleet",
                    "source": "counted",
                    "remedy": "free one",
                }
            ],
            "remedies": ["free one"],
        }
    ],
    "bounds": {
        "moves": {"value": 1, "lower_bound": 1},
        "waves": {"value": 1, "lower_bound": 1},
        "makespan_s": {"value": 1814.62, "lower_bound": 1814.62},
        "hosts": {"value": 1, "upper_bound": 1},
    },
}


def parse(data: object) -> Plan:
    return parse_plan(json.dumps(data), source="plan.json")


def problems(data: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(data)
    return [str(problem) for problem in caught.value.problems]


def test_the_three_kinds_of_steps_are_read() -> None:
    """A step is what its `op` says."""
    migrate, upgrade, pin = parse(EXAMPLE).steps
    assert isinstance(migrate, MigrateStep)
    assert migrate.how is How.LIVE
    assert isinstance(upgrade, UpgradeStep)
    assert isinstance(pin, PinStep)
    assert pin.version_range == VersionRange(0x120001, 0x140001)
    assert hex_range(pin.version_range) == pin.range


def test_a_pin_without_a_range_lifts_it() -> None:
    """`range` null is read as None."""
    step = msgspec.structs.replace(parse(EXAMPLE).steps[2], range=None)
    assert isinstance(step, PinStep)
    assert step.version_range is None
    assert hex_range(None) is None


@pytest.mark.parametrize("maximum", ["0x1a0001", "0x1A0001", "0x001a0001", 0x1A0001])
def test_a_pin_is_read_as_fleet_files_spell_it_and_written_in_one_way(maximum: str | int) -> None:
    """Upper case, leading zeros and whole numbers are read; hexadecimal in lower case is written."""
    data = json.loads(json.dumps(EXAMPLE))
    data["steps"][2]["range"] = ["0x120001", maximum]
    jsonschema.validate(data, plan_schema())
    plan = parse(data)
    assert isinstance(plan.steps[2], PinStep)
    assert plan.steps[2].version_range == VersionRange(0x120001, 0x1A0001)
    assert json.loads(write_plan(plan))["steps"][2]["range"] == ["0x120001", "0x1a0001"]


@pytest.mark.parametrize("maximum", ["0x1A0001\n", "1A0001", "0x123456789", 1 << 32, -1, 1.0, True, None])
def test_what_no_fleet_file_could_spell_is_no_pin(maximum: object) -> None:
    """Reader and schema refuse the same versions."""
    data = json.loads(json.dumps(EXAMPLE))
    data["steps"][2]["range"] = ["0x120001", maximum]
    shown = json.dumps(maximum)
    assert problems(data) == [f"steps[2].range[1]: {shown}; wanted a vGPU version such as 0x140001, 32 bits"]
    if maximum != 1.0:  # a whole number to JSON Schema
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data, plan_schema())


def test_what_is_written_is_read_back_and_written_alike() -> None:
    """Writing is stable to the byte, one step a line."""
    plan = parse(EXAMPLE)
    text = write_plan(plan)
    assert parse_plan(text, source="again") == plan
    assert write_plan(parse_plan(text, source="again")) == text
    assert text.count(b"\n  {") == 4
    assert json.loads(text) == EXAMPLE


def test_drain_plans_survive_the_round_trip() -> None:
    """Every plan of the planner is read back as it was."""
    for seed in range(20):
        plan = drain(random_fleet(seed, mixed=0.3), [HostId("h00")]).plan
        assert parse_plan(write_plan(plan), source="again") == plan
        jsonschema.validate(json.loads(write_plan(plan)), plan_schema())


def test_all_problems_are_told_at_once() -> None:
    """Wrong types, missing and unknown keys, and bad values come in one error, in order of place."""
    data = json.loads(json.dumps(EXAMPLE))
    data["goal"] = "drian"
    data["steps"][0]["how"] = "warm"
    data["steps"][0]["gpus"] = []
    del data["steps"][1]["driver"]
    data["steps"][1]["drivers"] = "580"
    data["steps"][2]["range"] = ["0x120001", "R580"]
    data["steps"].append({"op": "reboot"})
    data["stuck"][0]["vm"] = 9
    data["bounds"]["moves"]["value"] = -1
    data["bounds"]["makespan_s"] = 3
    assert problems(data) == [
        'goal: "drian"; wanted drain | upgrade | pin',
        'steps[0].how: "warm"; wanted live | sleep | hibernate | cold',
        "steps[0].gpus: 0 entries; wanted at least 1",
        "steps[1].driver: missing",
        "steps[1].drivers: unknown key; did you mean driver?",
        'steps[2].range[1]: "R580"; wanted a vGPU version such as 0x140001, 32 bits',
        'steps[3].op: "reboot"; wanted migrate | upgrade | pin',
        "stuck[0].vm: 9; wanted a string",
        "bounds.moves.value: -1; wanted a whole number, 0 or more",
        "bounds.makespan_s: 3; wanted an object",
    ]


def test_another_version_is_refused_at_once() -> None:
    """A file of a later version is not picked apart by the rules of this one."""
    assert problems({"plan_version": 2, "new": 1}) == ["plan_version: 2; this release reads version 1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ('{"plan_version": NaN}', "NaN is no number"),
        ('{"plan_version": 1, "plan_version": 1}', "plan_version: it stands there twice"),
        ("[]", "the file: []; wanted an object"),
    ],
)
def test_what_is_no_plan_is_an_input_error(text: str, said: str) -> None:
    """Broken JSON, numbers that are none, and keys said twice name themselves."""
    with pytest.raises(InputError, match=said.replace("[", r"\[")):
        parse_plan(text, source="plan.json")


def test_infinite_times_are_refused() -> None:
    """JSON can spell numbers too great to be times."""
    text = json.dumps(EXAMPLE).replace("1814.62", "1e999")
    with pytest.raises(InputError, match=r"steps\[1\].end_s: null; wanted a number, 0 or more"):
        parse_plan(text, source="plan.json")


def test_a_file_is_read_or_named(tmp_path: Path) -> None:
    """A plan comes from a file or from standard input, and a missing file is named."""
    path = tmp_path / "plan.json"
    path.write_bytes(write_plan(parse(EXAMPLE)))
    assert read_plan(path) == parse(EXAMPLE)
    assert read_plan("-", stdin=io.BytesIO(path.read_bytes())) == parse(EXAMPLE)
    with pytest.raises(InputError, match=r"missing\.json: no such file; wanted a plan file"):
        read_plan(tmp_path / "missing.json")
    with pytest.raises(InputError, match=r"standard input: not JSON"):
        read_plan("-", stdin=io.BytesIO(b"{"))


def test_the_schema_takes_the_example_and_refuses_what_reading_refuses() -> None:
    """Schema and reader agree."""
    schema = plan_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(EXAMPLE, schema)
    for place, value in (("goal", "x"), ("steps", {}), ("extra", 1)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**EXAMPLE, place: value}, schema)


def test_a_lower_bound_is_never_rounded_up() -> None:
    """A bound kept to the millisecond stays a bound."""
    assert bound_to_ms(26.4929) == 26.492
    assert bound_to_ms(26.493) == 26.493
