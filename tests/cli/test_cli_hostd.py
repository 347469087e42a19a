"""`hostd`: a simulated host kept alive for many programs, and kept over restarts."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest
from tests.cli.daemon import a_hostd, wait_until_ready
from tests.cli.program import start

from vgpu_migrate import dropin
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.model import VmId


def test_it_says_how_to_point_programs_at_it(tmp_path: Path) -> None:
    """One line on stderr when it is ready, which a shell can take over; nothing on stdout."""
    socket = tmp_path / "a socket"
    with a_hostd(socket) as process:
        said = wait_until_ready(process)
        library = f"LD_LIBRARY_PATH={dropin.library_dir()}"
        assert said == [f"a1 is ready: export {library} VGPU_MIGRATE_HOST='{socket}'"]
        process.send_signal(signal.SIGTERM)
        assert (*process.communicate(), process.returncode) == ("", "", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    """Status 0 and no word; the socket is gone, what it kept is there."""
    socket = tmp_path / "a1.sock"
    with a_hostd(socket) as process:
        wait_until_ready(process)
        process.send_signal(number)
        assert (*process.communicate(), process.returncode) == ("", "", 0)
    assert not socket.exists()
    assert (tmp_path / "a1.sock.state").is_dir()


def test_socket_and_state_are_owner_only(tmp_path: Path) -> None:
    """Nobody else may ask or read."""
    with a_hostd(tmp_path / "a1.sock", "--state", str(tmp_path / "state")) as process:
        wait_until_ready(process)
        assert stat.S_IMODE((tmp_path / "a1.sock").stat().st_mode) & 0o077 == 0
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_restart_goes_on_from_what_was_kept(tmp_path: Path) -> None:
    """Also after a kill; --fresh begins as the file says."""
    socket = tmp_path / "a1.sock"
    live = LiveHost(socket)

    def powers() -> dict[str, str]:
        return {vm.id: vm.power.value for vm in live.show().vms}

    with a_hostd(socket) as process:
        wait_until_ready(process)
        live.hibernate(VmId("design-01"))
    with a_hostd(socket) as process:
        wait_until_ready(process)
        assert powers()["design-01"] == "hibernated"
        assert len(live.saved_records(VmId("design-01"))) == 1
    with a_hostd(socket, "--fresh") as process:
        wait_until_ready(process)
        assert powers()["design-01"] == "running"


def test_one_host_at_a_socket(tmp_path: Path) -> None:
    """A second one is told so, with status 3, and the first goes on."""
    socket = tmp_path / "a1.sock"
    with a_hostd(socket) as process:
        wait_until_ready(process)
        second = start("hostd", "demo", "--host", "a1", "--socket", str(socket))
        assert (second.status, second.out) == (3, "")
        assert second.err.count("\n") == 1
        assert LiveHost(socket).show().id == "a1"


def test_a_vm_migrates_between_two_daemons(tmp_path: Path) -> None:
    """Told from the command line, seen on both sides."""
    source, target = tmp_path / "a1.sock", tmp_path / "a4.sock"
    with a_hostd(source) as one, a_hostd(target, host="a4") as two:
        wait_until_ready(one)
        wait_until_ready(two)
        done = start("host", "migrate", "design-01", "--to", str(target), "--socket", str(source))
        assert done == (0, "design-01: now on a4\n", "")
        assert "design-01" not in [vm.id for vm in LiveHost(source).show().vms]
        assert {vm.id: vm.is_active for vm in LiveHost(target).show().vms}["design-01"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["demo", "--socket", "x"], "wanted --host ID"),
        (["demo", "--host", "a1"], "--socket"),
        (["nowhere.yaml", "--socket", "x"], "nowhere.yaml: no such file"),
        (["demo", "--host", "a1", "--socket", "x", "--state", "/dev/null"], "/dev/null"),
        (["demo", "--host", "a1", "--socket", "x", "--sysfs-model", "mdev"], "wanted --sysfs DIR too"),
        (["demo", "--host", "a1", "--socket", "x", "--sysfs", "y", "--sysfs-model", "vfio"], "'vendor-vfio'"),
    ],
)
def test_what_makes_no_sense_is_bad_input(tmp_path: Path, args: list[str], said: str) -> None:
    """Status 2, one clear message, and no socket is made."""
    answered = start("hostd", *args, cwd=tmp_path)
    assert (answered.status, answered.out) == (2, "")
    assert said in answered.err
    assert list(tmp_path.iterdir()) == []
