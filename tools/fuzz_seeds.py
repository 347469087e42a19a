"""Inputs that fuzzing begins with, as native/fuzz/ reads them: what chance would take long to find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from vgpu_migrate.nvml.symbols import symbols
from vgpu_migrate.snapshot.layout import CONSTANT_OPERAND, FAULT, GPU, HOST, INSTANCE, OPERATORS, Structure

CALLS_TABLE = Path(__file__).resolve().parents[1] / "native" / "fuzz" / "calls.h"
ROW = re.compile(r'X\((\w+), "([^"]*)"\)')
DEFAULTS = {
    "d": b"\0",
    "i": b"\1",
    "t": b"\0",
    "w": b"\0",
    "q": bytes(8),
    "h": bytes(8),
    "s": b"\1",
    "c": b"\x80",
}
"""The bytes by which an argument of a kind becomes a good one, in the words of native/fuzz/calls.h."""

EVENT = b"\xff"
STUDIO, MIG, FAULTS, STRICT = 0, 2, 6, 7
"""The hosts of `tools/fuzz.py` that have something to damage, by number."""
HEADER_PLACE, STATIC_PLACE, HOST_PLACE, GPU_PLACE, INSTANCE_PLACE, COMPARISONS_PLACE, RULES_PLACE = (
    0,
    1,
    2,
    3,
    4,
    5,
    13,
)
"""Kinds of places, as `a_place` of native/fuzz/fuzz_snapshot.c numbers them."""
PLACES = {
    HEADER_PLACE: 64,
    STATIC_PLACE: 20,
    HOST_PLACE: 40,
    GPU_PLACE: 84,
    INSTANCE_PLACE: 24,
    COMPARISONS_PLACE: 40,
    RULES_PLACE: 20,
}
"""How many words of each are damaged in turn."""
BEFORE_ATTACH = 0x80

ADDRESSES = (
    "0000:3b:00.0", "00000000:3B:00.0", "3b:00.0", "3b:00", "3b", "0x0000:3b:00.0", "0X0:3b:0",
    "0000:3b:00.1", "0000:3b:01.0", "0000:3c:00.0", "1:3b:0", "3b:00.0 ", ":", "0x", "0:0:0:0", "3b:0.",
    "123456789:3b:00.0", "0y",
)  # fmt: skip
"""PCI addresses, good and otherwise."""


def shapes() -> dict[str, tuple[int, str]]:
    """Number and shape of each function that the fuzzers call."""
    rows = ROW.findall(CALLS_TABLE.read_text(encoding="ascii"))
    return {name: (number, shape) for number, (name, shape) in enumerate(rows)}


def call(name: str, *arguments: bytes) -> bytes:
    """A call of a function, its arguments as the fuzzer reads them."""
    return shapes()[name][0].to_bytes(2, "little") + b"".join(arguments)


def good_call(name: str, shape: str, number: int, *, version: int) -> bytes:
    """A call with good arguments, structures of this version."""
    said = number.to_bytes(2, "little")
    words = iter(shape.split())
    for word in words:
        if word[0] == "p":
            said += bytes([0, 0x40 + version - 1])
            said += (
                b"\1" if name.endswith(("Placements", "InstancesUtilizationInfo")) and word != "p4" else b""
            )
        elif word[0] == "n":
            said += b"\x3f" + (b"\x2c\1" if next(words) == "a1" else b"")
        elif word[0] == "b":
            next(words)
            said += b"\x3f\x2c\1"  # 300 bytes
        else:
            if word[0] == "c":
                next(words)
            said += DEFAULTS[word[0]]
    return said


def good_calls(version: int) -> bytes:
    """Good calls of all that answers."""
    answering = {one.name for one in symbols() if one.answers and one.name != "nvmlShutdown"}
    return b"".join(
        good_call(name, shape, number, version=version)
        for name, (number, shape) in shapes().items()
        if name in answering
    )


def systematic(target: str) -> Iterator[bytes]:
    """Each word of the snapshot's heads damaged in turn, then good calls of all that answers."""
    if target != "snapshot":
        return
    calls = good_calls(1), good_calls(2)
    for image in (STUDIO, MIG, FAULTS, STRICT):
        for kind, words in PLACES.items():
            for word in range(words):
                for damage in (b"\x10", b"\x00\0", b"\x02\xff\xff\xff\x7f", b"\x08\xff"):
                    when = BEFORE_ATTACH if (word + damage[0] // 8) % 2 else 0
                    yield bytes([image | when, 1, kind, word]) + damage + calls[word % 2]


def crafted(target: str) -> Iterator[bytes]:
    """What is always run beside the kept corpus."""
    yield from crafted_calls() if target == "calls" else crafted_damage()


def crafted_calls() -> Iterator[bytes]:
    """Good calls of every host, addresses, capabilities, placements, records, and trouble with the host."""
    for image in range(9):
        for version in (1, 2):
            yield bytes([image]) + good_calls(version)
    for function in ("nvmlDeviceGetHandleByPciBusId", "nvmlDeviceGetHandleByPciBusId_v2"):
        yield b"\0" + b"".join(call(function, text(one), b"\0\0") for one in ADDRESSES)
    absent = text("GPU-00000000-0000-0000-0000-000000000000")
    yield b"\0" + call("nvmlDeviceGetHandleByUUID", absent, b"\0\0")
    # Of UUID structures: version 1, ASCII or binary, a gpu's; and changed by the last bytes.
    for how in (0x60, 0x68, 0x64, 0x6C, 0x40):
        yield b"\5" + call(
            "nvmlDeviceGetHandleByUUIDV", bytes([0, how, 8, 0, 0, 0, 0, 9, 1, 2, 3, 4]), b"\0\0"
        )
    for image in (STUDIO, MIG, 5):
        for name, ahead in (
            ("nvmlDeviceGetVgpuCapabilities", b"\0"),
            ("nvmlVgpuTypeGetCapabilities", b"\0"),
            ("nvmlGetVgpuDriverCapabilities", b""),
        ):
            yield bytes([image]) + b"".join(call(name, ahead, bytes([which]), b"\0\0") for which in range(16))
        yield bytes([image]) + placements()
    yield from records()
    yield from trouble()


def text(said: str) -> bytes:
    """A text argument."""
    return bytes([len(said) << 2 & 0x7C | 2]) + said.encode()[:31] if len(said) < 32 else b"\1"


def placements() -> bytes:
    """Placement lists of both versions, for each gpu, many types, little room and much, and every mode."""
    said = b""
    for name in ("nvmlDeviceGetVgpuTypeSupportedPlacements", "nvmlDeviceGetVgpuTypeCreatablePlacements"):
        for gpu in range(2):
            for kind in range(0, 40, 3):
                for count in (0, 60):
                    for mode in (0, 1, 2):
                        # Two changes of four bytes: the mode at 24, the count at 8; then version 2, or 1.
                        changes = bytes([24, mode, 0, 0, 0, 8, count, 0, 0, 0])
                        said += call(name, bytes([gpu, kind]), bytes([0, 0x61]), changes, b"\1")
                    said += call(name, bytes([gpu, kind]), bytes([0, 0x43]), b"\1")
                    said += call(
                        name,
                        bytes([gpu, kind]),
                        bytes([0, 0x61]),
                        bytes([24, 1, 0, 0, 0, 8, 9, 0, 0, 0]),
                        b"\0",
                    )
    return said


def records() -> Iterator[bytes]:
    """Pairs of records with a word changed."""
    for image in (STUDIO, MIG, STRICT):
        for word in range(0, 212, 4):
            for value in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0"):
                changed = bytes([0, 0x10, word]) + value
                yield bytes([image]) + call("nvmlGetVgpuCompatibility", changed, b"\0\0", b"\0\0")
                yield bytes([image]) + call("nvmlGetVgpuCompatibility", b"\0\1", changed, b"\0\0")


def trouble() -> Iterator[bytes]:
    """A host that is elsewhere, answers wrongly, or that the kernel does not let us reach; and a setter."""
    setter = call("nvmlDeviceSetPersistenceMode", b"\0\1") + call("nvmlDeviceGetCount_v2", b"\0\0")
    for manner in range(32):
        yield b"\0" + EVENT + bytes([6, manner, 0]) + setter
        yield b"\0" + EVENT + bytes([3, manner]) + setter
    for kinds in (1, 2, 4, 8, 16, 24, 32):
        yield b"\0" + EVENT + bytes([6, 0, kinds]) + setter
        yield b"\0" + EVENT + bytes([7, 0, kinds]) + setter
    for name in range(7):
        yield b"\0" + EVENT + bytes([7, name, 0]) + setter + EVENT + b"\4" + EVENT + b"\5" + setter
        yield b"\0" + EVENT + bytes([7, name, 0]) + EVENT + bytes([6, 0, 0]) + setter


def crafted_damage() -> Iterator[bytes]:
    """Values of the snapshot that no host of ours has, and every operator of the rules' program."""
    everything = good_calls(1) + good_calls(2)
    for members in (
        {"mig_enabled": 1}, {"can_be_heterogeneous": 0}, {"can_be_heterogeneous": 1}, {"heterogeneous": 1},
        {"fan_speed": 50}, {"is_vgpu_host": 0}, {"ecc_capable": 0}, {"mig_capable": 1}, {"rooms_count": 0},
        {"active_count": 0}, {"active_first": 0xFFFFFFFF}, {"rooms_first": 0xFFFFFFFF},
        {"supported_first": 0x7FFFFFFF}, {"creatable_count": 0x7FFFFFFF}, {"memory_used": 0xFFFFFFFF},
        {"memory_reserved": 0x7FFFFFFF},
    ):  # fmt: skip
        yield bytes([STUDIO]) + patches(GPU, GPU_PLACE, members) + everything + placements()
    for members in (
        {"licensed": 0}, {"licensed": 1}, {"type_id": 0}, {"gpu": 99}, {"process": 0}, {"is_compute": 1},
        {"gpu_instance": 3}, {"frame_rate_limit": 0}, {"placement": 0xFFFF}, {"handle": 77},
        {"ecc_enabled": 0},
    ):  # fmt: skip
        yield bytes([STUDIO]) + patches(INSTANCE, INSTANCE_PLACE, members) + everything
    for members in (
        {"faults_count": 300}, {"faults_count": 4}, {"instances_count": 0}, {"range_known": 0},
        {"has_manager": 0}, {"driver_major": 390}, {"driver_major": 9999}, {"gpus_count": 0},
        {"gpus_count": 5000}, {"pool_count": 0}, {"index_mask": 0}, {"index_mask": 0xFFFFFFFF},
        {"type_rooms_count": 0}, {"driver_capabilities": 3},
    ):  # fmt: skip
        yield bytes([FAULTS]) + patches(HOST, HOST_PLACE, members) + everything + placements()
    yield from rules(everything)
    assert FAULT.size % 4 == 0


def patches(structure: Structure, place: int, members: dict[str, int]) -> bytes:
    """Patches of words, by the names of members."""
    said = bytes([len(members)])
    for name, value in members.items():
        said += bytes([place, structure.offset(name) // 4, 2]) + value.to_bytes(4, "little")
    return said


def rules(everything: bytes) -> Iterable[bytes]:
    """The first two comparisons replaced by each operator on known and unknown fields, and by nonsense."""
    for operator in range(len(OPERATORS) + 1):
        for left, right in ((4, CONSTANT_OPERAND), (5, 16), (1, 15), (26, 4), (200, 3), (3, 200)):
            word = bytes([left, operator, right, 1])
            both = b"".join(bytes([COMPARISONS_PLACE, 2 * index, 2]) + word for index in (0, 1))
            yield bytes([STRICT | BEFORE_ATTACH, 2]) + both + everything
