"""`vm`: the records that a guest's XML carries, and the hook, on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from tests.cli.program import Answered, start
from tests.vmm.guests import MDEV, a_domain, a_record, an_element, mdev, settings_for, some_records, xenserver

from vgpu_migrate.cli import schemas
from vgpu_migrate.testing import VgpuHost, simulated_host
from vgpu_migrate.vmm.domain_element import SavedVgpu

BOOT = "2026-11-23T09:12:44Z"


@pytest.fixture(scope="module")
def host() -> Iterator[VgpuHost]:
    """A live host with an L40S."""
    with simulated_host("hosts: [{id: h1, driver: 550.54.16, gpus: [{board: L40S}]}]") as host:
        yield host


def fits(answered: Answered, schema: str) -> bool:
    """Whether an answer fits its schema; it says where it does not."""
    jsonschema.Draft202012Validator(schemas.schema(schema)).validate(answered.json)
    return True


def test_metadata_are_shown(tmp_path: Path) -> None:
    """A guest's records are shown with date, boot, type and guest info, as bytes under --json."""
    path = tmp_path / "guest.xml"
    path.write_bytes(a_domain(an_element(host="h1")))
    shown = start("vm", "metadata", str(path))
    said = f"{path}: taken 2026-11-23T17:30:00Z on h1, running, in the boot of {BOOT}."
    assert (shown.status, " ".join(shown.out.splitlines()[:2]).startswith(said[:60]), shown.err) == (
        0,
        True,
        "",
    )
    assert "L40S-12Q" in shown.out
    assert "initialized" in shown.out
    answered = start("vm", "metadata", str(path), "--json")
    assert fits(answered, "vm-metadata")
    assert (answered.json["found"], answered.json["boot"], len(answered.json["vgpus"])) == ("good", BOOT, 1)


@pytest.mark.parametrize(
    ("xml", "found"),
    [
        (a_domain(), "absent"),
        (a_domain(an_element(last_boot=some_records().taken)), "stale"),
        (a_domain(an_element().replace(b'count="1"', b'count="3"')), "damaged"),
        (a_domain(an_element().replace(b'version="1"', b'version="0"')), "other-version"),
    ],
)
def test_no_records_are_told(xml: bytes, found: str) -> None:
    """Where there is nothing to go by, that is a no with its reason."""
    answered = start("vm", "metadata", "-", "--json", stdin=xml.decode())
    assert fits(answered, "vm-metadata")
    assert (answered.status, answered.json["found"], answered.json["vgpus"]) == (1, found, [])
    shown = start("vm", "metadata", "-", stdin=xml.decode())
    assert (shown.status, shown.out.startswith("standard input: ")) == (1, True)


def test_xenserver_form_is_shown() -> None:
    """XenServer's form is shown as what it is."""
    answered = start("vm", "metadata", "-", "--json", stdin=a_domain(xenserver(a_record())).decode())
    assert fits(answered, "vm-metadata")
    assert (answered.status, answered.json["form"], answered.json["taken"]) == (0, "xenserver", None)


def test_records_are_put_in(tmp_path: Path) -> None:
    """Records of files are put into a copy of the XML and read there again; the type is the record's."""
    (tmp_path / "guest.xml").write_bytes(a_domain(devices=[mdev()]))
    (tmp_path / "raw").write_bytes(a_record())
    new = tmp_path / "new.xml"
    line = ["vm", "metadata", str(tmp_path / "guest.xml"), "--record", str(tmp_path / "raw"), "--boot", BOOT]
    answered = start(
        *line, "--device", f"mdev:{MDEV}", "--taken", "2026-11-23T17:30:00Z", "-o", str(new), "--json"
    )
    assert fits(answered, "vm-metadata")
    wanted = some_records(SavedVgpu(a_record(), "L40S-12Q", f"mdev:{MDEV}"))
    assert new.read_bytes() == a_domain(an_element(wanted), [mdev()])
    for wrong in (["-o", str(new), "--type", "a", "--type", "b"], ["-o", str(new), "--taken", "now"], []):
        assert start(*line, *wrong).status == 2
    assert start("vm", "metadata", str(new), "--host", "h1").status == 2
    (tmp_path / "raw").write_bytes(b"no record")
    assert "no records" in start(*line, "-o", str(new)).err or "wanted" in start(*line, "-o", str(new)).err


def test_hook_files(tmp_path: Path) -> None:
    """The hook is installed below a root and taken away again, and each file is told."""
    done = start("vm", "hook", "install", "--root", str(tmp_path), "--json")
    assert fits(done, "vm-hook-files")
    script = tmp_path / "etc/libvirt/hooks/qemu.d/50-vgpu-migrate"
    settings = tmp_path / "etc/vgpu-migrate/hook.toml"
    assert done.json["files"] == [
        {"path": str(script), "done": "written"},
        {"path": str(settings), "done": "written"},
    ]
    gone = start("vm", "hook", "uninstall", "--root", str(tmp_path))
    assert (gone.status, gone.out.count("removed"), script.exists(), settings.exists()) == (
        0,
        2,
        False,
        False,
    )
    script.write_text("another's")
    assert start("vm", "hook", "install", "--root", str(tmp_path)).status == 2
    assert script.read_text() == "another's"


@pytest.mark.parametrize("operation", ["migrate", "restore"])
def test_hook_is_asked(host: VgpuHost, tmp_path: Path, operation: str) -> None:
    """`hook test` runs the hook on a guest's XML and says what it answers."""
    settings = str(settings_for(tmp_path, host.socket))
    path = tmp_path / "guest.xml"
    path.write_bytes(a_domain(an_element()))
    line = ["vm", "hook", "test", str(path), "--operation", operation, "--settings", settings]
    good = start(*line, "--json")
    assert fits(good, "vm-hook-test")
    assert good.json == {"guest": "guest-é", "operation": operation, "passes": True, "said": "", "xml": None}
    path.write_bytes(a_domain(devices=[mdev()]))
    bad = start(*line)
    assert (bad.status, "no saved record" in " ".join(bad.out.split())) == (1, True)
    path.write_bytes(b"<")
    assert start(*line).status == 2
