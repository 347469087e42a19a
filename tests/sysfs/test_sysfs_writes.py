"""Whatever is written, to whatever file that takes writes: done as asked, or an error and nothing changed."""

from __future__ import annotations

import errno
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.manager.factories import a_gpu, a_host, a_manager

from vgpu_migrate import facts
from vgpu_migrate.manager import DeviceId
from vgpu_migrate.model import GpuId
from vgpu_migrate.sysfs.files import HostFiles
from vgpu_migrate.sysfs.fuse import FileError
from vgpu_migrate.sysfs.writes import Callbacks

UUIDS = ["11111111-2222-3333-4444-555555555555", "21111111-2222-3333-4444-55555555555A"]
PATHS = [
    "devices/pci0000:01/0000:01:00.4/nvidia/current_vgpu_type",
    "devices/pci0000:01/0000:01:00.5/nvidia/current_vgpu_type",
    "devices/pci0000:02/0000:02:00.0/mdev_supported_types/nvidia-231/create",
    "devices/pci0000:02/0000:02:00.0/mdev_supported_types/nvidia-232/create",
    f"devices/pci0000:02/0000:02:00.0/{UUIDS[0]}/remove",
    "devices/pci0000:01/0000:01:00.4/nvidia/placement_id",
    "devices/pci0000:01/0000:01:00.0/sriov_numvfs",
]
KNOWN = {errno.EINVAL, errno.ERANGE, errno.EEXIST, errno.ENOSPC, errno.EBUSY, errno.ENOENT}
written = st.sampled_from(
    [b"0", b"1", b"1\n", b"32", b"1152", b"1152\n", b"1153", b"0x480", b"02200", b"-1", b"+1", b""]
    + [f"{uuid}{end}".encode() for uuid in UUIDS for end in ("", "\n", " ")]
) | st.binary(max_size=40)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PATHS), written), max_size=12))
def test_a_write_is_done_or_changes_nothing(writes: list[tuple[str, bytes]]) -> None:
    """The errors are those of the documentation, and the tree can be read after each."""
    manager = a_manager(a_host(gpus=[a_gpu(0), a_gpu(1, board="T4")]))
    manager.create_device(GpuId("h01/1"), facts.vgpu_type("T4-2Q"), DeviceId(UUIDS[0]))
    files = HostFiles(
        state=lambda: manager.state,
        host=Callbacks(manager.create_device, manager.remove_device, manager.place_device),
    )
    for path, data in writes:
        before, failed = manager.state, 0
        try:
            files.write(path, data)
        except FileError as error:
            failed = error.number
        if failed:
            assert failed in KNOWN
            assert manager.state is before
        else:
            if path.endswith("current_vgpu_type"):
                kept = int(files.read(path))
                assert kept == int(data, 0 if re.match(rb"\+?0x", data) else 8 if data[:1] == b"0" else 10)
            if path.endswith("create"):
                assert data.decode().strip().lower() in manager.state.devices
