"""An independent check of plans. Imports model, facts and compat only, and no line of planning."""

from vgpu_migrate.replay.replay import replay
from vgpu_migrate.replay.violations import Kind, Violation

__all__ = ["Kind", "Violation", "replay"]
