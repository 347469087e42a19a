"""`vm check` and `vm migrate` between two real libvirtds."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.lab.lab_guest import LabGuest
from tests.lab.lab_host import LabHost, wait_until
from tests.lab.laboratory import Laboratory
from tests.lab.prerequisites import lab_marks
from tests.vmm.guests import mdev, settings_for

from vgpu_migrate.cli import schemas
from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml import VgpuMetadata
from vgpu_migrate.vmm.domain_element import NoRecords, SavedRecords, records_in
from vgpu_migrate.vmm.domain_xml import parse_domain

pytestmark = lab_marks

TO_B = "qemu+tcp://b/system"
SLOW = ("--bandwidth", "1", "--max-downtime", "1")
"""So the guest never gets there: it writes ten times as fast."""


class Told:
    """What the program answered under --json, and its messages."""

    def __init__(self, done: subprocess.CompletedProcess[str], schema: str) -> None:
        self.status, self.err = done.returncode, done.stderr
        assert done.stdout, done.stderr
        self.answer: Any = json.loads(done.stdout)
        jsonschema.Draft202012Validator(schemas.schema(schema)).validate(self.answer)

    def words(self, part: str) -> dict[str, str]:
        """The words of its lines, by check."""
        return {line["check"]: line["word"] for line in self.answer[part]}

    def evidence(self, part: str, check: str) -> str:
        """The evidence of one line."""
        (found,) = (line["evidence"] for line in self.answer[part] if line["check"] == check)
        assert isinstance(found, str)
        return found


def check(source: LabHost, guest: LabGuest, *options: str) -> Told:
    """`vm check` on its source."""
    done = source.cli("vm", "check", guest.name, "--to", TO_B, *options, "--json")
    return Told(done, "vm-check")


def migrate(source: LabHost, guest: LabGuest, *options: str, to: str = TO_B) -> Told:
    """`vm migrate` on its source."""
    done = source.cli("vm", "migrate", guest.name, "--to", to, *options, "--json")
    return Told(done, "vm-migrate")


def carried(guest: LabGuest, host: LabHost) -> list[SavedRecords | NoRecords]:
    """What it carries on a host, running and in its definition."""
    return [records_in(parse_domain(guest.domain(host).XMLDesc(form).encode())) for form in (0, 2)]


def by_b(lab: Laboratory) -> tuple[str, str]:
    """The options by which b's simulated host judges."""
    return "--judge", str(lab.b.vgpu_socket)


def whole_move(lab: Laboratory) -> tuple[str, ...]:
    """The options of a move after which the source knows nothing of it."""
    return (*by_b(lab), "--persistent", "--undefine-source")


def test_a_compatible_guest_migrates_with_progress_and_is_verified(
    lab: Laboratory, bare_guest: LabGuest
) -> None:
    """It arrives ticking, with a fresh record and its vgpu active, and every line of both lists is ok."""
    told = migrate(lab.a, bare_guest, *whole_move(lab), "--bandwidth", "30", "--progress")
    assert (told.status, told.answer["ending"], told.answer["good"]) == (0, "migrated", True)
    assert told.words("preflight") == dict.fromkeys(("guest", "destination", "vgpus", "verdict"), "ok")
    assert told.words("afterwards") == dict.fromkeys(("arrived", "source", "record", "vgpus"), "ok")
    assert told.answer["statistics"]["downtime_ms"] > 0
    assert told.answer["statistics"]["memory_total"] >= 64 << 20
    bare_guest.wait_for_tick(lab.b)
    assert lab.b.console(bare_guest.name).boots == 0
    assert not bare_guest.is_defined(lab.a)
    for found in carried(bare_guest, lab.b):
        assert isinstance(found, SavedRecords)
        assert (found.host, [vgpu.type for vgpu in found.vgpus]) == ("a", ["L40S-12Q"])
        assert VgpuMetadata.from_fixed_part(found.vgpus[0].record).host_driver_version == "550.54.16"


def test_progress_tells_memory_rates_and_downtime(lab: Laboratory, guest: LabGuest) -> None:
    """Lines on stderr say how much has been sent, is left, how fast, how fast it writes, and the downtime."""
    told = migrate(lab.a, guest, *by_b(lab), *SLOW, "--deadline", "4", "--progress")
    number = r"[\d,.]+"
    wanted = (
        rf"{guest.name}: {number} s: {number} MiB sent of {number}, {number} MiB left, {number} MiB/s, "
        rf"guest writes {number} MiB/s, expected downtime {number} ms, pass \d+"
    )
    assert any(re.fullmatch(wanted, line) for line in told.err.splitlines()), told.err


def test_a_multi_vgpu_guest_migrates(lab: Laboratory) -> None:
    """Each of two vgpus is recorded, judged and found active on the destination."""
    guest = lab.new_guest(vgpus=2).start(lab.a)
    told = migrate(lab.a, guest, *whole_move(lab))
    assert (told.status, told.answer["good"]) == (0, True)
    assert told.evidence("preflight", "vgpus") == "2 vgpus recorded: L40S-12Q, L40S-12Q"
    assert told.evidence("afterwards", "vgpus").startswith("2 of 2 vgpus are active there")


def test_check_changes_nothing(lab: Laboratory, bare_guest: LabGuest) -> None:
    """`vm check` says yes, shows each verdict, and leaves guest and destination as they are."""
    told = check(lab.a, bare_guest, *by_b(lab))
    assert (told.status, told.answer["goes"]) == (0, True)
    assert told.answer["judge"] == {"name": f"the simulated host at {lab.b.vgpu_socket}", "by": "simulated"}
    (vgpu,) = told.answer["vgpus"]
    assert [target["gpu"] for target in vgpu["targets"] if "live" in target["states"]] == ["b/0"]
    assert bare_guest.carried(lab.a) is None
    assert not bare_guest.is_defined(lab.b)


def test_an_incompatible_guest_is_held_back(lab: Laboratory, bare_guest: LabGuest) -> None:
    """The pre-flight says no with the rule's remedy, and nothing is touched on either side."""
    lab.make_incompatible(lab.b)
    told = migrate(lab.a, bare_guest, *by_b(lab))
    assert (told.status, told.answer["ending"], told.answer["seconds"]) == (1, "held-back", None)
    assert told.words("preflight")["verdict"] == "no"
    assert told.answer["afterwards"] == []
    assert bare_guest.carried(lab.a) is None
    bare_guest.wait_for_tick(lab.a)
    assert not bare_guest.is_defined(lab.b)
    shown = lab.a.cli("vm", "check", bare_guest.name, "--to", TO_B, *by_b(lab))
    assert (shown.returncode, "What stops it" in shown.stdout) == (1, True)


def test_a_trusted_hook_vetoes(lab: Laboratory, guest: LabGuest) -> None:
    """With --trust-hook the hook decides, its one line is the answer, and the old record is put back."""
    before = carried(guest, lab.a)
    lab.make_incompatible(lab.b)
    told = migrate(lab.a, guest, "--trust-hook")
    assert (told.status, told.answer["ending"]) == (1, "vetoed")
    assert told.answer["said"].startswith(
        f"vgpu-migrate: guest {guest.name}, migrate begin: refused: vgpu 0 (L40S-12Q) may not go on live on "
    )
    assert told.words("afterwards") == dict.fromkeys(("record", "guest", "destination"), "ok")
    assert carried(guest, lab.a) == before
    guest.wait_for_tick(lab.a)
    assert not guest.is_defined(lab.b)
    shown = lab.a.cli("vm", "migrate", guest.name, "--to", TO_B, "--trust-hook")
    assert "refused by the destination's hook." in shown.stdout


def test_a_trusted_hook_lets_pass(lab: Laboratory, bare_guest: LabGuest) -> None:
    """With --trust-hook a compatible guest migrates, and whether its vgpus are active nobody is asked."""
    told = migrate(lab.a, bare_guest, "--trust-hook", "--persistent", "--undefine-source")
    assert (told.status, told.answer["good"]) == (0, True)
    assert told.words("afterwards") == dict.fromkeys(("arrived", "source", "record"), "ok")


def test_the_deadline_leaves_the_guest_ticking(lab: Laboratory, guest: LabGuest) -> None:
    """At the deadline it is aborted: the source ticks on, record and limit of downtime are put back."""
    before, downtime = carried(guest, lab.a), guest.domain(lab.a).migrateGetMaxDowntime()
    told = migrate(lab.a, guest, *by_b(lab), *SLOW, "--deadline", "2")
    assert (told.status, told.answer["ending"], told.answer["said"]) == (
        1,
        "deadline",
        "it was not there within 2 s",
    )
    assert told.words("afterwards") == dict.fromkeys(("record", "guest", "destination"), "ok")
    assert carried(guest, lab.a) == before
    assert guest.domain(lab.a).migrateGetMaxDowntime() == downtime
    guest.wait_for_tick(lab.a)
    assert not guest.is_defined(lab.b)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_leaves_the_guest_ticking(
    lab: Laboratory, bare_guest: LabGuest, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM end the migration, not the program: it puts things back and says so."""
    settings = settings_for(tmp_path, lab.a.vgpu_socket)
    line = [sys.executable, "-m", "vgpu_migrate", "vm", "migrate", bare_guest.name, "--connect", lab.a.uri]
    line += ["--to", lab.b.uri, *by_b(lab), "--settings", str(settings), *SLOW, "--progress", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        while "MiB sent" not in said:
            assert said, "it ends before it has begun"
            said = process.stderr.readline()
        assert bare_guest.carried(lab.a) is not None
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    told = Told(subprocess.CompletedProcess(line, process.returncode, out, err), "vm-migrate")
    assert (told.status, told.answer["ending"]) == (130, "stopped")
    assert "asked to stop: " in err
    assert told.words("afterwards") == dict.fromkeys(("record", "guest", "destination"), "ok")
    assert told.evidence("afterwards", "record") == "it carries none, as before"
    assert bare_guest.carried(lab.a) is None
    bare_guest.wait_for_tick(lab.a)
    assert not bare_guest.is_defined(lab.b)


def test_a_judge_that_is_gone(lab: Laboratory, guest: LabGuest) -> None:
    """A judge by ssh that cannot be reached is a failure outside, and nothing is done."""
    before = guest.carried(lab.a)
    told = migrate(lab.a, guest, "--judge", "ssh:nowhere.invalid")
    assert (told.status, told.answer["ending"]) == (3, "held-back")
    assert told.words("preflight")["verdict"] == "failed"
    assert guest.carried(lab.a) == before
    assert not guest.is_defined(lab.b)


def test_nobody_judges(lab: Laboratory, guest: LabGuest) -> None:
    """Where the URI leads to no judge and none is named, that is bad usage, with the choices."""
    done = lab.a.cli("vm", "check", guest.name, "--to", TO_B)
    assert (done.returncode, done.stdout) == (2, "")
    for choice in ("ssh:[USER@]HOST", "SOCKET", "FILE", "--trust-hook"):
        assert choice in done.stderr


def test_records_of_the_destination_predict(lab: Laboratory, guest: LabGuest) -> None:
    """Saved records of its gpus allow a check, said to be a prediction."""
    record = lab.a.dir / "run" / "lab" / "b.record"
    record.write_bytes(lab.b.vgpu.gpu_metadata(GpuId("b/0")))
    told = check(lab.a, guest, "--judge", "/run/lab/b.record")
    assert (told.status, told.words("lines")["verdict"]) == (0, "note")
    assert "our rules predict" in told.evidence("lines", "verdict")


def test_a_source_driver_that_is_gone(lab: Laboratory, guest: LabGuest) -> None:
    """Without the source's driver there is no fresh record: the guest that carries one stays."""
    told = migrate(lab.a, guest, *by_b(lab), "--socket", "/no/such/socket")
    assert (told.status, told.words("preflight")["vgpus"]) == (3, "failed")
    assert guest.is_running(lab.a)


def test_a_destination_that_is_gone(lab: Laboratory, guest: LabGuest) -> None:
    """A destination that cannot be reached is a failure outside, told within seconds."""
    told = migrate(lab.a, guest, *by_b(lab), to="qemu+tcp://10.77.0.9/system")
    assert (told.status, told.words("preflight")["destination"]) == (3, "failed")
    assert migrate(lab.a, guest, *by_b(lab), to="qemu:///system").words("preflight")["destination"] == "no"


def test_a_paused_guest_arrives_paused(lab: Laboratory, guest: LabGuest) -> None:
    """A paused guest is migrated and is paused there, its record says so."""
    guest.domain(lab.a).suspend()
    guest.wait_for_vm(lab.a, "paused")
    told = migrate(lab.a, guest, *whole_move(lab))
    assert (told.status, told.answer["good"]) == (0, True), told.answer
    assert told.evidence("afterwards", "arrived") == f"{guest.name} is paused on the destination"
    assert 'state="paused"' in str(guest.carried(lab.b))


def test_peer_to_peer_and_suspend(lab: Laboratory, guest: LabGuest) -> None:
    """With --p2p the source's libvirtd manages, with --suspend the guest waits on the destination."""
    told = migrate(lab.a, guest, *whole_move(lab), "--p2p", "--suspend")
    assert (told.status, told.answer["good"]) == (0, True), told.answer
    assert told.evidence("afterwards", "arrived") == f"{guest.name} is paused on the destination"


def test_definitions_stay_as_asked(lab: Laboratory, guest: LabGuest) -> None:
    """As with virsh: without options the definition stays on the source and the destination keeps none."""
    told = migrate(lab.a, guest, *by_b(lab))
    assert (told.status, told.words("preflight")["definition"]) == (0, "note")
    assert told.evidence("afterwards", "source") == "its definition stays on the source, off"
    assert not guest.domain(lab.b).isPersistent()


def test_a_definition_moves_offline(lab: Laboratory) -> None:
    """With --offline the definition of a guest that is off moves, once the hook there has judged it."""
    guest = lab.new_guest()
    lab.a.libvirt.defineXML(guest.xml)
    told = migrate(lab.a, guest, "--offline", "--persistent", "--undefine-source")
    assert (told.status, told.answer["good"]) == (0, True), told.answer
    assert guest.is_defined(lab.b)
    assert not guest.is_defined(lab.a)


def test_the_hook_judges_a_definition_too(lab: Laboratory, guest: LabGuest) -> None:
    """libvirt tells the hook no difference: a definition is refused as a live guest is, define is not."""
    guest.domain(lab.a).destroy()
    lab.make_incompatible(lab.b)
    offline = ("--offline", "--persistent", "--undefine-source")
    told = migrate(lab.a, guest, *offline)
    assert (told.status, told.answer["ending"]) == (1, "vetoed")
    assert told.words("preflight")["hook"] == "note"
    assert f"vgpu-migrate: guest {guest.name}, migrate begin: refused: vgpu 0 " in told.answer["said"]
    assert guest.is_defined(lab.a)
    assert not guest.is_defined(lab.b)
    (note,) = (line for line in told.answer["preflight"] if line["check"] == "hook")
    command = note["remedy"].partition(": ")[2].replace("URI", TO_B)
    assert command == f"virsh dumpxml --inactive {guest.name} | virsh -c {TO_B} define /dev/stdin"
    lab.a.run(["sh", "-c", command], check=True)
    assert guest.is_defined(lab.b)
    lab.a.run(["virsh", "undefine", guest.name], check=True)
    assert not guest.is_defined(lab.a)


def test_a_definition_without_a_record_follows_the_policy(lab: Laboratory) -> None:
    """Of a guest that shows a vGPU and carries no record, `no_record` of the destination decides, off too."""
    guest = lab.new_guest(vgpus=0, devices=mdev().decode())
    lab.a.libvirt.defineXML(guest.xml)
    told = migrate(lab.a, guest, "--offline", "--persistent")
    assert (told.status, told.answer["ending"]) == (1, "vetoed")
    assert told.answer["said"].endswith("the guest carries no saved record")
    lab.b.hook_settings(policy='no_record = "pass"')
    told = migrate(lab.a, guest, "--offline", "--persistent")
    assert (told.status, told.answer["good"]) == (0, True), told.answer
    assert guest.is_defined(lab.b)


def test_namesakes_on_the_destination_hold_it_back(lab: Laboratory, guest: LabGuest) -> None:
    """A guest there with its name and another UUID is a no that names it."""
    other = re.sub("<uuid>.*?</uuid>", "<uuid>5eed0000-0000-4000-8000-00000000ffff</uuid>", guest.xml)
    lab.b.libvirt.defineXML(other)
    told = migrate(lab.a, guest, *by_b(lab))
    assert (told.status, told.words("preflight")["name"]) == (1, "no")


def test_a_guest_that_is_being_migrated_is_left_alone(lab: Laboratory, guest: LabGuest) -> None:
    """While another program migrates it, the pre-flight says that libvirt is busy with it."""
    line = [sys.executable, "-m", "vgpu_migrate", "vm", "migrate", guest.name, "--to", TO_B, *by_b(lab)]
    with subprocess.Popen(
        lab.a.command([*line, *SLOW, "--deadline", "20"]),
        env=lab.a.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until(lambda: guest.domain(lab.a).jobStats().get("memory_total"), what="it is under way")
        told = migrate(lab.a, guest, *by_b(lab))
        assert (told.status, told.words("preflight")["job"]) == (1, "no")
        guest.domain(lab.a).abortJob()
        assert process.wait(60) == 3
    assert guest.is_running(lab.a)


def test_this_hosts_driver_does_not_judge_for_another(
    lab: Laboratory, bare_guest: LabGuest, tmp_path: Path
) -> None:
    """A destination behind a socket is nobody's by itself, and `--judge local` is a no for it."""
    told = check(lab.a, bare_guest, "--judge", "local")
    assert (told.status, told.words("lines")["verdict"]) == (1, "no")
    assert told.evidence("lines", "verdict").startswith("judged by another host: a (UUID 00000001-")
    line = [sys.executable, "-m", "vgpu_migrate", "vm", "check", bare_guest.name, "--connect", lab.a.uri]
    line += ["--to", lab.b.uri, "--settings", str(settings_for(tmp_path, lab.a.vgpu_socket))]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, "nothing says who judges for" in done.stderr) == (2, True)


def test_a_driver_that_hangs_holds_nothing_up(lab: Laboratory, guest: LabGuest) -> None:
    """Where the source's driver does not answer in time that is a failure outside, and nothing is done."""
    before = guest.carried(lab.a)
    lab.a.hook_settings(policy="deadline_s = 1")
    lab.a.vgpu.inject(FaultSpec(function="nvmlDeviceGetCount_v2", delay_s=600))
    try:
        told = migrate(lab.a, guest, *by_b(lab))
    finally:
        lab.a.vgpu.clear()
        lab.a.hook_settings()
    assert (told.status, told.answer["ending"]) == (3, "held-back")
    assert told.evidence("preflight", "vgpus") == "this host's driver does not answer: no answer within 1 s"
    assert guest.carried(lab.a) == before


def test_post_copy_is_refused(lab: Laboratory, guest: LabGuest) -> None:
    """--postcopy is a no for a guest with a vGPU."""
    told = migrate(lab.a, guest, *by_b(lab), "--postcopy")
    assert (told.status, told.words("preflight")["post-copy"]) == (1, "no")


def test_an_unknown_guest_is_bad_input(lab: Laboratory, guest: LabGuest) -> None:
    """A guest that is not there is bad input that names one that is near."""
    done = lab.a.cli("vm", "check", f"{guest.name}x", "--to", TO_B, "--trust-hook")
    assert (done.returncode, f"did you mean {guest.name}?" in done.stderr) == (2, True)


def test_over_ssh_the_destinations_own_driver_judges(
    lab: Laboratory, bare_guest: LabGuest, tmp_path: Path
) -> None:
    """With qemu+ssh and nothing else libvirt and `host compat` both go by ssh, and the guest arrives."""
    program = tmp_path / "bin" / "vgpu-migrate"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m vgpu_migrate "$@"\n')
    path = f"{program.parent}:{lab.b.environment['PATH']}"
    there = {**lab.b.environment, "PATH": path}
    words = shlex.join(["env", "-i", *(f"{name}={value}" for name, value in there.items()), "sh", "-c"])
    ssh = tmp_path / "ssh"
    ssh.write_text(
        '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\n[ "$2" = b ] || exit 255\nshift 2\n'
        f'exec {shlex.join(lab.b.command([]))} {words} "$*"\n'
    )
    for script in (program, ssh):
        script.chmod(0o755)
    line = [sys.executable, "-m", "vgpu_migrate", "vm", "migrate", bare_guest.name, "--connect", lab.a.uri]
    line += ["--socket", str(lab.a.vgpu_socket), "--to", "qemu+ssh://b/system", "--persistent"]
    done = subprocess.run(
        [*line, "--undefine-source", "--json"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = Told(done, "vm-migrate")
    assert (told.status, told.answer["good"]) == (0, True), told.answer
    assert "the driver of b, by ssh says that it may go on live on " in told.evidence("preflight", "verdict")
    assert (
        told.evidence("afterwards", "vgpus") == "1 of 1 vgpus are active there, says the driver of b, by ssh"
    )
    bare_guest.wait_for_tick(lab.b)
