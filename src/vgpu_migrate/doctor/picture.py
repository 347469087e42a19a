"""A host as the doctor sees it. None stands for what could not be seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from vgpu_migrate.nvml import VersionRange


class VfioSymbols(StrEnum):
    """What the kernel's table of symbols says of VFIO."""

    WITH_MIGRATION = "with migration v2"
    WITHOUT_MIGRATION = "without migration v2"
    ABSENT = "no VFIO"


class Program(NamedTuple):
    """A program of the host: the first line it says of its version, or why it says none."""

    path: str
    said: str | None
    trouble: str | None = None


class Face(StrEnum):
    """How the kernel shows a gpu's vgpus."""

    MDEV = "mediated devices"
    VENDOR_VFIO = "vendor VFIO"


@dataclass(frozen=True, slots=True)
class PciGpu:
    """A gpu on the PCI bus. `offering` counts the functions that offer vgpu types: its own, or virtual ones.

    `functions` are the virtual functions that are on, of `most_functions`, which is None without SR-IOV.
    """

    address: str
    bound_to: str | None = "nvidia"
    most_functions: int | None = None
    functions: int = 0
    face: Face | None = None
    offering: int = 0


@dataclass(frozen=True, slots=True)
class NvmlGpu:
    """A gpu as NVML describes it. `board` is its board's key, or the driver's own name for it."""

    id: str
    pci: str | None
    board: str
    is_vgpu_host: bool
    ecc: bool | None
    migration: bool | None


@dataclass(frozen=True, slots=True)
class Nvml:
    """What the driver answers. Ranges are None where it has none; `vms` have active vgpus."""

    driver: str
    gpus: tuple[NvmlGpu, ...]
    preset: VersionRange | None
    in_force: VersionRange | None
    vms: tuple[str, ...] = ()
    is_simulated: bool = False


class Options(NamedTuple):
    """A line of options for the kernel module `nvidia`, and the file that it stands in."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class HookFiles:
    """The hook's files.

    `missing` is a file that its script needs and that is not there; `trouble` says why its program does not
    run, None where it does or was not run.
    """

    is_there: bool = False
    is_ours: bool = False
    is_executable: bool = False
    missing: str | None = None
    trouble: str | None = None
    has_settings: bool = False
    settings_trouble: str | None = None


class UnitFile(NamedTuple):
    """A systemd unit of ours."""

    is_there: bool = False
    is_enabled: bool = False


NO_HOOK, NO_UNIT = HookFiles(), UnitFile()


@dataclass(frozen=True, slots=True)
class HostPicture:
    """A host at one moment.

    `modules` are kernel modules with their versions, empty text where they have none; `software` the files
    of the vGPU Manager's package; `registry` the registry words in force of the module `nvidia`, `options`
    what it will be given when it is loaded again. `nvml_trouble` says why there is no `nvml`;
    None where nobody asked.
    """

    host: str
    root: str = "/"
    kernel: str | None = None
    vfio: VfioSymbols | None = None
    iommu_groups: int | None = None
    qemu: Program | None = None
    libvirt: Program | None = None
    modules: tuple[tuple[str, str], ...] = ()
    software: tuple[str, ...] = ()
    is_manager_running: bool | None = None
    registry: str | None = None
    options: tuple[Options, ...] = ()
    gpus: tuple[PciGpu, ...] = ()
    nvml: Nvml | None = None
    nvml_trouble: str | None = None
    hook: HookFiles = NO_HOOK
    pin: VersionRange | None = None
    pin_trouble: str | None = None
    pin_unit: UnitFile = NO_UNIT
    watch_unit: UnitFile = NO_UNIT

    def module(self, name: str) -> str | None:
        """The version of a kernel module that is loaded; None: it is not."""
        return dict(self.modules).get(name)
