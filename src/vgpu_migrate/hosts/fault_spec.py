"""Faults of a simulated host, as data."""

from __future__ import annotations

import msgspec


class FaultSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault to inject into a host's NVML functions, deterministic by its seed.

    A call that matches `function`, `gpu` and `instance` (None: every one; an instance's calls are also its
    gpu's) is counted. The first `after` pass; of the others each fires with `probability`. A call that fires
    takes `delay_s` longer and, unless `code` is 0, answers `code`. After `for_s` seconds the fault is over.
    """

    function: str | None = None
    gpu: str | None = None
    instance: int | None = None
    code: int = 0
    after: int = 0
    probability: float = 1.0
    seed: int = 0
    delay_s: float = 0.0
    for_s: float | None = None
