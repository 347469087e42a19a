"""A board as NVML describes a gpu of it: names, numbers and limits that never change while a host lives.

Names, brands and compute capabilities are public; where several spellings are about, and for every formula,
the choice is our assumption.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from vgpu_migrate import facts
from vgpu_migrate.facts import Board, Generation, PciId
from vgpu_migrate.model import Gpu

NVIDIA_VENDOR = 0x10DE
GPU_UUID_NAMESPACE = uuid.UUID("d3b1c8ea-57f4-5c0d-9a64-3f0e8b6f21d7")
"""UUIDv5 of a gpu's id in this namespace stands for a gpu whose id does not look like NVML's. Our choice."""

MIB = 1 << 20
GIB = 1 << 30

_GPU_UUID = re.compile(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# nvmlDeviceArchitecture_t begins with Kepler, 2, so that Maxwell is 3.
_ARCHITECTURES_BEFORE = 2

_BRAND_TESLA, _BRAND_QUADRO_RTX, _BRAND_NVIDIA_RTX, _BRAND_NVIDIA = 2, 12, 13, 14

_COMPUTE = {
    Generation.MAXWELL: (5, 2),
    Generation.PASCAL: (6, 1),
    Generation.VOLTA: (7, 0),
    Generation.TURING: (7, 5),
    Generation.AMPERE: (8, 6),
    Generation.ADA: (8, 9),
    Generation.HOPPER: (9, 0),
    Generation.BLACKWELL: (12, 0),
}
_COMPUTE_OF_BOARD = {
    "M10": (5, 0),
    "P100": (6, 0),
    "P100C": (6, 0),
    "P100X": (6, 0),
    "A30": (8, 0),
    "B200X": (10, 0),
    "GB200": (10, 0),
    "B300X": (10, 3),
}
_COMPUTE_OF_FAMILY = {"A100": (8, 0), "A800": (8, 0)}


class PciAddress(NamedTuple):
    """Where a gpu sits; NVML names no function, so it is always 0."""

    domain: int
    bus: int
    device: int

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.device:02x}.0"


def gpu_uuid(gpu: Gpu) -> str:
    """The UUID that NVML answers: the gpu's id where it looks like one, else one that follows from it."""
    if _GPU_UUID.fullmatch(gpu.id):
        return gpu.id
    return f"GPU-{uuid.uuid5(GPU_UUID_NAMESPACE, gpu.id)}"


def pci_addresses(gpus: Iterable[Gpu]) -> tuple[PciAddress, ...]:
    """The PCI address of each gpu of a host: its own, else the next bus from 1 on that none of them has."""
    listed = tuple(gpus)
    given = [None if gpu.pci is None else parse_pci(gpu.pci) for gpu in listed]
    taken = {(address.domain, address.bus) for address in given if address is not None}
    free = ((domain, bus) for domain in range(0x10000) for bus in range(1, 0x100))
    synthetic = (PciAddress(domain, bus, 0) for domain, bus in free if (domain, bus) not in taken)
    return tuple(next(synthetic) if address is None else address for address in given)


def parse_pci(text: str) -> PciAddress:
    """A PCI address as fleet files spell it, such as `0000:3b:00.0` or `3b:00.0`."""
    *domain, bus, rest = text.split(":")
    return PciAddress(int(domain[0], 16) if domain else 0, int(bus, 16), int(rest.partition(".")[0], 16))


def pci_id(board: Board) -> PciId:
    """The PCI ids of a gpu of a board; where no table knows the board's, the device of its vgpu types."""
    if board.pci_ids:
        return board.pci_ids[0]
    return PciId(facts.types_of_board(board.key)[0].device_id, None)


def combined(device: int) -> int:
    """A PCI device or subsystem id as NVML spells it: the vendor in the lower half."""
    return device << 16 | NVIDIA_VENDOR


@cache
def gpu_name(board: Board) -> str:
    """The product name, such as `Tesla T4` or `NVIDIA A40`: brand by generation, then the marketing name."""
    name = next(iter(board.marketing_names), board.key)
    if board.generation > Generation.TURING:
        return f"NVIDIA {name}"
    return f"Quadro {name}" if _is_workstation(board) else f"Tesla {name}"


def brand(board: Board) -> int:
    """`nvmlBrandType_t`."""
    if board.generation > Generation.TURING:
        return _BRAND_NVIDIA_RTX if _is_workstation(board) else _BRAND_NVIDIA
    return _BRAND_QUADRO_RTX if _is_workstation(board) else _BRAND_TESLA


def architecture(board: Board) -> int:
    """`nvmlDeviceArchitecture_t`. Ada (6) is numbered before Hopper (7) there as here."""
    return _ARCHITECTURES_BEFORE + board.generation


def compute_capability(board: Board) -> tuple[int, int]:
    """CUDA compute capability, major and minor."""
    for family, capability in _COMPUTE_OF_FAMILY.items():
        if board.key.startswith(family):
            return capability
    return _COMPUTE_OF_BOARD.get(board.key, _COMPUTE[board.generation])


def has_fan(board: Board) -> bool:
    """Whether the board has a fan of its own: the workstation boards, but the passive ones (`…P`)."""
    return _is_workstation(board) and not board.key.endswith("P")


def _is_workstation(board: Board) -> bool:
    return board.key.startswith("RTX") and board.generation is not Generation.BLACKWELL


def power_limit_mw(board: Board) -> int:
    """A synthetic power limit: 60 W and 5 W for each GiB of framebuffer, at most 700 W."""
    return min(700, 60 + 5 * board.framebuffer_gib) * 1000


def bar1_bytes(board: Board) -> int:
    """A synthetic BAR1: 256 MiB on Maxwell, else the framebuffer rounded up to a power of two."""
    return 256 * MIB if board.generation is Generation.MAXWELL else power_of_two(board.framebuffer_mib * MIB)


def bandwidth_mb_s(board: Board) -> int:
    """A synthetic rate at which a gpu's buffers are read and written for a migration, by generation."""
    return 1000 * (1 << max(0, board.generation - Generation.TURING))


def power_of_two(number: int) -> int:
    """The smallest power of two that is not below a number."""
    return 1 << max(0, number - 1).bit_length()


def metadata_string(gpu: Gpu) -> str:
    """What `nvmlDeviceGetPgpuMetadataString` answers.

    The UUID of a gpu that cannot migrate. Else device and subsystem id in upper-case hex, four digits each,
    those of another board where the vendor treats the two as one; then a word of eight digits, ECC in bit 0
    and SR-IOV in bit 1. The code of switched-off units that older ones carry between is not public and is
    left out.

    Source:
        facts note 6; open-gpu-kernel-modules, vgpuconfigapi.c.
    """
    if not gpu.migration:
        return gpu_uuid(gpu)
    there = pci_id(gpu.board)
    there = next((row.stands_for for row in facts.board_aliases() if row.alias == there), there)
    return f"{there.device:04X}{there.subsystem or 0:04X}{gpu.ecc | gpu.sriov << 1:08X}"
