"""Cases: what they hold, what they never hold, and how they are judged again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compat.factories import a_gpu, a_vgpu, gpu_traits, pairs, vgpu_traits

from vgpu_migrate import facts
from vgpu_migrate.compat import check
from vgpu_migrate.compat.case_file import cases_schema, parse_cases, write_cases
from vgpu_migrate.compat.cases import (
    Case,
    JudgedBy,
    JudgeKind,
    NoCase,
    Said,
    added,
    contradictions,
    make_case,
    recheck,
)
from vgpu_migrate.errors import InputError
from vgpu_migrate.nvml import ALL_STATES, Compatibility, Limits, States

DRIVER = JudgedBy(JudgeKind.DRIVER, "580.126.09")
MONTH = "2026-11"
FOLDER = Path(__file__).parent / "cases"

verdicts = st.builds(
    Compatibility,
    st.integers(0, 15).map(States),
    st.sets(st.sampled_from([limit for limit in Limits if limit])).map(
        lambda found: Limits(sum(int(limit) for limit in found))
    ),
)


def a_case(said: Compatibility | None = None, *, by: JudgedBy = DRIVER, **changes: Any) -> Case:
    """A case of a running vgpu on a gpu that suits it."""
    made = make_case(
        a_vgpu(**changes), a_gpu(), said or Compatibility(ALL_STATES, Limits.NONE), by=by, month=MONTH
    )
    assert isinstance(made, Case)
    return made


@given(st.tuples(vgpu_traits(), gpu_traits()) | pairs(), verdicts)
def test_a_case_is_written_and_read_again(pair: tuple[Any, Any], said: Compatibility) -> None:
    """What is read is what was written, and it fits the schema."""
    made = make_case(*pair, said, by=DRIVER, month=MONTH)
    if isinstance(made, NoCase):
        return
    written = write_cases([made])
    jsonschema.Draft202012Validator(cases_schema()).validate(json.loads(written))
    (read,) = parse_cases(written, source="the file")
    assert read == made


@given(st.tuples(vgpu_traits(), gpu_traits()) | pairs())
def test_our_own_verdict_is_confirmed(pair: tuple[Any, Any]) -> None:
    """A case of what the rules say agrees with the rules."""
    ours = check(*pair)
    made = make_case(*pair, Compatibility(ours.states, ours.limits), by=DRIVER, month=MONTH)
    if isinstance(made, Case):
        found = recheck(made)
        assert found.agrees
        assert (found.too_strict, found.unexplained) == ((), ())
        assert found.rows == tuple(piece.rule for piece in ours.evidence)


def strings(value: Any) -> list[str]:
    """Every text in decoded JSON, keys apart."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


ALLOWED = re.compile(
    r"0x[0-9a-f]{1,8}|[0-9]{3}(\.[0-9]{1,3}){1,2}|20[0-9]{2}-[0-9]{2}"
    r"|driver|simulated|default|identical-host-drivers|renegotiating-resume"
    r"|cold|hibernate|sleep|live|host_driver|guest_driver|gpu|other"
)


@given(st.tuples(vgpu_traits(), gpu_traits()) | pairs(), st.text(min_size=1), st.text(min_size=1), verdicts)
def test_no_text_gets_in_that_is_not_from_a_closed_set(
    pair: tuple[Any, Any], one: str, other: str, said: Compatibility
) -> None:
    """Every text in a case is a board, a type, a version number, a month or a word of ours."""
    vgpu, gpu = pair
    known = {*facts.vgpu_types(), *facts.boards()}
    for drivers in ((one, "550.54.16", None), ("550.54.16", other, None), ("550.54.16", "550.54.16", one)):
        source, target, guest = drivers
        made = make_case(
            a_vgpu(vgpu.type, host_driver=source, version=vgpu.version, guest_info=vgpu.guest_info),
            a_gpu(gpu.board, host_driver=target, types=gpu.types),
            said,
            by=DRIVER,
            month=MONTH,
            guest_driver=guest,
        )
        if isinstance(made, NoCase):
            assert one not in made.why or one in "the source's host driver is no version number"
            continue
        for text in strings(json.loads(write_cases([made]))):
            assert text in known or ALLOWED.fullmatch(text), text


@pytest.mark.parametrize(
    "driver",
    ["192.168.10.4", "10.0.0.1", "550.54.16-acme", "host7", "550.54.16\n", "2001:db8::1", "0000:3b:00.0", ""],
)
def test_a_driver_that_is_no_version_number_makes_no_case(driver: str) -> None:
    """Addresses, names and builds with a name in them stay out, and what stayed out is not repeated."""
    for made in (
        make_case(
            a_vgpu(host_driver=driver),
            a_gpu(),
            Compatibility(ALL_STATES, Limits.NONE),
            by=DRIVER,
            month=MONTH,
        ),
        make_case(
            a_vgpu(),
            a_gpu(host_driver=driver),
            Compatibility(ALL_STATES, Limits.NONE),
            by=DRIVER,
            month=MONTH,
        ),
    ):
        assert isinstance(made, NoCase)
        assert made.why.endswith("host driver is no version number")


def test_the_bounds_of_a_guest_driver_follow_the_tables() -> None:
    """Where a record has no bounds, a case keeps the driver and looks its bounds up at each check."""
    guest = facts.guest_driver("535.161.07")
    vgpu = a_vgpu(version=0x120001, guest_min=guest.minimum, guest_max=guest.maximum)
    gpu = a_gpu(range_min=0x140001, range_max=0x1A0001)
    ours = check(vgpu, gpu)
    assert "guest-driver-older" in {piece.rule for piece in ours.evidence}
    made = make_case(
        vgpu,
        gpu,
        Compatibility(ours.states, ours.limits),
        by=DRIVER,
        month=MONTH,
        guest_driver="535.161.07",
    )
    assert isinstance(made, Case)
    assert (made.vgpu.guest_min, made.vgpu.guest_max) == (None, None)
    (read,) = parse_cases(write_cases([made]), source="x")
    assert recheck(read).agrees


def test_a_difference_names_the_rows_that_are_too_strict() -> None:
    """Where the judge allows more than the rules, the rows that take it away are named."""
    found = recheck(a_case(ecc=False))
    assert not found.agrees
    assert (found.rows, found.too_strict, found.unexplained) == (("gpu-config",), ("gpu-config",), ())


def test_a_difference_names_what_no_row_explains() -> None:
    """Where the judge takes more than the rules, the states and limits that nothing explains are named."""
    found = recheck(a_case(Compatibility(States.COLD, Limits.OTHER)))
    assert not found.agrees
    assert (found.rows, found.too_strict) == ((), ())
    assert found.unexplained == ("hibernate", "sleep", "live", "other")


def test_a_document_says_only_whether_it_can_be_live() -> None:
    """A case without states agrees where the rules give the same answer to live."""
    document = JudgedBy(JudgeKind.DOCUMENT, source="a guide")
    for ecc, live, agrees in (
        (True, True, True),
        (True, False, False),
        (False, False, True),
        (False, True, False),
    ):
        vgpu = a_vgpu(ecc=ecc)
        case = Case(vgpu, a_gpu(), a_case().profile, Said(live), document)
        found = recheck(case)
        assert found.agrees is agrees
        assert found.too_strict == (("gpu-config",) if (ecc, live) == (False, True) else ())
        assert found.unexplained == (("live",) if (ecc, live) == (True, False) else ())
        assert parse_cases(write_cases([case]), source="x") == (case,)


def test_a_case_is_kept_once() -> None:
    """The same question with the same answer of the same judge is one case, in whatever month."""
    one = a_case()
    later = Case(one.vgpu, one.gpu, one.profile, one.said, one.by, "2027-01")
    other = a_case(by=JudgedBy(JudgeKind.DRIVER, "550.54.16"))
    assert added([one], [later, other, other]) == (one, other)


def test_cases_that_no_rule_can_satisfy_are_told() -> None:
    """Two answers to one question contradict each other."""
    yes, no = a_case(), a_case(Compatibility(States.COLD, Limits.OTHER))
    assert contradictions([yes, no, a_case(ecc=False)]) == {0: (1,), 1: (0,)}
    assert contradictions([yes, yes]) == {}


GOOD: dict[str, Any] = json.loads(write_cases([a_case()]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"uuid": "GPU-1"}, "cases[0].uuid: unknown key"),
        ({"verdict": {"live": True, "states": ["live"]}}, "cases[0].verdict: one of states and limits"),
        (
            {"verdict": {"live": True, "states": ["cold"], "limits": []}},
            "cases[0].verdict.live: true; the states say otherwise",
        ),
        ({"by": {"kind": "driver"}}, "cases[0].by.driver: missing"),
        ({"by": {"kind": "driver", "driver": "acme"}}, "wanted a driver's version number such as 580.126.09"),
        ({"by": {"kind": "document"}}, "cases[0].by.source: wanted the document that says so"),
        ({"by": {"kind": "driver", "driver": "580.1", "source": "us"}}, "wanted one of a document only"),
        ({"month": "2026-11-23"}, "wanted a month such as 2026-11"),
        ({"vgpu": {**GOOD["cases"][0]["vgpu"], "type": "L40S-12X"}}, "unknown vgpu type L40S-12X"),
        ({"gpu": {**GOOD["cases"][0]["gpu"], "board": "L99"}}, "unknown board L99"),
        ({"gpu": {**GOOD["cases"][0]["gpu"], "types": ["secret"]}}, "cases[0].gpu.types[0]"),
    ],
)
def test_what_is_no_case_is_refused(change: dict[str, Any], said: str) -> None:
    """A key too many, a text from outside the closed sets, half a verdict: named by their place."""
    data = json.dumps({**GOOD, "cases": [{**GOOD["cases"][0], **change}]}).encode()
    with pytest.raises(InputError) as caught:
        parse_cases(data, source="the file")
    assert said in str(caught.value)
    assert caught.value.source == "the file"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b'{"cases_version":2,"cases":[]}', b'{"cases_version":1}']
)
def test_what_is_no_file_of_cases_is_refused(data: bytes) -> None:
    """Anything else is refused with the file's name."""
    with pytest.raises(InputError) as caught:
        parse_cases(data, source="the file")
    assert caught.value.source == "the file"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key in decoded JSON."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places_in(value[key])]]


@given(st.data(), json_values)
def test_a_damaged_file_is_read_or_refused(data: st.DataObject, value: Any) -> None:
    """Whatever stands in the place of a value: it is a case, or the file is refused with the place."""
    damaged = json.loads(json.dumps(GOOD))
    places = places_in(damaged)
    container, key = places[data.draw(st.integers(0, len(places) - 1))]
    container[key] = value
    refused: InputError | None = None
    try:
        cases = parse_cases(json.dumps(damaged).encode(), source="the file")
    except InputError as error:
        refused = error
    if refused is None:
        assert parse_cases(write_cases(cases), source="x") == cases
    else:
        assert refused.problems
        assert refused.source == "the file"
