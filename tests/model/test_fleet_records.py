"""Directories of raw records: their index, what is read of them, and what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from vgpu_migrate.errors import InputError
from vgpu_migrate.model.fleet_records import (
    FleetRecords,
    GpuFile,
    VgpuFile,
    parse_index,
    saved_in,
    write_index,
)
from vgpu_migrate.model.values import GpuId, VmId
from vgpu_migrate.nvml import GuestInfoState, PgpuMetadata, VersionRange, VgpuMetadata
from vgpu_migrate.recordsio import MOST_BYTES, read_records
from vgpu_migrate.testing import fleet_of

VGPU = VgpuMetadata(
    GuestInfoState.INITIALIZED, "550.54.14", "550.54.16", 0x140001, 1, opaque_data=bytes(5000)
).to_bytes()
GPU = PgpuMetadata("550.54.16", 1, VersionRange(1, 2), opaque_data=bytes(5000)).to_bytes()


def a_directory(
    path: Path, files: dict[str, bytes] | None = None, *, vm: str = "one", gpu: str = "g"
) -> Path:
    """A directory as `host record` writes it, of one VM with two vgpus and one gpu."""
    path.mkdir()
    contents = {"gpu-0.record": GPU, "vgpu-1.record": VGPU, "vgpu-2.record": VGPU, **(files or {})}
    for name, data in contents.items():
        (path / name).write_bytes(data)
    index = write_index(
        [GpuFile(gpu, "gpu-0.record")],
        [VgpuFile(vm, place, f"vgpu-{place + 1}.record") for place in (0, 1)],
    )
    (path / "records.json").write_bytes(index)
    return path


def test_a_directory_is_read(tmp_path: Path) -> None:
    """Records of any length come back to the last byte, by VM and place and by gpu."""
    found = read_records(a_directory(tmp_path / "h01"))
    assert found == FleetRecords({VmId("one"): {0: VGPU, 1: VGPU}}, {GpuId("g"): GPU})
    assert (len(VGPU), len(GPU)) == (5208, 5124)


def test_a_directory_of_directories_is_read(tmp_path: Path) -> None:
    """One directory for each host, gathered in one, is the records of a fleet."""
    a_directory(tmp_path / "h01")
    a_directory(tmp_path / "h02", vm="two", gpu="h")
    (tmp_path / "notes.txt").write_text("not a host")
    found = read_records(tmp_path)
    assert (set(found.vgpus), set(found.gpus)) == ({"one", "two"}, {"g", "h"})


def test_every_broken_record_is_named(tmp_path: Path) -> None:
    """A truncated, a missing and a far too long record are told at once, each by its path."""
    path = a_directory(tmp_path / "h01", {"vgpu-1.record": VGPU[:-1], "vgpu-2.record": bytes(MOST_BYTES + 1)})
    (path / "gpu-0.record").unlink()
    with pytest.raises(InputError) as caught:
        read_records(path)
    said = [str(problem) for problem in caught.value.problems]
    assert [line.partition(":")[0] for line in said] == [
        str(path / name) for name in ("gpu-0.record", "vgpu-1.record", "vgpu-2.record")
    ]
    assert "no such file" in said[0]
    assert "5207 bytes; truncated" in said[1]
    assert f"wanted a record of at most {MOST_BYTES}" in said[2]


def test_what_stands_twice_is_refused(tmp_path: Path) -> None:
    """Two hosts that claim the same gpu or the same vgpu of a VM are a mistake, not a choice."""
    a_directory(tmp_path / "h01")
    a_directory(tmp_path / "h02")
    with pytest.raises(InputError, match="gpu g stands twice") as caught:
        read_records(tmp_path)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("name", ["nothing", "empty", "file"])
def test_a_place_without_an_index_is_refused(tmp_path: Path, name: str) -> None:
    """A directory that is not there, has no index, or is a file is named."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        read_records(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"records_version": 2}, "records_version: 2; wanted 1"),
        ({"gpus": [{"gpu": "g", "file": "../g"}]}, "wanted the name of a file beside this one"),
        ({"gpus": [{"gpu": "g", "file": "/etc/passwd"}]}, "wanted the name of a file beside this one"),
        ({"vgpus": [{"vm": "one", "position": -1, "file": "v"}]}, "vgpus[0].position: -1"),
        ({"more": 1}, "more: unknown key"),
    ],
)
def test_what_is_no_index_is_refused(change: dict[str, Any], said: str) -> None:
    """A path that leads elsewhere, a key too many, another version."""
    data = json.dumps({"records_version": 1, "gpus": [], "vgpus": [], **change}).encode()
    with pytest.raises(InputError) as caught:
        parse_index(data, source="records.json")
    assert said in str(caught.value)


def test_records_of_the_fleet_file_fill_up_what_is_missing() -> None:
    """A VM whose records are given keeps these; of the others the fleet file's own count."""
    text = base64.b64encode(VGPU).decode()
    vm = "host: a, state: running, memory_mib: 1, vgpus: [{type: A40-8Q, gpu: a/0, record: %s}]"
    fleet = fleet_of(
        f"""
        hosts:
          - {{id: a, driver: 550.54.16, gpus: [{{board: A40}}]}}
        vms:
          - {{id: one, {vm % text}}}
          - {{id: two, {vm % text}}}
          - {{id: three, host: a, state: running, memory_mib: 1, vgpus: [{{type: A40-8Q, gpu: a/0}}]}}
        """
    )
    assert saved_in(fleet) == FleetRecords({VmId("one"): {0: VGPU}, VmId("two"): {0: VGPU}}, {})
    other = FleetRecords({VmId("one"): {0: b"other"}}, {GpuId("a/0"): GPU})
    assert other.over(saved_in(fleet)) == FleetRecords(
        {VmId("one"): {0: b"other"}, VmId("two"): {0: VGPU}}, {GpuId("a/0"): GPU}
    )
