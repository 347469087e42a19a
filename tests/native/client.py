"""NVML as a C program calls it, by ctypes: structures, and lists and texts in one line."""

from __future__ import annotations

import ctypes
from typing import Any

U32, U64, TEXT = ctypes.c_uint, ctypes.c_ulonglong, 256


def version_of(structure: type[ctypes.Structure], number: int) -> int:
    """The version word that a structure carries."""
    return ctypes.sizeof(structure) | number << 24


class Mode(ctypes.Structure):
    """`nvmlVgpuHeterogeneousMode_t`, and any structure of a version and one number."""

    _fields_ = (("version", U32), ("number", U32))


class Size(ctypes.Structure):
    """`nvmlVgpuRuntimeState_t`, and any structure of a version and one long number."""

    _fields_ = (("version", U32), ("number", U64))


class Placements(ctypes.Structure):
    """`nvmlVgpuPlacementList_t`, second version."""

    _fields_ = (
        ("version", U32),
        ("size", U32),
        ("count", U32),
        ("ids", ctypes.POINTER(U32)),
        ("mode", U32),
    )


class FirstPlacements(ctypes.Structure):
    """`nvmlVgpuPlacementList_v1_t`, which ends before the mode."""

    _fields_ = Placements._fields_[:-1]


class Branch(ctypes.Structure):
    """`nvmlSystemDriverBranchInfo_t`."""

    _fields_ = (("version", U32), ("text", ctypes.c_char * 80))


class Memory(ctypes.Structure):
    """`nvmlMemory_v2_t`."""

    _fields_ = (("version", U32), ("total", U64), ("reserved", U64), ("free", U64), ("used", U64))


class FirstProcess(ctypes.Structure):
    """`nvmlProcessInfo_v1_t`."""

    _fields_ = (("pid", U32), ("used", U64))


class Process(ctypes.Structure):
    """`nvmlProcessInfo_v2_t`."""

    _fields_ = (*FirstProcess._fields_, ("gpu_instance", U32), ("compute_instance", U32))


class Client:
    """One loaded library. `code` calls a function; the others expect SUCCESS and give what it wrote."""

    def __init__(self, nvml: ctypes.CDLL) -> None:
        self.nvml = nvml

    def code(self, function: str, *arguments: Any) -> int:
        """What a function answers."""
        return int(self.nvml[function](*arguments))

    def start(self) -> Client:
        """Initialise."""
        assert self.code("nvmlInit_v2") == 0
        return self

    def gpu(self, number: int = 0) -> ctypes.c_void_p:
        """The handle of a gpu."""
        handle = ctypes.c_void_p()
        assert self.code("nvmlDeviceGetHandleByIndex_v2", number, ctypes.byref(handle)) == 0
        return handle

    def number(self, function: str, *arguments: Any, kind: Any = U32) -> int:
        """The number that a function writes through its last argument."""
        value = kind()
        assert self.code(function, *arguments, ctypes.byref(value)) == 0, function
        return int(value.value)

    def text(self, function: str, *arguments: Any) -> str:
        """The text that a function writes into a buffer of a given size."""
        buffer = ctypes.create_string_buffer(TEXT)
        assert self.code(function, *arguments, buffer, TEXT) == 0, function
        return buffer.value.decode("ascii")

    def list(self, function: str, *arguments: Any, kind: Any = U32) -> list[Any]:
        """The list that a function writes, asked for as clients do: how long, then the list."""
        count = U32(0)
        code = self.code(function, *arguments, ctypes.byref(count), None)
        if count.value == 0:
            assert code == 0
            return []
        assert code == 7
        array = (kind * count.value)()
        assert self.code(function, *arguments, ctypes.byref(count), array) == 0
        return list(array)[: count.value]
