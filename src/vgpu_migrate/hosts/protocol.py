"""What a host is to everything beyond: something that answers the five calls and lists its gpus and vgpus."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml import Compatibility, VersionRange


class PhysicalGpu(NamedTuple):
    """A gpu as its host lists it; `name` is the host's name for the model, `pci` its address if known."""

    id: GpuId
    name: str
    pci: str | None


class ActiveVgpu(NamedTuple):
    """An active vgpu as its host lists it.

    `vm` is what NVML answers: the VM's UUID, or under Xen its domain id as a decimal string.
    """

    instance: int
    uuid: str
    vm: str
    type: str


class Host(Protocol):
    """A host, simulated or real. Every method raises an `NvmlError` for a code other than SUCCESS."""

    def gpus(self) -> tuple[PhysicalGpu, ...]:
        """The gpus of the host, in its order."""
        ...

    def active_vgpus(self, gpu: GpuId) -> tuple[ActiveVgpu, ...]:
        """The active vgpus of a gpu; held ones are not among them."""
        ...

    def instance_metadata(self, instance: int) -> bytes:
        """The whole record of an active vgpu: `nvmlVgpuInstanceGetMetadata`."""
        ...

    def gpu_metadata(self, gpu: GpuId) -> bytes:
        """The whole record of a gpu: `nvmlDeviceGetVgpuMetadata`."""
        ...

    def compatibility(
        self, vgpu_record: bytes | bytearray | memoryview, pgpu_record: bytes | bytearray | memoryview
    ) -> Compatibility:
        """What this host's rules say of two records: `nvmlGetVgpuCompatibility`."""
        ...

    def vgpu_versions(self) -> tuple[VersionRange, VersionRange]:
        """The preset range and the range in force: `nvmlGetVgpuVersion`."""
        ...

    def set_vgpu_version(self, wanted: VersionRange) -> None:
        """Override the preset range: `nvmlSetVgpuVersion`."""
        ...
