"""Checks of what lies under the gpus: the kernel, QEMU, libvirt, the IOMMU."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vgpu_migrate.doctor.findings import Finding, fail, ok, unknown, warn
from vgpu_migrate.doctor.picture import HostPicture, Program, VfioSymbols

SYMBOLS = "/proc/kallsyms"
KERNEL_RELEASE = "/proc/sys/kernel/osrelease"
IOMMU_GROUPS = "/sys/kernel/iommu_groups"

KERNEL_SINCE = (5, 18)
"""Upstream's first Linux with VFIO migration v2. Distributions carry it back."""
QEMU_SINCE, QEMU_TRIAL = (8, 1), (8, 0)
"""Upstream's first QEMU that migrates VFIO devices by v2 as a matter of course, and as an experiment."""
LIBVIRT_SINCE, LIBVIRT_CARRIED_BACK = (8, 6), (8, 5)
"""Upstream's first libvirt that asks QEMU whether a device can migrate instead of refusing every one."""

Version = tuple[int, ...]


def version_in(text: str) -> Version | None:
    """The first version that a text names: `(8, 2, 0)`."""
    found = re.search(r"\b(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups() if part is not None) if found else None


def kernel(picture: HostPicture) -> Iterator[Finding]:
    """VFIO migration v2 in the kernel: by its symbols where VFIO is loaded, else by the release."""
    release = picture.kernel or "of unknown release"
    if picture.vfio is VfioSymbols.WITH_MIGRATION:
        yield ok("kernel", f"Linux {release}, VFIO migration v2", SYMBOLS)
        return
    newer = "boot Linux 5.18 or later, or a distribution's kernel that has VFIO migration v2"
    if picture.vfio is VfioSymbols.WITHOUT_MIGRATION:
        yield fail("kernel", f"Linux {release}, VFIO without migration v2", SYMBOLS, remedy=newer)
        return
    version = version_in(release)
    seen = f"Linux {release}, VFIO is not loaded"
    if picture.vfio is None:
        seen = f"Linux {release}; its symbols cannot be read"
    load = "load VFIO (modprobe vfio_pci) and examine again"
    if version is not None and version >= KERNEL_SINCE:
        yield warn("kernel", seen, KERNEL_RELEASE, remedy=f"{load}: this release has migration v2 in it")
    else:
        yield unknown("kernel", seen, KERNEL_RELEASE, remedy=f"{load}; else {newer}")


def qemu(picture: HostPicture) -> Iterator[Finding]:
    """A QEMU that speaks VFIO migration v2."""
    wanted = "install QEMU 8.1 or later"
    program = picture.qemu
    version = _version_of(program)
    if program is None or version is None:
        yield _no_version("qemu", "QEMU", program, remedy=wanted)
    elif version >= QEMU_SINCE:
        yield ok("qemu", _said(program), program.path)
    elif version >= QEMU_TRIAL:
        remedy = f"{wanted}: in 8.0 migration of VFIO devices is an experiment, off unless asked for"
        yield warn("qemu", _said(program), program.path, remedy=remedy)
    else:
        yield fail(
            "qemu", _said(program), program.path, remedy=f"{wanted}: this one knows no VFIO migration v2"
        )


def libvirt(picture: HostPicture) -> Iterator[Finding]:
    """A libvirt that lets guests with VFIO devices migrate."""
    wanted = "install libvirt 8.6 or later"
    program = picture.libvirt
    version = _version_of(program)
    if program is None or version is None:
        yield _no_version("libvirt", "libvirt", program, remedy=wanted)
    elif version >= LIBVIRT_SINCE:
        yield ok("libvirt", _said(program), program.path)
    elif version[:2] == LIBVIRT_CARRIED_BACK:
        remedy = f"{wanted}, or a distribution's 8.5 that has the change carried back (8.5.0-3 of EL)"
        yield warn("libvirt", _said(program), program.path, remedy=remedy)
    else:
        remedy = f"{wanted}: this one refuses to migrate every guest with a VFIO device"
        yield fail("libvirt", _said(program), program.path, remedy=remedy)


def _version_of(program: Program | None) -> Version | None:
    return version_in(program.said) if program is not None and program.said is not None else None


def _said(program: Program) -> str:
    return program.said or ""


def _no_version(check: str, name: str, program: Program | None, *, remedy: str) -> Finding:
    if program is None:
        return fail(check, f"no {name} is installed", "its usual places", remedy=remedy)
    seen = program.trouble or f"no version in {program.said!r:.80}"
    return unknown(check, seen, program.path, remedy=f"see `{program.path} --version`; {remedy}")


def iommu(picture: HostPicture) -> Iterator[Finding]:
    """IOMMU groups, without which no virtual function can be given to a guest."""
    if all(gpu.most_functions is None for gpu in picture.gpus):
        return
    if picture.iommu_groups:
        yield ok("iommu", f"{picture.iommu_groups} groups", IOMMU_GROUPS)
    else:
        yield fail(
            "iommu",
            "no groups",
            IOMMU_GROUPS,
            remedy="switch the IOMMU on in the firmware (VT-d, AMD-Vi) and in the kernel (intel_iommu=on)",
        )
