"""How tests are spread over processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Every test for itself to the next process that is free; those of the laboratory to one of them.

    Not by xdist's `--dist loadgroup`: it marks tests in a way that pytest 9.2 does not see.
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneLaboratory(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        """The scheduler by scopes, with the laboratory as the one scope of several tests."""

        def _split_scope(self, nodeid: str) -> str:
            return "the laboratory" if nodeid.startswith("tests/lab/") else nodeid

    return OneLaboratory(config, log)
