"""Fleets written and read again, the schema that editors use, and the generator of fleets."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml
from benchmarks.make_fleet import make_fleet_data
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.model.fleet_makers import Data, a_file, a_host_entry, read, said

from vgpu_migrate import facts
from vgpu_migrate.model import VmState
from vgpu_migrate.model.fleetfile import fleet_schema, fleet_to_data, parse_fleet_bytes
from vgpu_migrate.nvml import GuestInfoState, VgpuMetadata

SCHEMA = fleet_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

ranges = st.tuples(st.integers(0x70001, 0xFFFFF), st.integers(0x100000, 0x140001)).map(list)
ways = st.lists(st.sampled_from(["live", "sleep", "hibernate", "cold"]), max_size=4)
names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=12)


def maybe(data: st.DataObject, entry: Data, key: str, values: st.SearchStrategy[Any]) -> None:
    """Give a key or leave it out."""
    if data.draw(st.booleans(), label=key):
        entry[key] = data.draw(values, label=key)


def bend(data: st.DataObject, fleet: Data) -> None:
    """Use every optional key that the generator of fleets leaves out, without breaking a rule."""
    maybe(data, fleet, "revision", st.integers(0, 2**52 - 1))
    domain = {
        "profile": st.sampled_from(["default", "identical-host-drivers", "renegotiating-resume"]),
        "migrations_per_host": st.integers(1, 9),
        "bandwidth_gbit_s": st.floats(0.1, 400),
        "overhead_s": st.floats(0, 100),
        "upgrade_s": st.floats(0, 1e4),
    }
    overrides = st.fixed_dictionaries({}, optional=domain)
    maybe(data, fleet, "domains", st.dictionaries(names, overrides, max_size=3))
    whole = {**domain, "migrations_per_fleet": st.integers(1, 99)}
    maybe(data, fleet, "settings", st.fixed_dictionaries({}, optional=whole))
    for host in fleet["hosts"]:
        maybe(data, host, "hypervisor", st.sampled_from(["kvm", "xen"]))
        maybe(data, host, "schedulable", st.booleans())
        maybe(data, host, "preset_range", st.just([0x70001, 0x140001]))
        host.pop("range", None)
        if "preset_range" in host:
            maybe(data, host, "range", ranges)
        for gpu in host["gpus"]:
            for key in ("ecc", "sriov", "migration"):
                maybe(data, gpu, key, st.booleans())
            maybe(data, gpu, "topology", st.integers(0, 2**32 - 1))
            if data.draw(st.booleans()):
                gpu["types"] = [row.long for row in facts.types_of_board(gpu["board"])]
    for number, vm in enumerate(fleet["vms"]):
        maybe(data, vm, "domid", st.just(number + 1))
        maybe(data, vm, "anti_affinity", st.lists(names, max_size=2))
        maybe(
            data, vm, "allow", st.lists(st.sampled_from(["live", "sleep", "hibernate", "cold"]), max_size=4)
        )
        if vm["state"] == "running":
            vm["state"] = data.draw(st.sampled_from(["running", "paused", "sleeping", "booting"]))
        for vgpu in vm["vgpus"]:
            maybe(data, vgpu, "migration", st.booleans())
            maybe(data, vgpu, "version", st.sampled_from([0x100001, "0x140001"]))
            if data.draw(st.integers(0, 9), label="record") == 0:
                version = vgpu.get("version", 0x120001)
                held = int(version, 16) if isinstance(version, str) else version
                record = VgpuMetadata(GuestInfoState.INITIALIZED, "550.54.14", "550.54.16", held, 1)
                vgpu["record"] = b64encode(record.to_bytes()).decode()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 10_000))
def test_a_fleet_written_is_the_fleet_read(data: st.DataObject, seed: int) -> None:
    """Writing loses nothing: read, written and read again, in either language, the fleet is the same."""
    source = make_fleet_data(4, 2, 12, seed, domains=3)
    bend(data, source)
    fleet = read(source)
    written = fleet_to_data(fleet)
    VALIDATOR.validate(written)
    assert read(written) == fleet
    assert fleet_to_data(read(written)) == written
    assert parse_fleet_bytes(msgspec.json.encode(written), source="test") == fleet
    assert parse_fleet_bytes(yaml.safe_dump(written).encode(), source="test", format="yaml") == fleet


def test_what_is_default_is_not_written() -> None:
    """A small fleet is a small file; versions held are written because they are state."""
    written = fleet_to_data(read(a_file()))
    expected = a_file()
    expected["vms"][0]["vgpus"][0]["version"] = "0x140001"
    assert written == expected
    assert said(written) == []


def test_the_schema_describes_every_key() -> None:
    """The schema is valid, titled, closed, and has a description on every key of every object."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["title"] == "vgpu-migrate fleet file, version 1"
    objects = {name: part for name, part in SCHEMA["$defs"].items() if part.get("type") == "object"}
    assert set(objects) == {"DomainSettings", "Fleet", "Gpu", "Host", "Settings", "Vgpu", "Vm"}
    for name, part in objects.items():
        assert part["additionalProperties"] is False
        for key, about in part["properties"].items():
            assert about.get("description"), f"{name}.{key}"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_schema_allows_hex_texts_for_every_integer() -> None:
    """Whole numbers may be written 0x…, and the schema says so wherever one stands."""
    VALIDATOR.validate(
        a_file([a_host_entry(memory_mib="0x80000", range=["0x70001", 0x140001])], revision="0x7")
    )
    for bad in ("0x", "12", "0x1G", "0x123456789", "0x1\n"):
        assert not VALIDATOR.is_valid(a_file([a_host_entry(memory_mib=bad)])), bad


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_generated_fleets_are_valid(seed: int) -> None:
    """The generator gives legal fleets of many kinds, the same for the same seed."""
    data = make_fleet_data(40, 4, 900, seed)
    assert data == make_fleet_data(40, 4, 900, seed)
    VALIDATOR.validate(data)
    fleet = read(data)
    assert (len(fleet.hosts), len(fleet.gpus), len(fleet.vms)) == (40, 160, 900)
    assert len({host.domain for host in fleet.hosts.values()}) == 20
    assert {gpu.mode for gpu in fleet.gpus.values()} == {"equal", "mixed"}
    assert {vm.state for vm in fleet.vms.values()} == {
        VmState.RUNNING,
        VmState.SLEEPING,
        VmState.HIBERNATED,
        VmState.OFF,
    }
    held = [vm for vm in fleet.vms.values() if vm.state is VmState.RUNNING]
    assert all(vgpu.vgpu_version is not None for vm in held for vgpu in vm.vgpus)


def test_a_fleet_without_room_is_refused() -> None:
    """The generator does not make over-full gpus."""
    with pytest.raises(ValueError, match="no room for so many VMs"):
        make_fleet_data(1, 1, 200, 1)
