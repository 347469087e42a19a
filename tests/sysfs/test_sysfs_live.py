"""The sysfs of a host that `hostd` keeps: what is written there is kept, and seen by NVML and `host`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.daemon import a_hostd, wait_until_ready
from tests.cli.program import Answered, start
from tests.clients.running import ask
from tests.sysfs.hosts import needs_fuse

from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.model import VmId
from vgpu_migrate.sysfs.mounting import is_our_mount, unmount

pytestmark = needs_fuse

FLEET = """
fleetfile_version: 1
hosts:
  - id: h01
    driver: 550.54.16
    gpus:
      - {board: L40S, pci: "0000:41:00.0"}
      - {board: T4, pci: "0000:81:00.0"}
      - {board: L40S, pci: "0000:a1:00.0", mode: mixed}
vms:
  - {id: old, state: "off", memory_mib: 1024, guest_driver: 550.54.14, vgpus: [{type: T4-8Q}]}
  - {id: new, state: "off", memory_mib: 1024, guest_driver: 550.54.14, vgpus: [{type: L40S-24Q}]}
"""
UUID = "11111111-2222-3333-4444-555555555555"
MDEV = f"bus/mdev/devices/{UUID}"
T4 = "class/mdev_bus/0000:81:00.0/mdev_supported_types"
FUNCTION = "0000:41:00.5"
CURRENT = f"bus/pci/devices/{FUNCTION}/nvidia/current_vgpu_type"
PLACED = "bus/pci/devices/0000:a1:00.4/nvidia"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """The fleet file."""
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


@pytest.fixture
def sys(tmp_path: Path) -> Iterator[Path]:
    """Where the sysfs is shown; what a host that was killed leaves there is taken away."""
    directory = tmp_path / "sys"
    yield directory
    if is_our_mount(directory):
        unmount(directory)


def creatable(socket: Path, gpu: int) -> list[int]:
    """The types that nvidia-ml-py is told can be created on a gpu now."""
    answer: list[int] = ask("nvidia-ml-py", "ask_nvidia_ml_py.py", socket)["gpus"][gpu]["creatable"]
    return answer


def type_named(sys: Path, name: str) -> Path:
    """The directory of a mediated type."""
    return next(one for one in (sys / T4).iterdir() if (one / "name").read_text() == f"{name}\n")


def test_a_mediated_device_is_one_for_everybody(fleet: Path, sys: Path, tmp_path: Path) -> None:
    """Written to `create`: NVML has less room, a VM starts on it, and only when that stops it can go."""
    socket = tmp_path / "h01.sock"

    def host(*args: str) -> Answered:
        return start("host", *args, "--socket", str(socket))

    with a_hostd(socket, "--sysfs", str(sys), fleet=fleet, host="h01") as process:
        wait_until_ready(process)
        before = creatable(socket, 1)
        (type_named(sys, "GRID T4-8Q") / "create").write_text(f"{UUID}\n")
        after = creatable(socket, 1)
        assert set(after) < set(before)
        assert host("start", "old", "--device", UUID).status == 0
        with pytest.raises(OSError, match="busy"):
            (sys / MDEV / "remove").write_text("1\n")
        assert host("remove-device", UUID).status == 1
    with a_hostd(socket, "--sysfs", str(sys), fleet=fleet, host="h01") as process:
        wait_until_ready(process)
        assert (sys / MDEV / "mdev_type/name").read_text() == "GRID T4-8Q\n"
        assert [(one.id, one.vm) for one in LiveHost(socket).show().devices] == [(UUID, "old")]
        with pytest.raises(OSError, match="busy"):
            (sys / MDEV / "remove").write_text("1\n")
        LiveHost(socket).shut_down(VmId("old"))
        assert creatable(socket, 1) == after
        (sys / MDEV / "remove").write_text("1\n")
        assert not (sys / MDEV).exists()
        assert creatable(socket, 1) == before


def test_the_type_of_a_virtual_function_is_one_for_everybody(fleet: Path, sys: Path, tmp_path: Path) -> None:
    """The same with `current_vgpu_type`: a type id makes a device, 0 ends it unless a VM uses it."""
    socket = tmp_path / "h01.sock"
    with a_hostd(socket, "--sysfs", str(sys), fleet=fleet, host="h01") as process:
        wait_until_ready(process)
        before = creatable(socket, 0)
        names = (sys / CURRENT).with_name("creatable_vgpu_types").read_text()
        number = next(int(line.split(":")[0]) for line in names.splitlines() if line.endswith("L40S-24Q"))
        (sys / CURRENT).write_text(f"{number}\n")
        after = creatable(socket, 0)
        assert set(after) < set(before)
        (device,) = LiveHost(socket).show().devices
        assert (device.id, device.type, device.function, device.vm) == (FUNCTION, "L40S-24Q", 1, None)
        assert start("host", "start", "new", "--device", FUNCTION, "--socket", str(socket)).status == 0
        with pytest.raises(OSError, match="busy"):
            (sys / CURRENT).write_text("0\n")
    with a_hostd(socket, "--sysfs", str(sys), fleet=fleet, host="h01") as process:
        wait_until_ready(process)
        assert (sys / CURRENT).read_text() == f"{number}\n"
        LiveHost(socket).shut_down(VmId("new"))
        assert creatable(socket, 0) == after
        (sys / CURRENT).write_text("0\n")
        assert (sys / CURRENT).read_text() == "0\n"
        assert creatable(socket, 0) == before


def test_a_device_is_placed_and_what_host_makes_is_shown(fleet: Path, sys: Path, tmp_path: Path) -> None:
    """`placement_id` moves a device on a mixed-size gpu; a driver reload takes all devices away."""
    socket = tmp_path / "h01.sock"

    def host(*args: str) -> Answered:
        return start("host", *args, "--socket", str(socket))

    with a_hostd(socket, "--sysfs", str(sys), fleet=fleet, host="h01") as process:
        wait_until_ready(process)
        made = host("create-device", "h01/2", "L40S-24Q", "--id", "mine", "--placement", "24")
        assert made == (0, "mine: L40S-24Q on h01/2@24, virtual function 0\n", "")
        assert (sys / PLACED / "placement_id").read_text() == "24\n"
        (sys / PLACED / "placement_id").write_text("0\n")
        assert [(one.id, one.placement) for one in LiveHost(socket).show().devices] == [("mine", 0)]
        assert host("reload-driver").status == 0
        assert LiveHost(socket).show().devices == ()
        assert (sys / PLACED / "current_vgpu_type").read_text() == "0\n"


def test_the_model_can_be_chosen(fleet: Path, sys: Path, tmp_path: Path) -> None:
    """Mediated devices on an SR-IOV gpu of a driver that would have vendor VFIO."""
    socket = tmp_path / "h01.sock"
    line = ("--sysfs", str(sys), "--sysfs-model", "mdev")
    with a_hostd(socket, *line, fleet=fleet, host="h01") as process:
        wait_until_ready(process)
        assert FUNCTION in os.listdir(sys / "class/mdev_bus")
        assert not (sys / CURRENT).exists()
