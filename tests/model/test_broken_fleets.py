"""Thousands of broken fleet files: each is read, or refused in words that help. Never anything else.

A failure prints its seed and number; `broken_data(seed)` and `broken_text(seed)` give the same file again.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
import yaml
from benchmarks.make_fleet import make_fleet_data
from tests.model.fleet_makers import (
    Data,
    a_file,
    a_gpu_entry,
    a_host_entry,
    a_stopped_vm_entry,
    a_vgpu_entry,
    a_vm_entry,
    problems,
    read,
)

from vgpu_migrate.errors import InputError
from vgpu_migrate.model import Fleet
from vgpu_migrate.model import fleet_schema as wire
from vgpu_migrate.model.fleet_report import salvage
from vgpu_migrate.model.fleetfile import fleet_to_data, parse_fleet, parse_fleet_bytes

BATCHES = range(40)
FILES_PER_BATCH = 100

Path = tuple[str | int, ...]


def a_full_file() -> Data:
    """A file that uses every key there is."""
    gpus = [
        a_gpu_entry(id="GPU-a", pci="0000:3b:00.0", mode="mixed", ecc=True, topology=1, types=["L40S-12Q"]),
        a_gpu_entry(id="GPU-b", board="A100", mig=[3, 3], sriov=True, vgpu=True, migration=False),
    ]
    hosts = [
        a_host_entry(
            "h01",
            gpus=gpus,
            domain="one",
            manager=True,
            hypervisor="kvm",
            preset_range=[0x70001, "0x140001"],
            range=[0x80001, 0x140001],
            schedulable=False,
            memory_mib=524288,
            vcpus="0x80",
        ),
        a_host_entry("h02", domain="two"),
    ]
    vms = [
        a_vm_entry(
            "vm-1",
            uuid="0b9ed2c4-8a4f-4c6a-9d4e-3f1d9c8b7a60",
            vcpus=8,
            allow=["live", "cold"],
            anti_affinity=["db"],
            vgpus=[
                a_vgpu_entry("GPU-a", placement=0, version=0x140001, migration=True, record=None),
                a_vgpu_entry("GPU-a", placement=12, version="0x140001"),
            ],
        ),
        a_vm_entry("vm-2", domid=7, vgpus=[a_vgpu_entry("GPU-b", type="A100-3-20C")]),
        a_vm_entry("vm-3", host="h02", state="paused", vgpus=[a_vgpu_entry("h02/0")]),
        a_stopped_vm_entry("vm-4"),
        a_stopped_vm_entry("vm-5", "hibernated", host="h02", vgpus=[a_vgpu_entry(None, version=0x120001)]),
    ]
    settings = {"profile": "default", "migrations_per_host": 2, "migrations_per_fleet": 32, "overhead_s": 5}
    return a_file(
        hosts,
        vms,
        revision=7,
        settings=settings | {"bandwidth_gbit_s": 25.5, "upgrade_s": 1800},
        domains={"one": {"profile": "renegotiating-resume"}, "two": {}},
    )


@cache
def good_files() -> tuple[Data, ...]:
    """Fleets with nothing wrong; never changed, only copied."""
    files = (a_full_file(), a_file(), make_fleet_data(3, 2, 9, 1, domains=3), make_fleet_data(6, 1, 8, 2))
    for data in files:
        assert problems(data) == []
    return files


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The way to every value inside another, the outermost first."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*path, key))


def get(data: Any, path: Path) -> Any:
    """The value at the end of a way."""
    for step in path:
        data = data[step]
    return data


ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**32, 2**63, 2**64, 10**40, 1.0, 1.5, -0.0, 1e308),
    *(float("inf"), float("-inf"), float("nan"), "", " ", "x", "0x1", "0x", "0xffffffffff", "-1", "1e3"),
    *(
        "no",
        "null",
        "\x00",
        "\x1b[31m",
        "a" * 300,
        "größe",
        "主机",
        "\u202e",
        "\ud800",
        "h01",
        "GPU-a",
        "vm-1",
    ),
    *(
        "L40S",
        "L40S-12Q",
        "A100-3-20C",
        "running",
        "off",
        "live",
        "mixed",
        [],
        {},
        [[]],
        [{}],
        [None],
        {"": 1},
    ),
    *({"id": "x"}, [1, 2], [2, 1], ["x"], [1, 2, 3], (1, 2), b"x", 3j, object),
)


def replace_value(data: Data, lot: random.Random, path: Path) -> None:
    """Put something odd in the place of a value."""
    get(data, path[:-1])[path[-1]] = copy.deepcopy(lot.choice(ODD_VALUES))


def delete(data: Data, _: random.Random, path: Path) -> None:
    """Take a key or an item away."""
    del get(data, path[:-1])[path[-1]]


def add_key(data: Data, lot: random.Random, path: Path) -> None:
    """Give an object a key that it should not have, or an odd key."""
    target = get(data, path)
    if isinstance(target, dict):
        target[lot.choice(("idd", "Id", "gpus", "x", "", "a.b", 'q"', "\x1b", "<<", 3, None, "ü" * 99))] = 1


def swap(data: Data, lot: random.Random, path: Path) -> None:
    """Let two values trade places."""
    other = lot.choice([way for way in paths(data) if way])
    if other[: len(path)] == path or path[: len(other)] == other:
        return
    one, two = get(data, path), get(data, other)
    get(data, path[:-1])[path[-1]], get(data, other[:-1])[other[-1]] = two, one


def repeat(data: Data, lot: random.Random, path: Path) -> None:
    """Put an item of a list there again, a few times."""
    around = get(data, path[:-1])
    if isinstance(around, list):
        item = get(data, path)
        around += [copy.deepcopy(item) for _ in range(lot.randrange(1, 40))]


def negate(data: Data, _: random.Random, path: Path) -> None:
    """Turn a number, flag or text around."""
    value = get(data, path)
    around = get(data, path[:-1])
    if isinstance(value, bool):
        around[path[-1]] = not value
    elif isinstance(value, int | float):
        around[path[-1]] = -value
    elif isinstance(value, str):
        around[path[-1]] = value[::-1]


DATA_CHANGES: tuple[Callable[[Data, random.Random, Path], None], ...] = (
    *(replace_value, replace_value, replace_value, delete, add_key, swap, repeat, negate),
)


def broken_data(seed: int) -> Data:
    """A good file with one to three changes."""
    lot = random.Random(seed)
    data = copy.deepcopy(lot.choice(good_files()))
    for _ in range(lot.choice((1, 1, 2, 3))):
        ways = [way for way in paths(data) if way]
        if ways:
            lot.choice(DATA_CHANGES)(data, lot, lot.choice(ways))
    return data


def broken_text(seed: int) -> tuple[bytes, str]:
    """The text of a good file, with bytes broken; and whether it was JSON or YAML."""
    lot = random.Random(seed)
    form = lot.choice(("json", "yaml"))
    text = bytearray(good_texts()[lot.randrange(len(good_files())), form])
    for _ in range(lot.choice((1, 1, 1, 2, 5))):
        at, length = lot.randrange(len(text) + 1), lot.randrange(1, 30)
        match lot.randrange(7):
            case 0:
                del text[at:]
            case 1 if at < len(text):
                text[at] ^= 1 << lot.randrange(8)
            case 2:
                del text[at : at + length]
            case 3:
                text[at:at] = text[at : at + length] * lot.randrange(1, 4)
            case 4:
                text[at:at] = lot.randbytes(lot.randrange(1, 5))
            case 5:
                text[at:at] = lot.choice(ODD_BYTES)
            case _:
                other = lot.randrange(len(text) + 1)
                text[at : at + length] = text[other : other + length]
        if not text:
            break
    return bytes(text), form


ODD_BYTES = (
    *(
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"{",
        b"}",
        b"[" * 70,
        b"]",
        b'"',
        b",",
        b":",
        b" : ",
        b"\n",
        b"\t",
    ),
    *(b"&a ", b"*a", b"<<: ", b"---\n", b"...\n", b"!!python/name:x ", b"!x ", b"%YAML 1.1\n", b"# ", b"? "),
    *(b"NaN", b"1e999", b"9" * 5000, b"\\u0000", b"\\ud800", b"| ", b"> ", b"- ", b"'", b"\r", b"\xc2\x85"),
)


@cache
def good_texts() -> dict[tuple[int, str], bytes]:
    """Each good file as JSON and as YAML."""
    texts: dict[tuple[int, str], bytes] = {}
    for number, data in enumerate(good_files()):
        texts[number, "json"] = json.dumps(data, indent=number % 3 or None).encode()
        texts[number, "yaml"] = yaml.safe_dump(data, sort_keys=False).encode()
    return texts


def outcome(parse: Callable[[], Fleet], what: str) -> Fleet | None:
    """The fleet; or None, and each problem has a place, what is seen there and what was wanted, in a line."""
    refusal: InputError | None = None
    try:
        return parse()
    except InputError as error:
        refusal = error
    except Exception as error:
        raise AssertionError(f"{what}: {error!r}") from error
    assert refusal.problems, what
    for problem in refusal.problems:
        assert problem.place, what
        assert problem.seen, (what, problem)
        assert problem.wanted, (what, problem)
        assert str(problem).isprintable(), (what, problem)
        assert len(str(problem)) < 1000, (what, problem)
    return None


@pytest.mark.parametrize("batch", BATCHES)
def test_broken_data_is_read_or_refused(batch: int) -> None:
    """Four thousand files with values gone, odd, swapped or repeated; what is read can be written."""
    for number in range(FILES_PER_BATCH):
        seed = batch * FILES_PER_BATCH + number
        data = broken_data(seed)
        found = outcome(lambda data=data: parse_fleet(data, source="test"), f"broken_data({seed})")  # type: ignore[misc]
        if found is not None:
            assert read(fleet_to_data(found)) == found, seed


@pytest.mark.parametrize("batch", BATCHES)
def test_broken_text_is_read_or_refused(batch: int) -> None:
    """Four thousand files with bytes flipped, cut, moved or put in, JSON and YAML."""
    for number in range(FILES_PER_BATCH):
        seed = batch * FILES_PER_BATCH + number
        text, form = broken_text(seed)
        for form_told in (form, None):
            outcome(
                lambda text=text, told=form_told: parse_fleet_bytes(text, source="test", format=told),  # type: ignore[misc]
                f"broken_text({seed})",
            )


def test_most_broken_files_are_refused() -> None:
    """The changes do break files: of a thousand, more than half are refused, and some are harmless."""
    refused = sum(bool(problems(broken_data(seed))) for seed in range(1000))
    assert 500 < refused < 1000


STEP = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[]+)')


def way_to(place: str) -> Path:
    """A place as the way to it."""
    return tuple(int(index) if index else quoted or name for quoted, index, name in STEP.findall(place))


@pytest.mark.parametrize("batch", BATCHES[:20])
def test_every_problem_of_form_is_told(batch: int) -> None:
    """The report has a problem if and only if msgspec refuses, and it has all: put right each place that it
    names and nothing else, and msgspec is content."""
    for number in range(FILES_PER_BATCH):
        lot = random.Random(batch * FILES_PER_BATCH + number)
        good = lot.choice(good_files())
        data = copy.deepcopy(good)
        for _ in range(lot.randrange(6)):
            way = lot.choice([way for way in paths(data) if way])
            if lot.random() < 0.3:
                target = get(data, way)
                if isinstance(target, dict):
                    target[lot.choice(("x", "idd", "Board", "gpuz"))] = 1
            elif isinstance(way[-1], str) and lot.random() < 0.3:
                delete(data, lot, way)
            else:
                odd = lot.choice(ODD_VALUES)
                get(data, way[:-1])[way[-1]] = list(odd) if isinstance(odd, tuple) else copy.deepcopy(odd)
        found = salvage(data, wire.Fleet).problems
        assert bool(found) == (not takes(data)), lot
        # Backwards, so that taking an item away moves none that is still to be put right.
        for problem in reversed(found):
            put_right(data, good, way_to(problem.place))
        assert takes(data), [str(problem) for problem in found]


def takes(data: Data) -> bool:
    """Whether msgspec takes data as a fleet file."""
    try:
        msgspec.convert(data, wire.Fleet)
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError):
        return False
    return True


def put_right(data: Any, good: Any, way: Path) -> None:
    """Give one place its good value back, or take away what does not belong there."""
    for position, step in enumerate(way[:-1]):
        good = good[step] if _has(good, step) else None
        if not _has(data, step):
            raise AssertionError(f"no such place: {way[: position + 1]}")
        data = data[step]
    if _has(good, way[-1]):
        data[way[-1]] = copy.deepcopy(good[way[-1]])
    else:
        del data[way[-1]]


def _has(value: Any, step: str | int) -> bool:
    return step in value if isinstance(value, dict) else isinstance(value, list) and step in range(len(value))


def running(data: Data) -> list[int]:
    """Indices of the VMs that hold something."""
    return [index for index, vm in enumerate(data["vms"]) if "gpu" in vm["vgpus"][0]]


Break = Callable[[Data, random.Random], str]


def break_host_reference(data: Data, lot: random.Random) -> str:
    """A VM on a host that is not there."""
    index = lot.choice(running(data))
    data["vms"][index]["host"] += "x"
    return f"vms[{index}].host"


def break_gpu_reference(data: Data, lot: random.Random) -> str:
    """A vgpu on a gpu that is not there."""
    index = lot.choice(running(data))
    data["vms"][index]["vgpus"][0]["gpu"] += "x"
    return f"vms[{index}].vgpus[0].gpu"


def break_board(data: Data, lot: random.Random) -> str:
    """A board that is none."""
    host = lot.randrange(len(data["hosts"]))
    data["hosts"][host]["gpus"][0]["board"] += "Z"
    return f"hosts[{host}].gpus[0].board"


def break_type(data: Data, lot: random.Random) -> str:
    """A vgpu type that is none."""
    index = lot.randrange(len(data["vms"]))
    data["vms"][index]["vgpus"][0]["type"] += "Z"
    return f"vms[{index}].vgpus[0].type"


def break_vm_id(data: Data, _: random.Random) -> str:
    """Two VMs of one id."""
    data["vms"].append(a_stopped_vm_entry(data["vms"][0]["id"]))
    return f"vms[{len(data['vms']) - 1}].id"


def break_host_id(data: Data, _: random.Random) -> str:
    """Two hosts of one id."""
    data["hosts"].append(a_host_entry(data["hosts"][0]["id"]))
    return f"hosts[{len(data['hosts']) - 1}].id"


def break_off(data: Data, lot: random.Random) -> str:
    """A VM that is off and still holds a gpu."""
    index = lot.choice(running(data))
    data["vms"][index]["state"] = "off"
    return f"vms[{index}].vgpus[0].gpu"


def break_running(data: Data, lot: random.Random) -> str:
    """A VM that runs nowhere."""
    index = lot.choice(running(data))
    del data["vms"][index]["host"]
    return f"vms[{index}].host"


def break_capacity(data: Data, lot: random.Random) -> str:
    """Far more vgpus on a gpu than fit, wherever they are said to be."""
    index = lot.choice(running(data))
    for number in range(50):
        vm = copy.deepcopy(data["vms"][index]) | {"id": f"extra-{number}"}
        vm.pop("uuid", None)
        vm.pop("domid", None)
        data["vms"].append(vm)
    if "placement" in data["vms"][index]["vgpus"][0]:
        return f"vms[{len(data['vms']) - 1}].vgpus[0].placement"
    gpu_id = data["vms"][index]["vgpus"][0]["gpu"]
    return next(
        f"hosts[{host_index}].gpus[{gpu_index}]"
        for host_index, host in enumerate(data["hosts"])
        for gpu_index, gpu in enumerate(host["gpus"])
        if gpu.get("id", f"{host['id']}/{gpu_index}") == gpu_id
    )


def break_range(data: Data, lot: random.Random) -> str:
    """A range in force the wrong way round."""
    host = lot.randrange(len(data["hosts"]))
    data["hosts"][host]["range"] = [0x140001, 0x70001]
    return f"hosts[{host}].range"


def break_preset(data: Data, lot: random.Random) -> str:
    """A range in force beyond the preset range."""
    host = lot.randrange(len(data["hosts"]))
    data["hosts"][host] |= {"range": [1, 2], "preset_range": [2, 3]}
    return f"hosts[{host}].range"


def break_manager(data: Data, lot: random.Random) -> str:
    """VMs on a host without a vGPU Manager."""
    index = lot.choice(running(data))
    next(host for host in data["hosts"] if host["id"] == data["vms"][index]["host"])["manager"] = False
    return f"vms[{index}].host"


def break_placement(data: Data, lot: random.Random) -> str:
    """A placement id that no type has, or where none belongs."""
    index = lot.choice(running(data))
    data["vms"][index]["vgpus"][0]["placement"] = 4095
    return f"vms[{index}].vgpus[0].placement"


def break_mig(data: Data, lot: random.Random) -> str:
    """Slices that no GPU instance has."""
    host = lot.randrange(len(data["hosts"]))
    data["hosts"][host]["gpus"][0]["mig"] = [9]
    return f"hosts[{host}].gpus[0].mig"


def break_version(data: Data, _: random.Random) -> str:
    """Another version of the format."""
    data["fleetfile_version"] = 2
    return "fleetfile_version"


def break_vgpus(data: Data, lot: random.Random) -> str:
    """A VM without a vgpu."""
    index = lot.randrange(len(data["vms"]))
    data["vms"][index]["vgpus"] = []
    return f"vms[{index}].vgpus"


BREAKS: tuple[Break, ...] = (
    break_host_reference,
    break_gpu_reference,
    break_board,
    break_type,
    break_vm_id,
    break_host_id,
    break_off,
    break_running,
    break_capacity,
    break_range,
    break_preset,
    break_manager,
    break_placement,
    break_mig,
    break_version,
    break_vgpus,
)


@pytest.mark.parametrize("breaks", BREAKS, ids=[one.__name__ for one in BREAKS])
def test_what_is_known_to_be_wrong_is_refused_there(breaks: Break) -> None:
    """Each rule broken at random spots of every good file: refused, and at the spot."""
    for seed in range(60):
        lot = random.Random(seed)
        data = copy.deepcopy(good_files()[seed % len(good_files())])
        place = breaks(data, lot)
        found = [problem.place for problem in problems(data)]
        assert any(where == place or where.startswith(f"{place}[") for where in found), (seed, place, found)


def test_two_wrongs_are_both_told() -> None:
    """Two rules broken at once in different parts of a file are both told."""
    for seed in range(200):
        lot = random.Random(seed)
        data = copy.deepcopy(good_files()[0])
        places = [break_vm_id(data, lot), break_host_id(data, lot), break_range(data, lot)]
        found = {problem.place for problem in problems(data)}
        assert set(places) <= found, seed
