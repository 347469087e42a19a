"""A live host's sysfs for `sim` and `hostd`: on a directory, or in the place of /sys for one program."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vgpu_migrate.errors import OutsideError
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.hostd import RunningHost
from vgpu_migrate.manager import DeviceId
from vgpu_migrate.model import GpuId
from vgpu_migrate.sysfs import SysfsModel, SysfsMount

SYS = "/sys"
_BIND_AND_RUN = 'mount --bind "$0" /sys && exec "$@"'


@contextmanager
def sysfs_shown(
    running: RunningHost, directory: str | Path, *, model: str | None, rest_of: str | None = None
) -> Iterator[Path]:
    """The host's sysfs on a directory for as long as the `with` block lasts; writes to it change the host.

    `model` is one of `SysfsModel`, AUTO if there is none.

    Raises:
        InputError: the directory is none.
        OutsideError: FUSE is missing or not allowed.
    """
    keeper = running.keeper

    def create_device(gpu: GpuId, vgpu_type: VgpuType, device: DeviceId, *, function: int | None) -> object:
        with keeper.changing() as draft:
            return draft.manager.create_device(gpu, vgpu_type, device, function=function)

    def remove_device(device: DeviceId) -> None:
        with keeper.changing() as draft:
            draft.manager.remove_device(device)

    def place_device(device: DeviceId, placement: int) -> None:
        with keeper.changing() as draft:
            draft.manager.place_device(device, placement)

    with SysfsMount(
        directory,
        state=lambda: keeper.now.state,
        create_device=create_device,
        remove_device=remove_device,
        place_device=place_device,
        model=SysfsModel.AUTO if model is None else SysfsModel(model),
        rest_of=rest_of,
    ) as mounted:
        yield mounted.directory


@contextmanager
def in_place_of_sys(
    running: RunningHost, directory: str | None, command: Sequence[str], *, model: str | None
) -> Iterator[list[str]]:
    """The command line that runs `command` where the host's sysfs is bound over /sys, for it alone.

    Where the host's sysfs has nothing the machine's own shows, to be read only. A user who is not root gets a
    user namespace, in which the command sees itself as root and is allowed no more than before.

    Raises:
        OutsideError: `unshare` is missing, or FUSE is missing or not allowed.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        raise OutsideError("--over-sys wants the program unshare (on Debian: apt-get install util-linux)")
    namespaces = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    with tempfile.TemporaryDirectory(prefix="vgpu-migrate-") as private:
        place = directory or Path(private) / "sys"
        with sysfs_shown(running, place, model=model, rest_of=SYS) as mounted:
            yield [unshare, *namespaces, "--", "sh", "-c", _BIND_AND_RUN, str(mounted.absolute()), *command]
