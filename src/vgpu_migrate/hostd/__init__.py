"""A simulated host kept alive: one process owns its state, journals and publishes it, and answers."""

from vgpu_migrate.hostd.serve import RunningHost, run_host, running_host

__all__ = ["RunningHost", "run_host", "running_host"]
