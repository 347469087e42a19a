"""Checks of the driver and its gpus: vGPU Manager, migration, virtual functions, vgpu types, ECC."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vgpu_migrate.doctor.findings import Finding, fail, ok, unknown, warn
from vgpu_migrate.doctor.picture import HostPicture, NvmlGpu, PciGpu

DRIVER_MODULE, MANAGER_MODULE = "nvidia", "nvidia_vgpu_vfio"
MODULES = "/sys/module"
PCI_DEVICES = "/sys/bus/pci/devices"
PROCESSES = "/proc/*/comm"
MANAGER_DAEMON = "nvidia-vgpu-mgr"
PARAMETERS = "/proc/driver/nvidia/params"
NVML = "NVML"
CAPABILITY = "NVML, pgpuVirtualizationCaps"

_SWITCH = "RMEnableVgpuMigration"
_SET = re.compile(rf"{_SWITCH}\s*=\s*(0x[0-9a-f]+|[0-9]+)", re.IGNORECASE)


def switch_in(words: str) -> bool | None:
    """Whether registry words switch vGPU migration on or off, the last counting; None: they do not say."""
    found = _SET.findall(words)
    return int(found[-1], 0 if found[-1].lower().startswith("0x") else 10) != 0 if found else None


def manager(picture: HostPicture) -> Iterator[Finding]:
    """The vGPU Manager's kernel module, loaded, and of the driver's version."""
    driver, version = picture.module(DRIVER_MODULE), picture.module(MANAGER_MODULE)
    where = f"{MODULES}/{MANAGER_MODULE}"
    if version is not None and driver and version and version != driver:
        yield fail(
            "manager",
            f"{MANAGER_MODULE} {version} beside {DRIVER_MODULE} {driver}",
            where,
            remedy="reboot, or unload both modules and load them again: they have to be of one version",
        )
    elif version is not None:
        yield ok("manager", f"{MANAGER_MODULE} {version}".strip(), where)
    elif picture.nvml is not None and _vgpu_hosts(picture):
        yield ok(
            "manager", f"driver {picture.nvml.driver}, {len(_vgpu_hosts(picture))} gpus are vGPU hosts", NVML
        )
    else:
        yield fail(
            "manager",
            "the vGPU Manager is installed and not loaded",
            where,
            remedy=f"modprobe {MANAGER_MODULE}; dmesg says why it was not loaded when the host started",
        )


def daemon(picture: HostPicture) -> Iterator[Finding]:
    """The vGPU Manager's process, without which no vgpu starts."""
    if picture.nvml is not None and picture.nvml.is_simulated:
        yield ok("daemon", "a simulated host, which is its own vGPU Manager", NVML)
    elif picture.is_manager_running:
        yield ok("daemon", f"{MANAGER_DAEMON} is running", PROCESSES)
    elif picture.is_manager_running is None:
        yield unknown("daemon", "no processes are seen", PROCESSES, remedy="examine the host itself")
    else:
        yield fail(
            "daemon",
            f"{MANAGER_DAEMON} is not running",
            PROCESSES,
            remedy=f"systemctl enable --now {MANAGER_DAEMON}; its journal says why it ended",
        )


def migration_switch(picture: HostPicture) -> Iterator[Finding]:
    """The module parameter that switches vGPU migration off, in force and at the next load."""
    check = "migration-switch"
    later = [option for option in picture.options if switch_in(option.text) is not None]
    last = later[-1] if later else None
    now = None if picture.registry is None else switch_in(picture.registry)
    if now is False:
        file = last.file if last is not None else "/etc/modprobe.d"
        yield fail(
            check,
            f"{_SWITCH}=0 is in force",
            PARAMETERS,
            remedy=f"set {_SWITCH}=1 in NVreg_RegistryDwords ({file}), and load the driver again",
        )
    elif last is not None and switch_in(last.text) is False:
        yield warn(
            check,
            f"{_SWITCH}=0 from the next load of the driver on",
            last.file,
            remedy=f"set {_SWITCH}=1 there, or take it out",
        )
    elif picture.registry is not None:
        yield ok(check, f"{_SWITCH}=1" if now else f"{_SWITCH} is not set", PARAMETERS)
    elif last is not None:
        yield ok(check, f"{_SWITCH}=1 at the load of the driver", last.file)
    elif picture.nvml is not None and picture.nvml.is_simulated:
        yield ok(check, "a simulated host, which has no module parameters", NVML)
    else:
        yield unknown(
            check,
            "the module's parameters cannot be read",
            PARAMETERS,
            remedy="run as root, on the host itself",
        )


def functions(picture: HostPicture) -> Iterator[Finding]:
    """Of each gpu: bound to the driver, virtual functions on, vgpu types on offer."""
    if not picture.gpus:
        yield unknown(
            "functions",
            "no NVIDIA gpu",
            PCI_DEVICES,
            remedy="examine the host itself; a simulated one with `vgpu-migrate sim --over-sys`",
        )
    for gpu in picture.gpus:
        yield _functions_of(gpu)


def _functions_of(gpu: PciGpu) -> Finding:
    check, at = "functions", gpu.address
    where = f"{PCI_DEVICES}/{at}"
    if gpu.bound_to != DRIVER_MODULE and (gpu.bound_to is not None or gpu.face is None):
        return warn(
            check,
            f"bound to {gpu.bound_to or 'no driver'}",
            f"{where}/driver",
            about=at,
            remedy=f"bind it to {DRIVER_MODULE} to have vgpus on it; so it can only be given away whole",
        )
    if gpu.most_functions and not gpu.functions:
        return fail(
            check,
            f"0 of {gpu.most_functions} virtual functions on",
            f"{where}/sriov_numvfs",
            about=at,
            remedy=f"/usr/lib/nvidia/sriov-manage -e {at}, at every start of the host",
        )
    on = f"{gpu.functions} of {gpu.most_functions} virtual functions on"
    seen = on if gpu.most_functions else "without SR-IOV"
    if gpu.face is None:
        return fail(
            check,
            f"{seen}, no vgpu types on offer",
            where,
            about=at,
            remedy="load the vGPU Manager; `nvidia-smi vgpu -s` says whether the driver supports vgpus on it",
        )
    offering = f" of {gpu.offering} functions" if gpu.most_functions else ""
    return ok(check, f"{seen}, {gpu.face.value}{offering}", where, about=at)


def migration(picture: HostPicture) -> Iterator[Finding]:
    """The driver's own word on each gpu: whether its vgpus can migrate."""
    if picture.nvml is None:
        yield _unasked("migration", picture)
        return
    for gpu in picture.nvml.gpus:
        if gpu.migration:
            yield ok("migration", f"{gpu.board}: can migrate", CAPABILITY, about=_name(gpu))
        elif not gpu.is_vgpu_host:
            yield warn(
                "migration",
                f"{gpu.board}: not a vGPU host",
                NVML,
                about=_name(gpu),
                remedy="`nvidia-smi vgpu -s` says whether the driver supports vgpus on it",
            )
        else:
            yield fail(
                "migration",
                f"{gpu.board}: cannot migrate",
                CAPABILITY,
                about=_name(gpu),
                remedy=f"see migration-switch; else the log of {MANAGER_DAEMON} tells why",
            )


def ecc(picture: HostPicture) -> Iterator[Finding]:
    """ECC of each gpu, and whether those of one board are alike: a vgpu goes live only to its like."""
    if picture.nvml is None:
        yield _unasked("ecc", picture)
        return
    boards: dict[str, list[NvmlGpu]] = {}
    for gpu in picture.nvml.gpus:
        boards.setdefault(gpu.board, []).append(gpu)
    for board, gpus in boards.items():
        on = sum(bool(gpu.ecc) for gpu in gpus)
        for gpu in gpus:
            seen = f"{board}: {'on' if gpu.ecc else 'off' if gpu.ecc is not None else 'it has none'}"
            if on in (0, len(gpus)):
                yield ok("ecc", seen, NVML, about=_name(gpu))
                continue
            yield fail(
                "ecc",
                f"{seen}, and on for {on} of {len(gpus)}",
                NVML,
                about=_name(gpu),
                remedy=f"make them alike, here and on other hosts: nvidia-smi -i {gpu.pci or gpu.id} -e "
                f"{int(not gpu.ecc)} for this one or the reverse for the others, without guests, then reboot",
            )


def _unasked(check: str, picture: HostPicture) -> Finding:
    return unknown(
        check,
        picture.nvml_trouble or "the driver was not asked",
        NVML,
        remedy="examine the host itself, as root, with nvidia-ml-py installed",
    )


def _name(gpu: NvmlGpu) -> str:
    return gpu.pci or gpu.id


def _vgpu_hosts(picture: HostPicture) -> list[NvmlGpu]:
    return [] if picture.nvml is None else [gpu for gpu in picture.nvml.gpus if gpu.is_vgpu_host]
