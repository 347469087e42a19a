"""Going to an older driver: which hosts do, and what helps a VM that is too new for it.

The rules speak of a target whose driver is what it is. Here the driver is what was asked for: nobody who asks
for an older one is told to upgrade it.
"""

from __future__ import annotations

from vgpu_migrate.model import Host

TOO_NEW = frozenset({"guest-newer", "guest-driver-newer"})
"""The rules that a target whose driver is too old violates."""
_NEWER_DRIVER = "upgrade the target's host driver to one that reaches "
_OLDER_GUEST = ", or install an older guest driver"


def is_downgrade(host: Host, driver: str) -> bool:
    """Whether a driver is older than that of a host, by its numbers."""
    return host.has_manager and _numbers(driver) < _numbers(host.driver)


def remedy_of(rule: str, remedy: str, *, is_down: bool) -> str:
    """The remedy of a rule for a target that gets the driver asked for."""
    if rule not in TOO_NEW:
        return remedy
    start, middle, end = remedy.partition(_NEWER_DRIVER)
    if not middle:
        return remedy
    if is_down:
        return f"{start}install an older guest driver, or do not downgrade"
    return f"{start}choose a host driver that reaches {end.removesuffix(_OLDER_GUEST)}{_OLDER_GUEST}"


def _numbers(driver: str) -> tuple[int, ...]:
    return tuple([int(part) for part in driver.split(".")])
