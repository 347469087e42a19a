"""The text of a fleet file: JSON and YAML, and every way in which bytes are neither."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Literal

import pytest
from tests.model.fleet_makers import a_file, a_gpu_entry, a_host_entry, a_vm_entry

from vgpu_migrate.errors import InputError
from vgpu_migrate.fleetio import read_fleet
from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.fleetfile import parse_fleet, parse_fleet_bytes

YAML = """\
# An operator's file.
fleetfile_version: 1
hosts:
  - id: 12
    driver: 470.10
    gpus:
      - {id: 007, board: L40S}
  - id: h02
    driver: 550.54.16
    preset_range: [0x70001, 0x140001]
    gpus:
      - board: L40S
vms:
  - id: vm-1
    host: h02
    state: running
    memory_mib: 0x4000
    guest_driver: 550.54.14
    vgpus:
      - type: L40S-12Q
        gpu: h02/0
"""


def parsed(text: str | bytes, form: Literal["json", "yaml"] | None = None) -> Fleet:
    """The fleet of such a text."""
    data = text.encode() if isinstance(text, str) else text
    return parse_fleet_bytes(data, source="test", format=form)


def said(text: str | bytes, form: Literal["json", "yaml"] | None = None) -> list[str]:
    """What reading such a text says is wrong."""
    with pytest.raises(InputError) as caught:
        parsed(text, form)
    assert caught.value.source == "test"
    return [str(problem) for problem in caught.value.problems]


def test_yaml_numbers_are_texts_where_texts_are_wanted() -> None:
    """A driver 470.10 stays 470.10, and ids that look like numbers are taken as written."""
    fleet = parsed(YAML)
    host = fleet.hosts[HostId("12")]
    assert host.driver == "470.10"
    assert host.gpus[0].id == "007"


def test_json_and_yaml_say_the_same() -> None:
    """One fleet in both languages is one fleet."""
    data = a_file(settings={"overhead_s": 2.5}, domains={"default": {"migrations_per_host": 4}})
    text = json.dumps(data)
    assert parsed(text) == parsed(text, "yaml") == parse_fleet(data, source="test")
    assert parsed(json.dumps(data, indent=2)) == parsed(text)
    assert parsed(json.dumps(data, separators=(" , ", " : "))) == parsed(text)


@pytest.mark.parametrize("word", ["no", "off", "yes", "y", "No"])
def test_words_of_yaml_1_1_are_texts(word: str) -> None:
    """`no` is a text, not false: as an id it stays, as a flag it is an error that says so."""
    host = f"{{id: {word}, driver: 550.54.16, gpus: []}}"
    assert list(parsed(f"fleetfile_version: 1\nhosts: [{host}]").hosts) == [word]
    gpu = f"{{board: L40S, ecc: {word}}}"
    text = f"fleetfile_version: 1\nhosts: [{{id: h, driver: 550.54.16, gpus: [{gpu}]}}]"
    assert said(text) == [f'hosts[0].gpus[0].ecc: "{word}"; wanted true or false']


@pytest.mark.parametrize(
    ("written", "value"),
    [("10", 10), ("0x10", 16), ("0o20", 16), ("+7", 7), ('"0x10"', 16), ("!!int 9", 9), ("0010", 10)],
)
def test_yaml_integers_are_those_of_the_core_schema(written: str, value: int) -> None:
    """Decimal, 0x and 0o; a leading zero is no octal."""
    assert parsed(f"fleetfile_version: 1\nrevision: {written}\nhosts: []").revision == value


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("1:30", '"1:30"'),
        ("1_000", '"1_000"'),
        ("1.0", "1.0"),
        ("2023-01-01", '"2023-01-01"'),
        ("true", "true"),
        (".inf", "inf"),
        (".nan", "nan"),
        ("1e400", "inf"),
        ('"12"', '"12"'),
        ("[1]", "[1]"),
        ("{}", "an empty mapping"),
        ("9" * 5000, "inf"),
    ],
)
def test_yaml_values_that_are_no_integers(written: str, seen: str) -> None:
    """Sexagesimals, underscores, dates and infinities are no numbers here."""
    wanted = "wanted a whole number from 0 to 2^52 - 1, or such a text as 0x1f"
    assert said(f"fleetfile_version: 1\nrevision: {written}\nhosts: []") == [f"revision: {seen}; {wanted}"]


def test_yaml_floats() -> None:
    """Floats of the core schema, and integers where floats are wanted."""
    text = "fleetfile_version: 1\nhosts: []\nsettings: {bandwidth_gbit_s: 1e1, overhead_s: .5, upgrade_s: 60}"
    settings = parsed(text).settings
    assert (settings.bandwidth_gbit_s, settings.overhead_s, settings.upgrade_s) == (10.0, 0.5, 60.0)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["the file: empty; wanted a fleet file"]),
        (" \n\t\n", ["the file: empty; wanted a fleet file"]),
        (b"\xef\xbb\xbf", ["the file: empty; wanted a fleet file"]),
        ("# nothing\n", ["the file: null; wanted a mapping with fleetfile_version, hosts and vms"]),
        ("[]", ["the file: []; wanted a mapping with fleetfile_version, hosts and vms"]),
        ("{", ["line 1, column 2: Expecting property name enclosed in double quotes; wanted JSON"]),
        ('{\n"a" 1\n}', ["line 2, column 5: Expecting ':' delimiter; wanted JSON"]),
        ("{} x", ["line 1, column 4: Extra data; wanted JSON"]),
        ('{"a": NaN}', ["line 1, column 7: invalid character; wanted JSON"]),
        ("[" * 100_000, ["the file: nested too deeply; wanted a fleet file"]),
        ("{}".encode("utf-16"), ["the file: UTF-16; wanted text in UTF-8"]),
        (b'{"a": "\n\xff"}', ["line 2: byte 0xff; wanted text in UTF-8"]),
        (b'{"a": "b", \xff}', ["line 1: byte 0xff; wanted text in UTF-8"]),
        (b"a: \xff", ["line 1: byte 0xff; wanted text in UTF-8"]),
        ("a: b: c", ["line 1, column 5: mapping values are not allowed in this context; wanted YAML"]),
        ("a: 'b", ["line 1, column 6: found unexpected end of stream; wanted YAML"]),
        ("a: 1\n---\nb: 2\n", ["line 2, column 1: a second document begins; wanted one document"]),
        ("a: *b", ["line 1, column 4: alias *b; wanted an anchor that ended before"]),
        ("a: &b [*b]", ["line 1, column 8: alias *b; wanted an anchor that ended before"]),
        ("? [a]\n: b", ["line 1, column 3: a key that is a list or mapping; wanted a text as key"]),
        (
            "a: !!python/object:os.system {}",
            [
                "line 1, column 4: tag tag:yaml.org,2002:python/object:os.system; "
                "wanted no tags but the core schema's"
            ],
        ),
        ("a: !!int x", ["line 1, column 4: x with tag tag:yaml.org,2002:int; wanted a value of that tag"]),
        (
            "a: \x07",
            ["the file: unacceptable character #x0007: control characters are not allowed; wanted YAML"],
        ),
        (
            "- " * 70 + "a",
            ["line 1, column 129: nested too deeply; wanted at most 64 lists and mappings inside each other"],
        ),
    ],
)
def test_texts_that_are_no_fleet_file(text: str | bytes, lines: list[str]) -> None:
    """Each is one clear error with its line."""
    assert said(text) == lines


def test_a_bomb_of_aliases_is_defused() -> None:
    """Nine levels of nine aliases are refused before they take memory."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    lines = said("\n".join(levels))
    assert [line.partition(": ")[2] for line in lines] == [
        "too much by aliases; wanted at most 100000 values through aliases"
    ]


def test_aliases_are_followed() -> None:
    """An anchor on a repeated part is read as the part itself."""
    text = (
        "fleetfile_version: 1\n"
        "hosts:\n"
        "- {id: a, driver: &d 550.100, gpus: &g [{board: L40S}]}\n"
        "- {id: b, driver: *d, gpus: *g}\n"
    )
    fleet = parsed(text)
    assert [host.driver for host in fleet.hosts.values()] == ["550.100", "550.100"]
    assert list(fleet.gpus) == ["a/0", "b/0"]


def test_a_byte_order_mark_is_passed_over() -> None:
    """Files saved on Windows begin with one."""
    assert parsed(b"\xef\xbb\xbf" + json.dumps(a_file()).encode()) == parsed(json.dumps(a_file()))
    assert parsed(b"\xef\xbb\xbf" + YAML.encode()) == parsed(YAML)


FILE = json.dumps(a_file())


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (FILE.replace('"memory_mib": 16384', '"memory_mib": 1, "memory_mib": 16384'), ["vms[0].memory_mib"]),
        (FILE.replace('"board": "L40S"', '"board": "L40S", "board" : "L40S"'), ["hosts[0].gpus[0].board"]),
        (
            FILE.replace('"board": "L40S"', '"board": "L40S", "\\u0062oard": "L40S"'),
            ["hosts[0].gpus[0].board"],
        ),
        (FILE.replace('"id": "vm-1"', '"id": "a:b\\u003a", "id": "vm-1"'), ["vms[0].id"]),
        (FILE.replace('"id": "vm-1"', '"id":"\\u003a", "id":"vm-1"'), ["vms[0].id"]),
        (FILE.replace('"fleetfile_version": 1', '"fleetfile_version": 1, "vms": [], "vms": []'), ["vms"]),
        (FILE.replace("{", '{"x": {"y": 1, "y": 2}, ', 1), ["x", "x.y"]),
    ],
)
def test_json_keys_that_stand_twice(text: str, places: list[str]) -> None:
    """Wherever a key stands twice, however spelled, it is told; also in a file with nothing else wrong."""
    assert [line.partition(": ")[0] for line in said(text)] == places


def test_yaml_keys_that_stand_twice() -> None:
    """The same in YAML, with the line."""
    text = YAML.replace("    driver: 550.54.16\n", "    driver: 550.54.16\n    driver: 550.54.15\n")
    assert said(text) == ["hosts[1].driver: key stands twice, again in line 10; wanted it once"]


def test_colons_and_quotes_in_texts_are_no_keys() -> None:
    """Texts that look like keys do not make a file suspect, nor hide a key that stands twice."""
    data = a_file([a_host_entry('":":', gpus=[a_gpu_entry(id='g":')])], [])
    fleet = parsed(json.dumps(data, ensure_ascii=False))
    assert list(fleet.hosts) == ['":":']
    text = json.dumps(data).replace('"board"', '"board": "L40", "board"')
    assert [line.partition(": ")[0] for line in said(text)] == ["hosts[0].gpus[0].board"]


def test_texts_of_any_script() -> None:
    """Ids may be of any script, escaped or not."""
    data = a_file([a_host_entry("größe-主机")], [])
    assert parsed(json.dumps(data)) == parsed(json.dumps(data, ensure_ascii=False))
    assert parsed(json.dumps(data, ensure_ascii=False), "yaml") == parsed(json.dumps(data))


def test_numbers_of_any_size() -> None:
    """Numbers too large for anything are told where they stand."""
    for digits in ("9" * 30, "9" * 5000, "1e999", "-1"):
        text = FILE.replace("16384", digits)
        places = [line.partition(": ")[0] for line in said(text)]
        assert places == ["vms[0].memory_mib"], digits[:10]


def test_json_numbers_are_no_texts() -> None:
    """JSON has types, so an id that is a number is an error there."""
    assert said(json.dumps(a_file(vms=[a_vm_entry() | {"id": 12}]))) == [
        "vms[0].id: 12; wanted a text of 1 to 255 characters"
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.json", FILE),
        ("f.yaml", YAML),
        ("f.yml", YAML),
        ("F.JSON", FILE),
        ("fleet", FILE),
        ("fleet.txt", YAML),
    ],
)
def test_files_are_read_by_their_suffix(tmp_path: Path, name: str, text: str) -> None:
    """The suffix tells the language; without one the content does."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_fleet(path) == read_fleet(str(path)) == parsed(text)


def test_a_suffix_is_taken_at_its_word(tmp_path: Path) -> None:
    """YAML in a .json file is an error, and the error names the file."""
    path = tmp_path / "f.json"
    path.write_text(YAML, encoding="utf-8")
    with pytest.raises(InputError, match="line 1, column 1: Expecting value; wanted JSON") as caught:
        read_fleet(path)
    assert caught.value.source == str(path)


def test_a_dash_is_standard_input() -> None:
    """`-` reads the stream handed in."""
    assert read_fleet("-", stdin=io.BytesIO(FILE.encode())) == parsed(FILE)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """No such file, and a directory."""
    for path, seen in ((tmp_path / "none.json", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(InputError) as caught:
            read_fleet(path)
        assert [str(problem) for problem in caught.value.problems] == [f"{path}: {seen}; wanted a fleet file"]
