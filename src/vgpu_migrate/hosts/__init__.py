"""Hosts that answer the five calls, and the five functions as a client calls them."""

from vgpu_migrate.hosts.calls import Size, VgpuMigrationCalls
from vgpu_migrate.hosts.protocol import ActiveVgpu, Host, PhysicalGpu
from vgpu_migrate.hosts.simulated import SimulatedHost

__all__ = ["ActiveVgpu", "Host", "PhysicalGpu", "SimulatedHost", "Size", "VgpuMigrationCalls"]
