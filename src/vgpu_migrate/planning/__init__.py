"""Plans: what a move does, and how to empty hosts."""

from vgpu_migrate.planning.drain_hosts import Planned, drain
from vgpu_migrate.planning.moves import Move, Refusal, RefusalReason, apply

__all__ = ["Move", "Planned", "Refusal", "RefusalReason", "apply", "drain"]
