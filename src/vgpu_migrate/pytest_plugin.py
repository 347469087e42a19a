"""A pytest plugin: live simulated vGPU hosts as fixtures.

    @pytest.mark.vgpu_host("hosts: [{id: a, driver: 550.54.16, gpus: [{board: L40S}]}]")
    def test_my_program(vgpu_host):
        assert vgpu_host.run(["my-program"]).returncode == 0

Nothing is imported for a suite that uses none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from vgpu_migrate.model import Fleet
    from vgpu_migrate.testing import VgpuHost

_MARKERS = (
    "vgpu_host(fleet, *, host=None): the fleet of the fixture vgpu_host: YAML text, a path, or a Fleet",
    "vgpu_pair(fleet): the fleet of the fixture vgpu_pair, with two hosts",
)


class VgpuPair(NamedTuple):
    """Two live hosts of one fleet, in its order."""

    source: VgpuHost
    target: VgpuHost


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.fixture
def vgpu_host_factory() -> Iterator[Callable[..., VgpuHost]]:
    """A function that starts a simulated host, which lives until the test ends.

    It takes YAML text, a path or a `Fleet`, and `host=ID` where that has several.
    """
    from vgpu_migrate.testing import simulated_host

    with ExitStack() as alive:

        def start(*fleet: str | Path | Fleet, host: str | None = None) -> VgpuHost:
            return alive.enter_context(simulated_host(*fleet, host=host))

        yield start


@pytest.fixture
def vgpu_host(request: pytest.FixtureRequest, vgpu_host_factory: Callable[..., VgpuHost]) -> VgpuHost:
    """A live simulated host: the one that the marker `vgpu_host` describes, else an L40S with one VM."""
    arguments, settings = _marked(request, "vgpu_host")
    with _errors_without_our_frames():
        return vgpu_host_factory(*arguments, **settings)


@pytest.fixture
def vgpu_pair(request: pytest.FixtureRequest) -> Iterator[VgpuPair]:
    """Two live simulated hosts between which VMs can migrate: those of the marker `vgpu_pair`, else alike."""
    from vgpu_migrate.testing import simulated_hosts

    arguments, settings = _marked(request, "vgpu_pair")
    with ExitStack() as alive:
        with _errors_without_our_frames():
            hosts = alive.enter_context(simulated_hosts(*arguments, **settings))
        if len(hosts) != 2:
            pytest.fail(f"the fleet of vgpu_pair has {len(hosts)} hosts; wanted two", pytrace=False)
        yield VgpuPair(*hosts)


@contextmanager
def _errors_without_our_frames() -> Iterator[None]:
    """A fleet that is none is the marker's mistake: its problems are shown, not where we found them."""
    from vgpu_migrate.errors import VgpuMigrateError

    try:
        yield
    except VgpuMigrateError as error:
        pytest.fail(str(error), pytrace=False)


def _marked(request: pytest.FixtureRequest, name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    marker = request.node.get_closest_marker(name)
    return ((), {}) if marker is None else (marker.args, marker.kwargs)
