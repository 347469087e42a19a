"""What a write to a file of the tree does, with the errors that a kernel would give."""

from __future__ import annotations

import errno
from typing import NamedTuple, Protocol

from vgpu_migrate.errors import InputError, OutsideError, RefusedError
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.manager import DeviceId, Reason, Refusal, parse_uuid
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml import NvmlError
from vgpu_migrate.sysfs.fuse import FileError
from vgpu_migrate.sysfs.nodes import Action, CreateMdev, RemoveMdev, SetFunctions, SetPlacement, SetType

UUID_LENGTH = 36
LARGEST_NUMBER = (1 << 64) - 1

ERRNO_OF_REASON = {
    Reason.NO_ROOM: errno.ENOSPC,
    Reason.ALREADY_THERE: errno.EEXIST,
    Reason.IN_USE: errno.EBUSY,
}
"""What a refusal is to the writer; any other is EPERM. ENOSPC and EBUSY are our assumption."""


class CreateDevice(Protocol):
    """Makes a device, as `VgpuManager.create_device` does and with its errors."""

    def __call__(self, gpu: GpuId, vgpu_type: VgpuType, device: DeviceId, *, function: int | None) -> object:
        """Make it."""
        ...


class RemoveDevice(Protocol):
    """Ends a device, as `VgpuManager.remove_device` does and with its errors."""

    def __call__(self, device: DeviceId) -> object:
        """End it."""
        ...


class PlaceDevice(Protocol):
    """Moves a device, as `VgpuManager.place_device` does and with its errors."""

    def __call__(self, device: DeviceId, placement: int) -> object:
        """Move it."""
        ...


class Callbacks(NamedTuple):
    """What a host does for the writes to its sysfs; each changes it wholly or raises and changes nothing."""

    create_device: CreateDevice
    remove_device: RemoveDevice
    place_device: PlaceDevice


def do_write(action: Action, data: bytes, host: Callbacks) -> None:
    """Do what a write asks for, or change nothing.

    Raises:
        FileError: EINVAL what is written is not understood; EEXIST the UUID is taken; ENOSPC no room; EBUSY
            a VM uses the device, or the virtual function has another type; EPERM anything else that is
            refused; EIO the host could not keep the change.
    """
    try:
        match action:
            case CreateMdev():
                uuid = _uuid(data)
                host.create_device(action.gpu, action.type, DeviceId(uuid), function=action.function)
            case RemoveMdev():
                if _number(data):
                    host.remove_device(action.device)
            case SetType():
                _set_type(action, _number(data), host)
            case SetPlacement():
                placement = _number(data)
                if action.device is None:
                    raise FileError(errno.EINVAL)
                host.place_device(action.device, placement)
            case SetFunctions():
                _set_functions(action, _number(data))
    except RefusedError as error:
        raise FileError(_errno_of(error)) from error
    except (InputError, NvmlError) as error:
        raise FileError(errno.EINVAL) from error
    except OutsideError as error:
        raise FileError(errno.EIO) from error


def _errno_of(error: RefusedError) -> int:
    refusal = error.refusal
    return ERRNO_OF_REASON.get(refusal.reason, errno.EPERM) if isinstance(refusal, Refusal) else errno.EPERM


def _uuid(data: bytes) -> str:
    """A UUID as the kernel's mediated devices read one: 36 characters and at most one more, a newline."""
    parsed = None
    if len(data) == UUID_LENGTH or (len(data) == UUID_LENGTH + 1 and data.endswith(b"\n")):
        parsed = parse_uuid(data[:UUID_LENGTH].decode("ascii", "replace"))
    if parsed is None:
        raise FileError(errno.EINVAL)
    return parsed


def _number(data: bytes) -> int:
    """A number as the kernel reads one: decimal, or octal or hex with a prefix, and at most one newline."""
    said = data.removesuffix(b"\n")
    digits, base = said.removeprefix(b"+"), 10
    if digits[:2].lower() == b"0x":
        digits, base = digits[2:], 16
    elif digits[:1] == b"0":
        base = 8
    if not digits or not digits.isalnum():
        raise FileError(errno.EINVAL)
    try:
        number = int(digits, base)
    except ValueError:
        raise FileError(errno.EINVAL) from None
    if number > LARGEST_NUMBER:
        raise FileError(errno.ERANGE)
    return number


def _set_type(action: SetType, type_id: int, host: Callbacks) -> None:
    if type_id == 0:
        if action.device is not None:
            host.remove_device(action.device)
        return
    wanted = next((one for one in action.types if one.type_id == type_id), None)
    if wanted is None:
        raise FileError(errno.EINVAL)
    if action.device is not None:
        raise FileError(errno.EBUSY)
    host.create_device(action.gpu, wanted, action.new_device, function=action.function)


def _set_functions(action: SetFunctions, count: int) -> None:
    """The functions are always enabled, all of them: our choice. So only their present number is taken."""
    if count > action.number:
        raise FileError(errno.ERANGE)
    if count != action.number:
        raise FileError(errno.EBUSY)
