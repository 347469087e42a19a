"""Long lives: threads, forks, thousands of inits; hosts that end, hang or come back meanwhile."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from tests.clients import fleets
from tests.clients.conftest import Serve
from tests.clients.processes import HostProcess, Talk
from tests.clients.running import compile_c, environment, nvml_header, run

C = Path(__file__).parent / "c"
GONE_WITHIN_S = 1.0
"""After so long every call must say that the driver is not loaded."""

ALL_WELL = "0 0 0 0 0 0 19 0 0 2 3 Success"
ALL_GONE = "9 9 9 9 9 9 9 9 9 9 9 Success"
ALL_UNINITIALISED = "1 1 1 1 1 1 1 1 0 1 1 Success"


@pytest.fixture
def endure(tmp_path: Path) -> str:
    """The program of `endure.c`."""
    return str(compile_c(C / "endure.c", tmp_path, "-I", nvml_header()))


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """The program of `talk.c`."""
    return compile_c(C / "talk.c", tmp_path, "-I", nvml_header())


def test_a_thousand_inits_leak_nothing(serve: Serve, endure: str) -> None:
    """After a thousand more inits and shutdowns there are no more descriptors, mappings or pages."""
    host = serve(fleets.an_empty_studio())
    assert run([endure, "cycles"], environment(host.socket)) == ""


def test_forks_while_threads_call(serve: Serve, endure: str) -> None:
    """A child forked while others call goes on, begins anew and leaves; its parent notices nothing."""
    host = serve(fleets.an_empty_studio())
    assert run([endure, "forks"], environment(host.socket)) == ""


def test_readers_never_see_half_a_setting(serve: Serve, endure: str) -> None:
    """While one thread sets the range a hundred times a second, eight read whole ranges and records."""
    host = serve(fleets.an_empty_studio())
    assert run([endure, "readers"], environment(host.socket)) == ""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_a_host_that_ends(talk: Path, tmp_path: Path, how: signal.Signals) -> None:
    """However a host ends, within a second every call is DRIVER_NOT_LOADED, until the next init."""
    with (
        HostProcess(fleets.a_studio(), tmp_path) as host,
        Talk(talk, environment(host.socket)) as program,
    ):
        assert program.say("all") == ALL_UNINITIALISED
        assert program.say("init") == "0"
        assert program.say("all") == ALL_WELL
        host.signal(how)
        time.sleep(GONE_WITHIN_S)
        assert program.say("all") == ALL_GONE
        assert program.say("init") == "9"
        if how is signal.SIGSTOP:
            host.signal(signal.SIGCONT)
        else:
            host.wait()
            host.start()
        assert program.say("all") == ALL_GONE
        assert program.say("init") == "0"
        assert program.say("all") == ALL_WELL
        assert (program.say("shutdown"), program.say("shutdown"), program.say("shutdown")) == ("0", "0", "1")


def test_a_host_stopped_in_the_middle_of_a_setter(talk: Path, tmp_path: Path) -> None:
    """A setter whose host is stopped before it answers is DRIVER_NOT_LOADED too, not a wait without end."""
    with (
        HostProcess(fleets.an_empty_studio(), tmp_path) as host,
        Talk(talk, environment(host.socket)) as program,
    ):
        assert program.say("init") == "0"
        host.signal(signal.SIGSTOP)
        assert program.say("set") == "9"


def test_no_init_without_a_host(talk: Path, tmp_path: Path) -> None:
    """Where nobody listens, init is DRIVER_NOT_LOADED, and the program is not initialised."""
    with Talk(talk, environment(tmp_path / "nobody")) as program:
        assert program.say("init") == "9"
        assert program.say("all") == ALL_UNINITIALISED
        assert program.say("shutdown") == "1"


def test_a_setter_is_seen_by_another_process(serve: Serve, talk: Path) -> None:
    """What one process sets, the next call of another answers."""
    env = environment(serve(fleets.an_empty_studio()).socket)
    with Talk(talk, env) as one, Talk(talk, env) as other:
        assert (one.say("init"), other.say("init")) == ("0", "0")
        assert other.say("range") == "0 70001 140001"
        assert one.say("set") == "0"
        assert other.say("range") == "0 120001 140001"
