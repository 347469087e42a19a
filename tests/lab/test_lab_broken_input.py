"""Everything broken that the real libvirt can give the hook: the guest stays, or policy lets it go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.lab.prerequisites import lab_marks
from tests.lab.test_lab_live_migration import no_gpu, refused
from tests.vmm.guests import LATER, an_element, some_records, xenserver

from vgpu_migrate.dropin import LIBRARY, library_dir
from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.model import VmId
from vgpu_migrate.nvml import Return
from vgpu_migrate.vmm.domain_element import NAMESPACE, SavedVgpu
from vgpu_migrate.vmm.hook_files import SCRIPT

if TYPE_CHECKING:
    from tests.lab.lab_guest import LabGuest
    from tests.lab.lab_host import LabHost
    from tests.lab.laboratory import Laboratory

pytestmark = lab_marks


def element(record: bytes, **changes: object) -> str:
    """The element of a record, good but for the changes."""
    return an_element(some_records(SavedVgpu(record, "L40S-12Q"), **changes)).decode()


Breaking = Callable[[bytes], str]

DAMAGED: dict[str, tuple[Breaking, str]] = {
    "another checksum": (
        lambda record: element(record).replace('sha256="', 'sha256="0'),
        "its checksum does not fit",
    ),
    "a record that is cut off": (
        lambda record: element(record).replace("AQAAAAEAAAAB", ""),
        "nvmlVgpuMetadata_t: 203 bytes; wanted at least 212",
    ),
    "no base64": (
        lambda record: element(record).replace("AQAAAAEAAAAB", "?"),
        "a record that is no base64",
    ),
    "another count": (
        lambda record: element(record).replace('count="1"', 'count="2"'),
        "1 vgpus, its count says 2",
    ),
    "another state": (
        lambda record: element(record).replace('state="running"', 'state="dancing"'),
        "state dancing",
    ),
    "another guest info": (
        lambda record: element(record).replace('"initialized"', '"uninitialized"'),
        "guest-info uninitialized, its record says initialized",
    ),
    "a time that is none": (
        lambda record: element(record).replace('taken="2026', 'taken="20x6'),
        "taken 20x6-11-23T17:30:00Z, wanted a time such as 2026-11-23T17:30:00Z",
    ),
    "another child": (
        lambda record: element(record).replace("</vgpus>", "<gpu/></vgpus>"),
        "more than <vgpu> in it",
    ),
    "XenServer's, cut off": (
        lambda record: xenserver(record[:100]).decode(),
        "XenServer's record: nvmlVgpuMetadata_t: 100 bytes; wanted at least 212; wanted a vgpu's record",
    ),
    "XenServer's, no JSON": (
        lambda record: f"<vgpus xmlns='{NAMESPACE}'>{{</vgpus>",
        'XenServer\'s record: no JSON; wanted {"nvidia": "base64"}',
    ),
}
"""Elements that are damaged, and what is: refused under any policy."""

UNTOLD: dict[str, tuple[Breaking, str]] = {
    "of another version": (
        lambda record: element(record).replace('version="1"', 'version="2"'),
        f"its saved record is of {NAMESPACE} version 2; this program reads {NAMESPACE} version 1",
    ),
    "stale": (
        lambda record: element(record, last_boot=LATER + timedelta(hours=1)),
        "its saved record is stale: taken 2026-11-23T17:30:00Z, in the boot of 2026-11-23T09:12:44Z; "
        "the guest booted at 2026-11-23T18:30:00Z",
    ),
}
"""Elements that tell nothing, and what the hook says: the policy decides."""

NO_ANSWER = "this host's driver does not answer: "
NOT_LOADED = f"{NO_ANSWER}nvmlInit_v2 answered 9 (Driver Not Loaded)"

UNREACHABLE: dict[str, tuple[str, FaultSpec | None, str]] = {
    "no library": (
        'library = "/nowhere/libnvidia-ml.so.1"',
        None,
        f"{NO_ANSWER}/nowhere/libnvidia-ml.so.1 cannot be used: /nowhere/libnvidia-ml.so.1: "
        "cannot open shared object file: No such file or directory",
    ),
    "no such socket": (f'library = "{library_dir() / LIBRARY}"\nsocket = "/nowhere.sock"', None, NOT_LOADED),
    "driver not loaded": ("", FaultSpec(code=Return.DRIVER_NOT_LOADED), NOT_LOADED),
    "every gpu lost": (
        "",
        FaultSpec(function="nvmlDeviceGetHandleByIndex_v2", code=Return.GPU_IS_LOST),
        "no gpu answers: gpu 0: nvmlDeviceGetHandleByIndex_v2 answered 15 (GPU is lost); "
        "gpu 1: nvmlDeviceGetHandleByIndex_v2 answered 15 (GPU is lost)",
    ),
    "verdict fails": (
        "",
        FaultSpec(function="nvmlGetVgpuCompatibility", code=Return.UNKNOWN),
        "this host's driver failed: nvmlGetVgpuCompatibility answered 999 (Unknown Error)",
    ),
    "no answer in time": (
        "",
        FaultSpec(function="nvmlGetVgpuCompatibility", delay_s=20),
        "no answer within 2 s",
    ),
}
"""Drivers that do not answer, by settings or by a fault, and what the hook says: the policy decides."""

BROKEN_SETTINGS = "the hook's settings are broken: /etc/vgpu-migrate/hook.toml: "
SETTINGS: dict[str, tuple[str, str]] = {
    "no TOML": (
        "[driver",
        "no TOML: Expected ']' at the end of a table declaration (at end of document); wanted settings",
    ),
    "an unknown key": (
        '[policy]\nno_recrod = "pass"\n',
        "policy.no_recrod: unknown; wanted no_record, driver_unreachable, deadline_s",
    ),
    "an unknown choice": (
        '[policy]\nno_record = "maybe"\n',
        "policy.no_record: 'maybe'; wanted refuse or pass",
    ),
}
"""Settings that cannot be understood, and what the hook says."""


@pytest.fixture(scope="module")
def standing(whole_lab: Laboratory) -> Iterator[LabGuest]:
    """One guest on host a for all tests here that refuse it."""
    whole_lab.reset()
    yield whole_lab.new_guest("standing").start(whole_lab.a)
    whole_lab.reset()


@pytest.fixture
def target(whole_lab: Laboratory) -> Iterator[LabHost]:
    """Host b, its settings and script as installed, without faults."""
    yield whole_lab.b
    whole_lab.b.vgpu.clear()
    whole_lab.b.install_hook()


@pytest.fixture
def record(whole_lab: Laboratory, standing: LabGuest) -> bytes:
    """The guest's true record; it carries that, in a good element."""
    found = whole_lab.a.vgpu.saved_records(VmId(standing.name))[0]
    standing.carry(element(found))
    return found


def goes_and_comes_back(guest: LabGuest, source: LabHost, target: LabHost, record: bytes) -> None:
    """The guest is let go, ticking, and put back with a good record."""
    guest.migrate(target)
    guest.wait_for_tick(target)
    assert target.console(guest.name).boots == 0
    guest.wait_for_vm(target)
    guest.carry(element(record))
    guest.migrate(source)
    guest.wait_for_vm(source)


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_record_is_refused_under_any_policy(
    standing: LabGuest, target: LabHost, record: bytes, case: str
) -> None:
    """Whoever changed it: the guest stays, and the source sees what is wrong."""
    broken, reason = DAMAGED[case]
    standing.carry(broken(record))
    target.hook_settings(policy='no_record = "pass"\ndriver_unreachable = "pass"')
    assert standing.refusal(target) == refused(standing, f"its saved record is damaged: {reason}")


@pytest.mark.parametrize("case", UNTOLD)
def test_a_record_that_tells_nothing_is_for_the_policy(
    whole_lab: Laboratory, standing: LabGuest, target: LabHost, record: bytes, case: str
) -> None:
    """Refused as installed; passed where the settings say so."""
    broken, reason = UNTOLD[case]
    standing.carry(broken(record))
    assert standing.refusal(target) == refused(standing, reason)
    target.hook_settings(policy='no_record = "pass"')
    goes_and_comes_back(standing, whole_lab.a, target, record)


@pytest.mark.parametrize("case", UNREACHABLE)
def test_a_driver_that_does_not_answer_is_for_the_policy(
    whole_lab: Laboratory, standing: LabGuest, target: LabHost, record: bytes, case: str
) -> None:
    """Refused as installed; passed where the settings say so."""
    driver, fault, reason = UNREACHABLE[case]
    tables = {"driver": driver} if driver else {}
    if fault is not None:
        target.vgpu.inject(fault)
    target.hook_settings(policy="deadline_s = 2", **tables)
    assert standing.refusal(target) == refused(standing, reason)
    target.hook_settings(policy='deadline_s = 2\ndriver_unreachable = "pass"', **tables)
    goes_and_comes_back(standing, whole_lab.a, target, record)


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_cannot_be_understood_refuse(
    standing: LabGuest, target: LabHost, record: bytes, case: str
) -> None:
    """Nobody's guess is better than the operator's wish."""
    text, reason = SETTINGS[case]
    target.hook_settings_file.write_text(text)
    assert standing.refusal(target) == refused(standing, f"{BROKEN_SETTINGS}{reason}")


def test_settings_that_anybody_may_write_refuse(standing: LabGuest, target: LabHost, record: bytes) -> None:
    """They say which library root opens."""
    target.hook_settings_file.chmod(0o666)
    assert standing.refusal(target) == refused(
        standing,
        f"{BROKEN_SETTINGS}owner 0, mode 666; only root, or who runs this, may write it: chmod go-w",
    )


def test_a_record_that_the_driver_does_not_know_is_refused(
    standing: LabGuest, target: LabHost, record: bytes
) -> None:
    """A record of another kind of driver, in an element that is whole, under any policy."""
    target.vgpu.inject(FaultSpec(function="nvmlGetVgpuCompatibility", code=Return.INVALID_ARGUMENT))
    target.hook_settings(policy='no_record = "pass"\ndriver_unreachable = "pass"')
    assert standing.refusal(target) == refused(standing, "this host's driver does not know the saved record")


def test_a_program_that_is_gone_refuses(standing: LabGuest, target: LabHost, record: bytes) -> None:
    """The script that is left behind tells of it; only guests with a vGPU stay."""
    script = target.hooks / SCRIPT.name
    script.write_text(script.read_text().replace(sys.executable, "/nowhere/python"))
    said = "the hook's program is not at /nowhere/python any more"
    assert standing.refusal(target) == refused(standing, said)


def test_xenservers_form_is_judged(
    whole_lab: Laboratory, standing: LabGuest, target: LabHost, record: bytes
) -> None:
    """The record in XenServer's JSON is judged as in our own form; it does not name its type."""
    standing.carry(xenserver(record).decode())
    goes_and_comes_back(standing, whole_lab.a, target, record)
    standing.carry(xenserver(record).decode())
    whole_lab.make_incompatible(target)
    said = standing.refusal(target)
    target.vgpu.lift_range()
    assert said == refused(standing, no_gpu().replace(" (L40S-12Q)", ""))
