"""Live hosts for NVML programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.clients.fleets import HOST

from vgpu_migrate.hostd.serve import RunningHost, running_host
from vgpu_migrate.model import Fleet

Serve = Callable[[Fleet], RunningHost]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Bring hosts to life for this test alone."""
    with ExitStack() as running:
        yield lambda fleet: running.enter_context(running_host(fleet, HOST))
