"""What a simulated gpu measures: framebuffer in use, utilization, temperature, power.

All of it is synthetic and our assumption: nothing runs here. The values follow from the host's state and
from UUIDs alone, so the same state gives the same values in every process and at any time, and they agree
with each other: what a gpu uses is the sum of what its vgpus use, and power and temperature follow its load.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from vgpu_migrate.facts import Board, VgpuType
from vgpu_migrate.manager import Role, VgpuInstance, VmRecord
from vgpu_migrate.model import VmState
from vgpu_migrate.snapshot.cards import MIB, power_limit_mw

FIRST_PROCESS, PROCESSES = 1 << 12, 1 << 21
_BUSY, _IDLE = 0, 8  # nvmlPstates_t
_GUEST_DEVICE = 5


class Load(NamedTuple):
    """What one vgpu, or one gpu, is using: bytes of framebuffer, and percent of the gpu's engines."""

    framebuffer_used: int
    sm: int
    memory: int
    encoder: int
    decoder: int


class Readings(NamedTuple):
    """What follows from a gpu's load: degrees Celsius, percent, milliwatts, `nvmlPstates_t`."""

    temperature: int
    fan_speed: int
    power_mw: int
    performance_state: int


IDLE = Load(0, 0, 0, 0, 0)


def draw(name: str) -> bytes:
    """Sixteen bytes that follow from a name and look like chance."""
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def vgpu_load(record: VmRecord, vgpu: VgpuInstance, board: Board) -> Load:
    """What a vgpu uses.

    No framebuffer until its guest driver has reported, then an eighth to three quarters of its own, in whole
    MiB. It keeps the engines busy only while its VM runs here, at most with its part of the gpu.
    """
    if vgpu.guest is None:
        return IDLE
    dice = draw(vgpu.uuid)
    eighths = 256 + dice[0] * 5  # of 2048: 256 to 1531
    framebuffer = vgpu.type.framebuffer_mib * eighths // 2048 * MIB
    runs = record.power is VmState.RUNNING and record.role in (Role.RESIDENT, Role.OUTGOING)
    if not runs:
        return Load(framebuffer, 0, 0, 0, 0)
    part = engine_part(board, vgpu.type)
    sm = 1 + dice[1] * part // 256
    has_video = vgpu.type.series != "C"
    return Load(
        framebuffer,
        sm,
        sm * dice[2] // 256,
        dice[3] * (part // 4 + 1) // 256 if has_video else 0,
        dice[4] * (part // 4 + 1) // 256 if has_video else 0,
    )


def engine_part(board: Board, vgpu_type: VgpuType) -> int:
    """The percent of a gpu's engines that one vgpu may use, so that all together stay within 100."""
    return 100 // max(vgpu_type.max_instances, -(-board.framebuffer_mib // vgpu_type.framebuffer_mib))


def total(loads: Iterable[Load]) -> Load:
    """The load of a gpu: the sum of its vgpus', engines at most 100 percent."""
    columns = tuple(zip(*loads, strict=True)) or ((0,),) * len(IDLE)
    framebuffer, *engines = map(sum, columns)
    return Load(framebuffer, *(min(100, percent) for percent in engines))


def readings(board: Board, uuid: str, load: Load, *, has_fan: bool, vgpus: int) -> Readings:
    """Temperature, fan, power and performance state of a gpu under a load; `vgpus` are on it.

    Idle it takes 12 % of its power limit, at full load all of it. It is in P0 with vgpus on it, else P8.
    """
    limit = power_limit_mw(board)
    idle = limit * 12 // 100
    jitter = draw(uuid)[0] % 6
    return Readings(
        temperature=30 + jitter + load.sm * 45 // 100,
        fan_speed=20 + load.sm * 60 // 100 if has_fan else 0,
        power_mw=idle + (limit - idle) * load.sm // 100,
        performance_state=_BUSY if vgpus else _IDLE,
    )


def process_id(vgpu: VgpuInstance) -> int:
    """The id of the host's process that serves a vgpu: one for each, by its handle."""
    return FIRST_PROCESS + vgpu.handle % PROCESSES


def guest_pci_id(vgpu: VgpuInstance, position: int) -> str:
    """The vgpu's PCI address in its guest: zeros until the guest driver has reported."""
    device = 0 if vgpu.guest is None else _GUEST_DEVICE + position % 16
    return f"00000000:00:{device:02X}.0"


def runtime_state_bytes(vgpu_type: VgpuType) -> int:
    """What a migration carries beside the framebuffer: 32 MiB and a 64th of the framebuffer."""
    return (32 + vgpu_type.framebuffer_mib // 64) * MIB
