"""Why an operation on a host is not possible now, as a value. `errors.RefusedError` carries it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from vgpu_migrate.compat import Verdict
from vgpu_migrate.errors import RefusedError


class Reason(StrEnum):
    """The kinds of refusal; a closed set, so that every edge spells them alike."""

    WRONG_STATE = "wrong-state"
    """The VM's power state does not allow the operation; see `transitions.TRANSITIONS`."""
    MIGRATING = "migrating"
    """The VM is part of a migration that is not answered yet."""
    INCOMPATIBLE = "incompatible"
    """The verdict does not hold the state that is needed; the refusal carries it."""
    NO_ROOM = "no-room"
    """Capacity or placement."""
    RECORDS = "records"
    """Saved records are missing, too few or too many, of another type, or malformed."""
    NO_RECORDS = "no-records"
    """Nothing has been saved for this VM yet."""
    ALREADY_THERE = "already-there"
    """A VM or a device of this id is on the host."""
    IN_USE = "in-use"
    """A VM is running on the host, or uses the device."""
    WRONG_DEVICE = "wrong-device"
    """The device is of another type, gpu or placement than what is wanted of it."""
    NO_MANAGER = "no-manager"
    """The host runs a plain driver, without a vGPU Manager."""
    NOT_A_TARGET = "not-a-target"
    """The host is in another migration domain, or nothing may move to it."""
    STALE_TOKEN = "stale-token"  # noqa: S105 (a token of a migration, no secret)
    """A token of another migration, another host, or one that is over."""
    NOT_ANSWERED = "not-answered"
    """The target has neither committed nor declined."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A "no" of a host: the kind, the thing it is about, a sentence, and the verdict where one decided."""

    reason: Reason
    thing: str
    detail: str
    verdict: Verdict | None = None

    def __str__(self) -> str:
        return f"{self.thing}: {self.detail}"


def refuse(reason: Reason, thing: str, detail: str, *, verdict: Verdict | None = None) -> NoReturn:
    """Raise the refusal.

    Raises:
        RefusedError: always; its `refusal` is a `Refusal`.
    """
    raise RefusedError(Refusal(reason, thing, detail, verdict))
