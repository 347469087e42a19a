"""The UUID under which the kernel shows a device, whatever its id is."""

from __future__ import annotations

import re
import uuid

from vgpu_migrate.manager.state import DeviceId

DEVICE_NAMESPACE = uuid.UUID("7c0c8c06-3b7f-5d0e-8f0b-0b6f1d4e2a95")
"""UUIDv5 of a device's id in this namespace stands for a device whose id is no UUID. Our choice."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def parse_uuid(said: str) -> str | None:
    """A UUID as the kernel reads one, 36 characters, in lower case; None: it is none."""
    return said.lower() if _UUID.fullmatch(said) else None


def mdev_uuid(device_id: DeviceId) -> str:
    """The UUID that a device has as a mediated device: its id where that is one, in lower case."""
    parsed = parse_uuid(device_id)
    return parsed if parsed is not None else str(uuid.uuid5(DEVICE_NAMESPACE, device_id))
