"""`sim`: a program run on a simulated host, as a shell would run it."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cli.program import Answered, clean_environment, start

from vgpu_migrate import dropin
from vgpu_migrate.cli.child import PASSED_ON

SIM = ("sim", "demo", "--host", "a1", "--")
SAY_AND_WAIT = 'trap "echo came; exit 9" {signal}; echo ready; while :; do sleep 0.02; done'


def sim(*command: str, library_path: str = "") -> Answered:
    """What comes of a command on host a1 of the embedded fleet."""
    return start(*SIM, *command, LD_LIBRARY_PATH=library_path)


def begin(command: Sequence[str]) -> subprocess.Popen[str]:
    """The same in the background, in a process group of its own as a shell's job is."""
    return subprocess.Popen(
        [sys.executable, "-m", "vgpu_migrate", *SIM, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        text=True,
        process_group=0,
        # A shell that runs tests in the background has children ignore the interrupt.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["sh", "-c", "kill -KILL $$"], 137),
        (["no-such-program"], 127),
        (["/no/such/program"], 127),
        (["/etc/passwd"], 126),
        (["/etc"], 126),
    ],
)
def test_the_exit_status_is_the_programs(command: list[str], status: int) -> None:
    """Or 128 and its signal's number, or what shells answer where it cannot be run."""
    assert sim(*command).status == status


def test_the_streams_are_the_programs() -> None:
    """Nothing of ours is mixed in."""
    done = start(*SIM, "sh", "-c", "cat; echo bad >&2; exit 3", stdin="good\n")
    assert done == (3, "good\n", "bad\n")


def test_the_library_is_in_front_and_the_host_is_named() -> None:
    """The two variables; what LD_LIBRARY_PATH held before is kept behind."""
    said = sim("sh", "-c", 'echo "$LD_LIBRARY_PATH"; test -S "$VGPU_MIGRATE_HOST"', library_path="/before")
    assert said == (0, f"{dropin.library_dir()}:/before\n", "")
    said = sim("sh", "-c", 'echo "$LD_LIBRARY_PATH"', library_path=f"{dropin.library_dir()}:/before")
    assert said == (0, f"{dropin.library_dir()}:/before\n", "")


def test_nothing_is_left_behind() -> None:
    """The socket's directory is owner-only, and gone when the program has ended."""
    said = sim("sh", "-c", 'dirname "$VGPU_MIGRATE_HOST"; stat -c %a "$(dirname "$VGPU_MIGRATE_HOST")"')
    directory, mode = said.out.split()
    assert mode == "700"
    assert not Path(directory).exists()


def test_arguments_behind_the_dashes_are_the_programs() -> None:
    """Options of ours among them are not read."""
    assert sim("echo", "--host", "x", "--", "--help").out == "--host x -- --help\n"


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"])
def test_a_signal_is_passed_on(name: str) -> None:
    """The program decides what comes of it."""
    process = begin(["sh", "-c", SAY_AND_WAIT.format(signal=name)])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.Signals[f"SIG{name}"])
    out, err = process.communicate()
    assert (process.returncode, out, err) == (9, "came\n", "")


def test_a_program_that_ends_by_a_signal_passed_on_ends_us_alike() -> None:
    """128 and the signal's number, without a word."""
    process = begin(["sh", "-c", "echo ready; exec sleep 600"])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert (*process.communicate(), process.returncode) == ("", "", 143)


COUNT_INTERRUPTS = """
trap 'n=$((n+1))' INT
echo ready
for _ in $(seq 30); do sleep 0.02; done
echo n=$n
"""


def test_ctrl_c_reaches_the_program_once() -> None:
    """The terminal sends it to both; we send it on to nobody and wait."""
    terminal, ours = pty.openpty()

    def take_terminal() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        fcntl.ioctl(ours, termios.TIOCSCTTY, 0)

    with subprocess.Popen(
        [sys.executable, "-m", "vgpu_migrate", *SIM, "bash", "-c", COUNT_INTERRUPTS],
        stdin=ours,
        stdout=subprocess.PIPE,
        env=clean_environment(),
        text=True,
        start_new_session=True,
        preexec_fn=take_terminal,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.write(terminal, b"\x03")
        assert process.stdout.read() == "n=1\n"
    assert process.returncode == 0
    os.close(terminal)
    os.close(ours)


def test_what_the_program_changes_is_seen_by_it() -> None:
    """`host` inside speaks to the host, and the next look shows it."""
    program = f"{sys.executable} -m vgpu_migrate host"
    said = sim("sh", "-c", f"{program} pause design-01 >/dev/null && {program} show --json")
    assert '"vm":"design-01"' in said.out
    assert '"state":"paused"' in said.out


def test_a_program_left_behind_finds_the_host_gone() -> None:
    """What outlives COMMAND is told so, and hangs in nothing."""
    program = f"{sys.executable} -m vgpu_migrate host show"
    said = sim("sh", "-c", f"(sleep 0.5; {program}; echo status $?) &")
    assert said.status == 0
    assert said.out == "status 3\n"
    assert said.err.endswith("no host can be reached there: no such file or directory\n")


def test_faults_are_there_from_the_start() -> None:
    """--inject, in the words of `host inject`, in order."""
    program = [sys.executable, "-m", "vgpu_migrate", "host", "show", "--json"]
    given = ("--inject", "--gpu-lost a1/0", "--inject", "nvmlInit_v2 --code TIMEOUT --after 3")
    said = start(*SIM[:-1], *given, "--", *program)
    assert [row["code"] for row in said.json["faults"]] == [15, 10]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["sim", "demo", "--", "true"], "wanted --host ID"),
        (["sim", "demo", "--host", "a9", "--", "true"], "unknown host a9"),
        (["sim", "demo", "--host", "a1"], "COMMAND"),
        (["sim", "nowhere.yaml", "--", "true"], "nowhere.yaml: no such file"),
        ([*SIM[:-1], "--inject", "any", "--", "true"], "wanted --code, --delay, or both"),
        ([*SIM[:-1], "--inject", 'any "', "--", "true"], "No closing quotation"),
        ([*SIM[:-1], "--inject", "any --code 3 --gpu b/0", "--", "true"], "b/0"),
        ([*SIM[:-1], "--sysfs", "/dev/null", "--", "true"], "/dev/null"),
        ([*SIM[:-1], "--sysfs-model", "mdev", "--", "true"], "wanted --sysfs DIR too"),
    ],
)
def test_what_makes_no_sense_is_bad_input(args: list[str], said: str) -> None:
    """Status 2, one clear message, and the program is not started."""
    answered = start(*args)
    assert (answered.status, answered.out) == (2, "")
    assert said in answered.err


@pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="wanted /dev/fuse")
def test_sysfs_is_shown_while_the_program_runs(tmp_path: Path) -> None:
    """--sysfs DIR shows the host's kernel side there, and it is taken away again."""
    shown = tmp_path / "sys"
    said = start(*SIM[:-1], "--sysfs", str(shown), "--", "ls", str(shown / "bus"))
    assert said == (0, "mdev\npci\n", "")
    assert not shown.exists()


@pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="wanted /dev/fuse")
def test_the_model_of_its_sysfs_can_be_chosen(tmp_path: Path) -> None:
    """A driver of 535 has mediated devices, unless vendor VFIO is asked for; and so the other way round."""
    shown = tmp_path / "sys"
    line = (
        "--sysfs",
        str(shown),
        "--",
        "sh",
        "-c",
        'ls "$0"/class "$0"/bus/pci/devices/*/nvidia',
        str(shown),
    )

    def has_vendor_vfio(host: str, *model: str) -> bool:
        return "creatable_vgpu_types" in start("sim", "demo", "--host", host, *model, *line).out

    assert not has_vendor_vfio("a1")
    assert has_vendor_vfio("a1", "--sysfs-model", "vendor-vfio")
    assert has_vendor_vfio("a4", "--sysfs-model", "auto")
    assert not has_vendor_vfio("a4", "--sysfs-model", "mdev")


@pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="wanted /dev/fuse")
@pytest.mark.skipif(os.geteuid() != 0, reason="wanted root: user namespaces may be forbidden")
def test_sysfs_takes_the_place_of_sys() -> None:
    """--over-sys binds it over /sys for the program alone, whose exit status is still ours."""
    script = "ls /sys/class/mdev_bus | head -1; exit 5"
    said = start(*SIM[:-1], "--over-sys", "--", "sh", "-c", script)
    assert (said.status, said.err) == (5, "")
    assert said.out.startswith("0000:")
    assert not os.path.exists("/sys/class/mdev_bus")


def test_every_other_thread_holds_the_signals_back() -> None:
    """One that did not would be given some of them, and lose them or end the process."""
    process = begin(["sh", "-c", "echo ready; exec sleep 600"])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    threads = [task for task in Path(f"/proc/{process.pid}/task").iterdir() if task.name != str(process.pid)]
    status = [task.joinpath("status").read_text() for task in threads]
    process.terminate()
    process.communicate()
    masks = [int(line.split()[1], 16) for text in status for line in text.splitlines() if "SigBlk" in line]
    wanted = sum(1 << (number - 1) for number in (*PASSED_ON, signal.SIGCHLD))
    assert masks
    assert all(mask & wanted == wanted for mask in masks)
