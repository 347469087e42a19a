"""One migration under way: how it ends, when it is given up, and what is shown meanwhile."""

from __future__ import annotations

import threading

import pytest

from vgpu_migrate.vmm import transfer as transfers
from vgpu_migrate.vmm.libvirt_values import ErrorCode, JobStatistics, LibvirtError
from vgpu_migrate.vmm.transfer import Ending, Progress, Transferred, hook_line, transfer

ABORTED = LibvirtError(
    "migration", code=ErrorCode.OPERATION_ABORTED, from_domain=10, said="canceled by client"
)
VETO = (
    "Hook script execution failed: internal error: Child process (LC_ALL=C PATH=/bin HOME=/root "
    "/etc/libvirt/hooks/qemu g migrate begin -) unexpected exit status 1: vgpu-migrate: guest g, "
    "migrate begin: refused: vgpu 0 (L40S-12Q) may not go on live"
)


class Running:
    """A guest whose migration lasts until it is aborted, or until `ends` is set."""

    def __init__(self, *, deaf_to: int = 0, error: LibvirtError | None = None) -> None:
        self.ends = threading.Event()
        self.aborts = 0
        self._deaf_to = deaf_to
        self._error = error

    def job(self) -> JobStatistics:
        """Under way."""
        return JobStatistics(True, memory_total=100, memory_remaining=40)

    def abort_job(self) -> None:
        """Ends it, unless it is deaf still."""
        self.aborts += 1
        if self.aborts <= self._deaf_to:
            raise LibvirtError("abort", code=ErrorCode.OPERATION_INVALID, from_domain=10, said="no job")
        self._error = ABORTED
        self.ends.set()

    def migrate(self) -> None:
        """What libvirt does."""
        assert self.ends.wait(30)
        if self._error is not None:
            raise self._error


def run(
    guest: Running, *, deadline_s: float | None = None, stop: bool = False
) -> tuple[Transferred, list[Progress]]:
    """The end of it, and what was shown."""
    asked, shown = threading.Event(), list[Progress]()
    if stop:
        asked.set()
    done = transfer(guest, guest.migrate, deadline_s=deadline_s, stop=asked, show=shown.append)
    return done, shown


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than an operator would."""
    monkeypatch.setattr(transfers, "POLL_S", 0.01)
    monkeypatch.setattr(transfers, "ABORT_AGAIN_S", 0.02)


def test_one_that_arrives() -> None:
    """It ends when libvirt says so, without a word."""
    guest = Running()
    guest.ends.set()
    done, _ = run(guest, deadline_s=60)
    assert (done.ending, done.said, guest.aborts) == (Ending.MIGRATED, "", 0)


def test_the_deadline_ends_it() -> None:
    """When its time has passed it is aborted, and the sentence says how long it had."""
    guest = Running()
    done, shown = run(guest, deadline_s=0.1)
    assert (done.ending, done.said, guest.aborts) == (Ending.DEADLINE, "it was not there within 0.1 s", 1)
    assert shown[0].job == guest.job()
    assert (shown[0].is_ending, shown[-1].is_ending) == (False, True)


def test_the_operator_ends_it() -> None:
    """When it is told to stop it is aborted, and told again until libvirt hears it."""
    guest = Running(deaf_to=2)
    done, _ = run(guest, stop=True)
    assert (done.ending, done.said, guest.aborts) == (Ending.STOPPED, "it was stopped", 3)


def test_an_arrival_counts_more_than_the_deadline() -> None:
    """One that arrives while it is being given up has arrived."""
    guest = Running(deaf_to=10**9)
    threading.Timer(0.2, guest.ends.set).start()
    done, _ = run(guest, deadline_s=0.05)
    assert done.ending is Ending.MIGRATED


def test_a_failure_of_its_own() -> None:
    """What libvirt says of a failure is told, also where it fails for another reason while it is given up."""
    failed = LibvirtError("migration", code=ErrorCode.INTERNAL, from_domain=10, said="out of memory")
    guest = Running(error=failed)
    guest.ends.set()
    assert run(guest)[0].said == "out of memory"
    late = Running(deaf_to=10**9, error=failed)
    threading.Timer(0.2, late.ends.set).start()
    done, _ = run(late, deadline_s=0.05)
    assert (done.ending, done.said) == (
        Ending.DEADLINE,
        "it was not there within 0.05 s; libvirt: out of memory",
    )


def test_the_hooks_veto_is_its_one_line() -> None:
    """A veto is told in the hook's own words."""
    veto = LibvirtError("migration", code=ErrorCode.HOOK_SCRIPT_FAILED, from_domain=34, said=VETO)
    guest = Running(error=veto)
    guest.ends.set()
    done, _ = run(guest)
    assert done.ending is Ending.VETOED
    assert done.said == (
        "vgpu-migrate: guest g, migrate begin: refused: vgpu 0 (L40S-12Q) may not go on live"
    )


@pytest.mark.parametrize("said", ["Hook script execution failed", "unexpected exit status 3", ""])
def test_a_silent_hook(said: str) -> None:
    """Where a hook says nothing, libvirt's sentence stands."""
    assert hook_line(said) == said


def test_an_error_of_ours_is_no_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the call itself breaks, the guest counts as one that did not arrive."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def breaks() -> None:
        raise TypeError("not libvirt's")

    done = transfer(Running(), breaks, deadline_s=None, stop=threading.Event(), show=lambda _: None)
    assert done.ending is Ending.FAILED
