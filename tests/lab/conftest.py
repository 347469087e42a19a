"""The laboratory, built once, and guests in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lab.lab_guest import LabGuest
    from tests.lab.laboratory import Laboratory


@pytest.fixture(scope="session")
def whole_lab() -> Iterator[Laboratory]:
    """The laboratory, for tests that leave it as it was: guests too."""
    from tests.lab.laboratory import laboratory

    with laboratory() as built:
        yield built


@pytest.fixture
def lab(whole_lab: Laboratory) -> Iterator[Laboratory]:
    """The laboratory without guests, hooks and settings as usual; it is put back to that after."""
    whole_lab.reset()
    yield whole_lab
    whole_lab.reset()


@pytest.fixture
def guest(lab: Laboratory) -> LabGuest:
    """A guest that runs on host a and carries a record taken there."""
    found = lab.new_guest().start(lab.a)
    found.carry_record()
    return found


@pytest.fixture
def bare_guest(lab: Laboratory) -> LabGuest:
    """A guest that runs on host a, with a vgpu but without a record."""
    return lab.new_guest().start(lab.a)
