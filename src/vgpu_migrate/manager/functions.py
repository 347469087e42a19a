"""The virtual functions of an SR-IOV gpu: how many there are, and which ones have no vgpu.

Each vgpu of such a gpu sits on a virtual function of its own; the physical function holds none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from vgpu_migrate import facts
from vgpu_migrate.facts import Board
from vgpu_migrate.manager.refusal import Reason, refuse
from vgpu_migrate.manager.state import HostState
from vgpu_migrate.model import Gpu, GpuId
from vgpu_migrate.model.placement import VGPUS_PER_TIME_SLICED_GPU


def function_count(gpu: Gpu) -> int:
    """How many virtual functions a gpu has, all of them enabled; 0 without SR-IOV or vgpus.

    As many as it can hold vgpus in any mode, so that room never fails for want of one: our assumption, as
    the vendor lists no counts.
    """
    return _count_on(gpu.board) if gpu.sriov and gpu.is_vgpu_host else 0


@cache
def _count_on(board: Board) -> int:
    mixed_size = min(VGPUS_PER_TIME_SLICED_GPU, board.framebuffer_gib)
    return max([mixed_size, *(vgpu_type.max_instances for vgpu_type in facts.types_of_board(board.key))])


def free_functions(state: HostState, gpu: Gpu) -> list[int]:
    """The virtual functions of a gpu that have no device, ascending."""
    taken = {device.function for device, _ in state.all_devices() if device.gpu == gpu.id}
    return [number for number in range(function_count(gpu)) if number not in taken]


def take_functions(state: HostState, gpu_ids: Sequence[GpuId], *, thing: str) -> tuple[int | None, ...]:
    """The lowest free virtual functions for new vgpus on these gpus, in order; None on one without SR-IOV.

    Args:
        state: the host.
        gpu_ids: the gpu of each new vgpu.
        thing: what they are for, for the message.

    Raises:
        RefusedError: a gpu has none left.
    """
    free = {gpu_id: iter(free_functions(state, state.gpu(gpu_id))) for gpu_id in gpu_ids}
    taken: list[int | None] = []
    for gpu_id in gpu_ids:
        number = next(free[gpu_id], None)
        if number is None and function_count(state.gpu(gpu_id)):
            refuse(Reason.NO_ROOM, thing, f"no virtual function of {gpu_id} is free")
        taken.append(number)
    return tuple(taken)
