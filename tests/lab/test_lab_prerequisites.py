"""What is said where the laboratory cannot be built."""

from __future__ import annotations

import pytest
from tests.lab import laboratory, prerequisites
from tests.lab.lab_host import LabError


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setattr("os.geteuid", lambda: 0)


def found() -> tuple[str, ...]:
    """What is missing, worked out anew."""
    return prerequisites.missing.__wrapped__()


def test_missing_programs_are_told_as_debian_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each package once, in the command that installs them, and libvirt-python with what it is built from."""
    monkeypatch.setattr(prerequisites, "WHERE", "/nowhere")
    monkeypatch.setattr(prerequisites, "libvirt", None)
    assert found() == (
        "Debian packages: apt-get install --no-install-recommends binutils iproute2 libvirt-clients "
        "libvirt-daemon libvirt-daemon-driver-qemu mount qemu-system-x86 util-linux",
        "libvirt-python: apt-get install gcc libvirt-dev pkg-config; pip install 'vgpu-migrate[libvirt]'",
    )


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that is wanted."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert found()[0] == "root: sudo make lab, sudo make test"


def test_a_laboratory_that_cannot_be_built_says_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is required the tests fail with this; nothing has been made."""
    monkeypatch.setattr(laboratory, "missing", lambda: ("root", "namespaces"))
    with pytest.raises(LabError, match=r"^no laboratory: wanted root; namespaces$"), laboratory.laboratory():
        pass


def test_what_is_lacking_skips_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that wants more of the machine is skipped, or fails where the laboratory is required."""
    monkeypatch.setattr(prerequisites, "libvirt", None)
    for value, outcome in (("", pytest.skip.Exception), ("required", pytest.fail.Exception)):
        monkeypatch.setenv(prerequisites.REQUIRED, value)
        with pytest.raises(outcome, match=r"^wanted libvirt-python: apt-get install "):
            prerequisites.imported_libvirt()
