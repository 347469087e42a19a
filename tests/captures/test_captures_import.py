"""Folders of captures become a fleet file that reads back, and a report that leaves nothing unsaid."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.cli.program import start

from vgpu_migrate.captureio import read_host
from vgpu_migrate.captures import Ground, import_hosts
from vgpu_migrate.errors import InputError
from vgpu_migrate.fleetio import read_fleet
from vgpu_migrate.model import HostId, PlacementMode, VmId
from vgpu_migrate.nvml import VersionRange

FILES = Path(__file__).parent / "files"
H01, H02 = FILES / "h01", FILES / "h02"
WITHOUT_DRIVER = "a2"


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_the_file_written_reads_back(tmp_path: Path, suffix: str) -> None:
    """Hosts, gpus and VMs are those of the captures, the range the tables'."""
    path = tmp_path / f"fleet.{suffix}"
    done = start("import", str(H01), str(H02), "--vm-memory", "4096", "-o", str(path))
    assert (done.status, done.out) == (0, "")
    fleet = read_fleet(path)
    h01 = fleet.hosts[HostId("h01")]
    assert (h01.driver, h01.preset_range) == ("550.54.16", VersionRange(0x70001, 0x140001))
    assert [(gpu.mode, gpu.ecc, gpu.is_vgpu_host) for gpu in h01.gpus] == [
        (PlacementMode.MIXED, True, True),
        (PlacementMode.EQUAL, False, False),
    ]
    assert {vm.id: (vm.host, vm.state, vm.memory_mib, vm.vcpus) for vm in fleet.vms.values()} == {
        "render-01": ("h01", "running", 16384, 8),
        "render-02": ("h01", "running", 4096, None),
        "train-01": ("h02", "running", 32768, 16),
        "spare-01": (None, "off", 8192, 4),
    }
    assert [vm.vgpus[0].type.short for vm in fleet.vms.values()] == [
        "L40S-12Q",
        "L40S-24Q",
        "V100-8Q",
        "V100-4Q",
    ]
    assert [vm.vgpus[0].placement for vm in fleet.vms.values()] == [0, 24, None, None]


def test_without_a_file_the_fleet_is_printed_and_the_report_beside_it(tmp_path: Path) -> None:
    """Standard output alone is a fleet file; unknown files and VMs that are left out are told."""
    done = start("import", str(H01))
    (tmp_path / "f").write_text(done.out, encoding="utf-8")
    assert [vm.id for vm in read_fleet(tmp_path / "f").vms.values()] == ["render-01"]
    assert done.err.splitlines() == [
        "h01: 4 captures, 33 fields: 22 by capture, 7 by facts, 4 unknown",
        "  h01/notes.md: no known capture",
        "  h01/vgpus.txt:19: VM render-02: its memory is not said (virsh dumpxml or --vm-memory does):"
        " it is left out",
        "  preset_range 0x70001-0x140001 from the tables; 550.54.16 is the host driver of vGPU 17.1",
    ]


def test_the_report_counts_every_field_once() -> None:
    """In JSON each field has its ground and its place, and the counts are theirs."""
    (host,) = start("import", str(H01), "--vm-memory", "4096", "--json").json["hosts"]
    grounds = [row["by"] for row in host["fields"]]
    assert {ground.value: grounds.count(ground.value) for ground in Ground} == {
        name: host[name] for name in ("capture", "facts", "given", "unknown")
    }
    assert len({row["field"] for row in host["fields"]}) == len(host["fields"])
    by_field = {row["field"]: (row["by"], row["said"]) for row in host["fields"]}
    assert by_field["gpus[0].ecc"] == ("capture", "h01/smi.txt:27")
    assert by_field["gpus[0].migration"] == ("unknown", "no capture says it")
    assert by_field["vms[render-02].memory_mib"] == ("given", "--vm-memory")
    assert by_field["preset_range"][0] == "facts"


def copy_of(folder: Path, tmp_path: Path) -> Path:
    """A folder of captures that a test may change."""
    return Path(shutil.copytree(folder, tmp_path / folder.name))


def test_a_type_that_two_captures_tell_differently_is_named(tmp_path: Path) -> None:
    """The vgpu that NVML's tool tells is taken, and mdevctl's stands beside it with its line."""
    folder = copy_of(H01, tmp_path)
    (folder / "mdev.txt").write_text("33333333-0000-4000-8000-000000000001 0000:3b:00.0 nvidia-1155\n")
    found = import_hosts([read_host(folder)])
    assert [str(row) for row in found.contradictions] == [
        "h01/mdev.txt:1: vgpu type of render-01: nvidia-1155 (L40S-24Q); "
        "taken: nvidia-1153 (L40S-12Q) (h01/vgpus.txt:9)"
    ]


def test_two_drivers_in_one_folder_are_named(tmp_path: Path) -> None:
    """The first file's counts."""
    folder = copy_of(H02, tmp_path)
    text = (folder / "log.txt").read_text(encoding="utf-8")
    (folder / "log.txt").write_text(text.replace("470.68", "460.32.04"), encoding="utf-8")
    found = import_hosts([read_host(folder)])
    assert found.data["hosts"][0]["driver"] == "470.68"
    assert [str(row) for row in found.contradictions] == [
        "h02/log.txt:1: driver: 460.32.04; taken: 470.68 (h02/smi-vgpu.txt:2)"
    ]


def test_what_does_not_fit_the_tables_is_named_and_left_out(tmp_path: Path) -> None:
    """A type of another board than its gpu's is on no gpu that a fleet file can have."""
    folder = copy_of(H01, tmp_path)
    text = (folder / "vgpus.txt").read_text(encoding="utf-8")
    text = text.replace("NVIDIA L40S-24Q", "NVIDIA A40-24Q").replace(": 1155", ": 565")
    (folder / "vgpus.txt").write_text(text, encoding="utf-8")
    found = import_hosts([read_host(folder)], vm_memory_mib=4096)
    assert [vm["id"] for vm in found.data["vms"]] == ["render-01"]
    said = [row.what for row in found.contradictions]
    assert said == ["board", "VM render-02"]


def test_one_vm_on_two_hosts_stays_where_it_was_first(tmp_path: Path) -> None:
    """The other is named, and the file has it once."""
    first = copy_of(H02, tmp_path)
    second = Path(shutil.copytree(first, tmp_path / "h03"))
    found = import_hosts([read_host(first), read_host(second)])
    assert [(vm["id"], vm.get("host")) for vm in found.data["vms"]] == [
        ("train-01", "h02"),
        ("spare-01", None),
    ]
    assert [row.what.split()[1] for row in found.contradictions] == ["train-01", "spare-01"]


def test_a_host_without_a_driver_is_left_out_unless_it_is_given(tmp_path: Path) -> None:
    """Exit status 1 says so; `--driver` lets it in."""
    bare = tmp_path / "a2"
    bare.mkdir()
    (bare / "types").write_text("nvidia-746, NVIDIA A2-4Q 1\n")
    left_out = start("import", str(H02), str(bare))
    assert left_out.status == 1
    assert "a2: no capture says its driver (--driver a2=VERSION does): the host is left out" in left_out.err
    let_in = start("import", str(H02), str(bare), "--driver", "a2=550.54.16", "-o", str(tmp_path / "f.json"))
    assert let_in.status == 0
    assert json.loads((tmp_path / "f.json").read_text())["hosts"][1]["driver"] == "550.54.16"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (None, b"", "h: an empty folder; wanted a folder with the captures of one host"),
        ("notes", b"hello\n", "h: none of 1 files is a known capture"),
        ("blob", b"\xff\xfe\x00", "h/blob: byte 0 is 0xff; wanted text in UTF-8, XML or a tar"),
        ("big", b" " * (16 * 2**20 + 1), "h/big: more than 16777216 bytes"),
    ],
)
def test_bad_folders_write_nothing(tmp_path: Path, name: str | None, data: bytes, said: str) -> None:
    """One clear line, exit status 2, and no file."""
    folder = tmp_path / "h"
    folder.mkdir()
    if name is not None:
        (folder / name).write_bytes(data)
    done = start("import", "h", str(H01), "-o", "fleet.yaml", cwd=tmp_path)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(said)
    assert not (tmp_path / "fleet.yaml").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nowhere"], "nowhere: no such file or directory"),
        (["h01", "x/../h01"], "DIR: 2 folders are called h01; wanted one per host"),
        (["h01", "--driver", "h01"], "wanted HOST=VERSION, once for each host"),
        (["h01", "--driver", "h02=1"], "unknown host h02; did you mean h01?"),
        (["h01", "-o", "-"], "wanted a file; without it the fleet is printed"),
    ],
)
def test_bad_usage_is_told(args: list[str], said: str) -> None:
    """Exit status 2 and what was wanted."""
    done = start("import", *args, cwd=FILES)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    """It is named as no regular file."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: no regular file"):
        read_host(tmp_path)


def test_links_in_a_tree_are_words(tmp_path: Path) -> None:
    """`physfn` names the gpu, and a link to a directory above is not walked."""
    device = tmp_path / "tree" / "devices" / "0000:3b:00.4"
    device.mkdir(parents=True)
    (device / "device").write_text("0x26b9\n")
    (device / "physfn").symlink_to("../0000:3b:00.0")
    (device / "loop").symlink_to("../..")
    found = import_hosts([read_host(tmp_path, driver="550.54.16")])
    assert found.data["hosts"][0]["gpus"] == [{"board": "L40S", "pci": "0000:3b:00.0"}]


def test_every_real_capture_imports(tmp_path: Path) -> None:
    """One folder for each, and the file of all of them reads back."""
    shared = os.environ.get("VGPU_MIGRATE_SHARED")
    if shared is None:
        pytest.skip("VGPU_MIGRATE_SHARED does not name the folder that holds data/captures/")
    folders = []
    for path in sorted((Path(shared) / "data" / "captures").glob("*-1.*")):
        folders.append(tmp_path / path.stem)
        folders[-1].mkdir()
        shutil.copy(path, folders[-1] / "capture")
    drivers = [f"--driver={folder.name}=550.163.02" for folder in folders]
    fleet = tmp_path / "fleet.yaml"
    done = start("import", *map(str, folders), *drivers, "--vm-memory", "4096", "-o", str(fleet))
    assert done.status == 0, done.err
    known = read_fleet(fleet)
    assert len(known.hosts) == len(folders) == 19
    assert VmId("instance-00000005") in known.vms
    boards = {gpu.board.key for gpu in known.gpus.values()}
    assert boards == {
        "A2",
        "A40",
        "H100L",
        "L40S",
        "M10",
        "P100",
        "P40",
        "RTX Pro 6000 Blackwell DC",
        "T4",
        "V100",
    }


def test_one_gpu_in_two_folders_is_an_error(tmp_path: Path) -> None:
    """A folder that was copied would count its gpus twice: the ids are named, and nothing is written."""
    copied = Path(shutil.copytree(H01, tmp_path / "h09"))
    done = start("import", str(H01), str(copied), "-o", str(tmp_path / "fleet.yaml"))
    assert done.status == 2
    assert 'hosts[1].gpus[0].id: "GPU-11111111-aaaa-bbbb-cccc-000000000001"' in done.err
    assert not (tmp_path / "fleet.yaml").exists()


def test_two_vms_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Their ids are host and name, numbered, and each has fields of its own in the report."""
    folder = copy_of(H01, tmp_path)
    text = (folder / "vgpus.txt").read_text(encoding="utf-8").replace("render-02", "render-01")
    (folder / "vgpus.txt").write_text(text, encoding="utf-8")
    found = import_hosts([read_host(folder)], vm_memory_mib=4096)
    assert [vm["id"] for vm in found.data["vms"]] == ["h01/render-01", "h01/render-01 2"]
    names = [row.field for row in found.ledgers[0].fields]
    assert len(names) == len(set(names))
