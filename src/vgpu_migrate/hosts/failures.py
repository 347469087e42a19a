"""Errors on the control socket: each of the package's own, to plain data and back to the same class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vgpu_migrate.compat import Verdict
from vgpu_migrate.errors import (
    InputError,
    OutsideError,
    Problem,
    RecordError,
    RefusedError,
    VgpuMigrateError,
)
from vgpu_migrate.manager import Reason, Refusal, from_data, to_data
from vgpu_migrate.nvml import ERROR_BY_CODE, NvmlError, UnknownError


class ToldInputError(InputError):
    """A host's word on a bad argument, with the host's own sentence."""

    def __init__(self, problems: Sequence[Problem], text: str) -> None:
        super().__init__(problems)
        self._text = text

    def __str__(self) -> str:
        return self._text


def failure_to_data(error: VgpuMigrateError) -> dict[str, Any]:
    """An error as the control socket carries it.

    `kind` is one of `input`, `refused`, `nvml`, `outside`; `text` the sentence for people.
    """
    text = str(error)
    if isinstance(error, InputError | RecordError):
        found = error.problems if isinstance(error, InputError) else (error.problem,)
        problems = [{"place": one.place, "seen": one.seen, "wanted": one.wanted} for one in found]
        return {"kind": "input", "text": text, "problems": problems}
    if isinstance(error, NvmlError):
        return {"kind": "nvml", "text": text, "code": int(error.code), "detail": error.detail}
    if isinstance(error, RefusedError) and isinstance(error.refusal, Refusal):
        refusal = error.refusal
        evidence = {
            "reason": refusal.reason.value,
            "thing": refusal.thing,
            "detail": refusal.detail,
            "verdict": to_data(refusal.verdict),
        }
        return {"kind": "refused", "text": text, "evidence": evidence}
    return {"kind": "outside", "text": text}


def failure_from_data(data: object, *, source: str) -> VgpuMigrateError:
    """The error that a host answered, as the class it was raised as there.

    Args:
        data: what `failure_to_data` gave.
        source: the host, for the message where `data` makes no sense.
    """
    try:
        return _read(data)
    except (KeyError, TypeError, AttributeError, ValueError, InputError):
        return OutsideError(f"{source}: the host answers an error that cannot be read: {data!r:.200}")


def _read(data: Any) -> VgpuMigrateError:
    kind, text = data["kind"], str(data["text"])
    if kind == "input":
        problems = [
            Problem(str(one["place"]), str(one["seen"]), str(one["wanted"])) for one in data["problems"]
        ]
        return ToldInputError(problems, text)
    if kind == "nvml":
        return ERROR_BY_CODE.get(data["code"], UnknownError)(str(data["detail"]))
    if kind == "refused":
        said = data["evidence"]
        verdict = None if said["verdict"] is None else from_data(Verdict, said["verdict"], place="verdict")
        return RefusedError(Refusal(Reason(said["reason"]), str(said["thing"]), str(said["detail"]), verdict))
    return OutsideError(text)
