"""`upgrade` where there is nothing to do, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.program import start

DRIVER = "580.126.08"
BARE = "{id: h1, driver: 550.54.16, manager: false, gpus: [{board: A40}]}"
DONE = "{id: h2, driver: 580.126.08, gpus: [{board: A40}]}"


def a_file(tmp_path: Path, *hosts: str) -> str:
    """A fleet file with these hosts."""
    path = tmp_path / "fleet.yaml"
    listed = "\n".join(f"  - {host}" for host in hosts)
    path.write_text(f"fleetfile_version: 1\nrevision: 1\nhosts:\n{listed or '  []'}\nvms: []\n")
    return str(path)


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ((), "No host to upgrade."),
        ((BARE,), "No host to upgrade."),
        ((DONE,), f"Every host asked for runs {DRIVER} already; nothing to do."),
    ],
)
def test_nothing_to_do_is_said_as_it_is(tmp_path: Path, hosts: tuple[str, ...], said: str) -> None:
    """Only where some host has the driver is it said that all have it."""
    result = start("upgrade", a_file(tmp_path, *hosts), "--driver", DRIVER)
    assert (result.status, result.out.strip()) == (0, said)


def test_a_host_named_without_a_manager_is_bad_usage(tmp_path: Path) -> None:
    """There is nothing to upgrade there, and that is an error and no success."""
    result = start("upgrade", a_file(tmp_path, BARE, DONE), "--driver", DRIVER, "--host", "h1")
    assert (result.status, result.out) == (2, "")
    assert "host: h1; wanted a host with a vGPU Manager" in result.err
