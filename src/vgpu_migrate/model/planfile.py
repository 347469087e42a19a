"""The plan file, version 1: what a plan is, and JSON to plan and back.

Reading is strict and tells every problem at once; writing is stable to the byte: the same plan is the same
file. Times are seconds from the start of the plan, kept to the millisecond. Nothing here touches a disk;
`vgpu_migrate.planio` does.
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta

from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.model.fleet_schema import Version
from vgpu_migrate.model.strict import problems_of
from vgpu_migrate.model.values import GpuId, HostId, VmId
from vgpu_migrate.nvml import STATE_BY_WORD, States, VersionRange

PLAN_VERSION = 1
TIME_DIGITS = 3

StepNumber = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]


class Goal(StrEnum):
    """What a plan is for."""

    DRAIN = "drain"
    UPGRADE = "upgrade"
    PIN = "pin"


class How(StrEnum):
    """How a VM moves, from the least interruption to the greatest."""

    LIVE = "live"
    SLEEP = "sleep"
    HIBERNATE = "hibernate"
    COLD = "cold"

    @property
    def state(self) -> States:
        """The state of compatibility that this way of moving needs."""
        return STATE_BY_WORD[self.value]

    @property
    def holds_source(self) -> bool:
        """Whether the source holds the vgpus until the end; else it is free from the start."""
        return self in (How.LIVE, How.SLEEP)


class StuckReason(StrEnum):
    """Why a VM, or a host, stays where it is."""

    NO_COMPATIBLE_HOST = "no-compatible-host"
    NO_CAPACITY = "no-capacity"
    OWNER_FORBIDS = "owner-forbids"
    ANTI_AFFINITY = "anti-affinity"
    BLOCKED_BY_OTHERS = "blocked-by-others"
    BUDGET = "budget"


class Seat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gpu that one vgpu lands on; `placement` is its id on a mixed-size gpu, else None."""

    gpu: GpuId
    placement: Annotated[int, Meta(ge=0)] | None


class MigrateStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="migrate"):
    """Move one VM. `gpus` are in the order of its vgpus."""

    id: StepNumber
    wave: StepNumber
    vm: VmId
    how: How
    source: HostId
    target: HostId
    gpus: Annotated[tuple[Seat, ...], Meta(min_length=1)]
    start_s: Seconds
    end_s: Seconds
    after: tuple[StepNumber, ...]


class UpgradeStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="upgrade"):
    """Install another host driver on an empty host; its range goes back to that driver's preset."""

    id: StepNumber
    wave: StepNumber
    host: HostId
    driver: str
    start_s: Seconds
    end_s: Seconds
    after: tuple[StepNumber, ...]


class PinStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="pin"):
    """Set the range of an empty host; None lifts it.

    `range` is spelled as in fleet files, and kept and written as hexadecimal texts in lower case.
    """

    id: StepNumber
    wave: StepNumber
    host: HostId
    range: tuple[Version, Version] | None
    start_s: Seconds
    end_s: Seconds
    after: tuple[StepNumber, ...]

    def __post_init__(self) -> None:
        """Spell the range in one way."""
        if self.range is not None:
            msgspec.structs.force_setattr(self, "range", tuple(f"{_number(v):#x}" for v in self.range))

    @property
    def version_range(self) -> VersionRange | None:
        """The range as versions."""
        return None if self.range is None else VersionRange(*map(_number, self.range))


def _number(version: int | str) -> int:
    return version if isinstance(version, int) else int(version, 16)


Step = MigrateStep | UpgradeStep | PinStep


class StuckEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What stands in the way: a row of the rules that hit, or `capacity` with the figures."""

    rule: str
    seen: dict[str, str]
    basis: str
    source: str
    remedy: str
    by: str | None = None


class Stuck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A VM that stays, or with `vm` None a host that is stuck for another reason."""

    vm: VmId | None
    host: HostId
    reason: StuckReason
    evidence: tuple[StuckEvidence, ...]
    remedies: tuple[str, ...]


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A count and what it cannot be below."""

    value: Annotated[int, Meta(ge=0)]
    lower_bound: Annotated[int, Meta(ge=0)]


class Duration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds, and what they cannot be below."""

    value: Seconds
    lower_bound: Seconds


class Reach(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A count and what it cannot exceed."""

    value: Annotated[int, Meta(ge=0)]
    upper_bound: Annotated[int, Meta(ge=0)]


class Bounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How good the plan is, each figure beside what no plan can better. `hosts` is absent for a drain."""

    moves: Count
    waves: Count
    makespan_s: Duration
    hosts: Reach | None = None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ordered set of steps, bound to one revision of a fleet (None: of a fleet without one)."""

    plan_version: Literal[1]
    fleet_revision: int | None
    goal: Goal
    steps: tuple[Step, ...]
    stuck: tuple[Stuck, ...]
    bounds: Bounds


def hex_range(version_range: VersionRange | None) -> tuple[str, str] | None:
    """A range as a pin spells it."""
    return None if version_range is None else (f"{version_range.minimum:#x}", f"{version_range.maximum:#x}")


def to_ms(seconds: float) -> float:
    """A time as a plan keeps it."""
    return round(seconds, TIME_DIGITS)


def bound_to_ms(seconds: float) -> float:
    """A lower bound as a plan keeps it: never rounded up."""
    scale: int = 10**TIME_DIGITS
    return math.floor(seconds * scale + 1e-6) / scale


def write_plan(plan: Plan) -> bytes:
    """The plan as JSON, one step a line; the same plan gives the same bytes."""
    encode = msgspec.json.encode
    parts = [
        f'{{"plan_version":{plan.plan_version},"fleet_revision":{encode(plan.fleet_revision).decode()},'
        f'"goal":"{plan.goal}"'.encode()
    ]
    for name, items in (("steps", plan.steps), ("stuck", plan.stuck)):
        lines = b",\n  ".join(encode(item) for item in items)
        parts.append(b' "%s":[%s]' % (name.encode(), b"\n  " + lines if lines else b""))
    parts.append(b' "bounds":%s}\n' % encode(plan.bounds))
    return b",\n".join(parts)


def parse_plan(data: bytes | str, *, source: str) -> Plan:
    """Read a plan from the bytes of its file; `source` names it in messages.

    Raises:
        InputError: it is not a plan; every problem is listed, in order of place.
    """
    doubled: list[Problem] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            doubled.extend(
                Problem(name, "it stands there twice in one object", "wanted each key once")
                for name in found
                if names.count(name) > 1
            )
        return found

    try:
        loaded = json.loads(data, object_pairs_hook=unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(source, f"not JSON: {error}", "wanted a plan file"), source=source) from None
    return _convert(loaded, doubled, source)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _convert(loaded: object, doubled: list[Problem], source: str) -> Plan:
    if isinstance(loaded, dict):
        seen = loaded.get("plan_version", PLAN_VERSION)
        if isinstance(seen, int) and not isinstance(seen, bool) and seen != PLAN_VERSION:
            wanted = f"this release reads version {PLAN_VERSION}"
            raise InputError(Problem("plan_version", str(seen), wanted), source=source)
    problems = [*doubled, *problems_of(loaded, Plan)]
    if problems:
        raise InputError(problems, source=source)
    return msgspec.convert(loaded, Plan)


def plan_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a plan file."""
    schema = msgspec.json.schema(Plan)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vgpu-migrate plan file, version 1",
        **schema,
    }
