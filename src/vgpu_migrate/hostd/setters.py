"""What programs set through NVML: the functions that change a host, as the library passes them on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from vgpu_migrate.errors import VgpuMigrateError
from vgpu_migrate.hostd.keeper import Draft, HostKeeper
from vgpu_migrate.model import Gpu, PlacementMode, VersionRange
from vgpu_migrate.nvml import (
    InUseError,
    InvalidArgumentError,
    NotSupportedError,
    NvmlError,
    Return,
)
from vgpu_migrate.nvml.symbols import symbol
from vgpu_migrate.snapshot.layout import CALL_ANSWER, CALL_BODY

replace = msgspec.structs.replace

HOST_VGPU, HOST_VSGA = 3, 4
CAPABILITIES = 13
"""`nvmlDeviceVgpuCapability_t` has so many in nvml.h 13.5."""
SETTABLE_CAPABILITIES = frozenset({6, 7, 11})
"""Mini-quarter and compute-media-engine profiles, MIG time-slicing: those that the header says can be set."""


def answer_call(keeper: HostKeeper, body: bytes) -> bytes:
    """Do what a program asked for through a setter, and give the answer for the library.

    Args:
        keeper: the host.
        body: a `CALL_BODY`.
    """
    code = Return.INVALID_ARGUMENT
    if len(body) == CALL_BODY.size:
        number, gpu, *arguments = CALL_BODY.struct.unpack(body)
        code = _call(keeper, number, gpu, arguments)
    return CALL_ANSWER.struct.pack(code, 0, keeper.generation)


def _call(keeper: HostKeeper, number: int, gpu: int, arguments: list[int]) -> Return:
    of_gpu, of_host = OF_GPU.get(number), OF_HOST.get(number)
    try:
        if of_host is not None:
            with keeper.changing() as draft:
                of_host(draft, arguments)
        elif of_gpu is not None:
            with keeper.changing() as draft:
                of_gpu(draft, _gpu(draft, gpu), arguments)
        else:
            return Return.NOT_SUPPORTED
    except NvmlError as error:
        return error.code
    except VgpuMigrateError:
        return Return.UNKNOWN
    return Return.SUCCESS


def _gpu(draft: Draft, number: int) -> Gpu:
    gpus = draft.manager.state.host.gpus
    if number >= len(gpus):
        raise InvalidArgumentError(f"gpu {number}; the host has {len(gpus)}")
    return gpus[number]


def _set_vgpu_version(draft: Draft, arguments: list[int]) -> None:
    minimum, maximum = arguments[:2]
    draft.manager.set_range(VersionRange(minimum, maximum))


def set_heterogeneous(draft: Draft, gpu: Gpu, arguments: list[int]) -> None:
    """Equal-size (0) or mixed-size (1) placement. What is the mode already may be set at any time.

    Raises:
        InvalidArgumentError: neither 0 nor 1.
        NotSupportedError: no vGPU host, a board without mixed-size placement, or a gpu in MIG mode.
        InUseError: a vgpu or a device is on the gpu; one that is only held counts, our assumption.

    Source:
        nvml.h 13.5, nvmlDeviceSetVgpuHeterogeneousMode.
    """
    _require_bit("heterogeneous mode", arguments[0])
    draft.manager.vgpu_host(gpu.id)
    if gpu.mig or not gpu.board.has_mixed_size:
        raise NotSupportedError(f"gpu {gpu.id} has no mixed-size placement")
    mode = PlacementMode.MIXED if arguments[0] else PlacementMode.EQUAL
    if mode is gpu.mode:
        return
    state = draft.manager.state
    if state.tenants(gpu.id):
        raise InUseError(f"vgpus or devices are on gpu {gpu.id}")
    gpus = tuple(replace(one, mode=mode) if one.id == gpu.id else one for one in state.host.gpus)
    draft.manager.state = replace(state, host=replace(state.host, gpus=gpus))


def set_persistence(draft: Draft, gpu: Gpu, arguments: list[int]) -> None:
    """Persistence mode off (0) or on (1); nothing but the answer of its getter depends on it."""
    _require_bit("persistence mode", arguments[0])
    runtime = draft.runtime.of(gpu.id)
    draft.runtime = draft.runtime.with_gpu(gpu.id, replace(runtime, persistence=bool(arguments[0])))


def _set_virtualization_mode(draft: Draft, gpu: Gpu, arguments: list[int]) -> None:
    """Host vGPU or host vSGA on a vGPU host; the other modes are NOT_SUPPORTED: our assumption."""
    mode = arguments[0]
    if mode > HOST_VSGA:
        raise InvalidArgumentError(f"virtualization mode {mode}; wanted 0 to {HOST_VSGA}")
    draft.manager.vgpu_host(gpu.id)
    if mode not in (HOST_VGPU, HOST_VSGA):
        raise NotSupportedError(f"virtualization mode {mode} cannot be set on a host")
    runtime = draft.runtime.of(gpu.id)
    if mode == HOST_VSGA and draft.manager.state.tenants(gpu.id):
        raise InUseError(f"vgpus or devices are on gpu {gpu.id}")
    draft.runtime = draft.runtime.with_gpu(gpu.id, replace(runtime, virtualization_mode=mode))


def _set_capability(draft: Draft, gpu: Gpu, arguments: list[int]) -> None:
    """A capability that the header says can be set, off (0) or on (1); the others are NOT_SUPPORTED."""
    capability, is_on = arguments[:2]
    if capability >= CAPABILITIES:
        raise InvalidArgumentError(f"capability {capability}; wanted 0 to {CAPABILITIES - 1}")
    _require_bit("state", is_on)
    draft.manager.vgpu_host(gpu.id)
    if capability not in SETTABLE_CAPABILITIES:
        raise NotSupportedError(f"capability {capability} cannot be set")
    runtime, bit = draft.runtime.of(gpu.id), 1 << capability
    on, off = runtime.capabilities_on & ~bit, runtime.capabilities_off & ~bit
    changed = (on | bit, off) if is_on else (on, off | bit)
    draft.runtime = draft.runtime.with_gpu(
        gpu.id, replace(runtime, capabilities_on=changed[0], capabilities_off=changed[1])
    )


def _require_bit(what: str, value: int) -> None:
    if value not in (0, 1):
        raise InvalidArgumentError(f"{what} {value}; wanted 0 or 1")


OF_HOST: dict[int, Callable[[Draft, list[int]], None]] = {
    symbol("nvmlSetVgpuVersion").number: _set_vgpu_version,
}
OF_GPU: dict[int, Callable[[Draft, Gpu, list[int]], None]] = {
    symbol("nvmlDeviceSetVgpuHeterogeneousMode").number: set_heterogeneous,
    symbol("nvmlDeviceSetPersistenceMode").number: set_persistence,
    symbol("nvmlDeviceSetVirtualizationMode").number: _set_virtualization_mode,
    symbol("nvmlDeviceSetVgpuCapabilities").number: _set_capability,
}
"""The setters there are, by the number of their function."""
