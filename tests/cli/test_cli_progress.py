"""Signs of life on long work."""

from __future__ import annotations

import io
import sys

import pytest

from vgpu_migrate.cli.progress import long_work


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_long_work_shows_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is going on stands beside the bar, and only on stderr."""
    monkeypatch.setenv("TERM", "xterm")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with long_work("planning [1/2]", is_long=True):
        pass
    assert "planning [1/2]" in terminal.getvalue()


@pytest.mark.parametrize(("is_long", "stream"), [(False, _Terminal()), (True, io.StringIO())])
def test_nothing_is_shown_elsewhere(
    is_long: bool, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short work is over before a bar could be read, and a file needs none."""
    monkeypatch.setattr(sys, "stderr", stream)
    with long_work("planning", is_long=is_long):
        pass
    assert stream.getvalue() == ""
