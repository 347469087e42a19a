"""The calls of `libnvidia-ml.so.1` in this process, through the functions that nvidia-ml-py has found in it.

nvidia-ml-py (`pip install 'vgpu-migrate[driver]'`) loads and initialises the library. Its own wrappers hand
out structures of a fixed size and announce 128 bytes where they have 80, so every buffer here is ours: as
long as the library asks for, and never announced as longer than it is.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from vgpu_migrate.errors import OutsideError
from vgpu_migrate.nvml import ERROR_BY_CODE, NvmlError, Return, UnknownError

LIBRARY = "libnvidia-ml.so.1"

LONGEST_RECORD = 1 << 20
"""Bytes of a metadata record at most; what claims to be longer is not read."""
LONGEST_LIST = 1 << 12
LONGEST_TEXT = 256
"""Bytes of the texts that are read here; NVML's own limits are 80 and 96."""
ASKED_AT_MOST = 8
"""How often a size is asked for again: what is read may grow between two calls."""


class DriverError(NvmlError):
    """The driver answered a code that the five functions do not document, such as GPU_IS_LOST."""

    def __init__(self, code: int, detail: str) -> None:
        self.code = Return(code) if code in list(Return) else Return.UNKNOWN
        super().__init__(detail if self.code == code else f"{detail}: code {code}")


class Binding:
    """An initialised library: each call by its name, with codes other than SUCCESS as `NvmlError`."""

    def __init__(self, find: Callable[[str], Any]) -> None:
        self._find = find

    def code(self, name: str, *arguments: Any) -> int:
        """Call a function and give its code; FUNCTION_NOT_FOUND where the library lacks it."""
        try:
            function = self._find(name)
        except LookupError:
            return int(Return.FUNCTION_NOT_FOUND)
        return int(function(*arguments))

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function.

        Raises:
            NvmlError: its code is not SUCCESS; `DriverError` for one that the five functions do not document.
        """
        _require_success(name, self.code(name, *arguments))

    def number(self, name: str, *arguments: Any) -> int:
        """The `unsigned int` that a function writes behind its arguments."""
        found = ctypes.c_uint(0)
        self.call(name, *arguments, ctypes.byref(found))
        return found.value

    def text(self, name: str, *arguments: Any) -> str:
        """The text that a function writes into a buffer, whose length it takes as its last argument."""
        buffer = ctypes.create_string_buffer(LONGEST_TEXT)
        self.call(name, *arguments, buffer, ctypes.c_uint(LONGEST_TEXT))
        return as_text(buffer.value)

    def numbers(self, name: str, *arguments: Any) -> tuple[int, ...]:
        """The list of `unsigned int` that a function writes, whose length it first asks for.

        Raises:
            NvmlError: as `call`; UnknownError where the list has no end.
        """
        count = ctypes.c_uint(0)
        code = self.code(name, *arguments, ctypes.byref(count), None)
        for _ in range(ASKED_AT_MOST):
            if code != Return.INSUFFICIENT_SIZE:
                break
            _require_length(name, count.value, LONGEST_LIST, "entries")
            room = count.value
            entries = (ctypes.c_uint * room)()
            code = self.code(name, *arguments, ctypes.byref(count), entries)
            if code == Return.SUCCESS:
                return tuple(entries[: min(count.value, room)])
        _require_success(name, code)
        return ()

    def record(self, name: str, subject: Any) -> bytes:
        """The whole metadata record that a function writes, however long it is.

        The size is asked for with a NULL buffer; a record that grows meanwhile is asked for again.

        Raises:
            NvmlError: as `call`; UnknownError where the size makes no sense.
        """
        size = ctypes.c_uint(0)
        code = self.code(name, subject, None, ctypes.byref(size))
        for _ in range(ASKED_AT_MOST):
            if code != Return.INSUFFICIENT_SIZE:
                break
            _require_length(name, size.value, LONGEST_RECORD, "bytes")
            room = size.value
            buffer = ctypes.create_string_buffer(room)
            code = self.code(name, subject, buffer, ctypes.byref(size))
            if code == Return.SUCCESS:
                _require_length(name, size.value, room, "bytes")
                return buffer.raw[: size.value]
        _require_success(name, code)
        raise UnknownError(f"{name} answers SUCCESS where it was asked for the size of a record")


def as_text(raw: bytes) -> str:
    """A text of the driver; what is not UTF-8 is spelled out."""
    return raw.decode("utf-8", "backslashreplace")


@contextmanager
def opened() -> Iterator[Binding]:
    """The library, initialised for as long as the `with` block lasts.

    Raises:
        OutsideError: there is no library, its driver is not loaded, or nvidia-ml-py is not installed.
    """
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        raise OutsideError(f"{LIBRARY} is not there: this machine has no NVIDIA driver") from None
    try:
        import pynvml
    except ImportError:
        raise OutsideError(
            "nvidia-ml-py is not installed, which the real driver is asked through: "
            "pip install 'vgpu-migrate[driver]'"
        ) from None

    def find(name: str) -> Any:
        try:
            return pynvml._nvmlGetFunctionPointer(name)
        except pynvml.NVMLError:
            raise LookupError(name) from None

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise OutsideError(_say_no_init(error.value)) from None
    try:
        yield Binding(find)
    finally:
        pynvml.nvmlShutdown()


def _say_no_init(code: int) -> str:
    if code == Return.DRIVER_NOT_LOADED:
        return f"{LIBRARY} is there, but the NVIDIA driver is not loaded"
    said = Return(code).text if code in list(Return) else f"code {code}"
    return f"{LIBRARY} cannot be initialised: {said}"


def _require_success(name: str, code: int) -> None:
    if code == Return.SUCCESS:
        return
    kind = ERROR_BY_CODE.get(code)
    raise DriverError(code, name) if kind is None else kind(name)


def _require_length(name: str, seen: int, most: int, unit: str) -> None:
    if seen > most:
        raise UnknownError(f"{name} speaks of {seen} {unit}; wanted at most {most}")
