"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a requirement stands."""

    OK = "ok"
    WARN = "warn"
    """Live migration works without it, but less safely, or not after the next reboot."""
    FAIL = "fail"
    """Live migration does not work, or not to every gpu where it should."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """A requirement, its state, and the evidence.

    Attributes:
        check: which requirement, a stable word.
        about: the gpu or file it is about; empty for the whole host.
        state: how it stands.
        seen: the value seen.
        where: where it was read.
        remedy: what to do; None where nothing is to be done.
    """

    check: str
    about: str
    state: State
    seen: str
    where: str
    remedy: str | None = None


def ok(check: str, seen: str, where: str, *, about: str = "") -> Finding:
    """A requirement that is met."""
    return Finding(check, about, State.OK, seen, where)


def warn(check: str, seen: str, where: str, *, remedy: str, about: str = "") -> Finding:
    """One without which live migration is less safe."""
    return Finding(check, about, State.WARN, seen, where, remedy)


def fail(check: str, seen: str, where: str, *, remedy: str, about: str = "") -> Finding:
    """One that is not met."""
    return Finding(check, about, State.FAIL, seen, where, remedy)


def unknown(check: str, seen: str, where: str, *, remedy: str, about: str = "") -> Finding:
    """One that could not be seen."""
    return Finding(check, about, State.UNKNOWN, seen, where, remedy)
