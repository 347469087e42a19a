"""Takes the picture of a host: its files below a root, its driver through NVML, the versions of two programs.

Nothing is changed. Programs are run and NVML is asked on this very machine alone, never for another root.
"""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from vgpu_migrate.compat import read_gpu_record
from vgpu_migrate.doctor.gpu_checks import (
    DRIVER_MODULE,
    MANAGER_DAEMON,
    MANAGER_MODULE,
    MODULES,
    PARAMETERS,
    PCI_DEVICES,
)
from vgpu_migrate.doctor.picture import (
    Face,
    HookFiles,
    HostPicture,
    Nvml,
    NvmlGpu,
    Options,
    PciGpu,
    Program,
    UnitFile,
    VfioSymbols,
)
from vgpu_migrate.doctor.platform_checks import IOMMU_GROUPS, KERNEL_RELEASE, SYMBOLS
from vgpu_migrate.doctor.tree import HostTree
from vgpu_migrate.errors import InputError, OutsideError, Problem, RecordError
from vgpu_migrate.hosts.driver import DriverGpu, DriverHost
from vgpu_migrate.hosts.driver_prediction import board_of
from vgpu_migrate.hosts.nvml_binding import opened
from vgpu_migrate.hosts.pin import vms_with_vgpus
from vgpu_migrate.nvml import (
    VIRTUALIZATION_CAP_MIGRATION,
    NotSupportedError,
    NvmlError,
    PgpuMetadata,
    VersionRange,
)
from vgpu_migrate.pinio import PIN_FILE, read_pin
from vgpu_migrate.units.place import PIN_UNIT, UNITS, WATCH_UNIT, enabling_links
from vgpu_migrate.vmm.hook_files import MARK, SCRIPT, trouble_with
from vgpu_migrate.vmm.hook_settings import SETTINGS, read_settings

QEMU = ("/usr/libexec/qemu-kvm", "/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-system-aarch64")
LIBVIRT = ("/usr/sbin/virtqemud", "/usr/sbin/libvirtd")
SOFTWARE = ("/usr/bin/nvidia-vgpu-mgr", "/usr/bin/nvidia-vgpud", "/usr/lib/nvidia/sriov-manage")
OPTIONS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
ANSWERS_WITHIN_S = 10

_NVIDIA, _DISPLAY = "0x10de", "0x03"
_MIGRATION_SYMBOL = b"vfio_mig_get_next_state"
"""Exported by the VFIO of every kernel with migration v2, and by no other."""


def take_picture(root: str | Path = "/", *, asks_nvml: bool | None = None) -> HostPicture:
    """A host as it is now.

    Args:
        root: the root directory of the host; of another machine's captured tree, any directory.
        asks_nvml: whether this machine's NVML is asked; None: where the root is this machine's own.

    Raises:
        InputError: the root is no directory.
    """
    tree = HostTree(root)
    if not tree.path("/").is_dir():
        raise InputError(Problem(str(root), "no directory", "wanted the root of a host"))
    asks = tree.is_this_machine if asks_nvml is None else asks_nvml
    nvml, trouble = _nvml() if asks else (None, None)
    pin, pin_trouble = _pin(tree)
    return HostPicture(
        host=_host(tree),
        root=str(root),
        kernel=tree.text(KERNEL_RELEASE),
        vfio=_vfio(tree),
        iommu_groups=len(tree.names(IOMMU_GROUPS)) if tree.is_there(IOMMU_GROUPS) else None,
        qemu=_program(tree, QEMU),
        libvirt=_program(tree, LIBVIRT),
        modules=_modules(tree),
        software=tuple(path for path in SOFTWARE if tree.is_there(path)),
        is_manager_running=_is_manager_running(tree),
        registry=_registry(tree),
        options=_options(tree),
        gpus=_gpus(tree),
        nvml=nvml,
        nvml_trouble=trouble,
        hook=_hook(tree),
        pin=pin,
        pin_trouble=pin_trouble,
        pin_unit=_unit(tree, PIN_UNIT),
        watch_unit=_unit(tree, WATCH_UNIT),
    )


def _host(tree: HostTree) -> str:
    if tree.is_this_machine:
        return socket.gethostname()
    return tree.text("/etc/hostname") or tree.path("/").name or "the host"


def _vfio(tree: HostTree) -> VfioSymbols | None:
    seen = None
    for line in tree.lines(SYMBOLS):
        name = line.split(b" ", 2)[-1].split(b"\t", 1)[0]
        if name == _MIGRATION_SYMBOL:
            return VfioSymbols.WITH_MIGRATION
        if name.startswith(b"vfio_"):
            seen = VfioSymbols.WITHOUT_MIGRATION
        elif seen is None:
            seen = VfioSymbols.ABSENT
    return seen


def _program(tree: HostTree, paths: Sequence[str]) -> Program | None:
    path = next((path for path in paths if tree.is_file(path)), None)
    if path is None:
        return None
    if not tree.is_this_machine:
        return Program(path, None, "not run: it is a program of another root")
    return _asked(path)


def _asked(path: str) -> Program:
    try:
        done = subprocess.run(  # noqa: S603 (one of a few fixed paths, with a list of arguments)
            [path, "--version"],
            env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=ANSWERS_WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        return Program(path, None, f"no answer to --version within {ANSWERS_WITHIN_S} s")
    except OSError as error:
        return Program(path, None, f"cannot be run: {error.strerror}")
    if done.returncode != 0:
        return Program(path, None, f"--version ends with status {done.returncode}")
    lines = done.stdout[:4096].decode("utf-8", "backslashreplace").splitlines()
    return Program(path, lines[0].strip() if lines else "")


def _modules(tree: HostTree) -> tuple[tuple[str, str], ...]:
    there = [name for name in (DRIVER_MODULE, MANAGER_MODULE) if tree.is_there(f"{MODULES}/{name}")]
    return tuple((name, tree.text(f"{MODULES}/{name}/version") or "") for name in there)


def _is_manager_running(tree: HostTree) -> bool | None:
    processes = [name for name in tree.names("/proc") if name.isdecimal()]
    if not processes:
        return None
    return any(tree.text(f"/proc/{name}/comm") == MANAGER_DAEMON for name in processes)


def _registry(tree: HostTree) -> str | None:
    """The registry words that the module `nvidia` was loaded with, as it shows them itself."""
    said = tree.text(PARAMETERS)
    if said is None:
        return None
    found = re.findall(r"^(?:NVreg_)?RegistryDwords(?:PerDevice)?:\s*(.*)$", said, re.MULTILINE)
    return "; ".join(found)


def _options(tree: HostTree) -> tuple[Options, ...]:
    """What modprobe gives the module, by file name: a file hides those of its name in later directories."""
    files: dict[str, str] = {}
    for folder in OPTIONS:
        for name in tree.names(folder):
            if name.endswith(".conf"):
                files.setdefault(name, f"{folder}/{name}")
    found = []
    for _, path in sorted(files.items()):
        text = (tree.text(path) or "").replace("\\\n", " ")
        for line in text.splitlines():
            words = line.split(None, 2)
            if len(words) == 3 and words[0] == "options" and words[1].replace("-", "_") == DRIVER_MODULE:
                found.append(Options(path, words[2]))
    return tuple(found)


def _gpus(tree: HostTree) -> tuple[PciGpu, ...]:
    addresses = tree.names(PCI_DEVICES)
    return tuple(_gpu(tree, address) for address in addresses if _is_gpu(tree, address))


def _is_gpu(tree: HostTree, address: str) -> bool:
    at = f"{PCI_DEVICES}/{address}"
    # By the name alone: a tree that was copied with its links followed has directories in their places.
    if tree.text(f"{at}/vendor") != _NVIDIA or "physfn" in tree.names(at):
        return False
    return (tree.text(f"{at}/class") or _DISPLAY).startswith(_DISPLAY)


def _gpu(tree: HostTree, address: str) -> PciGpu:
    at = f"{PCI_DEVICES}/{address}"
    functions = [f"{at}/{name}" for name in tree.names(at) if re.fullmatch(r"virtfn\d+", name)]
    offering = [face for function in (at, *functions) if (face := _face(tree, function)) is not None]
    return PciGpu(
        address=address,
        bound_to=tree.link(f"{at}/driver"),
        most_functions=tree.number(f"{at}/sriov_totalvfs") or None,
        functions=tree.number(f"{at}/sriov_numvfs") or 0,
        face=offering[0] if offering else None,
        offering=len(offering),
    )


def _face(tree: HostTree, at: str) -> Face | None:
    if tree.names(f"{at}/mdev_supported_types"):
        return Face.MDEV
    return Face.VENDOR_VFIO if tree.is_there(f"{at}/nvidia/creatable_vgpu_types") else None


def _nvml() -> tuple[Nvml | None, str | None]:
    """What the driver answers, or why it does not."""
    try:
        with opened() as binding:
            host = DriverHost(binding)
            gpus = host.describe()
            records = {gpu.id: host.gpu_metadata(gpu.id) for gpu in gpus if gpu.is_vgpu_host}
            preset, in_force = _ranges(host)
            found = Nvml(
                driver=host.driver_version(),
                gpus=tuple(_nvml_gpu(gpu, records.get(gpu.id)) for gpu in gpus),
                preset=preset,
                in_force=in_force,
                vms=vms_with_vgpus(host),
                is_simulated=any(_is_simulated(record) for record in records.values()),
            )
    except OutsideError as error:
        return None, str(error)
    except (NvmlError, RecordError) as error:
        return None, f"the driver fails: {error}"
    return found, None


def _ranges(host: DriverHost) -> tuple[VersionRange | None, VersionRange | None]:
    try:
        return host.vgpu_versions()
    except NotSupportedError:
        return None, None


def _nvml_gpu(gpu: DriverGpu, record: bytes | None) -> NvmlGpu:
    migration = None
    if record is not None:
        caps = PgpuMetadata.from_fixed_part(record).virtualization_caps
        migration = bool(caps & VIRTUALIZATION_CAP_MIGRATION)
    return NvmlGpu(gpu.id, gpu.pci, board_of(gpu) or gpu.name, gpu.is_vgpu_host, gpu.ecc, migration)


def _is_simulated(record: bytes) -> bool:
    """Whether a record is of this project's own vGPU Manager."""
    try:
        read_gpu_record(record)
    except RecordError:
        return False
    return True


def _hook(tree: HostTree) -> HookFiles:
    path = str(SCRIPT)
    text = tree.text(path) or ""
    trouble = None
    try:
        read_settings(tree.file(str(SETTINGS)))
    except InputError as error:
        trouble = str(error)
    is_ours, needed = MARK.strip() in text, _needed(text)
    missing = next((one for one in needed if not tree.is_there(one)), None)
    runs = tree.is_this_machine and is_ours and bool(needed) and missing is None
    return HookFiles(
        is_there=tree.is_there(path),
        is_ours=is_ours,
        is_executable=tree.is_there(path) and bool(tree.path(path).stat().st_mode & 0o111),
        missing=missing,
        trouble=trouble_with(Path(needed[0])) if runs else None,
        has_settings=tree.is_there(str(SETTINGS)),
        settings_trouble=trouble,
    )


def _needed(script: str) -> list[str]:
    """The interpreter and the module that the hook's script names."""
    found = re.search(r"^python=(.+)$", script, re.MULTILINE)
    module = re.search(r"\[ -e (.+) \]; then$", script, re.MULTILINE)
    try:
        return [word for match in (found, module) if match for word in shlex.split(match[1])]
    except ValueError:
        return []


def _pin(tree: HostTree) -> tuple[VersionRange | None, str | None]:
    try:
        return read_pin(tree.file(str(PIN_FILE))), None
    except InputError as error:
        return None, str(error)


def _unit(tree: HostTree, name: str) -> UnitFile:
    links = enabling_links(tree.path("/"), name)
    return UnitFile(tree.is_there(f"{UNITS}/{name}"), bool(links))
