"""Trees of hosts such as one captures them: a few files of /sys, /proc and /etc, written below a root."""

from __future__ import annotations

from pathlib import Path

PCI = "sys/bus/pci/devices"
NVIDIA = "0x10de"
WITH_MIGRATION = "0000000000000000 T vfio_register_group_dev\t[vfio]\n0 T vfio_mig_get_next_state\t[vfio]\n"
WITHOUT_MIGRATION = "0000000000000000 T vfio_register_group_dev\t[vfio]\n0 T kmalloc\n"


def put(root: Path, files: dict[str, str]) -> None:
    """Write files, by their paths below the root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def link(root: Path, name: str, target: str) -> None:
    """Make a link, by its path below the root."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def a_gpu(root: Path, address: str, *, bound_to: str = "nvidia", most: int = 0, on: int = 0) -> None:
    """A gpu with so many virtual functions, of which some are on."""
    at = f"{PCI}/{address}"
    put(root, {f"{at}/vendor": f"{NVIDIA}\n", f"{at}/class": "0x030200\n"})
    link(root, f"{at}/driver", f"../../../../bus/pci/drivers/{bound_to}")
    if most:
        put(root, {f"{at}/sriov_totalvfs": f"{most}\n", f"{at}/sriov_numvfs": f"{on}\n"})
    for number in range(on):
        function = functions_of(address, on)[number]
        link(root, f"{at}/virtfn{number}", f"../{function}")
        link(root, f"{PCI}/{function}/physfn", f"../{address}")
        put(root, {f"{PCI}/{function}/vendor": f"{NVIDIA}\n", f"{PCI}/{function}/class": "0x030200\n"})


def functions_of(address: str, count: int) -> list[str]:
    """The addresses of virtual functions, four behind the gpu."""
    bus = address[:8]
    return [f"{bus}{(4 + number) >> 3:02x}.{(4 + number) & 7}" for number in range(count)]


def modules(root: Path, driver: str, *, manager: str | None) -> None:
    """The kernel modules that are loaded."""
    put(root, {"sys/module/nvidia/version": f"{driver}\n"})
    if manager is not None:
        put(root, {"sys/module/nvidia_vgpu_vfio/version": f"{manager}\n"})


def a_vendor_vfio_host(root: Path) -> Path:
    """An SR-IOV Ampere host on a new kernel, all of it well."""
    put(
        root,
        {
            "etc/hostname": "h01\n",
            "proc/sys/kernel/osrelease": "6.8.0-60-generic\n",
            "proc/kallsyms": WITH_MIGRATION,
            "proc/1/comm": "systemd\n",
            "proc/812/comm": "nvidia-vgpu-mgr\n",
            "proc/driver/nvidia/params": 'EnableMSI: 1\nRegistryDwords: ""\nRegistryDwordsPerDevice: ""\n',
            "usr/bin/nvidia-vgpu-mgr": "",
            "usr/sbin/libvirtd": "",
            "usr/bin/qemu-system-x86_64": "",
        },
    )
    (root / "sys/kernel/iommu_groups/41").mkdir(parents=True)
    modules(root, "580.126.08", manager="580.126.08")
    a_gpu(root, "0000:3b:00.0", most=4, on=4)
    for function in functions_of("0000:3b:00.0", 4):
        put(
            root,
            {
                f"{PCI}/{function}/nvidia/creatable_vgpu_types": "ID    : vGPU Name\n1147  : NVIDIA A40-8Q\n",
                f"{PCI}/{function}/nvidia/current_vgpu_type": "0\n",
            },
        )
    return root


def an_mdev_host(root: Path) -> Path:
    """An older host whose gpu, without SR-IOV, offers mediated devices itself."""
    put(
        root,
        {
            "etc/hostname": "h02\n",
            "proc/sys/kernel/osrelease": "5.4.0-200-generic\n",
            "proc/kallsyms": WITHOUT_MIGRATION,
            "proc/900/comm": "nvidia-vgpu-mgr\n",
            "proc/driver/nvidia/params": 'RegistryDwords: ""\n',
            f"{PCI}/0000:86:00.0/mdev_supported_types/nvidia-63/name": "GRID P100-4Q\n",
        },
    )
    modules(root, "470.68", manager="470.68")
    a_gpu(root, "0000:86:00.0")
    return root
