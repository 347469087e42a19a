"""Cases: a verdict on one vgpu and one gpu, with what the rules look at and nothing that names anybody.

A case is made of traits, which hold no identity: a board, a type, versions, ranges, settings. What else
could come from outside, the drivers' version texts, is taken only where it is a plain version number. So a
case may be given away, and says the same to everybody: what some judge answered, and when.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.compat.pair import Verdict, check
from vgpu_migrate.compat.table import rules
from vgpu_migrate.compat.traits import GpuTraits, VgpuTraits
from vgpu_migrate.model import Profile
from vgpu_migrate.nvml import Compatibility, Limits, States

DRIVER_PATTERN = r"^[0-9]{3}(\.[0-9]{1,3}){1,2}(?!\n)$"
"""A driver's version as NVIDIA numbers them, 470.63 or 580.126.09: no other text gets into a case."""

MONTH_PATTERN = r"^20[0-9]{2}-(0[1-9]|1[0-2])(?!\n)$"

_DRIVER = re.compile(DRIVER_PATTERN)


class JudgeKind(StrEnum):
    """Who gave a verdict: a real driver, a simulated host (whose rules are ours), or a vendor's document."""

    DRIVER = "driver"
    SIMULATED = "simulated"
    DOCUMENT = "document"


class JudgedBy(msgspec.Struct, frozen=True):
    """The judge of a case: `driver` is the version of the host driver, `source` where a document says so."""

    kind: JudgeKind
    driver: str | None = None
    source: str | None = None


class Said(msgspec.Struct, frozen=True):
    """What the judge said. States and limits are None where only `live` was said, as documents do."""

    live: bool
    states: States | None = None
    limits: Limits | None = None

    @classmethod
    def of(cls, verdict: Compatibility) -> Said:
        """A whole verdict."""
        return cls(bool(verdict.states & States.LIVE), verdict.states, verdict.limits)


class Case(msgspec.Struct, frozen=True):
    """One verdict and all that it rests on.

    `guest_driver` is there only where the guest's bounds are those that the tables give for this driver: then
    they are looked up afresh at each check, and `vgpu` has none. `month` is `2026-11`, None for a document.
    """

    vgpu: VgpuTraits
    gpu: GpuTraits
    profile: Profile
    said: Said
    by: JudgedBy
    month: str | None = None
    guest_driver: str | None = None

    @property
    def question(self) -> tuple[object, ...]:
        """What was judged, without what was said: equal for cases that no rule can tell apart."""
        return (self.vgpu, self.guest_driver, self.gpu, self.profile)


class NoCase(NamedTuple):
    """Why a verdict cannot become a case."""

    why: str


class Recheck(NamedTuple):
    """A case judged by today's rules.

    `rows` are the ids of the rows that hit. Where the two differ: `too_strict` are the rows that take a
    state which the judge left, or add a limit that it did not name, and `unexplained` the states that the
    judge took and the limits that it named without any row doing so.
    """

    case: Case
    verdict: Verdict
    agrees: bool
    rows: tuple[str, ...]
    too_strict: tuple[str, ...]
    unexplained: tuple[str, ...]


def make_case(
    vgpu: VgpuTraits,
    gpu: GpuTraits,
    said: Compatibility,
    *,
    by: JudgedBy,
    month: str,
    profile: Profile = Profile.DEFAULT,
    guest_driver: str | None = None,
) -> Case | NoCase:
    """The case of a verdict, or why there is none.

    Args:
        vgpu: as the judge saw it.
        gpu: as the judge saw it.
        said: the judge's verdict.
        by: the judge.
        month: when it was asked, `2026-11`.
        profile: the rules that the judge applies.
        guest_driver: the guest's driver, where the vgpu's bounds are from the tables and not from its record.
    """
    drivers = {
        "the source's host driver": vgpu.host_driver,
        "the target's host driver": gpu.host_driver,
        "the guest driver": guest_driver,
        "the judge's driver": by.driver,
    }
    for what, driver in drivers.items():
        if driver is not None and not is_driver_number(driver):
            return NoCase(f"{what} is no version number")
    if guest_driver is not None:
        vgpu = msgspec.structs.replace(vgpu, guest_min=None, guest_max=None)
    return Case(vgpu, gpu, profile, Said.of(said), by, month, guest_driver)


def is_driver_number(driver: str) -> bool:
    """Whether a driver's version is a number that says nothing of who runs it."""
    return bool(_DRIVER.match(driver))


def recheck(case: Case) -> Recheck:
    """Judge a case by the rules of this version."""
    vgpu = case.vgpu
    if case.guest_driver is not None:
        guest = facts.guest_driver(case.guest_driver)
        vgpu = msgspec.structs.replace(vgpu, guest_min=guest.minimum, guest_max=guest.maximum)
    ours = check(vgpu, case.gpu, case.profile)
    said = case.said
    rows = tuple(piece.rule for piece in ours.evidence)
    if said.states is None or said.limits is None:
        agrees = ours.is_live == said.live
        strict = () if agrees or said.live is False else _taking(rows, States.LIVE, Limits(~0))
        return Recheck(case, ours, agrees, rows, strict, ("live",) if ours.is_live and not said.live else ())
    agrees = (ours.states, ours.limits) == (said.states, said.limits)
    strict = () if agrees else _taking(rows, said.states, said.limits)
    taken, named = ours.states & ~said.states, said.limits & ~ours.limits
    return Recheck(case, ours, agrees, rows, strict, () if agrees else (*taken.words, *named.words))


def _taking(hit: Sequence[str], left: States, named: Limits) -> tuple[str, ...]:
    """The rows among those that hit which take one of `left`, or add a limit that is not among `named`."""
    table = {rule.id: rule for rule in rules()}
    return tuple(name for name in hit if left & ~table[name].leaves or table[name].limit & ~named)


def added(cases: Iterable[Case], new: Iterable[Case]) -> tuple[Case, ...]:
    """The cases with the new ones behind them, each once; one that differs in its month alone is the same."""
    found: dict[tuple[object, ...], Case] = {}
    for case in (*cases, *new):
        found.setdefault((case.question, case.said, case.by), case)
    return tuple(found.values())


def contradictions(cases: Sequence[Case]) -> dict[int, tuple[int, ...]]:
    """For each case, by its place, the others of the same question and profile that were answered otherwise.

    No rule over the fields of a case can satisfy both: something that they do not hold decides.
    """
    alike: dict[tuple[object, ...], list[int]] = {}
    for place, case in enumerate(cases):
        alike.setdefault(case.question, []).append(place)
    return {
        place: others
        for places in alike.values()
        for place in places
        if (others := tuple(other for other in places if _differ(cases[place].said, cases[other].said)))
    }


def _differ(one: Said, other: Said) -> bool:
    if None in (one.states, other.states):
        return one.live != other.live
    return one != other
