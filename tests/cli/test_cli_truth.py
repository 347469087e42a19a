"""A fleet's real records sent to one judge, its verdicts beside ours, and the cases that come of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from tests.cli.program import DEMO_FLEET, Answered, start
from tests.clients.running import PASSED_ON, client, compiler, environment

from vgpu_migrate.cli import schemas
from vgpu_migrate.compat.case_file import parse_cases
from vgpu_migrate.testing import VgpuHost, fleet_of, simulated_host

Ask = Callable[..., Answered]
PROGRAM = (sys.executable, "-m", "vgpu_migrate")
CASES = Path(__file__).parents[1] / "compat" / "cases"
LONG_RECORDS = Path(__file__).parents[1] / "hosts" / "c" / "long_records.c"
BINDING = "nvidia-ml-py"


def ask_in(env: dict[str, str]) -> Ask:
    """Runs the program in an environment."""

    def ask(*args: str | Path) -> Answered:
        done = subprocess.run(
            [*PROGRAM, *map(str, args)],
            env={**env, "COLUMNS": "120", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            check=False,
            text=True,
        )
        return Answered(done.returncode, done.stdout, done.stderr)

    return ask


@pytest.fixture(scope="module")
def a1() -> Iterator[VgpuHost]:
    """Driver 535, six vgpus on two gpus."""
    with simulated_host(fleet_of(DEMO_FLEET), host="a1") as host:
        yield host


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """The program on a machine whose driver has closed records of 4,000 bytes and a verdict of its own."""
    library = tmp_path_factory.mktemp("driver") / "libnvidia-ml.so.1"
    subprocess.run(
        [compiler(), "-shared", "-fPIC", "-Wall", "-Werror", str(LONG_RECORDS), "-o", str(library)],
        check=True,
    )
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return ask_in({**kept, "LD_LIBRARY_PATH": str(library.parent), "PYTHONPATH": str(client(BINDING))})


@pytest.fixture(scope="module")
def recorded(driver: Ask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `host record` writes on that machine: `fleet.yaml` and `records`."""
    folder = tmp_path_factory.mktemp("recorded")
    written = driver(
        "host", "record", "-o", folder / "fleet.yaml", "--records", folder / "records", "--vm-memory", "4096"
    )
    assert (written.status, written.out) == (0, ""), written.err
    return folder


def fits(name: str, answered: Answered) -> None:
    """The answer is what `schema` says."""
    jsonschema.Draft202012Validator(schemas.schema(name)).validate(answered.json)


def test_a_drivers_verdict_fills_the_cell_and_the_difference_is_told(driver: Ask, recorded: Path) -> None:
    """Closed records go to the driver whole; its verdict stands in the cell, marked, and exit status is 1."""
    args = ("matrix", recorded / "fleet.yaml", "--judge", "driver", "--records", recorded / "records")
    answered = driver(*args, "--json")
    assert (answered.status, answered.err) == (1, "")
    fits("matrix-judge", answered)
    found = answered.json
    assert found["judge"] == {"kind": "driver", "driver": "550.54.16", "profile": "default"}
    (cell,) = found["cells"]
    assert (cell["by"], cell["states"], cell["limits"], cell["unjudged"]) == (
        "driver",
        ["cold"],
        ["other"],
        0,
    )
    assert [(row["pairs"], row["agrees"], row["prediction"]["limits"]) for row in cell["answers"]] == [
        (1, False, [])
    ]
    assert (found["differences"], found["agreed"], found["refused"]) == (1, 0, 0)
    shown = driver(*args)
    assert shown.status == 1
    assert "this machine's driver, driver 550.54.16, rules of profile default" in shown.out
    assert "–––C!" in shown.out
    assert "Where the judge says something else than our rules" in shown.out


def test_differences_become_cases_that_name_nobody(driver: Ask, recorded: Path, tmp_path: Path) -> None:
    """The case has a driver's word on traits, the guest driver's number, and no id of the machine."""
    file = tmp_path / "cases.json"
    args = ("matrix", recorded / "fleet.yaml", "--judge", "driver", "--records", recorded / "records")
    saved = driver(*args, "--save-cases", file)
    assert (saved.status, saved.err) == (1, f"1 new case in {file}, 1 altogether\n")
    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    (case,) = parse_cases(text.encode(), source="x")
    assert (case.by.kind, case.by.driver, case.guest_driver) == ("driver", "550.54.16", "535.161.07")
    for identity in ("GPU-long", "vm-long", "vgpu-long", os.uname().nodename, str(recorded)):
        assert identity not in text
    again = driver(*args, "--save-cases", file)
    assert again.err == f"0 new cases in {file}, 1 altogether\n"
    assert file.read_text() == text
    exported = driver("truth", "export", *args[1:])
    assert (exported.status, exported.err) == (0, "")
    fits("cases", exported)
    assert exported.out == text


def test_a_difference_is_told_with_the_rows_to_look_at(driver: Ask, recorded: Path, tmp_path: Path) -> None:
    """`truth verify` ends with 1, and says which states and limits of the driver no row explains."""
    file = tmp_path / "cases.json"
    args = (recorded / "fleet.yaml", "--judge", "driver", "--records", recorded / "records", "-o", file)
    assert driver("truth", "export", *args, "--differences").err == f"1 case written to {file}\n"
    answered = start("truth", "verify", str(file), "--json")
    assert answered.status == 1
    fits("truth-verify", answered)
    (row,) = answered.json["cases"]
    assert (row["by"], row["agrees"], row["rules"]) == ("driver", False, [])
    assert row["unexplained"] == ["hibernate", "sleep", "live", "other"]
    shown = start("truth", "verify", str(file), str(CASES / "simulated.json"), COLUMNS="120")
    assert shown.status == 1
    others = len(parse_cases((CASES / "simulated.json").read_bytes(), source="x"))
    assert f"No: the rules differ from 1 of {1 + others} cases." in shown.out
    assert "no row explains  hibernate, sleep, live, other" in shown.out


def test_a_single_answer_is_saved(driver: Ask, a1: VgpuHost, tmp_path: Path) -> None:
    """`host compat --save-case` keeps the driver's answer; exit status and answer stay as they are."""
    file = tmp_path / "case.json"
    plain = driver("host", "compat", "77")
    saved = driver("host", "compat", "77", "--save-case", file)
    assert (saved.status, saved.out) == (plain.status, plain.out)
    (case,) = parse_cases(file.read_bytes(), source="x")
    assert (case.by.kind, case.said.limits, case.guest_driver) == ("driver", 0x80000000, "535.161.07")
    by_socket = start(
        "host", "compat", "design-01", "--socket", str(a1.socket), "--save-case", str(file), "--json"
    )
    assert by_socket.status == 0
    assert by_socket.err == f"1 new case in {file}, 2 altogether\n"
    kinds = [case.by.kind for case in parse_cases(file.read_bytes(), source="x")]
    assert kinds == ["driver", "simulated"]


def test_an_answer_that_our_rules_cannot_read_is_no_case(driver: Ask, tmp_path: Path) -> None:
    """Of a closed record in a file not even the type is known: it is told, and no file is made."""
    record, file = tmp_path / "vgpu.record", tmp_path / "case.json"
    assert driver("host", "metadata", "77", "--raw", "-o", record).status == 0
    answered = driver("host", "compat", record, "--save-case", file)
    assert answered.status == 1
    assert answered.err.startswith("nothing to save: our rules cannot read these records")
    assert not file.exists()


def test_the_drop_in_library_does_not_pass_for_a_driver(a1: VgpuHost, tmp_path: Path) -> None:
    """Asked as a driver, its cases say that a simulated host gave them."""
    ask = ask_in(environment(a1.socket, PYTHONPATH=str(client(BINDING))))
    assert ask("host", "--driver", "compat", "1", "--save-case", tmp_path / "case.json").status == 0
    cases = parse_cases((tmp_path / "case.json").read_bytes(), source="x")
    assert {case.by.kind for case in cases} == {"simulated"}
    fleet, records = tmp_path / "fleet.yaml", tmp_path / "records"
    assert (
        ask("host", "--driver", "record", "-o", fleet, "--records", records, "--vm-memory", "1").status == 0
    )
    answered = ask("matrix", fleet, "--judge", "driver", "--records", records, "--json")
    assert (answered.status, answered.json["judge"]["kind"]) == (0, "simulated")
    assert (answered.json["agreed"], answered.json["unjudged"]) == (10, 0)
    assert answered.json["misfits"] == []


def test_a_simulated_host_judges_its_own_part_of_a_fleet(a1: VgpuHost) -> None:
    """Without other records, fresh ones of the judge are sent; the rest of the fleet is our prediction."""
    answered = start("matrix", "demo", "--judge", str(a1.socket), "--json")
    assert (answered.status, answered.err) == (0, "")
    fits("matrix-judge", answered)
    found = answered.json
    assert (found["agreed"], found["differences"], found["unjudged"]) == (10, 0, 18 * 12 - 10)
    plain = start("matrix", "demo", "--json").json
    ours = {(cell["vm_class"], cell["gpu_class"]): cell["states"] for cell in plain["cells"]}
    assert {(cell["vm_class"], cell["gpu_class"]): cell["states"] for cell in found["cells"]} == ours
    assert {cell["by"] for cell in found["cells"]} == {"simulated", "prediction"}
    shown = start("matrix", "demo", "--judge", str(a1.socket))
    assert shown.status == 0
    assert "Its rules are ours: it confirms the way, and is no driver's word." in shown.out


def test_records_that_the_judge_refuses_are_cells_that_say_so(a1: VgpuHost, recorded: Path) -> None:
    """A simulated host takes no closed records: the cell says refused, with the reason, and 0 differences."""
    args = (
        "matrix",
        str(recorded / "fleet.yaml"),
        "--judge",
        str(a1.socket),
        "--records",
        str(recorded / "records"),
    )
    answered = start(*args, "--json")
    assert answered.status == 0
    fits("matrix-judge", answered)
    (cell,) = answered.json["cells"]
    assert (cell["by"], answered.json["refused"], answered.json["differences"]) == ("nobody", 1, 0)
    assert "not a record of this vGPU Manager" in cell["answers"][0]["refused"]
    shown = start(*args)
    assert "refused: 1 pair: Invalid Argument" in shown.out
    exported = start("truth", "export", *args[1:])
    assert (exported.status, json.loads(exported.out)["cases"]) == (0, [])
    assert exported.err == "1 answer left out: the judge gave no verdict\n"


def test_without_a_pair_of_records_nothing_is_asked(a1: VgpuHost, recorded: Path) -> None:
    """Exit status 2, and what there is."""
    answered = start("matrix", str(recorded / "fleet.yaml"), "--judge", str(a1.socket))
    assert (answered.status, answered.out) == (2, "")
    assert "there are records of 0 VMs and of 0 gpus of the fleet" in answered.err


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("matrix", "demo", "--judge", "/nowhere"), 3, "no host can be reached there"),
        (("truth", "export", "demo", "--judge", "/nowhere"), 3, "--judge takes the word driver"),
        (("matrix", "demo", "--records", "x"), 2, "--records goes with --judge HOST"),
        (("matrix", "demo", "--save-cases", "x"), 2, "--save-cases goes with --judge HOST"),
        (("matrix", "demo", "--judge", "x", "--records", "/nowhere"), 2, "/nowhere: no such directory"),
        (("truth", "export", "demo"), 2, "Missing option '--judge'"),
        (("truth", "verify"), 2, "Missing argument 'CASES...'"),
        (("truth", "verify", "/nowhere"), 2, "no such file; wanted a file of cases"),
        (("truth", "verify", str(DEMO_FLEET)), 2, "wanted JSON"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(args: tuple[str, ...], status: int, said: str) -> None:
    """A judge that is not there is a failure outside, all else a bad line."""
    answered = start(*args)
    assert (answered.status, answered.out) == (status, "")
    assert said in answered.err


def test_cases_are_never_written_over_another_file(driver: Ask, tmp_path: Path) -> None:
    """A file that holds no cases is refused and stays as it was."""
    file = tmp_path / "notes.json"
    file.write_text('{"mine": 1}')
    answered = driver("host", "compat", "77", "--save-case", file)
    assert (answered.status, answered.out) == (2, "")
    assert "unknown key" in answered.err
    assert file.read_text() == '{"mine": 1}'


def test_cases_are_verified_from_standard_input() -> None:
    """`-` is standard input, and the documented cases agree."""
    answered = start("truth", "verify", "-", stdin=(CASES / "documented.json").read_text())
    assert (answered.status, answered.err) == (0, "")
    assert answered.out.startswith("Yes: the rules agree with 13 cases.\n  13 cases by a vendor's document\n")
    empty = start("truth", "verify", "-", stdin='{"cases_version": 1, "cases": []}')
    assert (empty.status, empty.out) == (2, "")
    assert "no case in it" in empty.err


def test_cases_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    """Two answers to one question: no rule can satisfy both, and each names the other."""
    data = json.loads((CASES / "documented.json").read_text())
    one = data["cases"][0]
    data["cases"] = [one, {**one, "verdict": {"live": False}}]
    (tmp_path / "cases.json").write_text(json.dumps(data))
    answered = start("truth", "verify", "cases.json", "--json", cwd=tmp_path)
    assert answered.status == 1
    assert [row["contradicts"] for row in answered.json["cases"]] == [["cases.json:2"], ["cases.json:1"]]
    assert "no rule over these fields can satisfy both" in " ".join(
        start("truth", "verify", "cases.json", cwd=tmp_path).out.split()
    )
