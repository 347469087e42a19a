"""The hook among others in libvirt's directory, and libvirt's own ways: restarts, and XML of any size."""

from __future__ import annotations

import json
import re
import venv
from pathlib import Path

from tests.lab.lab_guest import LabGuest
from tests.lab.lab_host import LabHost
from tests.lab.laboratory import Laboratory
from tests.lab.prerequisites import lab_marks, libvirt
from tests.lab.test_lab_live_migration import no_gpu, refused

pytestmark = lab_marks

ONLY_MIGRATE = '[ "$2 $3" = "migrate begin" ] || exit 0\n'
MARKED = "<app:mark xmlns:app='urn:another'/>"
MARKING = f"""{ONLY_MIGRATE}sed "s#<metadata>#<metadata>{MARKED}#"\n"""
REFUSING = f"{ONLY_MIGRATE}echo the other one says no >&2; exit 1\n"


def add_script(host: LabHost, name: str, body: str) -> None:
    """Add another script to the host's hooks."""
    path = host.hooks / name
    path.write_text(f"#!/bin/sh\n{body}")
    path.chmod(0o755)


def settled(xml: str) -> str:
    """A domain's XML without what libvirt does to it by itself: indents, numbers and names of the moment."""
    return re.sub(r" id='\d+'|<alias name='[^']*'/>|<label>.*?</label>|(?<=>)\s+(?=<)", "", xml)


def test_nothing_on_standard_output_leaves_the_xml_as_it_is(lab: Laboratory, guest: LabGuest) -> None:
    """A guest that passes is defined and runs on the target exactly as on the source."""
    before = settled(guest.domain(lab.a).XMLDesc())
    defined = settled(guest.domain(lab.a).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    guest.migrate(lab.b)
    assert settled(guest.domain(lab.b).XMLDesc()) == before
    assert settled(guest.domain(lab.b).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)) == defined


def test_scripts_are_run_in_the_order_of_their_names(lab: Laboratory, guest: LabGuest) -> None:
    """libvirt runs its one script `qemu` first, then those of `qemu.d`, at each of its operations."""
    listing = 'echo "${0##*/} $2 $3" >>/run/lab/calls\n'
    add_script(lab.b, "60-after", listing)
    add_script(lab.b, "10-before", listing)
    add_script(lab.b, "../qemu", listing)
    try:
        guest.migrate(lab.b)
    finally:
        (lab.b.hooks / "../qemu").unlink()
    called = (lab.b.dir / "run/lab/calls").read_text().splitlines()
    operations = ("migrate", "prepare", "start", "started")
    assert called == [
        f"{name} {operation} begin" for operation in operations for name in ("qemu", "10-before", "60-after")
    ]


def test_what_an_earlier_script_writes_is_what_the_hook_judges(lab: Laboratory, guest: LabGuest) -> None:
    """libvirt gives each script the output of the one before; ours passes it on untouched."""
    add_script(lab.b, "10-before", MARKING)
    guest.migrate(lab.b)
    assert "urn:another" in guest.domain(lab.b).XMLDesc()
    assert guest.carried(lab.b) is not None


def test_an_earlier_script_that_drops_the_element_drops_the_judgement(
    lab: Laboratory, guest: LabGuest
) -> None:
    """What the hook trusts: a guest is what the XML that it is given says, here one without a vGPU."""
    lab.make_incompatible(lab.b)
    add_script(lab.b, "10-before", f"{ONLY_MIGRATE}sed -z 's#<metadata>.*</metadata>##'\n")
    guest.migrate(lab.b)
    guest.wait_for_tick(lab.b)


def test_what_a_later_script_writes_is_what_libvirt_goes_on_with(lab: Laboratory, guest: LabGuest) -> None:
    """A script after ours is given the XML though ours writes nothing."""
    add_script(lab.b, "60-after", MARKING)
    guest.migrate(lab.b)
    assert "urn:another" in guest.domain(lab.b).XMLDesc()


def test_a_later_script_cannot_lift_our_refusal(lab: Laboratory, guest: LabGuest) -> None:
    """libvirt runs it nevertheless; the migration fails with our line."""
    lab.make_incompatible(lab.b)
    add_script(lab.b, "60-after", MARKING)
    assert guest.refusal(lab.b) == refused(guest, no_gpu())


def test_of_two_refusals_the_source_sees_the_last(lab: Laboratory, guest: LabGuest) -> None:
    """libvirt runs every script, and tells of the last that fails."""
    lab.make_incompatible(lab.b)
    add_script(lab.b, "10-before", REFUSING)
    assert guest.refusal(lab.b) == refused(guest, no_gpu())
    add_script(lab.b, "60-after", REFUSING)
    assert guest.refusal(lab.b) == "the other one says no"


def test_another_scripts_refusal_stands_where_ours_passes(lab: Laboratory, guest: LabGuest) -> None:
    """The guest stays; ours does not hide the reason."""
    add_script(lab.b, "10-before", REFUSING)
    assert guest.refusal(lab.b) == "the other one says no"
    assert guest.is_running(lab.a)


def test_a_guest_of_megabytes_of_xml_is_judged(lab: Laboratory) -> None:
    """Also at the operations that our script does not read: it ends before libvirt has written all of it."""
    other = f"<app:notes xmlns:app='urn:another'>{'x' * 1_500_000}</app:notes>"
    guest = lab.new_guest(metadata=other).start(lab.a)
    guest.carry_record()
    lab.make_incompatible(lab.b)
    assert guest.refusal(lab.b) == refused(guest, no_gpu())
    lab.b.vgpu.lift_range()
    guest.migrate(lab.b)
    guest.wait_for_tick(lab.b)
    assert len(guest.domain(lab.b).XMLDesc()) > 1_500_000


def test_guests_live_through_a_restart_of_libvirtd(lab: Laboratory, guest: LabGuest) -> None:
    """The hook passes `reconnect` whatever its settings are; afterwards it judges as before."""
    lab.a.hook_settings_file.write_text("broken [")
    lab.b.hook_settings_file.write_text("broken [")
    lab.a.restart_libvirtd()
    lab.b.restart_libvirtd()
    assert guest.is_running(lab.a)
    guest.wait_for_tick(lab.a)
    lab.b.hook_settings()
    lab.make_incompatible(lab.b)
    assert guest.refusal(lab.b) == refused(guest, no_gpu())
    lab.b.vgpu.lift_range()
    guest.migrate(lab.b)
    guest.wait_for_tick(lab.b)
    assert lab.b.console(guest.name).boots == 0


def test_a_hook_that_is_uninstalled_judges_no_more(lab: Laboratory, guest: LabGuest) -> None:
    """At once, without a restart; installed again it judges again."""
    lab.b.hook_settings(policy='no_record = "refuse"', driver='library = "/nowhere/libnvidia-ml.so.1"')
    assert "this host's driver does not answer" in guest.refusal(lab.b)
    lab.b.cli("vm", "hook", "uninstall", check=True)
    guest.migrate(lab.b)
    guest.wait_for_vm(lab.b)
    guest.migrate(lab.a)
    guest.wait_for_vm(lab.a)
    lab.b.install_hook()
    lab.make_incompatible(lab.b)
    assert guest.refusal(lab.b) == refused(guest, no_gpu())


def test_a_hook_whose_python_fails_stops_guests_with_a_vgpu_alone(
    lab: Laboratory, guest: LabGuest, tmp_path: Path
) -> None:
    """Where its interpreter has lost the package, guests without a vGPU still come; the doctor says it."""
    script = lab.b.hooks / "50-vgpu-migrate"
    venv.create(tmp_path, symlinks=True, with_pip=False)
    before = doctors_hook(lab.b)
    assert (before["state"], before["seen"]) == ("ok", "installed")
    python = tmp_path / "bin" / "python"
    script.write_text(re.sub("^python=.*$", f"python={python}", script.read_text(), flags=re.MULTILINE))
    why = f"the hook's program does not run with {python} (status 1)"
    assert guest.refusal(lab.b) == refused(guest, why)
    other = lab.new_guest(vgpus=0)
    lab.a.libvirt.defineXML(other.xml).create()
    other.wait_for_tick(lab.a)
    other.migrate(lab.b)
    assert other.is_running(lab.b)
    after = doctors_hook(lab.b)
    assert (after["state"], after["seen"]) == (
        "fail",
        "its program does not run: ModuleNotFoundError: No module named 'vgpu_migrate': "
        "every guest with a vGPU is refused",
    )
    lab.b.cli("vm", "hook", "install", check=True)
    assert doctors_hook(lab.b) == before


def doctors_hook(host: LabHost) -> dict[str, str]:
    """The doctor's line on a host's hook."""
    answered = host.cli("host", "doctor", "--json")
    (found,) = (line for line in json.loads(answered.stdout)["lines"] if line["check"] == "hook")
    assert isinstance(found, dict)
    return found
