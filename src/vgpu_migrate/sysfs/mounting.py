"""Mounting and unmounting a FUSE filesystem: by the system call where we may, else with `fusermount3`."""

from __future__ import annotations

import array
import ctypes
import errno
import os
import shutil
import socket
import subprocess
from pathlib import Path

from vgpu_migrate.errors import OutsideError

DEVICE = "/dev/fuse"
NAME = "vgpu-migrate"
"""What the list of mounts names as the source of ours."""

_NO_SUID, _NO_DEVICES, _NO_EXECUTION = 2, 4, 8
_DETACH = 2
_PATIENCE_S = 10
_HELPERS = ("fusermount3", "fusermount")


def mount(directory: Path) -> int:
    """Mount a FUSE filesystem, for this user alone, on a directory that is there.

    Returns:
        The descriptor on which the kernel asks; it does not block. Closing it ends the filesystem.

    Raises:
        OutsideError: FUSE is missing on this machine, or the mount is not allowed; says what to install.
    """
    if not os.path.exists(DEVICE):
        raise OutsideError(f"{DEVICE} is missing: the kernel module fuse is wanted (modprobe fuse)")
    try:
        return _mount_by_call(directory)
    except PermissionError:
        return _mount_by_helper(directory)
    except OSError as error:
        raise OutsideError(f"{directory}: cannot mount a FUSE filesystem: {error.strerror}") from error


def _mount_by_call(directory: Path) -> int:
    descriptor = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    options = f"fd={descriptor},rootmode=40755,user_id={os.getuid()},group_id={os.getgid()}"
    try:
        _call_mount(directory, options)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _call_mount(directory: Path, options: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _NO_SUID | _NO_DEVICES | _NO_EXECUTION
    done = libc.mount(NAME.encode(), os.fsencode(directory), b"fuse", ctypes.c_ulong(flags), options.encode())
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _helper() -> str | None:
    return next((found for name in _HELPERS if (found := shutil.which(name))), None)


def _mount_by_helper(directory: Path) -> int:
    helper = _helper()
    if helper is None:
        raise OutsideError(f"{directory}: only root may mount without fusermount3; install the package fuse3")
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, its:
        done = subprocess.run(  # noqa: S603 (a fixed program with a list of arguments)
            [helper, "-o", f"fsname={NAME},nosuid,nodev,noexec", "--", str(directory)],
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            pass_fds=[its.fileno()],
            env={**os.environ, "_FUSE_COMMFD": str(its.fileno())},
        )
        if done.returncode != 0:
            raise OutsideError(f"{directory}: {done.stderr.strip() or f'{helper} failed'}")
        size = array.array("i").itemsize
        _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(size))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptor = int.from_bytes(data[:size], "little")
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)
            return descriptor
    raise OutsideError(f"{directory}: {helper} gave no descriptor")


def unmount(directory: Path) -> None:
    """Take a mount away at once; programs that still have files of it open get errors from it.

    Nothing happens where there is none.

    Raises:
        OutsideError: it is not allowed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(directory), _DETACH) == 0:
        return
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOENT):
        return
    helper = _helper() if number == errno.EPERM else None
    said = os.strerror(number)
    if helper is not None:
        done = subprocess.run(  # noqa: S603 (a fixed program with a list of arguments)
            [helper, "-u", "-z", "--", str(directory)],
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
        )
        if done.returncode == 0:
            return
        said = done.stderr.strip() or said
    raise OutsideError(f"{directory}: cannot be unmounted: {said}")


def is_dead_mount(directory: Path) -> bool:
    """Whether a FUSE filesystem is mounted there whose program has ended."""
    try:
        os.stat(directory)
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def is_our_mount(directory: Path) -> bool:
    """Whether a mount of this program's kind is on the directory now."""
    # The paths in the list are spelled as the kernel sees them, with octal for white space.
    wanted = os.fsencode(os.path.realpath(directory))
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        fields = line.split(b" ")
        there = fields[4].replace(b"\\040", b" ").replace(b"\\011", b"\t").replace(b"\\012", b"\n")
        if there.replace(b"\\134", b"\\") == wanted and NAME.encode() in fields[fields.index(b"-") :]:
            return True
    return False
