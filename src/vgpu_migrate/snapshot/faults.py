"""Injected faults: when one fires, and how the library is told of it.

A fault matches a call by function, gpu and instance; what it leaves out matches all, and a call about an
instance also matches the gpu that the instance is on. Its matching calls are counted, from 0, by every
process together. The call with number n fires if n is not below `after` and chance, drawn from the seed and
n alone, allows it. A fault that fires waits `delay_us`; then, if its code is not 0, the call answers that.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from vgpu_migrate.errors import InputError, Problem, UnknownNameError
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml.symbols import symbol
from vgpu_migrate.snapshot.layout import ANY, COUNTERS, FAULT

U64 = (1 << 64) - 1
MOST_DELAY_US = 600_000_000


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. None in `function`, `gpu` or `instance` means every one.

    Args:
        function: a public NVML name, such as `nvmlDeviceGetVgpuMetadata`.
        gpu: the id of a gpu of the host.
        instance: the handle of a vgpu.
        code: the NVML return code to answer; 0: the call is only slow.
        after: so many matching calls pass first.
        probability: that a matching call after those is hit, 0 to 1.
        seed: of the chance, where the probability is not 1.
        until_ms: on CLOCK_MONOTONIC, in ms, when it ends; 0: only when it is cleared.
        delay_us: how long a hit call waits before it answers.
        counter: its place among the counters, which no other fault shares.
    """

    function: str | None = None
    gpu: GpuId | None = None
    instance: int | None = None
    code: int = 0
    after: int = 0
    probability: float = 1.0
    seed: int = 0
    until_ms: int = 0
    delay_us: int = 0
    counter: int = 0

    def __post_init__(self) -> None:
        wanted = {
            "instance": (self.instance or 0, 0, ANY - 1),
            "code": (self.code, 0, 0x7FFF_FFFF),
            "after": (self.after, 0, U64),
            "probability": (self.probability, 0, 1),
            "seed": (self.seed, 0, U64),
            "until_ms": (self.until_ms, 0, U64),
            "delay_us": (self.delay_us, 0, MOST_DELAY_US),
            "counter": (self.counter, 0, COUNTERS - 1),
        }
        problems = [
            Problem(f"fault.{name}", str(value), f"wanted {low} to {high}")
            for name, (value, low, high) in wanted.items()
            if not low <= value <= high
        ]
        if problems:
            raise InputError(problems)

    @property
    def threshold(self) -> int:
        """The draw's upper 32 bits must be below this; `ANY`: every draw will do."""
        return ANY if self.probability >= 1 else min(int(self.probability * 2**32), ANY - 1)

    def fires(self, number: int) -> bool:
        """Whether the matching call with this number, from 0, is hit."""
        if number < self.after:
            return False
        return self.threshold == ANY or chance(self.seed, number) >> 32 < self.threshold


def chance(seed: int, number: int) -> int:
    """64 bits that follow from a seed and the number of a call: one step of splitmix64."""
    z = (seed + (number + 1) * 0x9E3779B97F4A7C15) & U64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & U64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & U64
    return z ^ z >> 31


def encode_fault(fault: Fault, *, gpus: Mapping[GpuId, int]) -> bytes:
    """The fault as a `FAULT` structure.

    Args:
        fault: what to encode.
        gpus: the numbers of the host's gpus.

    Raises:
        UnknownNameError: NVML has no such function, or the host no such gpu.
    """
    if fault.gpu is not None and fault.gpu not in gpus:
        raise UnknownNameError("gpu", fault.gpu, gpus)
    return FAULT.struct.pack(
        fault.after,
        fault.seed,
        fault.until_ms,
        ANY if fault.function is None else symbol(fault.function).number,
        ANY if fault.gpu is None else gpus[fault.gpu],
        ANY if fault.instance is None else fault.instance,
        fault.code,
        fault.threshold,
        fault.delay_us,
        fault.counter,
        0,
    )
