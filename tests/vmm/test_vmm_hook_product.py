"""The hook as libvirt runs it over rule, guest state, record and operation: no wrong pass or refusal.

Every call goes through the entry point, with real descriptors, and some through the script too.
What is right is said by the oracle of the rules' tests, which shares nothing with the code.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import pytest
from tests.compat.factories import NO_SOURCE, UNREPORTED, a_vgpu
from tests.compat.oracle import LIVE, SLEEP, judge
from tests.vmm.guests import (
    LATER,
    a_domain,
    an_element,
    mdev,
    of_traits,
    settings_for,
    some_records,
    xenserver,
)

from vgpu_migrate.compat import GpuTraits, VgpuTraits
from vgpu_migrate.compat.record import read_gpu_record
from vgpu_migrate.testing import simulated_hosts
from vgpu_migrate.vmm import hook, hook_files
from vgpu_migrate.vmm.domain_element import GuestState, SavedVgpu
from vgpu_migrate.vmm.hook_exit import Answer

FLEET = """
domains:
  identical: {profile: identical-host-drivers}
  renegotiating: {profile: renegotiating-resume}
hosts:
  - {id: same, driver: 550.54.16, gpus: [{board: L40S}]}
  - {id: no-ecc, driver: 550.54.16, gpus: [{board: L40S, ecc: false}]}
  - {id: no-sriov, driver: 550.54.16, gpus: [{board: L40S, sriov: false}]}
  - {id: narrowed, driver: 550.54.16, range: [0x70001, 0x120001], gpus: [{board: L40S}]}
  - {id: raised, driver: 550.54.16, range: [0x130001, 0x140001], gpus: [{board: L40S}]}
  - {id: newer, driver: 580.65.05, gpus: [{board: L40S}]}
  - {id: board, driver: 550.54.16, gpus: [{board: A40}]}
  - {id: migration-off, driver: 550.54.16, gpus: [{board: L40S, migration: false}]}
  - {id: mixed, driver: 550.54.16, gpus: [{board: L40S, ecc: false}, {board: L40S}, {board: T4}]}
  - {id: types, driver: 550.54.16, gpus: [{board: L40S, types: [L40S-24Q]}]}
  - {id: mig, driver: 550.54.16, gpus: [{board: A100, mig: [3, 3]}]}
  - {id: identical, domain: identical, driver: 550.54.16, gpus: [{board: L40S}]}
  - {id: renegotiating, domain: renegotiating, driver: 550.54.16, gpus: [{board: L40S}]}
"""
PROFILES = {"identical": "identical-host-drivers", "renegotiating": "renegotiating-resume"}

VGPUS = (
    a_vgpu(),
    a_vgpu(**UNREPORTED),
    a_vgpu(**NO_SOURCE),
    a_vgpu(ecc=False),
    a_vgpu(sriov=False),
    a_vgpu(topology=9),
    a_vgpu(migration=False),
    a_vgpu(host_driver="535.161.05"),
    a_vgpu("L40S-24Q"),
    a_vgpu("A40-12Q"),
    a_vgpu("T4-8Q", sriov=False),
    a_vgpu("A100-3-20C", mig=(3, 3)),
    a_vgpu("A100-3-20C"),
    a_vgpu("A100-20C"),
    *(
        a_vgpu(version=version, guest_min=low, guest_max=high)
        for version, low, high in (
            (0x60001, 0x60001, 0x60001),
            (0x70001, 0x70001, 0x120001),
            (0x120001, 0x70001, 0x120001),
            (0x120001, None, 0x140001),
            (0x120001, 0x120001, None),
            (0x130001, 0x120001, 0x130001),
            (0x130001, 0x130001, 0x180001),
            (0x140001, 0x140001, 0x150001),
            (0x180001, 0x150001, 0x180001),
            (0x180001, None, None),
        )
    ),
    a_vgpu(ecc=False, migration=False),
    a_vgpu(ecc=False, version=0x120001, guest_max=0x130001),
    a_vgpu(guest_info=False, version=None, guest_min=None, guest_max=None, ecc=False),
)
EVERY = 199
"""Of so many calls one goes through the script, as a process, too; a prime: every kind has its turn."""
KINDS = ("live", "saved", "damaged", "stale", "absent")
OPERATIONS = ("migrate", "restore")


class Target(NamedTuple):
    """A live host, its profile, what the rules see of its gpus, and the hook's settings there."""

    id: str
    profile: str
    gpus: tuple[GpuTraits, ...]
    settings: Path


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, ...]]:
    """Every host of the fleet, alive."""
    with ExitStack() as stack:
        hosts = stack.enter_context(simulated_hosts(FLEET))
        yield tuple(
            Target(
                host.id,
                PROFILES.get(host.id, "default"),
                tuple(read_gpu_record(host.gpu_metadata(gpu.id)) for gpu in host.gpus()),
                settings_for(tmp_path_factory.mktemp("settings"), host.socket),
            )
            for host in hosts
        )


def xml_of(vgpu: VgpuTraits, kind: str, state: GuestState) -> bytes:
    """A guest whose record is of this kind."""
    record = of_traits(vgpu)
    if kind == "absent":
        return a_domain(devices=[mdev()])
    if kind == "saved":
        return a_domain(xenserver(record))
    good = some_records(SavedVgpu(record, vgpu.type), state=state)
    if kind == "stale":
        return a_domain(an_element(some_records(SavedVgpu(record), state=state, last_boot=LATER)))
    element = an_element(good)
    return a_domain(element.replace(b'boot="2026', b'boot="2025', 1) if kind == "damaged" else element)


def is_right(target: Target, vgpu: VgpuTraits, kind: str, state: GuestState) -> bool:
    """Whether the guest may go on: by the oracle where its record can be used, else never."""
    if kind not in ("live", "saved"):
        return False
    # XenServer's form does not say that a guest sleeps.
    wanted = SLEEP if state is GuestState.SLEEPING and kind == "live" else LIVE
    return any(judge(vgpu, gpu, target.profile).states & wanted for gpu in target.gpus)


class Left(BaseException):
    """The process would have ended, with this status."""


def leave(status: int) -> NoReturn:
    """In the place of `os._exit`."""
    raise Left(status)


class Libvirt:
    """Calls the hook as libvirt does: arguments, XML on descriptor 0, answers on 1 and 2, and an exit status.

    The descriptors are this process's own meanwhile, and the end of the process is caught.
    """

    def __init__(self, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self._files: list[BinaryIO] = [
            stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (the stack closes it)
            for _ in range(3)
        ]
        self._kept = [os.dup(number) for number in range(3)]
        stack.callback(self._close)
        self._patch = monkeypatch

    def _close(self) -> None:
        for number in self._kept:
            os.close(number)

    def call(self, xml: bytes, settings: Path, operation: str) -> Answer:
        """What one call answers."""
        for file, data in zip(self._files, (xml, b"", b""), strict=True):
            os.ftruncate(file.fileno(), 0)
            os.pwrite(file.fileno(), data, 0)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
        with self._patch.context() as patch, ExitStack() as stack:
            patch.setattr(os, "_exit", leave)
            patch.setattr(sys, "argv", ["-c", "g", operation, "begin", "-"])
            for number, file in enumerate(self._files):
                os.dup2(file.fileno(), number)
                stack.callback(os.dup2, self._kept[number], number)
            patch.setattr(sys, "stdin", stack.enter_context(open(0, closefd=False)))
            with pytest.raises(Left) as left:
                hook.main(settings=settings)
        _, out, said = (os.pread(file.fileno(), 1 << 20, 0) for file in self._files)
        assert said.count(b"\n") == bool(said)
        return Answer(left.value.args[0], out, said.decode().rstrip("\n"))


@pytest.fixture
def libvirt(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Libvirt]:
    """Whoever calls the hook."""
    with capfd.disabled(), ExitStack() as stack:
        yield Libvirt(stack, monkeypatch)


def by_script(target: Target, xml: bytes, operation: str) -> Answer:
    """What the script that `vm hook install` writes answers, as a process; it only has other settings."""
    script = target.settings.with_name("50-vgpu-migrate")
    script.write_text(hook_files.script(Path(sys.executable), target.settings))
    script.chmod(0o755)
    line, environment = [str(script), "g", operation, "begin", "-"], {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(line, input=xml, env=environment, capture_output=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr.decode().rstrip("\n"))


def test_no_wrong_pass_and_no_wrong_refusal(targets: tuple[Target, ...], libvirt: Libvirt) -> None:
    """Of more than ten thousand calls each passes if and only if the rules allow the guest's state there."""
    wrong, asked_for, passed, by_process = [], 0, 0, 0
    for target, vgpu, kind, state in product(targets, VGPUS, KINDS, GuestState):
        xml, right = xml_of(vgpu, kind, state), is_right(target, vgpu, kind, state)
        for operation in OPERATIONS:
            found = libvirt.call(xml, target.settings, operation)
            asked_for += 1
            passed += found.status == 0
            if (found.status == 0, found.out, bool(found.said)) != (right, b"", not right):
                wrong.append((target.id, vgpu, kind, state, operation, found))
            if asked_for % EVERY == 0:
                by_process += 1
                if (again := by_script(target, xml, operation)) != found:
                    wrong.append((target.id, vgpu, kind, state, operation, again))
    assert wrong == []
    assert by_process >= 50
    assert asked_for == len(targets) * len(VGPUS) * len(KINDS) * 3 * 2 >= 10_000
    assert 500 < passed < asked_for / 2


def test_every_rule_decides_somewhere_in_the_product(targets: tuple[Target, ...]) -> None:
    """Each row of the table hits a pair of the product above, and some pair hits none."""
    hits = {
        rule
        for target, vgpu in product(targets, VGPUS)
        for gpu in target.gpus
        for rule in judge(vgpu, gpu, target.profile).rules or ("none",)
    }
    assert hits == {
        "none",
        "board",
        "type",
        "guest-info",
        "guest-older",
        "guest-newer",
        "guest-driver-older",
        "guest-driver-newer",
        "gpu-config",
        "gpu-migration-off",
        "vgpu-migration-off",
        "identical-host-drivers",
        "renegotiating-resume",
    }
