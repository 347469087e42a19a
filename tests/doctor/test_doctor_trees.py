"""The doctor over trees of hosts that were captured elsewhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
from tests.cli.program import Answered, start
from tests.doctor.trees import (
    PCI,
    a_gpu,
    a_vendor_vfio_host,
    an_mdev_host,
    functions_of,
    link,
    modules,
    put,
)

from vgpu_migrate.cli import schemas
from vgpu_migrate.nvml import VersionRange
from vgpu_migrate.pinio import PIN_FILE, write_pin
from vgpu_migrate.vmm.hook_files import SCRIPT
from vgpu_migrate.vmm.hook_settings import SETTINGS

GPU = "0000:3b:00.0"
PARTS = ("vendor", "class", "sriov_totalvfs", "sriov_numvfs")


def examined(root: Path) -> Answered:
    """What the doctor says of a tree; its answer fits its schema."""
    answered = start("host", "doctor", "--root", str(root), "--json")
    if answered.out:
        jsonschema.Draft202012Validator(schemas.schema("host-doctor")).validate(answered.json)
    return answered


def lines(answered: Answered) -> dict[str, dict[str, Any]]:
    """The lines by their check, and the gpu where they are about one."""
    return {f"{line['check']} {line['about']}".strip(): line for line in answered.json["lines"]}


def states(answered: Answered) -> dict[str, str]:
    """The state of each line."""
    return {name: line["state"] for name, line in lines(answered).items()}


def test_a_vendor_vfio_host_is_well(tmp_path: Path) -> None:
    """On a new kernel with its functions on, what cannot be seen in a tree is unknown and nothing fails."""
    answered = examined(a_vendor_vfio_host(tmp_path))
    assert (answered.status, answered.err, answered.json["host"]) == (0, "", "h01")
    assert states(answered) == {
        "kernel": "ok",
        "qemu": "unknown",
        "libvirt": "unknown",
        "iommu": "ok",
        "manager": "ok",
        "daemon": "ok",
        "migration-switch": "ok",
        f"functions {GPU}": "ok",
        "migration": "unknown",
        "ecc": "unknown",
        "hook": "warn",
        "pin": "ok",
        "watch-unit": "warn",
    }
    assert lines(answered)[f"functions {GPU}"] == {
        "check": "functions",
        "about": GPU,
        "state": "ok",
        "seen": "4 of 4 virtual functions on, vendor VFIO of 4 functions",
        "where": f"/{PCI}/{GPU}",
        "remedy": None,
    }
    assert lines(answered)["ecc"]["seen"] == "the driver was not asked"


def test_an_older_host_has_no_migration_v2(tmp_path: Path) -> None:
    """On a kernel whose VFIO lacks migration v2 that line fails, and mediated devices are seen on the gpu."""
    answered = examined(an_mdev_host(tmp_path))
    assert answered.status == 1
    kernel = lines(answered)["kernel"]
    assert (kernel["state"], kernel["seen"]) == ("fail", "Linux 5.4.0-200-generic, VFIO without migration v2")
    assert kernel["where"] == "/proc/kallsyms"
    assert "5.18" in kernel["remedy"]
    functions = lines(answered)["functions 0000:86:00.0"]
    assert (functions["state"], functions["seen"]) == ("ok", "without SR-IOV, mediated devices")
    assert "iommu" not in states(answered)


def test_functions_that_are_off_are_switched_on(tmp_path: Path) -> None:
    """A gpu with SR-IOV and none of its functions on fails, with the command that switches them on."""
    a_vendor_vfio_host(tmp_path)
    a_gpu(tmp_path, "0000:5e:00.0", most=16)
    found = lines(examined(tmp_path))["functions 0000:5e:00.0"]
    assert (found["state"], found["seen"]) == ("fail", "0 of 16 virtual functions on")
    assert "sriov-manage -e 0000:5e:00.0" in found["remedy"]


def test_a_tree_copied_with_its_links_followed_reads_the_same(tmp_path: Path) -> None:
    """Where links became directories the same is seen, all but the driver that the gpu is bound to."""
    a_vendor_vfio_host(tmp_path / "whole")
    at = f"{PCI}/{GPU}"
    for number, function in enumerate(functions_of(GPU, 4)):
        put(tmp_path / "flat", {f"{PCI}/{function}/vendor": "0x10de\n", f"{PCI}/{function}/physfn/x": ""})
        put(tmp_path / "flat", {f"{at}/virtfn{number}/nvidia/creatable_vgpu_types": "ID    : vGPU Name\n"})
    put(tmp_path / "flat", {f"{at}/{name}": (tmp_path / "whole" / at / name).read_text() for name in PARTS})
    modules(tmp_path / "flat", "580.126.08", manager="580.126.08")
    seen = [lines(examined(tmp_path / name))[f"functions {GPU}"] for name in ("whole", "flat")]
    assert seen[0] == seen[1]
    assert [line for line in lines(examined(tmp_path / "flat")) if line.startswith("functions")] == [
        f"functions {GPU}"
    ]


def test_a_gpu_without_types_and_one_of_another_driver(tmp_path: Path) -> None:
    """Functions that offer no types fail; a gpu that is bound elsewhere is told and no more."""
    a_vendor_vfio_host(tmp_path)
    for function in functions_of(GPU, 4):
        shutil.rmtree(tmp_path / PCI / function / "nvidia")
    a_gpu(tmp_path, "0000:5e:00.0", bound_to="vfio-pci", most=16)
    found = lines(examined(tmp_path))
    assert found[f"functions {GPU}"]["seen"] == "4 of 4 virtual functions on, no vgpu types on offer"
    assert found[f"functions {GPU}"]["state"] == "fail"
    other = found["functions 0000:5e:00.0"]
    assert (other["state"], other["seen"]) == ("warn", "bound to vfio-pci")


def test_a_manager_that_is_installed_and_not_loaded_fails(tmp_path: Path) -> None:
    """Its module and its process are missing; its package shows that this shall be a vGPU host."""
    a_vendor_vfio_host(tmp_path)
    shutil.rmtree(tmp_path / "sys/module/nvidia_vgpu_vfio")
    (tmp_path / "proc/812/comm").write_text("sshd\n")
    answered = examined(tmp_path)
    assert answered.status == 1
    assert states(answered)["manager"] == states(answered)["daemon"] == "fail"
    assert "modprobe nvidia_vgpu_vfio" in lines(answered)["manager"]["remedy"]


def test_a_manager_of_another_version_fails(tmp_path: Path) -> None:
    """Both modules have to be of one version."""
    a_vendor_vfio_host(tmp_path)
    modules(tmp_path, "580.126.08", manager="580.105.06")
    found = lines(examined(tmp_path))["manager"]
    assert (found["state"], found["seen"]) == ("fail", "nvidia_vgpu_vfio 580.105.06 beside nvidia 580.126.08")


def test_migration_that_is_switched_off_fails(tmp_path: Path) -> None:
    """The parameter in force counts, with the file that sets it; one for the next load warns."""
    a_vendor_vfio_host(tmp_path)
    option = 'options nvidia NVreg_RegistryDwords="A=1;RMEnableVgpuMigration=0"\n'
    put(tmp_path, {"etc/modprobe.d/nvidia.conf": f"# a remark\n{option}", "etc/modprobe.d/other.txt": "x"})
    later = lines(examined(tmp_path))["migration-switch"]
    assert (later["state"], later["where"]) == ("warn", "/etc/modprobe.d/nvidia.conf")
    put(tmp_path, {"proc/driver/nvidia/params": 'RegistryDwords: "A=1;RMEnableVgpuMigration=0x0"\n'})
    answered = examined(tmp_path)
    now = lines(answered)["migration-switch"]
    assert (answered.status, now["state"], now["where"]) == (1, "fail", "/proc/driver/nvidia/params")
    assert now["seen"] == "RMEnableVgpuMigration=0 is in force"
    assert "(/etc/modprobe.d/nvidia.conf)" in now["remedy"]
    put(tmp_path, {"proc/driver/nvidia/params": 'RegistryDwords: "RMEnableVgpuMigration=1"\n'})
    (tmp_path / "etc/modprobe.d/nvidia.conf").unlink()
    assert lines(examined(tmp_path))["migration-switch"]["seen"] == "RMEnableVgpuMigration=1"
    (tmp_path / "proc/driver/nvidia/params").unlink()
    assert states(examined(tmp_path))["migration-switch"] == "unknown"


def test_a_plain_driver_is_one_sentence(tmp_path: Path) -> None:
    """A driver without vGPU software: exit status 3."""
    a_gpu(tmp_path, GPU)
    modules(tmp_path, "550.54.14", manager=None)
    put(tmp_path, {"etc/hostname": "plain\n"})
    answered = examined(tmp_path)
    assert (answered.status, answered.out) == (3, "")
    assert answered.err == (
        "plain runs NVIDIA driver 550.54.14 without a vGPU Manager: it is no vGPU host; "
        "install NVIDIA's vGPU host driver in its place\n"
    )


def test_no_driver_is_one_sentence(tmp_path: Path) -> None:
    """With gpus and no driver, and with neither: exit status 3."""
    put(tmp_path, {"etc/hostname": "bare\n"})
    answered = examined(tmp_path)
    assert (answered.status, answered.out) == (3, "")
    assert answered.err == f"bare has no NVIDIA gpu in /{PCI} and no NVIDIA driver\n"
    a_gpu(tmp_path, GPU, bound_to="nouveau")
    answered = examined(tmp_path)
    assert (answered.status, answered.out) == (3, "")
    assert answered.err == ("bare has 1 NVIDIA gpu and no NVIDIA driver: install NVIDIA's vGPU host driver\n")


def test_the_hook_is_examined_with_its_settings(tmp_path: Path) -> None:
    """Installed it is well; a broken setting, a program that is gone, and a strange script are told."""
    a_vendor_vfio_host(tmp_path)
    assert start("vm", "hook", "install", "--root", str(tmp_path)).status == 0
    script, settings = tmp_path / str(SCRIPT)[1:], tmp_path / str(SETTINGS)[1:]
    found = lines(examined(tmp_path))
    assert (found["hook"]["state"], found["hook-settings"]["state"]) == ("fail", "ok")
    assert found["hook"]["seen"].endswith(" is gone: every guest with a vGPU is refused")
    for needed in [word for line in script.read_text().splitlines() for word in line.split()]:
        path = needed.removeprefix("python=")
        if (path.startswith("/") and path.endswith((".py", "python", "python3"))) or "/bin/python" in path:
            put(tmp_path, {path[1:].strip("'\""): ""})
    assert states(examined(tmp_path))["hook"] == "ok"
    script.chmod(0o644)
    assert lines(examined(tmp_path))["hook"]["seen"] == "not executable"
    settings.write_text("[policy]\nno_record = 3\n")
    broken = lines(examined(tmp_path))["hook-settings"]
    assert (broken["state"], "policy.no_record" in broken["seen"]) == ("fail", True)
    script.write_text("#!/bin/sh\n")
    assert lines(examined(tmp_path))["hook"]["seen"] == "something else has its name"


def test_the_pin_and_the_units_are_examined(tmp_path: Path) -> None:
    """A pin without its unit is lost at the next start; enabled units are well."""
    a_vendor_vfio_host(tmp_path)
    write_pin(tmp_path / str(PIN_FILE)[1:], VersionRange(0x120001, 0x140001))
    before = states(examined(tmp_path))
    assert (before["pin"], before["pin-unit"], before["watch-unit"]) == ("unknown", "warn", "warn")
    assert start("host", "units", "install", "--root", str(tmp_path)).status == 0
    assert lines(examined(tmp_path))["pin-unit"]["seen"] == "not enabled"
    assert start("host", "units", "install", "--enable", "--root", str(tmp_path)).status == 0
    assert states(examined(tmp_path))["pin-unit"] == "ok"
    (tmp_path / str(PIN_FILE)[1:]).write_text("range = 3\n")
    assert states(examined(tmp_path))["pin"] == "fail"


def test_no_link_leads_out_of_a_captured_tree(tmp_path: Path) -> None:
    """What a link outside the root points to is not read."""
    root = a_vendor_vfio_host(tmp_path / "tree")
    secret = tmp_path / "secret"
    secret.write_text("9.9.9-secret\n")
    release = root / "proc/sys/kernel/osrelease"
    release.unlink()
    link(root, "proc/sys/kernel/osrelease", str(secret))
    (root / "proc/kallsyms").unlink()
    os.mkfifo(root / "proc/kallsyms")
    secret.chmod(0o600)
    link(root, str(PIN_FILE)[1:], str(secret))
    link(root, str(SETTINGS)[1:], str(secret))
    found = lines(examined(root))
    kernel = found["kernel"]
    assert all("a link out of the tree; wanted" in found[name]["seen"] for name in ("pin", "hook-settings"))
    assert (kernel["state"], kernel["seen"]) == (
        "unknown",
        "Linux of unknown release; its symbols cannot be read",
    )


def test_a_root_that_is_none_is_bad_input(tmp_path: Path) -> None:
    """A missing directory, and --socket, are bad usage."""
    answered = start("host", "doctor", "--root", str(tmp_path / "nowhere"))
    assert (answered.status, "wanted the root of a host" in answered.err) == (2, True)
    assert start("host", "--socket", "/tmp/x", "doctor").status == 2  # noqa: S108 (never opened)


def test_people_see_a_table_and_what_to_do(tmp_path: Path) -> None:
    """The lines stand in a table, and remedies below it, those of failures first."""
    answered = start("host", "doctor", "--root", str(an_mdev_host(tmp_path)), COLUMNS="200")
    assert answered.status == 1
    first, *rest = answered.out.splitlines()
    assert first.startswith("h02: ")
    todo = rest[rest.index("What to do") + 1 :]
    assert todo[0].startswith("  kernel: boot Linux 5.18 or later")
