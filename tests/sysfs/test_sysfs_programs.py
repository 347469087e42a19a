"""Real programs that look only at /sys see the simulated host there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.manager.factories import VM, a_gpu, a_host, a_manager, start_vm
from tests.manager.factories import a_vm as a_vm_of
from tests.sysfs.hosts import mounted, needs, needs_fuse, needs_root, with_sys

from vgpu_migrate.manager import VgpuManager

pytestmark = [needs_fuse, needs_root]

UUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def manager() -> VgpuManager:
    """A host of an older driver with a T4 whose VM has a vgpu, and an A40."""
    gpus = [a_gpu(0, board="T4"), a_gpu(1, board="A40")]
    manager = a_manager(a_host(gpus=gpus, driver="535.129.03"))
    start_vm(manager, a_vm_of("vm1", "T4-4Q"))
    return manager


def answer(directory: Path, script: str, **environment: str) -> str:
    """What a script prints with the directory as /sys, its status and complaints last."""
    done = with_sys(directory, script, **environment)
    return f"{done.stdout}{done.stderr}".rstrip("\n")


@needs("mdevctl")
def test_mdevctl_lists_types(manager: VgpuManager, tmp_path: Path) -> None:
    """In the words that it has for a real host."""
    with mounted(manager, tmp_path / "sys") as sys:
        printed = answer(sys, "mdevctl types")
    parents = [line for line in printed.splitlines() if line and not line.startswith(" ")]
    assert len(parents) == 33
    assert parents[0] == "0000:01:00.0"
    start = printed.index("  nvidia-232\n")
    assert printed[start:].splitlines()[:5] == [
        "  nvidia-232",
        "    Available instances: 3",
        "    Device API: vfio-pci",
        "    Name: GRID T4-4Q",
        "    Description: num_heads=4, frl_config=60, framebuffer=4096M, "
        "max_resolution=7680x4320, max_instance=4",
    ]


@needs("mdevctl")
def test_mdevctl_makes_lists_and_ends_devices(manager: VgpuManager, tmp_path: Path) -> None:
    """They are the host's devices; what a VM uses, and what has no room, it says so of."""
    (vgpu,) = manager.state.vm(VM).vgpus
    with mounted(manager, tmp_path / "sys") as sys:
        printed = answer(
            sys,
            f"""
            mdevctl start -u {UUID} -p 0000:02:00.4 --type nvidia-562
            mdevctl start -u 21111111-2222-3333-4444-555555555555 -p 0000:02:00.5 --type nvidia-561
            mdevctl start -u {UUID} -p 0000:02:00.5 --type nvidia-562
            mdevctl list
            mdevctl stop -u {vgpu.uuid}""",
        )
        lines = [line for line in printed.splitlines() if line.strip()]
        assert sorted(lines[:2]) == sorted(
            [f"{vgpu.uuid} 0000:01:00.0 nvidia-232 manual", f"{UUID} 0000:02:00.4 nvidia-562 manual"]
        )
        assert lines[2:] == [
            "Error: No available instances of nvidia-561 on 0000:02:00.5",
            "Error: Device exists under different parent",
            f"Error: Error removing device {vgpu.uuid}",
            "Caused by:",
            "    Device or resource busy (os error 16)",
        ]
        assert list(manager.state.devices) == [UUID]
        assert answer(sys, f"mdevctl stop -u {UUID}") == ""
    assert manager.state.devices == {}


PLUGIN = """
for device in /sys/bus/mdev/devices/*; do
  parent=$(basename "$(dirname "$(readlink -f "$device")")")
  node=$(cat "/sys/class/mdev_bus/$parent/numa_node")
  echo "$(basename "$device") $parent $(cat "$device/mdev_type/name") $node"
done
for device in /sys/bus/pci/devices/*; do
  [ "$(cat "$device/vendor")" = 0x10de ] && basename "$(readlink "$device/driver")"
done | sort | uniq -c | tr -s ' '
"""


def test_what_device_plugins_read(manager: VgpuManager, tmp_path: Path) -> None:
    """Parent and type of each mediated device by its links, and the driver of each PCI function."""
    (vgpu,) = manager.state.vm(VM).vgpus
    with mounted(manager, tmp_path / "sys") as sys:
        assert answer(sys, PLUGIN) == f"{vgpu.uuid} 0000:01:00.0 GRID T4-4Q 0\n 34 nvidia"


LIBVIRT = """
set -e
lab=$LAB
for pair in etc/libvirt:etc run/libvirt:run var/lib/libvirt:lib var/cache/libvirt:cache \\
  var/log/libvirt:log; do
  mkdir -p "/${pair%%:*}" "$lab/${pair##*:}"
  mount --bind "$lab/${pair##*:}" "/${pair%%:*}"
done
for file in passwd group; do cp "/etc/$file" "$lab/$file"; done
grep -q libvirt-qemu /etc/passwd || echo 'libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin' >>"$lab/passwd"
grep -q libvirt-qemu /etc/group || echo 'libvirt-qemu:x:64055:' >>"$lab/group"
mount --bind "$lab/passwd" /etc/passwd
mount --bind "$lab/group" /etc/group
cat >/etc/libvirt/libvirtd.conf <<END
host_uuid = "aaaaaaaa-1111-2222-3333-444444444444"
unix_sock_dir = "/run/libvirt"
auth_unix_rw = "none"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
END
libvirtd -f /etc/libvirt/libvirtd.conf &
daemon=$!
trap 'kill $daemon; wait $daemon || true' EXIT
ask() { virsh -q -c 'nodedev:///system?socket=/run/libvirt/libvirt-sock' "$@"; }
for try in $(seq 300); do
  [ -S /run/libvirt/libvirt-sock ] && ask nodedev-list >/dev/null 2>&1 && break
  sleep 0.1
done
for try in $(seq 300); do
  [ -n "$(ask nodedev-list --cap mdev)" ] && break
  sleep 0.1
done
"""


@needs("libvirtd")
@needs("virsh")
def test_virsh_lists_the_host(manager: VgpuManager, tmp_path: Path) -> None:
    """The parents of mediated devices, the devices, and a gpu's types, with nothing else of /sys shown."""
    (vgpu,) = manager.state.vm(VM).vgpus
    # libudev looks only at a real sysfs unless it is told otherwise.
    environment = {"SYSTEMD_DEVICE_VERIFY_SYSFS": "0", "LAB": str(tmp_path / "lab")}
    with mounted(manager, tmp_path / "sys") as sys:
        done = with_sys(
            sys,
            LIBVIRT
            + "ask nodedev-list --cap mdev_types; ask nodedev-list --cap mdev; "
            + "ask nodedev-dumpxml pci_0000_01_00_0",
            **environment,
        )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    functions = [f"pci_0000_02_{4 + number >> 3:02x}_{4 + number & 7:x}" for number in range(32)]
    assert lines[:34] == [
        "pci_0000_01_00_0",
        *sorted(functions),
        f"mdev_{vgpu.uuid.replace('-', '_')}_0000_01_00_0",
    ], done.stderr
    xml = "".join(line.strip() for line in lines[34:])
    assert (
        "<type id='nvidia-232'><name>GRID T4-4Q</name><deviceAPI>vfio-pci</deviceAPI>"
        "<availableInstances>3</availableInstances></type>"
    ) in xml
    assert "<product id='0x1eb8'" in xml
    assert "<driver><name>nvidia</name></driver>" in xml


def test_the_machine_s_own_sys_is_untouched(manager: VgpuManager, tmp_path: Path) -> None:
    """What is bound in a namespace of mounts is not seen outside."""
    before = sorted(os.listdir("/sys"))
    with mounted(manager, tmp_path / "sys") as sys:
        assert answer(sys, "ls /sys").split() == ["bus", "class", "devices", "kernel", "module"]
        assert sorted(os.listdir("/sys")) == before
    assert shutil.which("unshare")
