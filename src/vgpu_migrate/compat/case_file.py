"""The file of cases, version 1: JSON to cases and back, one case a line.

Reading is strict: only the keys below, each with values from closed sets (boards, vgpu types, version
numbers, states), so that nothing else can hide in a file that people pass around. The vgpu's board, and
whether its type is MIG-backed, follow from its type and are not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vgpu_migrate import facts
from vgpu_migrate.compat.cases import (
    DRIVER_PATTERN,
    MONTH_PATTERN,
    Case,
    JudgedBy,
    JudgeKind,
    Said,
)
from vgpu_migrate.compat.traits import GpuTraits, VgpuTraits
from vgpu_migrate.errors import InputError, Problem, UnknownNameError
from vgpu_migrate.model import Profile
from vgpu_migrate.model.fleet_json import read_json
from vgpu_migrate.model.strict import problems_of
from vgpu_migrate.nvml import LIMIT_BY_WORD, STATE_BY_WORD, U32_MAX, Compatibility, Limits, States

CASES_VERSION = 1

_Version = Annotated[
    str,
    Meta(
        pattern=r"^0x[0-9a-f]{1,8}(?!\n)$",
        description="A vGPU version, in hex.",
        extra={"wanted": "a vGPU version such as 0x140001"},
    ),
]
_Range = Annotated[
    tuple[_Version, _Version], Meta(description="A range of vGPU versions, both ends included.")
]
_Driver = Annotated[
    str, Meta(pattern=DRIVER_PATTERN, extra={"wanted": "a driver's version number such as 580.126.09"})
]
_Month = Annotated[str, Meta(pattern=MONTH_PATTERN, extra={"wanted": "a month such as 2026-11"})]
_Source = Annotated[
    str, Meta(pattern=r"^[!-~][ -~]{0,299}(?!\n)$", extra={"wanted": "a text of 1 to 300 ASCII characters"})
]
_Word = Annotated[int, Meta(ge=0, le=U32_MAX)]
_Slices = Annotated[int, Meta(ge=1, le=7)]
_Layout = tuple[_Slices, ...]
_State = Literal["cold", "hibernate", "sleep", "live"]
_Limit = Literal["host_driver", "guest_driver", "gpu", "other"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of objects whose keys may be absent: unknown, or there is none."""


class _Vgpu(_Part, frozen=True):
    """The vgpu as its judge saw it; from `host_driver` to `mig` it is the gpu that it was on."""

    type: str
    guest_info: Annotated[bool, Meta(description="Whether the guest driver has reported.")]
    migration: bool
    version: _Version | None = None
    guest_driver: Annotated[
        _Driver | None,
        Meta(description="Where the guest's bounds are those that the tables give for this driver."),
    ] = None
    guest_min: _Version | None = None
    guest_max: _Version | None = None
    host_driver: _Driver | None = None
    ecc: bool | None = None
    sriov: bool | None = None
    topology: _Word | None = None
    mig: _Layout | None = None


class _Gpu(_Part, frozen=True):
    """The gpu as its judge saw it; `types` absent: what it offers is not known."""

    board: str
    host_driver: _Driver
    ecc: bool
    sriov: bool
    topology: _Word
    migration: bool
    mig_enabled: bool
    mig: _Layout = ()
    types: tuple[str, ...] | None = None
    range: _Range | None = None
    preset_range: _Range | None = None


class _Verdict(_Part, frozen=True):
    """What was said; `states` and `limits` stand there together, or neither where only `live` was said."""

    live: bool
    states: tuple[_State, ...] | None = None
    limits: tuple[_Limit, ...] | None = None


class _By(_Part, frozen=True):
    """Who said it: a driver or a simulated host of that driver's version, or a vendor's document."""

    kind: JudgeKind
    driver: _Driver | None = None
    source: Annotated[_Source | None, Meta(description="The document that says so.")] = None


class _Case(_Part, frozen=True):
    """One verdict and all that it rests on."""

    vgpu: _Vgpu
    gpu: _Gpu
    verdict: _Verdict
    by: _By
    profile: Profile = Profile.DEFAULT
    month: _Month | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of cases."""

    cases_version: Annotated[Literal[1], Meta(description="Version of this format.", extra={"wanted": "1"})]
    cases: tuple[_Case, ...]


def write_cases(cases: Iterable[Case]) -> bytes:
    """The cases as JSON, one a line; the same cases give the same bytes."""
    lines = b",\n  ".join(msgspec.json.encode(_spell(case)) for case in cases)
    return b'{"cases_version":%d,\n "cases":[%s]}\n' % (CASES_VERSION, b"\n  " + lines if lines else b"")


def parse_cases(data: bytes, *, source: str) -> tuple[Case, ...]:
    """Read the bytes of a file of cases; `source` names it in messages.

    Raises:
        InputError: it is none; every problem is listed, in order of place.
    """
    problems: list[Problem] = []
    try:
        loaded = read_json(data, problems)
    except InputError as error:
        raise InputError(error.problems, source=source) from None
    if isinstance(loaded, dict):
        seen = loaded.get("cases_version", CASES_VERSION)
        if isinstance(seen, int) and seen != CASES_VERSION:
            wanted = f"this release reads version {CASES_VERSION}"
            raise InputError(Problem("cases_version", str(seen), wanted), source=source)
    problems += problems_of(loaded, _File)
    if problems:
        raise InputError(problems, source=source)
    found = msgspec.convert(loaded, _File)
    cases = [_read(case, f"cases[{place}]", problems) for place, case in enumerate(found.cases)]
    if problems:
        raise InputError(problems, source=source)
    return tuple(case for case in cases if case is not None)


def cases_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a file of cases."""
    schema = msgspec.json.schema(_File)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vgpu-migrate cases, version 1",
        **schema,
    }


def _spell(case: Case) -> _Case:
    vgpu, gpu, said, by = case.vgpu, case.gpu, case.said, case.by
    return _Case(
        vgpu=_Vgpu(
            type=vgpu.type,
            guest_info=vgpu.guest_info,
            migration=vgpu.migration,
            version=_hex(vgpu.version),
            guest_driver=case.guest_driver,
            guest_min=_hex(vgpu.guest_min),
            guest_max=_hex(vgpu.guest_max),
            host_driver=vgpu.host_driver,
            ecc=vgpu.ecc,
            sriov=vgpu.sriov,
            topology=vgpu.topology,
            mig=vgpu.mig,
        ),
        gpu=_Gpu(
            board=gpu.board,
            host_driver=gpu.host_driver,
            ecc=gpu.ecc,
            sriov=gpu.sriov,
            topology=gpu.topology,
            migration=gpu.migration,
            mig_enabled=gpu.mig_enabled,
            mig=gpu.mig,
            types=None if gpu.types is None else tuple(sorted(gpu.types)),
            range=_range(gpu.range_min, gpu.range_max),
            preset_range=_range(gpu.preset_min, gpu.preset_max),
        ),
        verdict=_Verdict(
            said.live,
            None if said.states is None else said.states.words,  # type: ignore[arg-type]
            None if said.limits is None else said.limits.words,  # type: ignore[arg-type]
        ),
        by=_By(by.kind, by.driver, by.source),
        profile=case.profile,
        month=case.month,
    )


def _read(case: _Case, place: str, problems: list[Problem]) -> Case | None:
    """The case, None where there is a problem that its form alone does not show."""
    before = len(problems)
    _require_names(case, place, problems)
    said = _said(case.verdict, f"{place}.verdict", problems)
    _require_judge(case, place, problems)
    vgpu, gpu = case.vgpu, case.gpu
    if vgpu.guest_driver is not None and (vgpu.guest_min or vgpu.guest_max):
        problems.append(
            Problem(
                f"{place}.vgpu", "guest_driver and bounds", "wanted the bounds, or the driver they are of"
            )
        )
    if len(problems) > before:
        return None
    vgpu_type = facts.vgpu_type(vgpu.type)
    low, high = _bounds(gpu.range)
    preset_low, preset_high = _bounds(gpu.preset_range)
    return Case(
        vgpu=VgpuTraits(
            board=vgpu_type.board,
            type=vgpu_type.short,
            mig_backed=vgpu_type.is_mig_backed,
            guest_info=vgpu.guest_info,
            version=_number(vgpu.version),
            guest_min=_number(vgpu.guest_min),
            guest_max=_number(vgpu.guest_max),
            host_driver=vgpu.host_driver,
            ecc=vgpu.ecc,
            sriov=vgpu.sriov,
            topology=vgpu.topology,
            mig=vgpu.mig,
            migration=vgpu.migration,
        ),
        gpu=GpuTraits(
            board=gpu.board,
            mig_enabled=gpu.mig_enabled,
            types=None if gpu.types is None else frozenset(gpu.types),
            range_min=low,
            range_max=high,
            preset_min=preset_low,
            preset_max=preset_high,
            host_driver=gpu.host_driver,
            ecc=gpu.ecc,
            sriov=gpu.sriov,
            topology=gpu.topology,
            mig=gpu.mig,
            migration=gpu.migration,
        ),
        profile=case.profile,
        said=said,
        by=JudgedBy(case.by.kind, case.by.driver, case.by.source),
        month=case.month,
        guest_driver=vgpu.guest_driver,
    )


def _require_names(case: _Case, place: str, problems: list[Problem]) -> None:
    """Types by their short names and boards by their keys, all of them in the tables."""
    known = facts.vgpu_types()
    named = [(f"{place}.vgpu.type", case.vgpu.type)]
    named += [(f"{place}.gpu.types[{number}]", name) for number, name in enumerate(case.gpu.types or ())]
    for where, name in named:
        if name not in known:
            problems += UnknownNameError("vgpu type", name, known, place=where).problems
    if case.gpu.board not in facts.boards():
        where = f"{place}.gpu.board"
        problems += UnknownNameError("board", case.gpu.board, facts.boards(), place=where).problems


def _said(verdict: _Verdict, place: str, problems: list[Problem]) -> Said:
    if verdict.states is None or verdict.limits is None:
        if not (verdict.states is None and verdict.limits is None):
            problems.append(Problem(place, "one of states and limits", "wanted both, or neither"))
        return Said(verdict.live)
    states, limits = States.NONE, Limits.NONE
    for state in verdict.states:
        states |= STATE_BY_WORD[state]
    for limit in verdict.limits:
        limits |= LIMIT_BY_WORD[limit]
    said = Said.of(Compatibility(states, limits))
    if said.live != verdict.live:
        problems.append(Problem(f"{place}.live", str(verdict.live).lower(), "the states say otherwise"))
    return said


def _require_judge(case: _Case, place: str, problems: list[Problem]) -> None:
    """A document is named by its source; a driver or a simulated host by its version and the month."""
    by = case.by
    if by.kind is JudgeKind.DOCUMENT:
        if by.source is None:
            problems.append(Problem(f"{place}.by.source", "", "wanted the document that says so"))
        return
    if by.source is not None:
        problems.append(Problem(f"{place}.by.source", f"of a {by.kind}", "wanted one of a document only"))
    if by.driver is None:
        problems.append(Problem(f"{place}.by.driver", "", "missing"))
    if case.month is None:
        problems.append(Problem(f"{place}.month", "", "missing"))


def _hex(version: int | None) -> str | None:
    return None if version is None else f"{version:#x}"


def _number(version: str | None) -> int | None:
    return None if version is None else int(version, 16)


def _range(low: int | None, high: int | None) -> tuple[str, str] | None:
    return None if low is None or high is None else (f"{low:#x}", f"{high:#x}")


def _bounds(found: Sequence[str] | None) -> tuple[int | None, int | None]:
    return (None, None) if found is None else (int(found[0], 16), int(found[1], 16))
