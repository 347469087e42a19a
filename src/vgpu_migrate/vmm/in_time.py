"""Questions that may never be answered, asked in a thread of their own and waited for only so long.

A call that hangs in a library cannot be ended, and Python hears no Ctrl-C meanwhile. So it is left behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from vgpu_migrate.errors import OutsideError

_LISTENS_S = 0.2
"""How often a wait looks whether it has been given up."""

T = TypeVar("T")


class NoAnswerError(OutsideError):
    """There was no answer in time."""


class Asker:
    """Asks one question at a time: one that has not been answered yet is never joined by another.

    Args:
        name: of its threads, for whoever debugs.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_idle = threading.Event()
        self._is_idle.set()

    def ask(
        self, question: Callable[[], T], within_s: float, *, is_given_up: Callable[[], bool] = lambda: False
    ) -> T:
        """The answer; what the question raises is raised here.

        Args:
            question: is called in a thread of its own, which may live on behind this call.
            within_s: seconds that are waited, for an earlier question too.
            is_given_up: asked again and again; once it says so, nothing is waited for any more.

        Raises:
            NoAnswerError: there is none in time, or it is given up.
        """
        end = time.monotonic() + within_s
        late = NoAnswerError(f"no answer within {within_s:g} s")
        if not _happens(self._is_idle, end, is_given_up):
            raise late
        outcome = _Outcome()
        self._is_idle = outcome.is_there
        answers: list[T] = []

        def run() -> None:
            with outcome:
                answers.append(question())

        threading.Thread(target=run, name=self._name, daemon=True).start()
        if not _happens(outcome.is_there, end, is_given_up):
            raise late
        if outcome.failure is not None:
            raise outcome.failure
        return answers[0]


class _Outcome:
    """Keeps whatever its block raises, for the thread that asked to raise it, and tells when it is over."""

    def __init__(self) -> None:
        self.is_there = threading.Event()
        self.failure: BaseException | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, failure: BaseException | None, _trace: object) -> bool:
        self.failure = failure
        self.is_there.set()
        return True


def _happens(event: threading.Event, end: float, is_given_up: Callable[[], bool]) -> bool:
    """Whether an event comes before the end. In the main thread signals are heard meanwhile."""
    while not event.wait(max(0.0, min(_LISTENS_S, end - time.monotonic()))):
        if time.monotonic() >= end or is_given_up():
            return False
    return True
