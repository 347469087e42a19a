"""The static part of a snapshot, read back."""

from __future__ import annotations

from tests.manager.factories import a_gpu, a_host

from vgpu_migrate.model import Profile
from vgpu_migrate.snapshot.layout import PAGE
from vgpu_migrate.snapshot.reader import Row, read_static
from vgpu_migrate.snapshot.static import encode_static


def static_of(*boards: str) -> Row:
    """The static part of a host with these boards."""
    host = a_host(gpus=[a_gpu(number, board=board) for number, board in enumerate(boards)])
    return read_static(bytes(PAGE) + encode_static(host, Profile.DEFAULT, base=PAGE), PAGE)
