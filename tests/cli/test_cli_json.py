"""Answers in JSON: their schemas, and the forms that the specification fixes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.program import start

from vgpu_migrate.cli import schemas
from vgpu_migrate.compat import rules
from vgpu_migrate.fleetio import read_fleet
from vgpu_migrate.model import VmId

FILES = Path(__file__).parents[1] / "scenarios" / "files"
BROKEN = str(FILES / "broken-plan.json")
CAPTURES = str(Path(__file__).parents[1] / "captures" / "files" / "h01")
CASES = sorted((Path(__file__).parents[1] / "compat" / "cases").glob("*.json"))
DOMAINS = str(FILES / "domains.yaml")

ANSWERS: dict[str, list[tuple[str, ...]]] = {
    "check": [
        *(("check", "demo", vm) for vm in ("design-01", "render-01", "train-01", "flight-01", "lab-01")),
        ("check", "demo", "kiosk-01", "--to", "a2"),
        ("check", DOMAINS, "old-guest"),
        ("check", DOMAINS, "plain", "--to", "p3"),
    ],
    "matrix": [("matrix", "demo"), ("matrix", DOMAINS)],
    "plan": [("drain", "demo", "a1"), ("drain", "demo", "a1", "l1", "m1"), ("drain", DOMAINS, "p1")],
    "check-what-if": [
        ("check", "demo", "render-01", "--with", "l2/0:ecc=true"),
        ("check", DOMAINS, "plain", "--without", "p3"),
    ],
    "matrix-what-if": [
        ("matrix", "demo", "--with", "a1:driver=580.126.08", "--without", "a2"),
        ("matrix", DOMAINS, "--without", "p3"),
    ],
    "pin": [
        ("pin", "demo"),
        ("pin", "demo", "--without", "a1", "--without", "a2"),
        ("pin", DOMAINS),
    ],
    "place": [
        ("place", "demo", "--type", "A40-8Q", "--guest-driver", "535.161.07"),
        ("place", "demo", "--type", "A40-8Q", "--guest-driver", "nonsense", "--count", "2"),
    ],
    "resilience": [
        ("resilience", "demo"),
        ("resilience", "demo", "--since", DOMAINS),
        ("resilience", DOMAINS, "--no-defrag"),
    ],
    "import": [("import", CAPTURES), ("import", CAPTURES, "--vm-memory", "4096")],
    "truth-verify": [("truth", "verify", str(path)) for path in CASES],
    "replay": [("replay", "demo", BROKEN)],
    "rules": [("rules",), ("rules", "gpu-config"), ("rules", "--profile", "default")],
    "catalog-boards": [("catalog", "boards")],
    "catalog-board": [("catalog", "board", "A100")],
    "catalog-types": [("catalog", "types"), ("catalog", "types", "T4")],
    "catalog-type": [("catalog", "type", "nvidia-46"), ("catalog", "type", "H100L-94C")],
    "catalog-drivers": [("catalog", "drivers")],
    "catalog-driver": [("catalog", "driver", "550.54.16"), ("catalog", "driver", "nonsense", "--guest")],
    "catalog-releases": [("catalog", "releases")],
    "catalog-branches": [("catalog", "branches")],
    "catalog-sources": [("catalog", "sources")],
    "catalog-search": [("catalog", "search", "A40"), ("catalog", "search", "zzzz")],
}


@pytest.mark.parametrize(
    ("name", "args"),
    [(name, args) for name, commands in ANSWERS.items() for args in commands],
    ids=lambda value: value if isinstance(value, str) else " ".join(Path(word).name for word in value),
)
def test_an_answer_fits_its_schema(name: str, args: tuple[str, ...]) -> None:
    """What `--json` answers is what `schema` says."""
    answered = start(*args, "--json")
    assert answered.status in (0, 1), answered.err
    jsonschema.Draft202012Validator(schemas.schema(name)).validate(answered.json)


def test_every_schema_is_one_and_has_an_answer_that_fits_it() -> None:
    """No schema is printed that nothing was tested against."""
    of_live_hosts = {name for name in schemas.names() if name.startswith(("host-", "vm-", "driver-"))}
    assert set(schemas.names()) == {*ANSWERS, "fleet", "cases", "matrix-judge"} | of_live_hosts
    for name in schemas.names():
        printed = start("schema", name)
        assert printed.status == 0
        jsonschema.Draft202012Validator.check_schema(printed.json)
        assert printed.json["$schema"] == schemas.DRAFT


def test_check_has_exactly_the_keys_of_the_specification() -> None:
    """`vm profile hosts targets`, and in them no key more or less."""
    answer = start("check", "demo", "render-01", "--json").json
    assert list(answer) == ["vm", "profile", "hosts", "targets"]
    for host in answer["hosts"]:
        assert list(host) == ["host", "live", "states", "fits"]
    keys = [
        "host",
        "gpu",
        "states",
        "limits",
        "live",
        "by",
        "fits",
        "supported",
        "stun_s_estimate",
        "evidence",
    ]
    for target in answer["targets"]:
        assert list(target) == keys
        assert target["by"] == "prediction"
        for piece in target["evidence"]:
            assert list(piece) == ["rule", "seen", "basis", "source", "remedy"]


def test_check_names_the_administrator_where_his_range_is_the_obstacle() -> None:
    """`by` stands in evidence only where somebody set the obstacle."""
    targets = start("check", "demo", "design-01", "--json").json["targets"]
    by = {target["host"]: [piece.get("by") for piece in target["evidence"]] for target in targets}
    assert by["a5"] == ["administrator-range", "administrator-range"]
    assert {name for host, names in by.items() if host != "a5" for name in names} == {None}


def test_check_says_which_values_were_not_known() -> None:
    """`unknown` is there only where a value was not known."""
    targets = start("check", DOMAINS, "old-guest", "--json").json["targets"]
    assert {tuple(target["unknown"]) for target in targets} == {("oldest vGPU version of the guest driver",)}


def test_matrix_has_exactly_the_keys_of_the_specification() -> None:
    """`vm_classes gpu_classes cells`, and each cell by the ids of its classes."""
    answer = start("matrix", "demo", "--json").json
    assert list(answer) == ["vm_classes", "gpu_classes", "cells"]
    assert {tuple(row) for row in answer["vm_classes"]} == {("id", "key", "vms")}
    assert {tuple(row) for row in answer["gpu_classes"]} == {("id", "key", "gpus")}
    assert {tuple(row) for row in answer["cells"]} == {("vm_class", "gpu_class", "states", "limits", "rules")}
    assert [row["id"] for row in answer["vm_classes"]] == list(range(len(answer["vm_classes"])))
    assert sum(row["vms"] for row in answer["vm_classes"]) == 18
    assert sum(row["gpus"] for row in answer["gpu_classes"]) == 12


def test_matrix_leaves_out_cells_whose_board_rule_hits() -> None:
    """No cell names the board rule, and each is of one board."""
    answer = start("matrix", "demo", "--json").json
    assert [cell for cell in answer["cells"] if "board" in cell["rules"]] == []
    for cell in answer["cells"]:
        boards = {vgpu["board"] for vgpu in answer["vm_classes"][cell["vm_class"]]["key"]["vgpus"]}
        assert boards == {answer["gpu_classes"][cell["gpu_class"]]["key"]["board"]}


def test_check_and_matrix_agree() -> None:
    """A pair's verdict is its classes' verdict."""
    matrix = start("matrix", "demo", "--json").json
    cells = {
        (matrix["vm_classes"][cell["vm_class"]]["vms"], tuple(cell["states"]), tuple(cell["limits"]))
        for cell in matrix["cells"]
    }
    single = [row["id"] for row in matrix["vm_classes"] if row["vms"] == 1]
    assert single
    for target in start("check", "demo", "flight-01", "--json").json["targets"]:
        if all(piece["rule"] != "board" for piece in target["evidence"]):
            assert (1, tuple(target["states"]), tuple(target["limits"])) in cells


def test_rules_are_those_that_decide() -> None:
    """The table printed is the table evaluated, conditions and remedies word for word."""
    printed = start("rules", "--json").json["rules"]
    assert [(row["id"], row["when"]) for row in printed] == [(rule.id, rule.when_text) for rule in rules()]
    assert [[remedy["text"] for remedy in row["remedies"]] for row in printed] == [
        [remedy.text for remedy in rule.remedies] for rule in rules()
    ]


def test_the_demo_fleet_fits_the_fleet_schema() -> None:
    """The embedded fleet is an example of what the schema describes."""
    import yaml
    from tests.cli.program import DEMO_FLEET

    jsonschema.Draft202012Validator(schemas.schema("fleet")).validate(yaml.safe_load(DEMO_FLEET.read_text()))
    assert VmId("design-01") in read_fleet(DEMO_FLEET).vms


def test_a_plan_on_a_terminal_and_in_a_file_are_the_same(tmp_path: Path) -> None:
    """`--json` and `-o` give the same bytes."""
    path = tmp_path / "plan.json"
    answered = start("drain", "demo", "a1", "--json", "-o", str(path))
    assert answered.out == path.read_text()
    assert answered.err == f"plan written to {path}\n"


def test_schemas_of_answers_are_closed() -> None:
    """A key that no schema names is an error, so that a misspelt one cannot pass a test."""

    def objects(schema: Any) -> Any:
        if isinstance(schema, dict):
            if schema.get("type") == "object" and "properties" in schema:
                yield schema
            for value in schema.values():
                yield from objects(value)
        elif isinstance(schema, list):
            for value in schema:
                yield from objects(value)

    for name in schemas.names():
        found = list(objects(json.loads(json.dumps(schemas.schema(name)))))
        assert found
        assert all(item["additionalProperties"] is False for item in found)
