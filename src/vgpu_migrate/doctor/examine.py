"""All checks of a picture, in order; or that there is nothing to examine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vgpu_migrate.doctor import gpu_checks, own_checks, platform_checks
from vgpu_migrate.doctor.findings import Finding
from vgpu_migrate.doctor.picture import HostPicture

CHECKS: tuple[Callable[[HostPicture], Iterator[Finding]], ...] = (
    platform_checks.kernel,
    platform_checks.qemu,
    platform_checks.libvirt,
    platform_checks.iommu,
    gpu_checks.manager,
    gpu_checks.daemon,
    gpu_checks.migration_switch,
    gpu_checks.functions,
    gpu_checks.migration,
    gpu_checks.ecc,
    own_checks.hook,
    own_checks.pin,
    own_checks.watch,
)


def examine(picture: HostPicture) -> tuple[Finding, ...]:
    """What every check finds."""
    return tuple(finding for check in CHECKS for finding in check(picture))


def nothing_to_examine(picture: HostPicture) -> str | None:
    """Why a machine is no vGPU host at all, as one sentence; None where it is one, or shall be."""
    driver = picture.module(gpu_checks.DRIVER_MODULE)
    nvml = picture.nvml
    if driver is None and nvml is None:
        return None if picture.gpus and picture.software else _say_no_driver(picture)
    has_manager = picture.module(gpu_checks.MANAGER_MODULE) is not None or bool(picture.software)
    if has_manager or (nvml is not None and any(gpu.is_vgpu_host for gpu in nvml.gpus)):
        return None
    version = driver or (nvml.driver if nvml is not None else "")
    return (
        f"{picture.host} runs NVIDIA driver {version} without a vGPU Manager: it is no vGPU host; "
        "install NVIDIA's vGPU host driver in its place"
    )


def _say_no_driver(picture: HostPicture) -> str:
    count = len(picture.gpus)
    gpus = f"no NVIDIA gpu in {gpu_checks.PCI_DEVICES}"
    if count:
        gpus = "1 NVIDIA gpu" if count == 1 else f"{count} NVIDIA gpus"
    if picture.nvml_trouble is not None:
        return f"{picture.host} has {gpus}, and {picture.nvml_trouble}"
    remedy = ": install NVIDIA's vGPU host driver" if count else ""
    return f"{picture.host} has {gpus} and no NVIDIA driver{remedy}"
