"""The systemd units: put in their place, understood by systemd, and doing by hand what they say."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from tests.cli.program import start
from tests.clients.running import client, environment
from tests.lab.prerequisites import lacking

from vgpu_migrate.cli import schemas
from vgpu_migrate.model import VmId
from vgpu_migrate.nvml import VersionRange
from vgpu_migrate.pinio import write_pin
from vgpu_migrate.testing import VgpuHost, simulated_host
from vgpu_migrate.units import place

UNITS = "etc/systemd/system"
PIN = place.PIN_UNIT


@pytest.fixture
def host() -> Iterator[VgpuHost]:
    """A host without a running VM."""
    with simulated_host() as found:
        found.shut_down(VmId("vm1"))
        yield found


def wanted(program: str, package: str) -> str:
    """A program of systemd or util-linux; without it the test is skipped, or fails."""
    found = shutil.which(program)
    if found is None:
        lacking(f"{program}: apt-get install {package}")
    return found


def installed(root: Path, *args: str) -> dict[str, str]:
    """Install units below a root, and what became of each file, by its path there."""
    answered = start("host", "units", "install", *args, "--root", str(root), "--json")
    assert (answered.status, answered.err) == (0, "")
    jsonschema.Draft202012Validator(schemas.schema("host-units")).validate(answered.json)
    return {os.path.relpath(row["path"], root): row["done"] for row in answered.json["files"]}


def test_units_are_installed_enabled_and_taken_away(tmp_path: Path) -> None:
    """Enabling makes the links that systemctl would, and uninstalling leaves nothing."""
    links = [f"{UNITS}/{name}.wants/{PIN}" for name in ("multi-user.target", "nvidia-vgpu-mgr.service")]
    assert installed(tmp_path, "vgpu-migrate-pin") == {f"{UNITS}/{PIN}": "written"}
    assert place.enabling_links(tmp_path, PIN) == ()
    done = installed(tmp_path, PIN, "--enable")
    assert done == {f"{UNITS}/{PIN}": "kept"} | dict.fromkeys(links, "written")
    assert [str(path.relative_to(tmp_path)) for path in place.enabling_links(tmp_path, PIN)] == links
    assert {os.readlink(tmp_path / link) for link in links} == {f"/{UNITS}/{PIN}"}
    assert start("host", "units", "uninstall", "--root", str(tmp_path)).status == 0
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
    answered = start("host", "units", "uninstall", PIN, "--root", str(tmp_path), "--json")
    assert [row["done"] for row in answered.json["files"]] == ["absent"]


def test_all_that_is_shipped_is_installed(tmp_path: Path) -> None:
    """Without a name every unit of the package is put there, each with our mark and this interpreter."""
    assert place.shipped() == (PIN, place.WATCH_UNIT)
    assert set(installed(tmp_path)) == {f"{UNITS}/{name}" for name in place.shipped()}
    for name in place.shipped():
        text = (tmp_path / UNITS / name).read_text()
        assert place.MARK in text, name
        assert f"ExecStart={Path(sys.executable).absolute()} -I -m vgpu_migrate " in text, name
        assert place.PROGRAM not in text, name


def test_somebody_elses_unit_is_not_touched(tmp_path: Path) -> None:
    """A file or a link of that name that is not ours is named, and nothing is written or removed."""
    folder = tmp_path / UNITS
    folder.mkdir(parents=True)
    (folder / PIN).symlink_to("/dev/null")
    for order in ("install", "uninstall"):
        answered = start("host", "units", order, "--root", str(tmp_path))
        assert (answered.status, answered.out) == (2, "")
        assert answered.err.startswith(f"{folder / PIN}: not ours; nothing was ")
    assert [path.name for path in folder.iterdir()] == [PIN]
    assert "unknown unit" in start("host", "units", "install", "nonsense", "--root", str(tmp_path)).err


def test_a_path_is_one_word_of_a_unit() -> None:
    """Blanks, percent signs and quotes in the interpreter's path are spelled as systemd reads them."""
    text = place.unit_text(PIN, Path('/opt/my venv/100%/"x"/python3'))
    assert 'ExecStart="/opt/my venv/100%%/\\"x\\"/python3" -I -m vgpu_migrate host' in text


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` finds nothing in them, as shipped for this interpreter."""
    program = wanted("systemd-analyze", "systemd")
    installed(tmp_path)
    units = [str(tmp_path / UNITS / name) for name in place.shipped()]
    done = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", *units],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_pin_comes_before_guests() -> None:
    """It is ordered after the vGPU Manager and before whatever of libvirt starts guests."""
    text = (Path(place.__file__).parent / PIN).read_text()
    order = {key: re.search(rf"^{key}=(.*)$", text, re.MULTILINE) for key in ("After", "Before", "Type")}
    assert {key: found and found[1] for key, found in order.items()} == {
        "After": "nvidia-vgpud.service nvidia-vgpu-mgr.service",
        "Before": "libvirtd.service virtqemud.service libvirt-guests.service",
        "Type": "oneshot",
    }


def test_what_the_pin_unit_runs_puts_the_pin_in_force(tmp_path: Path, host: VgpuHost) -> None:
    """The unit's own command line, run by hand where /etc is of the test's making, applies the pin."""
    unshare = wanted("unshare", "util-linux")
    installed(tmp_path, PIN)
    pin = VersionRange(0x120001, 0x140001)
    write_pin(tmp_path / "etc" / "vgpu-migrate" / "pin.toml", pin)
    found = re.search(r"^ExecStart=(.*)$", (tmp_path / UNITS / PIN).read_text(), re.MULTILINE)
    assert found
    namespace = [unshare, "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode != 0:
        lacking("a mount namespace of its own: run it as root, in a container with --privileged")
    binding = environment(host.socket, PYTHONPATH=str(client("nvidia-ml-py")))
    line = shlex.split(found[1])
    if "-I" in line:
        # The interpreter shall see the tests' nvidia-ml-py, which -I would hide.
        line.remove("-I")
    script = 'mount --bind "$0" /etc && exec "$@"'
    done = subprocess.run(
        [*namespace, "sh", "-c", script, str(tmp_path / "etc"), *line],
        env=binding,
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert host.vgpu_versions()[1] == pin
