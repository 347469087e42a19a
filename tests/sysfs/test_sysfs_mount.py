"""The tree on a directory: what programs read is the present state, what they write has a kernel's errors."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.manager.factories import VM, a_gpu, a_host, a_manager, a_vm, start_vm
from tests.sysfs.hosts import PYTHON, mounted, needs_fuse, needs_root, said

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError, OutsideError
from vgpu_migrate.manager import DeviceId, Seat, VgpuManager
from vgpu_migrate.model import GpuId, PlacementMode
from vgpu_migrate.sysfs import SysfsModel, SysfsMount
from vgpu_migrate.sysfs import mounting as fuse_mounting

pytestmark = needs_fuse

UUID = "11111111-2222-3333-4444-555555555555"
GPU, OLD = GpuId("h01/0"), GpuId("h01/1")
VF = "bus/pci/devices/0000:01:00.{}/nvidia"
T4 = "class/mdev_bus/0000:02:00.0/mdev_supported_types"


@pytest.fixture
def manager() -> VgpuManager:
    """A host with an L40S, whose vgpus are types of virtual functions, and a T4 with mediated devices."""
    return a_manager(a_host(gpus=[a_gpu(0), a_gpu(1, board="T4")]))


@pytest.fixture
def sys(manager: VgpuManager, tmp_path: Path) -> Iterator[Path]:
    """Its sysfs."""
    with mounted(manager, tmp_path / "sys") as directory:
        yield directory


def write(path: Path, data: str) -> str:
    """Write in one call, as a shell does; the error's name, or OK."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    try:
        assert os.write(descriptor, data.encode()) == len(data)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    finally:
        os.close(descriptor)
    return "OK"


def test_a_type_written_to_a_function_makes_a_device(manager: VgpuManager, sys: Path) -> None:
    """And 0 takes it away; both are in the host's state when the write returns."""
    current = sys / VF.format(5) / "current_vgpu_type"
    assert write(current, "1152\n") == "OK"
    (device,) = manager.state.devices.values()
    assert (device.id, device.type.short, device.function) == ("0000:01:00.5", "L40S-8Q", 1)
    assert current.read_text() == "1152\n"
    assert write(current, "0") == "OK"
    assert manager.state.devices == {}
    assert write(current, "0x480") == "OK"
    assert current.read_text() == "1152\n"


def test_a_uuid_written_to_create_makes_a_mediated_device(manager: VgpuManager, sys: Path) -> None:
    """And 1 written to its remove ends it; a 0 does nothing."""
    assert write(sys / T4 / "nvidia-231/create", f"{UUID.upper()}\n") == "OK"
    assert list(manager.state.devices) == [UUID]
    device = sys / "bus/mdev/devices" / UUID
    assert (device / "mdev_type/name").read_text() == "GRID T4-2Q\n"
    assert device.resolve() == (sys / f"devices/pci0000:02/0000:02:00.0/{UUID}").resolve()
    assert write(device / "remove", "0") == "OK"
    assert device.exists()
    assert write(device / "remove", "1") == "OK"
    assert not device.exists()
    assert manager.state.devices == {}


@pytest.mark.parametrize(
    ("path", "data", "error"),
    [
        (f"{T4}/nvidia-231/create", "", "OK"),
        (f"{T4}/nvidia-231/create", "x", "EINVAL"),
        (f"{T4}/nvidia-231/create", UUID[:-1], "EINVAL"),
        (f"{T4}/nvidia-231/create", f"{UUID}\n\n", "EINVAL"),
        (f"{T4}/nvidia-231/create", UUID.replace("-", "0"), "EINVAL"),
        (f"{T4}/nvidia-231/create", UUID.replace("1", "g"), "EINVAL"),
        (f"{T4}/nvidia-232/create", UUID, "ENOSPC"),
        (f"{T4}/nvidia-231/create", "22222222-2222-3333-4444-555555555555", "EEXIST"),
        (f"{T4}/nvidia-999/create", UUID, "ENOENT"),
        (f"{T4}/nvidia-231/name", "x", "EACCES"),
        (f"{VF.format(4)}/current_vgpu_type", "8", "EINVAL"),
        (f"{VF.format(4)}/current_vgpu_type", "L40S-8Q", "EINVAL"),
        (f"{VF.format(4)}/current_vgpu_type", "-1", "EINVAL"),
        (f"{VF.format(4)}/current_vgpu_type", "1" * 30, "ERANGE"),
        (f"{VF.format(4)}/current_vgpu_type", "1153", "ENOSPC"),
        (f"{VF.format(5)}/current_vgpu_type", "1152", "EBUSY"),
        (f"{VF.format(4)}/vgpu_params", "x", "EACCES"),
        (f"{VF.format(4)}/placement_id", "0", "EINVAL"),
        (f"{VF.format(5)}/placement_id", "0", "ENOSPC"),
        ("bus/pci/devices/0000:01:00.0/sriov_numvfs", "32\n", "OK"),
        ("bus/pci/devices/0000:01:00.0/sriov_numvfs", "0\n", "EBUSY"),
        ("bus/pci/devices/0000:01:00.0/sriov_numvfs", "33\n", "ERANGE"),
        ("bus/pci/devices/0000:01:00.0/sriov_numvfs", "all\n", "EINVAL"),
    ],
)
def test_a_write_has_the_error_of_a_kernel(
    manager: VgpuManager, sys: Path, path: str, data: str, error: str
) -> None:
    """What is not understood, taken, full or not to be written; nothing has changed then."""
    manager.create_device(GPU, facts.vgpu_type("L40S-8Q"), DeviceId("a"), function=1)
    for number in range(2, 6):
        manager.create_device(GPU, facts.vgpu_type("L40S-8Q"), DeviceId(f"f{number}"), function=number)
    manager.create_device(OLD, facts.vgpu_type("T4-2Q"), DeviceId("22222222-2222-3333-4444-555555555555"))
    before = manager.state
    assert write(sys / path, data) == error
    assert manager.state is before


def test_a_placement_id_moves_a_device(tmp_path: Path) -> None:
    """On a mixed-size gpu, while no VM uses it and the place is free; a mediated device's too."""
    manager = a_manager(a_host(gpus=[a_gpu(mode=PlacementMode.MIXED)]))
    with mounted(manager, tmp_path / "s") as sys:
        function = sys / VF.format(4)
        assert write(function / "current_vgpu_type", "1152") == "OK"
        assert (function / "placement_id").read_text() == "0\n"
        assert [write(function / "placement_id", said) for said in ("40\n", "8", "x")] == [
            "OK",
            "ENOSPC",
            "EINVAL",
        ]
        assert (function / "placement_id").read_text() == "40\n"
    with mounted(manager, tmp_path / "s", model=SysfsModel.MDEV) as sys:
        (device,) = (sys / "bus/mdev/devices").iterdir()
        assert write(device / "nvidia/placement_id", "16") == "OK"
        manager.define(a_vm("vm1", "L40S-8Q"))
        manager.start(VM, gpus=[Seat(GPU, device=DeviceId("0000:01:00.4"))])
        assert write(device / "nvidia/placement_id", "0") == "EBUSY"
        assert (device / "nvidia/placement_id").read_text() == "16\n"


def test_what_a_vm_uses_cannot_be_taken_away(manager: VgpuManager, sys: Path) -> None:
    """EBUSY, of an administrator's device and of one that came with the VM."""
    manager.create_device(GPU, facts.vgpu_type("L40S-12Q"), DeviceId("a"), function=0)
    manager.define(a_vm())
    manager.start(VM, gpus=[Seat(GPU, device=DeviceId("a"))])
    start_vm(manager, a_vm("vm2", "T4-2Q"))
    assert write(sys / VF.format(4) / "current_vgpu_type", "0") == "EBUSY"
    (own,) = (sys / "bus/mdev/devices").iterdir()
    assert write(own / "remove", "1") == "EBUSY"


def test_a_host_that_cannot_keep_a_change_is_an_input_output_error(tmp_path: Path) -> None:
    """EIO, where the callback fails for a reason outside."""

    def fail(*_: object, **__: object) -> None:
        raise OutsideError("the disk is full")

    manager = a_manager()
    mount = SysfsMount(tmp_path / "s", state=lambda: manager.state, create_device=fail, remove_device=fail)
    with mount:
        assert write(tmp_path / "s" / VF.format(4) / "current_vgpu_type", "1152") == "EIO"


def test_reads_show_the_present_state(manager: VgpuManager, sys: Path) -> None:
    """Also of a file that is open already, from its start; and a directory that was looked at before."""
    available = sys / T4 / "nvidia-231/available_instances"
    with available.open() as file:
        for count in range(8, 0, -1):
            file.seek(0)
            assert file.read() == f"{count}\n"
            assert len(list((sys / "bus/mdev/devices").iterdir())) == 8 - count
            manager.create_device(
                OLD, facts.vgpu_type("T4-2Q"), DeviceId(f"{count:08}-2222-3333-4444-555555555555")
            )


def test_files_look_like_those_of_sysfs(sys: Path) -> None:
    """Modes, the size that is always 4096, and write-only files that not even root may read."""
    offered = sys / T4 / "nvidia-231"
    assert {path.name: stat.filemode(path.stat().st_mode) for path in offered.iterdir()} == {
        "available_instances": "-r--r--r--",
        "create": "--w-------",
        "description": "-r--r--r--",
        "device_api": "-r--r--r--",
        "devices": "drwxr-xr-x",
        "name": "-r--r--r--",
    }
    assert (offered / "name").stat().st_size == 4096
    with pytest.raises(PermissionError):
        (offered / "create").read_bytes()
    for forbidden in (sys / "x").touch, (sys / "x").mkdir, (sys / "bus").rmdir:
        with pytest.raises(PermissionError):
            forbidden()


def test_the_whole_tree_can_be_walked_by_a_program(sys: Path) -> None:
    """`find` follows every link without an error, and `cat` reads every readable file."""
    files = said("find", "-L", sys / "bus/mdev", sys / "module", "-type", "f", "-maxdepth", "3").splitlines()
    assert f"{sys}/module/nvidia_vgpu_vfio/version" in files
    broken = said("find", sys, "-xtype", "l")
    assert broken == ""


def test_many_threads_of_the_same_process_may_use_the_mount(manager: VgpuManager, sys: Path) -> None:
    """Readers and writers beside the serving thread: nobody waits for ever, and each write counts."""
    done: list[str] = []

    def work(number: int) -> None:
        current = sys / VF.format(number) / "current_vgpu_type"
        for _ in range(20):
            assert write(current, "1147") == "OK"
            assert current.read_text() == "1147\n"
            assert write(current, "0") == "OK"
        done.append(current.read_text())

    threads = [threading.Thread(target=work, args=(number,)) for number in (4, 5, 6, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == ["0\n"] * 4
    assert manager.state.devices == {}


FROM_WITHIN = """
import subprocess, sys
from pathlib import Path
from tests.manager.factories import a_manager
from tests.sysfs.hosts import mounted
with mounted(a_manager(), Path(sys.argv[1])) as directory:
    print(subprocess.run(["cat", "version"], cwd=directory / "module/nvidia", stdout=-1, text=True).stdout)
"""


def test_a_program_may_be_started_in_the_mount_by_its_own_process(tmp_path: Path) -> None:
    """The child's first steps need answers from the process that starts it; neither waits for ever."""
    assert said(PYTHON, "-c", FROM_WITHIN, tmp_path / "sys") == "550.54.16\n\n"


def test_stopping_takes_the_mount_and_its_directory_away(manager: VgpuManager, tmp_path: Path) -> None:
    """Even while a file of it is open; a directory that was there before stays."""
    made, there = tmp_path / "made", tmp_path / "there"
    there.mkdir()
    with mounted(manager, made), mounted(manager, there):
        open_file = os.open(there / "module/nvidia/version", os.O_RDONLY)
    assert (made.exists(), list(there.iterdir())) == (False, [])
    for use in (lambda: os.pread(open_file, 10, 0), lambda: os.close(open_file)):
        with pytest.raises(OSError, match="not connected"):
            use()


def test_a_mount_that_lives_is_not_taken_over(manager: VgpuManager, sys: Path) -> None:
    """The second host is told; the first goes on."""
    with pytest.raises(OutsideError, match="the sysfs of a simulated host that lives is mounted there"):
        SysfsMount(
            sys,
            state=lambda: manager.state,
            create_device=manager.create_device,
            remove_device=manager.remove_device,
        ).start()
    assert (sys / "module/nvidia/version").read_text() == "550.54.16\n"


SERVER = """
import signal, sys, threading
from pathlib import Path
from tests.manager.factories import a_manager
from tests.sysfs.hosts import mounted
over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())
with mounted(a_manager(), Path(sys.argv[1])):
    print("up", flush=True)
    over.wait()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_host_leaves_is_cleared_at_the_next_start(
    manager: VgpuManager, tmp_path: Path, end: signal.Signals
) -> None:
    """A dead mount answers ENOTCONN; the next host mounts there, and one that ended well leaves none."""
    directory = tmp_path / "sys"
    with subprocess.Popen([PYTHON, "-c", SERVER, str(directory)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        server.send_signal(end)
    if end is signal.SIGKILL:
        with pytest.raises(OSError, match="not connected"):
            directory.stat()
    else:
        assert not directory.exists()
    with mounted(manager, directory):
        assert (directory / "module/nvidia/version").read_text() == "550.54.16\n"


def test_a_directory_that_is_none_is_told(manager: VgpuManager, tmp_path: Path) -> None:
    """A file, one whose parent is not there, or one with something in it, which a mount would hide."""
    (tmp_path / "file").write_text("")
    for path, message in (("file", "not a directory"), ("no/where", "No such file"), (".", "not empty")):
        with pytest.raises(InputError, match=message), mounted(manager, tmp_path / path):
            pass


def test_a_machine_without_fuse_is_told_what_to_do(
    manager: VgpuManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence; nothing is left behind."""
    monkeypatch.setattr(fuse_mounting, "DEVICE", str(tmp_path / "no-fuse"))
    with (
        pytest.raises(OutsideError, match=r"the kernel module fuse is wanted \(modprobe fuse\)"),
        mounted(manager, tmp_path / "sys"),
    ):
        pass
    assert not (tmp_path / "sys").exists()


AS_NOBODY = """
import os, sys
from pathlib import Path
from tests.manager.factories import a_manager
from tests.sysfs.hosts import mounted
from vgpu_migrate.errors import OutsideError
manager = a_manager()
# Only now: an interpreter may lie where nobody else may look.
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with mounted(manager, Path(sys.argv[1])) as directory:
        current = directory / "bus/pci/devices/0000:01:00.4/nvidia/current_vgpu_type"
        current.write_text("1152")
        print(current.read_text().strip(), (directory / "module/nvidia/version").stat().st_uid)
except OutsideError as error:
    print(error)
"""


@needs_root
def test_without_root_fusermount_mounts(tmp_path: Path) -> None:
    """Where fusermount3 is there; else a sentence says what to install."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chown(place, 65534, 65534)
        for path, expected in (
            (os.environ["PATH"], None),
            ("/nowhere", "only root may mount without fusermount3; install the package fuse3"),
        ):
            printed = subprocess.run(
                [PYTHON, "-c", AS_NOBODY, f"{place}/sys"],
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
                env={**os.environ, "PATH": path},
            ).stdout.strip()
            if expected is None and fuse_mounting._helper() is None:
                continue
            assert printed == ("1152 65534" if expected is None else f"{place}/sys: {expected}")


def test_the_rest_of_a_real_sysfs_shows_through(manager: VgpuManager, tmp_path: Path) -> None:
    """Beside ours, to be read only; what is mounted below it is not shown."""
    real = tmp_path / "real"
    for folder in ("bus/pci/devices/0000:00:00.0", "module/kvm", "class/net"):
        (real / folder).mkdir(parents=True)
    (real / "module/kvm/version").write_text("1\n")
    (real / "class/net/lo").symlink_to("../../module/kvm")
    with mounted(manager, tmp_path / "sys", rest_of=str(real)) as sys:
        assert sorted(os.listdir(sys / "module")) == ["kvm", "nvidia", "nvidia_vgpu_vfio"]
        assert (sys / "class/net/lo/version").read_text() == "1\n"
        assert {"0000:00:00.0", "0000:01:00.0"} <= set(os.listdir(sys / "bus/pci/devices"))
        assert write(sys / "module/kvm/version", "2") == "EACCES"
        assert stat.filemode((sys / "module/kvm/version").stat().st_mode) == "-r--r--r--"
        assert not (sys / "module/xen").exists()
    with mounted(manager, tmp_path / "sys", rest_of="/sys", model=SysfsModel.MDEV) as sys:
        assert (sys / "devices/system/cpu/online").read_text() == Path(
            "/sys/devices/system/cpu/online"
        ).read_text()
        if Path("/sys/fs/cgroup/cgroup.procs").exists():
            assert not (sys / "fs/cgroup/cgroup.procs").exists()
