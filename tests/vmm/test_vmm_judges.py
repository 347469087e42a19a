"""Who judges for a destination, and what each of them says of a guest's vgpus."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.vmm.pictures import a_vgpu

from vgpu_migrate.errors import InputError, OutsideError
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml import States, VersionRange
from vgpu_migrate.testing import VgpuHost, simulated_host
from vgpu_migrate.vmm.domain_element import SavedVgpu
from vgpu_migrate.vmm.judgement import By, Judgement, Unjudged
from vgpu_migrate.vmm.judges import Judge, RecordJudge, SimulatedJudge, is_of_this_machine, judge_for
from vgpu_migrate.vmm.libvirt_uri import parts_of
from vgpu_migrate.vmm.program_judge import ProgramJudge, ssh_command

HOST = """
hosts:
  - {id: h1, driver: 550.54.16, gpus: [{board: L40S}, {board: T4}]}
vms:
  - {id: vm1, host: h1, state: running, memory_mib: 4096, guest_driver: 550.54.14,
     uuid: 5eed0000-0000-4000-8000-000000000001,
     vgpus: [{type: L40S-12Q, gpu: h1/0}]}
"""
UUID = "5EED0000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def host() -> Iterator[VgpuHost]:
    """A live host with an L40S, a T4 and a VM."""
    with simulated_host(HOST) as host:
        yield host


@pytest.fixture
def ssh(host: VgpuHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `ssh` that goes nowhere: it writes down its words and runs the rest beside the simulated host."""
    words = tmp_path / "words"
    script = tmp_path / "ssh"
    script.write_text(
        "#!/bin/sh\n"
        f"printf '%s\\n' \"$@\" >> {shlex.quote(str(words))}\n"
        'while [ "$1" != -- ]; do shift; done; shift; target=$1; shift 2\n'
        '[ "$target" = gone ] && { echo "ssh: connect to host gone port 22: no route" >&2; exit 255; }\n'
        '[ "$target" = bare ] && exit 127\n'
        '[ "$target" = empty ] && { echo "{}"; exit 0; }\n'
        '[ "$target" = odd ] && { echo "{}}"; exit 0; }\n'
        f'exec env VGPU_MIGRATE_HOST={shlex.quote(str(host.socket))} {sys.executable} -m vgpu_migrate "$@"\n'
    )
    script.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return words


def records_of_gpus(host: VgpuHost, folder: Path) -> list[str]:
    """Files with the records of the host's gpus."""
    paths = []
    for number in range(2):
        path = folder / f"gpu-{number}.record"
        path.write_bytes(host.gpu_metadata(GpuId(f"h1/{number}")))
        paths.append(str(path))
    return paths


def states(found: Judgement | Unjudged) -> list[list[States]]:
    """The states of each vgpu on each gpu."""
    assert isinstance(found, Judgement), found
    return [[one.states for one in verdicts] for verdicts in found.vgpus]


ALL = States.LIVE | States.SLEEP | States.HIBERNATE | States.COLD


@pytest.mark.usefixtures("ssh")
def test_all_judges_say_the_same(host: VgpuHost, tmp_path: Path) -> None:
    """A simulated host, the program by ssh, and our rules on its records give one verdict."""
    vgpus = (a_vgpu(), SavedVgpu(a_vgpu(guest_info=False, version=None).record), a_vgpu())
    judges: dict[By, list[Judge]] = {
        By.SIMULATED: [
            judge_for([str(host.socket)], "qemu+tls://h2/system"),
            judge_for(["ssh:root@h2"], "qemu+tls://h2/system"),
            judge_for([], "qemu+ssh://root@h2/system"),
        ],
        By.PREDICTION: [judge_for(records_of_gpus(host, tmp_path), "qemu+tls://h2/system")],
    }
    for by, some in judges.items():
        for judge in some:
            found = judge.judge(vgpus)
            assert states(found) == [[ALL, States.NONE], [States.COLD, States.NONE], [ALL, States.NONE]]
            assert isinstance(found, Judgement)
            assert (found.judge, found.by) == (judge.name, by)
            assert found.vgpus[0][1].evidence[0].rule == "board"


def test_active_vgpus_are_counted(host: VgpuHost, ssh: Path) -> None:
    """A guest's active vgpus are found by its UUID in any case; records do not know."""
    for judge in (SimulatedJudge(str(host.socket)), ProgramJudge(ssh_command("h2"), "h2")):
        assert (judge.active_vgpus(UUID), judge.active_vgpus(UUID[:-1] + "2")) == (1, 0)
    assert RecordJudge([("f", b"")]).active_vgpus(UUID) is None
    assert ssh.exists()


def test_ssh_is_called_with_words_alone(ssh: Path) -> None:
    """The port, user and key of the URI are kept, nothing asks for a password, and equal records ask once."""
    uri = "qemu+ssh://op@h2:2222/system?keyfile=/root/key"
    judge_for([], uri).judge((a_vgpu(), a_vgpu()))
    assert ssh.read_text().splitlines() == [
        *("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-p", "2222", "-i", "/root/key"),
        *("--", "op@h2", "vgpu-migrate", "host", "compat", "-", "--json"),
    ]


@pytest.mark.usefixtures("ssh")
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("gone", "the driver of gone, by ssh: ssh: connect to host gone port 22: no route"),
        ("bare", "the driver of bare, by ssh: vgpu-migrate is not installed there, or not in its PATH"),
        ("odd", "the driver of odd, by ssh answers what makes no sense: "),
        ("empty", "its answer is empty"),
    ],
)
def test_a_judge_by_ssh_that_does_not_answer(target: str, said: str) -> None:
    """Where ssh, the program or its answer fails there is no verdict but the reason."""
    judge = judge_for([f"ssh:{target}"], "qemu+ssh://h2/system")
    found = judge.judge((a_vgpu(),))
    assert isinstance(found, Unjudged)
    assert (found.is_outside, found.reason[: len(said)]) == (True, said)
    if target != "empty":
        with pytest.raises(OutsideError):
            judge.active_vgpus(UUID)


def test_a_judge_that_never_ends_its_answer(tmp_path: Path) -> None:
    """A program that answers more than it may is ended long before its time, on either stream."""
    for stream in ("", " >&2"):
        flood = tmp_path / "flood"
        flood.write_text(f"#!/bin/sh\nexec yes{stream}\n")
        flood.chmod(0o700)
        found = ProgramJudge([str(flood)], "h2").judge((a_vgpu(),))
        assert found == Unjudged("h2", "h2 answers more than 16 MiB", is_outside=True)


def test_a_local_judge_loads_nothing_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: VgpuHost
) -> None:
    """A module that lies where the command is run is not imported."""
    (tmp_path / "click.py").write_text("raise SystemExit('a stranger ran')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VGPU_MIGRATE_HOST", str(host.socket))
    found = judge_for(["local"], "qemu:///system").judge((a_vgpu(),))
    assert isinstance(found, Judgement), found


def test_a_judge_that_takes_too_long(tmp_path: Path) -> None:
    """A program that does not answer in time is ended, and that is the reason."""
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    found = ProgramJudge([str(slow)], "h2", answer_s=0.2).judge((a_vgpu(),))
    assert found == Unjudged("h2", "h2 does not answer within 0.2 s", is_outside=True)
    missing = ProgramJudge([str(tmp_path / "none")], "h2").judge((a_vgpu(),))
    assert isinstance(missing, Unjudged)
    assert missing.is_outside


@pytest.mark.usefixtures("ssh")
def test_a_record_that_the_judge_does_not_know(host: VgpuHost, tmp_path: Path) -> None:
    """A record of another kind of driver is a no with its reason, not a failure."""
    strange = SavedVgpu(a_vgpu().record.replace(b"VGM", b"???"), "L40S-12Q")
    judges = [[str(host.socket)], ["ssh:h2"], records_of_gpus(host, tmp_path)]
    for named in judges[:2]:
        found = judge_for(named, "qemu:///system").judge((strange,))
        assert isinstance(found, Unjudged), found
        assert not found.is_outside
    # Our rules see its type and its driver in the named fields.
    assert states(judge_for(judges[2], "qemu:///system").judge((strange,)))[0][1] == States.NONE


def test_a_host_that_is_gone_is_no_verdict(tmp_path: Path) -> None:
    """A simulated host that does not answer is told as such."""
    found = SimulatedJudge(str(tmp_path / "none.sock")).judge((a_vgpu(),))
    assert isinstance(found, Unjudged)
    assert found.is_outside


def test_a_changed_range_is_seen(host: VgpuHost) -> None:
    """The judge asks each time: a range that excludes the guest is in the verdict, with its remedy."""
    with simulated_host("hosts: [{id: h2, driver: 550.54.16, gpus: [{board: L40S}]}]") as other:
        judge = SimulatedJudge(str(other.socket))
        before = judge.judge((a_vgpu(),))
        preset = other.vgpu_versions()[0]
        other.set_vgpu_version(VersionRange(preset.minimum, preset.minimum))
        after = judge.judge((a_vgpu(),))
    assert states(before) == [[ALL]]
    assert isinstance(after, Judgement)
    (verdict,) = after.vgpus[0]
    assert not verdict.states & States.LIVE
    assert verdict.evidence[0].remedy


@pytest.mark.parametrize(
    ("named", "uri"),
    [
        ([], "qemu+tls://h2/system"),
        ([], "qemu+tcp://h2/system"),
        ([], "qemu+unix:///system?socket=/x"),
        ([], "qemu:///system?mode=legacy;SOCKET=/x"),
        ([], "qemu:///system?name=qemu%2Bssh://h2/system"),
        ([], "qemu+ssh:///system"),
        ([], "nothing"),
        ([], "qemu+ssh://h2:port/system"),
        (["ssh:"], "qemu:///system"),
        (["ssh:-oProxyCommand=x"], "qemu:///system"),
        (["ssh:a b"], "qemu:///system"),
        (["ssh:h2", "ssh:h3"], "qemu:///system"),
        (["local", "/etc/hosts"], "qemu:///system"),
        (["/no/such/file"], "qemu:///system"),
        (["/etc/hosts"], "qemu:///system"),
        (["/"], "qemu:///system"),
    ],
)
def test_who_judges_has_to_be_clear(named: list[str], uri: str) -> None:
    """Without a judge that follows from the URI, or with one that is none, the choices are told."""
    with pytest.raises(InputError):
        judge_for(named, uri)


def test_local_uris_are_judged_here(host: VgpuHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the destination's URI is local, or `local` is named, this machine's own host judges."""
    monkeypatch.setenv("VGPU_MIGRATE_HOST", str(host.socket))
    for judge in (
        judge_for([], "qemu:///system"),
        judge_for([], "qemu+unix:///system?mode=legacy"),
        judge_for(["local"], "qemu+tls://h2/system"),
    ):
        assert judge.name == "this machine's own host"
        assert is_of_this_machine(judge)
    assert not is_of_this_machine(judge_for(["ssh:h2"], "qemu:///system"))
    assert states(judge.judge((a_vgpu(),))) == [[ALL, States.NONE]]


@pytest.mark.parametrize(
    ("uri", "transport", "host", "is_local", "may_be"),
    [
        ("qemu:///system", "", None, True, True),
        ("qemu+unix:///system?socket=/run/x", "unix", None, False, True),
        ("qemu:///system?Socket=", "", None, False, True),
        ("qemu+ssh://h2/system", "ssh", "h2", False, False),
        ("qemu+ssh:///system", "ssh", None, False, False),
        ("qemu://h2/system", "", "h2", False, False),
        ("qemu+tcp://[fe80::1]:16509/system", "tcp", "fe80::1", False, False),
    ],
)
def test_where_a_uri_leads(uri: str, transport: str, host: str | None, is_local: bool, may_be: bool) -> None:
    """A URI means this machine where it names no host, and no socket behind which another one may be."""
    parts = parts_of(uri)
    assert (parts.transport, parts.host) == (transport, host)
    assert (parts.is_local, parts.may_be_local) == (is_local, may_be)
