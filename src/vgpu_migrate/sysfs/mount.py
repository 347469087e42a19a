"""A live host's sysfs on a directory: mounted, served by a thread, and taken away again."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from vgpu_migrate.errors import InputError, OutsideError, Problem
from vgpu_migrate.manager import DeviceId, HostState
from vgpu_migrate.sysfs.files import HostFiles, RestOfSysfs
from vgpu_migrate.sysfs.fuse import REQUEST_SIZE, FileError, FuseSession
from vgpu_migrate.sysfs.inventory import SysfsModel
from vgpu_migrate.sysfs.mounting import is_dead_mount, is_our_mount, mount, unmount
from vgpu_migrate.sysfs.tree import sysfs_tree
from vgpu_migrate.sysfs.writes import Callbacks, CreateDevice, PlaceDevice, RemoveDevice


class SysfsMount:
    """The sysfs of a host on a directory, from `start` to `stop`, for this user alone.

    A thread of its own answers the kernel. It calls back into the host and waits for nothing else, and every
    wait of Python's for a file lets other threads go on, so the same process may use the mount too. Only a
    callback may not: the thread cannot answer it while it waits for it.

    Args:
        directory: where to mount; made, owner-only, if it is not there.
        state: gives the host's present state.
        create_device: as `VgpuManager.create_device`.
        remove_device: as `VgpuManager.remove_device`.
        place_device: as `VgpuManager.place_device`; None: writes to `placement_id` answer EPERM.
        model: mediated devices or vendor VFIO; by driver and gpu if not given.
        rest_of: a real sysfs that shows, to be read only, wherever the host's has nothing; None: none.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        state: Callable[[], HostState],
        create_device: CreateDevice,
        remove_device: RemoveDevice,
        place_device: PlaceDevice | None = None,
        model: SysfsModel = SysfsModel.AUTO,
        rest_of: str | Path | None = None,
    ) -> None:
        self.directory = Path(directory).absolute()
        self._state = state
        self._host = Callbacks(create_device, remove_device, place_device or _cannot_place)
        self._model = model
        self._rest_of = rest_of
        self._rest: RestOfSysfs | None = None
        self._thread: threading.Thread | None = None
        self._wake: int | None = None
        self._made_directory = False

    def start(self) -> None:
        """Mount, and answer from now on. What a host that was killed has left there is taken away first.

        Raises:
            InputError: the directory is none, or two PCI functions of the host have one address.
            OutsideError: FUSE is missing or not allowed, or a living host's sysfs is there.
        """
        assert self._thread is None, "started already"
        sysfs_tree(self._state(), self._model)
        self._prepare()
        if self._rest_of is not None:
            self._rest = RestOfSysfs(str(self._rest_of))
        files = HostFiles(
            state=self._state,
            host=self._host,
            model=self._model,
            rest=self._rest,
        )
        try:
            descriptor = mount(self.directory)
        except OutsideError:
            self._clean_up()
            raise
        asleep, self._wake = os.pipe()
        self._thread = threading.Thread(
            target=_serve, args=(FuseSession(files), descriptor, asleep), name="sysfs", daemon=True
        )
        self._thread.start()

    def _prepare(self) -> None:
        is_ours, is_dead = is_our_mount(self.directory), is_dead_mount(self.directory)
        if is_ours and not is_dead:
            raise OutsideError(f"{self.directory}: the sysfs of a simulated host that lives is mounted there")
        if is_dead and not is_ours:
            said = (
                "the FUSE filesystem of another program that has ended is mounted there; wanted it unmounted"
            )
            raise OutsideError(f"{self.directory}: {said}")
        if is_dead:
            unmount(self.directory)
        try:
            try:
                self.directory.mkdir(mode=0o700)
                self._made_directory = True
            except FileExistsError:
                self._require_empty()
        except OSError as error:
            raise InputError(
                Problem(str(self.directory), f"{error.strerror}", "wanted a directory to mount on")
            ) from None

    def _require_empty(self) -> None:
        if not self.directory.is_dir():
            raise InputError(Problem(str(self.directory), "not a directory", "wanted one to mount on"))
        if any(self.directory.iterdir()):
            wanted = "wanted an empty directory, or none: a mount hides what is there"
            raise InputError(Problem(str(self.directory), "not empty", wanted))

    def stop(self) -> None:
        """Unmount, at once; programs that have files of it open get errors from them. Can be called again.

        Raises:
            OutsideError: the mount cannot be taken away.
        """
        if self._thread is None:
            return
        try:
            unmount(self.directory)
        finally:
            assert self._wake is not None
            os.close(self._wake)
            self._thread.join()
            self._thread = self._wake = None
            self._clean_up()

    def _clean_up(self) -> None:
        if self._rest is not None:
            self._rest.close()
            self._rest = None
        if self._made_directory:
            with contextlib.suppress(OSError):
                self.directory.rmdir()
            self._made_directory = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _cannot_place(device: DeviceId, placement: int) -> None:
    raise FileError(errno.EPERM)


def _serve(session: FuseSession, descriptor: int, asleep: int) -> None:
    """Answer until the mount is gone, or the other end of the pipe `asleep` is closed."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.register(asleep, select.POLLIN)
    try:
        while True:
            ready = dict(poll.poll())
            if asleep in ready or ready.get(descriptor, 0) & select.POLLERR:
                return
            try:
                request = os.read(descriptor, REQUEST_SIZE)
            except (BlockingIOError, FileNotFoundError):  # the asker was interrupted
                continue
            except OSError:  # ENODEV: unmounted
                return
            answer = session.answer(request)
            if answer is not None:
                # ENOENT: the asker has gone meanwhile.
                with contextlib.suppress(OSError):
                    os.write(descriptor, answer)
    finally:
        os.close(descriptor)
        os.close(asleep)
