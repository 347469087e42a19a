"""Which vGPU version a guest and a host driver settle on. The one place that says so."""

from __future__ import annotations

from functools import lru_cache

from vgpu_migrate import facts
from vgpu_migrate.nvml import VersionRange


def negotiate(
    *, guest_minimum: int | None, guest_maximum: int | None, host_range: VersionRange | None
) -> int | None:
    """The version that a loading guest driver gets on a host, or None where there is none.

    It is the maximum of the intersection of both ranges. An unknown guest minimum is taken as low enough;
    an unknown guest maximum or host range gives no version, as an empty intersection does.

    Source:
        NVML vGPU Migration, nvmlSetVgpuVersion, notes 2 and 3; the unknown cases are our assumption.
    """
    if guest_maximum is None or host_range is None:
        return None
    common = host_range.intersection(VersionRange(guest_minimum or 0, guest_maximum))
    return None if common is None else common.maximum


@lru_cache(maxsize=4096)
def fresh_version(guest_driver: str | None, host_range: VersionRange | None) -> int | None:
    """The version that a guest with this driver gets when it boots on a host; None: none, or it is not known.

    Args:
        guest_driver: its number, of which the tables tell the range; None: unknown.
        host_range: the host's range in force; None: unknown.
    """
    if guest_driver is None:
        return None
    guest = facts.guest_driver(guest_driver)
    return negotiate(guest_minimum=guest.minimum, guest_maximum=guest.maximum, host_range=host_range)
