"""Questions that may never be answered."""

from __future__ import annotations

import threading

import pytest

from vgpu_migrate.vmm.in_time import Asker, NoAnswerError

LONG_S = 60.0


def test_answers_and_errors_come_through() -> None:
    """What a question answers or raises is what its asker gets, one after the other."""
    asker = Asker("test")
    assert [asker.ask(lambda: 3, LONG_S), asker.ask(lambda: 4, LONG_S)] == [3, 4]
    with pytest.raises(ZeroDivisionError):
        asker.ask(lambda: 1 // 0, LONG_S)


def test_a_question_without_an_answer_holds_nobody() -> None:
    """It is given up in time; until it ends no other is asked, then the next one is."""
    asker, end, asked = Asker("test"), threading.Event(), list[int]()
    try:
        with pytest.raises(NoAnswerError, match=r"^no answer within 0\.05 s$"):
            asker.ask(end.wait, 0.05)
        with pytest.raises(NoAnswerError):
            asker.ask(lambda: asked.append(1), 0.05)
        assert asked == []
    finally:
        end.set()
    asker.ask(lambda: asked.append(2), LONG_S)
    assert asked == [2]


def test_waiting_can_be_given_up() -> None:
    """Whoever no longer wants the answer does not wait for it."""
    end = threading.Event()
    try:
        with pytest.raises(NoAnswerError):
            Asker("test").ask(end.wait, LONG_S, is_given_up=lambda: True)
    finally:
        end.set()
