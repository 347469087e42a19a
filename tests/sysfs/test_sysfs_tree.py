"""The tree as a value: both models, with their formats."""

from __future__ import annotations

import posixpath
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.manager.factories import VM, a_gpu, a_host, a_manager, a_vm, start_vm
from tests.sysfs.hosts import captured

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError
from vgpu_migrate.manager import DeviceId, VgpuManager
from vgpu_migrate.model import Gpu, GpuId, PlacementMode
from vgpu_migrate.sysfs import SysfsModel, sysfs_tree
from vgpu_migrate.sysfs.nodes import Directory, File, Link

UUID = DeviceId("11111111-2222-3333-4444-555555555555")
OLDER = "535.129.03"
GPU = GpuId("h01/0")
L40S, T4, A40, A2 = "L40S", "T4", "A40", "A2"


def a_tree(*boards: str, driver: str = "550.54.16", model: SysfsModel = SysfsModel.AUTO) -> Directory:
    """The tree of a host with gpus of these boards and no VM."""
    return sysfs_tree(host_with(*boards, driver=driver).state, model)


def host_with(*boards: str, driver: str = "550.54.16", **more: Any) -> VgpuManager:
    """A host with gpus of these boards."""
    gpus = [a_gpu(number, board=board, **more) for number, board in enumerate(boards)]
    return a_manager(a_host(gpus=gpus, driver=driver))


def at(gpu: Gpu, address: str) -> Gpu:
    """The same gpu at a PCI address."""
    return msgspec.structs.replace(gpu, pci=address)


def content(tree: Directory, path: str) -> str:
    """What a file of the tree holds, links on its way followed."""
    here, found = "", tree.find("")
    for name in path.split("/"):
        here = posixpath.normpath(f"{here}/{name}").strip("/")
        found = tree.find(here)
        while isinstance(found, Link):
            here = posixpath.normpath(f"{posixpath.dirname(here)}/{found.target}")
            found = tree.find(here)
    assert isinstance(found, File), path
    return found.content.decode()


def names(tree: Directory, path: str) -> list[str]:
    """What is in a directory of the tree."""
    node = tree.find(path)
    assert isinstance(node, Directory)
    return list(node.entries)


def test_a_gpu_without_sriov_offers_types_itself() -> None:
    """The mdev tree of an older board, whatever the driver."""
    tree = a_tree(T4)
    offered = "class/mdev_bus/0000:01:00.0/mdev_supported_types/nvidia-231"
    assert names(tree, "class/mdev_bus") == ["0000:01:00.0"]
    assert {
        name: content(tree, f"{offered}/{name}")
        for name in ("name", "description", "available_instances", "device_api")
    } == {
        "name": "GRID T4-2Q\n",
        "description": (
            "num_heads=4, frl_config=60, framebuffer=2048M, max_resolution=7680x4320, max_instance=8\n"
        ),
        "available_instances": "8\n",
        "device_api": "vfio-pci\n",
    }
    assert tree.find("devices/pci0000:01/0000:01:00.0/sriov_totalvfs") is None


def test_an_sriov_gpu_of_an_older_driver_offers_types_on_its_functions() -> None:
    """Each virtual function is a parent of mediated devices and shows 1 or 0 of a type."""
    manager = host_with(A40, driver=OLDER)
    tree = sysfs_tree(manager.state)
    assert names(tree, "class/mdev_bus")[:2] == ["0000:01:00.4", "0000:01:00.5"]
    assert len(names(tree, "class/mdev_bus")) == 32
    types = "class/mdev_bus/0000:01:00.{}/mdev_supported_types/nvidia-{}/available_instances"
    assert [content(tree, types.format(4, number)) for number in (557, 566)] == ["1\n", "1\n"]
    manager.create_device(GPU, facts.vgpu_type("A40-8Q"), UUID, function=0)
    tree = sysfs_tree(manager.state)
    assert [content(tree, types.format(at, 562)) for at in (4, 5)] == ["0\n", "1\n"]
    assert [content(tree, types.format(at, 561)) for at in (4, 5)] == ["0\n", "0\n"]


@pytest.mark.parametrize(
    ("driver", "board", "model", "has_mdevs"),
    [
        ("535.129.03", L40S, SysfsModel.AUTO, True),
        ("550.54.16", L40S, SysfsModel.AUTO, False),
        ("550.54.16", T4, SysfsModel.AUTO, True),
        ("550.163.02", A40, SysfsModel.MDEV, True),
        ("535.129.03", A40, SysfsModel.VENDOR_VFIO, False),
        ("535.129.03", T4, SysfsModel.VENDOR_VFIO, True),
    ],
)
def test_the_model_follows_driver_and_board(
    driver: str, board: str, model: SysfsModel, has_mdevs: bool
) -> None:
    """Vendor VFIO from driver 550 on where the gpu has SR-IOV; a choice overrides the driver."""
    tree = a_tree(board, driver=driver, model=model)
    assert (tree.find("class/mdev_bus") is not None) == has_mdevs
    assert (tree.find("bus/mdev") is not None) == has_mdevs
    assert (tree.find("devices/pci0000:01/0000:01:00.4/nvidia") is not None) == (not has_mdevs)


def test_vendor_vfio_files_of_an_idle_function() -> None:
    """The list of types in columns, 0 for no type, and lines without a value."""
    tree = a_tree(L40S)
    function = "bus/pci/devices/0000:01:00.4/nvidia"
    assert sorted(names(tree, "devices/pci0000:01/0000:01:00.4/nvidia")) == [
        "creatable_vgpu_types",
        "current_vgpu_type",
        "gpu_instance_id",
        "placement_id",
        "vgpu_params",
        "warm_update",
    ]
    lines = content(tree, f"{function}/creatable_vgpu_types").splitlines()
    assert lines[:3] == ["ID    : vGPU Name", "1145  : NVIDIA L40S-1B", "1146  : NVIDIA L40S-2B"]
    assert content(tree, f"{function}/current_vgpu_type") == "0\n"
    assert content(tree, f"{function}/placement_id") == content(tree, f"{function}/gpu_instance_id") == "\n"


def test_vendor_vfio_files_of_a_function_in_use() -> None:
    """Its type, its placement on a mixed-size gpu, and no more types; others offer what still fits."""
    manager = host_with(L40S, mode=PlacementMode.MIXED)
    manager.create_device(GPU, facts.vgpu_type("L40S-24Q"), UUID, placement=24, function=1)
    tree = sysfs_tree(manager.state)
    used, idle = (f"bus/pci/devices/0000:01:00.{number}/nvidia" for number in (5, 4))
    assert content(tree, f"{used}/current_vgpu_type") == "1155\n"
    assert content(tree, f"{used}/placement_id") == "24\n"
    assert content(tree, f"{used}/creatable_vgpu_types") == "ID    : vGPU Name\n"
    offered = content(tree, f"{idle}/creatable_vgpu_types")
    assert "1155  : NVIDIA L40S-24Q\n" in offered
    assert "L40S-48Q" not in offered


def test_functions_and_their_gpu_name_each_other() -> None:
    """`physfn`, `virtfn0` and on, `sriov_numvfs` and `sriov_totalvfs`."""
    tree = a_tree(A2)
    gpu = "devices/pci0000:01/0000:01:00.0"
    assert content(tree, f"{gpu}/sriov_numvfs") == content(tree, f"{gpu}/sriov_totalvfs") == "16\n"
    assert tree.find(f"{gpu}/virtfn11") == Link("../0000:01:01.7")
    assert tree.find("devices/pci0000:01/0000:01:01.7/physfn") == Link("../0000:01:00.0")
    assert tree.find(f"{gpu}/virtfn16") is None


def test_a_mediated_device() -> None:
    """Under its gpu, on the bus, in its type, and in an IOMMU group of its own."""
    manager = host_with(T4)
    manager.create_device(GPU, facts.vgpu_type("T4-2Q"), UUID)
    tree = sysfs_tree(manager.state)
    where = f"devices/pci0000:01/0000:01:00.0/{UUID}"
    assert tree.find(f"bus/mdev/devices/{UUID}") == Link(f"../../../{where}")
    assert tree.find(f"{where}/mdev_type") == Link("../mdev_supported_types/nvidia-231")
    assert content(tree, f"bus/mdev/devices/{UUID}/mdev_type/name") == "GRID T4-2Q\n"
    types = "devices/pci0000:01/0000:01:00.0/mdev_supported_types"
    assert names(tree, f"{types}/nvidia-231/devices") == [UUID]
    assert content(tree, f"{types}/nvidia-231/available_instances") == "7\n"
    assert content(tree, f"{types}/nvidia-232/available_instances") == "0\n"
    assert sorted(names(tree, f"{where}/nvidia")) == ["gpu_instance_id", "placement_id", "vgpu_params"]


def test_a_vm_without_devices_shows_one_of_its_own() -> None:
    """Its UUID is the vgpu's."""
    manager = host_with(L40S, driver=OLDER)
    start_vm(manager)
    (vgpu,) = manager.state.vm(VM).vgpus
    tree = sysfs_tree(manager.state)
    assert names(tree, "bus/mdev/devices") == [vgpu.uuid]
    assert content(tree, f"bus/mdev/devices/{vgpu.uuid}/mdev_type/name") == "NVIDIA L40S-12Q\n"


def test_a_device_whose_id_is_no_uuid_has_one_as_a_mediated_device() -> None:
    """It follows from the id, so it stays."""
    manager = host_with(T4)
    manager.create_device(GPU, facts.vgpu_type("T4-2Q"), DeviceId("mine"))
    assert names(sysfs_tree(manager.state), "bus/mdev/devices") == ["8b5eb9a6-fbcf-5f6a-9f54-66d9fc163cf2"]


def test_the_driver_and_the_manager_as_modules() -> None:
    """Their version; a plain driver has no manager module, no functions and no types."""
    tree = a_tree(T4, driver="470.63")
    assert content(tree, "module/nvidia_vgpu_vfio/version") == "470.63\n"
    plain = sysfs_tree(a_manager(a_host(manager=False)).state)
    assert names(plain, "module") == ["nvidia"]
    assert names(plain, "bus/pci/devices") == ["0000:01:00.0"]
    assert names(plain, "class") == []


def test_a_gpu_that_is_no_vgpu_host_offers_nothing() -> None:
    """It is a PCI device and no more."""
    tree = sysfs_tree(host_with(T4, vgpu=False).state)
    assert names(tree, "bus") == ["pci"]


def test_what_a_pci_function_says_of_itself() -> None:
    """Ids, class and event, as libraries read them; the configuration space agrees with the files."""
    tree = a_tree(T4)
    where = "bus/pci/devices/0000:01:00.0"
    assert [
        content(tree, f"{where}/{name}") for name in ("vendor", "device", "class", "subsystem_device")
    ] == [
        "0x10de\n",
        "0x1eb8\n",
        "0x030200\n",
        "0x12a2\n",
    ]
    assert tree.find("devices/pci0000:01/0000:01:00.0/driver") == Link("../../../bus/pci/drivers/nvidia")
    node = tree.find("devices/pci0000:01/0000:01:00.0/config")
    assert isinstance(node, File)
    space = node.content
    assert (space[:4].hex(), space[9:12].hex(), space[0x2C:0x30].hex()) == ("de10b81e", "000203", "de10a212")


def test_addresses_of_a_file_are_kept_and_two_of_one_kind_refused() -> None:
    """A gpu whose functions would reach another gpu's address is told."""
    one = at(a_gpu(0), "0000:3b:00.0")
    tree = sysfs_tree(a_manager(a_host(gpus=[one, a_gpu(1)])).state)
    assert "0000:3b:00.4" in names(tree, "bus/pci/devices")
    near = at(a_gpu(1), "0000:3b:01.0")
    with pytest.raises(InputError, match=r"gpu h01/1 and gpu h01/0 both have PCI function 0000:3b:01\.0"):
        sysfs_tree(a_manager(a_host(gpus=[one, near])).state)


def test_a_mig_gpu_offers_mig_backed_types() -> None:
    """As many of each as its GPU instances hold; time-sliced ones are not offered."""
    manager = host_with("A30", driver=OLDER, mig=(2, 1, 1))
    start_vm(manager, a_vm("vm1", "A30-1-6C"))
    tree = sysfs_tree(manager.state)
    function = "class/mdev_bus/0000:01:00.5/mdev_supported_types"
    room = {
        content(tree, f"{function}/{name}/name").strip(): content(
            tree, f"{function}/{name}/available_instances"
        )
        for name in names(tree, "devices/pci0000:01/0000:01:00.5/mdev_supported_types")
    }
    assert room == {
        "NVIDIA A30-1-6C": "1\n",
        "NVIDIA A30-1-6CME": "1\n",
        "NVIDIA A30-2-12C": "1\n",
        "NVIDIA A30-2-12CME": "1\n",
        "NVIDIA A30-4-24C": "0\n",
    }


@settings(max_examples=40, deadline=None)
@given(
    boards=st.lists(st.sampled_from([L40S, T4, A40, A2, "A30"]), min_size=1, max_size=3),
    driver=st.sampled_from([OLDER, "550.54.16"]),
    model=st.sampled_from(list(SysfsModel)),
    devices=st.integers(0, 5),
)
def test_every_link_leads_somewhere(boards: list[str], driver: str, model: SysfsModel, devices: int) -> None:
    """Whatever the host and its devices, no link of the tree is broken."""
    manager = host_with(*boards, driver=driver)
    for number in range(devices):
        gpu = manager.state.host.gpus[number % len(boards)]
        vgpu_type = next(one for one in facts.types_of_board(gpu.board.key) if one.max_instances >= 2)
        if not vgpu_type.is_mig_backed and len(manager.state.tenants(gpu.id)) < 2:
            manager.create_device(gpu.id, vgpu_type, DeviceId(f"device {number}"))
    tree = sysfs_tree(manager.state, model)
    for path, node in tree.walk():
        if isinstance(node, Link):
            target = posixpath.normpath(f"{posixpath.dirname(path)}/{node.target}")
            assert not target.startswith("..")
            assert tree.find(target) is not None, (path, node.target)


def test_the_tree_is_worked_out_where_it_is_looked_at() -> None:
    """A look-up in one gpu reads nothing of the others, so a large host costs no more."""
    tree = sysfs_tree(host_with(*[L40S] * 16).state)
    assert content(tree, "devices/pci0000:01/0000:01:00.4/vendor") == "0x10de\n"
    devices = tree.find("devices")
    assert isinstance(devices, Directory)
    looked_at = [name for name, node in devices.entries.items() if isinstance(node, Directory)]
    opened = [
        name
        for name in looked_at
        for one in _directory(devices.entries[name]).entries.values()
        if "entries" in vars(one)
    ]
    assert opened == ["pci0000:01"]


def _directory(node: object) -> Directory:
    assert isinstance(node, Directory)
    return node


def test_a_capture_of_an_a2_function() -> None:
    """All its files are ours, with the same content but where a rule or a table is known to differ."""
    real: dict[str, str] = {}
    for line in captured("sysfs-mdev-A2-unknown-1.txt").splitlines():
        if line:
            name, _, value = line.removeprefix("/sys/class/mdev_bus/0000:08:01.7/").partition(":")
            real[name] = f"{real.get(name, '')}{value}\n"
    manager = a_manager(a_host(gpus=[at(a_gpu(board=A2), "0000:08:00.0")], driver=OLDER))
    manager.create_device(GPU, facts.vgpu_type("A2-4Q"), UUID, function=0)
    tree = sysfs_tree(manager.state)
    ours = {name: content(tree, f"class/mdev_bus/0000:08:01.7/{name}") for name in real}
    different = {name for name in real if real[name] != ours[name]}
    # The capture's gpu offers every type of 4096 MiB; ours, by the rule for equal-size gpus, only the type
    # that is there. Our resolution of compute types is the series' default.
    assert different == {
        *(f"mdev_supported_types/nvidia-{number}/available_instances" for number in (751, 754)),
        *(f"mdev_supported_types/nvidia-{number}/description" for number in (754, 755, 756)),
    }


def test_a_capture_of_an_l40s_function() -> None:
    """All its lines and files are ours; we offer the compute types too, which its driver does not have."""
    real: dict[str, list[str]] = {}
    for line in captured("sysfs-vendor-vfio-L40S-unknown-1.txt").splitlines():
        if line:
            name, _, value = line.partition("/nvidia/")[2].partition(":")
            real.setdefault(name, []).append(value)
    tree = sysfs_tree(a_manager(a_host(gpus=[at(a_gpu(), "0000:26:00.0")])).state)
    where = "bus/pci/devices/0000:26:00.4/nvidia"
    assert sorted(names(tree, "devices/pci0000:26/0000:26:00.4/nvidia")) == sorted(real)
    listed = content(tree, f"{where}/creatable_vgpu_types").splitlines()
    assert [line for line in listed if not line.endswith("C")] == real.pop("creatable_vgpu_types")
    assert {name: content(tree, f"{where}/{name}").splitlines() for name in real} == real


def test_a_capture_of_an_a40_function() -> None:
    """Each type of it is ours under the same id and name, and one of each can be made."""
    lines = [line.split(", ") for line in captured("sysfs-mdev-A40-550.163.02-1.txt").splitlines() if line]
    tree = a_tree(A40, driver="550.163.02", model=SysfsModel.MDEV)
    where = "class/mdev_bus/0000:01:00.4/mdev_supported_types"
    for name, said in lines:
        ours = [content(tree, f"{where}/{name}/{what}").strip() for what in ("name", "available_instances")]
        assert " ".join(ours) == said


def test_a_capture_of_a_t4() -> None:
    """The types it lists are those we list."""
    listed = captured("sysfs-mdev-ls-T4-470.63-1.txt").split()
    types = names(a_tree(T4, driver="470.63"), "devices/pci0000:01/0000:01:00.0/mdev_supported_types")
    assert sorted(types) == sorted(listed)
