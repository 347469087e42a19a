"""Rolling upgrades: every host of a migration domain on another driver, each VM with a home all the while."""

from vgpu_migrate.planning.rolling.ask import Pins, UpgradeAsk
from vgpu_migrate.planning.rolling.domain import plan_domain

__all__ = ["Pins", "UpgradeAsk", "plan_domain"]
