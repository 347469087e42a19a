"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vgpu_migrate.errors import InputError, OutsideError
from vgpu_migrate.files import atomic_write, read_bytes


def mode_of(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_the_owners_alone(tmp_path: Path) -> None:
    """What is written can be read back, by its owner only, and nothing else is left behind."""
    path = tmp_path / "plan.json"
    atomic_write(path, b"{}")
    assert (path.read_bytes(), mode_of(path)) == (b"{}", 0o600)
    assert os.listdir(tmp_path) == ["plan.json"]


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    """The mode is the one asked for, whatever was there."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o666)
    atomic_write(str(path), b"new", mode=0o644)
    assert (path.read_bytes(), mode_of(path)) == (b"new", 0o644)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """A symbolic link's target is replaced, not the link."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """A directory in the place of the file, or none around it, is the caller's mistake."""
    with pytest.raises(InputError, match="is a directory"):
        atomic_write(tmp_path, b"")
    with pytest.raises(InputError, match="no directory"):
        atomic_write(tmp_path / "no" / "f", b"")


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails, what was there is still there and no temporary file is left."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutsideError, match="cannot be written: No space left on device"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("no/such", "no/such: no such file; wanted a plan"),
        ("a\0b", "'a\\x00b': not a path; wanted a plan"),
        ("x" * 5000, f"{'x' * 5000}: File name too long; wanted a plan"),
    ],
)
def test_paths_that_lead_nowhere(path: str, line: str) -> None:
    """A path that cannot be read is the caller's mistake, told as what was wanted there."""
    with pytest.raises(InputError) as caught:
        read_bytes(path, what="a plan")
    assert str(caught.value) == line


def test_no_more_is_read_than_is_wanted(tmp_path: Path) -> None:
    """As many bytes as are wanted are read; of a larger file, or a device without an end, none are given."""
    most = (1 << 20) + 1
    path = tmp_path / "file"
    path.write_bytes(b"x" * most)
    assert len(read_bytes(path, most=most)) == most
    path.write_bytes(b"x" * (most + 1))
    for name in (str(path), "/dev/zero"):
        with pytest.raises(InputError) as caught:
            read_bytes(name, what="a plan", most=most)
        assert str(caught.value) == f"{name}: more than 1048577 bytes; wanted a plan"


def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path: Path) -> None:
    """What is no regular file is not replaced: devices and pipes take the bytes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        atomic_write(pipe, b"{}")
        assert os.read(reader, 10) == b"{}"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_link_to_itself_is_no_file(tmp_path: Path) -> None:
    """A looping symbolic link is refused and stays."""
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(InputError, match="wanted a file to write"):
        atomic_write(link, b"{}")
    assert link.is_symlink()
