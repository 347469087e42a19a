"""`vm check` and `vm migrate` on the command line, as far as they come without a libvirtd."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.program import start

from vgpu_migrate.cli import schemas
from vgpu_migrate.cli.vm_move_progress import spell_progress
from vgpu_migrate.vmm.libvirt_values import JobStatistics
from vgpu_migrate.vmm.transfer import Progress

TO = ("--to", "qemu+ssh://h2/system")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["check", "g"], "'--to'"),
        (["check", "g", *TO, *TO], "--to may be given once"),
        (["check", "g", *TO, "--judge", "ssh:h2", "--trust-hook"], "do not go together"),
        (["check", "g", "--to", "h2"], "h2; wanted a URI such as qemu+ssh://host/system"),
        (
            ["check", "g", *TO, "--connect", "qemu+ssh://h1/system"],
            "is another host's libvirt; ",
        ),
        (["check", "g", *TO, "--judge", "/no/such/file"], "/no/such/file: no such file"),
        (["check", "g", *TO, "--judge", "ssh:a", "--judge", "ssh:b"], "wanted one judge, or files"),
        (["migrate", "g", *TO, "--offline"], "--offline wants --persistent"),
        (
            ["migrate", "g", *TO, "--offline", "--persistent", "--max-downtime", "9"],
            "--max-downtime is for guests",
        ),
        (["migrate", "g", *TO, "--deadline", "0"], "--deadline"),
        (["migrate", "g", *TO, "--deadline", "nan"], "--deadline"),
        (["migrate", "g", *TO, "--bandwidth", "0"], "--bandwidth"),
        (["migrate", "g", *TO, "--max-downtime", "2000001"], "--max-downtime"),
        (["migrate", "g", *TO, "--parallel", "256"], "--parallel"),
    ],
)
def test_bad_usage(line: list[str], said: str) -> None:
    """What makes no sense is told with exit status 2 before anybody is asked."""
    done = start("vm", *line)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


def test_broken_settings_are_bad_input(tmp_path: Path) -> None:
    """Settings that cannot be understood name their file and what is wrong."""
    settings = tmp_path / "hook.toml"
    settings.write_text("[driver]\nlibary = 'x'\n")
    done = start("vm", "check", "g", *TO, "--settings", str(settings))
    assert (done.status, f"{settings}: driver.libary" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["vm-check", "vm-migrate"])
def test_schemas(name: str) -> None:
    """The answers have schemas that say every key."""
    answer = "MoveCheckAnswer" if name == "vm-check" else "MoveAnswer"
    said = schemas.schema(name)["$defs"][answer]
    assert sorted(said["required"]) == sorted(said["properties"])
    assert said["additionalProperties"] is False


@pytest.mark.parametrize(
    ("job", "is_ending", "said"),
    [
        (None, False, "no figures yet"),
        (JobStatistics(True), False, "no figures yet"),
        (None, True, "giving it up"),
        (
            JobStatistics(
                True,
                memory_total=64 << 20,
                memory_processed=10 << 20,
                memory_remaining=54 << 20,
                memory_bytes_per_s=3 << 19,
                dirty_pages_per_s=256,
                page_bytes=4096,
                downtime_ms=1300,
                iteration=2,
            ),
            False,
            "10 MiB sent of 64, 54 MiB left, 1.5 MiB/s, guest writes 1.0 MiB/s, "
            "expected downtime 1,300 ms, pass 2",
        ),
        (JobStatistics(True, memory_total=1 << 20, memory_remaining=0), False, "0 MiB left"),
    ],
)
def test_progress_in_words(job: JobStatistics | None, is_ending: bool, said: str) -> None:
    """What libvirt counts is spelled in MiB and milliseconds, and what it does not say is left out."""
    assert spell_progress(Progress(1.0, job, is_ending)) == said
