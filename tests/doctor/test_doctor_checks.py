"""The doctor's checks over pictures of hosts, and the picture of a simulated one."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import Answered, start
from tests.clients.running import client, environment
from tests.sysfs.hosts import needs_fuse, needs_root

from vgpu_migrate.doctor import gpu_checks, own_checks, platform_checks, take
from vgpu_migrate.doctor.examine import examine, nothing_to_examine
from vgpu_migrate.doctor.findings import Finding, State
from vgpu_migrate.doctor.picture import (
    Face,
    HookFiles,
    HostPicture,
    Nvml,
    NvmlGpu,
    PciGpu,
    Program,
    UnitFile,
    VfioSymbols,
)
from vgpu_migrate.nvml import VersionRange
from vgpu_migrate.testing import simulated_host

PRESET, PIN = VersionRange(0x70001, 0x140001), VersionRange(0x120001, 0x140001)


def a_gpu(number: int = 0, **changes: Any) -> NvmlGpu:
    """A gpu as NVML describes it."""
    usual = NvmlGpu(f"GPU-{number}", f"0000:0{number}:00.0", "L40S", True, True, True)
    return dataclasses.replace(usual, **changes)


def an_nvml(*gpus: NvmlGpu, **changes: Any) -> Nvml:
    """A driver's answers."""
    return dataclasses.replace(Nvml("580.126.08", gpus or (a_gpu(),), PRESET, PRESET), **changes)


def a_picture(**changes: Any) -> HostPicture:
    """A host that is well in everything."""
    usual = HostPicture(
        host="h01",
        kernel="6.8.0",
        vfio=VfioSymbols.WITH_MIGRATION,
        iommu_groups=40,
        qemu=Program("/usr/bin/qemu-system-x86_64", "QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0)"),
        libvirt=Program("/usr/sbin/virtqemud", "virtqemud (libvirt) 10.0.0"),
        modules=(("nvidia", "580.126.08"), ("nvidia_vgpu_vfio", "580.126.08")),
        is_manager_running=True,
        registry='""',
        gpus=(PciGpu("0000:00:00.0", "nvidia", 32, 32, Face.VENDOR_VFIO, 32),),
        nvml=an_nvml(),
        hook=HookFiles(is_there=True, is_ours=True, is_executable=True, has_settings=True),
        pin_unit=UnitFile(True, True),
        watch_unit=UnitFile(True, True),
    )
    return dataclasses.replace(usual, **changes)


def not_ok(picture: HostPicture) -> dict[str, str]:
    """The state of each check that is not ok."""
    return {one.check: one.state.value for one in examine(picture) if one.state is not State.OK}


def only(found: Iterable[Finding]) -> Finding:
    """The only finding of a check."""
    (one,) = found
    return one


def test_a_host_that_is_well_has_no_other_line() -> None:
    """Every line is ok, has its evidence, and no remedy."""
    found = examine(a_picture())
    assert not_ok(a_picture()) == {}
    assert all(one.seen and one.where and one.remedy is None for one in found)
    assert nothing_to_examine(a_picture()) is None


def test_every_other_line_has_a_remedy() -> None:
    """Of a picture in which nothing could be seen, each line that is not ok says what to do."""
    for picture in (HostPicture("h"), a_picture(nvml=None, nvml_trouble="no library", pin=PIN)):
        for one in examine(picture):
            assert (one.remedy is None) == (one.state is State.OK), one


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("QEMU emulator version 9.1.0", "ok"),
        ("QEMU emulator version 8.1.0", "ok"),
        ("QEMU emulator version 8.0.5 (qemu-kvm-8.0.0-16.el9_3)", "warn"),
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)", "fail"),
        ("no version", "unknown"),
    ],
)
def test_qemu_speaks_migration_v2_from_8_1_on(said: str, state: str) -> None:
    """8.0 has it as an experiment, and an older one not at all."""
    found = only(platform_checks.qemu(a_picture(qemu=Program("/usr/bin/qemu", said))))
    assert found.state.value == state


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("libvirtd (libvirt) 9.0.0", "ok"),
        ("libvirtd (libvirt) 8.6.0", "ok"),
        ("virtqemud (libvirt) 8.5.0", "warn"),
        ("libvirtd (libvirt) 8.0.0", "fail"),
    ],
)
def test_libvirt_lets_vfio_devices_migrate_from_8_6_on(said: str, state: str) -> None:
    """8.5 has it where a distribution carried it back."""
    found = only(platform_checks.libvirt(a_picture(libvirt=Program("/usr/sbin/libvirtd", said))))
    assert found.state.value == state


def test_a_program_that_is_missing_or_hangs_is_told() -> None:
    """No QEMU fails; one that says no version is unknown, with the reason."""
    assert only(platform_checks.qemu(a_picture(qemu=None))).state is State.FAIL
    hung = Program("/usr/bin/qemu", None, "no answer to --version within 10 s")
    found = only(platform_checks.qemu(a_picture(qemu=hung)))
    assert (found.state, found.seen) == (State.UNKNOWN, hung.trouble)


@pytest.mark.parametrize(
    ("vfio", "kernel", "state"),
    [
        (VfioSymbols.WITH_MIGRATION, "5.14.0-427.el9", "ok"),
        (VfioSymbols.WITHOUT_MIGRATION, "6.8.0", "fail"),
        (VfioSymbols.ABSENT, "6.8.0", "warn"),
        (VfioSymbols.ABSENT, "5.18.0", "warn"),
        (VfioSymbols.ABSENT, "5.14.0-427.el9", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_the_kernel_is_judged_by_its_symbols(
    vfio: VfioSymbols | None, kernel: str | None, state: str
) -> None:
    """Where VFIO is loaded its symbols count and not the release, which distributions leave behind."""
    assert only(platform_checks.kernel(a_picture(vfio=vfio, kernel=kernel))).state.value == state


def test_an_iommu_is_wanted_by_virtual_functions_alone() -> None:
    """Without groups a gpu with SR-IOV fails, and one without needs none."""
    assert not_ok(a_picture(iommu_groups=0)) == {"iommu": "fail"}
    mdev = PciGpu("0000:00:00.0", face=Face.MDEV, offering=1)
    assert not_ok(a_picture(iommu_groups=None, gpus=(mdev,))) == {}


def test_unequal_ecc_fails_for_each_gpu_of_the_board() -> None:
    """Gpus of one board have to be alike; those of different boards, and one without ECC, do not matter."""
    unequal = an_nvml(a_gpu(0), a_gpu(1, ecc=False), a_gpu(2, board="A40", ecc=False))
    found = list(gpu_checks.ecc(a_picture(nvml=unequal)))
    assert [(one.about, one.state.value, one.seen) for one in found] == [
        ("0000:00:00.0", "fail", "L40S: on, and on for 1 of 2"),
        ("0000:01:00.0", "fail", "L40S: off, and on for 1 of 2"),
        ("0000:02:00.0", "ok", "A40: off"),
    ]
    assert "nvidia-smi -i 0000:01:00.0 -e 1" in (found[1].remedy or "")
    alike = an_nvml(a_gpu(0, ecc=None), a_gpu(1, ecc=False))
    assert not_ok(a_picture(nvml=alike)) == {}


def test_the_drivers_own_word_on_migration_counts() -> None:
    """A gpu that cannot migrate fails, one that is no vGPU host is told."""
    found = gpu_checks.migration(
        a_picture(nvml=an_nvml(a_gpu(0, migration=False), a_gpu(1, is_vgpu_host=False, migration=None)))
    )
    assert [one.state.value for one in found] == ["fail", "warn"]


@pytest.mark.parametrize(
    ("words", "switch"),
    [
        ("", None),
        ("RMEnableVgpuMigration=0", False),
        ("rmenablevgpumigration = 0x0", False),
        ("RMEnableVgpuMigration=1;RMEnableVgpuMigration=0", False),
        ("RMEnableVgpuMigration=010", True),
        ("RMEnableVgpuMigrationX=0", None),
    ],
)
def test_the_switch_is_read_from_registry_words(words: str, switch: bool | None) -> None:
    """In any spelling of the number; the last word counts."""
    assert gpu_checks.switch_in(words) is switch


def test_a_pin_is_compared_with_the_drivers_range() -> None:
    """In force it is well; else the reason decides the remedy; a range set by hand without a pin is told."""
    assert not_ok(a_picture(pin=PIN, nvml=an_nvml(in_force=PIN))) == {}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"vms": ("vm1",)}, "in-use"),
        ({}, "not-applied"),
        ({"preset": VersionRange(0x70001, 0x120001)}, "outside-preset"),
    ]
    for changes, word in cases:
        found = next(own_checks.pin(a_picture(pin=PIN, nvml=an_nvml(**changes))))
        assert (found.state, found.seen.endswith(word)) == (State.FAIL, True)
    by_hand = only(own_checks.pin(a_picture(nvml=an_nvml(in_force=PIN))))
    assert (by_hand.state, by_hand.seen) == (
        State.WARN,
        "no pin, and 0x120001-0x140001 set by hand is in force",
    )


def test_a_driver_without_vgpu_hosts_is_nothing_to_examine() -> None:
    """NVML alone may say so too."""
    plain = an_nvml(a_gpu(is_vgpu_host=False, migration=None))
    reason = nothing_to_examine(HostPicture("h", nvml=plain))
    assert reason is not None
    assert reason.startswith("h runs NVIDIA driver 580.126.08 without a vGPU Manager")
    assert nothing_to_examine(HostPicture("h", nvml=an_nvml())) is None


def test_without_a_driver_nvmls_own_sentence_is_told() -> None:
    """Where NVML was asked in vain, its reason stands in the sentence."""
    gpus = (PciGpu("0000:3b:00.0", None), PciGpu("0000:5e:00.0", None))
    reason = nothing_to_examine(HostPicture("h", gpus=gpus, nvml_trouble="libnvidia-ml.so.1 is not there"))
    assert reason == "h has 2 NVIDIA gpus, and libnvidia-ml.so.1 is not there"
    shall_be = HostPicture("h", gpus=gpus, nvml_trouble="no", software=("/usr/bin/nvidia-vgpu-mgr",))
    assert nothing_to_examine(shall_be) is None
    assert not_ok(shall_be)["manager"] == "fail"


def test_programs_are_asked_with_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line of --version counts; a failure, a hang and a file that is no program are told."""
    monkeypatch.setattr(take, "ANSWERS_WITHIN_S", 0.2)
    told = {}
    for name, script in [
        ("good", "echo 'QEMU emulator version 8.2.2'; echo more"),
        ("bad", "exit 3"),
        ("hung", "exec sleep 60"),
    ]:
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        told[name] = take._asked(str(program))[1:]
    (tmp_path / "text").write_text("text")
    (tmp_path / "text").chmod(0o755)
    told["text"] = take._asked(str(tmp_path / "text"))[1:]
    assert told == {
        "good": ("QEMU emulator version 8.2.2", None),
        "bad": (None, "--version ends with status 3"),
        "hung": (None, "no answer to --version within 0.2 s"),
        "text": (None, "cannot be run: Exec format error"),
    }


def test_this_machine_is_examined() -> None:
    """Without a driver it is one sentence and exit status 3, with one there are lines."""
    answered = start("host", "doctor")
    assert (answered.status == 3) == (answered.out == "")
    assert answered.status in (0, 1, 3)


UNEQUAL = """
hosts:
  - id: h1
    driver: 580.126.08
    gpus:
      - {board: L40S, pci: "0000:3b:00.0"}
      - {board: L40S, pci: "0000:5e:00.0", ecc: false, migration: false}
"""


def of_simulated(fleet: Path, *options: str) -> Answered:
    """What the doctor says of a simulated host."""
    program = ("vgpu-migrate", "host", "doctor", "--json")
    binding: dict[str, Any] = {"PYTHONPATH": str(client("nvidia-ml-py"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return start("sim", str(fleet), *options, "--", *program, **binding, PATH=path)


def test_a_simulated_host_is_examined_through_its_library(tmp_path: Path) -> None:
    """ECC and migration of each gpu are the library's answers; there is no sysfs to see."""
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(f"fleetfile_version: 1{UNEQUAL}")
    answered = of_simulated(fleet)
    assert (answered.status, answered.err, answered.json["simulated"]) == (1, "", True)
    found = {(line["check"], line["about"]): line["state"] for line in answered.json["lines"]}
    assert {key: state for key, state in found.items() if key[0] in ("ecc", "migration", "manager")} == {
        ("manager", ""): "ok",
        ("migration", "0000:3b:00.0"): "ok",
        ("migration", "0000:5e:00.0"): "fail",
        ("ecc", "0000:3b:00.0"): "fail",
        ("ecc", "0000:5e:00.0"): "fail",
    }


@needs_fuse
@needs_root
@pytest.mark.parametrize(("model", "face"), [("mdev", "mediated devices"), ("vendor-vfio", "vendor VFIO")])
def test_a_simulated_hosts_sysfs_is_examined(model: str, face: str, tmp_path: Path) -> None:
    """Over /sys its kernel's side is seen in both models: functions, types, IOMMU groups, modules."""
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(f"fleetfile_version: 1{UNEQUAL}")
    answered = of_simulated(fleet, "--over-sys", "--sysfs-model", model)
    found = {(line["check"], line["about"]): (line["state"], line["seen"]) for line in answered.json["lines"]}
    for gpu in ("0000:3b:00.0", "0000:5e:00.0"):
        assert found["functions", gpu] == (
            "ok",
            f"32 of 32 virtual functions on, {face} of 32 functions",
        )
    assert found["manager", ""] == ("ok", "nvidia_vgpu_vfio 580.126.08")
    assert found["iommu", ""][0] == "ok"


def test_a_simulated_host_without_a_manager_is_one_sentence() -> None:
    """A plain driver behind the library: exit status 3."""
    plain = "hosts:\n  - {id: plain, driver: 550.54.16, manager: false, gpus: [{board: A40}]}\n"
    with simulated_host(plain) as host:
        env: dict[str, Any] = {**environment(host.socket, PYTHONPATH=str(client("nvidia-ml-py")))}
        answered = start("host", "doctor", **env)
    assert (answered.status, answered.out) == (3, "")
    assert "runs NVIDIA driver 550.54.16 without a vGPU Manager" in answered.err


def test_a_hook_whose_program_does_not_run_fails() -> None:
    """Its files may all be there."""
    files = HookFiles(is_there=True, is_ours=True, is_executable=True, trouble="ImportError: x")
    found = next(iter(own_checks.hook(a_picture(hook=files))))
    assert (found.check, found.state) == ("hook", State.FAIL)
    assert found.seen == "its program does not run: ImportError: x: every guest with a vGPU is refused"
    assert found.remedy == "install vgpu-migrate anew, then vgpu-migrate vm hook install"
