"""What a simulated host publishes for NVML programs: a snapshot in shared memory, written here, read by C."""

from vgpu_migrate.snapshot.encoder import NO_RUNTIME, Encoder
from vgpu_migrate.snapshot.faults import Fault
from vgpu_migrate.snapshot.publisher import Prepared, Publisher
from vgpu_migrate.snapshot.runtime import GpuRuntime, Runtime

__all__ = ["NO_RUNTIME", "Encoder", "Fault", "GpuRuntime", "Prepared", "Publisher", "Runtime"]
