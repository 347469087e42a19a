"""Plans: what a move does, and how to empty hosts and to upgrade them."""

from vgpu_migrate.planning.drain_fleet import drain
from vgpu_migrate.planning.merge import Planned
from vgpu_migrate.planning.moves import Move, Refusal, RefusalReason, apply
from vgpu_migrate.planning.pin_fleet import pin_fleet
from vgpu_migrate.planning.resume import resume_drain, resume_pin, resume_upgrade
from vgpu_migrate.planning.rolling import Pins
from vgpu_migrate.planning.upgrade_fleet import upgrade

__all__ = [
    "Move",
    "Pins",
    "Planned",
    "Refusal",
    "RefusalReason",
    "apply",
    "drain",
    "pin_fleet",
    "resume_drain",
    "resume_pin",
    "resume_upgrade",
    "upgrade",
]
