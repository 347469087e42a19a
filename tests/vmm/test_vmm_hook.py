"""The hook beside the rules: operations, policies, settings, devices, its files, and as a real process."""

from __future__ import annotations

import io
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import click.core
import pytest
from tests.vmm.guests import (
    MDEV,
    OTHER_MDEV,
    a_domain,
    a_record,
    an_element,
    asked,
    function,
    mdev,
    settings_for,
    some_records,
    xenserver,
)

import vgpu_migrate.errors
from vgpu_migrate.errors import InputError, OutsideError
from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.testing import VgpuHost, simulated_host
from vgpu_migrate.vmm import free_devices, hook_files
from vgpu_migrate.vmm.domain_element import SavedRecords, SavedVgpu, records_in
from vgpu_migrate.vmm.domain_xml import host_devices, parse_domain
from vgpu_migrate.vmm.hook import answer
from vgpu_migrate.vmm.hook_settings import TEMPLATE, HookSettings, parse_settings, read_settings

GOOD = a_domain(an_element())
BAD = a_domain(an_element(some_records(SavedVgpu(a_record(ecc=False), "L40S-12Q"))))
WITHOUT_RECORD = a_domain(devices=[mdev()])
OTHERS = [
    (operation, sub)
    for operation, sub in (
        *((operation, "begin") for operation in ("prepare", "start", "started", "stopped", "release")),
        *(("reconnect", "begin"), ("attach", "begin"), ("migrate", "end"), ("restore", ""), ("", "begin")),
    )
]
NOTHING = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
GPU = "0000:3b:00.0"


@pytest.fixture(scope="module")
def host() -> Iterator[VgpuHost]:
    """A live host with an L40S."""
    with simulated_host(
        f"hosts: [{{id: h1, driver: 550.54.16, gpus: [{{board: L40S, pci: '{GPU}'}}]}}]"
    ) as host:
        yield host


@pytest.fixture
def settings(host: VgpuHost, tmp_path: Path) -> Path:
    """Settings for it."""
    return settings_for(tmp_path, host.socket)


@pytest.mark.parametrize(("operation", "sub"), OTHERS)
def test_other_operations_pass(operation: str, sub: str) -> None:
    """An operation that is not ours passes unread, whatever is on the way."""

    class Unreadable(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("it was read")

    for arguments in (["g", operation, sub, "-"], ["g", operation], ["g"], []):
        assert answer(arguments, Unreadable(), settings=Path("/dev/null")) == (0, b"", "")


def test_a_guest_without_a_vgpu_passes(tmp_path: Path) -> None:
    """A guest without a vGPU passes with broken settings and no driver; PCI devices alone are not ours."""
    broken = tmp_path / "hook.toml"
    broken.write_text("[")
    assert asked(a_domain(devices=[function()]), broken) == (0, b"", "")


def test_refusal_says_why(settings: Path) -> None:
    """A refusal names guest, operation, vgpu, gpu and what the driver says, in one line."""
    assert asked(GOOD, settings) == (0, b"", "")
    assert asked(BAD, settings, operation="restore") == (
        1,
        b"",
        "vgpu-migrate: guest g, restore begin: refused: vgpu 0 (L40S-12Q) may not go on live on any gpu "
        f"of this host: {GPU} allows cold, hibernate, limited by gpu",
    )


@pytest.mark.parametrize("xml", [b"", b"<domain", b"\xff\x00", b"<!DOCTYPE a><domain/>", b"<a/>", GOOD[:-20]])
def test_broken_xml_is_refused(xml: bytes, settings: Path) -> None:
    """Where it cannot be seen whether the guest has a vGPU, it is refused."""
    found = asked(xml, settings)
    assert (found.status, found.out, "domain XML: " in found.said) == (1, b"", True)


@pytest.mark.parametrize(
    "text", ["[", "[policy]\nno_record = 1", "[polcy]", "x = 1", "[driver]\nsocket = 'a/b'", "\xff"]
)
def test_broken_settings_refuse_a_guest_with_a_vgpu(text: str, tmp_path: Path) -> None:
    """Settings that are not understood are told, and a guest with a vGPU is refused."""
    path = tmp_path / "hook.toml"
    path.write_bytes(text.encode("latin-1"))
    found = asked(GOOD, path)
    assert (found.status, "the hook's settings are broken: " in found.said) == (1, True)


def test_settings_that_others_may_write_are_broken(settings: Path) -> None:
    """Settings that anybody could have changed are not followed."""
    settings.chmod(0o666)
    assert "only root, or who runs this, may write it" in asked(GOOD, settings).said


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        (WITHOUT_RECORD, "the guest carries no saved record"),
        (a_domain(an_element(last_boot=some_records().taken)), "its saved record is stale"),
        (a_domain(an_element().replace(b'version="1"', b'version="0"')), "its saved record is of"),
        (a_domain(an_element(), [mdev(), mdev(OTHER_MDEV)]), "is of 1 vgpus, it is given 2 devices"),
    ],
)
def test_policy_where_there_is_no_record(xml: bytes, says: str, host: VgpuHost, tmp_path: Path) -> None:
    """A guest with a vGPU and no record to go by is refused, or passes where the settings say so."""
    strict = asked(xml, settings_for(tmp_path, host.socket))
    assert (strict.status, says in strict.said) == (1, True), strict
    lenient = asked(xml, settings_for(tmp_path, host.socket, policy='no_record = "pass"'))
    assert (lenient.status, lenient.out, "not judged, passed" in lenient.said) == (0, b"", True)


def test_a_damaged_record_is_refused_under_any_policy(host: VgpuHost, tmp_path: Path) -> None:
    """A record was meant to be there, so that no policy for none applies."""
    damaged = a_domain(an_element().replace(b'sha256="', b'sha256="0'))
    lenient = settings_for(tmp_path, host.socket, policy='no_record = "pass"\ndriver_unreachable = "pass"')
    assert asked(damaged, lenient).status == 1


def test_policy_where_the_driver_does_not_answer(tmp_path: Path) -> None:
    """Without a driver a guest with a vGPU is refused, or passes where the settings say so."""
    strict = asked(GOOD, settings_for(tmp_path, tmp_path / "nobody"))
    assert (strict.status, "nvmlInit_v2 answered 9 (Driver Not Loaded)" in strict.said) == (1, True)
    policy = 'driver_unreachable = "pass"'
    assert asked(GOOD, settings_for(tmp_path, tmp_path / "nobody", policy=policy)).status == 0
    no_library = settings_for(tmp_path, "/nobody", driver='library = "/nowhere/libnvidia-ml.so.1"')
    assert "cannot be used" in asked(GOOD, no_library).said


@pytest.mark.parametrize(
    "function_name",
    ["nvmlDeviceGetCount_v2", "nvmlDeviceGetVgpuMetadata", "nvmlGetVgpuCompatibility"],
)
def test_a_failing_driver_is_one_that_does_not_answer(
    function_name: str, host: VgpuHost, settings: Path
) -> None:
    """A call that fails is told with its code, and decided by the policy."""
    number = host.inject(FaultSpec(function=function_name, code=10))
    try:
        found = asked(GOOD, settings)
    finally:
        host.clear()
    assert (found.status, f"{function_name} answered 10 (Timeout)" in found.said, number is not None) == (
        1,
        True,
        True,
    )


def test_a_foreign_record_is_refused(settings: Path) -> None:
    """A record that the driver does not know is refused as such."""
    foreign = a_record()
    foreign = foreign[:172] + bytes(24) + foreign[196:]
    assert "does not know the saved record" in asked(a_domain(xenserver(foreign)), settings).said


def test_gpus_that_host_no_vgpus_are_left_out(tmp_path: Path) -> None:
    """A gpu that is no vGPU host is not asked; where there is no other, the guest is refused."""
    for others, says in (("", "no gpu of this host takes vgpus"), (", {board: L40S}", "")):
        fleet = f"hosts: [{{id: h1, driver: 550.54.16, gpus: [{{board: L40S, vgpu: false}}{others}]}}]"
        with simulated_host(fleet) as target:
            there = settings_for(tmp_path, target.socket, policy='driver_unreachable = "pass"')
            found = asked(GOOD, there)
        assert (found.status, found.said.endswith(says)) == (int(bool(says)), True)


def test_a_device_that_is_here_is_judged_on_its_gpu(tmp_path: Path) -> None:
    """Where the guest's device is on one of two gpus, the other one's verdict does not help."""
    fleet = (
        f"hosts: [{{id: h1, driver: 550.54.16, gpus: [{{board: L40S, ecc: false, pci: '{GPU}'}}, "
        "{board: L40S, pci: '0000:5e:00.0'}]}]"
    )
    sysfs = a_sysfs(tmp_path / "sys", (MDEV, "NVIDIA L40S-12Q"))
    with simulated_host(fleet) as target:
        there = settings_for(tmp_path, target.socket, devices=f'sysfs = "{sysfs}"')
        assert asked(a_domain(an_element(), [mdev(OTHER_MDEV)]), there).status == 0
        found = asked(a_domain(an_element(), [mdev()]), there)
    assert (found.status, found.said.endswith(f"host: {GPU} allows cold, hibernate, limited by gpu")) == (
        1,
        True,
    )


def a_sysfs(folder: Path, *mdevs: tuple[str, str], functions: tuple[tuple[int, int], ...] = ()) -> Path:
    """A sysfs with mediated devices by UUID and type name, and functions of the gpu with a type by number."""
    gpu = folder / "devices" / GPU
    for uuid, name in mdevs:
        device = gpu / uuid
        (device / "mdev_type").mkdir(parents=True)
        (device / "mdev_type" / "name").write_text(name + "\n")
        links = folder / "bus/mdev/devices"
        links.mkdir(parents=True, exist_ok=True)
        (links / uuid).symlink_to(device)
    for number, type_id in functions:
        at = folder / "bus/pci/devices" / f"0000:3b:00.{number}"
        (at / "nvidia").mkdir(parents=True)
        (at / "nvidia/current_vgpu_type").write_text(f"{type_id}\n")
        gpu.mkdir(parents=True, exist_ok=True)
        (at / "physfn").symlink_to(gpu)
    return folder


def mapping(host: VgpuHost, folder: Path, sysfs: Path) -> Path:
    """Settings that give every guest a free device."""
    lines = f'map = "free"\nsysfs = "{sysfs}"\ndomains = "{folder / "run"}"\nclaims = "{folder / "claims"}"'
    return settings_for(folder, host.socket, devices=lines)


def test_a_free_device_of_the_type_is_given(host: VgpuHost, tmp_path: Path) -> None:
    """The XML names a free device of the same type, as hostdev and in the record, and else is the same."""
    sysfs = a_sysfs(
        tmp_path / "sys", (MDEV.replace("b", "a"), "NVIDIA L40S-24Q"), (OTHER_MDEV, "NVIDIA L40S-12Q")
    )
    there = mapping(host, tmp_path, sysfs)
    saved = some_records(SavedVgpu(a_record(), "L40S-12Q", f"mdev:{MDEV}"))
    xml = a_domain(an_element(saved), [mdev(), function()])
    found = asked(xml, there)
    assert (found.status, found.said) == (0, "")
    assert found.out == xml.replace(an_element(saved), b"@").replace(
        MDEV.encode(), OTHER_MDEV.encode()
    ).replace(b"@", an_element(some_records(SavedVgpu(a_record(), "L40S-12Q", f"mdev:{OTHER_MDEV}"))))
    again = parse_domain(found.out)
    assert isinstance(records_in(again), SavedRecords)
    assert [device.id for device in host_devices(again)] == [f"mdev:{OTHER_MDEV}", "pci:0000:3b:00.4"]
    assert asked(xml, there) == found, "a guest that tries again is given the same"
    second = asked(xml, there, guest="another")
    assert (second.status, "no free mdev device of type L40S-12Q" in second.said) == (1, True)


def test_a_device_of_a_running_guest_is_not_free(host: VgpuHost, tmp_path: Path) -> None:
    """What libvirt's status files name is in use, and a guest that was refused claims nothing."""
    there = mapping(
        host, tmp_path, a_sysfs(tmp_path / "sys", (MDEV, "NVIDIA L40S-12Q"), (OTHER_MDEV, "GRID L40S-12Q"))
    )
    (tmp_path / "run").mkdir()
    status = b"<domstatus state='running'>" + a_domain(devices=[mdev()]) + b"</domstatus>"
    (tmp_path / "run/other.xml").write_bytes(status)
    two = some_records(*(SavedVgpu(a_record(), "L40S-12Q"),) * 2)
    xml = a_domain(an_element(two), [mdev(MDEV), mdev(OTHER_MDEV)])
    assert "vgpu 1: no free mdev device" in asked(xml, there).said
    assert [path.name for path in (tmp_path / "claims").iterdir()] == [free_devices.LOCK]
    (tmp_path / "run/other.xml").unlink()
    assert asked(xml, there) == (0, b"", "")


def claim_at_once(guest: str, directory: Path, start: Barrier, rounds: int, given: SimpleQueue[str]) -> None:
    """Take a device in each round, when all the others do, beside a mark that is old."""
    for number in range(rounds):
        start.wait()
        with free_devices.choosing(directory / str(number), seconds=60) as claims:
            if claims.give("mdev:x", guest):
                given.put(f"{number} {guest}")


def test_a_device_is_given_to_one_guest_alone(tmp_path: Path) -> None:
    """Of several hooks that find one old mark at the same moment, one takes the device, and none fails."""
    guests, rounds = ("g1", "g2", "g3", "g4", "g5", "g6"), 60
    for number in range(rounds):
        (tmp_path / str(number)).mkdir()
        mark = tmp_path / str(number) / "mdev:x"
        mark.write_text("old")
        os.utime(mark, (1, 1))
    context = multiprocessing.get_context("fork")
    start, given = context.Barrier(len(guests), timeout=30), context.SimpleQueue()
    processes = [
        context.Process(target=claim_at_once, args=(guest, tmp_path, start, rounds, given))
        for guest in guests
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(guests)
    found = sorted(int(given.get().split()[0]) for _ in range(rounds))
    assert (found, given.empty()) == (list(range(rounds)), True)


def test_marks_are_renewed_and_end(tmp_path: Path) -> None:
    """A guest that finds its own mark has it anew; a mark that is old is gone, whoever's it was."""
    with free_devices.choosing(tmp_path, 60) as claims:
        assert claims.give("mdev:x", "g")
        assert claims.give("mdev:y", "other")
        before = time.time() - 50
        os.utime(tmp_path / "mdev:x", (before, before))
        assert claims.give("mdev:x", "g")
        assert not claims.give("mdev:y", "g")
    assert (tmp_path / "mdev:x").stat().st_mtime > before + 40
    for mark in ("mdev:x", "mdev:y"):
        os.utime(tmp_path / mark, (1, 1))
    with free_devices.choosing(tmp_path, 60) as claims:
        assert [path.name for path in tmp_path.iterdir()] == [free_devices.LOCK]
        assert claims.give("mdev:x", "another")


def test_a_free_virtual_function_is_given(host: VgpuHost, tmp_path: Path) -> None:
    """A listed PCI device becomes a free virtual function of the gpu with the same vgpu type."""
    kinds = {"L40S-12Q": 0, "L40S-24Q": 0}
    from vgpu_migrate import facts

    for name in kinds:
        type_id = facts.vgpu_type(name).type_id
        assert type_id is not None
        kinds[name] = type_id
    sysfs = a_sysfs(tmp_path / "sys", functions=((5, kinds["L40S-24Q"]), (6, kinds["L40S-12Q"])))
    saved = some_records(SavedVgpu(a_record(), "L40S-12Q", "pci:0000:3b:00.4"))
    found = asked(a_domain(an_element(saved), [function()]), mapping(host, tmp_path, sysfs))
    assert (found.status, found.said) == (0, "")
    assert [device.id for device in host_devices(parse_domain(found.out))] == ["pci:0000:3b:00.6"]


def test_the_template_says_the_defaults() -> None:
    """The settings that are installed are the defaults, with and without their comment signs."""
    assert parse_settings(TEMPLATE.encode()) == HookSettings()
    switched = [
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in TEMPLATE.split("\n")
    ]
    full = parse_settings("\n".join(switched).encode())
    assert full == HookSettings(socket="/run/vgpu/h1.sock")
    assert read_settings(Path("/nowhere/hook.toml")) == HookSettings()


def run_script(script: Path, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run the installed script as libvirt does."""
    done = subprocess.run([script, *arguments], input=stdin, env=NOTHING, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_install_and_uninstall(tmp_path: Path) -> None:
    """The files are written, kept and removed by who made them, and never another's."""
    script, settings = hook_files.install(tmp_path, Path(sys.executable))
    assert (script.done, settings.done) == ("written", "written")
    assert (script.path.stat().st_mode & 0o777, settings.path.stat().st_mode & 0o777) == (0o755, 0o644)
    settings.path.write_text("# mine\n")
    assert [file.done for file in hook_files.install(tmp_path, Path(sys.executable))] == ["kept", "kept"]
    script.path.chmod(0o700)
    assert [file.done for file in hook_files.install(tmp_path, Path(sys.executable))] == ["written", "kept"]
    assert [file.done for file in hook_files.uninstall(tmp_path)] == ["removed", "kept"]
    assert [file.done for file in hook_files.uninstall(tmp_path)] == ["absent", "kept"]
    script.path.write_text("#!/bin/sh\n")
    with pytest.raises(InputError, match="not ours"):
        hook_files.install(tmp_path, Path(sys.executable))
    with pytest.raises(InputError, match="not ours"):
        hook_files.uninstall(tmp_path)
    assert script.path.read_text() == "#!/bin/sh\n"


def test_the_script_passes_what_is_not_its_own(tmp_path: Path) -> None:
    """As a process the script ends at once for other operations, broken input or none."""
    script = hook_files.install(tmp_path, Path("/nowhere/python"))[0].path
    for operation, sub in OTHERS:
        assert run_script(script, "g", operation, sub, "-", stdin=b"\xff<") == (0, b"", b"")
    assert run_script(script) == (0, b"", b"")


def test_the_script_without_its_program(tmp_path: Path) -> None:
    """Where the program has been removed, guests with a vGPU are refused and others pass."""
    script = hook_files.install(tmp_path, tmp_path / "python with space")[0].path
    assert run_script(script, "g", "migrate", "begin", "-", stdin=a_domain()) == (0, b"", b"")
    for xml in (GOOD, WITHOUT_RECORD, a_domain(xenserver(a_record()))):
        status, out, said = run_script(script, "g", "migrate", "begin", "-", stdin=xml)
        assert (status, out, b"the hook's program is not at" in said) == (1, b"", True)


def test_the_script_runs_the_hook(tmp_path: Path) -> None:
    """As a process it reads the XML and says one line: this machine's settings are the defaults."""
    script = hook_files.install(tmp_path, Path(sys.executable))[0].path
    assert run_script(script, "g", "migrate", "begin", "-", stdin=a_domain()) == (0, b"", b"")
    status, out, said = run_script(script, "g", "migrate", "begin", "-", stdin=WITHOUT_RECORD)
    assert (status, out, said.count(b"\n")) == (1, b"", 1)
    assert said.startswith(b"vgpu-migrate: guest g, migrate begin: refused: ")


@pytest.mark.parametrize(
    "body", ["echo Traceback >&2; exit 1", "exit 126", "kill -SEGV $$", "head -c 10 >/dev/null; exit 1"]
)
def test_the_script_where_its_python_fails(body: str, tmp_path: Path) -> None:
    """A Python that fails before it reads is as good as gone; where it had read, every guest is refused."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{body}\n")
    python.chmod(0o755)
    script = hook_files.install(tmp_path, python)[0].path
    has_read = "head" in body
    for xml, passes in ((a_domain(), not has_read), (GOOD, False), (WITHOUT_RECORD, False), (b"", False)):
        status, out, said = run_script(script, "g", "migrate", "begin", "-", stdin=xml)
        assert (status, out, said.count(b"\n")) == (int(not passes), b"", int(not passes)), said
        wanted = (
            f"vgpu-migrate: guest g, migrate begin: refused: the hook's program does not run with {python} "
        )
        assert passes or said.decode().startswith(wanted)


def test_a_real_python_that_cannot_import_the_hook(tmp_path: Path) -> None:
    """In an environment without the package guests without a vGPU go on, and install refuses it."""
    venv.create(tmp_path / "venv", symlinks=True, with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    script = hook_files.install(tmp_path, python)[0].path
    large = a_domain().replace(b"<devices>", b"<!--" + b"x" * (1 << 20) + b"--><devices>")
    assert run_script(script, "g", "migrate", "begin", "-", stdin=large) == (0, b"", b"")
    said = f"refused: the hook's program does not run with {python} (status 1)\n"
    for stdin in (GOOD, b""):
        found = run_script(script, "g", "restore", "begin", "-", stdin=stdin)
        assert found == (1, b"", f"vgpu-migrate: guest g, restore begin: {said}".encode())
    assert hook_files.trouble_with(python) == "ModuleNotFoundError: No module named 'vgpu_migrate'"
    assert hook_files.trouble_with(tmp_path / "nowhere") == "No such file or directory"
    assert hook_files.trouble_with(Path(sys.executable)) is None
    with pytest.raises(OutsideError, match=r"-I: ModuleNotFoundError: .*; nothing was written"):
        hook_files.require_running(python)
    path = os.pathsep.join(
        [str(Path(str(one.__file__)).parents[1]) for one in (vgpu_migrate.errors, click.core)]
    )
    done = subprocess.run(
        [python, "-m", "vgpu_migrate", "vm", "hook", "install", "--root", tmp_path / "other"],
        env=NOTHING | {"PYTHONPATH": path},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout, (tmp_path / "other").exists()) == (3, "", False)
    assert done.stderr.startswith(f"the hook does not run with {python} -I: ModuleNotFoundError: ")


@pytest.mark.parametrize(("operation", "status"), [("migrate", 1), ("restore", 1), ("start", 0)])
def test_without_standard_input(operation: str, status: int, tmp_path: Path) -> None:
    """Where it is closed, what is the hook's to judge is refused in one line, and the rest passes."""
    script = hook_files.install(tmp_path, Path(sys.executable))[0].path
    line = ["sh", "-c", 'exec "$0" g "$1" begin - 0<&-', str(script), operation]
    done = subprocess.run(line, env=NOTHING, capture_output=True, check=False, text=True)
    said = (
        f"vgpu-migrate: guest g, {operation} begin: refused: standard input is closed; wanted the guest's XML"
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said + "\n" if status else "")


CODE = (
    "import sys; from pathlib import Path; from vgpu_migrate.vmm.hook import main; "
    "main(sys.argv[2:], settings=Path(sys.argv[1]))"
)


@pytest.mark.parametrize(
    ("xml", "status"), [(GOOD, 0), (BAD, 1), (WITHOUT_RECORD, 1), (a_domain(), 0), (b"", 1)]
)
@pytest.mark.parametrize("operation", ["migrate", "restore"])
def test_as_a_process(xml: bytes, status: int, operation: str, settings: Path) -> None:
    """As a process the hook says the same as in this one."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", CODE, settings, "g", operation, "begin", "-"],
        input=xml,
        env=NOTHING,
        capture_output=True,
        check=False,
    )
    found = asked(xml, settings, operation=operation)
    said = found.said.encode() + b"\n" if found.said else b""
    assert (done.returncode, done.stdout, done.stderr) == (status, found.out, said)


def test_a_driver_that_hangs_is_not_waited_for(host: VgpuHost, tmp_path: Path) -> None:
    """After the deadline the hook refuses, or passes where the settings say so."""
    host.inject(FaultSpec(function="nvmlDeviceGetVgpuMetadata", code=0, delay_s=30))
    try:
        for policy, status in (("refuse", 1), ("pass", 0)):
            lines = f'driver_unreachable = "{policy}"\ndeadline_s = 0.2'
            there = settings_for(tmp_path, host.socket, policy=lines)
            command = [sys.executable, "-I", "-c", CODE, str(there), "g", "migrate", "begin", "-"]
            done = subprocess.run(command, input=GOOD, env=NOTHING, capture_output=True, check=False)
            assert (done.returncode, b"no answer within 0.2 s" in done.stderr) == (status, True)
    finally:
        host.clear()


def at_the_deadline(tmp_path: Path, answered: str, write: str) -> subprocess.Popen[bytes]:
    """A hook that passes what it cannot judge in 0.2 s, with an answer, and a way to write it."""
    settings = tmp_path / "hook.toml"
    settings.write_text('[policy]\ndriver_unreachable = "pass"\ndeadline_s = 0.2\n')
    settings.chmod(0o600)
    code = (
        "import os, sys, time; from pathlib import Path; from vgpu_migrate.vmm import hook\n"
        f"hook.answer = lambda *_, **__: {answered}\nwrite = os.write\n{write}\n"
        "hook.main(['g', 'migrate', 'begin', '-'], settings=Path(sys.argv[1]))"
    )
    command = [sys.executable, "-I", "-c", code, str(settings)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=NOTHING
    )


def test_the_deadline_does_not_cut_an_answer(tmp_path: Path) -> None:
    """An XML that is being written when the deadline passes is written to its end."""
    with at_the_deadline(tmp_path, "hook.Answer(0, b'<x/>' * 100_000)", "") as process:
        assert process.stdout is not None
        first = os.read(process.stdout.fileno(), 4)
        time.sleep(0.5)
        out, err = process.communicate()
    assert (process.returncode, first + out == b"<x/>" * 100_000, err) == (0, True, b"")


def test_the_deadline_does_not_lift_a_refusal(tmp_path: Path) -> None:
    """A refusal that is being said when the deadline passes stands, and is the only line."""
    slow = "def later(fd, data):\n    time.sleep(0.5)\n    return write(fd, data)\nos.write = later"
    with at_the_deadline(tmp_path, "hook.Answer(1, said='refused')", slow) as process:
        out, err = process.communicate()
    assert (process.returncode, out, err) == (1, b"", b"refused\n")


def test_the_hook_imports_the_standard_library_alone() -> None:
    """The hook loads nothing but the standard library and this package's lowest rooms."""
    code = (
        "import sys, vgpu_migrate.vmm.hook as h; "
        "print(*sorted({'.'.join(m.split('.')[:2]) for m in sys.modules if m.startswith('vgpu_migrate.')}), "
        "*({m.split('.')[0] for m in sys.modules} & {'msgspec', 'numpy', 'yaml', 'click', 'rich'}))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == [
        "vgpu_migrate.errors",
        "vgpu_migrate.nvml",
        "vgpu_migrate.settingsio",
        "vgpu_migrate.vmm",
    ]
    assert shutil.which("sh") is not None
    assert os.environ.get("VGPU_MIGRATE_HOST") is None
