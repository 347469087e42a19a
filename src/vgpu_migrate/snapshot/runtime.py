"""What setters change and no fleet file knows: it is lost when the driver is reloaded."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from vgpu_migrate.model import GpuId


class GpuRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """One gpu's. `capabilities_on` and `capabilities_off` are bits of `nvmlDeviceVgpuCapability_t` that were
    set either way; `virtualization_mode` is None where it was never set.
    """

    persistence: bool = False
    capabilities_on: int = 0
    capabilities_off: int = 0
    virtualization_mode: int | None = None


AS_LOADED = GpuRuntime()


class Runtime(msgspec.Struct, frozen=True):
    """All gpus': those that are not in it are as the driver found them."""

    gpus: Mapping[GpuId, GpuRuntime] = {}

    def of(self, gpu_id: GpuId) -> GpuRuntime:
        """One gpu's."""
        return self.gpus.get(gpu_id, AS_LOADED)

    def with_gpu(self, gpu_id: GpuId, changed: GpuRuntime) -> Runtime:
        """The same with another value for one gpu."""
        return Runtime({**self.gpus, gpu_id: changed})
