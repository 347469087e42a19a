"""The faults that are set on a live host: what was asked for, as what the library reads."""

from __future__ import annotations

import math
import time

from vgpu_migrate.errors import InputError, Problem, UnknownNameError
from vgpu_migrate.hostd.keeper import Draft, HostKeeper, LiveState
from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.hosts.live_view import FaultView
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml.symbols import symbol
from vgpu_migrate.snapshot import Fault
from vgpu_migrate.snapshot.layout import COUNTERS

LONGEST_S = 10 * 365 * 86400.0
NEVER_FAIL = frozenset({"nvmlErrorString", "nvmlShutdown"})
"""No host is asked for these, as after a host is lost: a fault on them would never show."""


def inject(keeper: HostKeeper, spec: FaultSpec) -> int:
    """Set a fault, counting its calls from now; its number.

    Raises:
        UnknownNameError: no such function, gpu or active vgpu.
        InputError: a number is out of bounds, the fault does nothing, or no more can be set.
    """
    with keeper.changing() as draft:
        _drop_ended(draft)
        fault = _fault(draft, spec)
        keeper.publisher.reset_counter(fault.counter)
        number = draft.next_fault
        draft.faults[number] = fault
        draft.next_fault += 1
    return number


def clear(keeper: HostKeeper, number: int | None) -> int:
    """Clear one fault, or all of them; how many there were.

    Raises:
        UnknownNameError: no fault has this number.
    """
    with keeper.changing() as draft:
        _drop_ended(draft)
        if number is None:
            count = len(draft.faults)
            draft.faults.clear()
        elif number in draft.faults:
            count = 1
            del draft.faults[number]
        else:
            raise UnknownNameError("fault", str(number), map(str, draft.faults))
    return count


def shown(keeper: HostKeeper, now: LiveState) -> tuple[FaultView, ...]:
    """The faults that are set and not over."""
    now_ms = _now_ms()
    return tuple(
        FaultView(
            number=number,
            function=fault.function,
            gpu=fault.gpu,
            instance=fault.instance,
            code=fault.code,
            after=fault.after,
            probability=fault.probability,
            seed=fault.seed,
            delay_s=fault.delay_us / 1e6,
            left_s=(fault.until_ms - now_ms) / 1000 if fault.until_ms else None,
            calls=keeper.publisher.counter(fault.counter),
        )
        for number, fault in now.faults.items()
        if not _is_over(fault, now_ms)
    )


def _fault(draft: Draft, spec: FaultSpec) -> Fault:
    function = None if spec.function is None else symbol(spec.function).name
    if function in NEVER_FAIL:
        wanted = "wanted a function that asks the host: this one works without"
        raise InputError(Problem("fault.function", function, wanted))
    gpu = None if spec.gpu is None else draft.manager.state.gpu(GpuId(spec.gpu)).id
    if spec.instance is not None:
        handles = {vgpu.handle for _, vgpu in draft.manager.state.active()}
        if spec.instance not in handles:
            raise UnknownNameError("vgpu instance", str(spec.instance), map(str, sorted(handles)))
    if spec.code == 0 and spec.delay_s == 0:
        raise InputError(Problem("fault", "neither a code nor a delay", "wanted at least one of them"))
    for name, value in (("for_s", spec.for_s), ("delay_s", spec.delay_s)):
        if value is not None and not (math.isfinite(value) and 0 <= value <= LONGEST_S):
            raise InputError(Problem(f"fault.{name}", str(value), f"wanted 0 to {LONGEST_S:g} seconds"))
    taken = {fault.counter for fault in draft.faults.values()}
    counter = next((number for number in range(COUNTERS) if number not in taken), None)
    if counter is None:
        raise InputError(Problem("fault", f"{COUNTERS} faults are set", "wanted one of them cleared first"))
    return Fault(
        function=function,
        gpu=gpu,
        instance=spec.instance,
        code=spec.code,
        after=spec.after,
        probability=spec.probability,
        seed=spec.seed,
        until_ms=0 if spec.for_s is None else max(1, _now_ms() + round(spec.for_s * 1000)),
        delay_us=round(spec.delay_s * 1e6),
        counter=counter,
    )


def _drop_ended(draft: Draft) -> None:
    now_ms = _now_ms()
    draft.faults = {number: fault for number, fault in draft.faults.items() if not _is_over(fault, now_ms)}


def _is_over(fault: Fault, now_ms: int) -> bool:
    return 0 < fault.until_ms <= now_ms


def _now_ms() -> int:
    """The heartbeat's clock."""
    return time.monotonic_ns() // 1_000_000
